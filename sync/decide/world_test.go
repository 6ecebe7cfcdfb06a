package decide

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// world is a NetBox and some Windows servers in memory. It takes steps as the
// real ones would: refusing what they refuse, and only if what the step was
// decided on still holds.
type world struct {
	nb      *state.State
	servers map[string]*machine
	memory  plan.Memory
	lastID  int64
	now     time.Time     // by every clock but the mirror's
	fast    time.Duration // how far that is ahead

	stamped map[int64]state.Range // ranges as they were read last
	stamps  int

	record   int64            // the newest record of NetBox's change log
	log      []state.Deletion // the records of deletions
	logFails bool
	restored bool // the record that was newest is gone

	everythingRead bool // by the last read: every reservation of every server that was asked
	refused        int  // steps of the last plan that rested on too little
}

// machine is a Windows server.
type machine struct {
	host      string
	scopes    map[netip.Addr]*wscope
	failovers []windhcp.Failover

	down          bool
	failoversFail bool
	computer      string
	readsOnly     bool
	oldScript     bool
	noOptions     bool // its script cannot set options
	malformed     bool // its list of scopes has an entry that cannot be understood

	failoversMalformed bool // the same of its relationships
}

// wscope is a scope on a server, with what goes wrong when it is read.
type wscope struct {
	windhcp.Scope
	leases       []windhcp.Lease
	reservations []windhcp.Reservation
	exclusions   []windhcp.Exclusion
	options      []windhcp.Option

	leasesFail, reservationsFail, exclusionsFail, optionsFail bool
	malformed                                                 bool // an entry of its leases
}

var errTrouble = errors.New("500: internal server error")

// newWorld is a NetBox after bootstrap and no server.
func newWorld() *world {
	w := &world{servers: make(map[string]*machine), stamped: make(map[int64]state.Range), lastID: 100, now: time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)}
	w.nb = &state.State{
		Version: "4.7", SingleAddressRanges: true,
		VRFs:     []state.VRF{{ID: 7, Name: "red", RD: "65000:7"}, {ID: 8, Name: "blue", RD: "65000:8"}},
		Statuses: []string{"active", "reserved", "deprecated", "dhcp", "old-dhcp", "old-reserved"},
		Tags:     map[string]int64{state.TagScope: 1, state.TagData: 2, state.TagInvalid: 3},
		Roles:    map[string]int64{state.RoleScope: 5},
		Fields: map[state.Kind][]string{
			state.IPAddress: {state.FieldClientID, state.FieldManaged, state.FieldLeaseHostname, state.FieldLeaseActive, state.FieldLeaseExpires},
			state.IPRange: {state.FieldScopeName, state.FieldServer, state.FieldFailover, state.FieldRouter, state.FieldLeaseSeconds, state.FieldLeaseDisplay,
				state.FieldScopeState, state.FieldExclusions, state.FieldOptions, state.FieldOtherSources},
			state.IPPrefix: {state.FieldScopes},
		},
	}
	w.addContext(plan.CodesContext, true, `{"windows_dhcp":{"option_codes":[{"code":6,"name":"DNS Servers","type":"IPAddressList","built_in":true}]}}`)
	w.nb.Contexts = append(w.nb.Contexts, state.Context{ID: w.id(), Name: plan.MemoryContext, Data: Home{ID: "netbox-one", Keeper: here().Keeper}.Data()})
	w.addContext(plan.ValuesContext, true, `{"windows_dhcp":{"option_values":[]},"note":"kept"}`)
	return w
}

// here is where the runs of a world take place.
func here() plan.Here {
	return plan.Here{URL: "netbox.example.org", Keeper: plan.Keeper{Host: "sync1", StateDir: "/var/lib/netbox-dhcp-sync"}}
}

func (w *world) id() int64 { w.lastID++; return w.lastID }

