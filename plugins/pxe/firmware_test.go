package pxe

import (
	"net"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4/dhcp4test"
)

var machineID = append([]byte{0}, "\x00\x80\xff0123456789abc"...)

// bootList is the parameter request list of most PXE firmware.
var bootList = dhcp4test.Raw(55, 1, 2, 3, 6, 12, 15, 43, 60, 66, 67, 97, 128, 135)

// firmware is what real boot clients send.
func firmware(name string) []dhcpv4.Modifier {
	broadcast := func(p *dhcpv4.DHCPv4) { p.SetBroadcast() }
	switch name {
	case "a BIOS network card":
		return []dhcpv4.Modifier{bootList, dhcp4test.Text(60, "PXEClient:Arch:00000:UNDI:002001"),
			dhcp4test.Raw(93, 0, 0), dhcp4test.Raw(94, 1, 2, 1), dhcp4test.Raw(97, machineID...)}
	case "edk2 by TFTP":
		return []dhcpv4.Modifier{bootList, broadcast, dhcp4test.Text(60, "PXEClient:Arch:00007:UNDI:003016"),
			dhcp4test.Raw(57, 5, 0xb0), dhcp4test.Raw(93, 0, 7), dhcp4test.Raw(94, 1, 3, 16), dhcp4test.Raw(97, machineID...)}
	case "edk2 by HTTP":
		return []dhcpv4.Modifier{broadcast, dhcp4test.Raw(55, 1, 3, 6, 15, 43, 60, 67, 97),
			dhcp4test.Text(60, "HTTPClient:Arch:00016:UNDI:003001"),
			dhcp4test.Raw(93, 0, 16), dhcp4test.Raw(97, machineID...)}
	case "the iPXE of SeaBIOS":
		return []dhcpv4.Modifier{dhcp4test.Raw(55, 1, 3, 6, 7, 12, 15, 17, 26, 43, 60, 66, 67, 119, 128, 135, 175, 203),
			dhcp4test.Text(60, "PXEClient:Arch:00000:UNDI:002001"), dhcp4test.Raw(57, 5, 0xc0),
			dhcp4test.Raw(61, 1, 2, 3, 4, 5, 6, 7), dhcp4test.Text(77, "iPXE"), dhcp4test.Raw(93, 0, 0),
			dhcp4test.Raw(175, 0xb1, 5, 1, 0x1a, 0xf4, 0x10, 0), dhcp4test.Raw(97, machineID...)}
	case "iPXE on x64 UEFI":
		return []dhcpv4.Modifier{bootList, dhcp4test.Text(60, "PXEClient:Arch:00007:UNDI:003010"),
			dhcp4test.Text(77, "iPXE"), dhcp4test.Raw(93, 0, 7)}
	case "a Raspberry Pi":
		return []dhcpv4.Modifier{bootList, dhcp4test.Text(60, "PXEClient:Arch:00000:UNDI:002001"),
			dhcpv4.WithHwAddr(net.HardwareAddr{0xb8, 0x27, 0xeb, 1, 2, 3}),
			dhcp4test.Raw(93, 0, 0), dhcp4test.Raw(97, machineID...)}
	case "a phone":
		return []dhcpv4.Modifier{dhcp4test.Raw(55, 1, 3, 6, 66, 67, 150)}
	case "an operating system":
		return []dhcpv4.Modifier{dhcp4test.Raw(55, 1, 3, 6, 12, 15, 121)}
	}
	panic("no such firmware: " + name)
}

// request is a DISCOVER of a firmware, changed by more modifiers.
func request(t testing.TB, name string, more ...dhcpv4.Modifier) *dhcpv4.DHCPv4 {
	t.Helper()
	return dhcp4test.Request(t, dhcpv4.MessageTypeDiscover, append(firmware(name), more...)...)
}
