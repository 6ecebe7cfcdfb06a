package bootfiles

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/netip"
	"path"
	"runtime/debug"
	"strings"
	"sync"
	"time"
)

const (
	headerTime = 5 * time.Second  // for a request's header
	idleTime   = 30 * time.Second // between two requests of a connection
	// stallTime is how long a transfer may stand still before it is cut off.
	stallTime = 30 * time.Second
	// placePause is between two looks for a free place.
	placePause = 20 * time.Millisecond
	// sendBuffer is what the kernel takes ahead of a client, in bytes; more would
	// make a slow client look quick for minutes.
	sendBuffer = 128 << 10
)

// slotKey is where a request's context has the slot of its connection.
type slotKey struct{}

// httpServer serves GET and HEAD, with ranges and conditions.
type httpServer struct {
	listener net.Listener
	folder   Folder
	slots    *slots
	meter    *meter

	ended context.Context // ends with the service

	mu    sync.Mutex
	conns map[net.Conn]*slot
}

func listenHTTP(address string, folder Folder, slots *slots, m *meter) (*httpServer, error) {
	var cfg net.ListenConfig
	l, err := cfg.Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, listenError("HTTP", address, err)
	}
	s := &httpServer{folder: folder, slots: slots, meter: m, conns: make(map[net.Conn]*slot)}
	s.listener = limitedListener{l, s}
	return s, nil
}

// serve answers requests until ctx ends; what is under way then is waited for.
func (s *httpServer) serve(ctx context.Context, p pace) {
	srv := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       headerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    8 << 10,
		ConnState:         s.follow,
		ConnContext:       s.withSlot,
		ErrorLog:          log.New(lineWriter{s.meter}, "", 0),
	}
	s.ended = ctx
	if p.fair > 0 {
		s.slots.fair = p.fair
	}
	ended := make(chan struct{})
	defer func() { <-ended }()
	context.AfterFunc(ctx, func() {
		defer close(ended)
		patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.drain)
		defer cancel()
		if srv.Shutdown(patience) != nil {
			_ = srv.Close() // the clients that are cut off are told by it
		}
	})
	if err := srv.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		s.meter.trouble("http", fmt.Errorf("boot files are no longer served by HTTP: %w", err))
		<-ctx.Done()
	}
}

// limitedListener closes connections for which there is no slot, after a while.
type limitedListener struct {
	net.Listener
	server *httpServer
}

func (l limitedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.server.admit(conn) {
			return conn, nil
		}
		_ = conn.Close() // nothing was said on it
	}
}

func (s *httpServer) admit(conn net.Conn) bool {
	client := clientOf(conn.RemoteAddr().String())
	slot := s.place(client, func() { _ = conn.Close() })
	if slot == nil {
		s.meter.refused(request{protocol: "http", client: client}, surplus, nil)
		return false
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(sendBuffer) // else the kernel's own will do
		slot.onSlow(func() { reset(tcp) })
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns[conn] = slot
	return true
}

// place returns a slot. If all are taken it waits for one, and with it all who
// connect later: a slow client has to give way as soon as it is known to be slow.
func (s *httpServer) place(client netip.Addr, giveUp func()) *slot {
	for end := time.Now().Add(s.slots.fair + time.Second); ; {
		slot := s.slots.take(client, giveUp)
		if slot != nil || s.slots.ofClient(client) >= s.slots.each || time.Now().After(end) {
			return slot
		}
		select {
		case <-s.ended.Done():
			return nil
		case <-time.After(placePause):
		}
	}
}

// reset closes a connection and drops what the client did not take: it may take
// hours to.
func reset(conn *net.TCPConn) {
	_ = conn.SetLinger(0)
	_ = conn.Close()
}

func (s *httpServer) withSlot(ctx context.Context, conn net.Conn) context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	return context.WithValue(ctx, slotKey{}, s.conns[conn])
}

// follow lets idle connections give way to new ones, and frees the slots of
// closed ones.
func (s *httpServer) follow(conn net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	slot := s.conns[conn]
	switch {
	case slot == nil:
	case state == http.StateActive:
		slot.proved()
	case state == http.StateIdle:
		slot.idle()
	case state == http.StateClosed, state == http.StateHijacked:
		slot.release()
		delete(s.conns, conn)
	}
}

