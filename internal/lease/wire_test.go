package lease

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// twoNetworks is a NetBox with two networks, each with a gateway, five dynamic
// addresses and a host.
func twoNetworks(extra ...part) []part {
	return append([]part{
		prefixOn(0, site(1), "10.10.0.0/24"), prefixOn(0, site(1), "10.20.0.0/24"),
		address("10.10.0.1/24", gateway()), address("10.20.0.1/24", gateway()),
		dynamic("10.10.0.100-10.10.0.104/24"), dynamic("10.20.0.100-10.20.0.104/24"),
		device("web", port("eth0", string(web), on("10.10.0.40/24"))),
	}, extra...)
}

// ways are the ways that a client of 10.10.0.0/24 can come.
func ways() map[string]field {
	return map[string]field{
		"relay":                         via("10.10.0.1"),
		"local, address not in NetBox":  at("eth0", "10.10.0.2"),
		"relay in a part of its own":    via("10.10.0.250"),
		"link selection of the network": func(m *ClientMessage) { via("192.0.2.1")(m); linkSelection("10.10.0.0")(m) },
		"subnet selection":              func(m *ClientMessage) { via("192.0.2.1")(m); subnetSelection("10.10.0.3")(m) },
	}
}

// N-3: prefixes also document. One that says nothing about the wire changes
// nothing for its clients, static or dynamic, in whatever state they ask.
func TestPrefixThatOnlyDocumentsChangesNothing(t *testing.T) {
	leases := []Lease{bound("10.10.0.102", alice, time.Hour)}
	for name, extra := range map[string][]part{
		"none":                               nil,
		"a block with the gateway":           {prefix("10.10.0.0/28")},
		"blocks in blocks":                   {prefix("10.10.0.0/28"), prefix("10.10.0.0/29"), prefix("10.10.0.0/30")},
		"a reserved block":                   {prefixWith("reserved", "10.10.0.0/25")},
		"all blocks":                         {prefix("10.10.0.0/25"), prefix("10.10.0.128/25")},
		"the gateway as /32":                 {prefix("10.10.0.1/32")},
		"each host as /32":                   {prefix("10.10.0.1/32"), prefix("10.10.0.2/32"), prefix("10.10.0.40/32"), prefix("10.10.0.102/32"), prefix("10.10.0.250/32")},
		"a /32 with a VLAN":                  {prefixOn(9, site(1), "10.10.0.1/32"), prefixOn(9, site(1), "10.10.0.40/32")},
		"a block at another site":            {prefixOn(0, site(2), "10.10.0.0/28")},
		"a block with the pool":              {prefix("10.10.0.96/28")},
		"a gateway that is a lone host too":  {prefix("10.10.0.0/28"), address("10.10.0.3/32", gateway())},
		"a block whose broadcast is the net": {prefix("10.10.0.32/29"), prefix("10.10.0.96/29")},
	} {
		s := snapshot(t, everyRelay, twoNetworks(extra...)...)
		for way, from := range ways() {
			t.Run(name+", "+way, func(t *testing.T) {
				for _, c := range []struct {
					message ClientMessage
					want    string
				}{
					{discover(web, from), "OFFER D-1 10.10.0.40/24 static"},
					{selecting(web, "10.10.0.40", from), "ACK D-4 10.10.0.40/24 static"},
					{request(web, wants("10.10.0.40"), from), "ACK D-8 10.10.0.40/24 static"},
					{request(web, has("10.10.0.40"), from), "ACK D-12 10.10.0.40/24 static"},
					{renewing(web, "10.10.0.40"), "ACK D-12 10.10.0.40/24 static"},
					{message(Decline, web, wants("10.10.0.40"), from), "accepted, no reply D-17 10.10.0.40/24"},
					{discover(alice, from), "OFFER D-1 10.10.0.102/24 bound"},
					{request(alice, wants("10.10.0.102"), from), "ACK D-8 10.10.0.102/24 bound"},
					{request(alice, has("10.10.0.102"), from), "ACK D-12 10.10.0.102/24 bound"},
					{renewing(alice, "10.10.0.102"), "ACK D-12 10.10.0.102/24 bound"},
					{discover(bob, from), "OFFER D-1 10.10.0.100/24 new"},
					{selecting(bob, "10.10.0.104", from), "ACK D-4 10.10.0.104/24 new"},
					{request(alice, wants("10.20.0.102"), from), "NAK D-7 wrong_network"},
				} {
					r := newRig(t, newMemStore(leases...), s)
					r.SetAuthority(Authoritative)
					if c.message.Type == Decline {
						r.answered(c.message)
					}
					d := r.expect(c.message, c.want)
					if d.Subnet != nil && d.Subnet.Prefix.Prefix.String() != "10.10.0.0/24" {
						t.Errorf("network %s", d.Subnet.Prefix.Prefix)
					}
				}
			})
		}
	}
}

