package receive

import (
	"net"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/iana"
)

const (
	headerLen  = 236                // fixed part, RFC 951 section 3
	maxHardLen = 16                 // room for chaddr in it
	cookie     = "\x63\x82\x53\x63" // opens the option area, RFC 2131 section 3
)

// decode parses a datagram. It takes in three kinds of message that the library
// refuses (F-29) and one that it would cut (raw hlen over 16, I-2): an option
// area without END, a vendor area that is not RFC 1497's, and none at all. The
// latter two become a message without options, that is plain BOOTP.
//
// b may be written to, up to its capacity. The result does not refer to it.
func decode(b []byte) (*dhcpv4.DHCPv4, Drop) {
	if len(b) < headerLen {
		return nil, dropMalformed
	}
	if dhcpv4.OpcodeType(b[0]) != dhcpv4.OpcodeBootRequest {
		return nil, dropNotRequest
	}
	if b[2] > maxHardLen {
		return nil, dropHardwareLength
	}
	if len(b) < headerLen+len(cookie) || string(b[headerLen:headerLen+len(cookie)]) != cookie {
		b = append(append(b[:headerLen], cookie...), dhcpv4.OptionEnd.Code())
	} else if whole, ended := scanOptions(b[headerLen+len(cookie):]); !whole {
		return nil, dropMalformed
	} else if !ended {
		b = append(b, dhcpv4.OptionEnd.Code())
	}
	req, err := dhcpv4.FromBytes(b)
	if err != nil {
		return nil, dropMalformed
	}
	if !replyable(req.GatewayIPAddr) || !replyable(req.ClientIPAddr) {
		return nil, dropAddress
	}
	return req, ""
}

// scanOptions reports whether no option is cut off, and whether END closes them.
func scanOptions(area []byte) (whole, ended bool) {
	for i := 0; i < len(area); {
		switch area[i] {
		case dhcpv4.OptionPad.Code():
			i++
		case dhcpv4.OptionEnd.Code():
			return true, true
		default:
			if i+1 >= len(area) || i+2+int(area[i+1]) > len(area) {
				return false, false
			}
			i += 2 + int(area[i+1])
		}
	}
	return true, false
}

// replyable reports whether ip, an address a sender put into a header field, is
// unset or may be one host's. A reply must not be steered to a group.
func replyable(ip net.IP) bool {
	ip = ip.To4()
	return ip.IsUnspecified() || ip[0] != 0 && ip[0] < 224
}

// prepare makes the reply the chain starts from (F-15, F-16), or nil for a
// message that no plugin sees. It fills in what dhcpv4.NewReplyFromRequest does,
// without that function's random transaction id, which is only overwritten.
//
// DECLINE and BOOTP get a reply without option 53 only with ownsDecline: lease
// plugins other than netbox would allocate for them (REC-3).
func prepare(req *dhcpv4.DHCPv4, ownsDecline bool) *dhcpv4.DHCPv4 {
	var answer dhcpv4.MessageType
	switch req.MessageType() {
	case dhcpv4.MessageTypeDiscover:
		answer = dhcpv4.MessageTypeOffer
	case dhcpv4.MessageTypeRequest, dhcpv4.MessageTypeInform:
		answer = dhcpv4.MessageTypeAck
	case dhcpv4.MessageTypeRelease:
	case dhcpv4.MessageTypeDecline:
		if !ownsDecline {
			return nil
		}
	case dhcpv4.MessageTypeNone:
		// Also what the library says of a malformed option 53 (F-34).
		if !ownsDecline || req.Options.Has(dhcpv4.OptionDHCPMessageType) {
			return nil
		}
	default:
		return nil
	}
	resp := &dhcpv4.DHCPv4{
		OpCode:        dhcpv4.OpcodeBootReply,
		HWType:        req.HWType,
		TransactionID: req.TransactionID,
		Flags:         req.Flags,
		ClientIPAddr:  net.IPv4zero,
		YourIPAddr:    net.IPv4zero,
		ServerIPAddr:  net.IPv4zero,
		GatewayIPAddr: req.GatewayIPAddr,
		ClientHWAddr:  req.ClientHWAddr,
		Options:       make(dhcpv4.Options, 14), // about as many as an ACK has
	}
	for _, code := range []dhcpv4.OptionCode{dhcpv4.OptionRelayAgentInformation, dhcpv4.OptionClientIdentifier} {
		if v := req.Options.Get(code); v != nil {
			resp.Options[code.Code()] = v
		}
	}
	if answer != dhcpv4.MessageTypeNone {
		resp.UpdateOption(dhcpv4.OptMessageType(answer))
	}
	return resp
}

// isEthernet reports whether the client's hardware address can be put into an
// Ethernet frame.
func isEthernet(m *dhcpv4.DHCPv4) bool {
	return m.HWType == iana.HWTypeEthernet && len(m.ClientHWAddr) == 6
}
