// Package control is how commands ask the running server: HTTP with JSON over a
// unix socket. It knows who asks, bounds what is asked, and lets none but root and
// the server's own user change anything. It must not know what the commands do.
package control

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"
)

const (
	// maxConnections are open at once; more wait (C-3).
	maxConnections = 16
	// maxQuestion and maxAnswer are in bytes.
	maxQuestion = 1 << 20
	maxAnswer   = 1 << 30
	// maxLogged is how much of a question the log has, in bytes.
	maxLogged = 300
	// askTime bounds the wait for a question to arrive, workTime all work on it.
	askTime  = 5 * time.Second
	workTime = 2 * time.Minute
	// maxPath is what the kernel takes as the path of a socket.
	maxPath = 107
)

// ErrNoServer says that no server listens on the socket: it does not run, or has no
// socket.
var ErrNoServer = errors.New("no server is running with these settings")

// Command is one thing that the server can be asked.
type Command struct {
	// Changes says that only root and the server's own user may ask it (C-3).
	Changes bool
	// Private says that neither question nor error is logged, since they name people's
	// devices.
	Private bool
	// Do answers; the answer becomes JSON. It is called by many goroutines.
	Do func(ctx context.Context, question []byte) (answer any, err error)
	// Stream stands in place of Do where the answer is long: it is what Stream writes.
	// An error after the first of it cuts the answer short, which the other side sees.
	Stream func(ctx context.Context, question []byte, answer io.Writer) error
}

// Path is the socket in folder of the server that keeps its data in the folder
// store: two servers of one machine have two.
func Path(folder, store string) string {
	sum := sha256.Sum256([]byte(filepath.Clean(store)))
	return filepath.Join(folder, fmt.Sprintf("control-%x.sock", sum[:4]))
}

// Server answers on one socket.
type Server struct {
	http *http.Server
	done chan struct{}
}

// Serve begins to answer commands, by name, on a socket at path. It makes the
// folder of the socket where there is none, and takes the place of a socket that no
// server listens on any more. Each change is logged with the user who asked.
func Serve(path string, commands map[string]Command, logger logrus.FieldLogger) (*Server, error) {
	listener, err := listen(path)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	mux := http.NewServeMux()
	for name, c := range commands {
		mux.Handle("POST /"+name, handler{name, c, logger})
	}
	s := &Server{done: make(chan struct{}), http: &http.Server{
		Handler: mux, ConnContext: withPeer, ErrorLog: log.New(io.Discard, "", 0),
		ReadTimeout: askTime, WriteTimeout: askTime + workTime, MaxHeaderBytes: 8 << 10,
	}}
	s.http.SetKeepAlivesEnabled(false)
	go func() {
		defer close(s.done)
		_ = s.http.Serve(bounded{listener, make(chan struct{}, maxConnections)}) // ends with Close
	}()
	return s, nil
}

// Close ends all answers and removes the socket.
func (s *Server) Close() error {
	err := s.http.Close()
	<-s.done
	return err
}

func listen(path string) (*net.UnixListener, error) {
	if len(path) > maxPath {
		return nil, fmt.Errorf("%s is longer than the %d bytes a socket may have: use a shorter folder", path, maxPath)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, err
	}
	address := &net.UnixAddr{Name: path, Net: "unix"}
	listener, err := net.ListenUnix("unix", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		if conn, dialled := net.DialUnix("unix", nil, address); dialled == nil {
			return nil, errors.Join(fmt.Errorf("another server listens on %s", path), conn.Close())
		}
		if err := os.Remove(path); err != nil {
			return nil, err
		}
		listener, err = net.ListenUnix("unix", address)
	}
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o660); err != nil { //nolint:gosec // G302: the group may ask
		return nil, errors.Join(err, listener.Close())
	}
	return listener, nil
}

// bounded hands out connections together with who opened them, some at a time.
type bounded struct {
	*net.UnixListener
	places chan struct{}
}

// Accept implements net.Listener.
func (b bounded) Accept() (net.Conn, error) {
	b.places <- struct{}{}
	conn, err := b.AcceptUnix()
	if err != nil {
		<-b.places
		return nil, err
	}
	return &connection{Conn: conn, peer: peerOf(conn), leave: sync.OnceFunc(func() { <-b.places })}, nil
}

// connection is one that takes a place until it is closed.
type connection struct {
	net.Conn
	peer  *unix.Ucred // nil: the kernel does not tell
	leave func()
}

// Close implements net.Conn.
func (c *connection) Close() error {
	defer c.leave()
	return c.Conn.Close()
}

func peerOf(conn *net.UnixConn) (peer *unix.Ucred) {
	socket, err := conn.SyscallConn()
	if err != nil {
		return nil
	}
	err = socket.Control(func(fd uintptr) {
		peer, _ = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) // nil with an error
	})
	if err != nil {
		return nil
	}
	return peer
}

// peerKey is where the context of a connection has who asks.
type peerKey struct{}

func withPeer(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, peerKey{}, conn.(*connection).peer)
}

// handler answers one command.
type handler struct {
	name    string
	command Command
	log     logrus.FieldLogger
}