// N-3: what a nested prefix needs to be a network of its own, and which mask
// counts.
func TestWidthOfTheNetwork(t *testing.T) {
	wide := prefix("10.10.0.0/24")
	narrow := prefix("10.10.0.0/28")
	kernel := func(bits int) field {
		return func(m *ClientMessage) { at("eth0", "10.10.0.2")(m); m.InterfaceBits = []int{bits} }
	}
	for _, c := range []struct {
		name  string
		parts []part
		from  field
		want  string
	}{
		{"the mask of the relay's object", []part{wide, narrow, address("10.10.0.1/24")}, via("10.10.0.1"), "10.10.0.0/24"},
		{"the object says the same as the smallest", []part{wide, narrow, address("10.10.0.1/28")}, via("10.10.0.1"), "10.10.0.0/28"},
		{"the object is narrower than the smallest", []part{wide, address("10.10.0.1/28")}, via("10.10.0.1"), "10.10.0.0/24"},
		{"no prefix of that mask", []part{wide, narrow, address("10.10.0.1/25")}, via("10.10.0.1"), "10.10.0.0/28"},
		{"the prefix of that mask is a container", []part{prefixWith("container", "10.10.0.0/24"), narrow, address("10.10.0.1/24")}, via("10.10.0.1"), "10.10.0.0/28"},
		{"the object is deprecated", []part{wide, narrow, address("10.10.0.1/24", status("deprecated"))}, via("10.10.0.1"), "10.10.0.0/28"},
		{"the object is of another VRF", []part{wide, narrow, address("10.10.0.1/24", inVRF("blue"))}, via("10.10.0.1"), "10.10.0.0/28"},
		{"a lone host says nothing", []part{wide, narrow, address("10.10.0.1/32")}, via("10.10.0.1"), "10.10.0.0/28"},
		{"no object, no gateway", []part{wide, narrow}, via("10.10.0.1"), "10.10.0.0/28"},
		{"no object, a gateway outside the block", []part{wide, narrow, address("10.10.0.254/24", gateway())}, via("10.10.0.1"), "10.10.0.0/24"},
		{"the longest of several gateways", []part{prefix("10.10.0.0/16"), wide, narrow, address("10.10.9.1/16", gateway()), address("10.10.0.254/24", gateway())},
			via("10.10.0.1"), "10.10.0.0/24"},
		{"the kernel's mask", []part{wide, narrow}, kernel(24), "10.10.0.0/24"},
		{"the kernel's mask after the object's", []part{wide, narrow, address("10.10.0.2/28")}, kernel(24), "10.10.0.0/28"},
		{"the kernel's mask before a gateway's", []part{prefix("10.10.0.0/16"), wide, narrow, address("10.10.0.9/16", gateway())}, kernel(24), "10.10.0.0/24"},
		{"an own address that is a lone host", []part{wide, narrow, address("10.10.0.9/24", gateway())}, kernel(32), "10.10.0.0/24"},
		{"the block has a gateway of its own", []part{wide, narrow, address("10.10.0.9/28", gateway()), address("10.10.0.1/24")}, via("10.10.0.1"), "10.10.0.0/28"},
		{"the block has another gateway of the wide mask", []part{wide, narrow, address("10.10.0.9/24", gateway()), address("10.10.0.1/24")}, via("10.10.0.1"), "10.10.0.0/24"},
		{"a block between has a gateway of its own", []part{wide, prefix("10.10.0.0/26"), narrow, address("10.10.0.33/26", gateway()), address("10.10.0.1/24")},
			via("10.10.0.1"), "10.10.0.0/28"},
		{"the block has a VLAN", []part{wide, prefixOn(5, site(1), "10.10.0.0/28"), address("10.10.0.1/24")}, via("10.10.0.1"), "10.10.0.0/28"},
		{"the block has the VLAN of the wide one", []part{prefixOn(5, site(1), "10.10.0.0/24"), prefixOn(5, site(1), "10.10.0.0/28"), address("10.10.0.1/24")},
			via("10.10.0.1"), "10.10.0.0/24"},
		{"only the wide one has a VLAN", []part{prefixOn(5, site(1), "10.10.0.0/24"), narrow, address("10.10.0.1/24")}, via("10.10.0.1"), "10.10.0.0/24"},
		{"a block between has another VLAN", []part{prefixOn(5, site(1), "10.10.0.0/24"), prefixOn(6, site(1), "10.10.0.0/26"), narrow, address("10.10.0.1/24")},
			via("10.10.0.1"), "10.10.0.0/28"},
		{"a /32 alone is a network", []part{prefix("10.10.0.1/32")}, via("10.10.0.1"), "10.10.0.1/32"},
		{"a /32 in a container is a network", []part{prefixWith("container", "10.10.0.0/24"), prefix("10.10.0.1/32")}, via("10.10.0.1"), "10.10.0.1/32"},
		{"a /31 stays", []part{wide, prefix("10.10.0.0/31")}, via("10.10.0.1"), "10.10.0.0/31"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if n, _ := Locate(snapshot(t, worldOptions, c.parts...), discover(alice, c.from)); n == nil || n.Prefix.Prefix.String() != c.want {
				t.Errorf("network %v, want %s", n, c.want)
			}
		})
	}
}

