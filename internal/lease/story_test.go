package lease

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// Random stories of clients, operators, restarts and failing disks, told beside
// a model that knows nothing but what was promised to whom.
func TestStories(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := newStory(t, rt)
		rt.Repeat(map[string]func(*rapid.T){
			"":               s.check,
			"discover":       s.discover,
			"select":         s.accept,
			"reboot":         s.reboot,
			"renew":          s.renew,
			"rebind":         s.rebind,
			"release":        s.release,
			"decline":        s.decline,
			"crowd":          s.crowd,
			"time passes":    s.timePasses,
			"clock is set":   s.clockIsSet,
			"poll":           s.poll,
			"tell NetBox":    s.tellNetBox,
			"retag":          s.retag,
			"assign":         s.assign,
			"vanish":         s.vanish,
			"quarantines":    s.quarantines,
			"empty record":   s.emptyRecord,
			"foreign server": s.foreignServer,
			"restart":        s.restart,
			"identify":       s.identify,
			"store is lost":  s.loseStore,
		})
	})
}

// speaker is software on a machine, by what it sends: firmware without an
// identifier, a loader, a system, a container.
type speaker struct {
	mac  ClientID
	sent string // option 61
}

// says makes a message of the speaker.
func (c speaker) says(kind MessageType, fields ...field) ClientMessage {
	return message(kind, c.mac, append(fields, sends(c.sent))...)
}

// promise is what an ACK said: until is by time that runs, which clients go by.
type promise struct {
	client ClientID // by the settings of now
	by     speaker  // who has it
	until  time.Time
	// untold says that a lost store took all knowledge of it with it, short that
	// what is known of it ends too early.
	untold, short bool
}

type story struct {
	*rig
	crowded   bool      // messages are in flight together
	flying    []sent    // those that rest on changes
	now       time.Time // of the server's clock
	runs      time.Time // what its clock would be if it had never been set
	setups    []setup
	netbox    *ipam.Objects // as it is now; the engine sees it at a poll
	seen      *ipam.Snapshot
	clock     time.Time // of NetBox's rows
	hosts     []netip.Addr
	port      ipam.InterfaceID // of web
	clients   []speaker
	byID      bool // the settings of now: lease.identify
	probes    int
	offers    map[ClientID]netip.Addr
	promises  map[netip.Addr]promise
	restSince map[netip.Addr]time.Time // when the last quarantine began, by time that runs
	foreign   bool                     // a foreign server has given something away
}

func newStory(t *testing.T, rt *rapid.T) *story {
	s := &story{
		// Two prefixes share a wire, and one has a block that only documents.
		netbox: newWorld(prefixOn(5, site(1), "10.0.0.0/24"), prefixOn(5, site(1), "10.20.0.0/24"), prefix("10.0.0.0/28"),
			address("10.0.0.1/24", gateway()), address("10.20.0.1/24", gateway()),
			dynamic("10.0.0.10-10.0.0.13/24"), dynamic("10.20.0.14-10.20.0.15/24"),
			device("web1", port("eth0", string(web)))),
		now:   start,
		runs:  start,
		clock: start,
		clients: []speaker{
			{mac: alice}, {alice, loader}, {alice, duid}, {alice, boxA}, {alice, boxB}, {mac: bob}, {bob, "\x00box of bob"}, {mac: carol},
			{mac: web}, {web, "\x01\x52\x54\x00\x00\x00\xeb"}, {web, "\xffweb \x00\x02\x00\x00\xab\x11"}, {nth(1), "free text"},
		},
		offers:    make(map[ClientID]netip.Addr),
		promises:  make(map[netip.Addr]promise),
		restSince: make(map[netip.Addr]time.Time),
	}
	for i := range 4 {
		s.hosts = append(s.hosts, netip.AddrFrom4([4]byte{10, 0, 0, byte(10 + i)}))
	}
	s.hosts = append(s.hosts, netip.MustParseAddr("10.20.0.14"), netip.MustParseAddr("10.20.0.15"))
	for id := range s.netbox.Interfaces {
		s.port = id
	}
	grace := rapid.SampledFrom([]time.Duration{0, 10 * time.Second}).Draw(rt, "grace")
	pick := rapid.SampledFrom([]Pick{Lowest, Hash}).Draw(rt, "pick")
	s.byID = rapid.Bool().Draw(rt, "by identifier")
	s.setups = []setup{policy(func(p *Policy) {
		p.MinTime, p.DeclineTime, p.ReclaimGrace, p.Pick, p.ByIdentifier = time.Minute, time.Hour, grace, pick, s.byID
	}), func(c *Config) {
		c.Store, c.ProbeWait, c.Probe = nil, 0, s.echo // the store comes by Attach, as that of a server does
		c.Now = func() time.Time { return s.now }
		c.Clock = Clock{Steady: func(time.Time) time.Duration { return s.runs.Sub(start) }, Synced: func() bool { return true }}
	}}
	s.seen, _ = ipam.Build(s.netbox, worldOptions)
	s.begin(t, newMemStore(), Kept{}, Facts{Fresh: s.now, Authority: rapid.SampledFrom([]Authority{Authoritative, Own, Off}).Draw(rt, "authority")})
	return s
}

