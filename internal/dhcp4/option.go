package dhcp4

import (
	"encoding/binary"
	"slices"
	"strings"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/option"
)

// FillOptions adds to the prepared reply resp what config contexts say for the
// client of req (OPT-7), and returns what it added. A boot client gets no option
// that has to do with booting (OPT-9); kept lists those that it would have got.
func FillOptions(req, resp *Packet, set *option.Set) (added []option.Chosen, kept []uint8) {
	if set == nil || !Configures(req, resp) {
		return nil, nil
	}
	boots := Boots(req)
	list := set.For(OptionClient(req))
	added = list[:0]
	for _, c := range list {
		if boots && bootOption(c.Code) {
			kept = append(kept, c.Code)
			continue
		}
		resp.Options.Set(dhcpv4.GenericOptionCode(c.Code), c.Value)
		added = append(added, c)
	}
	return added, kept
}

// OptionClient returns what req says of its sender. It refers to req.
func OptionClient(req *Packet) option.Client {
	requested := req.Options.Get(dhcpv4.OptionParameterRequestList)
	return option.Client{
		VendorClass:   req.Options.Get(dhcpv4.OptionClassIdentifier),
		UserClasses:   userClasses(req.Options.Get(dhcpv4.OptionUserClassInformation)),
		Architectures: architectures(req.Options.Get(dhcpv4.OptionClientSystemArchitectureType)),
		MAC:           req.ClientHWAddr,
		Requested:     requested,
		HasRequested:  len(requested) > 0, // an empty list counts as none (D-0)
	}
}

// userClasses reads option 77: texts with their lengths (RFC 3004 section 4), or
// one text without, as many clients send it.
func userClasses(b []byte) (list [][]byte) {
	for rest := b; len(rest) > 0; {
		n := int(rest[0])
		if n == 0 || n >= len(rest) {
			return [][]byte{b}
		}
		list = append(list, rest[1:1+n])
		rest = rest[1+n:]
	}
	return list
}

// architectures reads option 93; one of odd length says nothing.
func architectures(b []byte) (list []uint16) {
	if len(b)%2 != 0 {
		return nil
	}
	for ; len(b) > 0; b = b[2:] {
		list = append(list, binary.BigEndian.Uint16(b))
	}
	return list
}

// Boots reports whether the client of req wants to boot, by its class, as iPXE, or
// because it sends an architecture and asks for server and file (X-1, OPT-9).
// pxe.default_arch makes no boot client of one that says nothing of it.
func Boots(req *Packet) bool {
	class := string(req.Options.Get(dhcpv4.OptionClassIdentifier))
	if strings.HasPrefix(class, "PXEClient") || strings.HasPrefix(class, "HTTPClient") || IsIPXE(req) {
		return true
	}
	list := req.Options.Get(dhcpv4.OptionParameterRequestList)
	return len(req.Options.Get(dhcpv4.OptionClientSystemArchitectureType)) > 0 &&
		slices.Contains(list, dhcpv4.OptionTFTPServerName.Code()) && slices.Contains(list, dhcpv4.OptionBootfileName.Code())
}

// IsIPXE recognises iPXE by its own option 175 or by a user class of "iPXE", which
// it sends without the length that RFC 3004 asks for.
func IsIPXE(req *Packet) bool {
	return req.Options.Has(dhcpv4.OptionEtherboot) || slices.ContainsFunc(userClasses(req.Options.Get(dhcpv4.OptionUserClassInformation)),
		func(class []byte) bool { return string(class) == "iPXE" })
}

// bootOption says that boot clients get the option from netbox_pxe alone (OPT-9).
func bootOption(code uint8) bool {
	switch code {
	case 17, 43, 60, 66, 67, 97, 150, 175:
		return true
	}
	return code >= 208 && code <= 211
}