func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	peer, _ := r.Context().Value(peerKey{}).(*unix.Ucred)
	if h.command.Changes && !mayChange(peer) {
		h.log.WithFields(h.fields(peer)).Warn("a command that changes something was refused: only root and the user of the server may ask it")
		reply(w, http.StatusForbidden, failure{"only root and the user of the server may do this"})
		return
	}
	question, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxQuestion))
	if err != nil {
		reply(w, http.StatusBadRequest, failure{"the question cannot be read: " + err.Error()})
		return
	}
	ctx, cancel := context.WithTimeoutCause(r.Context(), workTime, fmt.Errorf("it takes longer than %s", workTime))
	defer cancel()
	if h.command.Stream != nil {
		h.stream(ctx, w, question)
		return
	}
	answer, err := h.command.Do(ctx, question)
	if h.command.Changes {
		line := h.log.WithFields(h.fields(peer))
		if !h.command.Private {
			line = line.WithField("question", string(question[:min(len(question), maxLogged)]))
		}
		switch {
		case err != nil && h.command.Private:
			line.Warn("changed nothing by command: it failed, and whoever asked was told why")
		case err != nil:
			line.WithError(err).Warn("changed nothing by command")
		default:
			line.Info("changed by command")
		}
	}
	if err != nil {
		reply(w, http.StatusUnprocessableEntity, failure{err.Error()})
		return
	}
	reply(w, http.StatusOK, answer)
}

// stream answers with what the command writes, in pieces.
func (h handler) stream(ctx context.Context, w http.ResponseWriter, question []byte) {
	to := &begun{ResponseWriter: w}
	pieces := bufio.NewWriterSize(to, 64<<10)
	err := h.command.Stream(ctx, question, pieces)
	if err == nil {
		err = pieces.Flush()
	}
	switch {
	case err == nil:
	case to.began:
		panic(http.ErrAbortHandler) // the way to end a connection within an answer
	default:
		reply(w, http.StatusUnprocessableEntity, failure{err.Error()})
	}
}

// begun notes that an answer has begun.
type begun struct {
	http.ResponseWriter
	began bool
}

// Write implements io.Writer.
func (b *begun) Write(p []byte) (int, error) {
	b.began = true
	return b.ResponseWriter.Write(p)
}

// mayChange allows root and the user that this process runs as.
func mayChange(peer *unix.Ucred) bool {
	return peer != nil && (peer.Uid == 0 || int(peer.Uid) == os.Geteuid())
}

func (h handler) fields(peer *unix.Ucred) logrus.Fields {
	f := logrus.Fields{"command": h.name}
	if peer == nil {
		return f
	}
	f["uid"], f["pid"] = peer.Uid, peer.Pid
	if u, err := user.LookupId(strconv.FormatUint(uint64(peer.Uid), 10)); err == nil {
		f["user"] = u.Username
	}
	return f
}

// failure is what goes wrong, as JSON.
type failure struct {
	Error string `json:"error"`
}

func reply(w http.ResponseWriter, status int, answer any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) // the other side is gone: then there is nothing to say
}

// Ask asks the server at the socket path a command and reads its answer, which must
// be a pointer. The error is ErrNoServer where no server listens there.
func Ask(ctx context.Context, path, command string, question, answer any) error {
	response, err := send(ctx, path, command, question)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	return readAnswer(response, command, answer)
}

// AskStream asks the server a command that has Stream, and hands its answer to read,
// which has to know whether it is whole. Errors are those of Ask.
func AskStream(ctx context.Context, path, command string, question any, read func(io.Reader) error) error {
	response, err := send(ctx, path, command, question)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return readAnswer(response, command, nil)
	}
	return read(io.LimitReader(response.Body, maxAnswer))
}

// send asks a question. The caller closes the body of the answer.
func send(ctx context.Context, path, command string, question any) (*http.Response, error) {
	if len(path) > maxPath {
		return nil, ErrNoServer // none can listen there
	}
	body, err := json.Marshal(question)
	if err != nil {
		return nil, err
	}
	client := http.Client{Timeout: askTime + workTime, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var dialer net.Dialer
			return dialer.DialContext(ctx, "unix", path)
		},
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://control/"+command, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	response, err := client.Do(request)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return nil, ErrNoServer
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("you may not ask the server: run this as root, as the user of the server or as a member of its group: %w", err)
	case err != nil:
		return nil, fmt.Errorf("ask the server: %w", err)
	}
	return response, nil
}

func readAnswer(response *http.Response, command string, answer any) error {
	decoder := json.NewDecoder(io.LimitReader(response.Body, maxAnswer))
	switch response.StatusCode {
	case http.StatusOK:
		if err := decoder.Decode(answer); err != nil {
			return fmt.Errorf("read the answer of the server: %w", err)
		}
		return nil
	case http.StatusNotFound:
		return fmt.Errorf("the running server does not know the command %s: it is of another version", command)
	}
	var said failure
	if err := decoder.Decode(&said); err != nil || said.Error == "" {
		return fmt.Errorf("the server answers %s", response.Status)
	}
	return errors.New(said.Error)
}
