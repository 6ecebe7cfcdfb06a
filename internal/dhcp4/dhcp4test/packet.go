// Package dhcp4test makes DHCPv4 packets for tests: requests as the network
// delivers them, and replies as a chain of plugins receives them. It knows
// nothing of what is tested.
package dhcp4test

import (
	"net"
	"net/netip"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// MAC returns the client's hardware address unless a modifier says otherwise.
func MAC() net.HardwareAddr { return net.HardwareAddr{0x02, 0xab, 0, 0, 0, 0x01} }

// Server returns the address in siaddr and option 54 of a prepared reply.
func Server() netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, 2}) }

// Request returns a message of a client after its way over the wire. Kind
// MessageTypeNone makes it BOOTP.
func Request(t testing.TB, kind dhcpv4.MessageType, mods ...dhcpv4.Modifier) *dhcpv4.DHCPv4 {
	t.Helper()
	p, err := dhcpv4.New(dhcpv4.WithHwAddr(MAC()))
	if err != nil {
		t.Fatal(err)
	}
	if kind != dhcpv4.MessageTypeNone {
		p.UpdateOption(dhcpv4.OptMessageType(kind))
	}
	for _, mod := range mods {
		mod(p)
	}
	return OverTheWire(t, p)
}

// OverTheWire encodes p and decodes it again.
func OverTheWire(t testing.TB, p *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
	t.Helper()
	read, err := dhcpv4.FromBytes(p.ToBytes())
	if err != nil {
		t.Fatal(err)
	}
	return read
}

// Prepared returns the reply that the receive loop and server_id prepare for
// req (F-15, F-16, F-24).
func Prepared(t testing.TB, req *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
	t.Helper()
	resp, err := dhcpv4.NewReplyFromRequest(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.ServerIPAddr = Server().AsSlice()
	resp.UpdateOption(dhcpv4.OptServerIdentifier(Server().AsSlice()))
	switch req.MessageType() {
	case dhcpv4.MessageTypeDiscover:
		resp.UpdateOption(dhcpv4.OptMessageType(dhcpv4.MessageTypeOffer))
	case dhcpv4.MessageTypeRequest, dhcpv4.MessageTypeInform:
		resp.UpdateOption(dhcpv4.OptMessageType(dhcpv4.MessageTypeAck))
	}
	return resp
}

// Granted is Prepared with an address and its mask, as after a lease plugin.
func Granted(t testing.TB, req *dhcpv4.DHCPv4, cidr string) *dhcpv4.DHCPv4 {
	t.Helper()
	granted := netip.MustParsePrefix(cidr)
	resp := Prepared(t, req)
	if req.MessageType() != dhcpv4.MessageTypeInform {
		resp.YourIPAddr = granted.Addr().AsSlice()
	}
	resp.UpdateOption(dhcpv4.OptSubnetMask(net.CIDRMask(granted.Bits(), 32)))
	return resp
}

// Raw sets an option to any bytes.
func Raw(code uint8, b ...byte) dhcpv4.Modifier {
	return dhcpv4.WithGeneric(dhcpv4.GenericOptionCode(code), b)
}

// Text sets an option to a text.
func Text(code uint8, s string) dhcpv4.Modifier { return Raw(code, []byte(s)...) }

// Relayed sets giaddr and, if there are sub-options, option 82.
func Relayed(giaddr string, sub ...dhcpv4.Option) dhcpv4.Modifier {
	return func(p *dhcpv4.DHCPv4) {
		p.GatewayIPAddr = net.ParseIP(giaddr)
		if len(sub) > 0 {
			p.UpdateOption(dhcpv4.OptRelayAgentInfo(sub...))
		}
	}
}

// SubOption is a sub-option for Relayed.
func SubOption(code uint8, b ...byte) dhcpv4.Option {
	return dhcpv4.OptGeneric(dhcpv4.GenericOptionCode(code), b)
}

// ClientAddr sets ciaddr.
func ClientAddr(addr string) dhcpv4.Modifier {
	return dhcpv4.WithClientIP(net.ParseIP(addr))
}
