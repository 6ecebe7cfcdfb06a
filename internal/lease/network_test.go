package lease

import (
	"net/netip"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

func linkSelection(a string) field {
	return func(m *ClientMessage) { m.LinkSelection = optionalAddr(a) }
}
func subnetSelection(a string) field {
	return func(m *ClientMessage) { m.SubnetSelection = optionalAddr(a) }
}

// stock is a packet as the unmodified upstream server hands it on: neither
// interface nor delivery are known.
func stock() field {
	return func(m *ClientMessage) {
		m.Relay, m.Interface, m.InterfaceAddrs, m.Delivery = optionalAddr(""), "", nil, DeliveryUnknown
	}
}

// N-1: the first kind of evidence present says where the client is. Every
// network has one address to give, which tells them apart.
func TestFirstEvidenceWins(t *testing.T) {
	s := snapshot(t, everyRelay,
		prefix("10.1.0.0/24"), dynamic("10.1.0.10/24"),
		prefix("10.2.0.0/24"), dynamic("10.2.0.10/24"),
		prefix("10.3.0.0/24"), dynamic("10.3.0.10/24"),
		prefix("10.4.0.0/24"), dynamic("10.4.0.10/24"),
		prefix("10.5.0.0/24"), dynamic("10.5.0.10/24"),
		prefix("10.6.0.0/24"), dynamic("10.6.0.10/24"),
		prefix("10.0.0.0/24"), dynamic("10.0.0.10/24"),
	)
	setting := policy(func(p *Policy) { p.Subnet = optionalAddr("10.5.0.9") })
	none := func(*Config) {}
	link, option, relay, local := linkSelection("10.1.0.1"), subnetSelection("10.2.0.1"), via("10.3.0.1"), at("eth0", "10.6.0.2")
	lease4 := []Lease{bound("10.4.0.10", alice, time.Hour)}
	for _, c := range []struct {
		name    string
		setting setup
		leases  []Lease
		message ClientMessage
		want    string
	}{
		{"link selection before all", setting, nil, discover(alice, local, link, option, relay), "OFFER D-1 10.1.0.10/24"},
		{"subnet selection before the relay", setting, nil, discover(alice, local, option, relay), "OFFER D-1 10.2.0.10/24"},
		{"the relay before the setting", setting, nil, discover(alice, local, relay), "OFFER D-1 10.3.0.10/24"},
		{"the setting before the interface", setting, nil, discover(alice, local), "OFFER D-1 10.5.0.10/24"},
		{"the receiving interface", none, nil, discover(alice, local), "OFFER D-1 10.6.0.10/24"},
		{"the server identifier on the stock server", none, nil, discover(alice, stock()), "OFFER D-1 10.0.0.10/24"},
		{"the setting on the stock server", setting, nil, discover(alice, stock()), "OFFER D-1 10.5.0.10/24"},
		{"an interface without address is no evidence", none, nil, discover(alice, at("eth0")), "silent D-2 no_evidence"},
		{"the setting for an interface without address", setting, nil, discover(alice, at("eth0")), "OFFER D-1 10.5.0.10/24"},
		{"ciaddr of RENEWING before the setting", setting, lease4, renewing(alice, "10.4.0.10", local, unicast()), "ACK D-12 10.4.0.10/24"},
		{"ciaddr of REBINDING is a claim, not evidence", none, lease4, request(alice, has("10.4.0.10"), local), "silent D-14 wrong_network"},
		{"the relay before ciaddr", none, lease4, renewing(alice, "10.4.0.10", relay), "silent D-14 wrong_network"},
		{"subnet selection of a renewal", none, lease4, renewing(alice, "10.4.0.10", option), "silent D-14 wrong_network"},
		{"ciaddr of DISCOVER is nothing", none, nil, discover(alice, has("10.4.0.10"), local), "OFFER D-1 10.6.0.10/24"},
		{"option 50 is nothing (P-2)", none, nil, discover(alice, wants("10.4.0.10"), relay), "OFFER D-1 10.3.0.10/24"},
		{"option 50 of INIT-REBOOT is nothing (P-2)", none, lease4, request(alice, wants("10.4.0.10"), relay), "silent D-7 wrong_network"},
	} {
		t.Run(c.name, func(t *testing.T) {
			newRig(t, newMemStore(c.leases...), s, c.setting).expect(c.message, c.want)
		})
	}
	r := newRig(t, newMemStore(), s, setting)
	if d := r.handle(message(Inform, alice, has("10.4.0.77"), local)); d.Subnet == nil || d.Subnet.Prefix.Prefix.String() != "10.4.0.0/24" {
		t.Errorf("INFORM: network %v, want that of ciaddr", d.Subnet)
	}
	if d := r.handle(message(Inform, alice, has("10.4.0.77"), relay)); d.Subnet == nil || d.Subnet.Prefix.Prefix.String() != "10.3.0.0/24" {
		t.Errorf("INFORM through a relay: network %v, want that of the relay", d.Subnet)
	}
}

// N-1: several addresses on an interface are several candidate networks.
func TestInterfaceWithSeveralNetworks(t *testing.T) {
	r := newRig(t, newMemStore(), snapshot(t, worldOptions,
		prefix("10.1.0.0/24"), dynamic("10.1.0.10/24"),
		prefix("10.2.0.0/24"), dynamic("10.2.0.10/24"),
		device("web1", port("eth0", string(web), on("10.2.0.5/24")))))
	r.SetAuthority(Authoritative)
	both := at("eth0", "10.1.0.2", "192.168.0.1", "10.2.0.2", "10.1.0.3")
	r.expect(discover(web, both), "OFFER D-1 10.2.0.5/24 static") // static in any
	r.expect(selecting(web, "10.2.0.5", both), "ACK D-4 10.2.0.5/24 static")
	r.expect(discover(alice, both), "OFFER D-1 10.1.0.10/24") // dynamic in order
	r.expect(discover(bob, both), "OFFER D-1 10.2.0.10/24")
	r.expect(selecting(bob, "10.2.0.10", both), "ACK D-4 10.2.0.10/24")
	r.exhausted(discover(carol, both))
	r.expect(request(bob, wants("10.2.0.10"), both), "ACK D-8 10.2.0.10/24")
	r.expect(request(bob, wants("10.3.0.10"), both), "NAK D-7")
}

// N-2 is the receive loop's. N-3: the smallest active or reserved prefix of the
// VRF.
func TestNetworkIsTheSmallestPrefixInUse(t *testing.T) {
	nested := []part{
		prefix("10.0.0.0/8"), prefix("10.1.0.0/16"), prefix("10.1.1.0/24"),
		prefixWith("container", "10.1.1.0/25"), prefixWith("deprecated", "10.1.1.0/26"),
		prefixWith("reserved", "10.1.2.0/24"), prefix("10.1.1.0/24", "blue"),
		dynamic("10.1.1.10/24"), dynamic("10.1.2.10/24"), dynamic("10.1.3.10/16"),
	}
	s := snapshot(t, worldOptions, nested...)
	for relay, want := range map[string]string{
		"10.1.1.1":   "10.1.1.0/24", // P-23: a container is no network
		"10.1.2.1":   "10.1.2.0/24",
		"10.1.3.1":   "10.1.0.0/16",
		"10.200.0.1": "10.0.0.0/8",
	} {
		r := newRig(t, newMemStore(), s)
		if d := r.handle(message(Inform, alice, has("10.9.9.9"), via(relay))); d.Subnet == nil || d.Subnet.Prefix.Prefix.String() != want {
			t.Errorf("relay %s: network %v, want %s", relay, d.Subnet, want)
		}
	}
	// N-5: smaller prefixes nested in N belong to N.
	newRig(t, newMemStore(), s).expect(discover(alice, via("10.1.3.1")), "OFFER D-1 10.1.1.10/24")
}

// N-3: which VRF.
func TestVRF(t *testing.T) {
	overlapping := []part{
		prefix("10.0.0.0/24"), dynamic("10.0.0.10/24"),
		prefix("10.0.0.0/24", "blue"), dynamic("10.0.0.20/24", inVRF("blue")),
		prefix("10.7.0.0/24", "blue"), dynamic("10.7.0.20/24", inVRF("blue")),
		prefix("10.8.0.0/24", "blue"), prefix("10.8.0.0/16", "red"),
		dynamic("10.8.0.20/24", inVRF("blue")), dynamic("10.8.1.30/16", inVRF("red")),
		device("web1", port("eth0", string(web), on("10.0.0.5/24", inVRF("blue")), on("10.7.0.5/24", inVRF("red")))),
	}
	vrf := func(name string) ipam.Options { o := worldOptions; o.VRF = name; return o }
	for _, c := range []struct {
		name    string
		options ipam.Options
		message ClientMessage
		want    string
	}{
		{"the global table comes first", vrf(""), discover(alice), "OFFER D-1 10.0.0.10/24"},
		{"else the only VRF that matches", vrf(""), discover(alice, via("10.7.0.1")), "OFFER D-1 10.7.0.20/24"},
		{"several VRFs are ambiguous", vrf(""), discover(alice, via("10.8.0.1")), "silent D-2 ambiguous_vrf"},
		{"several VRFs are ambiguous for REQUEST", vrf(""), selecting(alice, "10.8.0.20", via("10.8.0.1")), "silent D-11 ambiguous_vrf"},
		{"the only VRF where another has none", vrf(""), discover(alice, via("10.8.9.1")), "OFFER D-1 10.8.1.30/16"},
		{"the configured VRF by name", vrf("blue"), discover(alice), "OFFER D-1 10.0.0.20/24"},
		{"the configured VRF by route distinguisher", vrf("65000:12"), discover(alice, via("10.8.0.1")), "OFFER D-1 10.8.1.30/16"},
		{"nothing in the configured VRF", vrf("red"), discover(alice), "silent D-2 no_subnet"},
		{"a configured VRF that does not exist", vrf("green"), discover(alice), "silent D-2 no_subnet"},
		{"a static address of another VRF is not the client's (I-5)", vrf(""), discover(web), "OFFER D-1 10.0.0.10/24"},
		{"a static address of the configured VRF is", vrf("blue"), discover(web), "OFFER D-1 10.0.0.5/24 static"},
		{"a static address of a VRF that has no such prefix (I-5)", vrf(""), discover(web, via("10.7.0.1")), "OFFER D-1 10.7.0.20/24"},
		{"an address of another VRF may not be given (N-5)", vrf(""), selecting(alice, "10.0.0.20"), "NAK D-5 not_dynamic"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, newMemStore(), snapshot(t, c.options, overlapping...))
			r.SetAuthority(Authoritative)
			r.expect(c.message, c.want)
		})
	}
}

