package decide

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"hash/fnv"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

const (
	dh1 = "dh1.corp.example"
	dh2 = "dh2.corp.example"
	dh3 = "dh3.corp.example"
)

// defaults is the policy of rule 11 with address sync on.
func defaults(hosts ...string) plan.Policy {
	p := plan.Policy{
		Mode: plan.Sync, SyncIPs: true, RefreshOptions: true, InheritTenant: true, Adopt: plan.Overwrite,
		LeaseStatus: "dhcp", ReservationStatus: "reserved", ProtectTag: "dhcp-protect",
		ScopeGrace: 24 * time.Hour, MaxDeletePercent: 50, MaxDeleteCount: 3, ConfirmAfter: time.Hour, KeepAssigned: true, CreateMissingPrefixes: true,
	}
	for _, h := range hosts {
		p.Servers = append(p.Servers, plan.Server{ServerName: windhcp.ServerName{Host: h}, Selected: true, Standalone: true})
	}
	return p
}

// story is a world, the policy of its operator, and chance.
type story struct {
	*rapid.T
	w    *world
	p    plan.Policy
	vrfs bool // dh3 is in VRF red, the others in VRF blue

	agreed        map[string]agreedOn // what both sides agreed on, by server and scope
	wrote         map[int64]string    // descriptions that runs gave addresses
	changedNetBox *state.State        // NetBox before the run that is judged
	changedBefore map[string]*machine // the servers before the run that is judged
	mirror        time.Time           // the mirror's clock in that run
	sighted       map[int64]*moment   // records of deletions, by id
	idle          map[string]*moment  // inactive scopes, by server and scope
	*floors
}

// pick draws a number below of. Rapid likes small numbers, which would make all
// stories alike: they are spread.
func (s *story) pick(label string, of int) int {
	h := fnv.New32a()
	fmt.Fprintf(h, "%s %d", label, rapid.Uint16().Draw(s.T, label))
	return int(h.Sum32()>>8) % of
}

func (s *story) one(label string, in int) bool { return s.pick(label, in) == 0 }

func (s *story) vrf(host string, _ netip.Prefix) int64 {
	switch {
	case !s.vrfs:
		return 0
	case host == dh3:
		return 7
	}
	return 8
}

// The networks of a story: small, so that its people meet.
func storyNets() []string { return []string{"10.0.0.0/28", "10.0.0.16/28", "10.0.1.0/28"} }

func newStory(t *rapid.T) *story {
	s := &story{T: t, w: newWorld(), p: defaults(dh1, dh2, dh3), floors: newFloors(), agreed: make(map[string]agreedOn), wrote: make(map[int64]string),
		sighted: make(map[int64]*moment), idle: make(map[string]*moment)}
	p := &s.p
	p.MaxDeleteCount, p.MaxDeletePercent = s.pick("count", 4), []int{0, 50, 80}[s.pick("percent", 3)]
	p.PreviousLease, p.PreviousReservation = []string{"old-dhcp"}, []string{"old-reserved"}
	if s.vrfs = s.one("VRFs", 3); s.vrfs {
		p.Servers[0].VRF, p.Servers[1].VRF, p.Servers[2].VRF = "blue", "65000:8", "red"
	}
	s.w.server(dh1)
	s.w.server(dh2)
	s.w.server(dh3)
	for i, net := range storyNets() {
		base := netip.MustParsePrefix(net).Addr().As4()
		at := func(n byte) string { return netip.AddrFrom4([4]byte{base[0], base[1], base[2], base[3] + n}).String() }
		if i < 2 {
			s.fill(s.w.server(dh1).addScope(net, at(1), at(12)))
		}
		if i != 1 {
			s.fill(s.w.server(dh3).addScope(net, at(2), at(14))) // split with dh1 where both have it
		}
		if s.one("prefix in NetBox", 2) {
			s.w.addPrefix(net, s.vrf(dh3, netip.Prefix{}))
		}
		if !s.vrfs && s.one("the same in another VRF", 10) {
			s.w.addPrefix(net, 0)
			s.w.addPrefix(net, 8)
		}
	}
	if s.one("pair", 2) {
		s.w.pair("east", dh1, dh2, "10.0.0.16")
	}
	p.PushReservations, p.PushScopeInfo = s.one("push reservations", 2), s.one("push scopes", 3)
	p.ReplaceClientID, p.DeleteRemoved, p.PushToPartner = s.one("replace", 2), s.one("delete removed", 2), s.one("partner", 2)
	p.ActivateScopes = s.one("activate scopes", 2)
	p.ExemptTag = []string{"dhcp-dynamic", ""}[s.pick("exempt", 2)]
	p.UpdateClientID, p.ExpiryInNetBox = s.one("update client id", 2), s.one("expiry", 2)
	if s.one("a range made by hand", 6) {
		s.w.nb.Ranges = append(s.w.nb.Ranges, state.Range{ID: s.w.id(), Start: netip.MustParseAddr("10.0.1.4"), End: netip.MustParseAddr("10.0.1.5"), Bits: 28, Populated: true})
	}
	return s
}

