package lease

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// D-26: where the server cannot tell RENEWING from REBINDING, ciaddr is trusted and
// only the binding is checked.
func TestStockServerTrustsTheClientsAddress(t *testing.T) {
	r := newRig(t, newMemStore(bound("10.9.0.12", alice, time.Hour)),
		snapshot(t, worldOptions, append(office(), dynamic("10.9.0.12/24"))...))
	stock := func(m *ClientMessage) { m.Delivery, m.Relay = DeliveryUnknown, optionalAddr("") }
	r.expect(request(alice, has("10.9.0.12"), stock), "ACK D-12 10.9.0.12/24")
	r.expect(request(bob, has("10.9.0.12"), stock), "silent D-13")
	// Clients that add a server identifier while renewing are no exception (D-6).
	r.expect(request(alice, has("10.9.0.12"), to(serverAddr), stock), "ACK D-12 10.9.0.12/24")
	r.expect(renewing(alice, "10.9.0.12", to(serverAddr), at("eth0", "10.0.0.2"), unicast()), "ACK D-12 10.9.0.12/24")
}

// D-3: the hold for a client that chose another server is dropped.
func TestChoosingAnotherServerFreesTheOffer(t *testing.T) {
	r := newRig(t, newMemStore(), snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10/24")))
	r.expect(discover(alice), "OFFER D-1 10.0.0.10/24")
	r.exhausted(discover(bob))
	r.expect(request(alice, to(otherAddr), wants("10.0.0.10")), "silent D-3")
	r.expect(discover(bob), "OFFER D-1 10.0.0.10/24")
}

// the identifier a relay put into our replies is ours too, and so is the
// real one.
func TestServerIdentifierOverrideIsOurs(t *testing.T) {
	r := newRig(t, newMemStore(), snapshot(t, worldOptions, office()...))
	override := func(m *ClientMessage) { m.Override = optionalAddr("10.0.0.254") }
	r.expect(selecting(alice, "10.0.0.10", override), "ACK D-4")
	r.expect(selecting(bob, "10.0.0.11", override, to(optionalAddr("10.0.0.254"))), "ACK D-4")
	r.expect(selecting(carol, "10.0.0.12", override, to(otherAddr)), "silent D-3")
	r.expect(selecting(carol, "10.0.0.12", nameless(), override, to(optionalAddr("10.0.0.254"))), "ACK D-4")
	r.expect(message(Release, alice, has("10.0.0.10"), override, to(optionalAddr("10.0.0.254"))), "accepted, no reply D-19")
}

// D-27: a client that has become static keeps its dynamic address until it
// asks, is then refused and gets the static one.
func TestClientMovesFromDynamicToStatic(t *testing.T) {
	r := newRig(t, newMemStore(), snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10/24")))
	r.SetAuthority(Authoritative)
	r.expect(discover(web), "OFFER D-1 10.0.0.10/24")
	r.expect(selecting(web, "10.0.0.10"), "ACK D-4 10.0.0.10/24")
	r.SetSnapshot(snapshot(t, worldOptions, append(office(), prefix("10.0.0.0/24"))...))
	r.expect(discover(bob), "OFFER D-1 10.0.0.11/24") // .10 is still in use
	r.expect(renewing(web, "10.0.0.10"), "NAK D-13")
	r.expect(discover(web), "OFFER D-1 10.0.0.5/24 static")
	r.expect(selecting(web, "10.0.0.5"), "ACK D-4 10.0.0.5/24 static")
}

// H-1 and H-4: nothing is known yet, or what is known is too old for anything
// but what is the client's own.
func TestSilenceWithoutAFreshSnapshot(t *testing.T) {
	messages := []ClientMessage{
		discover(web), selecting(web, "10.0.0.5"), request(web, wants("10.9.0.5")), renewing(web, "10.0.0.5"),
		message(Inform, web, has("10.0.0.5"), unicast()), message(BOOTP, web),
	}
	r := newRig(t, newMemStore(), nil)
	r.SetAuthority(Authoritative)
	for _, m := range messages {
		r.expect(m, "silent H-1 no_snapshot")
	}
	r.SetSnapshot(snapshot(t, worldOptions, office()...))
	r.expect(discover(web), "OFFER D-1") // a source that cannot go stale
	r.Confirm(start, 0)
	r.now = start.Add(24 * time.Hour)
	r.expect(discover(web), "OFFER D-1")
	r.now = r.now.Add(time.Second)
	for i, want := range []string{"OFFER D-1", "ACK D-4", "silent H-4 stale", "ACK D-12", "ACK (inform) D-21", "BOOTREPLY D-23"} {
		r.expect(messages[i], want)
	}
	r.Confirm(r.now, 0)
	r.expect(request(web, wants("10.9.0.5")), "NAK D-7")
}

// S-6: a second server lets the first one answer.
func TestStandbyWaitsForSecs(t *testing.T) {
	r := newRig(t, newMemStore(), snapshot(t, worldOptions, office()...), policy(func(p *Policy) { p.Standby = 4 * time.Second }))
	waited := func(d time.Duration) field { return func(m *ClientMessage) { m.Waited = d } }
	r.expect(discover(web, waited(3*time.Second)), "silent S-6 standby")
	r.expect(discover(web, waited(4*time.Second)), "OFFER D-1")
	r.expect(selecting(web, "10.0.0.5"), "ACK D-4") // only DISCOVER waits
}

// P-12: dynamic.allow_unknown false serves only what NetBox knows.
func TestUnknownClientsGetNothingIfNotAllowed(t *testing.T) {
	s := snapshot(t, worldOptions, append(office(), device("nas", port("eth0", string(bob))))...)
	store := newMemStore(bound("10.0.0.12", alice, time.Hour), bound("10.0.0.13", bob, time.Hour))
	r := newRig(t, store, s, policy(func(p *Policy) { p.AllowUnknown = false }))
	r.SetAuthority(Authoritative)
	r.expect(discover(alice), "silent D-2 unknown_client")
	r.expect(selecting(alice, "10.0.0.12"), "NAK D-5 unknown_client")
	r.expect(request(alice, wants("10.0.0.12")), "NAK D-10 unknown_client")
	r.expect(renewing(alice, "10.0.0.12"), "NAK D-13 unknown_client")
	r.expect(discover(bob), "OFFER D-1 10.0.0.13/24")
	r.expect(renewing(bob, "10.0.0.13"), "ACK D-12 10.0.0.13/24")
	r.expect(discover(web), "OFFER D-1 10.0.0.5/24 static")
}

// The key of a quarantined address is the key of no client, and no client is
// nameless (I-2).
func TestImpossibleClientKeysAreMalformed(t *testing.T) {
	r := newRig(t, newMemStore(quarantined("10.0.0.12", time.Hour)), snapshot(t, worldOptions, office()...))
	for _, key := range []ClientID{Declined, ""} {
		r.expect(message(Discover, key), "silent I-2 malformed")
		r.expect(selecting(key, "10.0.0.12"), "silent I-2 malformed")
	}
}

// the mask is that of the address object, or that of N for a lone host.
func TestMaskComesFromTheAddressObject(t *testing.T) {
	for _, c := range []struct{ name, object, want string }{
		{"same as the prefix", "10.0.0.5/24", "10.0.0.5/24"},
		{"lone host", "10.0.0.5/32", "10.0.0.5/24"},
		{"shorter than the prefix", "10.0.0.5/16", "10.0.0.5/16"},
		{"longer than the prefix", "10.0.0.5/25", "10.0.0.5/25"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, newMemStore(), snapshot(t, worldOptions,
				prefix("10.0.0.0/24"), device("web1", port("eth0", string(web), on(c.object)))))
			r.expect(discover(web), "OFFER D-1 "+c.want)
			r.expect(selecting(web, "10.0.0.5"), "ACK D-4 "+c.want)
			_, trace := r.Explain(discover(web))
			if noted := hasStep(trace, "R-2"); noted != (c.want != "10.0.0.5/24") {
				t.Errorf("mismatch noted: %v", noted)
			}
		})
	}
	r := newRig(t, newMemStore(), snapshot(t, worldOptions,
		prefix("10.0.0.5/32"), device("web1", port("eth0", string(web), on("10.0.0.5/32")))))
	r.expect(discover(web, via("10.0.0.5")), "OFFER D-1 10.0.0.5/32")
}

