package lease

import (
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// D-34: an offer that gave way is kept if its client comes first, and is silence
// while another client's offer stands; only a lease of another client refuses it.
func TestAnOfferThatGaveWayIsNeverRefusedForAnOffer(t *testing.T) {
	one := []part{prefix("10.0.0.0/24"), dynamic("10.0.0.10/24"), machines(web)}
	two := []part{prefix("10.0.0.0/24"), dynamic("10.0.0.10-10.0.0.11/24"), machines(web)}
	for name, c := range map[string]struct {
		world  []part
		leases []Lease
		before []ClientMessage
		later  time.Duration
		send   ClientMessage
		want   string
	}{
		"a stranger was offered it, and has not answered": {world: one, before: []ClientMessage{discover(alice), discover(bob)},
			send: selecting(alice, "10.0.0.10"), want: "ACK D-4 10.0.0.10/24 new"},
		"a known machine was": {world: one, before: []ClientMessage{discover(alice), discover(web)},
			send: selecting(alice, "10.0.0.10"), want: "silent D-34 offered"},
		"a stranger leases it": {world: one, before: []ClientMessage{discover(alice), discover(bob), selecting(bob, "10.0.0.10")},
			send: selecting(alice, "10.0.0.10"), want: "NAK D-5 taken"},
		"a known machine leases it": {world: one, before: []ClientMessage{discover(alice), discover(web), selecting(web, "10.0.0.10")},
			send: selecting(alice, "10.0.0.10"), want: "NAK D-5 taken"},
		"the hold lapsed, a stranger was offered it": {world: one, before: []ClientMessage{discover(alice)}, later: time.Minute,
			send: discover(bob), want: "OFFER D-1 10.0.0.10/24 new"},
		"it was offered another one": {world: two, before: []ClientMessage{discover(alice), discover(bob)},
			send: selecting(bob, "10.0.0.11"), want: "ACK D-4 10.0.0.11/24 new"},
		"it chooses what only another stranger was offered": {world: two, before: []ClientMessage{discover(web), discover(alice)},
			send: selecting(web, "10.0.0.11"), want: "silent D-34 offered"},
		"its ended lease, offered to a stranger": {world: one, leases: []Lease{bound("10.0.0.10", alice, -time.Hour)}, before: []ClientMessage{discover(bob)},
			send: request(alice, wants("10.0.0.10")), want: "ACK D-8 10.0.0.10/24 bound"},
		"the same, in SELECTING": {world: one, leases: []Lease{bound("10.0.0.10", alice, -time.Hour)}, before: []ClientMessage{discover(bob)},
			send: selecting(alice, "10.0.0.10"), want: "ACK D-4 10.0.0.10/24 bound"},
		"the same, renewed": {world: one, leases: []Lease{bound("10.0.0.10", alice, -time.Hour)}, before: []ClientMessage{discover(bob)},
			send: renewing(alice, "10.0.0.10"), want: "ACK D-12 10.0.0.10/24 bound"},
		"its ended lease, offered to a known machine": {world: one, leases: []Lease{bound("10.0.0.10", alice, -time.Hour)}, before: []ClientMessage{discover(web)},
			send: request(alice, wants("10.0.0.10")), want: "silent D-34 offered"},
		"the same, renewed, known": {world: one, leases: []Lease{bound("10.0.0.10", alice, -time.Hour)}, before: []ClientMessage{discover(web)},
			send: renewing(alice, "10.0.0.10"), want: "silent D-34 offered"},
		"never its own, offered to a stranger": {world: one, before: []ClientMessage{discover(bob)},
			send: request(alice, wants("10.0.0.10")), want: "NAK D-10 no_binding"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, newMemStore(c.leases...), snapshot(t, worldOptions, c.world...))
			r.SetAuthority(Authoritative)
			r.now = start.Add(2 * time.Minute) // offers of before the start count no more
			for _, m := range c.before {
				r.now = r.now.Add(time.Second)
				r.handle(m)
			}
			r.now = r.now.Add(c.later)
			r.expect(c.send, c.want)
			if err := r.facts.Leases.verify(); err != nil {
				t.Error(err)
			}
		})
	}
}

