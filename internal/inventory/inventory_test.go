package inventory

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

var options = Options{
	ContextKey: "pydhcp_configuration",
	Fields:     settings.Fields{MAC: "pydhcp_mac", Expire: "pydhcp_expire", Hostname: "name", ReservationMAC: "res_mac"},
	GateFields: []string{"redeploy", "confirm_redeploy"},
}

func load(t *testing.T, path string) *ipam.Objects {
	t.Helper()
	o, err := Load(path, options)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func device(id int64) ipam.InterfaceID { return ipam.InterfaceID{Kind: ipam.Device, ID: id} }

func equal(t *testing.T, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}), cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

func TestPlacesNetworksAndNames(t *testing.T) {
	o := load(t, "testdata/lab.yml")
	equal(t, map[int64]*ipam.Tag{
		1: {ID: 1, Name: "DHCP", Slug: "dynamic-pool"}, 2: {ID: 2, Name: "Gateway", Slug: "gateway"},
		3: {ID: 3, Name: "New Tag", Slug: "new-tag"}, 4: {ID: 4, Name: "edge", Slug: "edge"}, 5: {ID: 5, Name: "none", Slug: "none"},
	}, o.Tags)
	equal(t, map[int64]*ipam.VRF{1: {ID: 1, Name: "blue", RD: "65000:1"}}, o.VRFs)
	equal(t, map[int64]*ipam.Nested{1: {ID: 1, Name: "europe"}, 2: {ID: 2, Parent: 1, Name: "north"}}, o.Regions)
	equal(t, map[int64]*ipam.Nested{1: {ID: 1, Name: "branches"}}, o.SiteGroups)
	equal(t, map[int64]*ipam.Tenant{1: {ID: 1, Group: 1, Name: "it"}}, o.Tenants)
	equal(t, map[int64]*ipam.Site{1: {ID: 1, Region: 2, Group: 1, Tenant: 1, Name: "oslo"}, 2: {ID: 2, Name: "rome"}}, o.Sites)
	equal(t, map[int64]*ipam.Location{1: {ID: 1, Site: 1, Name: "hall"}, 2: {ID: 2, Site: 1, Parent: 1, Name: "rack"}}, o.Locations)
	prefix := netip.MustParsePrefix
	equal(t, map[int64]*ipam.Prefix{
		1: {ID: 1, Prefix: prefix("10.0.0.0/24"), Status: "active", Scope: ipam.Scope{Kind: ipam.ScopeSite, ID: 1}, Tenant: 1},
		2: {ID: 2, Prefix: prefix("10.0.1.0/24"), Status: "reserved", Scope: ipam.Scope{Kind: ipam.ScopeLocation, ID: 2}},
		3: {ID: 3, Prefix: prefix("10.0.2.0/24"), Status: "active", Scope: ipam.Scope{Kind: ipam.ScopeRegion, ID: 1}},
		4: {ID: 4, Prefix: prefix("10.0.3.0/24"), Status: "active", Scope: ipam.Scope{Kind: ipam.ScopeSiteGroup, ID: 1}},
		5: {ID: 5, Prefix: prefix("10.0.0.0/24"), VRF: 1, Status: "quarantine"},
	}, o.Prefixes)
	equal(t, map[int64]*ipam.Range{1: {
		ID: 1, Start: netip.MustParseAddr("10.0.0.100"), End: netip.MustParseAddr("10.0.0.199"), Bits: 24, VRF: 1, Status: "reserved", Tags: []int64{1},
		Role: ipam.Role{ID: 1, Name: "Phone pool", Slug: "phone-pool"}, Populated: true,
	}}, o.Ranges)
}