//
func TestLeaseTimeIsTheClampedWish(t *testing.T) {
	r := newRig(t, newMemStore(), snapshot(t, worldOptions, office()...))
	for _, c := range []struct {
		name       string
		wish, want time.Duration
	}{
		{"none", 0, time.Hour},
		{"within bounds", 30 * time.Minute, 30 * time.Minute},
		{"too short", time.Second, 5 * time.Minute},
		{"too long", 48 * time.Hour, 12 * time.Hour},
		{"infinite", 0xffffffff * time.Second, 12 * time.Hour},
	} {
		for _, m := range []ClientMessage{
			message(Release, alice, has("10.0.0.10")), discover(alice, asking(c.wish)), selecting(alice, "10.0.0.10", asking(c.wish)),
			discover(web, asking(c.wish)), selecting(web, "10.0.0.5", asking(c.wish)),
		} {
			if got := r.handle(m).Time; got != c.want && m.Type != Release {
				t.Errorf("%s: %s from %s for %s, want %s", c.name, m.Type, m.Client, got, c.want)
			}
		}
		want := start.Add(c.want)
		if got := r.store.get("10.0.0.10").Expires; got.Before(want) || got.After(want.Add(time.Second)) || got.Nanosecond() != 0 {
			t.Errorf("%s: stored until %s, want %s rounded up", c.name, got, want)
		}
	}
}