// fill gives a scope some content.
func (s *story) fill(scope *wscope) {
	for range s.pick("leases", 6) {
		s.newLease(scope)
	}
	for range s.pick("reservations", 4) {
		s.newReservation(scope)
	}
	s.newExclusion(scope)
	if s.one("options", 2) {
		scope.options = []windhcp.Option{{Code: 6, Type: "IPv4Address", Values: []string{"10.1.1.1"}, ClassesTold: true}, {Code: 3, Values: []string{"10.0.0.1"}}, {Code: 200 + s.pick("option", 3), Name: "Odd", Values: []string{"x"}, VendorClass: "v"}}
	}
}

func (s *story) host(scope *wscope) netip.Addr {
	a := scope.Subnet.Addr().As4()
	a[3] += byte(1 + s.pick("host", 14))
	return netip.AddrFrom4(a)
}

func (s *story) client() windhcp.ClientID {
	if s.one("odd client", 12) {
		return []windhcp.ClientID{"abc", "", "52-41-53-20-00-00-00-00-00-00-00-00-00-00-00-01-02"}[s.pick("which", 3)]
	}
	return windhcp.ClientID(fmt.Sprintf("00-00-5e-00-53-%02x", s.pick("client", 12)))
}

func (s *story) name() string {
	return []string{"pc-1", "PC 2", "", "*", "müller", "printer.corp.example", strings.Repeat("long-", 60), "pc-3", "_x"}[s.pick("name", 9)]
}

func (s *story) newLease(scope *wscope) {
	l := windhcp.Lease{Addr: s.host(scope), ClientID: s.client(), Hostname: s.name(), State: "Active"}
	if !s.one("no expiry", 5) {
		l.Expires = s.w.now.Add(time.Duration(s.pick("expiry", 200)) * time.Hour)
	}
	if s.one("odd state", 10) {
		l.State = []string{"Declined", "", "InactiveReservation", "Whatever"}[s.pick("state", 4)]
	}
	i := slices.IndexFunc(scope.leases, func(o windhcp.Lease) bool { return o.Addr == l.Addr })
	if i >= 0 && !s.one("listed twice", 10) {
		scope.leases[i] = l
		return
	}
	scope.leases = append(scope.leases, l)
}

func (s *story) newReservation(scope *wscope) {
	r := windhcp.Reservation{Addr: s.host(scope), ClientID: s.client(), Name: s.name(), Type: "Both", Description: s.description()}
	if r.ClientID != "" && !slices.ContainsFunc(scope.reservations, func(o windhcp.Reservation) bool { return o.Addr == r.Addr || o.ClientID == r.ClientID }) {
		scope.reservations = append(scope.reservations, r)
	}
}

func (s *story) description() string {
	return []string{"", "", "desk", "door", strings.Repeat("long ", 60), " blanks "}[s.pick("description", 6)]
}

func (s *story) newExclusion(scope *wscope) {
	x := windhcp.Exclusion{Start: s.host(scope), End: s.host(scope)}
	if !x.End.Less(x.Start) && !slices.ContainsFunc(scope.exclusions, x.Overlaps) {
		scope.exclusions = append(scope.exclusions, x)
	}
}

