package pxe

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4/dhcp4test"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance/instancetest"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// bootInventory is inventory with a file for each kind of firmware.
var bootInventory = strings.Replace(inventory, "pxe_boot_file: pxelinux.0", "pxe_boot_file: pxelinux.0\n        uefi_boot_file: grubx64.efi", 1)

// wire lists what a packet says, options in hexadecimal; 61 and 82 are echoes.
func wire(p *dhcpv4.DHCPv4) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v yiaddr %v siaddr %v sname %q file %q", p.MessageType(), p.YourIPAddr, p.ServerIPAddr, p.ServerHostName, p.BootFileName)
	for _, code := range slices.Sorted(maps.Keys(p.Options)) {
		fmt.Fprintf(&b, "\n%d %x", code, p.Options[code])
	}
	return b.String()
}

// ask runs proxy4 on a message that came by an interface of 10.0.0.0/24.
func (s proxyTest) ask(t *testing.T, kind dhcpv4.MessageType, mods ...dhcpv4.Modifier) *dhcpv4.DHCPv4 {
	t.Helper()
	req := dhcp4test.Request(t, kind, mods...)
	resp := dhcp4test.Prepared(t, req)
	resp.ServerIPAddr = []byte{0, 0, 0, 0} // the receive loop's reply has none
	x := &dhcp4.Exchange{Ingress: dhcp4.Ingress{Interface: "eth1", Addrs: []netip.Addr{dhcp4test.Server()}, Delivery: lease.DeliveryBroadcast}}
	answer, stop := s.Proxy()(x, dhcp4.Of(req), dhcp4.Of(resp))
	if !stop {
		t.Error("the chain may go on")
	}
	if answer == nil {
		return nil
	}
	return dhcp4test.OverTheWire(t, answer.Library())
}

type proxyTest struct{ instancetest.Opened }

func newProxyTest(t *testing.T, settings, inventory string) proxyTest {
	t.Helper()
	opened := instancetest.Open(t, settings, inventory)
	if _, err := setup(opened.Pool, nil); err != nil {
		t.Fatal(err)
	}
	return proxyTest{opened}
}

// what each firmware is told, and nothing of a lease with it. siaddr
// is the TFTP server, or nothing; never this server.
func TestProxyDHCPTellsBootDataOnly(t *testing.T) {
	s := newProxyTest(t, "", bootInventory)
	id := fmt.Sprintf("%x", machineID)
	for name, want := range map[string]string{
		"a BIOS network card": `yiaddr 0.0.0.0 siaddr 10.0.0.66 sname "" file "pxelinux.0"
43 060108ff
53 TYPE
54 0a000002
60 505845436c69656e74
66 31302e302e302e3636
67 7078656c696e75782e30
97 ` + id,
		"edk2 by TFTP": `yiaddr 0.0.0.0 siaddr 10.0.0.66 sname "" file "grubx64.efi"
43 060108ff
53 TYPE
54 0a000002
60 505845436c69656e74
66 31302e302e302e3636
67 677275627836342e656669
97 ` + id,
		"edk2 by HTTP": `yiaddr 0.0.0.0 siaddr 0.0.0.0 sname "" file "http://boot.example.net/grub.efi"
53 TYPE
54 0a000002
60 48545450436c69656e74
67 687474703a2f2f626f6f742e6578616d706c652e6e65742f677275622e656669
97 ` + id,
		"the iPXE of SeaBIOS": `yiaddr 0.0.0.0 siaddr 10.0.0.66 sname "" file "pxelinux.0"
43 060108ff
53 TYPE
54 0a000002
60 505845436c69656e74
61 01020304050607
66 31302e302e302e3636
67 7078656c696e75782e30
97 ` + id,
		"a phone":             "",
		"an operating system": "",
	} {
		for kind, said := range map[dhcpv4.MessageType]string{dhcpv4.MessageTypeDiscover: "02", dhcpv4.MessageTypeRequest: "05"} {
			got := ""
			if resp := s.ask(t, kind, firmware(name)...); resp != nil {
				_, got, _ = strings.Cut(wire(resp), " ")
			}
			if diff := cmp.Diff(strings.ReplaceAll(want, "TYPE", said), got); diff != "" {
				t.Errorf("%s, %v (-want +got):\n%s", name, kind, diff)
			}
		}
	}
}