// N-4: without a prefix there is silence, with every authority.
func TestUnknownNetworkIsSilentEvenWhenAuthoritative(t *testing.T) {
	r := newRig(t, newMemStore(bound("10.0.0.12", alice, time.Hour)), snapshot(t, worldOptions, office()...))
	r.SetAuthority(Authoritative)
	far := via("172.16.0.1")
	for _, m := range []ClientMessage{
		discover(alice, far), selecting(alice, "10.0.0.12", far), request(alice, wants("10.0.0.12"), far),
		request(alice, has("10.0.0.12"), far), message(Inform, alice, has("172.16.0.9"), unicast()),
		renewing(alice, "172.16.0.12"), message(BOOTP, web, far),
		discover(alice, at("eth0")), selecting(alice, "10.0.0.12", at("eth0")),
	} {
		if d := r.handle(m); d.Verdict != Silent {
			t.Errorf("%s: %s", m.Type, brief(d))
		}
	}
}

// N-5: what is in the pool.
func TestDynamicAddressesThatMayBeLeased(t *testing.T) {
	one := func(extra ...part) []part { return append([]part{prefix("10.0.0.0/30")}, extra...) }
	status1 := worldOptions
	status1.DynamicStatus = "dhcp"
	for _, c := range []struct {
		name    string
		options ipam.Options
		parts   []part
		message ClientMessage
		want    string
	}{
		{"a tagged address", worldOptions, one(dynamic("10.0.0.2/30")), discover(alice, via("10.0.0.1")), "OFFER D-1 10.0.0.2/30"},
		{"an untagged address", worldOptions, one(address("10.0.0.2/30")), discover(alice, via("10.0.0.1")), "silent D-2 pool_empty"},
		{"an address of the dynamic status", status1, one(address("10.0.0.2/30", status("dhcp"))), discover(alice, via("10.0.0.1")), "OFFER D-1 10.0.0.2/30"},
		{"the status means nothing unless configured", worldOptions, one(address("10.0.0.2/30", status("dhcp"))), discover(alice, via("10.0.0.1")), "silent D-2 pool_empty"},
		{"the network address", worldOptions, one(dynamic("10.0.0.0/30")), discover(alice, via("10.0.0.1")), "silent D-2 pool_empty"},
		{"the broadcast address", worldOptions, one(dynamic("10.0.0.3/30")), discover(alice, via("10.0.0.1")), "silent D-2 pool_empty"},
		{"both ends and one between", worldOptions, one(dynamic("10.0.0.0-10.0.0.3/30")), discover(alice, via("10.0.0.1")), "OFFER D-1 10.0.0.2/30"},
		{"the gateway", worldOptions, one(dynamic("10.0.0.2/30", gateway())), discover(alice, via("10.0.0.1")), "silent D-2 pool_empty"},
		{"a deprecated address", worldOptions, one(dynamic("10.0.0.2/30", status("deprecated"))), discover(alice, via("10.0.0.1")), "silent D-2 pool_empty"},
		{"a shared address", worldOptions, one(dynamic("10.0.0.2/30", role("vrrp"))), discover(alice, via("10.0.0.1")), "silent D-2 pool_empty"},
		{"a secondary address", worldOptions, one(dynamic("10.0.0.2/30", role("secondary"))), discover(alice, via("10.0.0.1")), "OFFER D-1 10.0.0.2/30"},
		{"the relay's own address", worldOptions, one(dynamic("10.0.0.2/30")), discover(alice, via("10.0.0.2")), "silent D-2 pool_empty"},
		{"the server's own address", worldOptions, one(dynamic("10.0.0.2/30")), discover(alice, at("eth0", "10.0.0.2")), "silent D-2 pool_empty"},
		{"the server's identifier", worldOptions, one(dynamic("10.0.0.2/30")), discover(alice, stock()), "silent D-2 pool_empty"},
		{"another address than the relay's", worldOptions, one(dynamic("10.0.0.1-10.0.0.2/30")), discover(alice, via("10.0.0.1"), identified("10.9.9.9")), "OFFER D-1 10.0.0.2/30"},
		{"the lower end of a /31", worldOptions, []part{prefix("10.0.0.4/31"), dynamic("10.0.0.4/31")}, discover(alice, via("10.0.0.5")), "OFFER D-1 10.0.0.4/31"},
		{"the upper end of a /31", worldOptions, []part{prefix("10.0.0.4/31"), dynamic("10.0.0.5/31")}, discover(alice, via("10.0.0.4")), "OFFER D-1 10.0.0.5/31"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.message.Identifier == serverAddr && c.message.Relay.IsValid() {
				c.message.Identifier = otherAddr
			}
			s := snapshot(t, c.options, c.parts...)
			newRig(t, newMemStore(), s).expect(c.message, c.want)
			// What is not offered is not given to those who ask for it either,
			// and the other way round.
			for _, host := range []string{"10.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5"} {
				asked := c.message
				asked.Type, asked.RequestedAddr, asked.ServerID = Request, optionalAddr(host), asked.Identifier
				r := newRig(t, newMemStore(), s)
				offered := r.handle(c.message)
				acked := newRig(t, newMemStore(), s).handle(asked)
				if same := offered.Addr.Addr() == asked.RequestedAddr; same && acked.Verdict != Ack || acked.Verdict == Ack && offered.Verdict != Offer {
					t.Errorf("offered %s, but %s was answered %s", brief(offered), host, brief(acked))
				}
			}
		})
	}
}