// scopes are all scopes of all servers, in order.
func (s *story) scopes() (out []*wscope) {
	for _, host := range slices.Sorted(maps.Keys(s.w.servers)) {
		m := s.w.servers[host]
		for _, id := range slices.SortedFunc(maps.Keys(m.scopes), netip.Addr.Compare) {
			out = append(out, m.scopes[id])
		}
	}
	return out
}

// round plans once, checks everything that holds of any plan, applies it, and
// checks that nothing is left to do.
func (s *story) round() *plan.Plan {
	in := s.w.read(s.p)
	s.see(&in)
	made := s.build(in)
	before, windows := s.w.copyNetBox(), s.w.copyServers()
	s.changedBefore, s.changedNetBox = windows, before
	facts := s.w.truth(s.vrf, &s.p)
	if err := s.w.apply(made); err != nil {
		s.Fatalf("%v\n%s", err, describe(made))
	}
	s.seeIdle()
	if diff := notAsForetold(before, s.w.nb, made.Steps); diff != "" && s.w.refused == 0 {
		s.Fatalf("the steps leave something else than plan.After says (-foretold +found):\n%s\n%s", diff, describe(made))
	}
	if problem := foreignTouch(before, s.w.nb, &s.p, facts); problem != "" {
		s.Fatalf("%s\n%s", problem, describe(made))
	}
	if problem := s.judge(&reading{s, in, before, s.w.nb, facts}); problem != "" {
		s.Fatalf("%s\n%s", problem, describe(made))
	}
	if problem := firstOf(serverTouch(windows, s.w.servers, &s.p), s.unproved(windows, made), s.beyondLimits(windows), s.exclusionsLost(windows, before), s.braked(windows), s.overwritten(windows, before), s.misdescribed(before)); problem != "" {
		s.Fatalf("%s\n%s", problem, describe(made))
	}
	s.observeAgreement(&in, made)
	comesOrGoes := func(x plan.Step) bool { return x.Kind == plan.WindowsScope && x.Action != state.Update }
	if slices.ContainsFunc(made.Steps, comesOrGoes) {
		return s.round() // what a server then has is read the next time only
	}
	if again := Build(s.w.read(s.p)); !again.Empty() && s.w.refused == 0 {
		s.Fatalf("a second run changes something\nfirst:\n%s\nsecond:\n%s", describe(made), describe(again))
	}
	return made
}

// braked finds changes of a server that may not be written to (rule 5.7).
func (s *story) braked(before map[string]*machine) string {
	for i, c := range s.p.Servers {
		m := before[c.Host]
		other := m.computer == "OTHER" && s.w.memory.Computers[c.Host] == "DH3"
		if !c.ReadOnly && !c.NoPush && !m.readsOnly && !other {
			continue
		}
		if diff := cmp.Diff(m, s.w.servers[c.Host], cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }), cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
			cmp.AllowUnexported(machine{}, wscope{}), cmpopts.EquateEmpty()); diff != "" {
			return fmt.Sprintf("server %d may not be written to, and was: %s", i+1, diff)
		}
	}
	return ""
}

// exclusionsLost finds deletes of exclusions on servers that no edit of NetBox's
// record asked for: the record lacks it, and has others (rule 5.6).
func (s *story) exclusionsLost(before map[string]*machine, nb *state.State) string {
	for host, m := range before {
		for id, scope := range m.scopes {
			now := s.w.servers[host].scopes[id]
			if why := s.scopeLost(host, scope, now); why != "" || now == nil {
				if why != "" {
					return why
				}
				continue
			}
			if scope.Router.IsValid() && !now.Router.IsValid() {
				return fmt.Sprintf("scope %s of %s lost its router", id, host)
			}
			records, _ := recordsOf(nb.Ranges)
			for _, x := range scope.exclusions {
				asked := slices.ContainsFunc(records, func(r *record) bool {
					return r.Subnet == scope.Subnet && len(r.Exclusions) > 0 && !slices.Contains(r.Exclusions, x)
				})
				if !slices.Contains(now.exclusions, x) && (!asked || string(s.w.homeContext().Data) != string(Home{ID: s.w.memory.NetBox.ID, Keeper: here().Keeper}.Data())) {
					return fmt.Sprintf("exclusion %s-%s of %s was deleted without an edit", x.Start, x.End, host)
				}
			}
		}
	}
	return ""
}

