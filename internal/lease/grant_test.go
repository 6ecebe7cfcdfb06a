package lease

import (
	"strings"
	"testing"
	"time"
)

// a declined dynamic address is given to no client, as long as the
// setting says, and then serves again.
func TestDeclinedDynamicAddressIsQuarantined(t *testing.T) {
	r := newRig(t, newMemStore(), snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10-10.0.0.11/24")))
	r.SetAuthority(Authoritative)
	r.expect(discover(alice), "OFFER D-1 10.0.0.10/24")
	r.expect(selecting(alice, "10.0.0.10", named("laptop")), "ACK D-4")
	r.expect(message(Decline, alice, wants("10.0.0.10")), "accepted, no reply D-17")
	want := Lease{Addr: optionalAddr("10.0.0.10"), Client: Declined, State: Quarantined, Expires: start.Add(24 * time.Hour).Truncate(time.Second), Unsynced: true}
	if got := r.store.get("10.0.0.10"); got != want {
		t.Errorf("stored %+v, want %+v", got, want)
	}
	r.expect(request(alice, wants("10.0.0.10")), "NAK D-10")
	r.expect(request(alice, has("10.0.0.10")), "NAK D-13") // by the relay: any client could send that
	r.expect(discover(alice, wants("10.0.0.10")), "OFFER D-1 10.0.0.11/24")
	r.exhausted(discover(bob))
	r.now = start.Add(24*time.Hour + 10*time.Second)
	r.invite(bob)
	r.expect(selecting(bob, "10.0.0.10"), "ACK D-4 10.0.0.10/24")
}

// a declined offer is quarantined too, and the hold is gone.
func TestDeclinedOfferIsQuarantined(t *testing.T) {
	r := newRig(t, newMemStore(), snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10-10.0.0.11/24")))
	r.expect(discover(alice), "OFFER D-1 10.0.0.10/24")
	r.expect(message(Decline, alice, wants("10.0.0.10"), to(serverAddr)), "accepted, no reply D-17")
	r.expect(discover(alice), "OFFER D-1 10.0.0.11/24")
	r.expect(message(Decline, alice, wants("10.0.0.10"), to(serverAddr)), "silent D-18")
}

// a declined static address is still its owner's, in every state. Nothing is
// written.
func TestDeclinedStaticAddressIsStillServed(t *testing.T) {
	r := newRig(t, newMemStore(), snapshot(t, worldOptions, office()...))
	for range 5 {
		r.expect(discover(web), "OFFER D-1 10.0.0.5/24 static")
		r.expect(selecting(web, "10.0.0.5"), "ACK D-4 10.0.0.5/24 static")
		d := r.expect(message(Decline, web, wants("10.0.0.5")), "accepted, no reply D-17 10.0.0.5/24")
		if !d.Static || d.Machine == nil || d.Machine.Name != "web1" {
			t.Errorf("declined static address of %v, static %v: nothing to name the device by", d.Machine, d.Static)
		}
		r.expect(request(web, wants("10.0.0.5")), "ACK D-8 10.0.0.5/24 static")
		r.expect(renewing(web, "10.0.0.5"), "ACK D-12 10.0.0.5/24 static")
	}
	if n := r.store.written(); n != 0 {
		t.Errorf("%d writes, want none", n)
	}
}

// A-4, P-5: RELEASE ends the binding now and remembers the client.
func TestReleaseEndsTheBinding(t *testing.T) {
	r := newRig(t, newMemStore(), snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10/24")))
	r.expect(discover(alice), "OFFER D-1")
	r.expect(selecting(alice, "10.0.0.10", named("laptop")), "ACK D-4")
	r.now = start.Add(time.Minute)
	r.expect(message(Release, alice, has("10.0.0.10"), unicast()), "accepted, no reply D-19")
	want := Lease{Addr: optionalAddr("10.0.0.10"), Client: alice, State: Released, Expires: r.now.Truncate(time.Second), Hostname: "laptop", Unsynced: true}
	if got := r.store.get("10.0.0.10"); got != want {
		t.Errorf("stored %+v, want %+v", got, want)
	}
	r.expect(message(Release, alice, has("10.0.0.10"), unicast()), "silent D-20")
	r.expect(discover(bob), "silent D-2 pool_empty") // within the grace
	r.expect(discover(alice), "OFFER D-1 10.0.0.10/24 bound")
	r.now = r.now.Add(61 * time.Second)
	r.expect(discover(bob), "OFFER D-1 10.0.0.10/24 new")
	r.exhausted(discover(alice)) // offered to bob meanwhile
}

// what is stored for a lease.
func TestStoredLease(t *testing.T) {
	port2 := device("nas", port("eth0", string(carol)))
	for _, c := range []struct {
		name     string
		bind     bool
		leases   []Lease
		messages []ClientMessage
		want     Lease
	}{
		{"an unknown client", true, nil,
			[]ClientMessage{selecting(alice, "10.0.0.12", named("laptop"))},
			Lease{Client: alice, Hostname: "laptop"}},
		{"a known client is not assigned unless asked to", false, nil,
			[]ClientMessage{selecting(carol, "10.0.0.12")},
			Lease{Client: carol}},
		{"a known client, its interface to be assigned", true, nil,
			[]ClientMessage{selecting(carol, "10.0.0.12")},
			Lease{Client: carol, InterfaceKind: 1}},
		{"an absent name does not clear the stored one (R-9)", false, nil,
			[]ClientMessage{selecting(alice, "10.0.0.12", named("laptop")), renewing(alice, "10.0.0.12")},
			Lease{Client: alice, Hostname: "laptop"}},
		{"a new name replaces it", false, nil,
			[]ClientMessage{selecting(alice, "10.0.0.12", named("laptop")), renewing(alice, "10.0.0.12", named("tablet"))},
			Lease{Client: alice, Hostname: "tablet"}},
		{"a new client does not inherit the last one's name", false, []Lease{{
			Addr: optionalAddr("10.0.0.12"), Client: bob, State: Bound, Expires: start.Add(-time.Hour), Hostname: "phone", InterfaceKind: 1, InterfaceID: 99}},
			[]ClientMessage{selecting(alice, "10.0.0.12")},
			Lease{Client: alice}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, newMemStore(c.leases...), snapshot(t, worldOptions, append(office(), port2)...),
				policy(func(p *Policy) { p.BindInterface = c.bind }))
			for _, m := range c.messages {
				if d := r.handle(m); d.Verdict != Ack {
					t.Fatalf("%s: %s", m.Type, brief(d))
				}
			}
			got, want := r.store.get("10.0.0.12"), c.want
			want.Addr, want.State, want.Unsynced = optionalAddr("10.0.0.12"), Bound, true
			want.Expires = start.Add(time.Hour + 500*time.Millisecond).UTC()
			if want.InterfaceKind != 0 {
				want.InterfaceID = r.facts.Snapshot.InterfacesWithMAC(discover(carol).MAC)[0].ID.ID
			}
			if got != want {
				t.Errorf("stored %+v, want %+v", got, want)
			}
		})
	}
}

// P-3, P-9: a prefix without scope or context costs nothing.
func TestPrefixWithoutSiteIsServed(t *testing.T) {
	r := newRig(t, newMemStore(), snapshot(t, worldOptions, office()...))
	if d := r.expect(discover(alice), "OFFER D-1 10.0.0.10/24"); d.Subnet.Config == nil {
		t.Error("no context at all, want an empty one")
	}
}

// P-17: an unreadable expiry means in use, never to be reclaimed.
func TestUnreadableExpiryIsNeverReclaimed(t *testing.T) {
	r := newRig(t, newMemStore(), snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10/24", unreadable(string(bob)))))
	r.now = start.Add(50 * 365 * 24 * time.Hour)
	r.expect(discover(alice), "silent D-2 pool_empty")
	r.invite(alice)
	r.expect(selecting(alice, "10.0.0.10"), "silent D-5 taken")
	r.expect(discover(bob), "OFFER D-1 10.0.0.10/24 bound") // its own
	r.expect(renewing(bob, "10.0.0.10"), "ACK D-12")
}

// P-18: without the tags there is nothing dynamic and no gateway, and static
// clients are served.
func TestMissingTagsCostOnlyWhatTheyMark(t *testing.T) {
	parts := append(office(), func(w *world) { clear(w.o.Tags) })
	r := newRig(t, newMemStore(), snapshot(t, worldOptions, parts...))
	r.expect(discover(alice), "silent D-2 pool_empty")
	r.expect(discover(web), "OFFER D-1 10.0.0.5/24 static")
}

// Decide stays quiet and silent about an address that vanished from NetBox.
func TestLeaseOfADeletedAddressIsNotOffered(t *testing.T) {
	r := newRig(t, newMemStore(bound("10.0.0.77", alice, time.Hour)), snapshot(t, worldOptions, office()...))
	r.expect(discover(alice), "OFFER D-1 10.0.0.10/24 new")
	_, trace := r.Explain(discover(alice))
	if strings.Contains(trace.String(), "10.0.0.77") {
		t.Errorf("trace speaks of an address that does not exist:\n%s", trace)
	}
}

// Two objects for one host, where uniqueness is off in NetBox: the host is
// leased only if both say so, to any client and with any message.
func TestAddressWithTwoObjects(t *testing.T) {
	elsewhere := device("web1", port("eth0", string(web), on("10.0.0.10/24")))
	for _, c := range []struct {
		name  string
		parts []part
		want  string
	}{
		{"dynamic, then static", []part{prefix("10.0.0.0/24"), dynamic("10.0.0.10/24"), elsewhere}, "NAK D-5 not_dynamic"},
		{"static, then dynamic", []part{prefix("10.0.0.0/24"), elsewhere, dynamic("10.0.0.10/24")}, "NAK D-5 not_dynamic"},
		{"dynamic twice, with two masks", []part{prefix("10.0.0.0/24"), dynamic("10.0.0.10/24"), dynamic("10.0.0.10/25")}, "ACK D-4 10.0.0.10/24"},
		{"in another VRF", []part{prefix("10.0.0.0/24"), dynamic("10.0.0.10/24"), address("10.0.0.10/24", inVRF("blue"))}, "ACK D-4 10.0.0.10/24"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, newMemStore(), snapshot(t, worldOptions, c.parts...))
			r.SetAuthority(Authoritative)
			offer := r.handle(discover(alice, wants("10.0.0.10")))
			if leased := strings.HasPrefix(c.want, "ACK"); (offer.Verdict == Offer) != leased {
				t.Errorf("DISCOVER: %s", brief(offer))
			}
			r.expect(selecting(alice, "10.0.0.10"), c.want)
		})
	}
}
