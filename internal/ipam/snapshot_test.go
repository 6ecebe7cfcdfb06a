package ipam

import (
	"encoding/json"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var usual = Options{DynamicTag: "DHCP", GatewayTag: "Gateway"}

// N-3, P-23
func TestSubnetIsTheSmallestPrefixInUse(t *testing.T) {
	container, deprecated, reserved := network(4, "10.1.1.0/25", 0), network(5, "10.1.1.0/26", 0), network(6, "10.2.0.0/24", 0)
	container.Status, deprecated.Status, reserved.Status = "container", "deprecated", "reserved"
	rows := []any{
		&VRF{ID: 7, Name: "blue", RD: "1:7"}, &VRF{ID: 8, Name: "red", RD: "1:8"},
		network(1, "10.0.0.0/8", 0), network(2, "10.1.0.0/16", 0), network(3, "10.1.1.0/24", 0), container, deprecated, reserved,
		network(7, "10.1.1.128/25", 7), network(8, "172.16.0.0/12", 7), network(9, "192.168.0.0/24", 7), network(10, "192.168.0.0/16", 8),
		network(11, "2001:db8::/32", 0), &Prefix{ID: 12, Status: "active"}, network(13, "0.0.0.0/0", 8),
	}
	for _, c := range []struct {
		name, vrf, addr, want string
	}{
		{"the smallest", "", "10.1.1.130", "10.1.1.0/24"},
		{"one above", "", "10.1.2.1", "10.1.0.0/16"},
		{"reserved counts", "", "10.2.0.1", "10.2.0.0/24"},
		{"the whole address space", "red", "8.8.8.8", "0.0.0.0/0"},
		{"the configured VRF by name", "blue", "10.1.1.130", "10.1.1.128/25"},
		{"the configured VRF by route distinguisher", "1:7", "10.1.1.130", "10.1.1.128/25"},
		{"nothing in the configured VRF", "blue", "10.1.1.1", "no active or reserved prefix holds the address"},
		{"a VRF that is not there", "green", "10.1.1.1", "no active or reserved prefix holds the address"},
		{"several VRFs", "", "192.168.0.1", "192.168.0.1 is in prefixes of the VRFs blue, red: set netbox.vrf"},
		{"IPv6", "", "2001:db8::1", "no active or reserved prefix holds the address"},
		{"no address", "", "", "no active or reserved prefix holds the address"},
	} {
		t.Run(c.name, func(t *testing.T) {
			options := usual
			options.VRF = c.vrf
			s, _ := Build(tables(rows...), options)
			var addr netip.Addr
			if c.addr != "" {
				addr = netip.MustParseAddr(c.addr)
			}
			n, err := s.Subnet(addr)
			var ambiguous *AmbiguousVRFError
			switch {
			case err == nil && n.Prefix.Prefix.String() != c.want:
				t.Errorf("%s, want %s", n.Prefix.Prefix, c.want)
			case err != nil && err.Error() != c.want:
				t.Errorf("%v, want %s", err, c.want)
			case err != nil && !errors.Is(err, ErrNoSubnet) && !errors.As(err, &ambiguous):
				t.Errorf("%v is neither of the errors promised", err)
			}
		})
	}
	// Without the catch-all of red, 172.16.0.1 is in one VRF only.
	s, _ := Build(tables(rows[:len(rows)-1]...), usual)
	if n, err := s.Subnet(netip.MustParseAddr("172.16.0.1")); err != nil || n.VRF != 7 {
		t.Errorf("%v, %v; want the only VRF that matches", n, err)
	}
}

// Tags are found by name or slug, in upper or lower case (P-18).
func TestTagsByNameOrSlug(t *testing.T) {
	rows := []any{host(1, "10.0.0.1/24", 1), host(2, "10.0.0.2/24", 2), host(3, "10.0.0.3/24")}
	for _, c := range []struct{ dynamic, gateway, wantDynamic, wantGateway, problem string }{
		{"DHCP", "Gateway", "10.0.0.1", "10.0.0.2", ""},
		{"dhcp", "GATEWAY", "10.0.0.1", "10.0.0.2", ""},
		{"Dhcp", "gw", "10.0.0.1", "10.0.0.2", ""},
		{"Gateway", "DHCP", "10.0.0.2", "10.0.0.1", ""},
		{"pool", "Gateway", "", "10.0.0.2", "tag pool: not in NetBox: create it or set netbox.dynamic.tag"},
		{"DHCP", "router", "10.0.0.1", "", "tag router: not in NetBox: create it or set netbox.gateway.tag"},
		{"", "", "", "", ""},
	} {
		s, problems := Build(tables(rows...), Options{DynamicTag: c.dynamic, GatewayTag: c.gateway})
		var dynamic, gateways []*Address
		for _, id := range []int64{1, 2, 3} {
			a := s.Objects().Addresses[id]
			if s.IsDynamic(a) {
				dynamic = append(dynamic, a)
			}
			if s.IsGateway(a) {
				gateways = append(gateways, a)
			}
		}
		if hosts(dynamic) != c.wantDynamic || hosts(gateways) != c.wantGateway {
			t.Errorf("%q and %q: dynamic %q, gateways %q", c.dynamic, c.gateway, hosts(dynamic), hosts(gateways))
		}
		var text string
		for _, p := range problems {
			text += p.String()
		}
		if text != c.problem {
			t.Errorf("%q and %q: problems %q, want %q", c.dynamic, c.gateway, text, c.problem)
		}
	}
}

// N-5, B-4: what can be leased, sorted by number (P-7).
func TestDynamicAddresses(t *testing.T) {
	s, problems := Build(tables(
		host(1, "10.0.0.10/24", 1), host(2, "10.0.0.9/24", 1), host(3, "10.0.0.8/24"),
		host(4, "10.0.0.7/24", 1, 2),
		with(host(5, "10.0.0.6/24", 1), func(a *Address) { a.Status = "deprecated" }),
		with(host(6, "10.0.0.5/24", 1), func(a *Address) { a.Role = "vip" }),
		with(host(7, "10.0.0.4/24", 1), func(a *Address) { a.Role = "secondary" }),
		with(host(8, "10.0.0.3/24"), func(a *Address) { a.Status = "dhcp" }),
		with(host(9, "10.0.0.10/24", 1), func(a *Address) { a.VRF = 7 }),
		host(10, "2001:db8::1/64", 1),
		&Address{ID: 11, Tags: []int64{1}, Status: "active"}, // an address that did not parse
	), Options{DynamicTag: "DHCP", GatewayTag: "gateway", DynamicStatus: "dhcp"})
	if len(problems) != 0 {
		t.Errorf("problems %v", problems)
	}
	if got, want := hosts(s.Dynamic(0)), "10.0.0.3 10.0.0.4 10.0.0.9 10.0.0.10"; got != want {
		t.Errorf("dynamic %s, want %s", got, want)
	}
	if got := s.DynamicVRFs(); !slices.Equal(got, []int64{0, 7}) || hosts(s.Dynamic(7)) != "10.0.0.10" {
		t.Errorf("VRFs %v, in 7 %s", got, hosts(s.Dynamic(7)))
	}
	for _, a := range s.Dynamic(0) {
		if !s.Leasable(a) || s.Address(0, a.Address.Addr()) != a {
			t.Errorf("%s: leasable %v, looked up %v", a.Address, s.Leasable(a), s.Address(0, a.Address.Addr()))
		}
	}
}

// Where uniqueness is off, several objects may describe one host. The one with
// the lowest id speaks for it, and all of them have to call it dynamic.
func TestSeveralObjectsForOneHost(t *testing.T) {
	static := with(host(9, "10.0.0.5/24"), func(a *Address) { a.Interface = InterfaceID{Device, 1} })
	for _, c := range []struct {
		name    string
		rows    []any
		dynamic string
		first   int64
		problem string
	}{
		{"all dynamic", []any{host(3, "10.0.0.5/24", 1), host(2, "10.0.0.5/25", 1), host(4, "10.0.0.5/32", 1)}, "10.0.0.5", 2, ""},
		{"the first dynamic, another static", []any{host(2, "10.0.0.5/24", 1), static}, "", 2,
			"IP address 10.0.0.5/24 (id 2): a second object (id 9) says the same address is not dynamic: not leased"},
		{"the first static, another dynamic", []any{host(10, "10.0.0.5/24", 1), static}, "", 9, ""},
		{"the first dynamic, another deprecated", []any{host(2, "10.0.0.5/24", 1), with(host(3, "10.0.0.5/24", 1), func(a *Address) { a.Status = "deprecated" })}, "", 2,
			"IP address 10.0.0.5/24 (id 2): a second object (id 3) says the same address is not dynamic: not leased"},
		{"neither is dynamic: shared addresses are nothing to report", []any{host(2, "10.0.0.5/24"), host(3, "10.0.0.5/24")}, "", 2, ""},
		{"in another VRF", []any{host(2, "10.0.0.5/24", 1), with(host(3, "10.0.0.5/24"), func(a *Address) { a.VRF = 7 })}, "10.0.0.5", 2, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, problems := Build(tables(c.rows...), usual)
			first := s.Address(0, netip.MustParseAddr("10.0.0.5"))
			if first == nil || first.ID != c.first {
				t.Errorf("the host is %v, want id %d", first, c.first)
			}
			if got := hosts(s.Dynamic(0)); got != c.dynamic {
				t.Errorf("dynamic %q, want %q", got, c.dynamic)
			}
			if got := s.Leasable(first); got != (c.dynamic != "") {
				t.Errorf("leasable: %v", got)
			}
			var text string
			for _, p := range problems {
				text += p.String()
			}
			if text != c.problem {
				t.Errorf("problems %q, want %q", text, c.problem)
			}
		})
	}
	// All of them are listed on their interfaces.
	s, _ := Build(tables(host(2, "10.0.0.5/24", 1), static), usual)
	if got := s.Assigned(InterfaceID{Device, 1}); len(got) != 1 || got[0] != static {
		t.Errorf("assigned %v", got)
	}
}

