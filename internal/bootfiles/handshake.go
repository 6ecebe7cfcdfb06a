package bootfiles

import (
	"bytes"
	"container/list"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"sync"
	"time"

	"github.com/pin/tftp/v3/netascii"
	"golang.org/x/sys/unix"
)

const (
	// maxAnswers is how often one port is answered before it has proved itself,
	// whatever it asks for (BF-1).
	maxAnswers = 3
	// perPlace and maxHandshakes bound the requests that wait for a proof: some
	// for each transfer, so that one lives longer than the way to its client
	// and back takes, also when a flood fills all of them.
	perPlace      = 16
	maxHandshakes = 4096
	// wireHeader is what IPv4 and UDP put before each packet, in bytes.
	wireHeader = 28
	// burst and trickle are the bytes that may be sent to unproved ports beyond
	// what they sent: at once, and in each second.
	burst   = 256 * (wireHeader + headerSize + defaultBlock)
	trickle = burst / 8
)

// handshake is a request that was answered with one packet. Its sender may have
// been forged, so it holds a socket and no file, no goroutine and no slot. The
// kernel chose the socket's port, so only a sender that got the packet can
// acknowledge it.
type handshake struct {
	id      uint64
	fd      int
	asked   request
	request readRequest
	raw     []byte // the request as received
	client  netip.AddrPort
	file    fileState
	terms   terms
	packet  []byte // what it was answered with
	began   time.Time
	last    time.Time // when it was answered last
	answers int
	waiting *list.Element
}

// handshakes are all of them. If all places are taken the oldest gives way.
type handshakes struct {
	epoll int
	total int
	meter *meter

	mu      sync.Mutex
	next    uint64
	byID    map[uint64]*handshake
	byPort  map[netip.AddrPort]*handshake
	clients map[netip.Addr]int
	oldest  list.List // of *handshake
	credit  int       // bytes that may be sent to unproved ports
	filled  time.Time // when trickle was added last
	ended   []func()  // what is still to be counted and logged
}

func newHandshakes(places int, m *meter) (*handshakes, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("wait for TFTP clients: %w", err)
	}
	total := min(perPlace*places, maxHandshakes)
	var files unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &files) == nil && files.Cur/4 < uint64(total) { //nolint:gosec // G115: positive
		total = max(1, int(files.Cur/4)) //nolint:gosec // G115: below total
	}
	return &handshakes{
		epoll: epoll, total: total, meter: m, credit: burst,
		byID: make(map[uint64]*handshake), byPort: make(map[netip.AddrPort]*handshake), clients: make(map[netip.Addr]int),
	}, nil
}

// close ends what waits and frees the descriptors.
func (h *handshakes) close() error {
	h.mu.Lock()
	defer h.unlock()
	for e := h.oldest.Front(); e != nil; e = h.oldest.Front() {
		h.end(e.Value.(*handshake), stopped, errStopped)
	}
	return unix.Close(h.epoll)
}

// unlock counts and logs what ended; that may take long, so the lock goes first.
func (h *handshakes) unlock() {
	ended := h.ended
	h.ended = nil
	h.mu.Unlock()
	for _, report := range ended {
		report()
	}
}

// received adds what a datagram cost its sender to what may be sent back.
func (h *handshakes) received(size int, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if since := now.Sub(h.filled); since > 0 {
		h.credit += int(min(since, time.Second) * trickle / time.Second)
		h.filled = now
	}
	h.credit = min(h.credit+wireHeader+size, burst)
}

// afford takes a packet's cost from what may be sent to unproved ports. The
// packet is not to be sent if that is not enough: all of them together get no
// more than they sent, but for a burst and a trickle (BF-1).
// What is left below reserve is not for it either: a flood that draws refusals
// leaves something for files.
func (h *handshakes) afford(packet []byte, reserve int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	cost := wireHeader + len(packet)
	if h.credit < cost+reserve {
		return false
	}
	h.credit -= cost
	return true
}

// of returns the handshake of a port, and how many its address has.
func (h *handshakes) of(client netip.AddrPort) (known *handshake, ofAddress int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.byPort[client], h.clients[client.Addr()]
}

// again answers a request that came twice, if it is time to, and reports whether
// it is in hand. Another request from the same port counts against the same
// answers.
func (h *handshakes) again(s *handshake, raw []byte, now time.Time, pause time.Duration) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.byID[s.id] == nil {
		return false // it ended meanwhile
	}
	if s.answers >= maxAnswers {
		return true
	}
	if !bytes.Equal(s.raw, raw) {
		return false
	}
	if cost := wireHeader + len(s.packet); now.Sub(s.last) >= pause && h.credit >= cost {
		h.credit -= cost
		s.answers, s.last = s.answers+1, now
		_, _ = unix.Write(s.fd, s.packet) // as good as lost on the way; an error that came back ends it elsewhere
	}
	return true
}

// add opens a socket for s, answers on it and waits for the client. It takes
// the place of an earlier request from the same port.
func (h *handshakes) add(s *handshake, local []byte) error {
	fd, err := dial(local, s.client)
	if err != nil {
		return err
	}
	s.fd = fd
	_, _ = unix.Write(fd, s.packet) // as above
	h.mu.Lock()
	defer h.unlock()
	if before := h.byPort[s.client]; before != nil {
		s.answers += before.answers
		s.began = before.began
		h.end(before, replaced, errReplaced)
	}
	for h.oldest.Len() >= h.total {
		h.end(h.oldest.Front().Value.(*handshake), unproved, errGivenUp)
	}
	h.next++
	s.id = h.next
	if err := h.watch(unix.EPOLL_CTL_ADD, s); err != nil {
		return errors.Join(err, unix.Close(fd))
	}
	h.byID[s.id], h.byPort[s.client] = s, s
	h.clients[s.client.Addr()]++
	s.waiting = h.oldest.PushBack(s)
	return nil
}