// begin is a start of the server with what it finds: a store and a copy.
func (s *story) begin(t testing.TB, store *memStore, kept Kept, before Facts) {
	s.rig = newRig(t, store, s.seen, s.setups...)
	s.SetAuthority(before.Authority)
	s.Confirm(before.Fresh, before.Skew)
	s.Restore(kept)
	if err := s.Attach(t.Context(), store); err != nil {
		t.Fatal(err)
	}
	clear(s.offers)
}

// echo is answered where a client has an address.
func (s *story) echo(_ context.Context, addr netip.Addr, _ time.Duration) (bool, error) {
	s.probes++
	return s.promises[addr].until.After(s.runs), nil
}

// key is the client that c is by the settings of now.
func (s *story) key(c speaker) ClientID {
	m := c.says(Discover)
	return s.config.Policy.identified(&m).Client
}

// address finds the row of a host.
func (s *story) address(host netip.Addr) *ipam.Address {
	for _, a := range s.netbox.Addresses {
		if a.Address.Addr() == host {
			return a
		}
	}
	return nil
}

// edit changes a row of NetBox, whose objects never change in place.
func (s *story) edit(host netip.Addr, change edit) time.Time {
	a := *s.address(host)
	s.clock = s.clock.Add(time.Microsecond)
	a.LastUpdated = s.clock
	change(&a)
	s.netbox.Addresses = maps.Clone(s.netbox.Addresses)
	s.netbox.Addresses[a.ID] = &a
	return s.clock
}

func (s *story) client(t *rapid.T) speaker { return rapid.SampledFrom(s.clients).Draw(t, "client") }
func (s *story) host(t *rapid.T) string {
	return rapid.SampledFrom(s.hosts).Draw(t, "host").String()
}

// mine is most often an address of the client, else any.
func (s *story) mine(t *rapid.T, c speaker) string {
	for _, host := range s.hosts {
		if s.promises[host].by == c && rapid.IntRange(0, 9).Draw(t, "stray") > 0 {
			return host.String()
		}
	}
	return s.host(t)
}

func (s *story) discover(t *rapid.T) {
	c := s.client(t)
	m := c.says(Discover, s.way(t))
	if rapid.Bool().Draw(t, "wish") {
		m.RequestedAddr = netip.MustParseAddr(s.host(t))
	}
	d := s.send(t, m)
	switch {
	case d.Verdict == Offer:
		s.offers[s.key(c)] = d.Addr.Addr()
		if accepted, trace := s.Explain(c.selects(d.Addr.Addr(), via(m.Relay.String()))); accepted.Verdict != Ack {
			t.Fatalf("%q was offered %s, which it may not have: %s\n%s", c, d.Addr, brief(accepted), trace)
		}
	case d.Reason == ReasonPoolEmpty:
		for _, host := range s.hosts {
			if s.ofMAC(c, host) {
				continue // it did not ask for that address (I-12)
			}
			if accepted, trace := s.Explain(c.selects(host)); accepted.Verdict == Ack && accepted.Reason != ReasonTakenAway && accepted.Reason != ReasonForeign {
				_, why := s.Explain(m)
				t.Fatalf("%q was offered nothing, but may have %s: %s\n%s\nit was offered nothing, since:\n%s", c, host, brief(accepted), trace, why)
			}
		}
	}
}

// selects is what c sends to accept an offer of host.
func (c speaker) selects(host netip.Addr, fields ...field) ClientMessage {
	return c.says(Request, append([]field{to(serverAddr), wants(host.String())}, fields...)...)
}