func (w *world) server(host string) *machine {
	if w.servers[host] == nil {
		w.servers[host] = &machine{host: host, scopes: make(map[netip.Addr]*wscope)}
	}
	return w.servers[host]
}

func (w *world) addContext(name string, active bool, data string) {
	w.nb.Contexts = append(w.nb.Contexts, state.Context{ID: w.id(), Name: name, Active: active, Data: json.RawMessage(data)})
}

func (w *world) addPrefix(p string, vrf int64) *state.Prefix {
	w.nb.Prefixes = append(w.nb.Prefixes, state.Prefix{ID: w.id(), Prefix: netip.MustParsePrefix(p), VRF: vrf, Status: "active"})
	return &w.nb.Prefixes[len(w.nb.Prefixes)-1]
}

// addAddress adds an address with the mask of its text.
func (w *world) addAddress(x state.Address) int64 {
	x.ID = w.id()
	w.nb.Addresses = append(w.nb.Addresses, x)
	return x.ID
}

func (w *world) address(addr string) *state.Address { return w.addressIn(0, addr) }

func (w *world) addressIn(vrf int64, addr string) *state.Address {
	for i := range w.nb.Addresses {
		if x := &w.nb.Addresses[i]; x.VRF == vrf && x.Address.Addr() == netip.MustParseAddr(addr) {
			return x
		}
	}
	return nil
}

// addScope puts a scope on a server, active and without content.
func (m *machine) addScope(subnet, start, end string) *wscope {
	s := &wscope{Scope: windhcp.Scope{
		Subnet: netip.MustParsePrefix(subnet), Name: "net " + subnet, Start: netip.MustParseAddr(start), End: netip.MustParseAddr(end),
		State: "Active", LeaseSeconds: 691200,
	}}
	m.scopes[s.ID()] = s
	return s
}

func (s *wscope) lease(addr, id, hostname string) *windhcp.Lease {
	s.leases = append(s.leases, windhcp.Lease{
		Addr: netip.MustParseAddr(addr), ClientID: windhcp.ClientID(id), Hostname: hostname, State: "Active", Expires: time.Date(2026, 7, 5, 9, 0, 0, 0, time.UTC),
	})
	return &s.leases[len(s.leases)-1]
}

func (s *wscope) reserve(addr, id, name string) *windhcp.Reservation {
	s.reservations = append(s.reservations, windhcp.Reservation{Addr: netip.MustParseAddr(addr), ClientID: windhcp.ClientID(id), Name: name, Type: "Both"})
	return &s.reservations[len(s.reservations)-1]
}

// pair makes two servers partners for some of the first one's scopes, which
// both then have.
func (w *world) pair(name, one, other string, scopes ...string) {
	a, b := w.server(one), w.server(other)
	f := windhcp.Failover{Name: name, Primary: one, Secondary: other, Mode: "HotStandby", MaxClientLeadTime: 3600}
	for _, id := range scopes {
		s := a.scopes[netip.MustParseAddr(id)]
		s.Failover = name
		twin := *s
		twin.leases, twin.reservations = slices.Clone(s.leases), slices.Clone(s.reservations)
		twin.exclusions, twin.options = slices.Clone(s.exclusions), slices.Clone(s.options)
		b.scopes[s.ID()] = &twin
		f.Scopes = append(f.Scopes, s.ID())
	}
	a.failovers = append(a.failovers, f)
	f.Primary, f.Secondary = other, one // a server always names itself first
	b.failovers = append(b.failovers, f)
}