// A shorter ACK may get lost: the client then goes by the longer one it has, and
// the address must not be free before.
func TestShorterLeaseTimeDoesNotShortenTheStoredLease(t *testing.T) {
	r := newRig(t, newMemStore(), snapshot(t, worldOptions, office()...))
	r.expect(selecting(alice, "10.0.0.10", asking(3*time.Hour)), "ACK D-4")
	longer := r.store.get("10.0.0.10").Expires
	if d := r.expect(renewing(alice, "10.0.0.10", asking(time.Hour)), "ACK D-12"); d.Time != time.Hour {
		t.Errorf("acknowledged for %s, want what was asked for", d.Time)
	}
	if got := r.store.get("10.0.0.10").Expires; !got.Equal(longer) {
		t.Errorf("stored until %s, want still %s", got, longer)
	}
	// A release ends it at once.
	r.expect(message(Release, alice, has("10.0.0.10")), "accepted, no reply D-19")
	r.expect(selecting(alice, "10.0.0.10", asking(time.Hour)), "ACK D-4")
	if got, want := r.store.get("10.0.0.10").Expires, start.Add(time.Hour+time.Second); got.After(want) {
		t.Errorf("stored until %s, want about %s", got, want)
	}
}

// A decision carries what the option plugins need (L-15).
func TestDecisionNamesNetworkAndMachine(t *testing.T) {
	r := newRig(t, newMemStore(), snapshot(t, worldOptions, office()...))
	for _, m := range []ClientMessage{
		discover(web), selecting(web, "10.0.0.5"), message(Inform, web, has("10.0.0.5"), unicast()), message(BOOTP, web),
		selecting(web, "10.0.0.10"), // refused
	} {
		d := r.handle(m)
		if d.Subnet == nil || d.Subnet.Prefix.Prefix.String() != "10.0.0.0/24" || d.Interface == nil || d.Interface.Name != "eth0" || d.Machine == nil || d.Machine.Name != "web1" {
			t.Errorf("%s: network %v, interface %v, machine %v", m.Type, d.Subnet, d.Interface, d.Machine)
		}
	}
	if d := r.handle(discover(alice)); d.Subnet == nil || d.Interface != nil || d.Machine != nil {
		t.Errorf("unknown client: network %v, interface %v, machine %v", d.Subnet, d.Interface, d.Machine)
	}
}

// Traces name NetBox objects as its pages show them.
func TestTraceNamesNetBoxObjects(t *testing.T) {
	r := newRig(t, newMemStore(bound("10.0.0.12", bob, time.Hour)), snapshot(t, worldOptions, append(office(),
		device("twin1", port("eth0", string(carol), on("10.0.0.6/24"))),
		virtual("twin2", port("ens3", string(carol), on("10.0.0.7/24"))))...))
	for _, c := range []struct {
		message ClientMessage
		want    []string
	}{
		{discover(web), []string{"relay address 10.0.0.1 is in prefix 10.0.0.0/24 (id 1, global table)", "52:54:00:00:00:EB is device web1 interface eth0", "OFFER static: IP address 10.0.0.5/24 (id "}},
		{discover(alice), []string{"no interface in NetBox has MAC 52:54:00:00:00:0A", "never used: 10.0.0.10"}},
		{discover(carol), []string{"is on device twin1 interface eth0 and on virtual machine twin2 interface ens3, and both own an address here: no answer"}},
		{selecting(alice, "10.0.0.12"), []string{"10.0.0.12 may not be given: taken", "refused silently"}},
		{discover(alice, via("172.16.0.1")), []string{"relay address 172.16.0.1: no active or reserved prefix holds the address"}},
	} {
		_, trace := r.Explain(c.message)
		for _, want := range c.want {
			if !strings.Contains(trace.String(), want) {
				t.Errorf("%s from %s: no %q in\n%s", c.message.Type, c.message.Client, want, trace)
			}
		}
	}
}

func hasStep(trace *Trace, rule string) bool {
	return slices.ContainsFunc(trace.Steps, func(s Step) bool { return s.Rule == rule })
}

// Decide changes nothing: the same input gives the same output, with and
// without a trace.
func TestDecideIsPure(t *testing.T) {
	r := newRig(t, newMemStore(bound("10.0.0.12", alice, time.Hour)), snapshot(t, worldOptions, office()...))
	for _, row := range decisionTable {
		first, second := Decide(&r.facts, &row.message, r.now, nil), Decide(&r.facts, &row.message, r.now, new(Trace))
		if diff := cmp.Diff(first, second, cmp.Comparer(func(a, b Decision) bool { return a == b })); diff != "" {
			t.Errorf("%s: %s", row.name, diff)
		}
	}
	if r.store.written() != 0 || len(r.facts.Leases.holds) != 0 {
		t.Error("something was written or held")
	}
}
