package pxe

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strconv"
	"strings"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/iana"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// class is what option 60 says about a boot client.
type class uint8

const (
	otherClass class = iota
	pxeClass
	httpClass
)

// String is option 60 as the client wants to see it again.
func (c class) String() string {
	switch c {
	case pxeClass:
		return "PXEClient"
	case httpClass:
		return "HTTPClient"
	}
	return ""
}

// client is what a request says about who wants to boot.
type client struct {
	class class
	ipxe  bool
	pi    bool // the boot ROM of a Raspberry Pi
	arch  uint16

	lists66, lists67 bool   // option 55 lists them, or is absent
	machineID        []byte // option 97 as sent
}

// asks reports whether req may be of a boot client, before anything is looked
// up for it: X-1 but for the architecture.
func asks(req *dhcp4.Packet) bool {
	switch dhcp4.TypeOf(req) {
	case dhcpv4.MessageTypeDiscover, dhcpv4.MessageTypeRequest:
	default:
		return false
	}
	list := req.Options.Get(dhcpv4.OptionParameterRequestList)
	return classOf(req) != otherClass || dhcp4.IsIPXE(req) ||
		slices.Contains(list, dhcpv4.OptionTFTPServerName.Code()) && slices.Contains(list, dhcpv4.OptionBootfileName.Code())
}

// recognise reads the boot client of a request that asks. It fails for one
// without a known architecture, to which nothing can be sent. defaultArch
// is pxe.default_arch.
func recognise(req *dhcp4.Packet, config *ipam.Config, defaultArch string) (client, bool) {
	arch, ok := architecture(req, config)
	if !ok && defaultArch == "bios" {
		arch, ok = 0, true
	}
	list := req.Options.Get(dhcpv4.OptionParameterRequestList)
	c := client{
		class:     classOf(req),
		ipxe:      dhcp4.IsIPXE(req),
		arch:      arch,
		lists66:   len(list) == 0 || slices.Contains(list, dhcpv4.OptionTFTPServerName.Code()),
		lists67:   len(list) == 0 || slices.Contains(list, dhcpv4.OptionBootfileName.Code()),
		machineID: req.Options.Get(dhcpv4.OptionClientMachineIdentifier),
	}
	c.pi = c.class == pxeClass && !c.ipxe && (groupOf(arch) == raspberryPi || isRaspberryPi(req, arch))
	return c, ok
}

func classOf(req *dhcp4.Packet) class {
	id := string(req.Options.Get(dhcpv4.OptionClassIdentifier))
	switch {
	case strings.HasPrefix(id, pxeClass.String()):
		return pxeClass
	case strings.HasPrefix(id, httpClass.String()):
		return httpClass
	}
	return otherClass
}

// architecture returns the first known number in option 93, else the number in
// option 60. A number is known if this plugin or the config context has a
// file for it.
func architecture(req *dhcp4.Packet, config *ipam.Config) (uint16, bool) {
	b := req.Options.Get(dhcpv4.OptionClientSystemArchitectureType)
	if len(b)%2 == 0 {
		for ; len(b) > 0; b = b[2:] {
			arch := binary.BigEndian.Uint16(b)
			if _, configured := config.BootFiles[arch]; configured || groupOf(arch) != unknown {
				return arch, true
			}
		}
	}
	_, after, found := strings.Cut(string(req.Options.Get(dhcpv4.OptionClassIdentifier)), "Arch:")
	if !found {
		return 0, false
	}
	end := strings.IndexFunc(after, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(after)
	}
	arch, err := strconv.ParseUint(after[:end], 10, 16)
	if err != nil {
		return 0, false
	}
	return uint16(arch), true
}

// isRaspberryPi goes by the name that boot ROMs since the fourth model put into
// option 97, and by the prefixes registered for the boards: the ROM says it is an
// x86 BIOS, and the option of older models says nothing.
func isRaspberryPi(req *dhcp4.Packet, arch uint16) bool {
	if groupOf(arch) == bios && bytes.HasPrefix(req.Options.Get(dhcpv4.OptionClientMachineIdentifier), []byte("\x00RPi")) {
		return true
	}
	if req.HWType != iana.HWTypeEthernet || len(req.ClientHWAddr) != 6 {
		return false
	}
	return slices.ContainsFunc([][]byte{
		{0xb8, 0x27, 0xeb}, {0xdc, 0xa6, 0x32}, {0xe4, 0x5f, 0x01}, {0x28, 0xcd, 0xc1},
		{0xd8, 0x3a, 0xdd}, {0x2c, 0xcf, 0x67}, {0x88, 0xa2, 0x9e}, {0x3a, 0x35, 0x41},
	}, func(oui []byte) bool { return bytes.HasPrefix(req.ClientHWAddr, oui) })
}
