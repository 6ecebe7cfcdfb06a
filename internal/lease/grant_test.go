package lease

import (
	"fmt"
	"strings"
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
	r := newRig(t, newMemStore(), snapshot(t, worldOptions, parts...))
	for i, want := range []string{
		"10.0.0.31", "10.0.0.32", "10.0.0.33", "10.0.0.34", "10.0.0.35", // never used, lowest first (P-7)
		"10.0.0.22",              // at an unknown time, which counts as the oldest (P-5)
		"10.0.0.20", "10.0.0.21", // least recently ended
	} {
		r.expect(discover(nth(i)), "OFFER D-1 "+want+"/24 new")
	}
	r.expect(discover(nth(20)), "silent D-2 pool_empty")
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
		{"somebody's static address", "10.0.0.5", "10.0.0.10"},
		{"the gateway", "10.0.0.1", "10.0.0.10"},
		{"an address that does not exist", "10.0.0.77", "10.0.0.10"},
		{"an address of another network (P-2)", "10.9.0.10", "10.0.0.10"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, store, snapshot(t, worldOptions, parts...))
			r.expect(discover(alice, wants(c.wish)), "OFFER D-1 "+c.want+"/24 new")
		})
	}
	// An ended lease of somebody else is there to give, past the grace.
	r := newRig(t, store, snapshot(t, worldOptions, parts...))
	r.now = start.Add(10 * time.Second)
	r.expect(discover(alice, wants("10.0.0.13")), "OFFER D-1 10.0.0.13/24 new")
}

// an OFFER makes a hold; a client that asks again gets the same one.
func TestOffersAreHeld(t *testing.T) {
	r := newRig(t, newMemStore(), snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10-10.0.0.11/24")))
	r.expect(discover(alice), "OFFER D-1 10.0.0.10/24")
	r.expect(discover(alice, wants("10.0.0.11")), "OFFER D-1 10.0.0.10/24") // reused
	r.expect(discover(bob), "OFFER D-1 10.0.0.11/24")
	r.expect(discover(carol), "silent D-2 pool_empty")
	r.now = start.Add(59 * time.Second)
	r.expect(discover(alice), "OFFER D-1 10.0.0.10/24") // held for another minute
	r.now = start.Add(61 * time.Second)
	r.expect(discover(carol), "OFFER D-1 10.0.0.11/24") // bob's lapsed
	r.expect(selecting(bob, "10.0.0.11"), "silent D-5 taken")
	r.now = start.Add(90 * time.Second)
	r.expect(selecting(alice, "10.0.0.10"), "ACK D-4 10.0.0.10/24")
	if n := len(r.store.writes); n != 1 {
		t.Errorf("%d writes, want one: OFFERs write nothing (P-6, S-10)", n)
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
	s := snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10-10.0.0.59/24"))
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
	r.expect(discover(nth(50)), "silent D-2 pool_empty")
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

// a declined dynamic address is left alone by everybody, as long as the
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
	r.expect(renewing(alice, "10.0.0.10"), "NAK D-13")
	r.expect(discover(alice, wants("10.0.0.10")), "OFFER D-1 10.0.0.11/24")
	r.expect(discover(bob), "silent D-2 pool_empty")
	r.now = start.Add(24*time.Hour + 10*time.Second)
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

// a declined static address is not offered for a minute. Nothing is
// written.
func TestDeclinedStaticAddressBacksOff(t *testing.T) {
	r := newRig(t, newMemStore(), snapshot(t, worldOptions, office()...))
	d := r.expect(message(Decline, web, wants("10.0.0.5")), "accepted, no reply D-17 10.0.0.5/24")
	if !d.Static || d.Machine == nil || d.Machine.Name != "web1" {
		t.Errorf("declined static address of %v, static %v: nothing to name the device by", d.Machine, d.Static)
	}
	r.expect(discover(web), "silent A-5 declined_static")
	r.now = start.Add(59 * time.Second)
	r.expect(discover(web), "silent A-5 declined_static")
	r.now = start.Add(60 * time.Second)
	r.expect(discover(web), "OFFER D-1 10.0.0.5/24 static")
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
	r.expect(discover(alice), "silent D-2 pool_empty") // offered to bob meanwhile
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
// leased only if both say so, whoever asks and however.
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