// N-5: a nested prefix with a gateway or VLAN of its own is another network:
// nothing of it is leased to clients of the wider one, by either pick.
func TestNestedNetworkOfItsOwnIsApart(t *testing.T) {
	for name, nested := range map[string][]part{
		"gateway": {prefix("10.10.0.100/30"), address("10.10.0.102/30", gateway())},
		"VLAN":    {prefixOn(7, site(1), "10.10.0.100/30")},
	} {
		t.Run(name, func(t *testing.T) {
			parts := append([]part{
				prefix("10.10.0.0/24"), address("10.10.0.1/24", gateway()), dynamic("10.10.0.99-10.10.0.101/24"), dynamic("10.10.0.103-10.10.0.105/24"),
				device("web", port("eth0", string(web), on("10.10.0.101/30"))),
			}, nested...)
			for _, pick := range []Pick{Lowest, Hash} {
				r := newRig(t, newMemStore(), snapshot(t, worldOptions, parts...), policy(func(p *Policy) { p.Pick = pick }))
				r.SetAuthority(Authoritative)
				var given []string
				for i := range 4 {
					if d := r.handle(discover(nth(1000+i), via("10.10.0.1"))); d.Verdict == Offer {
						given = append(given, d.Addr.Addr().String())
						r.expect(selecting(nth(1000+i), d.Addr.Addr().String(), via("10.10.0.1")), "ACK D-4")
					}
				}
				if slices.Sort(given); !slices.Equal(given, []string{"10.10.0.104", "10.10.0.105", "10.10.0.99"}) {
					t.Errorf("pick %d: offered %v", pick, given)
				}
				r.expect(selecting(alice, "10.10.0.100", via("10.10.0.1")), "NAK D-5 wrong_network")
				// The host of the nested network has moved: NetBox proves it.
				r.expect(request(web, wants("10.10.0.101"), via("10.10.0.1")), "NAK D-7 wrong_network")
			}
		})
	}
}

// onOneWire is twoNetworks with both prefixes on one VLAN, and a host in the
// second.
func onOneWire(extra ...part) []part {
	return append([]part{
		prefixOn(5, site(1), "10.10.0.0/24"), prefixOn(5, room(1), "10.20.0.0/24"),
		address("10.10.0.1/24", gateway()), address("10.20.0.1/24", gateway()),
		dynamic("10.10.0.100-10.10.0.101/24"), dynamic("10.20.0.100-10.20.0.101/24"),
		device("web", port("eth0", string(web), on("10.20.0.10/24"))),
	}, extra...)
}