// ServeHTTP implements http.Handler. The path is the name as the client wrote
// it: nothing is resolved, and nothing redirected.
func (s *httpServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	asked := request{protocol: "http", client: clientOf(r.RemoteAddr), file: r.URL.Path}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		s.meter.refused(asked, noWriting, nil)
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "read only", http.StatusMethodNotAllowed)
		return
	}
	s.meter.running.WithLabelValues("http").Inc()
	defer s.meter.running.WithLabelValues("http").Dec()
	place, _ := r.Context().Value(slotKey{}).(*slot)
	out := &sink{ResponseWriter: w, control: http.NewResponseController(w), slot: place, end: began.Add(maxDuration)}
	if out.hurry() != nil {
		return // closed already
	}
	defer func() {
		if cause := recover(); cause != nil {
			s.meter.ended(asked, failed, out.n, time.Since(began), fmt.Errorf("panic: %v\n%s", cause, debug.Stack()))
			panic(http.ErrAbortHandler)
		}
	}()
	file, err := s.folder.open(r.URL.Path)
	if err != nil {
		s.refuse(w, asked, err)
		return
	}
	defer func() { _ = file.Close() }() // nothing was written
	source := &watched{content: file}
	w.Header().Set("Content-Type", contentType(r.URL.Path))
	w.Header().Set("X-Content-Type-Options", "nosniff")
	http.ServeContent(out, r, "", file.modified, source)
	o := complete
	switch err := errors.Join(source.err, out.err); {
	case errors.Is(err, errChanged):
		o = changed
	case source.err != nil:
		o = failed
	case place.wasSlow():
		o = tooSlow
	case out.err != nil && !time.Now().Before(out.end):
		o = timedOut
	case out.err != nil:
		o = aborted
	}
	s.meter.ended(asked, o, out.n, time.Since(began), errors.Join(source.err, out.err))
}

func (s *httpServer) refuse(w http.ResponseWriter, asked request, err error) {
	switch {
	case errors.Is(err, ErrName):
		s.meter.refused(asked, badName, err)
		http.Error(w, "not a file name", http.StatusBadRequest)
	case errors.Is(err, ErrNotFound):
		s.meter.refused(asked, notFound, err)
		http.Error(w, "file not found", http.StatusNotFound)
	default:
		s.meter.refused(asked, failed, err)
		http.Error(w, "cannot read the file", http.StatusInternalServerError)
	}
}

// contentType is by name alone; UEFI goes by these three before it looks at the
// name itself (UEFI 2.10 section 24.7.3.3).
func contentType(name string) string {
	switch strings.ToLower(path.Ext(name)) {
	case ".efi":
		return "application/efi"
	case ".iso":
		return "application/vnd.efi-iso"
	case ".img":
		return "application/vnd.efi-img"
	}
	return "application/octet-stream"
}

// watched remembers why a file could not be read; ServeContent does not say.
type watched struct {
	*content
	err error
}

func (f *watched) Read(p []byte) (int, error) {
	n, err := f.content.Read(p)
	if err != nil && n == 0 && f.at < f.size {
		f.err = err
	}
	return n, err
}

// sink counts what a client took and gives it a while for each piece, and an
// hour for all.
type sink struct {
	http.ResponseWriter
	control *http.ResponseController
	slot    *slot
	end     time.Time
	n       int64
	err     error
}

func (s *sink) hurry() error {
	until := time.Now().Add(stallTime)
	if until.After(s.end) {
		until = s.end
	}
	return s.control.SetWriteDeadline(until)
}

func (s *sink) Write(p []byte) (int, error) {
	if err := s.hurry(); err != nil {
		s.err = err
		return 0, err
	}
	n, err := s.ResponseWriter.Write(p)
	s.n += int64(n)
	s.slot.took(n)
	if err != nil {
		s.err = err
	}
	return n, err
}

// lineWriter takes what net/http has to say.
type lineWriter struct{ meter *meter }

func (l lineWriter) Write(p []byte) (int, error) {
	l.meter.trouble("http", errors.New(strings.TrimSpace(string(p))))
	return len(p), nil
}

func clientOf(remote string) netip.Addr {
	ap, _ := netip.ParseAddrPort(remote) // net/http and net wrote it
	return ap.Addr().Unmap()
}