// read reads both sides as the mirror does: it asks who the roster names, and
// reads the scopes the roster wants.
func (w *world) read(p plan.Policy) plan.Input {
	p.Recall(w.memory)
	w.stamp()
	in := plan.Input{NetBox: w.copyNetBox(), Policy: p, Memory: w.memory.Clone(), Here: here(), Now: w.now.Add(w.fast)}
	in.NetBox.Date = w.now
	for {
		hosts := NewRoster(&in).Ask()
		if len(hosts) == 0 {
			break
		}
		in.NetBox.Log = w.changeLog()
		for _, h := range hosts {
			in.Windows = append(in.Windows, w.server(h).lists(w.now))
		}
	}
	slices.SortFunc(in.Windows, func(a, b windhcp.Server) int {
		at := func(h string) int {
			return slices.IndexFunc(p.Servers, func(s plan.Server) bool { return s.Host == h })
		}
		return cmp.Compare(at(a.Host), at(b.Host))
	})
	roster := NewRoster(&in)
	w.everythingRead = true
	for i := range in.Windows {
		for _, scope := range in.Windows[i].Scopes.Items {
			from := w.servers[in.Windows[i].Host].scopes[scope.ID()]
			all, pushed := roster.Reads(in.Windows[i].Host, scope)
			witness := roster.Witnesses(in.Windows[i].Host, scope)
			if pushed {
				in.Windows[i].Parts[scope.ID()] = from.part(all)
			}
			if witness {
				part, known := in.Windows[i].Parts[scope.ID()]
				if !known {
					part = windhcp.Unread()
				}
				part.Leases = from.part(true).Leases
				in.Windows[i].Parts[scope.ID()] = part
			}
			w.everythingRead = w.everythingRead && pushed && !from.reservationsFail
		}
	}
	in.NetBox.Log = w.changeLog()
	for _, g := range roster.Hidden() {
		for _, d := range w.log {
			if d.Kind == g.Kind && d.Object == g.Object && !w.logFails {
				in.Deleted = append(in.Deleted, d)
			}
		}
	}
	for _, g := range Gone(&in) {
		for _, d := range w.log {
			if d.Kind == g.Kind && d.Object == g.Object && in.NetBox.Log.Err == nil && (d.Record == g.Record || g.Record == 0 && d.Record > g.After.Record) {
				in.NetBox.Log.Deleted = append(in.NetBox.Log.Deleted, d)
			}
		}
	}
	return in
}

// stamp gives ranges that changed since the last read a new time of change.
func (w *world) stamp() {
	for i := range w.nb.Ranges {
		r := &w.nb.Ranges[i]
		before, known := w.stamped[r.ID]
		r.LastUpdated = before.LastUpdated
		if !known || !reflect.DeepEqual(before, *r) {
			w.stamps++
			r.LastUpdated = w.now.Add(time.Duration(w.stamps) * time.Microsecond)
			w.stamped[r.ID] = *r
		}
	}
}

// changeLog is the mark of NetBox's change log.
func (w *world) changeLog() state.ChangeLog {
	if w.logFails {
		return state.ChangeLog{Err: errTrouble}
	}
	return state.ChangeLog{Newest: state.Mark{Record: w.record, Time: w.now}, Broken: w.restored && w.memory.Newest.Known()}
}

// remove deletes an address as an operator does it, with a record.
func (w *world) remove(i int) {
	x := w.nb.Addresses[i]
	w.nb.Addresses = slices.Delete(w.nb.Addresses, i, i+1)
	w.record++
	w.log = append(w.log, state.Deletion{Mark: state.Mark{Record: w.record, Time: w.now}, Kind: state.IPAddress, Object: x.ID,
		Address: state.Address{ID: x.ID, Address: x.Address, VRF: x.VRF, ClientID: x.ClientID}})
}

// removeRange deletes a range as an operator does it, with a record.
func (w *world) removeRange(i int) {
	r := w.nb.Ranges[i]
	w.nb.Ranges = slices.Delete(w.nb.Ranges, i, i+1)
	w.record++
	w.log = append(w.log, state.Deletion{Mark: state.Mark{Record: w.record, Time: w.now}, Kind: state.IPRange, Object: r.ID, Range: r})
}

// hoursLater lets time pass.
func (w *world) hoursLater(n int) { w.now = w.now.Add(time.Duration(n) * time.Hour) }