// N-8: whoever has an address of any prefix of the wire keeps it, by whichever
// of the relay's addresses the message comes.
func TestSharedNetworkConfirmsTheClientsAddress(t *testing.T) {
	primary := via("10.10.0.1")
	local := at("eth0", "10.10.0.2")
	leases := []Lease{bound("10.20.0.101", alice, time.Hour)}
	s := snapshot(t, everyRelay, onOneWire()...)
	for i, from := range []field{primary, local, via("10.20.0.1"), at("eth0", "10.10.0.2", "10.20.0.2"), linkSelection("10.10.0.9")} {
		for _, c := range []struct {
			message ClientMessage
			want    string
		}{
			{discover(web, from), "OFFER D-1 10.20.0.10/24 static"},
			{selecting(web, "10.20.0.10", from), "ACK D-4 10.20.0.10/24 static"},
			{request(web, wants("10.20.0.10"), from), "ACK D-8 10.20.0.10/24 static"},
			{request(web, has("10.20.0.10"), from), "ACK D-12 10.20.0.10/24 static"},
			{message(BOOTP, web, from), "BOOTREPLY D-23 10.20.0.10/24 static"},
			{discover(alice, from), "OFFER D-1 10.20.0.101/24 bound"}, // before a new address
			{selecting(alice, "10.20.0.101", from), "ACK D-4 10.20.0.101/24 bound"},
			{request(alice, wants("10.20.0.101"), from), "ACK D-8 10.20.0.101/24 bound"},
			{request(alice, has("10.20.0.101"), from), "ACK D-12 10.20.0.101/24 bound"},
			{request(alice, wants("10.10.0.100"), from), "NAK D-9 wrong_address"},
			{request(bob, wants("10.20.0.101"), from), "NAK D-10 no_binding"},
			// D-27 stays: the static address is free, so the client moves.
			{request(web, wants("10.10.0.100"), from), "NAK D-9 wrong_address"},
		} {
			t.Run(fmt.Sprintf("%d %s", i, c.want), func(t *testing.T) {
				r := newRig(t, newMemStore(leases...), s)
				r.SetAuthority(Authoritative)
				d := r.expect(c.message, c.want)
				// Mask and gateway follow the address (R-2, G-2).
				if a := d.Addr.Addr(); a.IsValid() {
					gateways := s.Gateways(d.Subnet)
					if !d.Subnet.Contains(a) || len(gateways) != 1 || !d.Subnet.Contains(gateways[0].Address.Addr()) {
						t.Errorf("%s is of network %s with gateways %v", a, d.Subnet.Prefix.Prefix, gateways)
					}
				}
			})
		}
	}
}

// N-8: what makes two prefixes one wire.
func TestWhatIsOneWire(t *testing.T) {
	for _, c := range []struct {
		name   string
		second part
		want   string // of INIT-REBOOT with the static address of the second
	}{
		{"same VLAN, same site", prefixOn(5, site(1), "10.20.0.0/24"), "ACK D-8"},
		{"same VLAN, a location of the site", prefixOn(5, room(1), "10.20.0.0/24"), "ACK D-8"},
		{"another VLAN", prefixOn(6, site(1), "10.20.0.0/24"), "NAK D-7"},
		{"no VLAN", prefixOn(0, site(1), "10.20.0.0/24"), "NAK D-7"},
		// N-9
		{"same VLAN, another site", prefixOn(5, site(2), "10.20.0.0/24"), "silent D-7 wrong_network"},
		{"same VLAN, a location of another site", prefixOn(5, room(2), "10.20.0.0/24"), "silent D-7 wrong_network"},
		{"same VLAN, no site", prefixOn(5, ipam.Scope{}, "10.20.0.0/24"), "silent D-7 wrong_network"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := snapshot(t, worldOptions, prefixOn(5, site(1), "10.10.0.0/24"), c.second,
				address("10.10.0.1/24", gateway()), address("10.20.0.1/24", gateway()), dynamic("10.10.0.100/24"),
				device("web", port("eth0", string(web), on("10.20.0.10/24"))))
			r := newRig(t, newMemStore(), s)
			r.SetAuthority(Authoritative)
			r.expect(request(web, wants("10.20.0.10"), via("10.10.0.1")), c.want)
		})
	}
	s := snapshot(t, worldOptions, prefixOn(5, ipam.Scope{}, "10.10.0.0/24"), prefixOn(5, ipam.Scope{}, "10.20.0.0/24"),
		device("web", port("eth0", string(web), on("10.20.0.10/24"))))
	r := newRig(t, newMemStore(), s)
	r.SetAuthority(Authoritative)
	r.expect(request(web, wants("10.20.0.10"), via("10.10.0.1")), "ACK D-8") // no scope equals no scope
}