// ofMAC reports whether what is known at host is a lease of the MAC of c, which is
// told by its identifier.
func (s *story) ofMAC(c speaker, host netip.Addr) bool {
	return s.key(c) != c.mac && s.facts.Leases.binding(s.seen.Address(0, host), s.now).Client == c.mac
}

func (s *story) accept(t *rapid.T) {
	c := s.client(t)
	host := s.host(t)
	if offered, ok := s.offers[s.key(c)]; ok && rapid.IntRange(0, 9).Draw(t, "stray") > 0 {
		host = offered.String()
	}
	s.send(t, c.selects(netip.MustParseAddr(host), s.way(t), s.wish(t)))
}

// way is the way a message comes: a relay uses either of its addresses.
func (s *story) way(t *rapid.T) field {
	return via(rapid.SampledFrom([]string{"10.0.0.1", "10.0.0.1", "10.20.0.1"}).Draw(t, "relay"))
}

func (s *story) wish(t *rapid.T) field {
	return asking(rapid.SampledFrom([]time.Duration{0, time.Minute, 61 * time.Second, 3 * time.Hour}).Draw(t, "time"))
}

func (s *story) reboot(t *rapid.T) {
	c := s.client(t)
	s.send(t, c.says(Request, wants(s.mine(t, c)), s.way(t), s.wish(t)))
}

func (s *story) renew(t *rapid.T) {
	c := s.client(t)
	s.send(t, c.says(Request, has(s.mine(t, c)), unicast(), s.wish(t)))
}

func (s *story) rebind(t *rapid.T) {
	c := s.client(t)
	s.send(t, c.says(Request, has(s.mine(t, c)), s.way(t), s.wish(t)))
}

func (s *story) release(t *rapid.T) {
	c := s.client(t)
	forged, who := s.forged(t)
	m := c.says(Release, has(s.mine(t, c)), who)
	d := s.send(t, m)
	if forged && d.Verdict != Silent {
		t.Fatalf("a forged RELEASE: %s", brief(d))
	}
	s.gone(t, c, m.ClientAddr, forged, d)
}

// gone ends the promise of a client that gave an address back, heard or not.
func (s *story) gone(t *rapid.T, c speaker, host netip.Addr, forged bool, d Decision) {
	p, ok := s.promises[host]
	if ok && d.Verdict == Taken && !s.takes(c, p) {
		t.Fatalf("%q gave back %s, which %s has until %s", c, host, p.client, p.until)
	}
	if !forged && (p.client == s.key(c) || p.client == c.mac) || d.Verdict == Taken {
		delete(s.promises, host)
	}
}

// takes reports whether c has what was promised, or takes it over from its MAC
// (I-12). What no store and no record tells cannot be kept from it.
func (s *story) takes(c speaker, p promise) bool {
	return p.untold || p.client == s.key(c) || p.client == c.mac
}

func (s *story) decline(t *rapid.T) {
	c := s.client(t)
	forged, who := s.forged(t)
	m := c.says(Decline, wants(s.mine(t, c)), who)
	d := s.send(t, m)
	if forged && d.Verdict != Silent {
		t.Fatalf("a forged DECLINE: %s", brief(d))
	}
	if d.Verdict == Taken {
		s.restSince[m.RequestedAddr] = s.runs
	}
	s.gone(t, c, m.RequestedAddr, forged, d)
}

// forged says who sends a message in the name of a client: now and then a stranger,
// whose packet must not take anything from the client (D-31, D-32).
func (s *story) forged(t *rapid.T) (bool, field) {
	if rapid.IntRange(0, 2).Draw(t, "forged") == 0 {
		return true, from("203.0.113.6")
	}
	return false, func(*ClientMessage) {}
}

func (s *story) timePasses(t *rapid.T) {
	passes := rapid.SampledFrom([]time.Duration{
		300 * time.Millisecond, time.Second, 11 * time.Second, 59*time.Second + 700*time.Millisecond, time.Minute, 10 * time.Minute, time.Hour, 5 * time.Hour, 13 * time.Hour,
	}).Draw(t, "passes")
	s.now, s.runs = s.now.Add(passes), s.runs.Add(passes)
}