// scopeLost finds a scope that a run deactivated or deleted although no operator
// deleted its record, or too soon, or while it was in use (rule 5.8).
func (s *story) scopeLost(host string, was, now *wscope) string {
	if now != nil && (now.State == was.State || now.Active()) {
		return ""
	}
	vrf := s.vrf(host, was.Subnet)
	proved := slices.ContainsFunc(s.w.log, func(d state.Deletion) bool {
		return d.Kind == state.IPRange && d.Message == "" && d.Range.VRF == vrf && d.Range.Subnet() == was.Subnet && s.sighted[d.Record].ago(s, s.p.ScopeGrace) &&
			(now != nil || s.idle[scopeText(host, was.ID())].ago(s, s.p.ScopeGrace))
	})
	running := slices.ContainsFunc(was.leases, windhcp.Lease.Active)
	if now != nil && len(recordsFor(s.changedNetBox, host, was)) > 0 {
		return "" // judged by overwritten
	}
	switch {
	case !s.p.DeleteScopes || !proved || s.w.logFails || s.w.restored:
		return fmt.Sprintf("scope %s of %s was deactivated or deleted without proof", was.Subnet, host)
	case running || was.Failover != "" || now == nil && was.Active():
		return fmt.Sprintf("scope %s of %s was deactivated or deleted while it was in use", was.Subnet, host)
	}
	return ""
}

// unproved finds a reservation that a run deleted on a server although no operator
// deleted its address in NetBox (rule 5.4). It goes by the world, not by the plan.
func (s *story) unproved(before map[string]*machine, made *plan.Plan) string {
	for host, m := range before {
		for id, scope := range m.scopes {
			for _, r := range scope.reservations {
				if s.w.servers[host].scopes[id] == nil {
					continue // judged by scopeLost
				}
				kept := slices.ContainsFunc(s.w.servers[host].scopes[id].reservations, func(o windhcp.Reservation) bool { return o.Addr == r.Addr })
				vrf := s.vrf(host, scope.Subnet)
				proved := slices.ContainsFunc(s.w.log, func(d state.Deletion) bool {
					return d.Message == "" && d.Address.Address.Addr() == r.Addr && d.Address.VRF == vrf && windhcp.ParseClientID(d.Address.ClientID) == r.ClientID &&
						s.sighted[d.Record].ago(s, time.Hour)
				})
				if !kept && (!proved || s.w.logFails || s.w.restored || string(s.w.homeContext().Data) != string(Home{ID: made.Memory.NetBox.ID, Keeper: here().Keeper}.Data())) {
					return fmt.Sprintf("reservation %s for %s was deleted on %s without proof", r.Addr, r.ClientID, host)
				}
			}
		}
	}
	return ""
}

func firstOf(texts ...string) string {
	return strings.Join(slices.DeleteFunc(texts, func(t string) bool { return t == "" }), "; ")
}

// notAsForetold compares NetBox after a run with what the planner takes the steps
// to leave. Ids of new objects are NetBox's to choose.
func notAsForetold(before, found *state.State, steps []plan.Step) string {
	foretold, got := plan.After(before, steps), *found
	got.Addresses = unnumbered(before.Addresses, got.Addresses, func(x *state.Address) *int64 { return &x.ID })
	got.Ranges = unnumbered(before.Ranges, got.Ranges, func(r *state.Range) *int64 { return &r.ID })
	got.Prefixes = unnumbered(before.Prefixes, got.Prefixes, func(p *state.Prefix) *int64 { return &p.ID })
	got.Contexts = unnumbered(before.Contexts, got.Contexts, func(c *state.Context) *int64 { return &c.ID })
	if reflect.DeepEqual(foretold, &got) {
		return ""
	}
	return cmp.Diff(foretold, &got, cmpopts.EquateEmpty(),
		cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }), cmp.Comparer(func(a, b netip.Addr) bool { return a == b }))
}

