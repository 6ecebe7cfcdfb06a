package receive

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"
)

// receiveBuffer is what a socket asks the kernel to keep for us while we are
// not scheduled: a few thousand requests, as after a power cut. Without
// CAP_NET_ADMIN the kernel cuts it down to net.core.rmem_max.
const receiveBuffer = 4 << 20

// RoomForBursts returns an error that names the fix where the kernel gives a
// program without CAP_NET_ADMIN less than that (REC-5).
func RoomForBursts() error {
	text, err := os.ReadFile("/proc/sys/net/core/rmem_max")
	if err != nil {
		return fmt.Errorf("how many packets the kernel keeps: %w", err)
	}
	largest, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return fmt.Errorf("net.core.rmem_max: %w", err)
	}
	return smallBuffer(largest)
}

func smallBuffer(size int) error {
	if size >= receiveBuffer {
		return nil
	}
	return fmt.Errorf("the kernel keeps %d bytes of packets in a burst, %d are wanted: set net.core.rmem_max to %d (deploy/server has the file)", size, receiveBuffer, receiveBuffer)
}

// buffer is how many bytes the kernel keeps for the socket; it tells twice that,
// with its own book-keeping.
func (l *listener) buffer() (size int, err error) {
	raw, err := l.conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	controlErr := raw.Control(func(fd uintptr) { size, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF) })
	return size / 2, errors.Join(controlErr, err)
}

// warnOfSmallBuffers says once if a burst has too little room (REC-5).
func warnOfSmallBuffers(listeners []*listener, log logrus.FieldLogger) {
	for _, l := range listeners {
		size, err := l.buffer()
		if err == nil {
			err = smallBuffer(size)
		}
		if err != nil {
			log.WithError(err).Warn("packets may be lost in a burst, as after a power cut")
			return
		}
	}
}

// listener is one bound UDP socket.
type listener struct {
	conn *net.UDPConn
	raw  syscall.RawConn // of conn
	port uint16
	// device is the interface the socket is bound to, "" for all of them, and
	// index the kernel's number of it when it was bound.
	device string
	index  int
	// yields names the interfaces whose broadcasts a device listener of the same
	// server handles: the kernel hands this socket a second copy (F-12).
	yields map[string]bool
	// proxy marks the second port of ProxyDHCP.
	proxy bool
	// lost is the kernel's count of packets it had no room for, as last seen.
	lost uint32
	// turned has a value once the reader was woken and reads on (Turn).
	turned chan struct{}
}

// openListeners binds one socket per address. Listening is exclusive: a second
// program cannot bind the port, also with other socket options. Otherwise the
// kernel would silently share packets out between both (F-12).
func openListeners(addrs []net.UDPAddr) (opened []*listener, err error) {
	overlapping, err := checkAddrs(addrs)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, closeListeners(opened))
			opened = nil
		}
	}()
	if overlapping {
		if err := checkUnused(addrs); err != nil {
			return nil, err
		}
	}
	for _, a := range addrs {
		l, err := openListener(a, overlapping)
		if err != nil {
			return opened, err
		}
		opened = append(opened, l)
	}
	if overlapping {
		for _, l := range opened {
			if err := l.setsockopt(unix.SO_REUSEADDR, 0); err != nil {
				return opened, fmt.Errorf("make %s exclusive: %w", l.conn.LocalAddr(), err)
			}
		}
	}
	shareInterfaces(opened)
	return opened, nil
}

// checkAddrs refuses addresses that cannot be listened on and reports whether
// some of the others share a port and an interface, as `:67` and `%eth0:67` do.
func checkAddrs(addrs []net.UDPAddr) (overlapping bool, err error) {
	if len(addrs) == 0 {
		return false, errors.New("no address to listen on")
	}
	for i, a := range addrs {
		ip, ok := netip.AddrFromSlice(a.IP)
		if ip = ip.Unmap(); ok && !ip.Is4() || ip.IsMulticast() || a.Port < 0 || a.Port > 65535 {
			return false, fmt.Errorf("listen on %s: not an IPv4 unicast or wildcard address and port", &a)
		}
		for _, b := range addrs[:i] {
			if a.Port != b.Port || a.Port == 0 {
				continue
			}
			sameIP := a.IP.Equal(b.IP) || isWildcard(a) && isWildcard(b)
			if sameIP && a.Zone == b.Zone {
				return false, fmt.Errorf("listen on %s: listed twice", &a)
			}
			sameIP = sameIP || isWildcard(a) || isWildcard(b)
			overlapping = overlapping || sameIP && (a.Zone == b.Zone || a.Zone == "" || b.Zone == "")
		}
	}
	return overlapping, nil
}

func isWildcard(a net.UDPAddr) bool { return len(a.IP) == 0 || a.IP.IsUnspecified() }

// checkUnused fails if another program holds one of the addresses. Sockets of
// ours that overlap need SO_REUSEADDR while they are bound, which would let them
// in beside a stranger's.
func checkUnused(addrs []net.UDPAddr) error {
	for _, a := range addrs {
		l, err := openListener(a, false)
		if err != nil {
			return err
		}
		if err := l.conn.Close(); err != nil {
			return fmt.Errorf("close the trial socket on %s: %w", &a, err)
		}
	}
	return nil
}

