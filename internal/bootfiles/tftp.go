package bootfiles

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/net/ipv4"
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
	conn   *net.UDPConn
	socket *ipv4.PacketConn // conn, with destination addresses
	folder Folder
	slots  *slots
	rate   rate
	meter  *meter
	second time.Duration

	mu      sync.Mutex
	running map[netip.AddrPort]*transfer
	alive   int // transfers, with those given up that have not ended yet
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
	return &tftpServer{conn: conn, socket: socket, folder: folder, slots: slots, meter: m, running: make(map[netip.AddrPort]*transfer)}, nil
}

// serve answers requests until ctx ends, and returns when all transfers have.
func (s *tftpServer) serve(ctx context.Context, p pace) {
	s.second = p.second
	transfers, cut := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cut(errStopped)
	defer context.AfterFunc(ctx, func() {
		_ = s.conn.SetReadDeadline(time.Unix(1, 0)) // fails only if closed, which ends reading too
	})()
	s.read(ctx, transfers)
	late := time.AfterFunc(p.drain, func() { cut(errStopped) })
	defer late.Stop()
	s.all.Wait()
}

func (s *tftpServer) read(ctx, transfers context.Context) {
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
		s.receive(transfers, buf[:n], source, local)
	}
}

// receive decides about one datagram. It answers requests only, and at most
// with one packet before the sender has shown that it is there.
func (s *tftpServer) receive(ctx context.Context, b []byte, source netip.AddrPort, local net.IP) {
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
	if !s.rate.allow(source.Addr(), time.Now()) {
		s.meter.refused(asked, surplus, nil)
		return
	}
	switch {
	case r.write:
		s.meter.refused(asked, noWriting, nil)
		s.complain(source, local, errorPacket(codeAccess, "read only"))
		return
	case !r.known:
		s.meter.refused(asked, badQuery, nil)
		s.complain(source, local, errorPacket(codeIllegal, "mode is neither octet nor netascii"))
		return
	}
	if s.repeated(source, b) {
		return
	}
	s.begin(ctx, &transfer{asked: asked, request: r, raw: bytes.Clone(b), client: source, local: local, second: s.second})
}

// repeated reports whether b is the repetition of a request that is being
// answered. Another request from the same port ends the transfer before it:
// boot ROMs use one port for all files.
func (s *tftpServer) repeated(source netip.AddrPort, b []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.running[source]
	if t == nil {
		return false
	}
	if bytes.Equal(t.raw, b) && !t.heard.Load() {
		return true
	}
	t.slot.release()
	t.cancel(errReplaced)
	return false
}

// begin starts t if there is a slot for it; else there is silence, and the
// client will ask again.
func (s *tftpServer) begin(ctx context.Context, t *transfer) {
	ctx, t.cancel = context.WithCancelCause(ctx)
	t.slot = s.slots.take(t.client.Addr(), func() { t.cancel(errGivenUp) })
	if t.slot == nil {
		t.cancel(nil)
		s.meter.refused(t.asked, surplus, nil)
		return
	}
	if !s.enter(t) {
		t.slot.release()
		t.cancel(nil)
		s.meter.refused(t.asked, surplus, nil)
		return
	}
	s.all.Go(func() {
		defer s.finish(t)
		defer t.cancel(nil)
		s.run(ctx, t)
	})
}

// enter makes t one of the running transfers, unless too many that were given up
// still have to end: a flood gives up faster than goroutines do.
func (s *tftpServer) enter(t *transfer) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.alive >= 2*s.slots.total {
		return false
	}
	s.alive++
	s.running[t.client] = t
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
func (s *tftpServer) run(ctx context.Context, t *transfer) {
	began := time.Now()
	s.meter.running.WithLabelValues("tftp").Inc()
	defer s.meter.running.WithLabelValues("tftp").Dec()
	defer func() {
		if cause := recover(); cause != nil {
			s.meter.ended(t.asked, failed, t.taken, time.Since(began), fmt.Errorf("panic: %v\n%s", cause, debug.Stack()))
		}
	}()
	file, err := s.folder.open(t.request.name)
	if err != nil {
		o, packet := refusal(err)
		s.meter.refused(t.asked, o, err)
		s.complain(t.client, t.local, packet)
		return
	}
	defer func() { _ = file.Close() }() // nothing was written
	conn, err := net.DialUDP("udp4", &net.UDPAddr{IP: t.local}, net.UDPAddrFromAddrPort(t.client))
	if err != nil {
		// A broadcast request ends here too, as RFC 1123 section 4.2.3.4 wants it.
		s.meter.refused(t.asked, badQuery, err)
		return
	}
	defer func() { _ = conn.Close() }() // nothing is left to send
	t.conn = conn
	o, err := t.send(ctx, file)
	s.meter.ended(t.asked, o, t.taken, time.Since(began), err)
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