// G-2
func TestGatewaysOfANetwork(t *testing.T) {
	s, _ := Build(tables(
		network(1, "10.0.0.0/24", 0), network(2, "10.0.0.0/16", 0),
		host(1, "10.0.0.254/24", 2), host(2, "10.0.0.1/24", 2), host(3, "10.0.1.1/24", 2), host(4, "10.0.0.2/24"),
		with(host(5, "10.0.0.3/24", 2), func(a *Address) { a.Status = "deprecated" }),
		with(host(6, "10.0.0.4/24", 2), func(a *Address) { a.VRF = 7 }),
		host(7, "10.0.0.255/24", 2), host(8, "10.0.0.0/24", 2), host(9, "2001:db8::1/64", 2),
	), usual)
	n, err := s.Subnet(netip.MustParseAddr("10.0.0.9"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := hosts(s.Gateways(n)), "10.0.0.0 10.0.0.1 10.0.0.254 10.0.0.255"; got != want {
		t.Errorf("gateways %s, want %s", got, want)
	}
}

// I-4, P-1, P-19: MACs, members and assignments, and rows that point nowhere.
func TestInterfaceIndexes(t *testing.T) {
	lag, vmPort := InterfaceID{Device, 10}, &Interface{ID: InterfaceID{VirtualMachine, 10}, Name: "ens3", Machine: MachineID{VirtualMachine, 1}}
	ports := []*Interface{devicePort(10, 1, 0), devicePort(12, 1, 10), devicePort(11, 1, 10), devicePort(13, 1, 99)}
	second := with(host(2, "10.0.0.10/24"), func(a *Address) { a.Interface = lag })
	first := with(host(3, "10.0.0.9/24"), func(a *Address) { a.Interface = lag })
	s, problems := Build(tables(ports[0], ports[1], ports[2], ports[3], vmPort, second, first,
		macOn(1, 1, ports[1].ID), macOn(2, 1, ports[0].ID), macOn(3, 1, vmPort.ID), macOn(4, 1, ports[0].ID), macOn(5, 2, ports[0].ID),
		macOn(6, 3, InterfaceID{}), macOn(7, 4, InterfaceID{Device, 77}),
		&Machine{ID: MachineID{Device, 1}, Name: "sw"},
	), usual)
	if len(problems) != 0 {
		t.Errorf("problems %v", problems)
	}
	if got, want := s.InterfacesWithMAC(MAC{2, 0, 0, 0, 0, 1}), []*Interface{ports[0], ports[1], vmPort}; !slices.Equal(got, want) {
		t.Errorf("MAC is on %v, want %v", got, want)
	}
	for _, last := range []byte{3, 4, 5} {
		if got := s.InterfacesWithMAC(MAC{2, 0, 0, 0, 0, last}); len(got) != 0 {
			t.Errorf("MAC ending in %d is on %v", last, got)
		}
	}
	if got, want := s.MACs(lag), []MAC{{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}}; !slices.Equal(got, want) {
		t.Errorf("MACs %v, want %v", got, want)
	}
	if got, want := s.Members(lag), []*Interface{ports[2], ports[1]}; !slices.Equal(got, want) {
		t.Errorf("members %v, want %v", got, want)
	}
	if got := s.Members(vmPort.ID); len(got) != 0 {
		t.Errorf("members of a virtual interface with the same id: %v", got)
	}
	if got := s.Assigned(lag); !slices.Equal(got, []*Address{first, second}) {
		t.Errorf("assigned %s", hosts(got))
	}
	if s.Interface(lag) != ports[0] || s.Interface(InterfaceID{Device, 77}) != nil {
		t.Error("interfaces by id")
	}
	if s.Machine(MachineID{Device, 1}).Name != "sw" || s.Machine(MachineID{VirtualMachine, 1}) != nil {
		t.Error("machines by id")
	}
}

// A record names its client by key.
func TestRecordedAddresses(t *testing.T) {
	of := func(id int64, cidr, client string) *Address {
		return with(host(id, cidr, 1), func(a *Address) { a.Record.Client = client })
	}
	s, _ := Build(tables(of(1, "10.0.0.10/24", "A"), of(2, "10.0.0.9/24", "A"), of(3, "10.0.0.8/24", "B"), of(4, "10.0.0.7/24", "")), usual)
	if got, want := hosts(s.Recorded("A")), "10.0.0.9 10.0.0.10"; got != want {
		t.Errorf("recorded %s, want %s", got, want)
	}
	if got := s.Recorded(""); len(got) != 0 {
		t.Errorf("recorded for no client: %s", hosts(got))
	}
}

// B-4: problems name objects, always in the same order, once for all that
// share a mistake.
func TestProblemsNameObjects(t *testing.T) {
	wrong := json.RawMessage(`{"mtu": "big"}`)
	rows := []any{
		&VRF{ID: 7, Name: "blue", RD: "1:7"}, &VRF{ID: 8, Name: "blue", RD: "1:8"},
		network(4, "10.0.0.0/24", 0), network(3, "10.0.0.0/24", 0),
		&Machine{ID: MachineID{VirtualMachine, 1}, Name: "vm", Context: wrong},
		&Machine{ID: MachineID{Device, 9}, Name: "web9", Context: slices.Clone(wrong)},
		&Machine{ID: MachineID{Device, 2}, Name: "web2", Context: wrong},
		&Machine{ID: MachineID{Device, 3}, Name: "fine", Context: json.RawMessage(`{"mtu": 1500}`)},
	}
	want := []string{
		"VRF blue: several VRFs have this name: set netbox.vrf to the route distinguisher",
		"device web2 (id 2), config context: mtu: want a whole number from 68 to 65535, not \"big\"",
		"prefix 10.0.0.0/24 (id 4): the same prefix exists as id 3, which is used",
	}
	for range 20 {
		s, problems := Build(tables(rows...), Options{VRF: "blue", DynamicTag: "dhcp"})
		var got []string
		for _, p := range problems {
			got = append(got, p.String())
		}
		if !slices.Equal(got, want) {
			t.Fatalf("problems\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if n, err := s.Subnet(netip.MustParseAddr("10.0.0.1")); !errors.Is(err, ErrNoSubnet) {
			t.Fatalf("%v, %v: served in a VRF that was not chosen", n, err)
		}
	}
	_, problems := Build(tables(), Options{VRF: "green"})
	if len(problems) != 1 || problems[0].Object != "VRF green" {
		t.Errorf("problems %v", problems)
	}
}

// Configs are never nil: plugins do not ask.
func TestConfigsAreNeverNil(t *testing.T) {
	bare, full := &Machine{ID: MachineID{Device, 1}}, &Machine{ID: MachineID{Device, 2}, Context: json.RawMessage(`{"domain_name": "a"}`)}
	s, _ := Build(tables(network(1, "10.0.0.0/24", 0), bare, full), usual)
	n, err := s.Subnet(netip.MustParseAddr("10.0.0.1"))
	if err != nil || n.Config == nil || s.MachineConfig(bare) == nil || s.MachineConfig(full).DomainName != "a" {
		t.Errorf("%v, %v, %v, %v", err, n.Config, s.MachineConfig(bare), s.MachineConfig(full))
	}
}

func TestVRFName(t *testing.T) {
	s, _ := Build(tables(&VRF{ID: 7, Name: "blue"}), usual)
	for id, want := range map[int64]string{0: "global table", 7: "blue", 9: "VRF id 9"} {
		if got := s.VRFName(id); got != want {
			t.Errorf("%d: %s, want %s", id, got, want)
		}
	}
}

// Build changes nothing in the tables it is given.
func TestBuildLeavesTheTablesAlone(t *testing.T) {
	o := sampleDisk().Objects
	Build(o, usual)
	if diff := cmp.Diff(sampleDisk().Objects, o, compareAddrs); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}
