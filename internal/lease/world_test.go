package lease

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// start is when the tests begin; half a second in, since leases are kept in
// whole ones.
var start = time.Date(2026, 5, 1, 12, 0, 0, 500_000_000, time.UTC)

// part is something in NetBox.
type part func(*world)

// world collects the tables of a small NetBox.
type world struct {
	o    *ipam.Objects
	next int64
	late []func() // what names parts that may come later
	// ranges says that several dynamic addresses are a range without objects.
	ranges bool
}

const (
	tagDynamic int64 = 1
	tagGateway int64 = 2
)

var worldOptions = ipam.Options{DynamicTag: "DHCP", GatewayTag: "Gateway"}

// listed are worldOptions with network.relays.
func listed(relays ...string) ipam.Options {
	opt := worldOptions
	for _, r := range relays {
		opt.Relays = append(opt.Relays, netip.MustParsePrefix(r))
	}
	return opt
}

// everyRelay lists all addresses, for worlds whose relays are somewhere else.
var everyRelay = listed("0.0.0.0/0")

func newWorld(parts ...part) *ipam.Objects {
	w := &world{o: &ipam.Objects{
		VRFs: map[int64]*ipam.VRF{
			11: {ID: 11, Name: "blue", RD: "65000:11"},
			12: {ID: 12, Name: "red", RD: "65000:12"},
		},
		Prefixes:   map[int64]*ipam.Prefix{},
		Ranges:     map[int64]*ipam.Range{},
		Addresses:  map[int64]*ipam.Address{},
		MACs:       map[int64]*ipam.MACAddress{},
		Interfaces: map[ipam.InterfaceID]*ipam.Interface{},
		Machines:   map[ipam.MachineID]*ipam.Machine{},
		Locations:  map[int64]*ipam.Location{},
		Tags: map[int64]*ipam.Tag{
			tagDynamic: {ID: tagDynamic, Name: "DHCP", Slug: "dhcp"},
			tagGateway: {ID: tagGateway, Name: "Gateway", Slug: "gateway"},
		},
	}}
	for _, p := range parts {
		p(w)
	}
	for _, link := range w.late {
		link()
	}
	return w.o
}

// snapshot builds the snapshot of a small NetBox.
func snapshot(t testing.TB, opt ipam.Options, parts ...part) *ipam.Snapshot {
	t.Helper()
	s, problems := ipam.Build(newWorld(parts...), opt)
	for _, p := range problems {
		t.Logf("problem: %s", p)
	}
	return s
}

func (w *world) id() int64 {
	w.next++
	return w.next
}

// vrfID finds a VRF of the world: "" is the global table.
func vrfID(name string) int64 { return map[string]int64{"": 0, "blue": 11, "red": 12}[name] }

// prefix is an active prefix in the global table, or in the VRF named.
func prefix(cidr string, vrf ...string) part { return prefixWith("active", cidr, vrf...) }

func prefixWith(status, cidr string, vrf ...string) part {
	return func(w *world) {
		id := w.id()
		w.o.Prefixes[id] = &ipam.Prefix{ID: id, Prefix: netip.MustParsePrefix(cidr), Status: status, VRF: vrfID(strings.Join(vrf, ""))}
	}
}

// site and location are places that exist in the world by number alone.
func site(id int64) ipam.Scope { return ipam.Scope{Kind: ipam.ScopeSite, ID: id} }

// room is location n, which lies in site n.
func room(n int64) ipam.Scope { return ipam.Scope{Kind: ipam.ScopeLocation, ID: n} }

// prefixOn is an active prefix on a VLAN (0: none) in a place.
func prefixOn(vlan int64, place ipam.Scope, cidr string, vrf ...string) part {
	return func(w *world) {
		id := w.id()
		w.o.Prefixes[id] = &ipam.Prefix{ID: id, Prefix: netip.MustParsePrefix(cidr), Status: "active", VRF: vrfID(strings.Join(vrf, "")), VLAN: vlan, Scope: place}
		if place.Kind == ipam.ScopeLocation {
			w.o.Locations[place.ID] = &ipam.Location{ID: place.ID, Site: place.ID}
		}
	}
}