func identified(addr string) field {
	return func(m *ClientMessage) { m.Identifier = optionalAddr(addr) }
}

// N-5: an address of the server stays out of the pool for clients on all its
// interfaces.
func TestServersOwnAddressesStayOutOfAllPools(t *testing.T) {
	r := newRig(t, newMemStore(), snapshot(t, worldOptions, prefix("10.0.0.0/30"), prefix("10.6.0.0/24"), dynamic("10.0.0.2/30")))
	r.expect(discover(alice, at("eth0", "10.6.0.1")), "silent D-2 pool_empty")
	// Seen as the identifier of the message above, excluded for relayed clients
	// whose replies carry another one.
	r.expect(discover(alice, via("10.0.0.1"), identified("10.6.0.1")), "silent D-2 pool_empty")
}

// N-5: an address that this machine has stays out of the pools, and comes back when it
// is given up; a packet from before does not take it out again.
func TestAddressesThisMachineGaveUpComeBack(t *testing.T) {
	s := snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10-10.0.0.11/24"))
	r := newRig(t, newMemStore(), s)
	r.SetAuthority(Authoritative)
	own := func(addrs ...string) {
		set := make(map[netip.Addr]bool)
		for _, a := range addrs {
			set[netip.MustParseAddr(a)] = true
		}
		r.SetOwn(set)
	}
	own("10.0.0.10", "127.0.0.1")
	r.expect(selecting(alice, "10.0.0.10"), "NAK D-5 not_dynamic")
	r.expect(discover(alice), "OFFER D-1 10.0.0.11/24")
	r.SetSnapshot(s)
	r.exhausted(discover(bob, wants("10.0.0.10")))
	own("10.0.0.11")
	r.expect(discover(bob, wants("10.0.0.11")), "OFFER D-1 10.0.0.10/24")
	r.expect(selecting(alice, "10.0.0.11"), "NAK D-5 not_dynamic")
	own()
	r.expect(message(Inform, web, has("10.0.0.77"), at("eth0", "10.0.0.11")), "ACK (inform)")
	r.expect(discover(carol), "OFFER D-1 10.0.0.11/24")
	if err := r.facts.Leases.verify(); err != nil {
		t.Error(err)
	}
}