func (m *machine) lists(now time.Time) windhcp.Server {
	s := windhcp.Server{Host: m.host, Date: now, Computer: m.computer, ReadsOnly: m.readsOnly, Lists: !m.oldScript, SetsOptions: !m.oldScript && !m.noOptions, Parts: make(map[netip.Addr]windhcp.Part)}
	if m.down {
		s.Scopes.Err, s.Failovers.Err = errTrouble, errTrouble
		return s
	}
	for _, id := range slices.SortedFunc(maps.Keys(m.scopes), netip.Addr.Compare) {
		s.Scopes.Items = append(s.Scopes.Items, m.scopes[id].Scope)
	}
	if m.malformed {
		s.Scopes.Malformed = []string{"scope without an id"}
	}
	s.Failovers.Items = slices.Clone(m.failovers)
	if m.failoversMalformed {
		s.Failovers.Malformed = []string{"relationship without a name"}
	}
	if m.failoversFail {
		s.Failovers = windhcp.List[windhcp.Failover]{Err: errTrouble}
	}
	return s
}

func listOf[T any](items []T, fails bool) windhcp.List[T] {
	if fails {
		return windhcp.List[T]{Err: errTrouble}
	}
	return windhcp.List[T]{Items: slices.Clone(items)}
}

func (s *wscope) part(all bool) windhcp.Part {
	part := windhcp.Unread()
	part.Reservations = listOf(s.reservations, s.reservationsFail)
	part.Exclusions = listOf(s.exclusions, s.exclusionsFail)
	if all {
		part.Leases = listOf(s.leases, s.leasesFail)
		part.Options = listOf(s.options, s.optionsFail)
		if s.malformed && !s.leasesFail {
			part.Leases.Malformed = []string{"lease without an address"}
		}
	}
	return part
}

func (w *world) copyNetBox() *state.State {
	nb := *w.nb
	nb.Prefixes, nb.Ranges = slices.Clone(nb.Prefixes), slices.Clone(nb.Ranges)
	nb.Addresses, nb.Contexts = slices.Clone(nb.Addresses), slices.Clone(nb.Contexts)
	for i := range nb.Addresses {
		nb.Addresses[i].Tags = slices.Clone(nb.Addresses[i].Tags)
	}
	return &nb
}

// apply carries out a plan. The first step that NetBox or a server would
// refuse, or that no longer fits, is an error.
func (w *world) apply(p *plan.Plan) error {
	phase := plan.Phase(0)
	w.refused = 0
	held := make(map[string]bool) // server and client id that a refused change did not set free
	for i := range p.Steps {
		s := &p.Steps[i]
		if s.Phase < phase {
			return fmt.Errorf("step %d (%s) comes after phase %d", i, s.Name, phase)
		}
		phase = s.Phase
		if s.Rule == "" || s.Why == "" {
			return fmt.Errorf("step %d (%s) has no reason", i, s.Name)
		}
		do := w.onNetBox
		if s.Target != plan.NetBox {
			do = w.onServer
		}
		err := do(s)
		if errors.Is(err, errAmbiguous) && !w.everythingRead {
			w.refused++
			for _, c := range slices.Concat(s.Changes, s.Observed) {
				if c.Field == "client_id" {
					held[s.Target+" "+textOf(c.Old)] = true
				}
			}
			continue
		}
		if errors.Is(err, errReserved) && held[s.Target+" "+textOf(newValues(s)["client_id"])] {
			w.refused++
			continue
		}
		if err != nil {
			return fmt.Errorf("step %d: %s %s %s (%s): %w", i, s.Action, s.Kind, s.Name, s.Rule, err)
		}
	}
	w.memory, w.record = p.Memory, w.record+1
	return nil
}

