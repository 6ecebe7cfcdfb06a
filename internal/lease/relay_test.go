package lease

import (
	"net/netip"
	"testing"
	"time"
)

// campus has two networks, a router that is in NetBox with two addresses, and
// places that are known and not served.
func campus() []part {
	return []part{
		prefix("10.0.0.0/24"), prefix("10.8.0.0/24"),
		prefixWith("container", "192.168.0.0/16"), prefix("172.20.0.0/24", "blue"), prefixWith("deprecated", "172.21.0.0/24"),
		address("10.0.0.1/24", gateway()), address("10.8.0.1/24", gateway()),
		dynamic("10.0.0.10-10.0.0.19/24"), dynamic("10.8.0.10-10.8.0.19/24"),
		device("router", port("vlan1", "52:54:00:00:0f:01", on("10.0.0.254/24"), on("10.8.0.254/24")),
			port("uplink", "52:54:00:00:0f:02", on("172.20.0.9/24", inVRF("blue")))),
		device("web1", port("eth0", string(web), on("10.8.0.5/24"))),
	}
}

// N-10: which relays are served at all.
func TestRelaysThatAreServed(t *testing.T) {
	link := linkSelection("10.0.0.0")
	for name, c := range map[string]struct {
		relays  []string
		message ClientMessage
		want    string
	}{
		"no list: in a prefix that is served":           {nil, discover(alice, via("10.0.0.1")), "OFFER D-1"},
		"no list: in a prefix of a container":           {nil, discover(alice, via("192.168.7.7"), link), "OFFER D-1"},
		"no list: in a prefix of another VRF":           {nil, discover(alice, via("172.20.0.77"), link), "OFFER D-1"},
		"no list: in a deprecated prefix":               {nil, discover(alice, via("172.21.0.77"), link), "OFFER D-1"},
		"no list: in no prefix":                         {nil, discover(alice, via("127.200.200.200"), link), "silent N-10 relay_unknown"},
		"no list: any sender":                           {nil, discover(alice, via("10.0.0.1"), from("203.0.113.9")), "OFFER D-1"},
		"no list: no relay":                             {nil, discover(alice, at("eth0", "10.0.0.2")), "OFFER D-1"},
		"a list: the address":                           {[]string{"10.0.0.1/32"}, discover(alice, via("10.0.0.1")), "OFFER D-1"},
		"a list: a prefix":                              {[]string{"10.0.0.0/24"}, discover(alice, via("10.0.0.1")), "OFFER D-1"},
		"a list: the one beside":                        {[]string{"10.0.0.1/32"}, discover(alice, via("10.0.0.3")), "silent N-10 relay_unlisted"},
		"a list: a prefix in NetBox does not count":     {[]string{"10.8.0.0/24"}, discover(alice, via("10.0.0.1")), "silent N-10 relay_unlisted"},
		"a list: another address of the same device":    {[]string{"10.8.0.254/32"}, discover(alice, via("10.0.0.254")), "OFFER D-1"},
		"a list: the sender is of the same device":      {[]string{"10.0.0.254/32"}, discover(alice, via("10.0.0.254"), from("172.20.0.9")), "OFFER D-1"},
		"a list: the sender is not listed":              {[]string{"10.0.0.1/32"}, discover(alice, via("10.0.0.1"), from("203.0.113.9")), "silent N-10 sender_unlisted"},
		"a list: the sender alone is listed":            {[]string{"203.0.113.9/32"}, discover(alice, via("10.0.0.1"), from("203.0.113.9")), "silent N-10 relay_unlisted"},
		"a list: both are listed":                       {[]string{"10.0.0.1/32", "203.0.113.9/32"}, discover(alice, via("10.0.0.1"), from("203.0.113.9")), "OFFER D-1"},
		"a list: clients without a relay are not asked": {[]string{"10.8.0.1/32"}, discover(alice, at("eth0", "10.0.0.2")), "OFFER D-1"},
		"a list: a known host behind an unlisted relay": {[]string{"10.0.0.1/32"}, discover(web, via("10.8.0.1")), "silent N-10 relay_unlisted"},
		"a list: a renewal to the server itself":        {[]string{"10.0.0.1/32"}, renewing(web, "10.8.0.5"), "ACK D-12"},
		"a REQUEST":                                     {nil, selecting(alice, "10.0.0.10", via("127.200.200.200"), link), "silent N-10 relay_unknown"},
		"an INFORM":                                     {nil, message(Inform, alice, has("10.0.0.77"), via("127.200.200.200"), link), "silent N-10 relay_unknown"},
		"BOOTP":                                         {nil, message(BOOTP, web, via("127.200.200.200"), linkSelection("10.8.0.0")), "silent N-10 relay_unknown"},
		"a stock server does not know the sender":       {[]string{"10.0.0.1/32"}, discover(alice, stockServer(), via("10.0.0.1")), "OFFER D-1"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, newMemStore(), snapshot(t, listed(c.relays...), campus()...))
			r.SetAuthority(Authoritative)
			r.expect(c.message, c.want)
		})
	}
}