// openListener binds one socket that reports the receiving interface and the
// destination address of each packet (IP_PKTINFO).
func openListener(a net.UDPAddr, reuse bool) (*listener, error) {
	cfg := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		if cerr := c.Control(func(fd uintptr) { err = prepareSocket(int(fd), a.Zone, reuse) }); cerr != nil {
			return cerr
		}
		return err
	}}
	host := ""
	if !isWildcard(a) {
		host = a.IP.String()
	}
	pc, err := cfg.ListenPacket(context.Background(), "udp4", net.JoinHostPort(host, strconv.Itoa(a.Port)))
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w%s", &a, err, bindHint(err))
	}
	conn := pc.(*net.UDPConn)
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listen on %s: %w", &a, err), conn.Close())
	}
	l := &listener{
		conn: conn, raw: raw, device: a.Zone, port: conn.LocalAddr().(*net.UDPAddr).AddrPort().Port(), turned: make(chan struct{}, 1),
	}
	if a.Zone != "" {
		ifi, err := net.InterfaceByName(a.Zone)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("listen on %s: %w", &a, err), conn.Close())
		}
		l.index = ifi.Index
	}
	return l, nil
}

func prepareSocket(fd int, device string, reuse bool) error {
	for _, o := range []struct{ level, name int }{
		{unix.IPPROTO_IP, unix.IP_PKTINFO},
		{unix.SOL_SOCKET, unix.SO_RXQ_OVFL},
	} {
		if err := unix.SetsockoptInt(fd, o.level, o.name, 1); err != nil {
			return fmt.Errorf("set socket option %d: %w", o.name, err)
		}
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer); err != nil {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer); err != nil {
			return fmt.Errorf("set the receive buffer: %w", err)
		}
	}
	if reuse {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
			return fmt.Errorf("share the port among our own sockets: %w", err)
		}
	}
	if device == "" {
		return nil
	}
	if err := unix.BindToDevice(fd, device); err != nil {
		return fmt.Errorf("bind to interface %s: %w", device, err)
	}
	return nil
}

// bindHint says what to do about the errors an operator meets.
func bindHint(err error) string {
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		return " (another DHCP server, or a second copy of this one, holds the port; `ss -ulpn` names it)"
	case errors.Is(err, unix.EACCES):
		return " (ports below 1024 need root or CAP_NET_BIND_SERVICE)"
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return " (no interface of this machine has the address)"
	case errors.Is(err, unix.ENODEV):
		return " (`ip link` lists the interfaces)"
	}
	return ""
}

// shareInterfaces makes wildcard listeners leave an interface's packets to the
// listener bound to it: the kernel gives unicasts to the closer match, but
// broadcasts to both.
func shareInterfaces(all []*listener) {
	for _, l := range all {
		l.yields = map[string]bool{}
		for _, d := range all {
			if l.device == "" && d.device != "" && l.port == d.port && d.wildcard() {
				l.yields[d.device] = true
			}
		}
	}
}

func (l *listener) wildcard() bool {
	return l.conn.LocalAddr().(*net.UDPAddr).IP.IsUnspecified()
}

// rebind follows the device to a new number: an interface that was deleted and
// made again has the same name, but the socket stays bound to the old one and
// would be deaf. It needs CAP_NET_RAW.
func (l *listener) rebind(index int) error {
	raw, err := l.conn.SyscallConn()
	if err == nil {
		cerr := raw.Control(func(fd uintptr) { err = unix.BindToDevice(int(fd), l.device) })
		err = cmp.Or(cerr, err)
	}
	if err != nil {
		return fmt.Errorf("bind to interface %s again: %w", l.device, err)
	}
	l.index = index
	return nil
}

func (l *listener) setsockopt(name, value int) error {
	raw, err := l.conn.SyscallConn()
	if err != nil {
		return err
	}
	cerr := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, name, value) })
	return cmp.Or(cerr, err)
}

func closeListeners(all []*listener) error {
	var errs []error
	for _, l := range all {
		errs = append(errs, l.conn.Close())
	}
	return errors.Join(errs...)
}

// arrival is what the kernel tells about a packet besides its bytes.
type arrival struct {
	ifindex int
	// to is the destination in the IP header. It is an address of this machine
	// exactly if the packet was unicast.
	to      netip.Addr
	unicast bool
}

// parseControl reads the control messages of one packet. lost is the kernel's
// running count of packets dropped at this socket, 0 if it says nothing.
func parseControl(oob []byte) (a arrival, lost uint32) {
	for len(oob) > 0 {
		h, data, rest, err := unix.ParseOneSocketControlMessage(oob)
		if err != nil {
			return a, lost
		}
		oob = rest
		switch {
		case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo:
			// struct in_pktinfo, ip(7): interface, local address, header destination.
			// The two addresses agree for unicasts only.
			a.ifindex = int(binary.NativeEndian.Uint32(data[0:4]))
			a.to = netip.AddrFrom4([4]byte(data[8:12]))
			a.unicast = [4]byte(data[4:8]) == [4]byte(data[8:12])
		case h.Level == unix.SOL_SOCKET && h.Type == unix.SO_RXQ_OVFL && len(data) >= 4:
			lost = binary.NativeEndian.Uint32(data[0:4])
		}
	}
	return a, lost
}

// controlBytes is room for the control messages of one packet.
func controlBytes() []byte {
	return make([]byte, unix.CmsgSpace(unix.SizeofInet4Pktinfo)+unix.CmsgSpace(4))
}

// sendControl asks the kernel for a source address and, with ifindex not 0, for
// an interface to leave by, instead of the routing table's choice. It writes to
// what an earlier call returned, unless that is nil.
func sendControl(used []byte, source netip.Addr, ifindex int) []byte {
	if used == nil {
		used = unix.PktInfo4(new(unix.Inet4Pktinfo))
	}
	info := used[unix.CmsgLen(0):]                       // struct in_pktinfo, ip(7)
	binary.NativeEndian.PutUint32(info, uint32(ifindex)) //nolint:gosec // G115: the kernel counts interfaces in 32 bits
	var octets [4]byte
	if source.Is4() {
		octets = source.As4()
	}
	copy(info[4:], octets[:])
	return used
}
