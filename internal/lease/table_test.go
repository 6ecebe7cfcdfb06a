package lease

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// office is the network of most tests: web has a static address, ten addresses
// are dynamic, and one is neither.
func office() []part {
	return []part{
		prefix("10.0.0.0/24"),
		prefix("10.9.0.0/24"),
		prefixWith("container", "172.16.0.0/12"),
		address("10.9.0.1/24", gateway()),
		address("10.0.0.1/24", gateway()),
		dynamic("10.0.0.10-10.0.0.19/24"),
		address("10.0.0.200/24"), // exists, not dynamic
		device("web1", port("eth0", string(web), on("10.0.0.5/24"))),
	}
}

// tableRow is one situation of the decision table. own is given where it differs from
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
	bothWays("SELECTING what another client released is acknowledged", []Lease{released("10.0.0.12", bob, time.Hour)}, nil,
		selecting(alice, "10.0.0.12"), "ACK D-4 10.0.0.12/24 new"),
	bothWays("SELECTING what ran out for another client is acknowledged", []Lease{bound("10.0.0.12", bob, -time.Hour)}, nil,
		selecting(alice, "10.0.0.12"), "ACK D-4 10.0.0.12/24 new"),
	// D-5
	{"SELECTING another client's binding is refused", []Lease{bound("10.0.0.12", bob, time.Hour)}, nil,
		selecting(alice, "10.0.0.12"), "NAK D-5 taken", "NAK D-5 taken", "silent D-5 taken"},
	{"SELECTING what is held for another client is silence (D-34)", nil, []ClientMessage{discover(bob)},
		selecting(alice, "10.0.0.10"), "silent D-34 offered", "silent D-34 offered", "silent D-34 offered"},
	{"SELECTING an address outside N is refused", nil, nil,
		selecting(alice, "10.9.0.10"), "NAK D-5 wrong_network", "NAK D-5 wrong_network", "silent D-5 wrong_network"},
	{"SELECTING an address that is not dynamic is refused", nil, nil,
		selecting(alice, "10.0.0.200"), "NAK D-5 not_dynamic", "NAK D-5 not_dynamic", "silent D-5 not_dynamic"},
	{"SELECTING an address NetBox does not know is refused", nil, nil,
		selecting(alice, "10.0.0.201"), "NAK D-5 not_dynamic", "NAK D-5 not_dynamic", "silent D-5 not_dynamic"},
	{"SELECTING a dynamic address by a static client is refused", nil, nil,
		selecting(web, "10.0.0.10"), "NAK D-5 wrong_address", "NAK D-5 wrong_address", "silent D-5 wrong_address"},
	{"SELECTING another client's static address is refused", nil, nil,
		selecting(alice, "10.0.0.5"), "NAK D-5 not_dynamic", "NAK D-5 not_dynamic", "silent D-5 not_dynamic"},
	{"SELECTING a quarantined address is refused", []Lease{quarantined("10.0.0.12", time.Hour)}, nil,
		selecting(alice, "10.0.0.12"), "NAK D-5 taken", "NAK D-5 taken", "silent D-5 taken"},
	// D-6
	bothWays("SELECTING with ciaddr and no option 50 renews", []Lease{bound("10.0.0.12", alice, time.Hour)}, nil,
		request(alice, to(serverAddr), has("10.0.0.12")), "ACK D-12 10.0.0.12/24 bound"),
	bothWays("a renewal that names the server and repeats its address renews", []Lease{bound("10.0.0.12", alice, time.Hour)}, nil,
		selecting(alice, "10.0.0.12", has("10.0.0.12"), unicast()), "ACK D-12 10.0.0.12/24 bound"),
	{"the same with ciaddr that is not the client's is refused", []Lease{bound("10.0.0.12", bob, time.Hour)}, nil,
		selecting(alice, "10.0.0.12", has("10.0.0.12"), unicast()), "NAK D-13 no_binding", "", "silent D-13 no_binding"},
	// D-6
	bothWays("SELECTING with the address of before in ciaddr, too", []Lease{bound("10.0.0.12", alice, time.Hour)}, nil,
		selecting(alice, "10.0.0.12", has("10.0.0.12")), "ACK D-4 10.0.0.12/24 bound"),
	bothWays("SELECTING what was offered now, with an address never bound here", nil, []ClientMessage{discover(alice, has("10.0.0.12"), wants("10.0.0.12"))},
		selecting(alice, "10.0.0.12", has("10.0.0.12")), "ACK D-4 10.0.0.12/24 new"),
	bothWays("SELECTING with another address of before in ciaddr", nil, []ClientMessage{discover(alice, has("10.0.0.13"))},
		selecting(alice, "10.0.0.10", has("10.0.0.13")), "ACK D-4 10.0.0.10/24 new"),
	bothWays("SELECTING with an address of another network in ciaddr", nil, nil,
		selecting(web, "10.0.0.5", has("10.9.0.12"), at("eth0", "10.0.0.2")), "ACK D-4 10.0.0.5/24 static"),
	bothWays("SELECTING with an address of another network in ciaddr, on a stock server", nil, nil,
		selecting(web, "10.0.0.5", has("10.9.0.12"), stockServer()), "ACK D-4 10.0.0.5/24 static"),
	{"SELECTING another client's address with the own one in ciaddr is refused", []Lease{bound("10.0.0.12", bob, time.Hour), bound("10.0.0.13", alice, time.Hour)}, nil,
		selecting(alice, "10.0.0.12", has("10.0.0.13")), "NAK D-5 taken", "NAK D-5 taken", "silent D-5 taken"},
	{"SELECTING another client's address that stands in ciaddr as well is refused", []Lease{bound("10.0.0.12", bob, time.Hour)}, nil,
		selecting(alice, "10.0.0.12", has("10.0.0.12")), "NAK D-5 taken", "NAK D-5 taken", "silent D-5 taken"},
	bothWays("INIT-REBOOT with another address of before in ciaddr", []Lease{bound("10.0.0.12", alice, time.Hour)}, nil,
		request(alice, wants("10.0.0.12"), has("10.0.0.13")), "ACK D-8 10.0.0.12/24 bound"),
	bothWays("INIT-REBOOT with an address of another network in ciaddr", nil, nil,
		request(web, wants("10.0.0.5"), has("10.9.0.12"), at("eth0", "10.0.0.2")), "ACK D-8 10.0.0.5/24 static"),
	bothWays("REBINDING with an address of before in option 50", []Lease{bound("10.0.0.12", alice, time.Hour)}, nil,
		request(alice, wants("10.0.0.13"), has("10.0.0.12")), "ACK D-12 10.0.0.12/24 bound"),
	bothWays("REBINDING with an address of another network in option 50", nil, nil,
		request(web, wants("10.9.0.12"), has("10.0.0.5"), at("eth0", "10.0.0.2")), "ACK D-12 10.0.0.5/24 static"),
	{"a REQUEST with two addresses of others is not refused", []Lease{bound("10.0.0.12", bob, time.Hour)}, nil,
		request(alice, wants("10.0.0.12"), has("10.0.0.13")), "silent D-15b malformed", "", "silent D-10 no_binding"},
	{"a REQUEST with two addresses of another network is not refused", nil, nil,
		request(alice, wants("10.9.0.12"), has("10.9.0.13")), "silent D-15b malformed", "", "silent D-7 wrong_network"},
	// D-6b
	bothWays("a renewal that names the server and two addresses is malformed", []Lease{bound("10.0.0.12", alice, time.Hour)}, nil,
		selecting(alice, "10.0.0.12", has("10.0.0.13"), unicast()), "silent D-6b malformed"),
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
	{"INIT-REBOOT with another client's address is refused", []Lease{bound("10.0.0.12", bob, time.Hour)}, nil,
		request(alice, wants("10.0.0.12")), "NAK D-10 no_binding", "", "silent D-10 no_binding"},
	{"INIT-REBOOT with an expired address that another client was only offered is confirmed (D-34)", []Lease{bound("10.0.0.12", alice, -time.Hour)},
		[]ClientMessage{discover(bob, wants("10.0.0.12"))},
		request(alice, wants("10.0.0.12")), "ACK D-8 10.0.0.12/24 bound", "", "ACK D-8 10.0.0.12/24 bound"},
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
	bothWays("RENEWING when the tag was removed is acknowledged for what is left", []Lease{bound("10.0.0.200", alice, time.Hour)}, nil, // S-11
		renewing(alice, "10.0.0.200"), "ACK D-12 10.0.0.200/24 taken_away"),
	bothWays("RENEWING when the address was deleted is acknowledged for what is left", []Lease{bound("10.0.0.201", alice, time.Hour)}, nil,
		renewing(alice, "10.0.0.201"), "ACK D-12 10.0.0.201/24 taken_away"),
	bothWays("RENEWING in the last minute of such a lease is silent", []Lease{bound("10.0.0.200", alice, 59*time.Second)}, nil,
		renewing(alice, "10.0.0.200"), "silent D-12 taken_away"),
	{"RENEWING such a lease after its end is refused", []Lease{bound("10.0.0.200", alice, -time.Second)}, nil,
		renewing(alice, "10.0.0.200"), "NAK D-13 not_dynamic", "", "silent D-13 not_dynamic"},
	{"RENEWING such a lease that was released is refused", []Lease{released("10.0.0.200", alice, time.Second)}, nil,
		renewing(alice, "10.0.0.200"), "NAK D-13 not_dynamic", "", "silent D-13 not_dynamic"},
	bothWays("INIT-REBOOT with such a lease is acknowledged for what is left", []Lease{bound("10.0.0.200", alice, time.Hour)}, nil,
		request(alice, wants("10.0.0.200")), "ACK D-8 10.0.0.200/24 taken_away"),
	bothWays("SELECTING such a lease is acknowledged for what is left", []Lease{bound("10.0.0.200", alice, time.Hour)}, nil,
		selecting(alice, "10.0.0.200"), "ACK D-4 10.0.0.200/24 taken_away"),
	bothWays("DISCOVER of a client with such a lease is offered another address", []Lease{bound("10.0.0.200", alice, time.Hour)}, nil,
		discover(alice), "OFFER D-1 10.0.0.10/24 new"),
	bothWays("RELEASE of such a lease ends it", []Lease{bound("10.0.0.200", alice, time.Hour)}, nil,
		message(Release, alice, has("10.0.0.200")), "accepted, no reply D-19 10.0.0.200/24 released"),
	// D-14
	bothWays("REBINDING through a relay is acknowledged", []Lease{bound("10.0.0.12", alice, time.Hour)}, nil,
		request(alice, has("10.0.0.12")), "ACK D-12 10.0.0.12/24 bound"),
	bothWays("REBINDING on a local interface is acknowledged", []Lease{bound("10.0.0.12", alice, time.Hour)}, nil,
		request(alice, has("10.0.0.12"), at("eth0", "10.0.0.2")), "ACK D-12 10.0.0.12/24 bound"),
	{"REBINDING another client's binding is refused", []Lease{bound("10.0.0.12", bob, time.Hour)}, nil,
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
	bothWays("DECLINE of the client's binding is taken", []Lease{bound("10.0.0.12", alice, time.Hour)}, []ClientMessage{request(alice, wants("10.0.0.12"))},
		message(Decline, alice, wants("10.0.0.12"), to(serverAddr)), "accepted, no reply D-17 10.0.0.12/24 declined"),
	bothWays("DECLINE of what is held for the client is taken", nil, []ClientMessage{discover(alice)},
		message(Decline, alice, wants("10.0.0.10")), "accepted, no reply D-17 10.0.0.10/24 declined"),
	bothWays("DECLINE of the static address is taken", nil, []ClientMessage{discover(web)},
		message(Decline, web, wants("10.0.0.5")), "accepted, no reply D-17 10.0.0.5/24 declined"),
	// D-18
	bothWays("DECLINE of another client's binding is ignored", []Lease{bound("10.0.0.12", bob, time.Hour)}, nil,
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
	bothWays("RELEASE of another client's binding is ignored", []Lease{bound("10.0.0.12", bob, time.Hour)}, nil,
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
	// D-0, before anything else
	bothWays("a malformed message is silent", []Lease{bound("10.0.0.12", alice, time.Hour)}, nil,
		renewing(alice, "10.0.0.12", malformed("option 61")), "silent D-0 malformed"),
	//
	bothWays("a server without identifier is silent", nil, nil,
		discover(alice, nameless()), "silent R-13 no_server_id"),
	bothWays("a message type that is not served is silent", nil, nil,
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

// tableNetwork is the network of the decision table.
func tableNetwork(t *testing.T, before ...part) *ipam.Snapshot {
	return snapshot(t, worldOptions, slices.Concat(before, office(), []part{
		device("twin1", port("eth0", string(carol), on("10.0.0.6/24"))),
		device("twin2", port("eth0", string(carol), on("10.0.0.7/24"))),
	})...)
}

// rig is the server before the message of the row.
func (row tableRow) rig(t *testing.T, s *ipam.Snapshot, a Authority) *rig {
	r := newRig(t, newMemStore(row.leases...), s)
	r.SetAuthority(a)
	for _, m := range row.before {
		r.handle(m)
	}
	return r
}

func TestDecisionTable(t *testing.T) { testDecisionTable(t, tableNetwork(t)) }

// N-14: a range gives the answers that tagged addresses give.
func TestDecisionTableWithRanges(t *testing.T) {
	s := tableNetwork(t, asRanges())
	if len(s.Dynamic(0)) == tableNetwork(t).Pool(0).Len() || s.Pool(0).Len() != tableNetwork(t).Pool(0).Len() {
		t.Fatalf("%d objects of %d dynamic addresses", len(s.Dynamic(0)), s.Pool(0).Len())
	}
	testDecisionTable(t, s)
}

func testDecisionTable(t *testing.T, s *ipam.Snapshot) {
	for _, row := range decisionTable {
		t.Run(row.name, func(t *testing.T) {
			if row.own == "" {
				row.own = row.off
			}
			for authority, want := range map[Authority]string{Authoritative: row.auth, Own: row.own, Off: row.off} {
				r := row.rig(t, s, authority)
				if got := brief(r.handle(row.message)); got != want {
					_, trace := r.Explain(row.message)
					t.Errorf("authority %d: %s, want %s\nafterwards:\n%s", authority, got, want, trace)
				}
			}
		})
	}
}

// Every row of the decision table that is the engine's is in the test above; D-25, D-26
// and D-28 have tests of their own.
func TestDecisionTableIsWhole(t *testing.T) {
	for _, rule := range []string{
		"D-0", "D-1", "D-2", "D-3", "D-4", "D-5", "D-6b", "D-7", "D-8", "D-9", "D-10", "D-11", "D-12", "D-13",
		"D-14", "D-15b", "D-16", "D-17", "D-18", "D-19", "D-20", "D-21", "D-22", "D-23", "D-24",
	} {
		if !slices.ContainsFunc(decisionTable, func(row tableRow) bool { return strings.Contains(row.auth, " "+rule+" ") }) {
			t.Errorf("no row ends in %s", rule)
		}
	}
}