func TestAddressesAndTheirRecords(t *testing.T) {
	o := load(t, "testdata/lab.yml")
	prefix := netip.MustParsePrefix
	equal(t, map[int64]*ipam.Address{
		1: {ID: 1, Address: prefix("10.0.0.1/24"), Status: "active", Role: "vip", Tags: []int64{2}},
		2: {ID: 2, Address: prefix("10.0.0.1/24"), Status: "active", Role: "vip"},
		3: {ID: 3, Address: prefix("10.0.0.100/24"), Status: "active", Tags: []int64{1}},
		4: {ID: 4, Address: prefix("10.0.0.101/24"), Status: "active", Tags: []int64{1}},
		5: {ID: 5, Address: prefix("10.0.0.102/24"), Status: "active", Tags: []int64{1}},
		6: {ID: 6, Address: prefix("10.0.0.103/24"), Status: "dhcp", Tags: []int64{1, 3}, Record: ipam.Record{
			Client: "0A:00:00:00:00:01", Expires: time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC), Hostname: "old-client",
		}},
		7:  {ID: 7, Address: prefix("2001:db8::1/64"), VRF: 1, Status: "active"},
		8:  {ID: 8, Address: prefix("10.0.0.10/24"), Status: "active", Interface: device(1)},
		9:  {ID: 9, Address: prefix("10.0.0.11/24"), Status: "active", Role: "secondary", Interface: device(1)},
		10: {ID: 10, Address: prefix("10.0.2.20/24"), Status: "active", Interface: ipam.InterfaceID{Kind: ipam.VirtualMachine, ID: 1}},
	}, o.Addresses)
}

func TestMachinesAndInterfaces(t *testing.T) {
	o := load(t, "testdata/lab.yml")
	vm := ipam.InterfaceID{Kind: ipam.VirtualMachine, ID: 1} // the same number as a device's interface (P-19)
	sw1 := ipam.MachineID{Kind: ipam.Device, ID: 1}
	equal(t, map[ipam.InterfaceID]*ipam.Interface{
		device(1): {ID: device(1), Name: "lag1", Machine: sw1},
		device(2): {ID: device(2), Name: "eth0", Machine: sw1, LAG: 1},
		device(3): {ID: device(3), Name: "eth1", Machine: sw1, Bridge: 5},
		device(4): {ID: device(4), Name: "eth1.20", Machine: sw1, Parent: 3},
		device(5): {ID: device(5), Name: "br0", Machine: sw1},
		vm:        {ID: vm, Name: "eth0", Machine: ipam.MachineID{Kind: ipam.VirtualMachine, ID: 1}},
	}, o.Interfaces)
	equal(t, map[int64]*ipam.MACAddress{
		1: {ID: 1, MAC: ipam.MAC{0x0a, 0, 0, 0, 0, 0x10}, Interface: device(2)},
		2: {ID: 2, MAC: ipam.MAC{0x0a, 0, 0, 0, 0, 0x13}, Interface: device(3)},
		3: {ID: 3, MAC: ipam.MAC{0x0a, 0, 0, 0, 0, 0x11}, Interface: device(3)},
		4: {ID: 4, MAC: ipam.MAC{0x0a, 0, 0, 0, 0, 0x12}, Interface: device(3)},
		5: {ID: 5, MAC: ipam.MAC{0x0a, 0, 0, 0, 0, 0x20}, Interface: vm},
	}, o.MACs)
	machine := o.Machines[sw1]
	if machine.PrimaryIP4 != 8 {
		t.Errorf("primary IPv4 is %d, want 8", machine.PrimaryIP4)
	}
	equal(t, map[string]json.RawMessage{"redeploy": json.RawMessage("true"), "confirm_redeploy": json.RawMessage(`"sw1"`)}, machine.Gate)
}

