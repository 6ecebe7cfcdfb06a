package lease

import (
	"fmt"
	"testing"
	"time"
)

// every step of the order. Each row has all the choices of the later
// steps, which must not win.
func TestOrderOfChoice(t *testing.T) {
	const far = 48 * time.Hour
	parts := []part{
		prefix("10.0.0.0/24"),
		dynamic("10.0.0.20/24", record(bob, -far)),             // recorded, ended long ago
		dynamic("10.0.0.21/24", record(carol, -far/2)),         // recorded, ended later
		dynamic("10.0.0.22/24", record(carol)),                 // no expiry: released (P-5)
		dynamic("10.0.0.31-10.0.0.35/24"),                      // never used, unless stored below
		dynamic("10.0.0.50/24", record(carol, -5*time.Second)), // within the grace
	}
	reservedPort := device("web1", port("eth0", string(web), on("10.0.0.40/24", tagged())))
	staticPort := device("web1", port("eth0", string(web), on("10.0.0.40/24", tagged()), on("10.0.0.5/24")))
	endedLong, endedShort := bound("10.0.0.34", web, -time.Hour), bound("10.0.0.33", web, -time.Minute)
	running := bound("10.0.0.35", web, time.Hour)
	givenBack := released("10.0.0.34", web, time.Hour)
	for _, c := range []struct {
		name   string
		extra  part
		leases []Lease
		want   string
	}{
		{"an eligible static address", staticPort, []Lease{running, endedShort}, "10.0.0.5/24 static"},
		{"the own running binding", reservedPort, []Lease{endedShort, running, endedLong}, "10.0.0.35/24 bound"},
		{"the own binding that ended last", reservedPort, []Lease{endedLong, endedShort}, "10.0.0.33/24 bound"},
		{"the own released binding", reservedPort, []Lease{givenBack}, "10.0.0.34/24 bound"},
		{"the own ended binding unless reassigned", reservedPort, []Lease{bound("10.0.0.33", bob, time.Hour), givenBack}, "10.0.0.34/24 bound"},
		{"an address reserved for the interface", reservedPort, nil, "10.0.0.40/24 new"},
		{"the address asked for", nil, nil, "10.0.0.32/24 new"},
	} {
		t.Run(c.name, func(t *testing.T) {
			all := parts
			if c.extra != nil {
				all = append(all[:len(all):len(all)], c.extra)
			}
			r := newRig(t, newMemStore(c.leases...), snapshot(t, worldOptions, all...))
			r.expect(discover(web, wants("10.0.0.32")), "OFFER D-1 "+c.want)
		})
	}
	// Without any claim of its own, clients use up the rest in order.
	var clients []ClientID
	for i := range 21 {
		clients = append(clients, nth(i))
	}
	r := newRig(t, newMemStore(), snapshot(t, worldOptions, append(parts, machines(clients...))...))
	for i, want := range []string{
		"10.0.0.31", "10.0.0.32", "10.0.0.33", "10.0.0.34", "10.0.0.35", // never used, lowest first (P-7)
		"10.0.0.22",              // at an unknown time, which counts as the oldest (P-5)
		"10.0.0.20", "10.0.0.21", // least recently ended
	} {
		r.expect(discover(nth(i)), "OFFER D-1 "+want+"/24 new")
	}
	r.exhausted(discover(nth(20)))
	r.now = start.Add(6 * time.Second)
	r.expect(discover(nth(20)), "OFFER D-1 10.0.0.50/24") // the grace is over
}

// nth is one of many clients.
func nth(i int) ClientID {
	return ClientID(fmt.Sprintf("52:54:01:%02X:%02X:%02X", i>>16&0xff, i>>8&0xff, i&0xff))
}