// clockIsSet moves the clock either way, which no promise depends on; not back
// once a foreign server, whose clock is another one, took what had ended by ours.
func (s *story) clockIsSet(t *rapid.T) {
	by := rapid.SampledFrom([]time.Duration{-time.Hour, -time.Second, time.Second, time.Hour, 25 * time.Hour}).Draw(t, "by")
	if by > 0 || !s.foreign {
		s.now = s.now.Add(by)
		s.noteClock(s.t.Context())
	}
}

func (s *story) poll(t *rapid.T) {
	objects := *s.netbox
	s.seen, _ = ipam.Build(&objects, worldOptions)
	s.SetSnapshot(s.seen)
	s.Confirm(s.now, rapid.SampledFrom([]time.Duration{0, 0, 0, time.Hour}).Draw(t, "skew"))
}

// tellNetBox writes back. A running lease that a foreign server wrote is kept (S-12);
// of the same client, if it ends later (S-5).
func (s *story) tellNetBox(t *rapid.T) {
	queue := s.Unsynced(-1)
	slices.SortFunc(queue, func(a, b Lease) int { return a.Addr.Compare(b.Addr) }) // a start reads it in any order
	for _, l := range queue[:min(len(queue), rapid.IntRange(1, 4).Draw(t, "many"))] {
		var at time.Time // zero: there is no row to show it
		if a := s.address(l.Addr); s.seen.IsDynamic(a) {
			r := a.Record
			foreign := l.Foreign(ClientID(r.Client), r.Expires, a.LastUpdated) || l.Outlived(ClientID(r.Client), r.Expires, a.LastUpdated)
			if r.Client != "" && foreign && (s.Running(r.Expires) || !r.Expires.IsZero() && s.ReclaimPause() > 0) {
				continue
			}
			at = s.edit(l.Addr, func(a *ipam.Address) {
				a.Record = ipam.Record{Client: string(l.Shown()), Expires: l.Expires, Hostname: l.Hostname}
			})
		}
		current := s.current()
		if err := s.Synced(s.t.Context(), l, at); err != nil && current {
			t.Fatal(err)
		}
	}
}

// retag takes the dynamic tag off an address, or puts it on again.
func (s *story) retag(t *rapid.T) {
	s.edit(rapid.SampledFrom(s.hosts).Draw(t, "host"), func(a *ipam.Address) {
		if len(a.Tags) > 0 {
			a.Tags = nil
		} else {
			a.Tags = []int64{tagDynamic}
		}
	})
}

// assign gives an address to web, as static or reserved one, or takes it away.
func (s *story) assign(t *rapid.T) {
	s.edit(rapid.SampledFrom(s.hosts).Draw(t, "host"), func(a *ipam.Address) {
		if a.Interface == s.port {
			a.Interface = ipam.InterfaceID{}
		} else {
			a.Interface = s.port
		}
	})
}

// vanish hides a row from NetBox, or shows it again (T-1).
func (s *story) vanish(t *rapid.T) {
	s.edit(rapid.SampledFrom(s.hosts).Draw(t, "host"), func(a *ipam.Address) {
		if a.Loss == ipam.Present {
			a.Loss = ipam.Lost
		} else {
			a.Loss = ipam.Present
		}
	})
}

// quarantines lets those of the clients' addresses be looked at that rest; a host
// is there or not, and the store may fail. Nothing wakes within ten minutes.
func (s *story) quarantines(t *rapid.T) {
	answers := rapid.Bool().Draw(t, "answers")
	s.config.ARP = func(context.Context, netip.Addr) (bool, error) { return answers, nil }
	defer func() { s.config.ARP = nil }()
	if rapid.IntRange(0, 4).Draw(t, "fails") == 0 {
		s.store.before = func(Lease) error { return errDisk }
		defer func() { s.store.before = nil }()
	}
	before := s.store.all()
	s.lookAtQuarantine(s.t.Context())
	for _, was := range before {
		is := s.store.get(was.Addr.String())
		if is.State != was.State && (was.State != Quarantined || answers || s.runs.Sub(s.restSince[was.Addr]) < minRest) {
			t.Fatalf("%s, at rest since %s, is %s now and was %s", was.Addr, s.restSince[was.Addr], is.State, was.State)
		}
	}
}