func TestContextsAreRenderedAsNetBoxDoes(t *testing.T) { // NB-1.12
	o := load(t, "testdata/lab.yml")
	var order []string
	for _, c := range o.Contexts {
		order = append(order, c.Name)
	}
	equal(t, []string{"light", "a-first", "foreign", "z-last", "cluster", "kind", "other-role", "place"}, order)
	for name, tc := range map[string]struct {
		machine ipam.MachineID
		want    string
	}{
		"by place, by kind, by weight, then its own": {
			ipam.MachineID{Kind: ipam.Device, ID: 1}, `{"domain_name":"own","kind":true,"light":true,"mtu":1400,"place":true}`},
		"those without conditions": {
			ipam.MachineID{Kind: ipam.Device, ID: 2}, `{"domain_name":"all","light":true,"mtu":1400}`},
		"of a virtual machine": {
			ipam.MachineID{Kind: ipam.VirtualMachine, ID: 1}, `{"cluster":true,"domain_name":"all","light":true,"mtu":1400}`},
	} {
		t.Run(name, func(t *testing.T) { equal(t, tc.want, string(o.Machines[tc.machine].Context)) })
	}
	place := o.Contexts[7]
	equal(t, &ipam.ConfigContext{
		ID: 5, Name: "place", Weight: 2000, Regions: []int64{1}, SiteGroups: []int64{1}, Sites: []int64{1}, Locations: []int64{1},
		Tenants: []int64{1}, TenantGroups: []int64{1}, Data: json.RawMessage(`{"place":true}`),
	}, place)
	if kind := o.Contexts[5]; !kind.MachinesOnly || place.MachinesOnly {
		t.Error("MachinesOnly is wrong")
	}
	if foreign := o.Contexts[2]; foreign.Data != nil {
		t.Errorf("a context without our key has data %s", foreign.Data)
	}
}

func TestExampleServesAsItSays(t *testing.T) {
	o, err := Load("../../inventory.yml.example", Options{
		ContextKey: settings.Defaults().ContextKey, Fields: settings.Defaults().Fields, GateFields: options.GateFields,
	})
	if err != nil {
		t.Fatal(err)
	}
	s, problems := ipam.Build(o, ipam.Options{DynamicTag: "DHCP", GatewayTag: "Gateway"})
	if len(problems) > 0 {
		t.Errorf("problems: %v", problems)
	}
	if n := len(s.Dynamic(0)); n != 151 {
		t.Errorf("%d dynamic addresses, want 151", n)
	}
	for network, dns := range map[string]string{"10.0.0.9": "10.0.0.53", "10.0.1.150": "10.0.0.53"} {
		n, err := s.Subnet(netip.MustParseAddr(network))
		if err != nil || len(s.Gateways(n)) != 1 || n.Config.DNSServers[0] != netip.MustParseAddr(dns) {
			t.Errorf("%s: %+v, %v", network, n, err)
		}
	}
	for network, want := range map[string]time.Duration{"10.0.1.150": 0, "10.0.2.150": 30 * time.Minute} { // CTX-1
		n, err := s.Subnet(netip.MustParseAddr(network))
		if err != nil || s.Data(n, nil).Lease.Time.Value != want {
			t.Errorf("%s: %v", network, err)
		}
	}
	// bond0 and its member own the same MAC.
	if ports := s.InterfacesWithMAC(ipam.MAC{0x52, 0x54, 0, 0, 0, 1}); len(ports) != 2 {
		t.Errorf("interfaces of srv1: %v", ports)
	}
	srv1 := s.MachineConfig(s.Machine(ipam.MachineID{Kind: ipam.Device, ID: 1}))
	vm1 := s.MachineConfig(s.Machine(ipam.MachineID{Kind: ipam.VirtualMachine, ID: 1}))
	if len(srv1.NTPServers) != 1 || srv1.UEFIBootFile != "ipxe.efi" || vm1.DNSServers[0] != netip.MustParseAddr("10.0.0.54") {
		t.Errorf("contexts: %+v %+v", srv1, vm1)
	}
}

func TestTheSameFileGivesTheSameIDs(t *testing.T) {
	if !reflect.DeepEqual(load(t, "testdata/lab.yml"), load(t, "testdata/lab.yml")) {
		t.Error("two loads differ")
	}
}

