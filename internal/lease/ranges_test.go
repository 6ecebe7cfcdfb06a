package lease

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// N-14, A-1: a new client gets the lowest address of a range that is no object and
// that no other client has, and it is explained like any other.
func TestAClientGetsAnAddressOfARange(t *testing.T) {
	s := snapshot(t, worldOptions, prefix("10.0.0.0/24"), asRanges(), dynamic("10.0.0.10-10.0.0.13/24"),
		address("10.0.0.10/24"), address("10.0.0.11/24", gateway()))
	r := newRig(t, newMemStore(), s)
	r.expect(discover(alice), "OFFER D-1 10.0.0.12/24 new")
	r.expect(selecting(alice, "10.0.0.12"), "ACK D-4 10.0.0.12/24 new")
	r.expect(discover(bob), "OFFER D-1 10.0.0.13/24 new")
	r.expect(selecting(bob, "10.0.0.13"), "ACK D-4 10.0.0.13/24 new")
	r.expect(discover(carol), "silent D-2 pool_empty")
	r.expect(renewing(alice, "10.0.0.12"), "ACK D-12 10.0.0.12/24 bound")
	if err := r.facts.Leases.verify(); err != nil {
		t.Error(err)
	}
	if _, trace := r.Explain(renewing(alice, "10.0.0.12")); !strings.Contains(trace.String(), "10.0.0.12/24 of IP range 10.0.0.10-10.0.0.13 (id 2)") {
		t.Errorf("explained without the range:\n%s", trace)
	}
}

// N-14, R-2: the mask is that of the range, or of the network for lone hosts.
func TestTheMaskOfARange(t *testing.T) {
	for bits, want := range map[int]string{24: "10.0.0.10/24", 25: "10.0.0.10/25", 32: "10.0.0.10/24", 0: "10.0.0.10/24"} {
		o := newWorld(prefix("10.0.0.0/24"), asRanges(), dynamic("10.0.0.10-10.0.0.13/24"))
		for _, r := range o.Ranges {
			r.Bits = bits
		}
		s, _ := ipam.Build(o, worldOptions)
		newRig(t, newMemStore(), s).expect(discover(alice), "OFFER D-1 "+want+" new")
	}
}

// N-14, I-5, N-5: network and broadcast address, and those of relay (.1) and server
// (.2), are not leased.
func TestARangeOfAWholeNetwork(t *testing.T) {
	s := snapshot(t, worldOptions, prefix("10.0.0.0/29"), asRanges(), dynamic("10.0.0.0-10.0.0.7/29"))
	r := newRig(t, newMemStore(), s)
	for i, want := range []string{"10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"} {
		r.expect(discover(nth(i)), "OFFER D-1 "+want+"/29 new")
		r.expect(selecting(nth(i), want), "ACK D-4 "+want+"/29 new")
	}
	r.expect(discover(bob), "silent D-2 pool_empty")
}

// N-14, S-11: an object that people make on a leased address waits for the end of the
// lease, and so does one without the tag that no machine has.
func TestAnObjectOnALeasedAddressOfARange(t *testing.T) {
	parts := []part{prefix("10.0.0.0/24"), asRanges(), dynamic("10.0.0.10-10.0.0.13/24")}
	r := newRig(t, newMemStore(bound("10.0.0.10", alice, 30*time.Minute)), snapshot(t, worldOptions, parts...))
	r.expect(renewing(alice, "10.0.0.10"), "ACK D-12 10.0.0.10/24 bound")
	left := r.now.Add(30 * time.Minute)
	r.SetSnapshot(snapshot(t, worldOptions, append(parts, device("web", port("eth0", string(web), on("10.0.0.10/24"))))...))
	d := r.handle(renewing(alice, "10.0.0.10"))
	if d.Verdict != Ack || d.Reason != ReasonTakenAway {
		t.Errorf("the client of the lease gets %s", brief(d))
	}
	if got := r.handle(discover(web)); got.Addr.Addr() == netip.MustParseAddr("10.0.0.10") {
		t.Errorf("the owner gets %s while the lease runs, until %s", brief(got), left)
	}
	r.now = r.now.Add(2 * time.Hour)
	r.Confirm(r.now, 0)
	r.expect(discover(web), "OFFER D-1 10.0.0.10/24 static")
}

// N-18, T-1: a range that vanished serves its leases, gives no new one, and no client
// gets a NAK for it.
func TestARangeThatVanished(t *testing.T) {
	o := newWorld(prefix("10.0.0.0/24"), asRanges(), dynamic("10.0.0.10-10.0.0.13/24"))
	for _, r := range o.Ranges {
		r.Loss = ipam.Lost
	}
	s, _ := ipam.Build(o, worldOptions)
	r := newRig(t, newMemStore(bound("10.0.0.10", alice, time.Hour)), s)
	r.SetAuthority(Authoritative)
	r.expect(renewing(alice, "10.0.0.10"), "ACK D-12 10.0.0.10/24 bound")
	r.expect(discover(bob), "silent D-2 pool_empty")
	if d := r.handle(request(bob, wants("10.0.0.11"))); d.Verdict == Nak {
		t.Errorf("a client of a range that vanished gets %s", brief(d))
	}
}

