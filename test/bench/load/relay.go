// Package load speaks to a DHCP server as one relay for many clients and tells
// how fast and how well they were served. It knows no server.
package load

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

// Relay is the socket of the relay. It sends one load at a time.
type Relay struct {
	conn   *net.UDPConn
	batch  *ipv4.PacketConn
	server *net.UDPAddr
	giaddr netip.Addr
	next   uint32 // transaction id

	// Patience is how long an exchange may take; later it counts as lost.
	// Nothing is sent twice, so that a loss is a loss.
	Patience time.Duration
}

// batchSize is how many messages one system call moves at most.
const batchSize = 64

// Dial opens the socket in the network namespace of the calling thread.
func Dial(server, giaddr netip.AddrPort) (*Relay, error) {
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(giaddr))
	if err != nil {
		return nil, err
	}
	if err := RoomForBursts(conn); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return &Relay{
		conn: conn, batch: ipv4.NewPacketConn(conn), server: net.UDPAddrFromAddrPort(server), giaddr: giaddr.Addr(), next: 1, Patience: time.Second,
	}, nil
}

// RoomForBursts gives a socket large buffers, so that a moment without a
// processor is no loss. Only root gets more than the system's limit.
func RoomForBursts(conn *net.UDPConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	const size = 8 << 20
	inner := raw.Control(func(fd uintptr) {
		err = errors.Join(
			unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, size),
			unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, size))
	})
	if errors.Is(err, unix.EPERM) {
		err = errors.Join(conn.SetReadBuffer(size), conn.SetWriteBuffer(size))
	}
	return errors.Join(inner, err)
}

// Close closes the socket.
func (r *Relay) Close() error { return r.conn.Close() }

func (r *Relay) run(clients Clients, most int) *run {
	n := newRun(clients, r.giaddr, r.next, most)
	n.patience = r.Patience
	r.next += uint32(len(n.exchanges))
	runtime.GC() // not later, while time counts
	n.begin = time.Now()
	return n
}

// Closed keeps up to window exchanges under way until a time has passed or
// most were started, and waits for the last ones.
func (r *Relay) Closed(ctx context.Context, clients Clients, window, most int, during time.Duration) (*Result, error) {
	n := r.run(clients, most)
	in, out, begin := r.inbox(), r.outbox(), r.outbox()
	for free, oldest := window, 0; ; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		next, given := n.expire(oldest)
		oldest, free = next, free+given
		sending := n.now() < during && !n.full()
		if !sending && free == window {
			return n.result(), nil
		}
		for sending && free > 0 && !n.full() {
			count, err := r.start(n, begin, free, func(int) (time.Duration, bool) { return n.now(), true })
			if err != nil {
				return nil, err
			}
			free -= count
		}
		ended, err := r.receive(n, in, out, time.Now().Add(20*time.Millisecond))
		if err != nil {
			return nil, err
		}
		free += ended
	}
}

// Open starts exchanges at a steady rate whatever the server does. Time counts
// from when an exchange was due, so that no stall hides waiting. One thread does
// all, since two that share a processor would wait for each other.
func (r *Relay) Open(ctx context.Context, clients Clients, rate float64, during time.Duration) (*Result, error) {
	n := r.run(clients, int(rate*during.Seconds()))
	due := func(i int) time.Duration { return time.Duration(float64(i)/rate*float64(time.Second)) + 1 }
	in, out, begin := r.inbox(), r.outbox(), r.outbox()
	timers, err := exactTimers()
	if err != nil {
		return nil, err
	}
	defer timers()
	for over := 0; !n.full() || over < len(n.exchanges); {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		next := time.Duration(n.lastSent.Load()) + n.patience
		if !n.full() {
			if _, err := r.start(n, begin, batchSize, func(i int) (time.Duration, bool) { return due(i), due(i) <= n.now() }); err != nil {
				return nil, err
			}
			next = due(int(n.began.Load()))
		} else if n.now() > next {
			break
		}
		if came, err := r.await(next - n.now()); err != nil {
			return nil, err
		} else if !came {
			continue
		}
		ended, err := r.receive(n, in, out, time.Time{})
		if err != nil {
			return nil, err
		}
		over += ended
	}
	return n.result(), nil
}

// exactTimers lets the kernel wake this goroutine's thread to the microsecond, until
// the function it returns is called.
func exactTimers() (undo func(), err error) {
	runtime.LockOSThread()
	const exact, usual = 1, 0
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, exact, 0, 0, 0); err != nil {
		runtime.UnlockOSThread()
		return nil, fmt.Errorf("timers to the microsecond: %w", err)
	}
	return func() {
		_ = unix.Prctl(unix.PR_SET_TIMERSLACK, usual, 0, 0, 0) // as before
		runtime.UnlockOSThread()
	}, nil
}

// await waits for replies, but not longer than a time, and tells whether any came.
func (r *Relay) await(atMost time.Duration) (came bool, err error) {
	raw, err := r.conn.SyscallConn()
	if err != nil {
		return false, err
	}
	timeout := unix.NsecToTimespec(int64(max(0, min(atMost, 20*time.Millisecond))))
	inner := raw.Control(func(fd uintptr) {
		var ready int
		ready, err = unix.Ppoll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, &timeout, nil)
		came = ready > 0
	})
	if errors.Is(err, unix.EINTR) {
		err = nil // it only shortens the wait
	}
	return came, errors.Join(inner, err)
}

// start begins up to most exchanges that are due and sends them at once.
func (r *Relay) start(n *run, out []ipv4.Message, most int, due func(i int) (time.Duration, bool)) (int, error) {
	first := int(n.began.Load())
	count := 0
	for most = min(most, len(out), len(n.exchanges)-first); count < most; count++ {
		at, now := due(first + count)
		if !now {
			break
		}
		b := out[count].Buffers[0][:mtu]
		out[count].Buffers[0] = b[:n.discover(b, first+count, at)]
	}
	n.began.Add(int64(count))
	err := r.send(out[:count])
	if count > 0 {
		n.lastSent.Store(int64(n.now()))
	}
	return count, err
}

// receive handles what has come, or comes until the deadline, and goes on with
// those exchanges. It returns how many ended.
func (r *Relay) receive(n *run, in, out []ipv4.Message, deadline time.Time) (ended int, err error) {
	if err := r.conn.SetReadDeadline(deadline); err != nil {
		return 0, err
	}
	got, err := r.batch.ReadBatch(in, 0)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("receive: %w", err)
	}
	filled := 0
	for _, m := range in[:got] {
		b := out[filled].Buffers[0][:mtu]
		size, end := n.take(m.Buffers[0][:m.N], b)
		if size > 0 {
			out[filled].Buffers[0] = b[:size]
			filled++
		}
		if end {
			ended++
		}
	}
	return ended, r.send(out[:filled])
}

func (r *Relay) send(out []ipv4.Message) error {
	for len(out) > 0 {
		n, err := r.batch.WriteBatch(out, 0)
		if err != nil {
			return fmt.Errorf("send: %w", err)
		}
		out = out[n:]
	}
	return nil
}

const mtu = 1500

func (r *Relay) inbox() []ipv4.Message { return messages(nil) }

func (r *Relay) outbox() []ipv4.Message { return messages(r.server) }

func messages(to net.Addr) []ipv4.Message {
	m := make([]ipv4.Message, batchSize)
	for i := range m {
		m[i] = ipv4.Message{Buffers: [][]byte{make([]byte, mtu)}, Addr: to}
	}
	return m
}