// oldCopy says that the tables come from a copy of before VLANs were kept.
func oldCopy() part { return func(w *world) { w.o.NoVLANs = true } }

// edit changes an address before it is in the world.
type edit func(*ipam.Address)

func status(s string) edit   { return func(a *ipam.Address) { a.Status = s } }
func role(s string) edit     { return func(a *ipam.Address) { a.Role = s } }
func inVRF(name string) edit { return func(a *ipam.Address) { a.VRF = vrfID(name) } }
func gateway() edit          { return func(a *ipam.Address) { a.Tags = append(a.Tags, tagGateway) } }
func tagged() edit           { return func(a *ipam.Address) { a.Tags = append(a.Tags, tagDynamic) } }
func managed() edit          { return func(a *ipam.Address) { a.Managed = true } }
func made() edit             { return func(a *ipam.Address) { a.Made = true } }
func seen(at time.Time) edit { return func(a *ipam.Address) { a.LastUpdated = at } }
func unreadable(c string) edit {
	return func(a *ipam.Address) { a.Record = ipam.Record{Client: c, Unreadable: true} }
}

// record is the mirror of a binding in NetBox that ends after a time; client
// without time: no expiry.
func record(client ClientID, left ...time.Duration) edit {
	return func(a *ipam.Address) {
		a.Record = ipam.Record{Client: string(client)}
		for _, d := range left {
			a.Record.Expires = start.Add(d).Truncate(time.Second)
		}
	}
}

// address is an IP address, active unless edited.
func address(cidr string, edits ...edit) part {
	return func(w *world) { w.address(cidr, edits...) }
}

func (w *world) address(cidr string, edits ...edit) *ipam.Address {
	a := &ipam.Address{ID: w.id(), Address: netip.MustParsePrefix(cidr), Status: "active"}
	for _, e := range edits {
		e(a)
	}
	w.o.Addresses[a.ID] = a
	return a
}

// asRanges lets the dynamic addresses that come later be ranges where they can.
func asRanges() part { return func(w *world) { w.ranges = true } }

// dynamic is one address with the dynamic tag, or with "first-last/bits" all
// from first to last.
func dynamic(span string, edits ...edit) part {
	return func(w *world) {
		first, rest, many := strings.Cut(span, "-")
		if !many {
			w.address(span, append([]edit{tagged()}, edits...)...)
			return
		}
		last := netip.MustParsePrefix(rest)
		if w.ranges && len(edits) == 0 {
			id := w.id()
			w.o.Ranges[id] = &ipam.Range{ID: id, Start: netip.MustParseAddr(first), End: last.Addr(), Bits: last.Bits(), Status: "active", Tags: []int64{tagDynamic}}
			return
		}
		for host := netip.MustParseAddr(first); host.Compare(last.Addr()) <= 0; host = host.Next() {
			w.address(fmt.Sprintf("%s/%d", host, last.Bits()), append([]edit{tagged()}, edits...)...)
		}
	}
}

// component is part of a machine.
type component func(*world, *ipam.Machine)

// machines are devices that have the MACs of clients, and no addresses.
func machines(clients ...ClientID) part {
	return func(w *world) {
		for _, c := range clients {
			device("of "+string(c), port("eth0", string(c)))(w)
		}
	}
}

// device is a device with ports.
func device(name string, components ...component) part {
	return machine(ipam.Device, name, components)
}

// virtual is a virtual machine with interfaces.
func virtual(name string, components ...component) part {
	return machine(ipam.VirtualMachine, name, components)
}

func machine(kind ipam.Kind, name string, components []component) part {
	return func(w *world) {
		m := &ipam.Machine{ID: ipam.MachineID{Kind: kind, ID: w.id()}, Name: name}
		w.o.Machines[m.ID] = m
		for _, c := range components {
			c(w, m)
		}
	}
}