// A relay address is a claim of one message. It must not shrink the pool of
// others.
func TestForgedRelayAddressHarmsNobodyElse(t *testing.T) {
	r := newRig(t, newMemStore(), snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10-10.0.0.12/24")))
	r.expect(discover(alice, via("10.0.0.10")), "OFFER D-1 10.0.0.11/24")
	r.expect(discover(bob), "OFFER D-1 10.0.0.10/24")
	// Around an unused address that is the relay's, the rest is in its order.
	r = newRig(t, newMemStore(bound("10.0.0.10", bob, -time.Hour), bound("10.0.0.12", bob, -time.Hour)),
		snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10-10.0.0.12/24")))
	r.expect(discover(alice, via("10.0.0.11")), "OFFER D-1 10.0.0.10/24")
}

// N-6: an assigned dynamic address with an empty record waits for its
// interface.
func TestAssignedDynamicAddressIsReserved(t *testing.T) {
	s := snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10-10.0.0.11/24"),
		device("nas", port("eth0", string(carol), on("10.0.0.9/24", tagged())), port("eth1", string(web))))
	r := newRig(t, newMemStore(), s)
	r.SetAuthority(Authoritative)
	r.expect(discover(alice), "OFFER D-1 10.0.0.10/24")
	r.expect(discover(alice, wants("10.0.0.9")), "OFFER D-1 10.0.0.10/24")
	r.expect(selecting(alice, "10.0.0.9"), "NAK D-5 taken")
	r.expect(selecting(web, "10.0.0.9"), "NAK D-5 taken") // another port of the same machine
	r.expect(discover(carol), "OFFER D-1 10.0.0.9/24 new")
	r.expect(selecting(carol, "10.0.0.9"), "ACK D-4 10.0.0.9/24 new")
	r.expect(renewing(carol, "10.0.0.9"), "ACK D-12 10.0.0.9/24")
}

// N-6: once the record is filled, the address is like any other.
func TestAssignedAddressWithRecordIsNotReserved(t *testing.T) {
	s := snapshot(t, worldOptions, prefix("10.0.0.0/24"),
		device("nas", port("eth0", string(carol), on("10.0.0.9/24", tagged(), record(carol, -time.Hour)))))
	newRig(t, newMemStore(), s).expect(discover(alice), "OFFER D-1 10.0.0.9/24")
}

// N-6: a client that had the address before it was reserved keeps a running
// lease, but gets no new one.
func TestReservedAddressGoesToItsInterfaceOnceFree(t *testing.T) {
	reserved := []part{prefix("10.0.0.0/24"), dynamic("10.0.0.10/24"),
		device("nas", port("eth0", string(carol), on("10.0.0.9/24", tagged())))}
	s := snapshot(t, worldOptions, reserved...)
	r := newRig(t, newMemStore(bound("10.0.0.9", alice, time.Hour)), s)
	r.expect(renewing(alice, "10.0.0.9"), "ACK D-12")
	r.expect(discover(carol), "OFFER D-1 10.0.0.10/24") // in use
	r = newRig(t, newMemStore(bound("10.0.0.9", alice, -time.Hour)), s)
	r.expect(discover(alice), "OFFER D-1 10.0.0.10/24")
	r.expect(discover(carol), "OFFER D-1 10.0.0.9/24")
}
