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
	r.expect(selecting(nth(0), "10.0.0.10"), "NAK D-5 taken") // at once, so that it asks again
	r.expect(selecting(nth(2), "10.0.0.12"), "ACK D-4 10.0.0.12/24")
	r.expect(discover(web), "OFFER D-1 10.0.0.10/24 new") // a known machine, of nth(3)
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