// port is an interface with MACs (none where mac is empty, several with blanks
// between) and addresses.
func port(name, mac string, assigned ...assigned) component {
	return func(w *world, m *ipam.Machine) { w.port(m, name, mac, 0, assigned) }
}

// member is a port of the aggregate of the same machine named.
func member(lag, name, mac string, assigned ...assigned) component {
	return func(w *world, m *ipam.Machine) {
		for _, i := range w.o.Interfaces {
			if i.Machine == m.ID && i.Name == lag {
				w.port(m, name, mac, i.ID.ID, assigned)
				return
			}
		}
		w.port(m, name, mac, 999_999, assigned) // an aggregate that is not loaded
	}
}

func (w *world) port(m *ipam.Machine, name, macs string, lag int64, list []assigned) {
	i := &ipam.Interface{ID: ipam.InterfaceID{Kind: m.ID.Kind, ID: w.id()}, Name: name, Machine: m.ID, LAG: lag}
	w.o.Interfaces[i.ID] = i
	for text := range strings.FieldsSeq(macs) {
		mac, err := ipam.ParseMAC(text)
		if err != nil {
			panic(err)
		}
		id := w.id()
		w.o.MACs[id] = &ipam.MACAddress{ID: id, MAC: mac, Interface: i.ID}
	}
	for _, as := range list {
		as(w, m, i)
	}
}

// assigned is an address on a port.
type assigned func(*world, *ipam.Machine, *ipam.Interface)

// on is a static address.
func on(cidr string, edits ...edit) assigned {
	return func(w *world, _ *ipam.Machine, i *ipam.Interface) {
		w.address(cidr, edits...).Interface = i.ID
	}
}

// primary is a static address that is the machine's primary one.
func primary(cidr string, edits ...edit) assigned {
	return func(w *world, m *ipam.Machine, i *ipam.Interface) {
		a := w.address(cidr, edits...)
		a.Interface, m.PrimaryIP4 = i.ID, a.ID
	}
}

// bound is a lease in the store that ends after a time.
func bound(addr string, c ClientID, left time.Duration) Lease {
	return Lease{Addr: netip.MustParseAddr(addr), Client: c, State: Bound, Expires: start.Add(left).Truncate(time.Second), Unsynced: true}
}

func released(addr string, c ClientID, ago time.Duration) Lease {
	l := bound(addr, c, -ago)
	l.State = Released
	return l
}

func quarantined(addr string, left time.Duration) Lease {
	l := bound(addr, Declined, left)
	l.State = Quarantined
	return l
}

// synced says that NetBox showed the lease in a row of the time given.
func synced(l Lease, at time.Time) Lease {
	l.Unsynced, l.SyncedAt = false, at
	return l
}

func testPolicy() Policy {
	return Policy{
		LeaseTime: time.Hour, MinTime: 5 * time.Minute, MaxTime: 12 * time.Hour,
		OfferHold: time.Minute, DeclineTime: 24 * time.Hour, ReclaimGrace: 10 * time.Second,
		StaleAfter: 24 * time.Hour, AllowUnknown: true,
	}
}

// rig is an engine with its store and a clock that stands still.
type rig struct {
	*Engine
	t     testing.TB
	store *memStore
	now   time.Time

	handled atomic.Int64 // messages
}

// setup changes how a rig is made.
type setup func(*Config)

func policy(change func(*Policy)) setup { return func(c *Config) { change(&c.Policy) } }