// unnumbered takes the ids of objects that were not there before.
func unnumbered[T any](before, list []T, id func(*T) *int64) []T {
	known := make(map[int64]bool)
	for i := range before {
		known[*id(&before[i])] = true
	}
	list = slices.Clone(list)
	for i := range list {
		if at := id(&list[i]); !known[*at] {
			*at = 0
		}
	}
	return list
}

// build plans and checks that the plan depends on its input alone, and leaves
// it as it was.
func (s *story) build(in plan.Input) *plan.Plan {
	spare := s.w.read(s.p)
	made := Build(in)
	mustBeAllowed(s, &in.Policy, made)
	same := cmp.Options{
		cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }), cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
		cmpopts.EquateErrors(), cmpopts.EquateEmpty(),
	}
	if diff := cmp.Diff(spare, in, same); diff != "" {
		s.Fatalf("the input was changed: %s", diff)
	}
	if !bytes.Equal(s.bytes(made), s.bytes(Build(spare))) {
		s.Fatal("two plans of the same input differ")
	}
	return made
}

func (s *story) bytes(p *plan.Plan) []byte {
	data, err := json.Marshal(p)
	memory, errMemory := json.Marshal(p.Memory)
	if err != nil || errMemory != nil {
		s.Fatal(err, errMemory)
	}
	return append(data, memory...)
}

func (w *world) copyServers() map[string]*machine {
	out := make(map[string]*machine)
	for host, m := range w.servers {
		c := *m
		c.scopes = make(map[netip.Addr]*wscope)
		for id, scope := range m.scopes {
			twin := *scope
			twin.leases, twin.reservations = slices.Clone(scope.leases), slices.Clone(scope.reservations)
			twin.exclusions, twin.options = slices.Clone(scope.exclusions), slices.Clone(scope.options)
			c.scopes[id] = &twin
		}
		out[host] = &c
	}
	return out
}

func describe(p *plan.Plan) string {
	var b strings.Builder
	for _, s := range p.Steps {
		fmt.Fprintf(&b, "%d %s %s %s %s vrf %d [%s: %s]", s.Phase, s.Target, s.Action, s.Kind, s.Name, s.VRF, s.Rule, s.Why)
		for _, c := range s.Changes {
			fmt.Fprintf(&b, " %s: %s -> %s;", strings.TrimPrefix(c.Field, "custom_fields."), asText(c.Old), asText(c.New))
		}
		fmt.Fprintf(&b, " +%v -%v\n", s.AddTags, s.RemoveTags)
	}
	for _, n := range p.Notes {
		fmt.Fprintf(&b, "%s: %s %s %s [%s] %s\n", n.Level, n.Server, n.Scope, n.Addr, n.Rule, n.Text)
	}
	return b.String()
}

func asText(v any) string {
	if raw, ok := v.(json.RawMessage); ok {
		return string(raw)
	}
	return fmt.Sprint(v)
}