// option 50 is a wish that is met only if the address is there to give.
func TestWishesThatCannotBeMet(t *testing.T) {
	parts := append(office(), device("nas", port("eth0", string(carol), on("10.0.0.9/24", tagged()))))
	store := newMemStore(bound("10.0.0.12", bob, time.Hour), bound("10.0.0.13", bob, -time.Second), quarantined("10.0.0.14", time.Hour))
	for _, c := range []struct{ name, wish, want string }{
		{"a free address", "10.0.0.19", "10.0.0.19"},
		{"an address in use", "10.0.0.12", "10.0.0.10"},
		{"an address that ended within the grace", "10.0.0.13", "10.0.0.10"},
		{"a quarantined address", "10.0.0.14", "10.0.0.10"},
		{"a reserved address", "10.0.0.9", "10.0.0.10"},
		{"an address that is not dynamic", "10.0.0.200", "10.0.0.10"},
		{"another client's static address", "10.0.0.5", "10.0.0.10"},
		{"the gateway", "10.0.0.1", "10.0.0.10"},
		{"an address that does not exist", "10.0.0.77", "10.0.0.10"},
		{"an address of another network (P-2)", "10.9.0.10", "10.0.0.10"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, store, snapshot(t, worldOptions, parts...))
			r.expect(discover(alice, wants(c.wish)), "OFFER D-1 "+c.want+"/24 new")
		})
	}
	// An ended lease of another client is there to give, past the grace.
	r := newRig(t, store, snapshot(t, worldOptions, parts...))
	r.now = start.Add(10 * time.Second)
	r.expect(discover(alice, wants("10.0.0.13")), "OFFER D-1 10.0.0.13/24 new")
}