func (w *world) onNetBox(s *plan.Step) error {
	switch s.Kind {
	case state.IPAddress:
		return w.changeAddress(s)
	case state.IPRange:
		return w.changeRange(s)
	case state.IPPrefix:
		return w.changePrefix(s)
	case state.ConfigContext:
		return w.changeContext(s)
	}
	return fmt.Errorf("NetBox has no %s", s.Kind)
}

// edit finds an object, checks what the step rests on and hands its fields out.
func edit[T any](s *plan.Step, list *[]T, id func(*T) int64, view func(*T) map[string]any) (*T, map[string]any, error) {
	if s.Action == state.Create {
		if s.ID != 0 || len(s.Observed) > 0 {
			return nil, nil, errors.New("a create with an id or something observed")
		}
		return new(T), make(map[string]any), nil
	}
	for i := range *list {
		x := &(*list)[i]
		if id(x) != s.ID {
			continue
		}
		fields := view(x)
		for _, c := range slices.Concat(s.Changes, s.Observed) {
			if have, known := fields[c.Field]; !known || !plan.SameValue(have, c.Old) {
				return nil, nil, fmt.Errorf("%s is %v, not %v", c.Field, have, c.Old)
			}
		}
		if s.Action == state.Delete {
			gone := *x
			*list = slices.Delete(*list, i, i+1)
			x = &gone
		}
		return x, fields, nil
	}
	return nil, nil, fmt.Errorf("no object %d", s.ID)
}

var dnsNameFits = regexp.MustCompile(`^([0-9A-Za-z_-]+|\*)(\.[0-9A-Za-z_-]+)*\.?$`)

