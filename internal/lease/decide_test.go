package lease

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// office is the network of most tests: web has a static address, the rest of
// the addresses is dynamic or nobody's.
func office() []part {
	return []part{
		prefix("10.0.0.0/24"),
		prefix("10.9.0.0/24"),
		address("10.0.0.1/24", gateway()),
		dynamic("10.0.0.10-10.0.0.19/24"),
		address("10.0.0.200/24"), // exists, not dynamic
		device("web1", port("eth0", string(web), on("10.0.0.5/24"))),
	}
}

// tableRow is one situation of table 3.3. own is given where it differs from
// off.
type tableRow struct {
	name           string
	leases         []Lease
	before         []ClientMessage
	message        ClientMessage
	auth, own, off string
}

// bothWays is a row whose answer does not depend on the authority.
func bothWays(name string, leases []Lease, before []ClientMessage, m ClientMessage, want string) tableRow {
	return tableRow{name, leases, before, m, want, "", want}
}

var decisionTable = []tableRow{
	// D-1
	bothWays("DISCOVER of a client with a static address is offered it", nil, nil,
		discover(web), "OFFER D-1 10.0.0.5/24 static"),
	bothWays("DISCOVER of a new client is offered a dynamic address", nil, nil,
		discover(alice), "OFFER D-1 10.0.0.10/24 new"),
	// D-2, I-4, N-4
	bothWays("DISCOVER with an empty pool is silent", leasesOf(bob, "10.0.0.1", 10), nil,
		discover(alice), "silent D-2 pool_empty"),
	bothWays("DISCOVER from a network NetBox does not know is silent", nil, nil,
		discover(alice, via("172.16.0.1")), "silent D-2 no_subnet"),
	// D-3
	bothWays("SELECTING another server is silent", nil, []ClientMessage{discover(alice)},
		request(alice, to(otherAddr), wants("10.0.0.10")), "silent D-3 other_server"),
	// D-4, A-2
	bothWays("SELECTING the offered address is acknowledged", nil, []ClientMessage{discover(alice)},
		selecting(alice, "10.0.0.10"), "ACK D-4 10.0.0.10/24 new"),
	bothWays("SELECTING after the hold was lost in a restart is acknowledged", nil, nil,
		selecting(alice, "10.0.0.15"), "ACK D-4 10.0.0.15/24 new"),
	bothWays("SELECTING the client's own binding is acknowledged", []Lease{bound("10.0.0.12", alice, time.Hour)}, nil,
		selecting(alice, "10.0.0.12"), "ACK D-4 10.0.0.12/24 bound"),
	bothWays("SELECTING the static address is acknowledged", nil, nil,
		selecting(web, "10.0.0.5"), "ACK D-4 10.0.0.5/24 static"),
	bothWays("SELECTING what somebody else released is acknowledged", []Lease{released("10.0.0.12", bob, time.Hour)}, nil,
		selecting(alice, "10.0.0.12"), "ACK D-4 10.0.0.12/24 new"),
	bothWays("SELECTING what ran out for somebody else is acknowledged", []Lease{bound("10.0.0.12", bob, -time.Hour)}, nil,
		selecting(alice, "10.0.0.12"), "ACK D-4 10.0.0.12/24 new"),
	// D-5
	{"SELECTING somebody else's binding is refused", []Lease{bound("10.0.0.12", bob, time.Hour)}, nil,
		selecting(alice, "10.0.0.12"), "NAK D-5 taken", "NAK D-5 taken", "silent D-5 taken"},
	{"SELECTING what is held for somebody else is refused", nil, []ClientMessage{discover(bob)},
		selecting(alice, "10.0.0.10"), "NAK D-5 taken", "NAK D-5 taken", "silent D-5 taken"},
	{"SELECTING an address outside N is refused", nil, nil,
		selecting(alice, "10.9.0.10"), "NAK D-5 wrong_network", "NAK D-5 wrong_network", "silent D-5 wrong_network"},
	{"SELECTING an address that is not dynamic is refused", nil, nil,
		selecting(alice, "10.0.0.200"), "NAK D-5 not_dynamic", "NAK D-5 not_dynamic", "silent D-5 not_dynamic"},
	{"SELECTING an address NetBox does not know is refused", nil, nil,
		selecting(alice, "10.0.0.201"), "NAK D-5 not_dynamic", "NAK D-5 not_dynamic", "silent D-5 not_dynamic"},
	{"SELECTING a dynamic address by a static client is refused", nil, nil,
		selecting(web, "10.0.0.10"), "NAK D-5 wrong_address", "NAK D-5 wrong_address", "silent D-5 wrong_address"},
	{"SELECTING somebody else's static address is refused", nil, nil,
		selecting(alice, "10.0.0.5"), "NAK D-5 not_dynamic", "NAK D-5 not_dynamic", "silent D-5 not_dynamic"},
	{"SELECTING a quarantined address is refused", []Lease{quarantined("10.0.0.12", time.Hour)}, nil,
		selecting(alice, "10.0.0.12"), "NAK D-5 taken", "NAK D-5 taken", "silent D-5 taken"},
	// D-6
	bothWays("SELECTING with ciaddr and no option 50 renews", []Lease{bound("10.0.0.12", alice, time.Hour)}, nil,
		request(alice, to(serverAddr), has("10.0.0.12")), "ACK D-12 10.0.0.12/24 bound"),
	bothWays("SELECTING with ciaddr equal to option 50 renews", []Lease{bound("10.0.0.12", alice, time.Hour)}, nil,
		selecting(alice, "10.0.0.12", has("10.0.0.12")), "ACK D-12 10.0.0.12/24 bound"),
	{"SELECTING with ciaddr that is not the client's is refused", []Lease{bound("10.0.0.12", bob, time.Hour)}, nil,
		selecting(alice, "10.0.0.12", has("10.0.0.12")), "NAK D-13 no_binding", "", "silent D-13 no_binding"},
	// D-6b
	bothWays("SELECTING with two different addresses is malformed", []Lease{bound("10.0.0.12", alice, time.Hour)}, nil,
		selecting(alice, "10.0.0.12", has("10.0.0.13")), "silent D-6b malformed"),
	bothWays("SELECTING with no address at all is malformed", nil, nil,
		request(alice, to(serverAddr)), "silent D-6b malformed"),
	// D-7
	{"INIT-REBOOT outside N is refused", []Lease{bound("10.9.0.12", alice, time.Hour)}, nil,
		request(alice, wants("10.9.0.12")), "NAK D-7 wrong_network", "", "silent D-7 wrong_network"},
	// D-8
	bothWays("INIT-REBOOT with the static address is confirmed", nil, nil,
		request(web, wants("10.0.0.5")), "ACK D-8 10.0.0.5/24 static"),
	bothWays("INIT-REBOOT with a running binding is confirmed", []Lease{bound("10.0.0.12", alice, time.Hour)}, nil,
		request(alice, wants("10.0.0.12")), "ACK D-8 10.0.0.12/24 bound"),
	bothWays("INIT-REBOOT with an expired binding is confirmed", []Lease{bound("10.0.0.12", alice, -time.Hour)}, nil,
		request(alice, wants("10.0.0.12")), "ACK D-8 10.0.0.12/24 bound"),
	bothWays("INIT-REBOOT with a released binding is confirmed", []Lease{released("10.0.0.12", alice, time.Hour)}, nil,
		request(alice, wants("10.0.0.12")), "ACK D-8 10.0.0.12/24 bound"),
	// D-9
	{"INIT-REBOOT with another address than the static one is refused", nil, nil,
		request(web, wants("10.0.0.10")), "NAK D-9 wrong_address", "", "silent D-9 wrong_address"},
	{"INIT-REBOOT with another address than the running binding is refused", []Lease{bound("10.0.0.12", alice, time.Hour)}, nil,
		request(alice, wants("10.0.0.13")), "NAK D-9 wrong_address", "", "silent D-9 wrong_address"},
	// D-10
	{"INIT-REBOOT of an unknown client is refused", nil, nil,
		request(alice, wants("10.0.0.12")), "NAK D-10 no_binding", "", "silent D-10 no_binding"},
	{"INIT-REBOOT with somebody else's address is refused", []Lease{bound("10.0.0.12", bob, time.Hour)}, nil,
		request(alice, wants("10.0.0.12")), "NAK D-10 no_binding", "", "silent D-10 no_binding"},
	{"INIT-REBOOT with an expired address offered to somebody else is refused", []Lease{bound("10.0.0.12", alice, -time.Hour)},
		[]ClientMessage{discover(bob, wants("10.0.0.12"))},
		request(alice, wants("10.0.0.12")), "NAK D-10 taken", "", "silent D-10 taken"},
	{"INIT-REBOOT with an address NetBox does not know is refused", nil, nil,
		request(alice, wants("10.0.0.201")), "NAK D-10 not_dynamic", "", "silent D-10 not_dynamic"},
	// D-11, N-4
	bothWays("INIT-REBOOT from an unknown network is silent", []Lease{bound("10.0.0.12", alice, time.Hour)}, nil,
		request(alice, wants("10.0.0.12"), via("172.16.0.1")), "silent D-11 no_subnet"),
	// D-12
	bothWays("RENEWING a binding is acknowledged", []Lease{bound("10.0.0.12", alice, time.Hour)}, nil,
		renewing(alice, "10.0.0.12"), "ACK D-12 10.0.0.12/24 bound"),
	bothWays("RENEWING a static address is acknowledged", nil, nil,
		renewing(web, "10.0.0.5"), "ACK D-12 10.0.0.5/24 static"),
	// D-13, D-27
	{"RENEWING what was reassigned is refused", []Lease{bound("10.0.0.12", bob, time.Hour)}, nil,
		renewing(alice, "10.0.0.12"), "NAK D-13 no_binding", "", "silent D-13 no_binding"},
	{"RENEWING a binding when the client has become static is refused", []Lease{bound("10.0.0.12", web, time.Hour)}, nil,
		renewing(web, "10.0.0.12"), "NAK D-13 wrong_address", "", "silent D-13 wrong_address"},
	{"RENEWING when the tag was removed is refused", []Lease{bound("10.0.0.200", alice, time.Hour)}, nil,
		renewing(alice, "10.0.0.200"), "NAK D-13 not_dynamic", "", "silent D-13 not_dynamic"},
	{"RENEWING when the address was deleted is refused", []Lease{bound("10.0.0.201", alice, time.Hour)}, nil,
		renewing(alice, "10.0.0.201"), "NAK D-13 not_dynamic", "", "silent D-13 not_dynamic"},
	// D-14
	bothWays("REBINDING through a relay is acknowledged", []Lease{bound("10.0.0.12", alice, time.Hour)}, nil,
		request(alice, has("10.0.0.12")), "ACK D-12 10.0.0.12/24 bound"),
	bothWays("REBINDING on a local interface is acknowledged", []Lease{bound("10.0.0.12", alice, time.Hour)}, nil,
		request(alice, has("10.0.0.12"), at("eth0", "10.0.0.2")), "ACK D-12 10.0.0.12/24 bound"),
	{"REBINDING somebody else's binding is refused", []Lease{bound("10.0.0.12", bob, time.Hour)}, nil,
		request(alice, has("10.0.0.12")), "NAK D-13 no_binding", "", "silent D-13 no_binding"},
	{"REBINDING through the relay of another network is refused", []Lease{bound("10.0.0.12", alice, time.Hour)}, nil,
		request(alice, has("10.0.0.12"), via("10.9.0.1")), "NAK D-14 wrong_network", "", "silent D-14 wrong_network"},
	{"REBINDING on an interface of another network is refused", []Lease{bound("10.0.0.12", alice, time.Hour)}, nil,
		request(alice, has("10.0.0.12"), at("eth1", "10.9.0.2")), "NAK D-14 wrong_network", "", "silent D-14 wrong_network"},
	// D-15
	bothWays("a REQUEST with option 50 equal to ciaddr renews", []Lease{bound("10.0.0.12", alice, time.Hour)}, nil,
		renewing(alice, "10.0.0.12", wants("10.0.0.12")), "ACK D-12 10.0.0.12/24 bound"),
	{"a REQUEST with option 50 equal to a foreign ciaddr is refused", []Lease{bound("10.0.0.12", bob, time.Hour)}, nil,
		renewing(alice, "10.0.0.12", wants("10.0.0.12")), "NAK D-13 no_binding", "", "silent D-13 no_binding"},
	// D-15b
	bothWays("a REQUEST with nothing is malformed", nil, nil,
		request(alice), "silent D-15b malformed"),
	bothWays("a REQUEST with two different addresses is malformed", []Lease{bound("10.0.0.12", alice, time.Hour)}, nil,
		renewing(alice, "10.0.0.12", wants("10.0.0.13")), "silent D-15b malformed"),
	// D-16
	bothWays("SELECTING with a MAC on two machines is silent", nil, nil,
		selecting(carol, "10.0.0.10", wants("10.0.0.6")), "silent D-16 conflict"),
	// D-17
	bothWays("DECLINE of the client's binding is taken", []Lease{bound("10.0.0.12", alice, time.Hour)}, nil,
		message(Decline, alice, wants("10.0.0.12"), to(serverAddr)), "accepted, no reply D-17 10.0.0.12/24 declined"),
	bothWays("DECLINE of what is held for the client is taken", nil, []ClientMessage{discover(alice)},
		message(Decline, alice, wants("10.0.0.10")), "accepted, no reply D-17 10.0.0.10/24 declined"),
	bothWays("DECLINE of the static address is taken", nil, nil,
		message(Decline, web, wants("10.0.0.5")), "accepted, no reply D-17 10.0.0.5/24 declined"),
	// D-18
	bothWays("DECLINE of somebody else's binding is ignored", []Lease{bound("10.0.0.12", bob, time.Hour)}, nil,
		message(Decline, alice, wants("10.0.0.12")), "silent D-18 nothing_to_do"),
	bothWays("DECLINE of a free address is ignored", nil, nil,
		message(Decline, alice, wants("10.0.0.12")), "silent D-18 nothing_to_do"),
	bothWays("DECLINE of a binding that ended is ignored", []Lease{bound("10.0.0.12", alice, -time.Hour)}, nil,
		message(Decline, alice, wants("10.0.0.12")), "silent D-18 nothing_to_do"),
	bothWays("DECLINE of an address that is no longer dynamic is ignored", []Lease{bound("10.0.0.200", alice, time.Hour)}, nil,
		message(Decline, alice, wants("10.0.0.200")), "silent D-18 nothing_to_do"),
	bothWays("DECLINE to another server is ignored", []Lease{bound("10.0.0.12", alice, time.Hour)}, nil,
		message(Decline, alice, wants("10.0.0.12"), to(otherAddr)), "silent D-18 nothing_to_do"),
	bothWays("DECLINE without option 50 is ignored", nil, nil,
		message(Decline, alice), "silent D-18 nothing_to_do"),
	bothWays("DECLINE of an address outside every prefix is ignored", nil, nil,
		message(Decline, alice, wants("172.16.0.9")), "silent D-18 nothing_to_do"),
	// D-19
	bothWays("RELEASE of the client's binding is taken", []Lease{bound("10.0.0.12", alice, time.Hour)}, nil,
		message(Release, alice, has("10.0.0.12"), to(serverAddr)), "accepted, no reply D-19 10.0.0.12/24 released"),
	bothWays("RELEASE without server identifier is taken", []Lease{bound("10.0.0.12", alice, time.Hour)}, nil,
		message(Release, alice, has("10.0.0.12")), "accepted, no reply D-19 10.0.0.12/24 released"),
	// D-20
	bothWays("RELEASE of somebody else's binding is ignored", []Lease{bound("10.0.0.12", bob, time.Hour)}, nil,
		message(Release, alice, has("10.0.0.12")), "silent D-20 nothing_to_do"),
	bothWays("RELEASE of a binding that ended is ignored", []Lease{bound("10.0.0.12", alice, -time.Hour)}, nil,
		message(Release, alice, has("10.0.0.12")), "silent D-20 nothing_to_do"),
	bothWays("RELEASE of a static address is ignored", nil, nil,
		message(Release, web, has("10.0.0.5")), "silent D-20 nothing_to_do"),
	bothWays("RELEASE to another server is ignored", []Lease{bound("10.0.0.12", alice, time.Hour)}, nil,
		message(Release, alice, has("10.0.0.12"), to(otherAddr)), "silent D-20 nothing_to_do"),
	bothWays("RELEASE without ciaddr is ignored", []Lease{bound("10.0.0.12", alice, time.Hour)}, nil,
		message(Release, alice), "silent D-20 nothing_to_do"),
	// D-21, P-22
	bothWays("INFORM is answered without an address", nil, nil,
		message(Inform, alice, has("10.0.0.77"), unicast()), "ACK (inform) D-21 inform"),
	// D-22
	bothWays("INFORM without ciaddr is silent", nil, nil,
		message(Inform, alice), "silent D-22 malformed"),
	bothWays("INFORM from an unknown network is silent", nil, nil,
		message(Inform, alice, has("172.16.0.9"), unicast()), "silent D-22 no_subnet"),
	// D-23
	bothWays("BOOTP of a client with a static address is answered", nil, nil,
		message(BOOTP, web), "BOOTREPLY D-23 10.0.0.5/24 static"),
	// D-24
	bothWays("BOOTP of a client without one is silent", nil, nil,
		message(BOOTP, alice), "silent D-24 no_binding"),
	bothWays("BOOTP from an unknown network is silent", nil, nil,
		message(BOOTP, web, via("172.16.0.1")), "silent D-24 no_subnet"),
	// 3.3, before anything else
	bothWays("a malformed message is silent", []Lease{bound("10.0.0.12", alice, time.Hour)}, nil,
		renewing(alice, "10.0.0.12", malformed("option 61")), "silent 3.3 malformed"),
	//
	bothWays("a server without identifier is silent", nil, nil,
		discover(alice, nameless()), "silent R-13 no_server_id"),
	bothWays("a message type nobody serves is silent", nil, nil,
		message(MessageType(10), alice), "silent F-15 unhandled"),
}