func TestMissingFile(t *testing.T) {
	if _, err := Load(filepath.Join(t.TempDir(), "absent.yml"), options); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestEmptyFileIsAnEmptyNetBox(t *testing.T) {
	o, err := Parse("i.yml", nil, options)
	if err != nil || len(o.Addresses) != 0 || o.Addresses == nil {
		t.Errorf("got %+v, %v", o, err)
	}
}

func TestEveryMistakeIsReportedAtOnce(t *testing.T) {
	_, err := Parse("i.yml", []byte(strings.TrimSpace(`
prefixes:
- prefix: 10.0.0.5/24
  site: oslow
ip_addresses:
- address: 10.0.0.1
- adress: 10.0.0.2/24
devices:
- interfaces:
  - name: eth0
    mac_address: none
sites:
- name: oslo
`)), options)
	want := strings.Join([]string{
		`i.yml:2: prefixes[0].prefix: host bits are set in 10.0.0.5/24; want 10.0.0.0/24`,
		`i.yml:3: prefixes[0].site: no site "oslow" in this file; did you mean oslo?`,
		`i.yml:5: ip_addresses[0].address: want an address with its mask such as 10.0.0.5/24, or several as in 10.0.0.100-10.0.0.199/24, not "10.0.0.1"`,
		`i.yml:6: ip_addresses[1].adress: unknown key; did you mean address?`,
		`i.yml:6: ip_addresses[1].address: want an address with its mask such as 10.0.0.5/24`,
		`i.yml:8: devices[0].name: want a name`,
		`i.yml:10: devices[0].interfaces[0].mac_address: MAC address "none": want 12 hexadecimal digits`,
	}, "\n")
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Error(diff)
	}
	var problems settings.Problems
	if !errors.As(err, &problems) {
		t.Errorf("want settings.Problems, got %T", err)
	}
}