func addressView(x *state.Address) map[string]any {
	v := map[string]any{
		"address": x.Address.String(), "vrf": number(x.VRF), "tenant": number(x.Tenant), "status": x.Status, "dns_name": x.DNSName, "description": x.Description,
		"custom_fields.dhcp_client_id": orNull(x.ClientID), "custom_fields.dhcp_managed": orNull(string(x.Managed)), "custom_fields.dhcp_lease_hostname": orNull(x.LeaseHostname),
		"custom_fields.dhcp_lease_active": nil, "custom_fields.dhcp_lease_expires": nil, "assigned_object_id": orNull(x.InUse),
	}
	if x.LeaseActive != nil {
		v["custom_fields.dhcp_lease_active"] = *x.LeaseActive
	}
	if !x.LeaseExpires.IsZero() {
		v["custom_fields.dhcp_lease_expires"] = x.LeaseExpires.UTC().Format(time.RFC3339)
	}
	return v
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func number(n int64) any {
	if n == 0 {
		return nil
	}
	return n
}

func (w *world) changeAddress(s *plan.Step) error {
	x, _, err := edit(s, &w.nb.Addresses, func(x *state.Address) int64 { return x.ID }, addressView)
	if err == nil && s.Action == state.Delete {
		w.record++
		w.log = append(w.log, state.Deletion{Mark: state.Mark{Record: w.record, Time: w.now}, Kind: state.IPAddress, Object: x.ID, Message: plan.MessagePrefix + "run",
			Address: state.Address{ID: x.ID, Address: x.Address, VRF: x.VRF, ClientID: x.ClientID}})
	}
	if err != nil || s.Action == state.Delete {
		return err
	}
	if err := w.setAddress(x, s); err != nil {
		return err
	}
	for _, tag := range slices.Concat(s.AddTags, s.RemoveTags) {
		if tag != state.TagInvalid || w.nb.Tags[tag] == 0 {
			return fmt.Errorf("tag %s is not the mirror's, or not there", tag)
		}
	}
	x.Tags = slices.DeleteFunc(slices.Concat(x.Tags, s.AddTags), func(t string) bool { return slices.Contains(s.RemoveTags, t) })
	slices.Sort(x.Tags)
	if s.Action != state.Create {
		return nil
	}
	for _, r := range w.nb.Ranges {
		if r.Populated && r.VRF == x.VRF && r.Start.Compare(x.Address.Addr()) <= 0 && x.Address.Addr().Compare(r.End) <= 0 {
			return errors.New("400: cannot create IP address inside a populated range")
		}
	}
	w.addAddress(*x)
	return nil
}

func (w *world) setAddress(x *state.Address, s *plan.Step) error {
	for _, c := range s.Changes {
		str, _ := c.New.(string)
		switch field := c.Field; {
		case strings.HasPrefix(field, "custom_fields.") && !w.nb.HasField(state.IPAddress, strings.TrimPrefix(field, "custom_fields.")):
			return fmt.Errorf("400: no custom field %s", field)
		case field == "address" && s.Action == state.Create:
			x.Address = netip.MustParsePrefix(str)
		case field == "vrf" && (s.Action == state.Create || x.VRF == 0):
			x.VRF, _ = c.New.(int64)
		case field == "tenant" && (s.Action == state.Create || x.Tenant == 0):
			x.Tenant, _ = c.New.(int64)
		case field == "status" && slices.Contains(w.nb.Statuses, str):
			x.Status = str
		case field == "dns_name" && (str == "" || dnsNameFits.MatchString(str) && len(str) <= 255 && str == strings.ToLower(str)):
			x.DNSName = str
		case field == "description" && len([]rune(str)) <= 200:
			x.Description = str
		case field == "custom_fields.dhcp_client_id" && str != "":
			x.ClientID = str
		case field == "custom_fields.dhcp_managed" && str != "":
			x.Managed = state.Managed(str)
		case field == "custom_fields.dhcp_lease_hostname":
			x.LeaseHostname = str
		case field == "custom_fields.dhcp_lease_active":
			active := c.New.(bool)
			x.LeaseActive = &active
		case field == "custom_fields.dhcp_lease_expires":
			x.LeaseExpires, _ = time.Parse(time.RFC3339, str)
		default:
			return fmt.Errorf("%s cannot become %v", field, c.New)
		}
	}
	return nil
}

func rangeView(r *state.Range) map[string]any {
	return map[string]any{
		"start_address": fmt.Sprintf("%s/%d", r.Start, r.Bits), "end_address": fmt.Sprintf("%s/%d", r.End, r.Bits), "description": r.Description,
		"custom_fields.dhcp_scope_name": orNull(r.ScopeName), "custom_fields.dhcp_server": orNull(r.Server), "custom_fields.dhcp_failover": orNull(r.Failover),
		"custom_fields.dhcp_router": orNull(r.Router), "custom_fields.dhcp_lease_seconds": number(r.LeaseSeconds), "custom_fields.dhcp_lease_display": orNull(r.LeaseDisplay),
		"custom_fields.dhcp_scope_state": orNull(r.ScopeState), "custom_fields.dhcp_exclusions": jsonOrNull(r.Exclusions),
		"custom_fields.dhcp_options": jsonOrNull(r.Options), "custom_fields.dhcp_other_sources": jsonOrNull(r.OtherSources), "role": orNull(r.Role),
	}
}

func jsonOrNull(raw json.RawMessage) any {
	if len(raw) == 0 {
		return nil
	}
	return raw
}

func (w *world) changeRange(s *plan.Step) error {
	r, _, err := edit(s, &w.nb.Ranges, func(r *state.Range) int64 { return r.ID }, rangeView)
	if err == nil && s.Action == state.Delete {
		w.record++
		w.log = append(w.log, state.Deletion{Mark: state.Mark{Record: w.record, Time: w.now}, Kind: state.IPRange, Object: r.ID, Message: plan.MessagePrefix + "run", Range: *r})
	}
	if err != nil || s.Action == state.Delete {
		return err
	}
	if s.Action == state.Create {
		r.ID = w.id()
	}
	setRange(r, s.Changes)
	for _, tag := range s.AddTags {
		if tag != state.TagScope {
			return fmt.Errorf("tag %s is not the mirror's", tag)
		}
		r.Tags = append(r.Tags, tag)
	}
	if r.End.Less(r.Start) || !r.Start.IsValid() {
		return fmt.Errorf("400: %s-%s is no range", r.Start, r.End)
	}
	for _, o := range w.nb.Ranges {
		if o.ID != r.ID && o.VRF == r.VRF && o.Start.Compare(r.End) <= 0 && r.Start.Compare(o.End) <= 0 {
			return fmt.Errorf("400: defined addresses overlap with range %s-%s", o.Start, o.End)
		}
	}
	if s.Action == state.Create {
		w.nb.Ranges = append(w.nb.Ranges, *r)
	}
	return nil
}

func setRange(r *state.Range, changes []plan.Change) {
	for _, c := range changes {
		str, _ := c.New.(string)
		raw, _ := c.New.(json.RawMessage)
		switch c.Field {
		case "start_address":
			p := netip.MustParsePrefix(str)
			r.Start, r.Bits = p.Addr(), p.Bits()
		case "end_address":
			r.End = netip.MustParsePrefix(str).Addr()
		case "vrf":
			r.VRF, _ = c.New.(int64)
		case "role":
			r.Role = state.RoleScope
		case "status":
			r.Status = str
		case "description":
			r.Description = str
		case "custom_fields.dhcp_scope_name":
			r.ScopeName = str
		case "custom_fields.dhcp_server":
			r.Server = str
		case "custom_fields.dhcp_failover":
			r.Failover = str
		case "custom_fields.dhcp_router":
			r.Router = str
		case "custom_fields.dhcp_lease_seconds":
			r.LeaseSeconds, _ = c.New.(int64)
		case "custom_fields.dhcp_lease_display":
			r.LeaseDisplay = str
		case "custom_fields.dhcp_scope_state":
			r.ScopeState = str
		case "custom_fields.dhcp_exclusions":
			r.Exclusions = raw
		case "custom_fields.dhcp_options":
			r.Options = raw
		case "custom_fields.dhcp_other_sources":
			r.OtherSources = raw
		default:
			panic("no field " + c.Field)
		}
	}
}

func (w *world) changePrefix(s *plan.Step) error {
	p, _, err := edit(s, &w.nb.Prefixes, func(p *state.Prefix) int64 { return p.ID }, func(p *state.Prefix) map[string]any {
		return map[string]any{"custom_fields.dhcp_scopes": orNull(p.Scopes)}
	})
	if err != nil {
		return err
	}
	if s.Action == state.Delete {
		return errors.New("a prefix is never deleted")
	}
	for _, c := range s.Changes {
		str, _ := c.New.(string)
		switch c.Field {
		case "prefix":
			p.Prefix = netip.MustParsePrefix(str)
		case "vrf":
			p.VRF, _ = c.New.(int64)
		case "status":
			p.Status = str
		case "custom_fields.dhcp_scopes":
			p.Scopes = str
		default:
			return fmt.Errorf("%s is not the mirror's", c.Field)
		}
	}
	if s.Action == state.Create {
		p.ID = w.id()
		w.nb.Prefixes = append(w.nb.Prefixes, *p)
	}
	return nil
}

func (w *world) changeContext(s *plan.Step) error {
	c, _, err := edit(s, &w.nb.Contexts, func(c *state.Context) int64 { return c.ID }, func(c *state.Context) map[string]any {
		return map[string]any{"data": c.Data}
	})
	switch {
	case err != nil:
		return err
	case s.Action == state.Delete:
		return errors.New("a context is never deleted")
	}
	for _, x := range s.Changes {
		switch x.Field {
		case "name":
			c.Name = x.New.(string)
		case "is_active":
			c.Active = x.New.(bool)
		case "data":
			c.Data = x.New.(json.RawMessage)
		}
	}
	if s.Action == state.Create {
		c.ID = w.id()
		w.nb.Contexts = append(w.nb.Contexts, *c)
	}
	return nil
}