// N-8, A-1: new addresses come from the evidence's own prefix first, then from
// others that have a gateway.
func TestNewAddressesOnASharedNetwork(t *testing.T) {
	s := snapshot(t, worldOptions, prefixOn(5, site(1), "10.10.0.0/24"), prefixOn(5, site(1), "10.20.0.0/24"), prefixOn(5, site(1), "10.30.0.0/24"),
		address("10.10.0.1/24", gateway()), address("10.30.0.1/24", gateway()),
		dynamic("10.10.0.100/24"), dynamic("10.20.0.100/24"), dynamic("10.30.0.100/24"))
	r := newRig(t, newMemStore(), s)
	r.SetAuthority(Authoritative)
	r.expect(discover(alice, via("10.10.0.1")), "OFFER D-1 10.10.0.100/24 new")
	r.expect(discover(bob, via("10.10.0.1")), "OFFER D-1 10.30.0.100/24 new") // 10.20.0.0/24 has no gateway
	r.expect(selecting(bob, "10.30.0.100", via("10.10.0.1")), "ACK D-4 10.30.0.100/24")
	r.exhausted(discover(carol, via("10.10.0.1")))
	r.expect(discover(carol, via("10.20.0.1")), "OFFER D-1 10.20.0.100/24 new") // its own needs none
	r.expect(selecting(carol, "10.20.0.100", via("10.10.0.1")), "ACK D-4 10.20.0.100/24")
	r.expect(request(carol, has("10.20.0.100"), via("10.10.0.1")), "ACK D-12 10.20.0.100/24")
}

// N-8, I-4, I-6: a client with addresses in several prefixes of its wire is
// offered that of the evidence's own, and keeps the one that it asks for.
func TestStaticAddressesInSeveralPrefixesOfTheWire(t *testing.T) {
	for name, machines := range map[string][]part{
		"one port":  {device("two", port("eth0", string(carol), on("10.10.0.10/24"), on("10.20.0.20/24")))},
		"two ports": {device("two", port("eth0", string(carol), on("10.10.0.10/24")), port("eth1", string(carol), on("10.20.0.20/24")))},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, newMemStore(), snapshot(t, worldOptions, onOneWire(machines...)...))
			r.SetAuthority(Authoritative)
			r.expect(discover(carol, via("10.10.0.1")), "OFFER D-1 10.10.0.10/24 static")
			r.expect(discover(carol, via("10.20.0.1")), "OFFER D-1 10.20.0.20/24 static")
			r.expect(discover(carol, wants("10.20.0.20"), via("10.10.0.1")), "OFFER D-1 10.20.0.20/24 static")
			for _, from := range []field{via("10.10.0.1"), via("10.20.0.1")} {
				for _, addr := range []string{"10.10.0.10", "10.20.0.20"} {
					r.expect(selecting(carol, addr, from), "ACK D-4 "+addr+"/24 static")
					r.expect(request(carol, wants(addr), from), "ACK D-8 "+addr+"/24 static")
					r.expect(request(carol, has(addr), from), "ACK D-12 "+addr+"/24 static")
				}
				r.expect(request(carol, wants("10.10.0.100"), from), "NAK D-9 wrong_address")
			}
		})
	}
}