// newRig starts an engine on a store and shows it a NetBox.
func newRig(t testing.TB, store *memStore, s *ipam.Snapshot, setups ...setup) *rig {
	t.Helper()
	r := &rig{t: t, store: store, now: start}
	log := logrus.New()
	log.SetOutput(io.Discard)
	config := Config{ProbeWait: time.Second, Policy: testPolicy(), Store: store, Now: func() time.Time { return r.now }, Log: log, WriteBack: true}
	for _, change := range setups {
		change(&config)
	}
	engine, err := NewEngine(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	r.Engine = engine
	if s != nil {
		r.SetSnapshot(s)
	}
	return r
}

// Explain decides about one message without any effect.
func (e *Engine) Explain(m ClientMessage) (Decision, *Trace) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.config.Now()
	judged := e.judged(now)
	e.facts.Leases.sweep(e.facts.Steady, judged)
	trace := new(Trace)
	return Decide(&e.facts, &m, now, trace), trace
}

// answered says that the client was just sent the address that m declines, by the
// way that m comes.
func (r *rig) answered(m ClientMessage) {
	r.facts.Leases.answered(m.Client, answer{addr: m.RequestedAddr, at: r.lookAtClock(r.config.Now()), by: way{m.Interface, m.Relay}, declinable: true})
}

// invite says that the clients were just offered something, so that they may accept
// an address (D-30).
func (r *rig) invite(clients ...ClientID) {
	for _, c := range clients {
		r.facts.Leases.answered(c, answer{at: r.lookAtClock(r.config.Now()), offered: true})
	}
}

// exhausted checks that the pool has nothing to give to the client of m, but for
// what strangers were offered and have not answered. Nothing is changed.
func (r *rig) exhausted(m ClientMessage) {
	r.t.Helper()
	d, trace := r.Explain(m)
	if d.Verdict == Silent && d.Reason == ReasonPoolEmpty {
		return
	}
	if h := r.facts.Leases.holds.at(d.Addr.Addr()); d.Verdict != Offer || !h.stranger || h.client == m.Client {
		r.t.Errorf("%s from %s: %s, want nothing but an offer of another client\n%s", m.Type, m.Client, brief(d), trace)
	}
}

// Handle is the engine's, but that every second message comes from a caller that must
// not wait: it makes no difference.
func (r *rig) Handle(ctx context.Context, m ClientMessage, trace *Trace) (Decision, error) {
	if r.handled.Add(1)%2 == 1 {
		return r.Engine.Handle(ctx, m, trace)
	}
	d, promise, err := startAt(r.Engine, &m, trace)
	for promise != nil {
		if Keep([]*Promise{promise}); promise.Kept() {
			return d, nil
		}
		d, promise, err = againWith(promise, &m, trace)
	}
	if errors.Is(err, ErrWaits) {
		return r.Engine.Handle(ctx, m, trace)
	}
	return d, err
}

// handle sends a message, which must cause no trouble.
func (r *rig) handle(m ClientMessage) Decision {
	r.t.Helper()
	explained, _ := r.Explain(m)
	trace := new(Trace)
	got, err := r.Handle(r.t.Context(), m, trace)
	if err != nil {
		r.t.Fatalf("%s from %s: %v\n%s", m.Type, m.Client, err, trace)
	}
	if explained.Verdict != got.Verdict || explained.Addr != got.Addr || explained.Rule != got.Rule || explained.Reason != got.Reason {
		r.t.Errorf("%s from %s: explained as %s, handled as %s\n%s", m.Type, m.Client, brief(explained), brief(got), trace)
	}
	return got
}

// expect sends a message and checks verdict, rule and address ("" for none).
func (r *rig) expect(m ClientMessage, want string) Decision {
	r.t.Helper()
	got := r.handle(m)
	if text := brief(got); text != want && !strings.HasPrefix(text, want+" ") {
		_, trace := r.Explain(m)
		r.t.Errorf("%s from %s: %s, want %s\nafterwards:\n%s", m.Type, m.Client, text, want, trace)
	}
	return got
}

// brief renders a decision as "ACK D-4 10.0.0.5/24 static".
func brief(d Decision) string {
	words := []string{d.Verdict.String(), d.Rule}
	if d.Addr.IsValid() {
		words = append(words, d.Addr.String())
	}
	return strings.Join(append(words, string(d.Reason)), " ")
}
