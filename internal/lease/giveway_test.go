package lease

import (
	"testing"
	"time"
)

// DISCOVERs of made-up clients empty no pool: their offers give way, oldest
// first, to clients that come later, known ones and others.
func TestUnansweredOffersGiveWay(t *testing.T) {
	parts := []part{
		prefix("10.0.0.0/24"), dynamic("10.0.0.10-10.0.0.12/24"), prefix("10.8.0.0/24"), dynamic("10.8.0.10/24"),
		device("laptop", port("eth0", string(web))),
	}
	r := newRig(t, newMemStore(), snapshot(t, worldOptions, parts...))
	r.SetAuthority(Authoritative)
	for i, addr := range []string{"10.0.0.10", "10.0.0.11", "10.0.0.12", "10.0.0.10", "10.0.0.11"} {
		r.now = r.now.Add(time.Second)
		r.expect(discover(nth(i)), "OFFER D-1 "+addr+"/24 new")
	}
	r.expect(selecting(nth(2), "10.0.0.12"), "ACK D-4 10.0.0.12/24")
	r.expect(discover(web), "OFFER D-1 10.0.0.10/24 new")           // a known machine, of nth(3)
	r.expect(selecting(nth(0), "10.0.0.10"), "silent D-34 offered") // and no refusal, since it may not accept
	// Its offer gives way to no other, nor does a lease.
	r.expect(discover(nth(5)), "OFFER D-1 10.0.0.11/24 new")
	r.expect(discover(nth(6)), "OFFER D-1 10.0.0.11/24 new")
	r.expect(selecting(web, "10.0.0.10"), "ACK D-4 10.0.0.10/24")
	r.expect(selecting(nth(6), "10.0.0.11"), "ACK D-4 10.0.0.11/24")
	r.expect(discover(nth(7)), "silent D-2 pool_empty")
	// A pool is emptied by its own clients only.
	r.expect(discover(nth(8), via("10.8.0.1")), "OFFER D-1 10.8.0.10/24")
	r.expect(discover(nth(7)), "silent D-2 pool_empty")
	r.expect(discover(nth(9), via("10.8.0.1")), "OFFER D-1 10.8.0.10/24")
}

// what a client had before is not given away with its offer.
func TestOffersOfALeaseDoNotGiveWay(t *testing.T) {
	s := snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10-10.0.0.11/24"))
	r := newRig(t, newMemStore(bound("10.0.0.10", alice, time.Hour), bound("10.0.0.11", bob, -5*time.Second)), s)
	r.expect(discover(alice), "OFFER D-1 10.0.0.10/24 bound")
	r.expect(discover(bob), "OFFER D-1 10.0.0.11/24 bound")
	r.expect(discover(carol), "silent D-2 pool_empty") // bob's ended within the grace
	r.now = start.Add(6 * time.Second)
	r.expect(discover(carol), "OFFER D-1 10.0.0.11/24 new")
}

// strangers sends DISCOVERs of n new clients, counted from the given one, which must
// all be offered something, and returns what the last was offered.
func (r *rig) strangers(from, n int, way ...field) string {
	r.t.Helper()
	var last Decision
	for i := range n {
		r.now = r.now.Add(time.Millisecond)
		last = r.expect(discover(nth(from+i), way...), "OFFER D-1")
	}
	return last.Addr.Addr().String()
}

// offered counts the holds of clients that were counted from the given one.
func (r *rig) offered(from, n int) (held int) {
	for i := range n {
		if _, ok := r.facts.Leases.heldBy[nth(from+i)]; ok {
			held++
		}
	}
	return held
}

// strangers hold half of what is free, rounded up, in each pool; none is
// refused, and machines that NetBox knows always find the other half.
func TestStrangersHoldHalfOfWhatIsFree(t *testing.T) {
	for free, most := range map[int]int{1: 1, 2: 1, 3: 2, 4: 2, 9: 5, 10: 5} {
		parts := []part{prefix("10.0.0.0/24"), dynamic("10.0.0.10-10.0.0.19/24"), prefix("10.8.0.0/24"), dynamic("10.8.0.10-10.8.0.19/24")}
		var leases []Lease
		for i := free; i < 10; i++ {
			leases = append(leases, bound(hostOf(10, 0, 10+i).String(), bob, time.Hour))
		}
		r := newRig(t, newMemStore(leases...), snapshot(t, worldOptions, parts...))
		r.strangers(0, 30)
		if held := r.offered(0, 30); held != most {
			t.Errorf("%d free: strangers hold %d, want %d", free, held, most)
		}
		if held := r.offered(30-most, most); held != most {
			t.Errorf("%d free: the last %d hold %d: not the oldest gave way", free, most, held)
		}
		r.strangers(100, 3, via("10.8.0.1")) // a pool of its own
		if held := r.offered(0, 30) + r.offered(100, 3); held != most+3 {
			t.Errorf("%d free: %d are held in both pools", free, held)
		}
		if err := r.facts.Leases.verify(); err != nil {
			t.Error(err)
		}
	}
}