// an OFFER makes a hold; a client that asks again gets the same one.
func TestOffersAreHeld(t *testing.T) {
	r := newRig(t, newMemStore(), snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10-10.0.0.11/24"), machines(bob)))
	r.expect(discover(alice), "OFFER D-1 10.0.0.10/24")
	r.expect(discover(alice, wants("10.0.0.11")), "OFFER D-1 10.0.0.10/24") // reused
	r.expect(discover(bob), "OFFER D-1 10.0.0.11/24")
	r.exhausted(discover(carol))
	r.now = start.Add(59 * time.Second)
	r.expect(discover(alice), "OFFER D-1 10.0.0.10/24") // held for another minute
	r.now = start.Add(61 * time.Second)
	r.expect(discover(carol), "OFFER D-1 10.0.0.11/24")           // bob's lapsed
	r.expect(selecting(bob, "10.0.0.11"), "ACK D-4 10.0.0.11/24") // carol has not answered (D-34)
	r.now = start.Add(90 * time.Second)
	r.expect(selecting(alice, "10.0.0.10"), "ACK D-4 10.0.0.10/24")
	if n := len(r.store.writes); n != 2 {
		t.Errorf("%d writes, want two: OFFERs write nothing (P-6, S-10)", n)
	}
}

// P-6: an OFFER changes no running binding.
func TestOfferLeavesTheRunningLeaseAlone(t *testing.T) {
	r := newRig(t, newMemStore(bound("10.0.0.12", alice, time.Hour)), snapshot(t, worldOptions, office()...))
	r.expect(discover(alice), "OFFER D-1 10.0.0.12/24 bound")
	if got, want := r.store.get("10.0.0.12"), bound("10.0.0.12", alice, time.Hour); got != want {
		t.Errorf("stored %+v, want %+v", got, want)
	}
	r.now = start.Add(2 * time.Minute) // the hold lapses, the lease does not
	r.expect(discover(bob, wants("10.0.0.12")), "OFFER D-1 10.0.0.10/24")
	r.expect(renewing(alice, "10.0.0.12"), "ACK D-12")
}

// A hold that lapsed leaves no trace: the address is as it was.
func TestLapsedHoldsFreeTheAddress(t *testing.T) {
	r := newRig(t, newMemStore(bound("10.0.0.11", bob, -time.Hour)),
		snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10-10.0.0.11/24")))
	r.expect(discover(alice), "OFFER D-1 10.0.0.10/24")
	r.expect(discover(carol), "OFFER D-1 10.0.0.11/24")
	r.now = start.Add(61 * time.Second)
	r.expect(discover(carol), "OFFER D-1 10.0.0.10/24 new")
	r.expect(discover(bob), "OFFER D-1 10.0.0.11/24 bound")
}

// lease.pick: hash starts at a place of the client's own and still finds every
// address.
func TestPickByHash(t *testing.T) {
	hash := policy(func(p *Policy) { p.Pick = Hash })
	clients := []ClientID{nth(50)}
	for i := range 50 {
		clients = append(clients, nth(i))
	}
	s := snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10-10.0.0.59/24"), machines(clients...))
	first := newRig(t, newMemStore(), s, hash).expect(discover(alice), "OFFER D-1")
	if again := newRig(t, newMemStore(), s, hash).expect(discover(alice), "OFFER D-1"); again.Addr != first.Addr {
		t.Errorf("two servers offer %s and %s to one client", first.Addr, again.Addr)
	}
	r := newRig(t, newMemStore(), s, hash)
	given, lowest := make(map[string]bool), true
	for i := range 50 {
		addr := r.expect(discover(nth(i)), "OFFER D-1").Addr.String()
		if given[addr] {
			t.Fatalf("%s is offered twice", addr)
		}
		given[addr] = true
		lowest = lowest && addr == fmt.Sprintf("10.0.0.%d/24", 10+i)
	}
	if lowest {
		t.Error("addresses were offered lowest first")
	}
	r.exhausted(discover(nth(50)))
}

// lease.pick: hash, when nothing is unused: still the least recently ended
// wherever the search starts.
func TestPickByHashAmongEndedLeases(t *testing.T) {
	s := snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10-10.0.0.19/24"))
	for oldest := range 10 {
		var leases []Lease
		for i := range 10 {
			ago := time.Hour
			if i == oldest {
				ago = 2 * time.Hour
			}
			leases = append(leases, bound(fmt.Sprintf("10.0.0.%d", 10+i), bob, -ago))
		}
		for i := range 20 {
			r := newRig(t, newMemStore(leases...), s, policy(func(p *Policy) { p.Pick = Hash }))
			r.expect(discover(nth(i)), fmt.Sprintf("OFFER D-1 10.0.0.%d/24", 10+oldest))
		}
	}
}

// S-9: while clock and NetBox differ, no address of another client is
// reclaimed; all else goes on.
func TestClockSkewStopsReclaiming(t *testing.T) {
	s := snapshot(t, worldOptions, append(office()[:1:1], dynamic("10.0.0.10-10.0.0.11/24"), dynamic("10.0.0.12/24", record(carol, -time.Hour)),
		device("web1", port("eth0", string(web), on("10.0.0.5/24"))))...)
	for _, skew := range []time.Duration{-2*time.Minute - 1, 2*time.Minute + 1} {
		r := newRig(t, newMemStore(bound("10.0.0.11", bob, -time.Hour)), s)
		r.SetAuthority(Authoritative)
		r.Confirm(start, skew)
		r.expect(discover(alice, wants("10.0.0.11")), "OFFER D-1 10.0.0.10/24 new") // never used
		r.expect(selecting(alice, "10.0.0.10"), "ACK D-4")
		r.expect(discover(nth(1)), "silent D-2 clock_skew")
		r.expect(selecting(nth(1), "10.0.0.11"), "silent D-16 clock_skew")
		r.expect(selecting(nth(1), "10.0.0.12"), "silent D-16 clock_skew")
		r.expect(discover(bob), "OFFER D-1 10.0.0.11/24 bound") // its own
		r.expect(renewing(bob, "10.0.0.11"), "ACK D-12")
		r.expect(discover(web), "OFFER D-1 10.0.0.5/24 static")
		r.Confirm(start, 2*time.Minute)
		r.expect(discover(nth(1)), "OFFER D-1 10.0.0.12/24")
	}
}
