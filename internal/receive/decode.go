package receive

import (
	"bytes"
	"net"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/iana"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
)

const (
	headerLen  = 236                // fixed part, RFC 951 section 3
	maxHardLen = 16                 // room for chaddr in it
	cookie     = "\x63\x82\x53\x63" // opens the option area, RFC 2131 section 3
)

// Decode parses a datagram as the receive loop does, for explain. The result does
// not refer to b. Without a message the reason for dropping it is returned.
func Decode(b []byte) (*dhcpv4.DHCPv4, Drop) { return decode(new(memory), b) }

// decode parses a datagram into m. It takes in three kinds of message that the
// library refuses (F-29) and one that it would cut (raw hlen over 16, I-2): an
// option area without END or with its last option cut off (D-0), a vendor area that
// is not RFC 1497's, and none at all. The latter two become a message without
// options, that is plain BOOTP.
func decode(m *memory, b []byte) (*dhcpv4.DHCPv4, Drop) {
	if len(b) < headerLen {
		return nil, dropMalformed
	}
	if dhcpv4.OpcodeType(b[0]) != dhcpv4.OpcodeBootRequest {
		return nil, dropNotRequest
	}
	if b[2] > maxHardLen {
		return nil, dropHardwareLength
	}
	var options []byte
	cut := false
	if area, tagged := bytes.CutPrefix(b[headerLen:], []byte(cookie)); tagged {
		whole, ended := scanOptions(area)
		options, cut = area[:whole], !ended && whole < len(area)
	}
	return settle(m.read(b, options), cut, m.odd)
}

// settle drops a message that means nothing, or may mean something else with the
// option that is cut off, and mends what can be mended in others. odd says that there
// is something to mend.
func settle(req *dhcpv4.DHCPv4, cut, odd bool) (*dhcpv4.DHCPv4, Drop) {
	if cut && !clearWithoutRest(req) {
		return nil, dropMalformed
	}
	if odd {
		mend(req)
	}
	if !replyable(req.ClientIPAddr) && !dhcp4.HasAddress(req) {
		req.ClientIPAddr = net.IPv4zero // old (D-6)
	}
	if !replyable(req.GatewayIPAddr) || !replyable(req.ClientIPAddr) {
		return nil, dropAddress
	}
	return req, ""
}

// scanOptions returns the length of the options that are whole, and whether END
// closes them.
func scanOptions(area []byte) (whole int, ended bool) {
	for i := 0; i < len(area); {
		switch area[i] {
		case dhcpv4.OptionPad.Code():
			i++
		case dhcpv4.OptionEnd.Code():
			return i, true
		default:
			if i+1 >= len(area) || i+2+int(area[i+1]) > len(area) {
				return i, false
			}
			i += 2 + int(area[i+1])
		}
	}
	return len(area), false
}

// clearWithoutRest reports whether a message means the same whatever the option
// said that is cut off, and those it may have swallowed: not one of a relay, whose
// option 82 is the last; not one without type, which would pass for BOOTP; and
// not one that may have chosen another server (D-0).
func clearWithoutRest(req *dhcpv4.DHCPv4) bool {
	if !addr4(req.GatewayIPAddr).IsUnspecified() {
		return false
	}
	switch dhcp4.TypeOf(req) {
	case dhcpv4.MessageTypeDiscover, dhcpv4.MessageTypeInform:
		return true
	case dhcpv4.MessageTypeRequest:
		return req.ServerIdentifier() != nil && req.RequestedIPAddress() != nil
	}
	return false
}

// mend makes of options that are too long, or sent twice (F-30), what other
// servers make of them: the first value counts. One that is too short is taken
// out where the message can do without (D-0).
func mend(req *dhcpv4.DHCPv4) {
	if v := req.Options.Get(dhcpv4.OptionDHCPMessageType); len(v) > 1 {
		req.Options[dhcpv4.OptionDHCPMessageType.Code()] = v[:1]
	}
	for _, code := range [...]uint8{dhcpv4.OptionRequestedIPAddress.Code(), dhcpv4.OptionServerIdentifier.Code()} {
		v, sent := req.Options[code]
		switch {
		case !sent || len(v) == net.IPv4len:
		case len(v) > net.IPv4len:
			req.Options[code] = v[:net.IPv4len]
		case code == dhcpv4.OptionRequestedIPAddress.Code() || !namesServer(req):
			delete(req.Options, code)
		}
	}
}

// namesServer reports whether option 54 of such a message says which server is
// meant.
func namesServer(req *dhcpv4.DHCPv4) bool {
	switch dhcp4.TypeOf(req) {
	case dhcpv4.MessageTypeDiscover, dhcpv4.MessageTypeInform:
		return false
	}
	return true
}

// replyable reports whether ip, an address a sender put into a header field, is
// unset or may be one host's. A reply must not be steered to a group.
func replyable(ip net.IP) bool {
	ip = ip.To4()
	return ip.IsUnspecified() || ip[0] != 0 && ip[0] < 224
}

// prepare makes the reply of m that the chain starts from (F-15, F-16), or nil for
// a message that no plugin sees. It fills in what dhcpv4.NewReplyFromRequest does,
// without that function's random transaction id, which is only overwritten.
//
// DECLINE and BOOTP get a reply without option 53 only with ownsDecline: lease
// plugins other than netbox would allocate for them (REC-3).
func prepare(m *memory, req *dhcpv4.DHCPv4, ownsDecline bool) *dhcpv4.DHCPv4 {
	var answer dhcpv4.MessageType
	switch dhcp4.TypeOf(req) {
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
	resp := m.answer()
	resp.OpCode, resp.HWType, resp.ClientHWAddr = dhcpv4.OpcodeBootReply, req.HWType, req.ClientHWAddr
	resp.TransactionID, resp.Flags, resp.GatewayIPAddr = req.TransactionID, req.Flags, req.GatewayIPAddr
	resp.ClientIPAddr, resp.YourIPAddr, resp.ServerIPAddr = net.IPv4zero, net.IPv4zero, net.IPv4zero
	for _, code := range [...]uint8{dhcpv4.OptionRelayAgentInformation.Code(), dhcpv4.OptionClientIdentifier.Code()} {
		if v := req.Options[code]; v != nil {
			resp.Options[code] = v
		}
	}
	if answer != dhcpv4.MessageTypeNone {
		dhcp4.SetType(resp, answer)
	}
	return resp
}

// isEthernet reports whether the client's hardware address can be put into an
// Ethernet frame. Some clients call their Ethernet IEEE 802 (I-4).
func isEthernet(m *dhcpv4.DHCPv4) bool {
	return (m.HWType == iana.HWTypeEthernet || m.HWType == iana.HWTypeIEEE802) && len(m.ClientHWAddr) == 6
}
