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

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/capture"
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
	frames, err := framesOf(data)
	if err != nil {
		return nil, err
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

// framesOf are the frames of a capture as far as it can be read, or what else is in data.
func framesOf(data []byte) (frames [][]byte, err error) {
	file, err := capture.Open(bytes.NewReader(data))
	for err == nil {
		var frame capture.Frame
		if frame, err = file.Next(); err == nil {
			frames = append(frames, bytes.Clone(frame.Bytes))
		}
	}
	if !errors.Is(err, capture.ErrFormat) {
		return frames, nil
	}
	if isText(data) {
		if data, err = hexDump(string(data)); err != nil {
			return nil, err
		}
	}
	return [][]byte{data}, nil
}

func isText(data []byte) bool {
	for _, b := range data {
		if b != '\n' && b != '\r' && b != '\t' && (b < ' ' || b > '~') {
			return false
		}
	}
	return true
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
