package nak

import (
	"net"
	"net/netip"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// action is what becomes of a reply.
type action uint8

const (
	pass action = iota
	refuse
	drop
)

// check judges the answer of a lease plugin other than ours, which may grant an
// address the client does not want (K-4, F-26). m is the request, yiaddr the
// address granted, or the zero Addr. It follows the states of the decision table; only
// a REQUEST can be refused.
func check(m lease.ClientMessage, yiaddr netip.Addr, word lease.Authority) action {
	if m.Type != lease.Request || word == lease.Off {
		return pass
	}
	selecting := m.ServerID.IsValid()
	wanted, both := m.RequestedAddr, m.RequestedAddr.IsValid() && m.ClientAddr.IsValid() && m.RequestedAddr != m.ClientAddr
	if !wanted.IsValid() {
		wanted = m.ClientAddr
	}
	switch {
	case m.Malformed != "":
		return drop
	case selecting && m.ServerID != m.Identifier:
		return drop // D-3
	case !wanted.IsValid():
		return drop // D-6b, D-15b
	case wanted == yiaddr:
		return pass
	case both && !selecting:
		return drop // ciaddr may be what the client means (D-15b)
	case word == lease.Own && !selecting:
		return drop // only clients that chose this server
	}
	return refuse
}

// refusal returns the DHCPNAK for req: header fields of the request, message
// type, identifier, echoes and the reason, and nothing of what earlier plugins
// put into a reply (K-1). RFC 2131 section 4.3.2: a relay has to broadcast it,
// so the flag is set for one (K-2).
func refusal(req *dhcp4.Packet, identifier netip.Addr, text string) *dhcp4.Packet {
	zero := net.IPv4zero.To4()
	reply := dhcp4.Of(&dhcpv4.DHCPv4{
		OpCode:        dhcpv4.OpcodeBootReply,
		HWType:        req.HWType,
		ClientHWAddr:  req.ClientHWAddr,
		TransactionID: req.TransactionID,
		Flags:         req.Flags,
		ClientIPAddr:  zero,
		YourIPAddr:    zero,
		ServerIPAddr:  zero,
		GatewayIPAddr: req.GatewayIPAddr,
	})
	dhcp4.SetType(reply, dhcpv4.MessageTypeNak)
	dhcp4.SetAddrs(reply, dhcpv4.OptionServerIdentifier, identifier)
	reply.Options.Set(dhcpv4.OptionMessage, []byte(text))
	for _, code := range []dhcpv4.OptionCode{dhcpv4.OptionClientIdentifier, dhcpv4.OptionRelayAgentInformation} {
		if value, sent := req.Options.Sent(code); sent {
			reply.Options.Set(code, value)
		}
	}
	if !req.GatewayIPAddr.IsUnspecified() {
		reply.SetBroadcast()
	}
	return reply
}

// explain puts a reason into words for option 56, at most 64 bytes.
func explain(r lease.Reason) string {
	switch r {
	case lease.ReasonWrongNetwork:
		return "the address is not in this network"
	case lease.ReasonWrongAddress:
		return "this client has another address"
	case lease.ReasonTaken:
		return "the address belongs to another client"
	case lease.ReasonNoBinding:
		return "this client has no lease here"
	case lease.ReasonNotDynamic:
		return "the address is not for lease"
	}
	return "the address cannot be used"
}