// N-11: what a relay says of the network counts in full only if something vouches
// for it. The router 10.0.0.254 sends for a network behind it.
func TestLinkSelectionNeedsProof(t *testing.T) {
	relay, link := via("10.0.0.254"), linkSelection("10.8.0.0")
	leases := []Lease{bound("10.8.0.12", alice, time.Hour), bound("10.8.0.13", bob, -time.Hour), bound("10.0.0.12", carol, time.Hour)}
	for name, c := range map[string]struct {
		relays  []string
		way     field
		vouched bool
	}{
		"from the relay's address":     {nil, from("10.0.0.254"), true},
		"from another of its device":   {nil, from("10.8.0.254"), true},
		"from one in another VRF":      {nil, from("172.20.0.9"), true},
		"from a listed sender":         {[]string{"203.0.113.9/32", "10.0.0.254/32"}, from("203.0.113.9"), true},
		"on a stock server":            {nil, func(m *ClientMessage) { m.Delivery, m.Source = DeliveryUnknown, netip.Addr{} }, true},
		"from elsewhere":               {nil, from("203.0.113.9"), false},
		"from another device":          {nil, from("10.8.0.5"), false},
		"from an address of a network": {nil, from("10.0.0.77"), false},
	} {
		for _, row := range []struct {
			message          ClientMessage
			proved, unproved string
		}{
			{discover(web, relay, link, c.way), "OFFER D-1 10.8.0.5/24 static", "OFFER D-1 10.8.0.5/24 static"},
			{selecting(web, "10.8.0.5", relay, link, c.way), "ACK D-4 10.8.0.5/24", "ACK D-4 10.8.0.5/24"},
			{request(web, wants("10.0.0.10"), relay, link, c.way), "NAK D-7", "silent N-11 relay_unproved"},
			{discover(alice, relay, link, c.way), "OFFER D-1 10.8.0.12/24 bound", "OFFER D-1 10.8.0.12/24 bound"},
			{selecting(alice, "10.8.0.12", relay, link, c.way), "ACK D-4 10.8.0.12/24 bound", "ACK D-4 10.8.0.12/24 bound"},
			{request(alice, wants("10.8.0.12"), relay, link, c.way), "ACK D-8 10.8.0.12/24", "ACK D-8 10.8.0.12/24"},
			{request(alice, has("10.8.0.12"), relay, link, c.way), "ACK D-12 10.8.0.12/24", "ACK D-12 10.8.0.12/24"},
			{message(Inform, alice, has("10.8.0.12"), relay, link, c.way), "ACK (inform) D-21", "ACK (inform) D-21"},
			{request(alice, wants("10.8.0.13"), relay, link, c.way), "NAK D-9", "silent N-11 relay_unproved"},
			// Its lease ended: that is a new one.
			{discover(bob, relay, link, c.way), "OFFER D-1 10.8.0.13/24 bound", "silent N-11 relay_unproved"},
			{request(bob, wants("10.8.0.13"), relay, link, c.way), "ACK D-8 10.8.0.13/24", "silent N-11 relay_unproved"},
			// giaddr never stands in, not even for one who has a lease there.
			{discover(carol, relay, link, c.way), "OFFER D-1 10.8.0.10/24 new", "silent N-11 relay_unproved"},
			{request(carol, wants("10.0.0.12"), relay, link, c.way), "NAK D-7", "silent N-11 relay_unproved"},
			{discover(nth(1), relay, link, c.way), "OFFER D-1 10.8.0.10/24 new", "silent N-11 relay_unproved"},
			{selecting(nth(1), "10.8.0.15", relay, link, c.way), "ACK D-4 10.8.0.15/24 new", "silent N-11 relay_unproved"},
			{selecting(nth(1), "10.8.0.12", relay, link, c.way), "NAK D-5", "silent N-11 relay_unproved"},
			{message(Inform, nth(1), has("10.8.0.77"), relay, link, c.way), "ACK (inform) D-21", "silent N-11 relay_unproved"},
			// Without link selection giaddr is the network, from any sender.
			{discover(nth(1), relay, c.way), "OFFER D-1 10.0.0.10/24 new", "OFFER D-1 10.0.0.10/24 new"},
		} {
			want := row.unproved
			if c.vouched {
				want = row.proved
			}
			t.Run(name+": "+want, func(t *testing.T) {
				r := newRig(t, newMemStore(leases...), snapshot(t, listed(c.relays...), campus()...))
				r.SetAuthority(Authoritative)
				if d := r.expect(row.message, want); d.Relayed.Vouched != c.vouched || d.Relayed.Ignored != (!c.vouched && row.message.LinkSelection.IsValid()) {
					t.Errorf("relayed: %+v", d.Relayed)
				}
			})
		}
	}
}

