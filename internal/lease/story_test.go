package lease

import (
	"context"
	"maps"
	"net/netip"
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
		})
	})
}

// promise is what an ACK said: until is by time that runs, which clients go by.
type promise struct {
	client ClientID
	until  time.Time
}

type story struct {
	*rig
	now       time.Time // of the server's clock
	runs      time.Time // what its clock would be if it had never been set
	setups    []setup
	netbox    *ipam.Objects // as it is now; the engine sees it at a poll
	seen      *ipam.Snapshot
	clock     time.Time // of NetBox's rows
	hosts     []netip.Addr
	port      ipam.InterfaceID // of web
	clients   []ClientID
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
		now:       start,
		runs:      start,
		clock:     start,
		clients:   []ClientID{alice, bob, carol, web, nth(1)},
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
	s.setups = []setup{policy(func(p *Policy) {
		p.MinTime, p.DeclineTime, p.ReclaimGrace, p.Pick = time.Minute, time.Hour, grace, pick
	}), func(c *Config) {
		c.Now = func() time.Time { return s.now }
		c.Clock = Clock{Steady: func(time.Time) time.Duration { return s.runs.Sub(start) }, Synced: func() bool { return true }}
	}}
	s.rig = newRig(t, newMemStore(), nil, s.setups...)
	s.SetAuthority(rapid.SampledFrom([]Authority{Authoritative, Own, Off}).Draw(rt, "authority"))
	s.poll(rt)
	return s
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

func (s *story) client(t *rapid.T) ClientID { return rapid.SampledFrom(s.clients).Draw(t, "client") }
func (s *story) host(t *rapid.T) string {
	return rapid.SampledFrom(s.hosts).Draw(t, "host").String()
}

// mine is most often an address of the client, else any.
func (s *story) mine(t *rapid.T, c ClientID) string {
	for _, host := range s.hosts {
		if s.promises[host].client == c && rapid.IntRange(0, 9).Draw(t, "stray") > 0 {
			return host.String()
		}
	}
	return s.host(t)
}

func (s *story) discover(t *rapid.T) {
	c := s.client(t)
	m := discover(c, s.way(t))
	if rapid.Bool().Draw(t, "wish") {
		m.RequestedAddr = netip.MustParseAddr(s.host(t))
	}
	d := s.send(t, m)
	switch {
	case d.Verdict == Offer:
		s.offers[c] = d.Addr.Addr()
		if accepted, trace := s.Explain(selecting(c, d.Addr.Addr().String(), via(m.Relay.String()))); accepted.Verdict != Ack {
			t.Fatalf("%s was offered %s, which it may not have: %s\n%s", c, d.Addr, brief(accepted), trace)
		}
	case d.Reason == ReasonPoolEmpty:
		for _, host := range s.hosts {
			if accepted, trace := s.Explain(selecting(c, host.String())); accepted.Verdict == Ack && accepted.Reason != ReasonTakenAway && accepted.Reason != ReasonForeign {
				_, why := s.Explain(m)
				t.Fatalf("%s was offered nothing, but may have %s: %s\n%s\nit was offered nothing, since:\n%s", c, host, brief(accepted), trace, why)
			}
		}
	}
}

func (s *story) accept(t *rapid.T) {
	c := s.client(t)
	host := s.host(t)
	if offered, ok := s.offers[c]; ok && rapid.IntRange(0, 9).Draw(t, "stray") > 0 {
		host = offered.String()
	}
	s.send(t, selecting(c, host, s.way(t), s.wish(t)))
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
	s.send(t, request(c, wants(s.mine(t, c)), s.way(t), s.wish(t)))
}

func (s *story) renew(t *rapid.T) {
	c := s.client(t)
	s.send(t, renewing(c, s.mine(t, c), s.wish(t)))
}

func (s *story) rebind(t *rapid.T) {
	c := s.client(t)
	s.send(t, request(c, has(s.mine(t, c)), s.way(t), s.wish(t)))
}

func (s *story) release(t *rapid.T) {
	c := s.client(t)
	forged, who := s.forged(t)
	m := message(Release, c, has(s.mine(t, c)), who)
	if d := s.send(t, m); forged && d.Verdict != Silent {
		t.Fatalf("a forged RELEASE: %s", brief(d))
	}
	if !forged && s.promises[m.ClientAddr].client == c { // heard or not, the client is gone
		delete(s.promises, m.ClientAddr)
	}
}

func (s *story) decline(t *rapid.T) {
	c := s.client(t)
	forged, who := s.forged(t)
	m := message(Decline, c, wants(s.mine(t, c)), who)
	d := s.send(t, m)
	if forged && d.Verdict != Silent {
		t.Fatalf("a forged DECLINE: %s", brief(d))
	}
	if d.Verdict == Taken {
		s.restSince[m.RequestedAddr] = s.runs
	}
	if !forged && s.promises[m.RequestedAddr].client == c {
		delete(s.promises, m.RequestedAddr)
	}
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

// tellNetBox writes back. A lease that has ended does not replace a running one
// that a foreign server wrote (S-5).
func (s *story) tellNetBox(t *rapid.T) {
	for _, l := range s.Unsynced(rapid.IntRange(1, 4).Draw(t, "many")) {
		var at time.Time // zero: there is no row to show it
		if a := s.address(l.Addr); s.seen.IsDynamic(a) {
			foreign := a.LastUpdated.After(l.SyncedAt) && (a.Record.Expires.After(s.now) || s.facts.Distrusted && !a.Record.Expires.IsZero())
			ended := l.State == Released || !l.Expires.After(s.now)
			if released := l.State == Released && a.Record.Client == string(l.Client); foreign && ended && !released {
				continue
			}
			at = s.edit(l.Addr, func(a *ipam.Address) {
				a.Record = ipam.Record{Client: string(l.Client), Expires: l.Expires, Hostname: l.Hostname}
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
	p := promise{s.client(t), s.runs.Add(ends.Sub(s.now))}
	if stored.State == Released && stored.Client == p.client && (stored.Unsynced || stored.SyncedAt.IsZero()) {
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
	ask := func() map[netip.Addr]answer {
		answers := make(map[netip.Addr]answer)
		for host, p := range s.promises {
			d, _ := s.Explain(request(p.client, wants(host.String())))
			answers[host] = answer{d.Verdict, d.Addr}
		}
		return answers
	}
	before, facts := ask(), s.facts
	unread := len(s.facts.Leases.unread) > 0 // a start reads what the store did not tell, which may free an address
	s.rig = newRig(s.t, s.store, s.seen, s.setups...)
	s.SetAuthority(facts.Authority)
	s.Confirm(facts.Fresh, facts.Skew)
	after := ask()
	for host, a := range after { // how far the clock was set is not known any more (S-14)
		if s.facts.Distrusted && (a.verdict == Silent && before[host].verdict == Ack || a.verdict == Ack && before[host].verdict != Ack) {
			after[host] = before[host]
		}
	}
	if !unread && !maps.Equal(before, after) {
		t.Fatalf("before the restart %v, after it %v", before, after)
	}
	clear(s.offers)
}