// what lapsed, was accepted or is asked for again is not counted twice; a lease
// that runs is no part of what is free.
func TestWhatCountsAsAnOfferToAStranger(t *testing.T) {
	parts := []part{prefix("10.0.0.0/24"), dynamic("10.0.0.10-10.0.0.17/24"), device("laptop", port("eth0", string(web)))}
	r := newRig(t, newMemStore(bound("10.0.0.17", bob, time.Hour)), snapshot(t, worldOptions, parts...))
	r.strangers(0, 4) // of 7
	r.expect(discover(bob), "OFFER D-1 10.0.0.17/24 bound")
	r.expect(discover(web), "OFFER D-1 10.0.0.14/24 new")
	r.strangers(0, 4) // once more
	if held := r.offered(0, 4); held != 4 {
		t.Errorf("%d are held", held)
	}
	r.expect(selecting(nth(3), "10.0.0.13"), "ACK D-4")
	if held := r.offered(0, 4); held != 3 {
		t.Errorf("%d are held", held)
	}
	r.now = r.now.Add(2 * time.Minute)
	r.strangers(10, 3)
	if held := r.offered(10, 3); held != 3 {
		t.Errorf("%d are held after the others lapsed", held)
	}
}

// a flood on one way, of one circuit or of one forging sender costs its own
// share, and not that of others.
func TestAFloodPaysForItself(t *testing.T) {
	circuit := func(name string) field {
		return func(m *ClientMessage) { via("10.0.0.1")(m); m.Circuit = []byte(name) }
	}
	forged := func(sender string) field { return func(m *ClientMessage) { via("10.0.0.1")(m); from(sender)(m) } }
	for name, c := range map[string]struct{ few, many field }{
		"an interface, a relay floods":              {at("eth0", "10.0.0.2"), via("10.0.0.1")},
		"a relay, an interface floods":              {via("10.0.0.1"), at("eth0", "10.0.0.2")},
		"two interfaces":                            {at("eth0", "10.0.0.2"), at("eth1", "10.0.0.3")},
		"two circuits of a relay":                   {circuit("port 1"), circuit("port 2")},
		"a relay, a forger floods":                  {via("10.0.0.1"), forged("203.0.113.6")},
		"two senders that are not giaddr":           {forged("203.0.113.6"), forged("203.0.113.7")},
		"a sender beside a relay that floods":       {forged("203.0.113.6"), via("10.0.0.1")},
		"an interface, a forger in a relay's name":  {at("eth0", "10.0.0.2"), forged("203.0.113.6")},
		"a circuit, an interface that floods":       {circuit("port 1"), at("eth0", "10.0.0.2")},
		"a relay without circuit, one with floods":  {via("10.0.0.1"), circuit("port 2")},
		"a relay with circuit, one without, floods": {circuit("port 1"), via("10.0.0.1")},
	} {
		t.Run(name, func(t *testing.T) {
			parts := []part{prefix("10.0.0.0/24"), dynamic("10.0.0.10-10.0.0.29/24")}
			r := newRig(t, newMemStore(), snapshot(t, worldOptions, parts...))
			r.strangers(0, 3, c.few)
			r.strangers(100, 40, c.many)
			if few, many := r.offered(0, 3), r.offered(100, 40); few != 3 || many != 7 {
				t.Errorf("%d of 3 are still held, and %d of the flood, want 7", few, many)
			}
			if err := r.facts.Leases.verify(); err != nil {
				t.Error(err)
			}
		})
	}
}

// one whose offer gave way may still accept, as long as the address is free.
func TestAnOfferThatGaveWayMayBeAccepted(t *testing.T) {
	r := newRig(t, newMemStore(), snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10-10.0.0.12/24")))
	r.now = start.Add(time.Hour)
	r.strangers(0, 3) // two offers; the first has ended
	if held := r.offered(0, 1); held != 0 {
		t.Fatal("the first offer is still held")
	}
	r.expect(selecting(nth(0), "10.0.0.10"), "ACK D-4 10.0.0.10/24 new")
}

// a share of each pool stays free for machines that NetBox knows.
func TestAShareIsKeptForKnownMachines(t *testing.T) {
	for keep, want := range map[int]int{0: 10, 1: 9, 10: 9, 30: 7, 90: 1} {
		parts := []part{prefix("10.0.0.0/24"), dynamic("10.0.0.10-10.0.0.19/24"), device("laptop", port("eth0", string(web)))}
		r := newRig(t, newMemStore(), snapshot(t, worldOptions, parts...), policy(func(p *Policy) { p.KeepForKnown = keep }))
		given := 0
		for i := range 12 {
			offer := r.handle(discover(nth(i)))
			if offer.Verdict != Offer {
				if offer.Reason != ReasonPoolEmpty {
					t.Errorf("%d %%: %s", keep, brief(offer))
				}
				continue
			}
			r.expect(selecting(nth(i), offer.Addr.Addr().String()), "ACK D-4")
			given++
		}
		if given != want {
			t.Errorf("%d %%: strangers got %d addresses, want %d", keep, given, want)
		}
		if keep > 0 {
			r.expect(discover(web), "OFFER D-1")
			r.expect(discover(nth(0)), "OFFER D-1 10.0.0.10/24 bound") // its lease runs
		}
	}
}
