package netbox

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4/dhcp4test"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance/instancetest"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// messagesOf lists the lines with a message.
func messagesOf(o instancetest.Opened, message string) []*logrus.Entry {
	return slices.DeleteFunc(o.Logs.AllEntries(), func(e *logrus.Entry) bool { return e.Message != message })
}

// I-8, B-2: an address that does not count leaves one line that says whose it is
// and why.
func TestAPassedOverAddressIsOneLine(t *testing.T) {
	for name, c := range map[string]struct{ address, why string }{
		"by its status":                    {`{address: 10.0.0.10/24, status: deprecated}`, "status"},
		"by its role":                      {`{address: 10.0.0.10/24, role: vip}`, "role"},
		"by its VRF":                       {`{address: 10.0.0.10/24, vrf: blue}`, "VRF"},
		"an address that counts":           {`{address: 10.0.0.10/24}`, ""},
		"a reservation by its status dhcp": {`{address: 10.0.0.10/24, status: dhcp}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			o, h := newHandlerOn(t, "", fmt.Sprintf(`
vrfs: [{name: blue}]
prefixes: [{prefix: 10.0.0.0/24}]
ip_addresses: [{address: 10.0.0.100/24, tags: [DHCP]}]
devices:
  - {name: web1, interfaces: [{name: eth0, mac_address: "02:ab:00:00:00:01", ip_addresses: [%s]}]}
`, c.address))
			for range 3 {
				req := dhcp4test.Request(t, dhcpv4.MessageTypeDiscover)
				h(req, dhcp4test.Prepared(t, req))
			}
			lines := messagesOf(o, "an address of the machine is passed over")
			if c.why == "" {
				if len(lines) != 0 {
					t.Errorf("%d lines", len(lines))
				}
				return
			}
			if len(lines) != 1 {
				t.Fatalf("%d lines, want 1", len(lines))
			}
			f := lines[0].Data
			if f["machine"] != "web1" || f["port"] != "eth0" || fmt.Sprint(f["address"]) != "10.0.0.10/24" || f["why"] != c.why {
				t.Errorf("%v", f)
			}
		})
	}
}

// S-11, I-9: what two machines are told apart by is in the line.
func TestTwoOwnersAreNamed(t *testing.T) {
	o, h := newHandlerOn(t, "", inventory)
	two, _ := ipam.Build(&ipam.Objects{
		Prefixes: map[int64]*ipam.Prefix{1: {ID: 1, Prefix: netip.MustParsePrefix("10.0.0.0/24"), Status: "active"}},
		Addresses: map[int64]*ipam.Address{
			7: {ID: 7, Address: netip.MustParsePrefix("10.0.0.10/24"), Status: "active", Interface: ipam.InterfaceID{Kind: ipam.Device, ID: 3}},
			8: {ID: 8, Address: netip.MustParsePrefix("10.0.0.10/24"), Status: "active", Interface: ipam.InterfaceID{Kind: ipam.VirtualMachine, ID: 3}},
		},
		MACs: map[int64]*ipam.MACAddress{
			1: {ID: 1, MAC: ipam.MAC{2, 0xab, 0, 0, 0, 9}, Interface: ipam.InterfaceID{Kind: ipam.Device, ID: 3}},
			2: {ID: 2, MAC: ipam.MAC{2, 0xab, 0, 0, 0, 1}, Interface: ipam.InterfaceID{Kind: ipam.VirtualMachine, ID: 3}},
		},
		Interfaces: map[ipam.InterfaceID]*ipam.Interface{
			{Kind: ipam.Device, ID: 3}:         {ID: ipam.InterfaceID{Kind: ipam.Device, ID: 3}, Name: "eth0", Machine: ipam.MachineID{Kind: ipam.Device, ID: 1}},
			{Kind: ipam.VirtualMachine, ID: 3}: {ID: ipam.InterfaceID{Kind: ipam.VirtualMachine, ID: 3}, Name: "ens3", Machine: ipam.MachineID{Kind: ipam.VirtualMachine, ID: 1}},
		},
		Machines: map[ipam.MachineID]*ipam.Machine{
			{Kind: ipam.Device, ID: 1}:         {ID: ipam.MachineID{Kind: ipam.Device, ID: 1}, Name: "old"},
			{Kind: ipam.VirtualMachine, ID: 1}: {ID: ipam.MachineID{Kind: ipam.VirtualMachine, ID: 1}, Name: "new"},
		},
	}, ipam.Options{DynamicTag: "DHCP"})
	o.Engine.SetSnapshot(two)
	if lines := messagesOf(o, "NetBox assigns one address to several ports: one of them is served"); len(lines) != 1 || lines[0].Data["served"] != "device old interface eth0" {
		t.Errorf("%d lines: %q", len(lines), o.Messages())
	}
	for range 3 {
		req := dhcp4test.Request(t, dhcpv4.MessageTypeDiscover)
		h(req, dhcp4test.Prepared(t, req))
	}
	lines := messagesOf(o, "one address on two machines: the other one is served")
	if len(lines) != 1 {
		t.Fatalf("%d lines in %q", len(lines), o.Messages())
	}
	if f := lines[0].Data; f["port"] != "ens3" || f["why"] != "two owners" {
		t.Errorf("%v", f)
	}
}

// S-11: the line of a static address that waits names machine and client; a
// lease that is not extended leaves one, too.
func TestAWaitingStaticAddressNamesBoth(t *testing.T) {
	before := `
prefixes: [{prefix: 10.0.0.0/24}]
ip_addresses: [{address: 10.0.0.100-10.0.0.101/24, tags: [DHCP]}]
devices: [{name: web1, interfaces: [{name: eth0, mac_address: "02:ab:00:00:00:01"}]}]
`
	after := `
prefixes: [{prefix: 10.0.0.0/24}]
ip_addresses: [{address: 10.0.0.101/24, tags: [DHCP]}]
devices: [{name: web1, interfaces: [{name: eth0, mac_address: "02:ab:00:00:00:01", ip_addresses: [{address: 10.0.0.100/24}]}]}]
`
	for settings, want := range map[string][]string{
		"":                               {"a static address waits: another client leases it", "10.0.0.101", "a lease is not extended: NetBox took its address away"},
		"lease:\n  static_at_once: true": {"a static address is given while another client leases it (lease.static_at_once)", "10.0.0.100", "no answer"},
	} {
		o, h := newHandlerOn(t, settings, before)
		send := func(kind dhcpv4.MessageType, mods ...dhcpv4.Modifier) *dhcpv4.DHCPv4 {
			req := dhcp4test.Request(t, kind, mods...)
			resp, _ := h(req, dhcp4test.Prepared(t, req))
			return resp
		}
		asks := func(last byte) dhcpv4.Modifier {
			return dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress([]byte{10, 0, 0, last}))
		}
		ours := dhcpv4.WithOption(dhcpv4.OptServerIdentifier(dhcp4test.Server().AsSlice()))
		if resp := send(dhcpv4.MessageTypeRequest, stranger(1), ours, asks(100)); resp == nil {
			t.Fatal("no lease")
		}
		if err := os.WriteFile(filepath.Join(filepath.Dir(o.Path), "inventory.yml"), []byte(after), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := o.Reload(); err != nil {
			t.Fatal(err)
		}
		offer := send(dhcpv4.MessageTypeDiscover)
		if offer == nil || offer.YourIPAddr.String() != want[1] {
			t.Fatalf("offered %v, want %s", offer, want[1])
		}
		for range 3 {
			send(dhcpv4.MessageTypeRequest, ours, asks(offer.YourIPAddr[3]))
			send(dhcpv4.MessageTypeRequest, stranger(1), asks(100))
		}
		lines := messagesOf(o, want[0])
		if len(lines) != 1 {
			t.Fatalf("%d lines %q in %q", len(lines), want[0], o.Messages())
		}
		if f := lines[0].Data; f["machine"] != "web1" || f["holder"] != "52:54:00:00:00:01" || f["client_id"] != "02:AB:00:00:00:01" || f["until"] == nil {
			t.Errorf("%v", f)
		}
		if n := len(messagesOf(o, want[2])); n != 1 {
			t.Errorf("%d lines %q in %q", n, want[2], o.Messages())
		}
	}
}
