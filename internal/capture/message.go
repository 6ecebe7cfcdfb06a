package capture

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"time"
)

// Link is what a frame begins with, by its number in capture files.
type Link uint32

// The links that are read (https://www.tcpdump.org/linktypes.html).
const (
	LinkNull     Link = 0 // BSD loopback, in the order of the machine
	LinkEthernet Link = 1
	LinkRaw      Link = 101
	LinkLoop     Link = 108 // BSD loopback, in network order
	LinkCooked   Link = 113 // Linux, any interface
	LinkIPv4     Link = 228
	LinkCooked2  Link = 276
)

// isRaw reports whether frames begin with IP. Some systems number that otherwise.
func (l Link) isRaw() bool { return l == LinkRaw || l == LinkIPv4 || l == 12 || l == 14 }

// Message is a DHCPv4 message in a capture.
type Message struct {
	At         time.Time // zero: not known
	Source, To netip.AddrPort
	Payload    []byte   // of UDP; a part of the frame
	VLANs      []uint16 // tags, the outer one first
}

// Kind is what a frame holds.
type Kind uint8

// The kinds of frames.
const (
	Other    Kind = iota // nothing of DHCPv4
	Request              // a message of a client, or of a relay for it
	Reply                // a message of a server
	Fragment             // a part of a UDP datagram: what it holds is not known
	Cut                  // a message of which the capture has a part only
	Unknown              // a link that is not read here
)

// Ports of DHCPv4.
const (
	serverPort = 67
	clientPort = 68
	bootPort   = 4011
)

// Find looks for a DHCPv4 message in a frame.
func Find(f Frame) (Message, Kind) {
	m := Message{At: f.At}
	packet, kind := m.network(f)
	if kind != Request {
		return m, kind
	}
	return m.datagram(packet)
}

// network takes the link layer off. The kind is Request where an IPv4 packet is left.
func (m *Message) network(f Frame) (packet []byte, kind Kind) {
	const ipv4, typeEnd, cookedEnd, cooked2End, familyEnd = 0x0800, 14, 16, 20, 4
	b := f.Bytes
	protocol := uint16(ipv4)
	switch {
	case f.Link.isRaw():
	case f.Link == LinkEthernet && len(b) >= typeEnd:
		protocol, b = binary.BigEndian.Uint16(b[12:]), b[typeEnd:]
	case f.Link == LinkCooked && len(b) >= cookedEnd:
		protocol, b = binary.BigEndian.Uint16(b[14:]), b[cookedEnd:]
	case f.Link == LinkCooked2 && len(b) >= cooked2End:
		protocol, b = binary.BigEndian.Uint16(b), b[cooked2End:]
	case (f.Link == LinkNull || f.Link == LinkLoop) && len(b) >= familyEnd:
		b = b[familyEnd:]
	case slices.Contains([]Link{LinkEthernet, LinkCooked, LinkCooked2, LinkNull, LinkLoop}, f.Link):
		return nil, Other // too short
	default:
		return nil, Unknown
	}
	const maxTags = 4
	for isTag(protocol) && len(b) >= 4 && len(m.VLANs) < maxTags {
		m.VLANs = append(m.VLANs, binary.BigEndian.Uint16(b)&0xfff)
		protocol, b = binary.BigEndian.Uint16(b[2:]), b[4:]
	}
	if protocol != ipv4 {
		return nil, Other
	}
	return b, Request
}

// isTag reports whether a VLAN tag follows (IEEE 802.1Q, 802.1ad, and what came before it).
func isTag(protocol uint16) bool {
	return protocol == 0x8100 || protocol == 0x88a8 || protocol == 0x9100
}

// datagram reads an IPv4 packet with a UDP datagram of DHCP.
func (m *Message) datagram(b []byte) (Message, Kind) {
	const udp, header, udpHeader, fragmented = 17, 20, 8, 0x3fff
	if len(b) < header || b[0]>>4 != 4 || b[9] != udp {
		return *m, Other
	}
	size := int(b[0]&15) * 4
	if size < header || len(b) < size {
		return *m, Other
	}
	first := binary.BigEndian.Uint16(b[6:])
	if first&fragmented != 0 { // more of them follow, or went before
		if offset := first & 0x1fff; offset != 0 || len(b) >= size+4 && isDHCP(b[size:]) {
			return *m, Fragment
		}
		return *m, Other
	}
	total := int(binary.BigEndian.Uint16(b[2:]))
	if len(b) < size+udpHeader || !isDHCP(b[size:]) {
		return *m, Other
	}
	m.Source = netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[12:16])), binary.BigEndian.Uint16(b[size:]))
	m.To = netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[16:20])), binary.BigEndian.Uint16(b[size+2:]))
	length := int(binary.BigEndian.Uint16(b[size+4:]))
	if total == 0 { // the network card was to fill it in
		total = size + length
	}
	end := min(total, size+length)
	switch {
	case end < size+udpHeader:
		return *m, Other
	case end > len(b):
		return *m, Cut
	}
	m.Payload = b[size+udpHeader : end]
	return *m, kindOf(m.Payload)
}

// isDHCP reports whether a UDP header has the ports of DHCP.
func isDHCP(udp []byte) bool {
	from, to := binary.BigEndian.Uint16(udp), binary.BigEndian.Uint16(udp[2:])
	return isServer(from) || isServer(to) || to == clientPort
}

func isServer(port uint16) bool { return port == serverPort || port == bootPort }

// kindOf tells by op whose message it is (RFC 2131 section 2).
func kindOf(payload []byte) Kind {
	const fixed = 236
	if len(payload) < fixed {
		return Other
	}
	switch payload[0] {
	case 1:
		return Request
	case 2:
		return Reply
	}
	return Other
}
