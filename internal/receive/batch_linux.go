package receive

import (
	"net/netip"
	"syscall"
	"time"
	"unsafe"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"golang.org/x/sys/unix"
)

const (
	// maxBatch is how many datagrams one system call takes in.
	maxBatch = 64
	// maxSend is how many it sends. The call gives up no processor meanwhile, which
	// the garbage collector waits for.
	maxSend = 32
)

// mmsghdr is struct mmsghdr of recvmmsg(2).
type mmsghdr struct {
	header unix.Msghdr
	length uint32
}

// vector is where a system call finds the parts of many datagrams. Its memory is
// used again by each call, and stays where it is.
type vector struct {
	heads [maxBatch]mmsghdr
	parts [maxBatch]unix.Iovec
	names [maxBatch]unix.RawSockaddrInet4
}

// set describes datagram i: its bytes, its control messages and, unless to is
// zero, its destination.
func (v *vector) set(i int, data, control []byte, to netip.AddrPort) {
	h := &v.heads[i].header
	v.parts[i].Base = unsafe.SliceData(data) //nolint:gosec // G103: kept alive by v
	v.parts[i].SetLen(len(data))
	h.Iov = &v.parts[i]
	h.SetIovlen(1)
	h.Name = (*byte)(unsafe.Pointer(&v.names[i])) //nolint:gosec // G103: the kernel's struct sockaddr_in
	h.Namelen = unix.SizeofSockaddrInet4
	h.Control = unsafe.SliceData(control) //nolint:gosec // G103: kept alive by v
	h.SetControllen(len(control))
	if to.IsValid() {
		v.names[i] = unix.RawSockaddrInet4{Family: unix.AF_INET, Port: networkOrder(to.Port()), Addr: to.Addr().As4()}
	}
}

// source is where datagram i came from.
func (v *vector) source(i int) netip.AddrPort {
	name := &v.names[i]
	return netip.AddrPortFrom(netip.AddrFrom4(name.Addr), networkOrder(name.Port))
}

// call is recvmmsg(2) or sendmmsg(2) for the datagrams from up to but not including
// to. It does not block, and so need not tell the scheduler.
func (v *vector) call(number, fd uintptr, from, to int) (done int, err syscall.Errno) {
	for {
		n, _, err := syscall.RawSyscall6(number, fd, uintptr(unsafe.Pointer(&v.heads[from])), uintptr(to-from), unix.MSG_DONTWAIT, 0, 0) //nolint:gosec // G103: as unsafe.Pointer allows for system calls
		if err != unix.EINTR {
			return int(n), err
		}
	}
}

// inbox takes in what one socket has received.
type inbox struct {
	conn    syscall.RawConn
	packets [maxBatch]*packet
	later   []int // which of packets come after others
	control [maxBatch][]byte
	vector
}

func newInbox(conn syscall.RawConn) *inbox {
	in := &inbox{conn: conn}
	for i := range in.control {
		in.control[i] = controlBytes()
	}
	return in
}

// receive waits for datagrams and puts them into packets, which it fetches by
// fresh where one was taken out. It returns how many there are.
func (in *inbox) receive(fresh func() *packet) (n int, err error) {
	for i := range in.packets {
		if in.packets[i] == nil {
			in.packets[i] = fresh()
		}
		in.set(i, in.packets[i].buf[:maxDatagram], in.control[i], netip.AddrPort{})
	}
	var errno syscall.Errno
	err = in.conn.Read(func(fd uintptr) bool {
		n, errno = in.call(unix.SYS_RECVMMSG, fd, 0, maxBatch)
		return errno != unix.EAGAIN
	})
	if err == nil && errno != 0 {
		err = errno
	}
	if err != nil {
		return 0, err
	}
	for i := range n {
		p, h := in.packets[i], &in.heads[i].header
		p.n, p.source, p.cut = int(in.heads[i].length), in.source(i), h.Flags&unix.MSG_TRUNC != 0
		p.arrival, p.lost = parseControl(in.control[i][:h.Controllen])
	}
	return n, nil
}

// outbox sends the replies of one round together, through one socket.
type outbox struct {
	conn    syscall.RawConn
	meter   *meter
	working *working
	replies []outgoing
	vector
}

// outgoing is one reply on its way out.
type outgoing struct {
	reply         *dhcpv4.DHCPv4
	row           string // of the address table, that it follows
	at            time.Time
	wire, control []byte
	to            netip.AddrPort
	client        client // whose message is in work until the reply has left (D-28)
}

// told counts the reply once it has left, or could not.
func (r *outgoing) told(m *meter, now time.Time, err error) {
	m.sent(r.reply, r.row, err, now.Sub(r.at))
}

// newOutbox sends through the socket of l.
func (s *Server) newOutbox(l *listener) *outbox {
	return &outbox{conn: l.raw, meter: s.meter, working: &s.working}
}

func (o *outbox) add(r outgoing) {
	o.replies = append(o.replies, r)
	if len(o.replies) == maxSend {
		o.flush()
	}
}

// flush sends what there is. A datagram that cannot be sent costs only itself
// (B-14): the system call ends at it, and the next begins behind it.
func (o *outbox) flush() {
	for i, r := range o.replies {
		o.set(i, r.wire, r.control, r.to)
	}
	for next := 0; next < len(o.replies); {
		n, err := o.send(next)
		now := time.Now()
		for ; n > 0; n-- {
			o.left(&o.replies[next], now, nil)
			next++
		}
		if err != nil {
			o.left(&o.replies[next], now, err)
			next++
		}
	}
	clear(o.replies)
	o.replies = o.replies[:0]
}

// left is about a reply that has left, or could not.
func (o *outbox) left(r *outgoing, now time.Time, err error) {
	o.working.endOf(r.client)
	r.told(o.meter, now, err)
}

// send sends from the given reply on. It returns how many left, or the error of the
// first.
func (o *outbox) send(from int) (n int, err error) {
	var errno syscall.Errno
	if err := o.conn.Control(func(fd uintptr) { n, errno = o.call(unix.SYS_SENDMMSG, fd, from, len(o.replies)) }); err != nil {
		return 0, err
	}
	if errno != 0 {
		return 0, errno
	}
	return n, nil
}
