package bootfiles

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

const (
	// maxRequest is more than the 512 bytes RFC 2347 allows for a request.
	maxRequest = 1024
	// requestBuffer is what the kernel keeps while we are not scheduled: a rack
	// that is switched on asks all at once.
	requestBuffer = 1 << 20
	// readPause keeps a socket that only fails from eating a processor.
	readPause = 100 * time.Millisecond
)

// Why a transfer is ended from outside.
var (
	errStopped  = errors.New("the server stops")
	errReplaced = errors.New("the client asked anew")
	errGivenUp  = errors.New("given up for another client")
	errTooLong  = errors.New("the transfer took too long")
)

// tftpServer answers requests for files. Every transfer has a socket, hence a
// port, of its own, connected to the client: the kernel keeps strangers out and
// tells when the client's port is closed.
type tftpServer struct {
	conn       *net.UDPConn
	socket     *ipv4.PacketConn // conn, with destination addresses
	folder     Folder
	slots      *slots // of transfers
	handshakes *handshakes
	files      fileCache
	rate       rate
	meter      *meter
	second     time.Duration

	mu      sync.Mutex
	running map[netip.AddrPort]*transfer
	alive   int // transfers, with those replaced that have not ended yet
	all     sync.WaitGroup
}

func listenTFTP(address string, folder Folder, slots *slots, m *meter) (*tftpServer, error) {
	var cfg net.ListenConfig
	pc, err := cfg.ListenPacket(context.Background(), "udp4", address)
	if err != nil {
		return nil, listenError("TFTP", address, err)
	}
	conn := pc.(*net.UDPConn)
	socket := ipv4.NewPacketConn(conn)
	if err := errors.Join(conn.SetReadBuffer(requestBuffer), socket.SetControlMessage(ipv4.FlagDst, true)); err != nil {
		return nil, errors.Join(listenError("TFTP", address, err), conn.Close())
	}
	pending, err := newHandshakes(slots.total, m)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return &tftpServer{
		conn: conn, socket: socket, folder: folder, slots: slots, handshakes: pending, files: fileCache{folder: folder}, meter: m,
		running: make(map[netip.AddrPort]*transfer),
	}, nil
}

func (s *tftpServer) close() error {
	return errors.Join(ignoreClosed(s.conn.Close()), s.handshakes.close())
}

// serve answers requests until ctx ends, and returns when all transfers have.
func (s *tftpServer) serve(ctx context.Context, p pace) {
	s.second = p.second
	transfers, cut := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cut(errStopped)
	defer context.AfterFunc(ctx, func() {
		_ = s.conn.SetReadDeadline(time.Unix(1, 0)) // fails only if closed, which ends reading too
	})()
	requests, noMore := context.WithCancel(transfers)
	s.all.Go(func() {
		s.handshakes.wait(requests, transfers, s.second, func(h *handshake) bool { return s.begin(transfers, h) })
	})
	s.read(ctx)
	noMore()
	late := time.AfterFunc(p.drain, func() { cut(errStopped) })
	defer late.Stop()
	s.all.Wait()
}

func (s *tftpServer) read(ctx context.Context) {
	buf := make([]byte, maxRequest+1)
	for ctx.Err() == nil {
		n, cm, from, err := s.socket.ReadFrom(buf)
		switch {
		case errors.Is(err, net.ErrClosed), ctx.Err() != nil:
			return
		case err != nil:
			s.meter.trouble("tftp", err)
			select {
			case <-ctx.Done():
			case <-time.After(readPause):
			}
			continue
		}
		source := from.(*net.UDPAddr).AddrPort()
		source = netip.AddrPortFrom(source.Addr().Unmap(), source.Port())
		var local net.IP
		if cm != nil {
			local = cm.Dst
		}
		s.receive(buf[:n], source, local)
	}
}

// receive decides about one datagram. It answers requests only, and at most
// with one packet before the sender has shown that it is there (BF-1).
func (s *tftpServer) receive(b []byte, source netip.AddrPort, local net.IP) {
	asked := request{protocol: "tftp", client: source.Addr()}
	if source.Port() == 0 || !oneHost(source.Addr()) || local.Equal(net.IPv4bcast) || len(b) > maxRequest {
		s.meter.refused(asked, badQuery, nil)
		return
	}
	r, err := parseRequest(b)
	if err != nil {
		s.meter.refused(asked, badQuery, err)
		return
	}
	asked.file = r.name
	now := time.Now()
	if !s.rate.allow(source.Addr(), now) {
		s.meter.refused(asked, surplus, nil)
		return
	}
	s.handshakes.received(len(b), now)
	switch {
	case r.write:
		s.refuse(asked, source, local, noWriting, nil, errorPacket(codeAccess, "read only"))
	case !r.known:
		s.refuse(asked, source, local, badQuery, nil, errorPacket(codeIllegal, "mode is neither octet nor netascii"))
	default:
		s.answer(&handshake{asked: asked, request: r, client: source, began: now, last: now, answers: 1}, b, local)
	}
}

