package ipam

import (
	"net/netip"
	"testing"
)

// N-10: what makes an address one of a relay, and two of them one machine's.
func TestRelays(t *testing.T) {
	router, host := MachineID{Device, 1}, MachineID{VirtualMachine, 1}
	port := func(id int64) InterfaceID { return InterfaceID{Device, id} }
	vport := InterfaceID{VirtualMachine, 1}
	o := &Objects{
		Prefixes: map[int64]*Prefix{
			1: {ID: 1, Prefix: netip.MustParsePrefix("10.0.0.0/24"), Status: "active"},
			2: {ID: 2, Prefix: netip.MustParsePrefix("10.1.0.0/16"), Status: "deprecated", VRF: 7},
			3: {ID: 3, Prefix: netip.MustParsePrefix("0.0.0.0/0"), Status: "container"},
			4: {ID: 4, Prefix: netip.MustParsePrefix("2001:db8::/32"), Status: "active"},
		},
		Addresses: map[int64]*Address{
			1: {ID: 1, Address: netip.MustParsePrefix("10.0.0.1/24"), Interface: port(1)},
			2: {ID: 2, Address: netip.MustParsePrefix("10.1.0.1/24"), Interface: port(2), VRF: 7},
			3: {ID: 3, Address: netip.MustParsePrefix("10.0.0.9/24"), Interface: vport},
			4: {ID: 4, Address: netip.MustParsePrefix("10.0.0.10/24")},
			5: {ID: 5, Address: netip.MustParsePrefix("10.0.0.11/24"), Interface: port(99)}, // not loaded
			6: {ID: 6, Address: netip.MustParsePrefix("10.0.0.12/24"), Interface: port(98)},
		},
		Interfaces: map[InterfaceID]*Interface{
			port(1): {ID: port(1), Machine: router}, port(2): {ID: port(2), Machine: router}, vport: {ID: vport, Machine: host},
		},
	}
	for _, c := range []struct {
		listed, addr string
		want         bool
	}{
		{"", "10.0.0.77", true}, {"", "10.1.200.1", true}, {"", "10.2.0.1", false}, {"", "0.0.0.0", false},
		{"10.0.0.1/32", "10.0.0.1", true}, {"10.0.0.1/32", "10.1.0.1", true}, {"10.0.0.1/32", "10.0.0.9", false}, {"10.0.0.1/32", "10.0.0.77", false},
		{"10.0.0.0/24", "10.1.0.1", true}, {"10.0.0.0/24", "10.0.0.200", true}, {"10.1.0.1/32", "10.0.0.1", true},
		{"10.0.0.11/32", "10.0.0.12", false}, {"10.0.0.10/32", "10.0.0.11", false},
	} {
		var opt Options
		if c.listed != "" {
			opt.Relays = []netip.Prefix{netip.MustParsePrefix(c.listed)}
		}
		s, _ := Build(o, opt)
		if got := s.MayRelay(netip.MustParseAddr(c.addr)); got != c.want {
			t.Errorf("listed %q: %s may relay: %v", c.listed, c.addr, got)
		}
	}
	s, _ := Build(o, Options{})
	for _, c := range []struct {
		one, other string
		want       bool
	}{
		{"10.0.0.1", "10.1.0.1", true}, {"10.1.0.1", "10.0.0.1", true}, {"10.0.0.1", "10.0.0.9", false},
		{"10.0.0.10", "10.0.0.10", false}, {"10.0.0.11", "10.0.0.12", false}, {"10.0.0.1", "10.0.0.200", false},
	} {
		if got := s.SameMachine(netip.MustParseAddr(c.one), netip.MustParseAddr(c.other)); got != c.want {
			t.Errorf("%s and %s: %v", c.one, c.other, got)
		}
	}
	if s.ListedRelay(netip.Addr{}) || s.MayRelay(netip.Addr{}) || s.SameMachine(netip.Addr{}, netip.Addr{}) {
		t.Error("no address is one of a relay")
	}
}