func malformed(what string) field { return func(m *ClientMessage) { m.Malformed = what } }
func nameless() field             { return func(m *ClientMessage) { m.Identifier = optionalAddr("") } }

// leasesOf gives all of n addresses after base to one client.
func leasesOf(c ClientID, base string, n int) []Lease {
	var list []Lease
	for i := range n {
		list = append(list, bound(base+string(rune('0'+i)), c, time.Hour))
	}
	return list
}

func TestDecisionTable(t *testing.T) {
	parts := append(office(),
		device("twin1", port("eth0", string(carol), on("10.0.0.6/24"))),
		device("twin2", port("eth0", string(carol), on("10.0.0.7/24"))))
	s := snapshot(t, worldOptions, parts...)
	for _, row := range decisionTable {
		t.Run(row.name, func(t *testing.T) {
			if row.own == "" {
				row.own = row.off
			}
			for authority, want := range map[Authority]string{Authoritative: row.auth, Own: row.own, Off: row.off} {
				r := newRig(t, newMemStore(row.leases...), s)
				r.SetAuthority(authority)
				for _, m := range row.before {
					r.handle(m)
				}
				if got := brief(r.handle(row.message)); got != want {
					_, trace := r.Explain(row.message)
					t.Errorf("authority %d: %s, want %s\nafterwards:\n%s", authority, got, want, trace)
				}
			}
		})
	}
}

