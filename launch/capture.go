package launch

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// captured is one message of a client as it was seen on the wire.
type captured struct {
	payload []byte
	source  netip.AddrPort // not valid: not known
	to      netip.AddrPort
}

// captures finds the messages of clients in what a file holds: a pcap or pcapng
// file, a hex dump (of tcpdump, tshark, xxd or hexdump) of a frame or of a message,
// or the bytes themselves.
func captures(data []byte) ([]captured, error) {
	var frames [][]byte
	switch magic := firstWord(data); magic {
	case 0xa1b2c3d4, 0xa1b23c4d:
		frames = pcapFrames(data, binary.BigEndian)
	case 0xd4c3b2a1, 0x4d3cb2a1:
		frames = pcapFrames(data, binary.LittleEndian)
	case 0x0a0d0d0a:
		frames = pcapngFrames(data)
	default:
		if isText(data) {
			var err error
			if data, err = hexDump(string(data)); err != nil {
				return nil, err
			}
		}
		frames = [][]byte{data}
	}
	var found []captured
	for _, frame := range frames {
		if c, ok := clientMessage(frame); ok {
			found = append(found, c)
		}
	}
	if len(found) == 0 {
		return nil, errors.New("no message of a DHCP client is in it")
	}
	return found, nil
}

func firstWord(data []byte) uint32 {
	if len(data) < 4 {
		return 0
	}
	return binary.BigEndian.Uint32(data)
}

func isText(data []byte) bool {
	for _, b := range data {
		if b != '\n' && b != '\r' && b != '\t' && (b < ' ' || b > '~') {
			return false
		}
	}
	return true
}

// pcapFrames reads the classic format: a header of 24 bytes, and 16 before each
// frame.
func pcapFrames(data []byte, order binary.ByteOrder) (frames [][]byte) {
	const header, record = 24, 16
	for data = data[min(header, len(data)):]; len(data) >= record; {
		n := int(order.Uint32(data[8:]))
		if n > len(data)-record {
			return frames
		}
		frames, data = append(frames, data[record:record+n]), data[record+n:]
	}
	return frames
}

// pcapngFrames reads enhanced and simple packet blocks.
func pcapngFrames(data []byte) (frames [][]byte) {
	const section, simple, enhanced = 0x0a0d0d0a, 3, 6
	var order binary.ByteOrder = binary.LittleEndian
	for len(data) >= 12 {
		if firstWord(data) == section {
			order = binary.LittleEndian
			if binary.BigEndian.Uint32(data[8:]) == 0x1a2b3c4d {
				order = binary.BigEndian
			}
		}
		kind, size := order.Uint32(data), int(order.Uint32(data[4:]))
		if size < 12 || size > len(data) {
			return frames
		}
		body := data[8 : size-4]
		switch {
		case kind == enhanced && len(body) >= 20:
			n := min(int(order.Uint32(body[12:])), len(body)-20)
			frames = append(frames, body[20:20+n])
		case kind == simple && len(body) >= 4:
			n := min(int(order.Uint32(body)), len(body)-4)
			frames = append(frames, body[4:4+n])
		}
		data = data[size:]
	}
	return frames
}

// hexDump reads the bytes of a dump: offsets in front and text behind are left out.
func hexDump(text string) (data []byte, err error) {
	for line := range strings.Lines(text) {
		digits := strings.TrimSpace(line)
		hasBar := strings.Contains(digits, "|")
		digits, _, _ = strings.Cut(digits, "|")
		first, rest, found := strings.Cut(digits, " ")
		if offset := strings.TrimSuffix(strings.TrimPrefix(first, "0x"), ":"); len(offset) >= 4 && isHex(offset) &&
			(offset != first || strings.HasPrefix(rest, " ") || hasBar) && (found || hasBar) {
			digits = strings.TrimLeft(rest, " ")
		}
		if !hasBar {
			digits, _, _ = strings.Cut(digits, "  ")
		}
		digits = strings.NewReplacer(" ", "", ":", "", "-", "", "\t", "").Replace(digits)
		b, err := hex.DecodeString(digits)
		if err != nil {
			if len(data) == 0 { // a line of tcpdump about the packet
				continue
			}
			return nil, fmt.Errorf("not a hex dump: %.60q", strings.TrimSpace(line))
		}
		data = append(data, b...)
	}
	return data, nil
}

func isHex(text string) bool {
	_, err := hex.DecodeString(text)
	return err == nil
}

// clientMessage finds a DHCP message of a client in a frame, an IP packet, or on its
// own. Link layers differ in length only as far as this goes.
func clientMessage(frame []byte) (captured, bool) {
	for _, linkLayer := range []int{14, 18, 22, 0, 16, 20, 4} { // Ethernet, with tags, none, Linux cooked, loopback
		if c, ok := udpMessage(frame[min(linkLayer, len(frame)):]); ok {
			return c, true
		}
	}
	return captured{payload: frame}, isRequest(frame)
}

func isRequest(b []byte) bool {
	const cookieAt = 236
	return len(b) >= cookieAt && b[0] == byte(dhcpv4.OpcodeBootRequest) &&
		(len(b) < cookieAt+4 || bytes.Equal(b[cookieAt:cookieAt+4], []byte{99, 130, 83, 99}))
}

// udpMessage reads an IPv4 packet with a UDP datagram to a DHCP server.
func udpMessage(b []byte) (c captured, ok bool) {
	const udp, udpHeader = 17, 8
	if len(b) < 20 || b[0]>>4 != 4 || b[9] != udp {
		return c, false
	}
	size := int(b[0]&15) * 4
	total := min(int(binary.BigEndian.Uint16(b[2:])), len(b))
	if size < 20 || total < size+udpHeader {
		return c, false
	}
	ports := b[size:]
	from, to := binary.BigEndian.Uint16(ports), binary.BigEndian.Uint16(ports[2:])
	c = captured{
		payload: b[size+udpHeader : total],
		source:  netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[12:16])), from),
		to:      netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[16:20])), to),
	}
	return c, isRequest(c.payload)
}
