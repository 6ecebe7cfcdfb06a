package receive

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"

	"github.com/mdlayher/socket"
	"golang.org/x/sys/unix"
)

// frameSender sends datagrams to a hardware address, for clients that cannot
// answer ARP because they have no address yet. One packet socket serves all
// interfaces; the kernel adds the link-layer header of each.
type frameSender struct {
	conn *socket.Conn
}

// openFrameSender needs CAP_NET_RAW.
func openFrameSender() (*frameSender, error) {
	// Protocol 0: a socket that only sends receives nothing.
	conn, err := socket.Socket(unix.AF_PACKET, unix.SOCK_DGRAM, 0, "dhcp4-frames", nil)
	if err != nil {
		return nil, fmt.Errorf("open a packet socket: %w", err)
	}
	return &frameSender{conn: conn}, nil
}

// send puts payload into one UDP datagram and that into one frame.
func (f *frameSender) send(ifindex int, hw net.HardwareAddr, from, to netip.AddrPort, payload []byte) error {
	sa := &unix.SockaddrLinklayer{Protocol: networkOrder(unix.ETH_P_IP), Ifindex: ifindex}
	sa.Halen = uint8(copy(sa.Addr[:], hw)) //nolint:gosec // G115: at most 8 bytes fit
	if err := f.conn.Sendto(context.Background(), datagram(from, to, payload), 0, sa); err != nil {
		return fmt.Errorf("send a frame to %s: %w", hw, err)
	}
	return nil
}

func (f *frameSender) close() error { return f.conn.Close() }

// networkOrder is the value whose bytes in memory are v in network order.
func networkOrder(v uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], v)
	return binary.NativeEndian.Uint16(b[:])
}

const (
	ipHeaderLen  = 20
	udpHeaderLen = 8
	// replyTTL lets a reply pass the few routers there may be to a client behind
	// proxy ARP; RFC 1700's default.
	replyTTL = 64
)

// datagram builds an IPv4 packet (RFC 791) with a UDP payload (RFC 768). It must
// not be fragmented, so its identification may be 0 (RFC 6864 section 4.1).
func datagram(from, to netip.AddrPort, payload []byte) []byte {
	b := make([]byte, ipHeaderLen+udpHeaderLen+len(payload))
	ip, udp := b[:ipHeaderLen], b[ipHeaderLen:]

	ip[0] = 4<<4 | ipHeaderLen/4
	binary.BigEndian.PutUint16(ip[2:], uint16(len(b))) //nolint:gosec // G115: replies are at most 1500 bytes
	ip[6] = 0x40                                       // don't fragment
	ip[8] = replyTTL
	ip[9] = unix.IPPROTO_UDP
	src, dst := from.Addr().As4(), to.Addr().As4()
	copy(ip[12:], src[:])
	copy(ip[16:], dst[:])
	binary.BigEndian.PutUint16(ip[10:], ^fold(sum(0, ip)))

	binary.BigEndian.PutUint16(udp[0:], from.Port())
	binary.BigEndian.PutUint16(udp[2:], to.Port())
	binary.BigEndian.PutUint16(udp[4:], uint16(len(udp))) //nolint:gosec // G115: as above
	copy(udp[udpHeaderLen:], payload)
	pseudo := uint32(unix.IPPROTO_UDP) + uint32(len(udp)) + sum(0, ip[12:20]) //nolint:gosec // G115: as above
	check := ^fold(sum(pseudo, udp))
	if check == 0 {
		check = 0xffff // 0 would mean "none"
	}
	binary.BigEndian.PutUint16(udp[6:], check)
	return b
}

// sum adds b to acc in 16-bit words, RFC 1071. 64 KiB cannot overflow it.
func sum(acc uint32, b []byte) uint32 {
	for ; len(b) >= 2; b = b[2:] {
		acc += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		acc += uint32(b[0]) << 8
	}
	return acc
}

// fold makes the carries part of a 16-bit one's complement sum.
func fold(acc uint32) uint16 {
	for acc > 0xffff {
		acc = acc>>16 + acc&0xffff
	}
	return uint16(acc)
}