// emptyRecord is an operator who ends a binding by hand (S-5).
func (s *story) emptyRecord(t *rapid.T) {
	host := rapid.SampledFrom(s.hosts).Draw(t, "host")
	s.edit(host, func(a *ipam.Address) { a.Record = ipam.Record{} })
	delete(s.promises, host)
}

// foreignServer gives a free address away without our store, but tells NetBox,
// and we hear of it at once. Its clock makes no steps.
func (s *story) foreignServer(t *rapid.T) {
	host := rapid.SampledFrom(s.hosts).Draw(t, "host")
	stored := s.store.get(host.String())
	if !s.current() || s.promises[host].client != "" || stored.Client != "" && stored.State != Released && stored.Expires.After(s.now.Add(-s.facts.Jump)) {
		return
	}
	ends := s.now.Add(time.Hour).Truncate(time.Second)
	c := s.client(t)
	p := promise{client: c.mac, by: c, until: s.runs.Add(ends.Sub(s.now))}
	if stored.State == Released && stored.Shown() == p.client && (stored.Unsynced || stored.SyncedAt.IsZero()) {
		return // its record cannot be told from the one that was released
	}
	s.edit(host, func(a *ipam.Address) { a.Record = ipam.Record{Client: string(p.client), Expires: ends} })
	s.promises[host], s.foreign = p, true
	s.poll(t)
}

// restart loses everything but the store; a client that has a lease still has it.
func (s *story) restart(t *rapid.T) {
	type answer struct {
		verdict Verdict
		addr    netip.Prefix
	}
	claimed, steady := false, s.lookAtClock(s.now) // the host itself claims its address anew by its next renewal (I-14)
	for _, until := range s.facts.Leases.claims.all() {
		claimed = claimed || until.After(steady)
	}
	ask := func() map[netip.Addr]answer {
		answers := make(map[netip.Addr]answer)
		for host, p := range s.promises {
			if !p.short && (!claimed || p.by.mac != web) {
				d, _ := s.Explain(p.by.says(Request, wants(host.String())))
				answers[host] = answer{d.Verdict, d.Addr}
			}
		}
		return answers
	}
	before, facts := ask(), s.facts
	unread := len(s.facts.Leases.unread) > 0 // a start reads what the store did not tell, which may free an address
	s.begin(s.t, s.store, Kept{}, facts)
	after := ask()
	for host, a := range after { // how far the clock was set is not known any more (S-14)
		if s.facts.Distrusted && (a.verdict == Silent || a.verdict == Ack && before[host].verdict != Ack) {
			after[host] = before[host]
		}
	}
	if !unread && !maps.Equal(before, after) {
		t.Fatalf("before the restart %v, after it %v", before, after)
	}
}

// identify is a restart with another lease.identify. Leases that were given by MAC
// are those of the identifier that asks for them, and leases of identifiers those of
// their MAC (I-12).
func (s *story) identify(*rapid.T) {
	s.byID = !s.byID
	for host, p := range s.promises {
		switch stored := s.store.get(host.String()); {
		case !s.byID:
			p.client = p.by.mac
		case stored.Hardware == p.client && stored.State == Bound: // no longer only that of the MAC
			p.client = stored.Client
		}
		s.promises[host] = p
	}
	s.begin(s.t, s.store, Kept{}, s.facts)
}

// loseStore is a restart with an empty store. What NetBox shows of leases is left,
// what the clients know, and perhaps a second copy (H-6, H-10).
func (s *story) loseStore(t *rapid.T) {
	s.poll(t)
	var kept Kept
	if s.current() && rapid.Bool().Draw(t, "copy") {
		kept, _ = s.Keep()
	}
	if len(kept.Leases) == 0 && !recordsLeases(s.seen) {
		clear(s.promises) // nothing tells that it is no first start
	}
	for host, p := range s.promises {
		ends, record := time.Time{}, s.seen.Address(0, host).Record // when by what is left
		copied := slices.IndexFunc(kept.Leases, func(l Lease) bool { return l.Addr == host && s.facts.Leases.clientOf(l) == p.client })
		switch {
		case copied >= 0:
			ends = kept.Leases[copied].Expires
		case record.Client == string(p.by.mac):
			ends, p.client = record.Expires, p.by.mac
		default:
			p.untold = true
		}
		p.short = ends.Sub(s.now) < p.until.Sub(s.runs)
		s.promises[host] = p
	}
	s.begin(s.t, newMemStore(), kept, s.facts)
}