// watch tells the kernel to wait for what s receives, or to do so no more.
func (h *handshakes) watch(op int, s *handshake) error {
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(s.id), Pad: int32(s.id >> 32)} //nolint:gosec // G115: the halves of an id
	return unix.EpollCtl(h.epoll, op, s.fd, &event)
}

// dial returns a socket that is connected to client, from a port of the
// kernel's choice at local.
func dial(local []byte, client netip.AddrPort) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	here := &unix.SockaddrInet4{}
	copy(here.Addr[:], local)
	if err = unix.Bind(fd, here); err == nil {
		err = unix.Connect(fd, &unix.SockaddrInet4{Port: int(client.Port()), Addr: client.Addr().As4()})
	}
	if err != nil {
		return -1, errors.Join(err, unix.Close(fd))
	}
	return fd, nil
}

// end forgets s, closes its socket and counts it. The caller holds the lock.
func (h *handshakes) end(s *handshake, o outcome, err error) {
	h.forget(s)
	_ = unix.Close(s.fd) // nothing is left to send
	if o == replaced {
		return // the request that takes its place is counted
	}
	h.ended = append(h.ended, func() { h.meter.ended(s.asked, o, 0, time.Since(s.began), err) })
}

// forget takes s out of the tables. The caller holds the lock.
func (h *handshakes) forget(s *handshake) {
	h.oldest.Remove(s.waiting)
	delete(h.byID, s.id)
	if h.byPort[s.client] == s {
		delete(h.byPort, s.client)
	}
	if h.clients[s.client.Addr()]--; h.clients[s.client.Addr()] == 0 {
		delete(h.clients, s.client.Addr())
	}
}

// wait hands each handshake that was acknowledged to proved, which reports
// whether it took it over, socket included. It returns when no more requests come
// and nothing waits any more, or when cut has ended.
func (h *handshakes) wait(requests, cut context.Context, second time.Duration, proved func(*handshake) bool) {
	events := make([]unix.EpollEvent, 128)
	for cut.Err() == nil {
		n, err := unix.EpollWait(h.epoll, events, max(1, int(second/20/time.Millisecond)))
		if err != nil && !errors.Is(err, unix.EINTR) {
			h.meter.trouble("tftp", err)
			time.Sleep(readPause)
		}
		for _, e := range events[:max(0, n)] {
			h.hear(uint64(uint32(e.Fd))|uint64(uint32(e.Pad))<<32, proved) //nolint:gosec // G115: the halves of an id
		}
		patience, last := 5*second, requests.Err() != nil
		if last {
			patience = second // a client that is there needs no longer
		}
		if h.expire(time.Now().Add(-patience)) == 0 && last {
			return
		}
	}
}

// hear reads what a client said.
func (h *handshakes) hear(id uint64, proved func(*handshake) bool) {
	h.mu.Lock()
	defer h.unlock()
	s := h.byID[id]
	if s == nil {
		return
	}
	var buf [replySize]byte
	n, err := unix.Read(s.fd, buf[:])
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		return
	case errors.Is(err, unix.ECONNREFUSED):
		h.end(s, unproved, errGone)
		return
	case err != nil:
		h.end(s, failed, err)
		return
	}
	r, ok := parseReply(buf[:n])
	switch {
	case !ok || r.ack && r.block != s.number():
	case !r.ack:
		h.refund(s)
		h.end(s, aborted, clientFault(r.fault))
	case h.watch(unix.EPOLL_CTL_DEL, s) == nil && proved(s):
		h.refund(s)
		h.forget(s)
	default: // the client acknowledges again
		_ = h.watch(unix.EPOLL_CTL_ADD, s) // else it expires
		h.ended = append(h.ended, func() { h.meter.refused(s.asked, surplus, nil) })
	}
}

// refund gives back what answering a real client cost.
func (h *handshakes) refund(s *handshake) {
	h.credit = min(h.credit+s.answers*(wireHeader+len(s.packet)), burst)
}

// expire ends what began before the given time, and returns how many are left.
func (h *handshakes) expire(before time.Time) int {
	h.mu.Lock()
	defer h.unlock()
	for e := h.oldest.Front(); e != nil && e.Value.(*handshake).began.Before(before); e = h.oldest.Front() {
		h.end(e.Value.(*handshake), unproved, errSilent)
	}
	return h.oldest.Len()
}

// number is the block that the client has to acknowledge.
func (s *handshake) number() uint16 {
	if len(s.terms.accepted) > 0 {
		return 0
	}
	return 1
}

// first is the packet that answers a request: the options that are agreed on, or
// the first block.
func (s *handshake) first() ([]byte, error) {
	if len(s.terms.accepted) > 0 {
		return oack(s.terms.accepted), nil
	}
	var source io.Reader = bytes.NewReader(s.file.head)
	if s.request.ascii {
		source = netascii.ToReader(source)
	}
	b := make([]byte, headerSize+defaultBlock)
	binary.BigEndian.PutUint16(b, opData)
	binary.BigEndian.PutUint16(b[2:], 1)
	n, err := io.ReadFull(source, b[headerSize:])
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	return b[:headerSize+n], nil
}