// N-11: a machine that NetBox knows gets new dynamic addresses, too.
func TestKnownMachinesAreServedByUnprovedRelays(t *testing.T) {
	parts := append(campus(), device("laptop", port("eth0", string(carol))))
	r := newRig(t, newMemStore(), snapshot(t, worldOptions, parts...))
	way := func(m *ClientMessage) { via("10.0.0.254")(m); linkSelection("10.8.0.0")(m); from("203.0.113.9")(m) }
	r.expect(discover(carol, way), "OFFER D-1 10.8.0.10/24 new")
	r.expect(selecting(carol, "10.8.0.10", way), "ACK D-4 10.8.0.10/24 new")
}

// N-11, R-7: a relay stands in as server only if something vouches for it.
func TestServerIdentifierOverrideNeedsProof(t *testing.T) {
	relay := optionalAddr("10.0.0.254")
	override := func(m *ClientMessage) { m.Override = relay }
	s := snapshot(t, worldOptions, campus()...)
	for sender, want := range map[string]string{"10.0.0.254": "ACK D-4", "10.8.0.254": "ACK D-4", "203.0.113.9": "silent D-3 other_server"} {
		r := newRig(t, newMemStore(), s)
		offer := r.expect(discover(alice, via("10.0.0.254"), override, from(sender)), "OFFER D-1 10.0.0.10/24")
		if proved := want == "ACK D-4"; (offer.Override == relay) != proved || offer.Relayed.Ignored == proved {
			t.Errorf("from %s: override %s, %+v", sender, offer.Override, offer.Relayed)
		}
		r.expect(selecting(alice, "10.0.0.10", via("10.0.0.254"), override, to(relay), from(sender)), want)
	}
}

// N-12: any client can send option 118; it counts from listed senders.
func TestSubnetSelectionCountsFromListedSenders(t *testing.T) {
	option := subnetSelection("10.8.0.0")
	for name, c := range map[string]struct {
		relays  []string
		message ClientMessage
		want    string
	}{
		"a client on the wire":               {nil, discover(alice, at("eth0", "10.0.0.2"), option), "OFFER D-1 10.0.0.10/24"},
		"a client beside a list":             {[]string{"203.0.113.9/32"}, discover(alice, at("eth0", "10.0.0.2"), option), "OFFER D-1 10.0.0.10/24"},
		"a relay that is not listed":         {nil, discover(alice, via("10.0.0.1"), option), "OFFER D-1 10.0.0.10/24"},
		"a relay that is listed":             {[]string{"10.0.0.1/32"}, discover(alice, via("10.0.0.1"), option), "OFFER D-1 10.8.0.10/24"},
		"an agent that is listed, no giaddr": {[]string{"203.0.113.9/32"}, discover(alice, at("eth0", "10.0.0.2"), option, from("203.0.113.9")), "OFFER D-1 10.8.0.10/24"},
		"a stock server":                     {nil, discover(alice, stockServer(), option), "OFFER D-1 10.0.0.10/24"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newRig(t, newMemStore(), snapshot(t, listed(c.relays...), campus()...)).expect(c.message, c.want)
			if counts := d.Subnet.Prefix.Prefix.String() == "10.8.0.0/24"; d.Relayed.Subnet.IsValid() != counts || d.Relayed.Ignored == counts {
				t.Errorf("%+v", d.Relayed)
			}
		})
	}
}

// N-11: boot data for clients of another server do not rest on a claim, either.
func TestLocateAsksForTheSameProof(t *testing.T) {
	s := snapshot(t, listed("10.0.0.254/32", "203.0.113.9/32"), campus()...)
	way := func(m *ClientMessage) { via("10.0.0.254")(m); linkSelection("10.8.0.0")(m) }
	for name, c := range map[string]struct {
		message          ClientMessage
		network, machine bool
	}{
		"proved, a stranger":          {discover(alice, way), true, false},
		"proved, a known host":        {discover(web, way), true, true},
		"a sender that is not listed": {discover(web, way, from("203.0.113.10")), false, false},
		"a relay that is not listed":  {discover(web, via("10.8.0.1"), from("203.0.113.9")), false, false},
	} {
		network, machine := Locate(s, c.message)
		if (network != nil) != c.network || (machine != nil) != c.machine {
			t.Errorf("%s: network %v, machine %v", name, network, machine)
		}
	}
	s = snapshot(t, worldOptions, campus()...)
	if network, _ := Locate(s, discover(alice, way, from("203.0.113.9"))); network != nil {
		t.Errorf("a claim is believed of a stranger: %v", network.Prefix.Prefix)
	}
	if network, machine := Locate(s, discover(web, way, from("203.0.113.9"))); network == nil || machine == nil {
		t.Error("a known machine is not found by the link selection")
	}
}
