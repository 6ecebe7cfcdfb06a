package dhcp4

import (
	"net"
	"net/netip"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

var (
	clientMAC = net.HardwareAddr{0x02, 0xab, 0, 0, 0, 0x01}
	server    = netip.MustParseAddr("10.0.0.2")
)

// packet builds a request of the given type as the network would deliver it.
func packet(t testing.TB, kind dhcpv4.MessageType, mods ...dhcpv4.Modifier) *dhcpv4.DHCPv4 {
	t.Helper()
	mods = append([]dhcpv4.Modifier{dhcpv4.WithHwAddr(clientMAC), dhcpv4.WithMessageType(kind)}, mods...)
	p, err := dhcpv4.New(mods...)
	if err != nil {
		t.Fatal(err)
	}
	return overTheWire(t, p)
}

func overTheWire(t testing.TB, p *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
	t.Helper()
	read, err := dhcpv4.FromBytes(p.ToBytes())
	if err != nil {
		t.Fatal(err)
	}
	return read
}

// prepared is the reply the receive loop and server_id prepare (F-16, F-24).
func prepared(t testing.TB, req *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
	t.Helper()
	resp, err := dhcpv4.NewReplyFromRequest(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.ServerIPAddr = server.AsSlice()
	resp.UpdateOption(dhcpv4.OptServerIdentifier(server.AsSlice()))
	switch req.MessageType() {
	case dhcpv4.MessageTypeDiscover:
		resp.UpdateOption(dhcpv4.OptMessageType(dhcpv4.MessageTypeOffer))
	case dhcpv4.MessageTypeRequest, dhcpv4.MessageTypeInform:
		resp.UpdateOption(dhcpv4.OptMessageType(dhcpv4.MessageTypeAck))
	}
	return resp
}

func raw(code uint8, b ...byte) dhcpv4.Modifier {
	return dhcpv4.WithGeneric(dhcpv4.GenericOptionCode(code), b)
}

func relayed(giaddr string, sub ...dhcpv4.Option) dhcpv4.Modifier {
	return func(p *dhcpv4.DHCPv4) {
		p.GatewayIPAddr = net.ParseIP(giaddr)
		if len(sub) > 0 {
			p.UpdateOption(dhcpv4.OptRelayAgentInfo(sub...))
		}
	}
}

func subOption(code uint8, b ...byte) dhcpv4.Option {
	return dhcpv4.OptGeneric(dhcpv4.GenericOptionCode(code), b)
}

func addr(s string) netip.Addr     { return netip.MustParseAddr(s) }
func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func address(cidr, role string) *ipam.Address {
	return &ipam.Address{Address: prefix(cidr), Role: role, Status: "active"}
}
