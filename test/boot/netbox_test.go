//go:build linux

package boot

import (
	"fmt"
	"net"
	"net/netip"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

// Networks of the run: near the server, and behind a relay.
const (
	near = 1
	far  = 2
)

// Hosts of the near network.
const (
	serverHost = 1 // the program
	relayHost  = 2
	otherHost  = 3 // a DHCP server that knows nothing of NetBox
	bootHost   = 5
)

func host(n, h int) netip.Addr { return netip.MustParseAddr(fmt.Sprintf("10.60.%d.%d", n, h)) }
func ip(n, h int) netip.Prefix { return netip.PrefixFrom(host(n, h), 24) }

// computers are in NetBox, each with a hardware address and an address of its own.
func computers() []computer {
	return []computer{
		{name: "bios", network: near, number: 11},
		{name: "efi", network: near, number: 12},
		{name: "efi-http", network: near, number: 13},
		{name: "arm64", network: near, number: 14},
		{name: "arm64-http", network: near, number: 15},
		{name: "guarded", network: near, number: 16, guarded: true},
		{name: "grub", network: near, number: 18, context: map[string]any{"pydhcp_configuration": map[string]any{
			"pxe_boot_file": "grub/i386-pc/core.0", "ipxe_boot_file": "grub/i386-pc/core.0", "uefi_boot_file": "grub/x86_64-efi/core.efi"}}},
		{name: "remote", network: far, number: 17, guarded: true},
	}
}

type computer struct {
	name    string
	network int
	number  int
	// guarded computers have the redeploy switch, off, and their files on another host than the DHCP
	// server; the others' are served by the program itself.
	guarded bool
	context map[string]any // of its own, on top of the fleet's
}

func (c computer) addr() netip.Prefix { return ip(c.network, c.number) }

// mac is a computer's hardware address in this run, keptMAC in captures and their inventory.
func (l *lab) mac(c computer) net.HardwareAddr {
	return net.HardwareAddr{0x02, l.macBase[0], l.macBase[1], l.macBase[2], byte(c.network), byte(c.number)}
}

func (c computer) keptMAC() net.HardwareAddr {
	return net.HardwareAddr{0x02, 0xb0, 0x07, 0, byte(c.network), byte(c.number)}
}

// find is the computer of a name.
func find(t *testing.T, name string) computer {
	t.Helper()
	for _, c := range computers() {
		if c.name == name {
			return c
		}
	}
	t.Fatalf("no computer %q", name)
	return computer{}
}

// fleet is the config context of computers whose boot files are served by host h of the near network:
// one context for all firmware.
func fleet(h int) map[string]any {
	files, web := host(near, h).String(), "http://"+netip.AddrPortFrom(host(near, h), webPort).String()
	return map[string]any{"pydhcp_configuration": map[string]any{
		"tftp_server":    files,
		"pxe_boot_file":  "undionly.kpxe",
		"uefi_boot_file": "ipxe.efi",
		"http_boot_url":  web + "/ipxe.efi",
		"boot_files":     map[string]string{"11": "hello-arm64.efi", "19": web + "/hello-arm64.efi"},
		"ipxe_boot_file": web + "/boot.ipxe",
	}}
}

func (l *lab) world() netboxtest.World {
	vrf, site := l.name("lab"), l.name("site")
	w := netboxtest.World{
		CustomFields: []netboxtest.CustomField{
			{Name: l.field("redeploy"), Type: "boolean", ObjectTypes: []string{"dcim.device"}},
			{Name: l.field("confirm"), Type: "text", ObjectTypes: []string{"dcim.device"}},
		},
		Tags:  []netboxtest.Tag{{Name: l.name("Gateway")}},
		Sites: []netboxtest.Site{{Name: site}},
		VRFs:  []netboxtest.VRF{{Name: vrf}},
		Prefixes: []netboxtest.Prefix{
			{Prefix: ip(near, 0).String(), VRF: vrf, Site: site}, {Prefix: ip(far, 0).String(), VRF: vrf, Site: site},
		},
		IPs:      []netboxtest.IP{{Address: ip(far, 1).String(), VRF: vrf, Tags: []string{l.name("Gateway")}}},
		Contexts: []netboxtest.Context{{Name: l.name("fleet"), Sites: []string{site}, Data: fleet(serverHost)}},
	}
	for _, c := range computers() {
		d := netboxtest.Device{
			Name: l.name(c.name), Site: site, Role: l.name("server"), Type: l.name("box"), Maker: l.name("maker"),
			Interfaces: []netboxtest.Interface{{
				Name: "eth0", MACs: []string{l.mac(c).String()}, IPs: []netboxtest.IP{{Address: c.addr().String(), VRF: vrf}},
			}},
		}
		d.LocalContext = c.context
		if c.guarded {
			d.LocalContext = fleet(bootHost)
			d.CustomFields = map[string]any{l.field("redeploy"): false, l.field("confirm"): d.Name}
		}
		w.Devices = append(w.Devices, d)
	}
	return w
}