// answer sends the first packet of a file, or silence where there are too many
// requests: the client will ask again.
func (s *tftpServer) answer(h *handshake, raw []byte, local net.IP) {
	known, waiting := s.handshakes.of(h.client)
	if known != nil && s.handshakes.again(known, raw, h.began, s.second/4) {
		return
	}
	s.mu.Lock()
	follows := s.running[h.client] != nil
	s.mu.Unlock()
	if known == nil && !follows && waiting+s.slots.ofClient(h.client.Addr()) >= s.slots.each {
		s.meter.refused(h.asked, surplus, nil)
		return
	}
	h.file = s.files.look(h.request.name, h.began)
	if h.file.err != nil {
		o, packet := refusal(h.file.err)
		s.refuse(h.asked, h.client, local, o, h.file.err, packet)
		return
	}
	h.raw, h.terms = bytes.Clone(raw), h.request.agree(h.file.info.Size())
	var err error
	if h.packet, err = h.first(); err != nil {
		s.meter.refused(h.asked, failed, err)
		return
	}
	if !s.handshakes.afford(h.packet, 0) {
		s.meter.refused(h.asked, surplus, nil)
		return
	}
	if err := s.handshakes.add(h, local.To4()); errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) {
		s.meter.refused(h.asked, failed, err)
	} else if err != nil {
		// A broadcast request ends here too, as RFC 1123 section 4.2.3.4 wants it.
		s.meter.refused(h.asked, badQuery, err)
	}
}

// begin starts the transfer that h asked for, if there is a slot for it. It ends
// the one before from the same port, since boot ROMs use one port for all
// files; no earlier, since a request alone may be forged.
func (s *tftpServer) begin(ctx context.Context, h *handshake) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.alive >= 2*s.slots.total {
		return false
	}
	t := &transfer{
		asked: h.asked, request: h.request, client: h.client, second: s.second,
		file: h.file, terms: h.terms, begun: h.number() == 1,
	}
	ctx, t.cancel = context.WithCancelCause(ctx)
	if before := s.running[h.client]; before != nil {
		before.slot.release()
		before.cancel(errReplaced)
	}
	if t.slot = s.slots.take(h.client.Addr(), func() { t.cancel(errGivenUp) }); t.slot == nil {
		t.cancel(nil)
		return false
	}
	t.slot.proved()
	s.alive++
	s.running[t.client] = t
	s.all.Go(func() {
		defer s.finish(t)
		defer t.cancel(nil)
		s.run(ctx, t, h.fd)
	})
	return true
}

func (s *tftpServer) finish(t *transfer) {
	t.slot.release()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.alive--
	if s.running[t.client] == t {
		delete(s.running, t.client)
	}
}

// run sends one file. A panic costs this transfer only.
func (s *tftpServer) run(ctx context.Context, t *transfer, fd int) {
	began := time.Now()
	s.meter.running.WithLabelValues("tftp").Inc()
	defer s.meter.running.WithLabelValues("tftp").Dec()
	defer func() {
		if cause := recover(); cause != nil {
			s.meter.ended(t.asked, failed, t.taken, time.Since(began), fmt.Errorf("panic: %v\n%s", cause, debug.Stack()))
		}
	}()
	conn, err := connOf(fd)
	if err != nil {
		s.meter.ended(t.asked, failed, 0, time.Since(began), err)
		return
	}
	defer func() { _ = conn.Close() }() // nothing is left to send
	t.conn = conn
	file, err := s.folder.open(t.request.name)
	if err != nil {
		o, packet := refusal(err)
		_, _ = conn.Write(packet) // a courtesy
		s.meter.refused(t.asked, o, err)
		return
	}
	defer func() { _ = file.Close() }() // nothing was written
	o, err := t.send(ctx, file)
	s.meter.ended(t.asked, o, t.taken, time.Since(began), err)
}

// connOf makes a connection of a connected socket, which it closes.
func connOf(fd int) (*net.UDPConn, error) {
	f := os.NewFile(uintptr(fd), "tftp")
	defer func() { _ = f.Close() }() // the connection has a copy
	conn, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	return conn.(*net.UDPConn), nil
}

// refusal is how a client is told why it gets no file.
func refusal(err error) (outcome, []byte) {
	switch {
	case errors.Is(err, ErrName):
		return badName, errorPacket(codeAccess, "not a file name")
	case errors.Is(err, ErrNotFound):
		return notFound, errorPacket(codeNotFound, "file not found")
	}
	return failed, errorPacket(codeOther, "cannot read the file")
}

// refuse counts a request that gets no transfer, and tells its sender.
func (s *tftpServer) refuse(asked request, to netip.AddrPort, local net.IP, o outcome, cause error, packet []byte) {
	s.meter.refused(asked, o, cause)
	if s.handshakes.afford(packet, burst/2) {
		s.complain(to, local, packet)
	}
}

// complain sends an ERROR where there is no transfer.
func (s *tftpServer) complain(to netip.AddrPort, local net.IP, packet []byte) {
	_, err := s.socket.WriteTo(packet, &ipv4.ControlMessage{Src: local}, net.UDPAddrFromAddrPort(to))
	if err != nil && !errors.Is(err, net.ErrClosed) {
		s.meter.trouble("tftp", fmt.Errorf("send to %s: %w", to, err))
	}
}

// oneHost reports whether a reply to addr can only reach one host.
func oneHost(addr netip.Addr) bool {
	return addr.Is4() && !addr.IsUnspecified() && !addr.IsMulticast() && addr != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}