// S-17: NetBox is told of a lease in a range only where that makes an object.
func TestLeasesInRangesThatNetBoxIsToldOf(t *testing.T) {
	for _, c := range []struct {
		make bool
		want int
	}{{false, 1}, {true, 2}} {
		s := snapshot(t, worldOptions, prefix("10.0.0.0/24"), asRanges(), dynamic("10.0.0.10-10.0.0.13/24"), dynamic("10.0.0.11/24"))
		r := newRig(t, newMemStore(), s, func(config *Config) { config.MakeObjects = c.make })
		for client, addr := range map[ClientID]string{alice: "10.0.0.10", bob: "10.0.0.11"} {
			r.handle(discover(client, wants(addr)))
			r.expect(selecting(client, addr), "ACK D-4 "+addr+"/24 new")
		}
		if got := len(r.Unsynced(-1)); got != c.want {
			t.Errorf("objects are made: %v: %d leases to tell, want %d", c.make, got, c.want)
		}
	}
}

// N-14, B-13: ranges and tagged addresses are counted alike.
func TestUsageOfRanges(t *testing.T) {
	parts := []part{prefix("10.0.0.0/24"), prefix("10.1.0.0/24"), dynamic("10.0.0.10-10.0.0.29/24"), dynamic("10.1.0.10-10.1.0.19/24"), dynamic("10.0.0.40/24")}
	leases := []Lease{bound("10.0.0.10", alice, time.Hour), released("10.0.0.11", bob, time.Hour), quarantined("10.1.0.12", time.Hour), bound("10.0.0.40", carol, time.Hour)}
	var counts [2][]Usage
	for i, more := range [][]part{nil, {asRanges()}} {
		r := newRig(t, newMemStore(leases...), snapshot(t, worldOptions, append(more, parts...)...))
		r.SetOwn(map[netip.Addr]bool{netip.MustParseAddr("10.0.0.20"): true})
		r.handle(discover(web))
		counts[i] = r.Usage()
	}
	if diff := cmp.Diff(counts[0], counts[1], cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" || len(counts[0]) != 2 {
		t.Errorf("tagged addresses and ranges differ (-tagged +range):\n%s", diff)
	}
}

// N-14: lease.pick: hash spreads the clients of a range, and each finds the address
// again; a pool of millions is searched as fast as a small one.
func TestHashPickInARange(t *testing.T) {
	s := snapshot(t, worldOptions, prefix("10.0.0.0/8"), asRanges(), dynamic("10.0.0.10-10.15.255.250/8"))
	r := newRig(t, newMemStore(), s, policy(func(p *Policy) { p.Pick = Hash }))
	seen := make(map[netip.Addr]bool)
	for i := range 50 {
		d := r.handle(discover(stranger(i)))
		if d.Verdict != Offer || seen[d.Addr.Addr()] {
			t.Fatalf("client %d gets %s", i, brief(d))
		}
		seen[d.Addr.Addr()] = true
	}
	if n := len(r.facts.Leases.pools[0].free.nodes); n > 50*22 {
		t.Errorf("%d nodes for 50 offers", n)
	}
}

// S-17, S-11, N-15, N-16, N-18: an object that was made for a lease is no way around
// what became of its range: no other client gets it, and its lease is not extended.
func TestAnObjectThatWasMadeForALeaseGoesWithItsRange(t *testing.T) {
	ofRange := func(change func(*ipam.Range)) part {
		return func(w *world) {
			for _, r := range w.o.Ranges {
				change(r)
			}
		}
	}
	for name, c := range map[string]struct {
		change part
		renews string
	}{
		"it is a pool":             {ofRange(func(*ipam.Range) {}), "ACK D-12 10.0.0.10/24 bound"},
		"deleted":                  {func(w *world) { clear(w.o.Ranges) }, "ACK D-12 10.0.0.10/24 taken_away"},
		"no longer marked":         {ofRange(func(r *ipam.Range) { r.Tags = nil }), "ACK D-12 10.0.0.10/24 taken_away"},
		"a scope of Windows now":   {ofRange(func(r *ipam.Range) { r.Managed = true }), "ACK D-12 10.0.0.10/24 taken_away"},
		"smaller prefixes hold it": {func(w *world) { prefix("10.0.0.10/31")(w); prefix("10.0.0.12/30")(w) }, "ACK D-12 10.0.0.10/24 taken_away"},
		"it vanished":              {ofRange(func(r *ipam.Range) { r.Loss = ipam.Lost }), "ACK D-12 10.0.0.10/24 bound"},
	} {
		t.Run(name, func(t *testing.T) {
			s := snapshot(t, worldOptions, prefix("10.0.0.0/24"), asRanges(), dynamic("10.0.0.10-10.0.0.12/24"), dynamic("10.0.0.10/24", made()), c.change)
			r := newRig(t, newMemStore(bound("10.0.0.10", alice, 30*time.Minute)), s)
			r.SetAuthority(Authoritative)
			d := r.expect(renewing(alice, "10.0.0.10"), c.renews)
			if ends := strings.HasSuffix(c.renews, "taken_away"); ends != (d.Time <= 30*time.Minute) {
				t.Errorf("confirmed for %s", d.Time)
			}
			r.now = r.now.Add(3 * time.Hour)
			r.Confirm(r.now, 0)
			want := "silent D-2 pool_empty"
			if name == "it is a pool" {
				want = "OFFER D-1 10.0.0.10/24 new"
			}
			r.expect(discover(bob, wants("10.0.0.10")), want)
			if err := r.facts.Leases.verify(); err != nil {
				t.Error(err)
			}
		})
	}
}
