package lease

import (
	"testing"
	"time"
)

// given is a NetBox in which the dynamic address 10.0.0.10 has become the static
// address of web.
func given(components ...component) []part {
	if components == nil {
		components = []component{port("eth0", string(web), on("10.0.0.10/24"))}
	}
	return []part{prefix("10.0.0.0/24"), address("10.0.0.1/24", gateway()), dynamic("10.0.0.11-10.0.0.19/24"), device("web1", components...)}
}

// S-11: a static address that another client is leasing waits for the end of
// that lease. Its owner is served from the pool, the lease is not extended, and
// no moment has two clients on the address.
func TestAStaticAddressWaitsForTheLeaseOnIt(t *testing.T) {
	r := newRig(t, newMemStore(), snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10-10.0.0.19/24"), device("web1", port("eth0", string(web)))))
	r.SetAuthority(Authoritative)
	r.expect(discover(alice), "OFFER D-1 10.0.0.10/24 new")
	r.expect(selecting(alice, "10.0.0.10"), "ACK D-4 10.0.0.10/24 new")
	r.SetSnapshot(snapshot(t, worldOptions, given()...)) // the operator takes the tag off and assigns it

	d := r.expect(discover(web), "OFFER D-1 10.0.0.11/24 new")
	if d.Passed.Why != PassedLeased || d.Passed.Holder != alice || d.Passed.Port == nil || !d.Passed.Until.Equal(start.Add(time.Hour).Truncate(time.Second).Add(time.Second)) {
		t.Errorf("passed over: %+v", d.Passed)
	}
	r.expect(selecting(web, "10.0.0.10"), "NAK D-5 taken")
	r.expect(request(web, wants("10.0.0.10")), "NAK D-10 taken")
	r.expect(renewing(web, "10.0.0.10"), "NAK D-13 taken")
	r.expect(selecting(web, "10.0.0.11"), "ACK D-4 10.0.0.11/24 new")
	r.expect(message(BOOTP, web), "silent D-24")

	r.now = start.Add(30 * time.Minute)
	if d := r.expect(renewing(alice, "10.0.0.10"), "ACK D-12 10.0.0.10/24 taken_away"); d.Time != 30*time.Minute {
		t.Errorf("confirmed for %s, want what is left", d.Time)
	}
	r.expect(renewing(web, "10.0.0.11"), "ACK D-12 10.0.0.11/24 bound") // D-27 does not hold yet
	if got := r.store.get("10.0.0.10").Expires; got.After(start.Add(time.Hour + time.Second)) {
		t.Errorf("the lease was extended to %s", got)
	}
	r.now = start.Add(time.Hour - 30*time.Second)
	r.expect(renewing(alice, "10.0.0.10"), "silent D-12 taken_away")
	r.now = start.Add(time.Hour + 5*time.Second) // within the grace
	r.expect(discover(web), "OFFER D-1 10.0.0.11/24 bound")
	r.now = start.Add(time.Hour + 12*time.Second)
	r.expect(renewing(web, "10.0.0.11"), "NAK D-13 wrong_address") // D-27: it moves now
	r.expect(discover(web), "OFFER D-1 10.0.0.10/24 static")
	r.expect(selecting(web, "10.0.0.10"), "ACK D-4 10.0.0.10/24 static")
	r.expect(renewing(alice, "10.0.0.10"), "NAK D-13 not_dynamic")
}

// S-11: what does not make a static address wait, and what its owner gets
// meanwhile.
func TestWhoWaits(t *testing.T) {
	const now = "OFFER D-1 10.0.0.10/24 static"
	const pool = "OFFER D-1 10.0.0.11/24 new"
	owned := func(edits ...edit) []component {
		return []component{port("eth0", string(web), on("10.0.0.10/24", edits...))}
	}
	for _, c := range []struct {
		name   string
		leases []Lease
		of     []component
		want   string
	}{
		{"no lease", nil, owned(), now},
		{"a running lease", []Lease{bound("10.0.0.10", alice, time.Hour)}, owned(), pool},
		{"a running lease that only NetBox shows", nil, owned(record(alice, time.Hour)), pool},
		{"a lease that has ended", []Lease{bound("10.0.0.10", alice, -time.Minute)}, owned(), now},
		{"a lease that was released", []Lease{released("10.0.0.10", alice, 0)}, owned(), now},
		{"its own lease of before", []Lease{bound("10.0.0.10", web, time.Hour)}, owned(), now},
		{"the record of another MAC of the port", nil, []component{port("eth0", string(web)+" "+string(alice), on("10.0.0.10/24", record(alice, time.Hour)))}, now},
		{"the lease of a member of the aggregate", []Lease{bound("10.0.0.10", alice, time.Hour)},
			[]component{port("bond0", string(web), on("10.0.0.10/24")), member("bond0", "eth0", string(web)), member("bond0", "eth1", string(alice))}, now},
		{"a record that ends never", nil, owned(unreadable(string(alice))), now},
		{"a quarantine", []Lease{quarantined("10.0.0.10", time.Hour)}, owned(), now},
		{"another static address beside it", []Lease{bound("10.0.0.10", alice, time.Hour)},
			[]component{port("eth0", string(web), on("10.0.0.10/24"), on("10.0.0.5/24"))}, "OFFER D-1 10.0.0.5/24 static"},
		{"by a bridge", []Lease{bound("10.0.0.10", alice, time.Hour)},
			[]component{bridged("br0", "eth0", string(web)), port("br0", "", on("10.0.0.10/24"))}, pool},
	} {
		t.Run(c.name, func(t *testing.T) {
			newRig(t, newMemStore(c.leases...), snapshot(t, worldOptions, given(c.of...)...)).expect(discover(web), c.want)
		})
	}
	t.Run("the address is on the other subnet of the wire", func(t *testing.T) {
		s := snapshot(t, worldOptions, prefixOn(5, site(1), "10.0.0.0/24"), prefixOn(5, site(1), "10.20.0.0/24"), dynamic("10.0.0.11/24"),
			device("web1", port("eth0", string(web), on("10.0.0.10/24"), on("10.20.0.10/24"))))
		newRig(t, newMemStore(bound("10.0.0.10", alice, time.Hour)), s).expect(discover(web), "OFFER D-1 10.20.0.10/24 static")
		newRig(t, newMemStore(bound("10.20.0.10", alice, time.Hour)), s).expect(request(web, wants("10.20.0.10")), "silent D-9 wrong_address")
	})
}

// lease.static_at_once: the address is given while it is leased, and the
// decision says to whom.
func TestAStaticAddressMayBeGivenAtOnce(t *testing.T) {
	atOnce := policy(func(p *Policy) { p.StaticAtOnce = true })
	r := newRig(t, newMemStore(bound("10.0.0.10", alice, time.Hour)), snapshot(t, worldOptions, given()...), atOnce)
	r.SetAuthority(Authoritative)
	for _, m := range []ClientMessage{discover(web), selecting(web, "10.0.0.10"), renewing(web, "10.0.0.10")} {
		if d := r.handle(m); !d.Static || d.Passed.Why != PassedNothing || d.Passed.Holder != alice {
			t.Errorf("%s: %s, passed over %+v", m.Type, brief(d), d.Passed)
		}
	}
	r.expect(renewing(alice, "10.0.0.10"), "NAK D-13 not_dynamic")
	free := newRig(t, newMemStore(), snapshot(t, worldOptions, given()...), atOnce)
	if d := free.handle(discover(web)); !d.Static || d.Passed != (PassedOver{}) {
		t.Errorf("free: %s, %+v", brief(d), d.Passed)
	}
	gone := newRig(t, newMemStore(bound("10.0.0.200", alice, time.Hour)), snapshot(t, worldOptions, append(given(), address("10.0.0.200/24"))...), atOnce)
	gone.expect(renewing(alice, "10.0.0.200"), "ACK D-12 10.0.0.200/24 taken_away") // it is of no machine
}