// Every row of table 3.3 that is the engine's is in the test above; D-25, D-26
// and D-28 have tests of their own.
func TestDecisionTableIsWhole(t *testing.T) {
	for _, rule := range []string{
		"D-1", "D-2", "D-3", "D-4", "D-5", "D-6b", "D-7", "D-8", "D-9", "D-10", "D-11", "D-12", "D-13",
		"D-14", "D-15b", "D-16", "D-17", "D-18", "D-19", "D-20", "D-21", "D-22", "D-23", "D-24",
	} {
		if !slices.ContainsFunc(decisionTable, func(row tableRow) bool { return strings.Contains(row.auth, " "+rule+" ") }) {
			t.Errorf("no row ends in %s", rule)
		}
	}
}

// D-26: where nobody can tell RENEWING from REBINDING, ciaddr is trusted and
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
	r.expect(discover(bob), "silent D-2 pool_empty")
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

// H-1 and H-4: nothing is known yet, or what is known is too old.
func TestSilenceWithoutAFreshPicture(t *testing.T) {
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
	for _, m := range messages {
		r.expect(m, "silent H-4 stale")
	}
	r.Confirm(r.now, 0)
	r.expect(discover(web), "OFFER D-1")
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

// The key of a quarantined address is nobody's own, and no client is
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
		first, second := Decide(r.facts, row.message, r.now, nil), Decide(r.facts, row.message, r.now, new(Trace))
		if diff := cmp.Diff(first, second, cmp.Comparer(func(a, b Decision) bool { return a == b })); diff != "" {
			t.Errorf("%s: %s", row.name, diff)
		}
	}
	if r.store.written() != 0 || len(r.facts.Leases.holds) != 0 {
		t.Error("something was written or held")
	}
}