// An operator's day: what people and clients do between two runs.
func (s *story) events() []func() {
	w := s.w
	anyScope := func() *wscope { all := s.scopes(); return all[s.pick("scope", len(all))] }
	anyAddress := func(do func(*state.Address)) {
		if n := len(w.nb.Addresses); n > 0 {
			do(&w.nb.Addresses[s.pick("address", n)])
		}
	}
	return append(s.edits(anyScope), []func(){
		func() {
			if x := anyScope(); len(x.reservations) > 0 {
				x.reservations[0].Description = s.description()
			}
		},
		func() { s.newLease(anyScope()) },
		func() { s.newReservation(anyScope()) },
		func() { s.newExclusion(anyScope()) },
		func() { anyScope().leases = nil },
		func() { anyScope().reservations = nil },
		func() {
			for _, x := range w.server([]string{dh1, dh2, dh3}[s.pick("server", 3)]).scopes {
				x.leases, x.reservations = nil, nil
			}
		},
		func() {
			if x := anyScope(); len(x.leases) > 1 {
				x.leases = x.leases[:1]
			}
		},
		func() { s.w.now = s.w.now.Add(59 * time.Minute) },
		func() { s.w.now = s.w.now.Add(61 * time.Minute) },
		func() { s.w.now = s.w.now.AddDate(0, 0, 2) },
		func() { s.w.now = s.w.now.AddDate(0, 0, 20) },
		func() { s.w.fast = []time.Duration{0, 400 * 24 * time.Hour, -2 * time.Hour}[s.pick("clock", 3)] },
		func() {
			if x := anyScope(); len(x.leases) > 0 {
				x.leases = x.leases[1:]
			}
		},
		func() {
			if x := anyScope(); len(x.reservations) > 0 {
				x.reservations = x.reservations[1:]
			}
		},
		func() {
			if x := anyScope(); len(x.exclusions) > 0 {
				x.exclusions = x.exclusions[1:]
			}
		},
		func() { x := anyScope(); x.Name, x.LeaseSeconds = "renamed", int64(s.pick("seconds", 3))*3600 },
		func() { x := anyScope(); x.Start, x.End = x.Start.Next(), x.End.Prev().Prev() },
		func() { s.trouble(anyScope(), w.server([]string{dh1, dh2, dh3}[s.pick("server", 3)])) },
		func() {
			for _, x := range s.scopes() {
				x.leasesFail, x.reservationsFail, x.exclusionsFail, x.optionsFail, x.malformed = false, false, false, false, false
			}
			for _, m := range w.servers {
				m.down, m.failoversFail, m.malformed = false, false, false
			}
		},
		func() { delete(w.server(dh3).scopes, netip.MustParseAddr("10.0.1.0")) },
		func() { delete(w.server(dh1).scopes, netip.MustParseAddr("10.0.0.0")) },
		s.newAddress,
		s.newAddress,
		s.newAddress,
		func() { anyAddress(func(x *state.Address) { x.Status = s.status() }) },
		func() { anyAddress(func(x *state.Address) { x.ClientID = string(s.client()) }) },
		func() { anyAddress(func(x *state.Address) { x.DNSName, x.Description = "hand-made", "by hand" }) },
		func() { anyAddress(func(x *state.Address) { x.Tags = []string{"dhcp-protect"} }) },
		func() {
			anyAddress(func(x *state.Address) { x.InUse, x.Assigned = "assigned to an interface", !s.one("NAT", 3) })
		},
		func() { anyAddress(func(x *state.Address) { x.Shared = true }) },
		func() { anyAddress(func(x *state.Address) { x.Tags = []string{"dhcp-dynamic"} }) },
		func() {
			if n := len(w.nb.Addresses); n > 0 {
				w.remove(s.pick("address", n))
			}
		},
		func() { // it is hidden, or NetBox was restored from before it
			if n := len(w.nb.Addresses); n > 0 {
				i := s.pick("address", n)
				w.nb.Addresses = slices.Delete(w.nb.Addresses, i, i+1)
			}
		},
		func() { w.hoursLater(1) },
		func() {
			if n := len(w.nb.Ranges); n > 0 && s.one("a record goes", 2) {
				w.removeRange(s.pick("range", n))
			}
		},
		func() { w.hoursLater(25) },
		func() { s.p.PushScopeInfo, s.p.DeleteScopes = true, true },
		func() { w.server(dh3).computer = []string{"", "DH3", "OTHER"}[s.pick("computer", 3)] },
		func() { w.server(dh1).readsOnly = !w.server(dh1).readsOnly },
		func() { // an operator edits the exclusions of a record
			if n := len(w.nb.Ranges); n > 0 {
				r := &w.nb.Ranges[s.pick("range", n)]
				if list, err := exclusionsOf(r.Exclusions); err == nil && len(list) > 1 {
					r.Exclusions = exclusionsField(list[1:])
				} else if err == nil {
					r.Exclusions = exclusionsField(append(list, windhcp.Exclusion{Start: r.Start, End: r.Start}))
				}
			}
		},
		func() { w.logFails = !w.logFails },
		func() { w.restored = !w.restored },
		func() {
			w.homeContext().Data = Home{ID: []string{"netbox-one", "netbox-two"}[s.pick("NetBox", 2)], Keeper: here().Keeper}.Data()
		},
		func() {
			if n := len(w.nb.Ranges); n > 0 {
				r := &w.nb.Ranges[s.pick("range", n)]
				r.ScopeName, r.LeaseDisplay, r.Router, r.Description = "edited", "2 Hours", "10.0.0.1", "edited"
			}
		},
		func() {
			if n := len(w.nb.Prefixes); n > 0 && s.one("protect a prefix", 3) {
				w.nb.Prefixes[s.pick("prefix", n)].Tags = []string{"dhcp-protect"}
			}
		},
		func() { s.operator() },
		func() { w.memory, s.agreed = plan.Memory{}, make(map[string]agreedOn) },
	}...)
}