// X-17 with X-11: iPXE that loads a URL knows the answer by class and option 43
// too, although a lease would do without.
func TestProxyDHCPForIPXEWithAURLAndNoTFTPServer(t *testing.T) {
	urls := strings.NewReplacer("tftp_server: 10.0.0.66\n        ", "", "pxe_boot_file: pxelinux.0", "ipxe_boot_file: http://10.0.0.66/menu.ipxe").Replace(inventory)
	resp := newProxyTest(t, "", urls).ask(t, dhcpv4.MessageTypeDiscover, firmware("the iPXE of SeaBIOS")...)
	if resp == nil || resp.BootFileName != "http://10.0.0.66/menu.ipxe" || resp.ClassIdentifier() != "PXEClient" ||
		!resp.Options.Has(dhcpv4.OptionVendorSpecificInformation) || resp.Options.Has(dhcpv4.OptionEtherboot) || !resp.ServerIPAddr.IsUnspecified() {
		t.Errorf("%v", resp)
	}
}

// X-17 with: the client is looked up by its MAC, the switch holds,
// and unknown machines follow pxe.unknown by the network they are in.
func TestProxyDHCPKnowsTheMachines(t *testing.T) {
	for name, tt := range map[string]struct {
		settings string
		mac      byte
		mods     []dhcpv4.Modifier
		want     bool
		note     string
	}{
		"a device":                       {"", 1, nil, true, ""},
		"a virtual machine":              {"", 5, nil, true, ""},
		"an unknown client":              {"", 9, nil, false, "neither the machine nor a place for unknown ones is in NetBox"},
		"unknown where the site counts":  {"pxe: {unknown: site}", 9, nil, true, ""},
		"unknown behind a relay":         {"pxe: {unknown: site}", 9, []dhcpv4.Modifier{dhcpv4.WithGatewayIP([]byte{10, 0, 0, 1})}, true, ""},
		"unknown behind a strange relay": {"pxe: {unknown: site}", 9, []dhcpv4.Modifier{dhcpv4.WithGatewayIP([]byte{172, 16, 0, 1})}, false, ""},
		"switched off":                   {"", 2, nil, false, string(switchOff)},
		"switched on":                    {"", 3, nil, true, ""},
		"confirmed for another name":     {"", 4, nil, false, string(switchOff)},
		"a group address for a MAC":      {"pxe: {unknown: site}", 0, []dhcpv4.Modifier{dhcpv4.WithHwAddr([]byte{1, 2, 3, 4, 5, 6})}, false, ""},
		"no architecture":                {"", 1, []dhcpv4.Modifier{dhcpv4.WithoutOption(dhcpv4.OptionClientSystemArchitectureType), dhcp4test.Text(60, "PXEClient")}, false, "the client tells no architecture"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newProxyTest(t, tt.settings, inventory)
			req := dhcp4test.Request(t, dhcpv4.MessageTypeDiscover, append(append(firmware("a BIOS network card"), mac(tt.mac)), tt.mods...)...)
			x := &dhcp4.Exchange{Ingress: dhcp4.Ingress{Interface: "eth1", Addrs: []netip.Addr{dhcp4test.Server()}, Delivery: lease.DeliveryBroadcast}}
			resp, _ := s.Proxy()(x, dhcp4.Of(req), dhcp4.Of(dhcp4test.Prepared(t, req)))
			if got := resp != nil; got != tt.want {
				t.Fatalf("answered %v (%s), want %v", got, x.Note, tt.want)
			}
			if tt.note != "" && x.Note != tt.note {
				t.Errorf("note %q, want %q", x.Note, tt.note)
			}
			if resp != nil && (!resp.YourIPAddr.IsUnspecified() || resp.Options.Has(dhcpv4.OptionIPAddressLeaseTime)) {
				t.Errorf("a lease: %v", resp)
			}
		})
	}
}
