package dhcp4

import (
	"encoding/binary"
	"net"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/iana"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// messageUnreadable is the Type of a message whose option 53 is no message
// type. It must not pass for BOOTP, which has no option 53 at all (F-34).
const messageUnreadable lease.MessageType = 0xff

// Sub-options of option 82 in which relays of an older dialect (Cisco's, unless
// told `standard`) say what 5 and 11 say (N-1, R-7). RFC 6607 gave the second
// number away: there it has no value.
const (
	olderLinkSelection  = dhcpv4.GenericOptionCode(150)
	olderServerOverride = dhcpv4.GenericOptionCode(152)
)

// ParseRequest reads req as far as a lease decision needs it. resp is the reply
// prepared so far: its option 54 is our identifier; it may be nil.
// serverIDOverride is network.server_id_override. What makes a message
// unusable is named in Malformed; everything else that is wrong in the packet
// counts as absent.
func ParseRequest(req, resp *Packet, in Ingress, serverIDOverride bool) (m lease.ClientMessage) {
	ReadRequest(&m, req, resp, in, serverIDOverride)
	return m
}

// ReadRequest is ParseRequest for a caller that has room for the message.
func ReadRequest(m *lease.ClientMessage, req, resp *Packet, in Ingress, serverIDOverride bool) {
	*m = lease.ClientMessage{} // not to be copied, since it is large
	m.Type, m.Delivery, m.Waited = messageType(req), in.Delivery, time.Duration(req.NumSeconds)*time.Second
	m.ClientAddr, m.Relay, m.Source = HeaderAddr(req.ClientIPAddr), HeaderAddr(req.GatewayIPAddr), in.Source.Addr().Unmap()
	m.Interface, m.InterfaceAddrs, m.InterfaceBits = in.Interface, in.Addrs, in.Bits
	m.SubnetSelection = optionAddr(&req.Options, dhcpv4.OptionSubnetSelection)
	m.LeaseTime, m.Hostname, m.Naming = leaseTime(req), clientName(req), nameWish(req)
	requiredOptions(m, req)
	if resp != nil {
		m.Identifier = Identifier(resp)
	}
	if relay := req.Options.Get(dhcpv4.OptionRelayAgentInformation); wholeSubOptions(relay) {
		m.LinkSelection = subOptionAddr(relay, dhcpv4.LinkSelectionSubOption, olderLinkSelection)
		m.Circuit, m.Remote = circuitOf(relay)
		if serverIDOverride && m.Relay.IsValid() {
			m.Override = subOptionAddr(relay, dhcpv4.ServerIdentifierOverrideSubOption, olderServerOverride)
		}
	}
	identify(m, req, in)
}

// messageType tells a missing option 53 (BOOTP) from an unreadable one.
func messageType(req *Packet) lease.MessageType {
	value, sent := req.Options.Sent(dhcpv4.OptionDHCPMessageType)
	switch {
	case !sent:
		return lease.BOOTP
	case len(value) == 1 && value[0] != 0:
		return lease.MessageType(value[0])
	}
	return messageUnreadable
}

// requiredOptions reads options 50 and 54, and names in m the first option that must
// be right for the message to be answered at all and is not (D-0). An option of length
// zero is present (F-31), and two copies of one option arrive as one of double length
// (F-30). Option 55 has no wrong length; an empty one counts as absent.
func requiredOptions(m *lease.ClientMessage, req *Packet) {
	if m.Type == messageUnreadable {
		reject(m, "option 53")
	}
	if value, sent := req.Options.Sent(dhcpv4.OptionRequestedIPAddress); len(value) == net.IPv4len {
		m.RequestedAddr = HeaderAddr(value)
	} else if sent {
		reject(m, "option 50")
	}
	if value, sent := req.Options.Sent(dhcpv4.OptionServerIdentifier); len(value) == net.IPv4len {
		m.ServerID = HeaderAddr(value)
	} else if sent {
		reject(m, "option 54")
	}
}

// leaseTime is option 51; 0 where there is none, or it has the wrong length.
func leaseTime(req *Packet) time.Duration {
	if v := req.Options.Get(dhcpv4.OptionIPAddressLeaseTime); len(v) == 4 {
		return time.Duration(binary.BigEndian.Uint32(v)) * time.Second
	}
	return 0
}

// identify sets the client key (I-1, I-2) and, for an Ethernet address, the MAC
// to look up (I-4). Option 61 is the key only where there is no hardware address,
// so that firmware, loader and system of one machine share a lease (I-3); beside
// one it may become the key by a setting (I-11).
func identify(m *lease.ClientMessage, req *Packet, in Ingress) {
	hardware, identifier := req.ClientHWAddr, req.Options.Get(dhcpv4.OptionClientIdentifier)
	// The library cuts longer addresses to 16 bytes; our receive loop has
	// dropped them by then, the stock server hands them on (F-29).
	clamped := !in.Known() && len(hardware) == dhcpv4.MaxHWAddrLen
	if len(hardware) == 0 || clamped && len(identifier) > 0 {
		if n := len(identifier); req.Options.Has(dhcpv4.OptionClientIdentifier) && (n < 2 || n > 255) {
			reject(m, "option 61") // RFC 2132 section 9.14
			return
		}
		m.Client = clientKey(identifier)
		// The key of quarantined addresses must not be the key of a client.
		if m.Client == "" || m.Client == lease.Declined {
			reject(m, "client identifier")
		}
		return
	}
	m.Client, m.ClientIdentifier = clientKey(hardware), identifier
	if !individual(hardware) {
		reject(m, "hardware address")
		return
	}
	// IEEE 802 numbers its cards in one space with Ethernet, and some clients say
	// that they are on it (I-4).
	if (req.HWType == iana.HWTypeEthernet || req.HWType == iana.HWTypeIEEE802) && len(hardware) == len(m.MAC) {
		m.HasMAC = true
		copy(m.MAC[:], hardware)
	}
}

// HasAddress reports whether ciaddr of req is an address that its client uses
// now, as far as the message itself tells: in INFORM, in BOOTP, and in a REQUEST
// that neither selects nor asks for another address. In all other messages it
// may be left from an earlier life, and says nothing (D-6).
func HasAddress(req *Packet) bool {
	ciaddr := HeaderAddr(req.ClientIPAddr)
	if !ciaddr.IsValid() {
		return false
	}
	switch messageType(req) {
	case lease.Inform, lease.BOOTP:
		return true
	case lease.Request:
		requested := optionAddr(&req.Options, dhcpv4.OptionRequestedIPAddress)
		selecting := optionAddr(&req.Options, dhcpv4.OptionServerIdentifier).IsValid()
		return !requested.IsValid() || requested == ciaddr && !selecting
	}
	return false
}

// clientKey renders bytes as NetBox renders a MAC.
func clientKey(b []byte) lease.ClientID {
	const digits = "0123456789ABCDEF"
	var room [3 * lenChaddr]byte
	text := room[:0]
	for i, octet := range b {
		if i > 0 {
			text = append(text, ':')
		}
		text = append(text, digits[octet>>4], digits[octet&0xf])
	}
	return lease.ClientID(text)
}

// individual reports whether a hardware address can name one client: not all
// zero, not all ones, and with 6 bytes without the group bit (I-2).
func individual(hardware []byte) bool {
	zeros, ones := true, true
	for _, b := range hardware {
		zeros = zeros && b == 0
		ones = ones && b == 0xff
	}
	group := len(hardware) == len(ipam.MAC{}) && hardware[0]&1 == 1
	return !zeros && !ones && !group
}

// optionAddr returns the IPv4 address in an option or relay sub-option; the
// zero Addr where there is none, it is 0.0.0.0, or it has the wrong length.
func optionAddr(options *Options, code dhcpv4.OptionCode) netip.Addr {
	if b := options.Get(code); len(b) == net.IPv4len {
		return HeaderAddr(b)
	}
	return netip.Addr{}
}

// subOptionAddr returns the address in a relay's sub-option; where that is not
// sent, in the older one.
func subOptionAddr(info []byte, code, older dhcpv4.OptionCode) netip.Addr {
	value, sent := subOption(info, code)
	if !sent {
		value, _ = subOption(info, older)
	}
	if len(value) == net.IPv4len {
		return HeaderAddr(value)
	}
	return netip.Addr{}
}

// Identifier returns option 54 of a reply, by which its client knows this
// server; the zero Addr where there is none.
func Identifier(resp *Packet) netip.Addr {
	return optionAddr(&resp.Options, dhcpv4.OptionServerIdentifier)
}

// HeaderAddr returns a header address; the zero Addr for 0.0.0.0 and for what
// is no IPv4 address.
func HeaderAddr(ip net.IP) netip.Addr {
	addr, ok := netip.AddrFromSlice(ip.To4())
	if !ok || addr.IsUnspecified() {
		return netip.Addr{}
	}
	return addr
}

// reject marks the message unusable unless something else has already.
func reject(m *lease.ClientMessage, what string) {
	if m.Malformed == "" {
		m.Malformed = what
	}
}
