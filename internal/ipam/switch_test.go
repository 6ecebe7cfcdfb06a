package ipam

import (
	"net/netip"
	"testing"
)

// CL-14: an address, a MAC or a name leads to one switch, which NetBox shows.
func TestWhatLeadsToASwitch(t *testing.T) {
	device := func(id int64, name string) *Machine { return &Machine{ID: MachineID{Device, id}, Name: name} }
	for _, c := range []struct {
		name string
		more []any
		find func(*Snapshot) *Machine
		want int64 // 0: none
	}{
		{"its address", nil, func(s *Snapshot) *Machine { return s.SwitchAt(netip.MustParseAddr("10.0.0.1")) }, 1},
		{"an address of no device", nil, func(s *Snapshot) *Machine { return s.SwitchAt(netip.MustParseAddr("10.0.0.2")) }, 0},
		{"its address, of a second device in a VRF", []any{device(2, "sw2"), devicePort(20, 2, 0), with(host(9, "10.0.0.1/24"), func(a *Address) { a.Interface, a.VRF = InterfaceID{Device, 20}, 7 })},
			func(s *Snapshot) *Machine { return s.SwitchAt(netip.MustParseAddr("10.0.0.1")) }, 0},
		{"its address, which a second device has as well", []any{device(2, "sw2"), devicePort(20, 2, 0), with(host(9, "10.0.0.1/24"), func(a *Address) { a.Interface, a.Role = InterfaceID{Device, 20}, "anycast" })},
			func(s *Snapshot) *Machine { return s.SwitchAt(netip.MustParseAddr("10.0.0.1")) }, 0},
		{"its address, which a second device had that vanished", []any{&Machine{ID: MachineID{Device, 2}, Name: "sw2", Loss: Lost}, devicePort(20, 2, 0), with(host(9, "10.0.0.1/24"), func(a *Address) { a.Interface = InterfaceID{Device, 20} })},
			func(s *Snapshot) *Machine { return s.SwitchAt(netip.MustParseAddr("10.0.0.1")) }, 0},
		{"its address, of two of its interfaces", []any{devicePort(20, 1, 0), with(host(9, "10.0.0.1/24"), func(a *Address) { a.Interface = InterfaceID{Device, 20} })},
			func(s *Snapshot) *Machine { return s.SwitchAt(netip.MustParseAddr("10.0.0.1")) }, 1},
		{"its MAC", nil, func(s *Snapshot) *Machine { return s.SwitchWithMAC(MAC{2, 0, 0, 0, 0, 1}) }, 1},
		{"a MAC of none", nil, func(s *Snapshot) *Machine { return s.SwitchWithMAC(MAC{2, 0, 0, 0, 0, 2}) }, 0},
		{"a MAC of two devices", []any{device(2, "sw2"), devicePort(20, 2, 0), &MACAddress{ID: 9, MAC: MAC{2, 0, 0, 0, 0, 1}, Interface: InterfaceID{Device, 20}}},
			func(s *Snapshot) *Machine { return s.SwitchWithMAC(MAC{2, 0, 0, 0, 0, 1}) }, 0},
		{"its name", nil, func(s *Snapshot) *Machine { return s.SwitchNamed("SW1") }, 1},
		{"its name with a domain", nil, func(s *Snapshot) *Machine { return s.SwitchNamed("sw1.example.org") }, 1},
		{"another name", nil, func(s *Snapshot) *Machine { return s.SwitchNamed("sw") }, 0},
		{"no name", []any{device(2, "")}, func(s *Snapshot) *Machine { return s.SwitchNamed("") }, 0},
		{"a name of two devices", []any{device(2, "Sw1")}, func(s *Snapshot) *Machine { return s.SwitchNamed("sw1") }, 0},
		{"a name of three devices", []any{device(2, "Sw1"), device(3, "SW1")}, func(s *Snapshot) *Machine { return s.SwitchNamed("sw1") }, 0},
		{"the host name of a full one", []any{device(2, "sw2.example.org")}, func(s *Snapshot) *Machine { return s.SwitchNamed("sw2") }, 2},
		{"a name that is the host name of another as well", []any{device(2, "sw1.example.org")}, func(s *Snapshot) *Machine { return s.SwitchNamed("sw1") }, 0},
		{"a full name, beside the host name of another", []any{device(2, "sw1.example.org")}, func(s *Snapshot) *Machine { return s.SwitchNamed("sw1.example.org") }, 2},
		{"another domain", []any{device(2, "sw2.example.org")}, func(s *Snapshot) *Machine { return s.SwitchNamed("sw2.example.net") }, 0},
		{"the host name of two", []any{device(2, "sw2.a"), device(3, "sw2.b")}, func(s *Snapshot) *Machine { return s.SwitchNamed("sw2") }, 0},
		{"a virtual machine", []any{&Machine{ID: MachineID{VirtualMachine, 5}, Name: "vm"}}, func(s *Snapshot) *Machine { return s.SwitchNamed("vm") }, 0},
		{"one that vanished", []any{&Machine{ID: MachineID{Device, 2}, Name: "sw2", Loss: Lost}}, func(s *Snapshot) *Machine { return s.SwitchNamed("sw2") }, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			port := devicePort(10, 1, 0)
			o := tables(append([]any{network(1, "10.0.0.0/24", 0), device(1, "sw1"), port, &MACAddress{ID: 1, MAC: MAC{2, 0, 0, 0, 0, 1}, Interface: port.ID},
				with(host(1, "10.0.0.1/24"), func(a *Address) { a.Interface = port.ID })}, c.more...)...)
			s, _ := Build(o, Options{Circuits: true})
			m := c.find(s)
			if (m == nil) != (c.want == 0) || m != nil && m.ID.ID != c.want {
				t.Errorf("found %+v, want device %d", m, c.want)
			}
		})
	}
	for name, want := range map[string]bool{"sw1": true, "SW1.example.org": true, "sw1.other": true, "sw": false, "": false, "sw11": false} {
		if got := (&Machine{Name: "sw1"}).IsNamed(name); got != want {
			t.Errorf("sw1 is named %q: %v", name, got)
		}
	}
	if (&Machine{Name: "sw1.a"}).IsNamed("sw1.b") {
		t.Error("sw1.a is named sw1.b")
	}
}

// CL-13: an address of a pool is found in any VRF, with and without an object.
func TestAddressesOfPools(t *testing.T) {
	s, _ := Build(tables(network(1, "10.0.0.0/24", 0), network(2, "10.1.0.0/24", 7), host(1, "10.0.0.5/24"), host(2, "10.0.0.6/24", 1),
		with(host(3, "10.1.0.6/24", 1), func(a *Address) { a.VRF = 7 }), rangeOf(1, "10.0.0.10", "10.0.0.19", 1), &VRF{ID: 7, Name: "v"}), usual)
	for addr, want := range map[string]bool{"10.0.0.5": false, "10.0.0.6": true, "10.1.0.6": true, "10.0.0.15": true, "10.0.0.20": false, "10.2.0.1": false} {
		if got := s.InPool(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %v", addr, got)
		}
	}
	if s.InPool(netip.Addr{}) {
		t.Error("no address is in a pool")
	}
}