// trouble makes one thing fail, or work again.
func (s *story) trouble(scope *wscope, m *machine) {
	all := []*bool{&scope.leasesFail, &scope.reservationsFail, &scope.exclusionsFail, &scope.optionsFail, &scope.malformed, &m.down, &m.failoversFail, &m.malformed}
	b := all[s.pick("trouble", len(all))]
	*b = !*b
}

func (s *story) status() string {
	return []string{"active", "reserved", "deprecated", "dhcp", "old-dhcp", "old-reserved"}[s.pick("status", 6)]
}

// newAddress is an address by hand, now and then one that is there already or
// one with a strange mask.
func (s *story) newAddress() {
	all := s.scopes()
	addr := s.host(all[s.pick("scope", len(all))])
	x := state.Address{
		Address: netip.PrefixFrom(addr, []int{28, 32, 24}[s.pick("mask", 3)]), VRF: []int64{0, 0, 7, 8}[s.pick("vrf", 4)], Status: s.status(), Description: "by hand",
		Managed: []state.Managed{"", "", state.Created, state.Adopted, state.Prestaged}[s.pick("managed", 5)],
	}
	if s.one("with a client", 2) {
		x.ClientID = string(s.client())
	}
	s.w.addAddress(x)
}

// operator changes the settings.
func (s *story) operator() {
	p := &s.p
	flip := []*bool{&p.SyncIPs, &p.PushReservations, &p.PushScopeInfo, &p.ReadOnly, &p.ActiveScopesOnly, &p.AutoImport, &p.RefreshOptions, &p.SkipRAS,
		&p.ExpiryInNetBox, &p.UpdateClientID, &p.HidesLease, &p.KeepAssigned, &p.AllowDeletes, &p.ReplaceClientID, &p.DeleteRemoved, &p.PushToPartner, &p.ActivateScopes,
		&p.Servers[0].Maintenance, &p.Servers[2].Standalone, &p.Servers[1].Selected, &p.DeleteScopes, &p.Servers[0].NoPush, &p.Servers[2].NoPush, &p.Servers[0].ReadOnly}
	for range 1 + s.pick("switches", 3) {
		b := flip[s.pick("switch", len(flip))]
		*b = !*b
	}
	p.Adopt = []plan.Adopt{plan.Overwrite, plan.LeaveAlone, plan.Report}[s.pick("adopt", 3)]
}

// (a) to (h): after any changes between runs, each run touches only what is the
// mirror's, deletes nothing on doubt, and leaves nothing to do.
func TestEveryRunTouchesOnlyWhatIsTheMirrorsAndASecondChangesNothing(t *testing.T) {
	twiceAsMany(t)
	rapid.Check(t, liveOneStory)
}

// twiceAsMany doubles rapid's hundred, which miss too much, unless the flag says how
// many there are. A second Check would tell the same ones again: it has the same seed.
func twiceAsMany(t *testing.T) {
	t.Helper()
	checks := flag.Lookup("rapid.checks")
	if checks.Value.String() != checks.DefValue {
		return
	}
	if err := checks.Value.Set("200"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = checks.Value.Set(checks.DefValue) })
}

func liveOneStory(t *rapid.T) {
	s := newStory(t)
	s.p.Mode = plan.Import
	s.round()
	s.p.Mode = plan.Sync
	for range 2 + s.pick("rounds", 5) {
		events := s.events()
		for range s.pick("events", 9) {
			events[s.pick("event", len(events))]()
		}
		s.round()
		s.w.now = s.w.now.Add(time.Duration(s.pick("pause", 4)) * time.Hour)
	}
}