func TestMistakes(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"two sites of a name":         {"sites: [{name: a}, {name: a}]", `sites[1].name: site "a" is there already`},
		"two VRFs of an RD":           {"vrfs: [{name: a, rd: x}, {name: b, rd: x}]", `vrfs[1].rd: VRF "x" is there already`},
		"two tags of a slug":          {"tags: [{name: A b}, {name: a, slug: a-b}]", `tags[1].name: tag "a" is there already`},
		"a tag without a name":        {"tags: [{slug: a}]", "tags[0].name: want a name"},
		"an empty tag":                {"ip_addresses: [{address: 10.0.0.1/24, tags: ['']}]", "ip_addresses[0].tags[0]: want the name of a tag"},
		"a parent below":              {"regions: [{name: a, parent: b}, {name: b}]", `regions[0].parent: no region "b" in this file`},
		"a parent of itself":          {"regions: [{name: abcdef, parent: abcdef}]", `regions[0].parent: no region "abcdef" in this file`},
		"a location without a site":   {"locations: [{name: a}]", "locations[0].site: want the site of the location"},
		"a location in another site":  {"sites: [{name: a}, {name: b}]\nlocations: [{name: l, site: a}, {name: m, site: b, parent: l}]", "locations[1].parent: l is at another site"},
		"a machine elsewhere":         {"sites: [{name: a}]\nlocations: [{name: l, site: a}]\ndevices: [{name: d, location: l}]", "devices[0].location: l is not at the site of d"},
		"a prefix with two places":    {"sites: [{name: a}]\nregions: [{name: r}]\nprefixes: [{prefix: 10.0.0.0/8, site: a, region: r}]", "prefixes[0].region: a prefix has one place"},
		"a prefix in a wrong place":   {"sites: [{name: a}, {name: b}]\nlocations: [{name: l, site: a}]\nprefixes: [{prefix: 10.0.0.0/8, site: b, location: l}]", "prefixes[0].location: l is not at site b"},
		"a prefix twice":              {"prefixes: [{prefix: 10.0.0.0/8}, {prefix: 10.0.0.0/8}]", "prefixes[1].prefix: 10.0.0.0/8 is there already"},
		"no prefix":                   {"prefixes: [{vrf: }]", "prefixes[0].prefix: want a prefix such as 10.0.0.0/24"},
		"a range upside down":         {"ip_ranges: [{start_address: 10.0.0.9, end_address: 10.0.0.8/24}]", "ip_ranges[0].end_address: 10.0.0.8 is below 10.0.0.9"},
		"a range without an end":      {"ip_ranges: [{start_address: 10.0.0.9}]", "ip_ranges[0].end_address: want an address such as 10.0.0.199"},
		"a range without a start":     {"ip_ranges: [{end_address: 10.0.0.9}]", "ip_ranges[0].start_address: want an address such as 10.0.0.100"},
		"a wrong mask":                {"ip_ranges: [{start_address: 10.0.0.9/33, end_address: 10.0.0.9}]", `ip_ranges[0].start_address: want an address such as 10.0.0.5, not "10.0.0.9/33"`},
		"an address twice":            {"ip_addresses: [{address: 10.0.0.1/24}, {address: 10.0.0.1/16}]", "ip_addresses[1].address: 10.0.0.1 is there already"},
		"an address within a span":    {"ip_addresses: [{address: 10.0.0.1/24}, {address: 10.0.0.1-10.0.0.9/24}]", "ip_addresses[1].address: 10.0.0.1 is there already"},
		"shared by another role":      {"ip_addresses: [{address: 10.0.0.1/24, role: vip}, {address: 10.0.0.1/24, role: vrrp}]", "ip_addresses[1].address: 10.0.0.1 is there already"},
		"a span upside down":          {"ip_addresses: [{address: 10.0.0.9-10.0.0.1/24}]", "ip_addresses[0].address: the last address is below the first"},
		"a span over its network":     {"ip_addresses: [{address: 10.0.0.9-10.0.1.1/24}]", "ip_addresses[0].address: 10.0.0.9 and 10.0.1.1 are not in one /24"},
		"a span too long":             {"ip_addresses: [{address: 10.0.0.0-10.1.0.0/8}]", "ip_addresses[0].address: want at most 65536 addresses in one entry"},
		"a span of everything":        {"ip_addresses: [{address: 0.0.0.0-255.255.255.255/0}]", "ip_addresses[0].address: want at most 65536 addresses in one entry"},
		"a span of IPv6":              {"ip_addresses: [{address: '::1-::2/64'}]", `ip_addresses[0].address: want an address with its mask such as 10.0.0.5/24, or several as in 10.0.0.100-10.0.0.199/24, not "::1-::2/64"`},
		"a span on an interface":      {"devices: [{name: d, interfaces: [{name: e, ip_addresses: [{address: 10.0.0.1-10.0.0.2/24}]}]}]", "devices[0].interfaces[0].ip_addresses[0].address: an interface has single addresses"},
		"a name on a span":            {"ip_addresses: [{address: 10.0.0.1-10.0.0.2/24, dns_name: mail.example.org}]", "ip_addresses[0].dns_name: a name belongs to one address"},
		"a reservation on a span":     {"ip_addresses: [{address: 10.0.0.1-10.0.0.2/24, custom_fields: {res_mac: '52:54:00:00:00:01'}}]", "ip_addresses[0].custom_fields: a reservation belongs to one address"},
		"a reservation of no MAC":     {"ip_addresses: [{address: 10.0.0.1/24, custom_fields: {res_mac: x}}]", `ip_addresses[0].custom_fields: field res_mac: want the MAC of one machine such as 52:54:00:00:00:01, not "x"`},
		"a serial of a VM":            {"virtual_machines: [{name: v, serial: X1234}]", "virtual_machines[0].serial: only devices have serial numbers here"},
		"a record on a span":          {"ip_addresses: [{address: 10.0.0.1-10.0.0.2/24, custom_fields: {pydhcp_mac: x}}]", "ip_addresses[0].custom_fields: a record belongs to one address"},
		"an unknown custom field":     {"ip_addresses: [{address: 10.0.0.1/24, custom_fields: {pydhcp_mca: x}}]", "ip_addresses[0].custom_fields.pydhcp_mca: no custom field of addresses we use; did you mean pydhcp_mac?"},
		"an expiry that is no time":   {"ip_addresses: [{address: 10.0.0.1/24, custom_fields: {pydhcp_expire: soon}}]", `ip_addresses[0].custom_fields.pydhcp_expire: want a time such as 2026-01-31T12:00:00Z, not "soon"`},
		"an unknown role":             {"ip_addresses: [{address: 10.0.0.1/24, role: router}]", `ip_addresses[0].role: no role "router" in NetBox; known here: loopback, secondary, anycast, vip, vrrp, hsrp, glbp, carp`},
		"a misspelt status":           {"ip_addresses: [{address: 10.0.0.1/24, status: Activ}]", `ip_addresses[0].status: "Activ" is no status of NetBox; did you mean active?`},
		"a misspelt switch":           {"devices: [{name: d, custom_fields: {redploy: true}}]", "devices[0].custom_fields.redploy: no custom field of machines we use; did you mean redeploy?"},
		"a primary address elsewhere": {"devices: [{name: d, primary_ip4: 10.0.0.1}]", "devices[0].primary_ip4: no interface of d has 10.0.0.1"},
		"two interfaces of a name":    {"devices: [{name: d, interfaces: [{name: e}, {name: e}]}]", `devices[0].interfaces[1].name: interface "e" is there already`},
		"a MAC twice on a port":       {"devices: [{name: d, interfaces: [{name: e, mac_addresses: [0a0000000001, '0a:00:00:00:00:01']}]}]", "devices[0].interfaces[0].mac_addresses: 0A:00:00:00:00:01 is there twice"},
		"a LAG that no device has":    {"devices: [{name: d, interfaces: [{name: e, lag: bond0}]}]", `devices[0].interfaces[0].lag: no interface "bond0" in this file`},
		"a LAG of itself":             {"devices: [{name: d, interfaces: [{name: e, lag: e}]}]", "devices[0].interfaces[0].lag: an interface is no member of itself"},
		"a LAG of a VM":               {"virtual_machines: [{name: d, interfaces: [{name: e}, {name: f, lag: e}]}]", "virtual_machines[0].interfaces[1].lag: only devices have LAGs"},
		"a cable of a VM":             {"virtual_machines: [{name: d, interfaces: [{name: e, connected_endpoint: {device: d, name: e}}]}]", "virtual_machines[0].interfaces[0].connected_endpoint: only interfaces of devices have cables"},
		"a cable to nowhere":          {"devices: [{name: d, interfaces: [{name: e, connected_endpoint: {device: sw, name: p}}]}]", `devices[0].interfaces[0].connected_endpoint.device: no device "sw" in this file`},
		"a cable to no port":          {"devices: [{name: sw}, {name: d, interfaces: [{name: e, connected_endpoint: {device: sw, name: p}}]}]", `devices[1].interfaces[0].connected_endpoint.name: no interface "p" in this file`},
		"a cable to a misspelt port":  {"devices: [{name: sw, interfaces: [{name: Gi1/0/1}]}, {name: d, interfaces: [{name: e, connected_endpoint: {device: sw, name: Gi1/0/l}}]}]", `devices[1].interfaces[0].connected_endpoint.name: no interface "Gi1/0/l" in this file; did you mean Gi1/0/1?`},
		"a cable without a port":      {"devices: [{name: sw}, {name: d, interfaces: [{name: e, connected_endpoint: {device: sw}}]}]", "devices[1].interfaces[0].connected_endpoint.name: want the name of an interface of sw"},
		"a cable without a device":    {"devices: [{name: d, interfaces: [{name: e, connected_endpoint: {name: p}}]}]", "devices[0].interfaces[0].connected_endpoint.device: want the name of a device"},
		"a cable to itself":           {"devices: [{name: d, interfaces: [{name: e, connected_endpoint: {device: d, name: e}}]}]", "devices[0].interfaces[0].connected_endpoint: a cable leads to another interface"},
		"two cables into one port":    {"devices: [{name: sw, interfaces: [{name: p}]}, {name: d, interfaces: [{name: e, connected_endpoint: {device: sw, name: p}}, {name: f, connected_endpoint: {device: sw, name: p}}]}]", "devices[1].interfaces[1].connected_endpoint: p of sw has a cable to e of d already: one interface has one cable, and both of its ends say the same"},
		"ends that disagree":          {"devices: [{name: sw, interfaces: [{name: p, connected_endpoint: {device: d, name: f}}]}, {name: d, interfaces: [{name: e, connected_endpoint: {device: sw, name: p}}, {name: f}]}]", "devices[1].interfaces[0].connected_endpoint: p of sw has a cable to f of d already: one interface has one cable, and both of its ends say the same"},
		"a cable that is a list":      {"devices: [{name: d, interfaces: [{name: e, connected_endpoint: [{device: d, name: e}]}]}]", "devices[0].interfaces[0].connected_endpoint: want a mapping with device, name, not a list"},
		"a bridge of itself":          {"devices: [{name: d, interfaces: [{name: e, bridge: e}]}]", "devices[0].interfaces[0].bridge: an interface is not linked to itself"},
		"a port on itself":            {"virtual_machines: [{name: d, interfaces: [{name: e, parent: e}]}]", "virtual_machines[0].interfaces[0].parent: an interface is not linked to itself"},
		"a bridge of another machine": {"devices: [{name: d, interfaces: [{name: br0}]}, {name: e, interfaces: [{name: e, bridge: br0}]}]", `devices[1].interfaces[0].bridge: no interface "br0" in this file`},
		"a context of a lost site":    {"config_contexts: [{name: c, sites: [a], data: {}}]", `config_contexts[0].sites[0]: no site "a" in this file`},
		"a context without data":      {"config_contexts: [{name: c}]", "config_contexts[0].data: want a mapping"},
		"a context that is a list":    {"config_contexts: [{name: c, data: [1]}]", "config_contexts[0].data: want a mapping, not [1]"},
		"a context of great weight":   {"config_contexts: [{name: c, weight: 40000, data: {}}]", "config_contexts[0].weight: want 0 to 32767, not 40000"},
		"a misspelt context key":      {"config_contexts: [{name: c, data: {pydhcp_configuraton: {}}}]", "config_contexts[0].data.pydhcp_configuraton: did you mean pydhcp_configuration?"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("i.yml", []byte(tc.text), options)
			if err == nil {
				t.Fatal("accepted")
			}
			_, got, _ := strings.Cut(strings.TrimPrefix(err.Error(), "i.yml:"), ": ")
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAFileHasAnEnd(t *testing.T) {
	var text strings.Builder
	text.WriteString("ip_addresses:\n")
	for i := range 6 {
		fmt.Fprintf(&text, "- {address: 10.%d.0.0-10.%d.255.255/8}\n", i, i)
	}
	_, err := Parse("i.yml", []byte(text.String()), options)
	want := "i.yml:1: ip_addresses: want at most 262144 addresses in one file"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func FuzzParse(f *testing.F) {
	for _, path := range []string{"testdata/lab.yml", "../../inventory.yml.example"} {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("ip_addresses: [{address: 0.0.0.0-0.0.0.9/0}, {address: 255.255.255.254-255.255.255.255/8}]"))
	f.Add([]byte("devices: [{name: a, interfaces: [{name: b}, {name: c, connected_endpoint: {device: d, name: e}}]}, {name: d, interfaces: [{name: e}, {name: f, connected_endpoint: {device: a, name: b}}]}]"))
	f.Add([]byte("devices: &d [{name: a, interfaces: [{name: b, mac_address: 0a0000000001}]}]\nvirtual_machines: *d"))
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := Parse("i.yml", data, options)
		if err != nil {
			return
		}
		for id, a := range o.Addresses {
			if a.ID != id || !a.Address.IsValid() || a.VRF != 0 && o.VRFs[a.VRF] == nil ||
				a.Interface != (ipam.InterfaceID{}) && o.Interfaces[a.Interface] == nil {
				t.Errorf("address %+v", a)
			}
			for _, tag := range a.Tags {
				if o.Tags[tag] == nil {
					t.Errorf("tag %d of %s", tag, a.Address)
				}
			}
		}
		for _, port := range o.Interfaces {
			if far := port.FarEnd; far != (ipam.InterfaceID{}) && (o.Interfaces[far] == nil || o.Interfaces[far].FarEnd != port.ID || far == port.ID) {
				t.Errorf("cable of %+v leads to %+v", port, o.Interfaces[far])
			}
			if o.Machines[port.Machine] == nil || port.LAG != 0 && o.Interfaces[device(port.LAG)] == nil {
				t.Errorf("interface %+v", port)
			}
		}
		for id := range int64(len(o.Addresses)) {
			if o.Addresses[id+1] == nil {
				t.Errorf("no address %d of %d", id+1, len(o.Addresses))
			}
		}
		ipam.Build(o, ipam.Options{DynamicTag: "DHCP", GatewayTag: "Gateway"})
	})
}

// A cable is said at one end or at both, and leads either way (CL-23).
func TestCablesOfAnInventory(t *testing.T) {
	o, err := Parse("lab.yml", []byte(`devices:
- name: srv1
  interfaces: [{name: eth0, connected_endpoint: {device: sw1, name: Gi1/0/1}}]
- name: sw1
  interfaces:
  - {name: Gi1/0/1}
  - {name: Gi1/0/2, connected_endpoint: {device: srv2, name: eth0}}
  - {name: Gi1/0/3}
- name: srv2
  interfaces: [{name: eth0, connected_endpoint: {device: sw1, name: Gi1/0/2}}]
`), options)
	if err != nil {
		t.Fatal(err)
	}
	s, _ := ipam.Build(o, ipam.Options{Circuits: true})
	got := make(map[string]string)
	for id, port := range o.Interfaces {
		if far := s.FarEnd(id); far != nil {
			got[o.Machines[port.Machine].Name+" "+port.Name] = o.Machines[far.Machine].Name + " " + far.Name
		}
	}
	equal(t, map[string]string{"srv1 eth0": "sw1 Gi1/0/1", "sw1 Gi1/0/1": "srv1 eth0", "sw1 Gi1/0/2": "srv2 eth0", "srv2 eth0": "sw1 Gi1/0/2"}, got)
	if ports := s.PortsOf(ipam.MachineID{Kind: ipam.Device, ID: 2}); len(ports) != 3 {
		t.Errorf("ports %v", ports)
	}
}

// N-8: prefixes that name one VLAN are on one.
func TestVLANsOfPrefixes(t *testing.T) {
	o, err := Parse("lab.yml", []byte(`prefixes:
- {prefix: 10.1.0.0/24, vlan: office}
- {prefix: 10.2.0.0/24, vlan: guests}
- {prefix: 10.3.0.0/24}
- {prefix: 10.4.0.0/24, vlan: office}
`), options)
	if err != nil {
		t.Fatal(err)
	}
	var got []int64
	for id := range int64(len(o.Prefixes)) {
		got = append(got, o.Prefixes[id+1].VLAN)
	}
	equal(t, []int64{1, 2, 0, 1}, got)
}
