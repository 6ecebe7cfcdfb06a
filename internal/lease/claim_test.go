package lease

import (
	"testing"
	"time"
)

// what a client may be given when it accepts an offer, whether or not this
// server still knows of the offer.
func TestAddressesThatMayBeClaimed(t *testing.T) {
	const addr = "10.0.0.10"
	for name, c := range map[string]struct {
		stored  []Lease
		prepare func(*rig)
		want    string
	}{
		"never used":                       {want: "ACK D-4 10.0.0.10/24 new"},
		"its own, running":                 {stored: []Lease{bound(addr, alice, time.Hour)}, want: "ACK D-4 10.0.0.10/24 bound"},
		"its own, expired":                 {stored: []Lease{bound(addr, alice, -time.Hour)}, want: "ACK D-4 10.0.0.10/24 bound"},
		"another's, running":               {stored: []Lease{bound(addr, bob, time.Hour)}, want: "silent D-5 taken"},
		"another's, expired":               {stored: []Lease{bound(addr, bob, -time.Hour)}, want: "ACK D-4 10.0.0.10/24 new"},
		"another's, expired a moment ago":  {stored: []Lease{bound(addr, bob, -time.Second)}, want: "silent D-5 taken"},
		"another's, released":              {stored: []Lease{released(addr, bob, time.Hour)}, want: "ACK D-4 10.0.0.10/24 new"},
		"in quarantine":                    {stored: []Lease{quarantined(addr, time.Hour)}, want: "silent D-5 taken"},
		"offered to another":               {prepare: func(r *rig) { r.expect(discover(bob, wants(addr)), "OFFER D-1 10.0.0.10/24") }, want: "silent D-34 offered"},
		"offered to it by a server before": {want: "ACK D-4 10.0.0.10/24 new"},
		"offered to it until a moment ago": {prepare: func(r *rig) { r.expect(discover(alice), "OFFER D-1"); r.now = r.now.Add(time.Minute) }, want: "ACK D-4 10.0.0.10/24 new"},
		"offered to another before it went": {prepare: func(r *rig) {
			r.expect(discover(bob, wants(addr)), "OFFER D-1")
			r.now = r.now.Add(2 * time.Minute)
			r.invite(alice)
		}, want: "ACK D-4 10.0.0.10/24 new"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, newMemStore(c.stored...), snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10-10.0.0.11/24")))
			if c.prepare != nil {
				c.prepare(r)
			}
			r.expect(selecting(alice, addr), c.want)
		})
	}
}

// S-8: an ended lease stays known as its client's until the address goes to
// another client, and goes to the one that ended first.
func TestEndedLeasesAreReusedLazilyOldestFirst(t *testing.T) {
	r := newRig(t, newMemStore(
		bound("10.0.0.10", alice, -time.Hour), bound("10.0.0.11", bob, -3*time.Hour), released("10.0.0.12", carol, 2*time.Hour),
	), snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10-10.0.0.12/24")))
	r.expect(discover(nth(1)), "OFFER D-1 10.0.0.11/24 new")
	r.expect(discover(nth(2)), "OFFER D-1 10.0.0.12/24 new")
	r.expect(discover(alice), "OFFER D-1 10.0.0.10/24 bound") // still hers
	if got, want := r.store.get("10.0.0.11"), bound("10.0.0.11", bob, -3*time.Hour); got != want {
		t.Errorf("an OFFER changed the stored lease to %+v", got)
	}
	r.expect(selecting(nth(1), "10.0.0.11"), "ACK D-4 10.0.0.11/24 new")
	if got := r.store.get("10.0.0.11"); got.Client != nth(1) {
		t.Errorf("the lease is still %s's after the ACK", got.Client)
	}
}

// with clients.bind_interface a lease remembers the interface it is
// assigned to, but not an assignment that people made.
func TestAssignmentsOfPeopleAreNotOurs(t *testing.T) {
	bind := policy(func(p *Policy) { p.BindInterface = true })
	for name, c := range map[string]struct {
		assigned bool
		want     bool
	}{"unassigned address": {false, true}, "address that people assigned": {true, false}} {
		t.Run(name, func(t *testing.T) {
			parts := []part{prefix("10.0.0.0/24"), dynamic("10.0.0.10-10.0.0.10/24"), device("web1", port("eth0", string(alice)))}
			if c.assigned {
				parts = []part{prefix("10.0.0.0/24"), device("web1", port("eth0", string(alice), on("10.0.0.10/24", tagged())))}
			}
			r := newRig(t, newMemStore(), snapshot(t, worldOptions, parts...), bind)
			r.expect(selecting(alice, "10.0.0.10"), "ACK D-4 10.0.0.10/24")
			if got := r.store.get("10.0.0.10").InterfaceID != 0; got != c.want {
				t.Errorf("interface remembered: %v, want %v", got, c.want)
			}
		})
	}
}