// D-34: the first to accept has the address; the other one is refused, since by
// then it is another client's.
func TestTheFirstToAcceptHasTheAddress(t *testing.T) {
	r := newRig(t, newMemStore(), snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10/24")))
	r.SetAuthority(Authoritative)
	r.expect(discover(alice), "OFFER D-1 10.0.0.10/24")
	r.expect(discover(bob), "OFFER D-1 10.0.0.10/24")
	r.expect(selecting(alice, "10.0.0.10"), "ACK D-4 10.0.0.10/24")
	if len(r.facts.Leases.holds) != 0 {
		t.Error("the other offer still holds what is leased")
	}
	r.expect(selecting(bob, "10.0.0.10"), "NAK D-5 taken")
	r.expect(message(Release, alice, has("10.0.0.10")), "accepted, no reply D-19")
	r.now = r.now.Add(11 * time.Second)
	r.expect(discover(bob), "OFFER D-1 10.0.0.10/24")
	if err := r.facts.Leases.verify(); err != nil {
		t.Error(err)
	}
}

// D-34, S-1: what could not be stored is nobody's, and both may still come.
func TestAnAddressTakenFromAnOfferNeedsTheStore(t *testing.T) {
	store := newMemStore()
	r := newRig(t, store, snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10/24")))
	r.SetAuthority(Authoritative)
	r.expect(discover(alice), "OFFER D-1 10.0.0.10/24")
	r.expect(discover(bob), "OFFER D-1 10.0.0.10/24")
	store.before = func(Lease) error { return errDisk }
	if d, err := r.Handle(t.Context(), selecting(alice, "10.0.0.10"), nil); d.Verdict != Silent || err == nil {
		t.Errorf("%s, %v", brief(d), err)
	}
	store.before = nil
	r.expect(selecting(bob, "10.0.0.10"), "ACK D-4 10.0.0.10/24")
}

// the address of an offer that ended is the last that another client is
// offered, as long as its client may accept it.
func TestAnEndedOfferIsOfferedLast(t *testing.T) {
	ended := func(last int, ago time.Duration) []Lease {
		var list []Lease
		for i := 10; i <= last; i++ {
			list = append(list, bound(hostOf(10, 0, i).String(), carol, -ago-time.Duration(last-i)*time.Second))
		}
		return list
	}
	for name, leases := range map[string][]Lease{
		"never used": nil, "all used": ended(17, time.Hour), "half of it used": ended(13, time.Hour),
	} {
		for _, pick := range []Pick{Lowest, Hash} {
			t.Run(name, func(t *testing.T) {
				parts := []part{prefix("10.0.0.0/24"), dynamic("10.0.0.10-10.0.0.17/24")}
				r := newRig(t, newMemStore(leases...), snapshot(t, worldOptions, parts...), policy(func(p *Policy) { p.Pick = pick }))
				r.SetAuthority(Authoritative)
				offered := make(map[string]int)
				for i := range 8 {
					r.now = r.now.Add(time.Second)
					addr := r.expect(discover(nth(i)), "OFFER D-1").Addr.Addr().String()
					if before, twice := offered[addr]; twice {
						t.Fatalf("%s is offered to %d and %d", addr, before, i)
					}
					offered[addr] = i
				}
				// Those whose offer ended first, second, and so on lose it first.
				for i := 8; i < 10; i++ {
					r.now = r.now.Add(time.Second)
					addr := r.expect(discover(nth(i)), "OFFER D-1").Addr.Addr().String()
					if offered[addr] != i-8 {
						t.Errorf("client %d is offered what client %d was", i, offered[addr])
					}
				}
				if err := r.facts.Leases.verify(); err != nil {
					t.Error(err)
				}
				r.now = r.now.Add(2*time.Minute + time.Second)
				if got := r.expect(discover(nth(20)), "OFFER D-1").Addr.Addr().String(); pick == Lowest && got != "10.0.0.10" && name != "half of it used" {
					t.Errorf("after two minutes %s is offered", got)
				}
				if n := len(r.facts.Leases.ended); n != 0 {
					t.Errorf("%d ended offers are still remembered", n)
				}
			})
		}
	}
}

// a pool's worth of strangers who ask in one moment all get the
// address that they were offered.
func TestAsManyStrangersAsFreeAddresses(t *testing.T) {
	for _, free := range []int{1, 2, 3, 10, 100} {
		parts := []part{prefix("10.0.0.0/24"), dynamic("10.0.0.10-" + hostOf(10, 0, 9+free).String() + "/24")}
		r := newRig(t, newMemStore(), snapshot(t, worldOptions, parts...))
		r.SetAuthority(Authoritative)
		r.now = start.Add(time.Hour)
		offers := make([]string, free)
		for i := range free {
			offers[i] = r.expect(discover(nth(i)), "OFFER D-1").Addr.Addr().String()
		}
		for i, addr := range offers {
			r.expect(selecting(nth(i), addr), "ACK D-4 "+addr+"/24")
		}
		r.expect(discover(nth(free)), "silent D-2 pool_empty")
	}
}

// A-13, S-9: a clock that is off keeps ended leases, and no address that was never
// used: also one whose offer ended.
func TestAnEndedOfferWhileTheClockIsOff(t *testing.T) {
	parts := []part{prefix("10.0.0.0/24"), dynamic("10.0.0.10-10.0.0.13/24")}
	r := newRig(t, newMemStore(bound("10.0.0.10", carol, -time.Hour), bound("10.0.0.11", carol, -time.Hour)), snapshot(t, worldOptions, parts...))
	r.Confirm(r.now, time.Hour)
	r.expect(discover(nth(0)), "OFFER D-1 10.0.0.12/24")
	r.expect(discover(nth(1)), "OFFER D-1 10.0.0.13/24") // half of what may be given: the first ends
	r.expect(discover(nth(2)), "OFFER D-1 10.0.0.12/24")
	r.expect(selecting(nth(1), "10.0.0.13"), "ACK D-4")
}

// leases that run, or ended within the grace, hide no address whose offer
// ended.
func TestAnEndedOfferBesideRunningLeases(t *testing.T) {
	for _, left := range []time.Duration{time.Hour, -time.Second} {
		parts := []part{prefix("10.0.0.0/24"), dynamic("10.0.0.10-10.0.0.12/24")}
		r := newRig(t, newMemStore(bound("10.0.0.10", carol, left)), snapshot(t, worldOptions, parts...))
		r.expect(discover(nth(0)), "OFFER D-1 10.0.0.11/24")
		r.expect(discover(nth(1)), "OFFER D-1 10.0.0.12/24")
		r.expect(discover(nth(2)), "OFFER D-1 10.0.0.11/24")
		r.expect(discover(nth(3)), "OFFER D-1 10.0.0.12/24")
	}
}

// what another server leased while our offer stood is no free address once the
// offer has ended, and is one again only when that lease has ended.
func TestAnotherServersLeaseIsNoEndedOffer(t *testing.T) {
	for _, c := range []struct {
		name   string
		ends   time.Duration // of the other server's lease, since the offer
		clock  time.Duration // what the clock is set by while the offer stands
		gaveUp bool          // the offer gives way, else it lapses
		free   bool
	}{
		{name: "it runs", ends: time.Hour},
		{name: "it runs, and the offer gives way", ends: time.Hour, gaveUp: true},
		{name: "it ended within the grace", ends: 55 * time.Second},
		{name: "it has ended", ends: 45 * time.Second, free: true},
		{name: "it runs, by a clock that was set back", ends: 30 * time.Second, clock: -3 * time.Minute},
		{name: "it ended within the grace, by a clock that was set back", ends: -125 * time.Second, clock: -3 * time.Minute},
		{name: "it has ended, by a clock that was set back", ends: -3 * time.Minute, clock: -3 * time.Minute, free: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			clock := newSteps()
			world := func(edits ...edit) *ipam.Snapshot {
				return snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10/24", edits...), dynamic("10.0.0.11/24"))
			}
			r := newRig(t, newMemStore(), world(), clock.on)
			r.expect(discover(nth(0)), "OFFER D-1 10.0.0.10/24")
			clock.set(c.clock)
			r.SetSnapshot(world(record(carol, c.ends), seen(start)))
			if !c.gaveUp {
				clock.run(time.Minute)
			}
			r.expect(discover(nth(1)), "OFFER D-1 10.0.0.11/24")
			want := "OFFER D-1 10.0.0.11/24" // what a stranger was offered gives way
			if c.free {
				want = "OFFER D-1 10.0.0.10/24"
			}
			r.expect(discover(nth(2)), want)
			if err := r.facts.Leases.verify(); err != nil {
				t.Error(err)
			}
		})
	}
}

// offers that lapsed unnoticed ended when they lapsed, not when the next packet
// came.
func TestOffersThatLapsedUnnoticedEndedInTurn(t *testing.T) {
	r := newRig(t, newMemStore(), snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10-10.0.0.12/24"), machines(alice, bob, carol)))
	for _, m := range []ClientMessage{discover(alice, wants("10.0.0.12")), discover(bob, wants("10.0.0.10")), discover(carol, wants("10.0.0.11"))} {
		r.expect(m, "OFFER D-1 "+m.RequestedAddr.String()+"/24")
		r.now = r.now.Add(time.Second)
	}
	r.now = start.Add(90 * time.Second)
	r.expect(discover(nth(0)), "OFFER D-1 10.0.0.12/24")
	r.expect(discover(nth(1)), "OFFER D-1 10.0.0.10/24")
}
