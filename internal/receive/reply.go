package receive

import (
	"net"
	"net/netip"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
)

// arrivedBy is a packet's way in; the way out depends on it.
type arrivedBy struct {
	arrival
	source netip.AddrPort
	ifc    *netInterface // nil: gone since, or not yet known
	// vouched says that the relay in giaddr itself sent the packet, so that what it
	// says of its port counts (N-11).
	vouched bool
}

// path says how a reply leaves.
type path uint8

const (
	routed      path = iota // wherever the routing table says
	onInterface             // by the receiving interface (F-20)
	byHardware              // in a frame to chaddr, by the receiving interface
)

// destination is where a reply goes, and which row of the table said so.
type destination struct {
	name string
	to   netip.AddrPort
	path path
}

// leaveBy is what the kernel is asked for: the interface to leave by, where it
// matters, or 0.
func (d destination) leaveBy(in arrivedBy) int {
	if d.path == onInterface {
		return in.ifindex
	}
	return 0
}

// destinationOf chooses by RFC 2131 section 4.1. The fields are the
// request's, so that a handler can force a broadcast by setting the flag there;
// only the type NAK is looked up in the reply (K-2). Without frames no reply goes
// byHardware.
func destinationOf(req, resp *dhcpv4.DHCPv4, in arrivedBy, frames bool) destination {
	giaddr, ciaddr, yiaddr := addr4(req.GatewayIPAddr), addr4(req.ClientIPAddr), addr4(resp.YourIPAddr)
	broadcast := netip.AddrFrom4([4]byte{255, 255, 255, 255})
	framed := frames && in.ifc != nil && in.ifc.ethernet && isEthernet(resp)
	// A broadcast came from this wire, whatever the routes say of ciaddr.
	toClient := routed
	switch {
	case in.unicast:
	case framed:
		toClient = byHardware
	default:
		toClient = onInterface
	}
	to := func(name string, addr netip.Addr, port uint16, way path) destination {
		if way == routed && addr.IsLinkLocalUnicast() {
			way = onInterface
		}
		return destination{name, netip.AddrPortFrom(addr, port), way}
	}
	switch { // the first row that applies
	case !giaddr.IsUnspecified():
		return to("relay", giaddr, relayPort(req, in), routed)
	case dhcp4.TypeOf(resp) == dhcpv4.MessageTypeNak:
		return to("nak", broadcast, dhcpv4.ClientPort, onInterface)
	case answersAt(req, in):
		return to("ciaddr", ciaddr, dhcpv4.ClientPort, toClient)
	case req.IsBroadcast():
		return to("broadcast", broadcast, dhcpv4.ClientPort, onInterface)
	case framed && !yiaddr.IsUnspecified():
		return to("hardware", yiaddr, dhcpv4.ClientPort, byHardware)
	}
	return to("unaddressable", broadcast, dhcpv4.ClientPort, onInterface)
}

// answersAt reports whether the client uses ciaddr, so that a reply reaches it
// there. What is sent from 0.0.0.0 comes from a client without an address, and
// one that selects may have forgotten to clear the field; it is believed only
// where it sent this message from ciaddr to this server alone.
func answersAt(req *dhcpv4.DHCPv4, in arrivedBy) bool {
	ciaddr, source := addr4(req.ClientIPAddr), in.source.Addr().Unmap()
	switch {
	case ciaddr.IsUnspecified():
		return false
	case dhcp4.HasAddress(req):
		return !source.IsUnspecified() || dhcp4.TypeOf(req) == dhcpv4.MessageTypeInform
	}
	return dhcp4.TypeOf(req) == dhcpv4.MessageTypeRequest && in.unicast && source == ciaddr
}

// relayPort is the port a relay listens on: 67, or the one it sent from if it
// says so with the source port sub-option of option 82, RFC 8357 section 5.1. A
// stranger must not be able to point answers at any port of another machine.
func relayPort(req *dhcpv4.DHCPv4, in arrivedBy) uint16 {
	if in.source.Port() == 0 || !in.vouched || !hasSubOption(req.Options.Get(dhcpv4.OptionRelayAgentInformation), dhcpv4.RelaySourcePortSubOption.Code()) {
		return dhcpv4.ServerPort
	}
	return in.source.Port()
}

// hasSubOption looks for a sub-option in the value of option 82, RFC 3046
// section 2.0.
func hasSubOption(info []byte, code uint8) bool {
	for len(info) >= 2 && len(info) >= 2+int(info[1]) {
		if info[0] == code {
			return true
		}
		info = info[2+int(info[1]):]
	}
	return false
}

// withheld says why a reply must not be sent, "" if it may.
func withheld(req, resp *dhcpv4.DHCPv4) Drop {
	if resp == nil {
		return dropNoReply
	}
	switch dhcp4.TypeOf(req) {
	case dhcpv4.MessageTypeRelease, dhcpv4.MessageTypeDecline:
		return dropNeverAnswered // REC-2, RFC 2131 sections 4.3.3 and 4.3.4
	}
	if dhcp4.TypeOf(resp) != dhcpv4.MessageTypeNone && len(resp.Options.Get(dhcpv4.OptionServerIdentifier)) != net.IPv4len {
		return dropNoServerID
	}
	if addr4(resp.YourIPAddr).IsUnspecified() && !mayLackAddress(req, resp) {
		return dropNoAddress
	}
	return ""
}

// mayLackAddress reports whether yiaddr 0 is what the chain meant and not merely
// what no handler filled in (unlike F-18): a refusal, an answer to INFORM, and an
// OFFER that tells the client to do without, by RFC 2563 (116, upstream
// autoconfigure) or RFC 8925 (108).
func mayLackAddress(req, resp *dhcpv4.DHCPv4) bool {
	switch dhcp4.TypeOf(resp) {
	case dhcpv4.MessageTypeNak:
		return true
	case dhcpv4.MessageTypeAck:
		return dhcp4.TypeOf(req) == dhcpv4.MessageTypeInform
	case dhcpv4.MessageTypeOffer:
		return resp.Options.Has(dhcpv4.OptionAutoConfigure) || resp.Options.Has(dhcpv4.OptionIPv6OnlyPreferred)
	}
	return false
}

// serverIdentifier is the address of ours that option 54 should name when no
// server_id line does: the one the client already chose, else the one it or its
// relay reached us by, else the receiving interface's first. The zero Addr if
// there is none.
func serverIdentifier(req *dhcpv4.DHCPv4, in arrivedBy, local map[netip.Addr]bool) netip.Addr {
	if chosen := dhcp4.Identifier(req); local[chosen] {
		return chosen
	}
	return ownAddress(in)
}

// sourceAddress is where a reply comes from: option 54 if that is an address of
// this machine (it is not behind NAT, or with RFC 5107), else the one the packet
// was sent to, else the receiving interface's first. The zero Addr leaves the
// choice to the kernel.
func sourceAddress(resp *dhcpv4.DHCPv4, in arrivedBy, local map[netip.Addr]bool) netip.Addr {
	if id := dhcp4.Identifier(resp); local[id] {
		return id
	}
	return ownAddress(in)
}

func ownAddress(in arrivedBy) netip.Addr {
	if in.unicast {
		return in.to
	}
	if in.ifc != nil && len(in.ifc.addrs) > 0 {
		return in.ifc.addrs[0]
	}
	return netip.Addr{}
}

// addr4 converts an address of the packet library; what is not IPv4 becomes
// 0.0.0.0.
func addr4(ip []byte) netip.Addr {
	a, _ := netip.AddrFromSlice(ip)
	if a = a.Unmap(); !a.Is4() {
		return netip.IPv4Unspecified()
	}
	return a
}