// D-29: off the wire, the client's own address is refused only where NetBox
// proves that it belongs to another wire.
func TestOwnAddressOffTheWire(t *testing.T) {
	for _, c := range []struct {
		name   string
		second []part
		own    string // static of web, bound to alice
		want   string // not only for them
		others string
	}{
		{"a network with a gateway", []part{prefix("10.20.0.0/24"), address("10.20.0.1/24", gateway())}, "10.20.0.10", "NAK D-7", "NAK D-7"},
		{"a network with a VLAN", []part{prefixOn(6, site(1), "10.20.0.0/24")}, "10.20.0.10", "NAK D-7", "NAK D-7"},
		{"a network with neither", []part{prefix("10.20.0.0/24")}, "10.20.0.10", "silent D-7", "NAK D-7"},
		{"a gateway of another mask", []part{prefix("10.20.0.0/24"), address("10.20.0.1/16", gateway())}, "10.20.0.10", "silent D-7", "NAK D-7"},
		{"a gateway of another VRF", []part{prefix("10.20.0.0/24"), address("10.20.0.1/24", gateway(), inVRF("blue"))}, "10.20.0.10", "silent D-7", "NAK D-7"},
		{"a wider prefix around both with a gateway", []part{prefix("10.0.0.0/8"), address("10.0.0.1/8", gateway())}, "10.20.0.10", "silent D-7", "NAK D-7"},
		{"a wider prefix around the own one only", []part{prefix("10.20.0.0/16"), prefix("10.20.0.0/24"), address("10.20.1.1/16", gateway())}, "10.20.0.10", "NAK D-7", "NAK D-7"},
		{"a lone host with a VLAN", []part{prefix("10.20.0.0/24"), prefixOn(6, site(1), "10.20.0.10/32")}, "10.20.0.10", "silent D-7", "NAK D-7"},
		{"no prefix at all", nil, "10.20.0.10", "silent D-7", "NAK D-7"},
		{"a copy without VLANs", []part{prefix("10.20.0.0/24"), address("10.20.0.1/24", gateway()), oldCopy()}, "10.20.0.10", "silent D-7", "silent D-7"},
	} {
		t.Run(c.name, func(t *testing.T) {
			parts := append([]part{prefix("10.10.0.0/24"), address("10.10.0.1/24", gateway()), device("web", port("eth0", string(web), on(c.own+"/24")))}, c.second...)
			for i, from := range []field{via("10.10.0.1"), at("eth0", "10.10.0.2")} {
				r := newRig(t, newMemStore(), snapshot(t, worldOptions, parts...))
				r.SetAuthority(Authoritative)
				r.expect(request(web, wants(c.own), from), c.want)
				r.expect(request(bob, wants(c.own), from), c.others)
				r = newRig(t, newMemStore(bound(c.own, alice, time.Duration(1-2*i)*time.Hour)), snapshot(t, worldOptions, parts...))
				r.SetAuthority(Authoritative)
				r.expect(request(alice, wants(c.own), from), c.want)
				if d := r.handle(request(alice, has(c.own), from)); (d.Verdict == Nak) != (c.want == "NAK D-7") || d.Rule != "D-14" {
					t.Errorf("REBINDING: %s", brief(d))
				}
				if d := r.handle(selecting(alice, c.own, from)); (d.Verdict == Nak) != (c.want == "NAK D-7") || d.Rule != "D-5" {
					t.Errorf("SELECTING: %s", brief(d))
				}
			}
		})
	}
}

// N-8, H-1: while VLANs are unknown, nothing that rests on them is refused, and
// everything else is served.
func TestCopyWithoutVLANsServes(t *testing.T) {
	r := newRig(t, newMemStore(bound("10.10.0.102", alice, time.Hour)), snapshot(t, worldOptions, twoNetworks(oldCopy())...))
	r.SetAuthority(Authoritative)
	r.expect(discover(bob, via("10.10.0.1")), "OFFER D-1 10.10.0.100/24")
	r.expect(request(alice, wants("10.10.0.102"), via("10.10.0.1")), "ACK D-8")
	r.expect(request(alice, wants("10.10.0.102"), via("10.20.0.1")), "silent D-7 wrong_network")
	r.expect(request(bob, wants("10.10.0.102"), via("10.10.0.1")), "NAK D-10")
	r.expect(request(bob, wants("192.168.1.5"), via("10.10.0.1")), "NAK D-7") // of no prefix
}
