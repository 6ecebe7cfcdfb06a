// Package psutest is a Windows DHCP server behind PowerShell Universal for
// tests, demonstrations and pictures: a real HTTP or HTTPS server with a state
// of its own that answers as the endpoint script does, with its quirks and
// faults (rules 1.2 to 1.5), and the contract suite that
// runs on it and on a real one. It must know nothing of the client it tests.
package psutest

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/fault"
)

// NoVersion is a script before 1.0.0: it has no health and knows no
// active_only.
const NoVersion = "none"

// Own is the version of the script of deploy/psu, which says whose it is and
// refuses what is not exact; Lists is a script of the plugin with the calls of
// rule 1.9. OwnBefore is the script of deploy/psu before it could set options.
const (
	OwnBefore = "2026.11.0"

	Own   = "2026.11.1"
	Lists = "2.0.1"
)

// Config says how the server answers.
type Config struct {
	// Listen is a loopback address; empty: 127.0.0.1.
	Listen string
	HTTPS  bool
	// Certificate is shown on HTTPS; nil: a self-signed one for localhost, as
	// PowerShell Universal makes it.
	Certificate *tls.Certificate
	// Script is the version of the endpoint script; empty: 1.0.2. See
	// NoVersion, Own and Lists.
	Script string
	// Computer is the name of the Windows computer, which Own tells; empty: DH1.
	Computer string
	// Rights are what Own says it may do; empty: write. With read it has no
	// endpoint that writes, with none Windows denies it everything.
	Rights string
	// UnknownPath is the status of paths and methods without an endpoint;
	// 0: 401, as version 4.2 was seen to answer.
	UnknownPath int
	// Shape is how lists are written.
	Shape Shape
	// TokenExpires is the end of the tokens; zero: in a year.
	TokenExpires time.Time
	World        World
}

// Shape is a way to write lists that clients must cope with.
type Shape struct {
	Bare    bool // a list of one element is that element
	Counted bool // {"value":[...],"Count":n}
	Pascal  bool // the names of the cmdlets, numbers as text, timespans
	BOM     bool // a byte order mark in front
}

// Server is a running stand-in. Its methods are safe for concurrent use.
type Server struct {
	http        *httptest.Server
	connections atomic.Int64
	tokens      map[string]role

	mu       sync.Mutex
	config   Config
	world    World
	faults   fault.Faults[Fault]
	requests []Request
	arrived  *sync.Cond
}

// New starts a stand-in and ends it with the test.
func New(tb testing.TB, c Config) *Server {
	tb.Helper()
	s, err := Start(c)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Close)
	return s
}

// Start starts a stand-in on a loopback port; Close ends it.
func Start(c Config) (*Server, error) {
	s := &Server{config: c, world: c.World.clone(), tokens: map[string]role{}}
	s.arrived = sync.NewCond(&s.mu)
	if s.world.Name == "" {
		s.world.Name = "dh1.corp.example"
	}
	end := c.TokenExpires
	if end.IsZero() {
		end = time.Now().AddDate(1, 0, 0)
	}
	for _, r := range []role{reader, writer, noRole} {
		s.tokens[jwt(r, end)] = r
	}
	cert, err := c.certificate()
	if err != nil {
		return nil, err
	}
	if err := s.listen(); err != nil {
		return nil, err
	}
	if !c.HTTPS {
		s.http.Start()
		return s, nil
	}
	s.http.EnableHTTP2 = true
	s.http.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	s.http.StartTLS()
	return s, nil
}

// listen makes the server without starting it.
func (s *Server) listen() error {
	s.http = httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	s.http.Config.ErrorLog = quiet()
	s.http.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.connections.Add(1)
		}
	}
	if s.config.Listen == "" {
		return nil
	}
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", net.JoinHostPort(s.config.Listen, "0"))
	_ = s.http.Listener.Close()
	s.http.Listener = listener
	return err
}

// certificate is the one to show.
func (c *Config) certificate() (tls.Certificate, error) {
	if c.Certificate != nil || !c.HTTPS {
		return *cmp.Or(c.Certificate, &tls.Certificate{}), nil
	}
	return SelfSigned("localhost")
}

// Close ends the server and waits until every request is answered.
func (s *Server) Close() {
	s.http.CloseClientConnections()
	s.http.Close()
}

// URL is the server's base URL without a slash at the end.
func (s *Server) URL() string { return s.http.URL }

// Host is the address the server listens at.
func (s *Server) Host() string { host, _ := s.address(); return host }

// Port is the port the server listens at.
func (s *Server) Port() int { _, port := s.address(); return port }

func (s *Server) address() (string, int) {
	host, port, err := net.SplitHostPort(s.http.Listener.Addr().String())
	if err != nil {
		panic(err) // a TCP listener has a port
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		panic(err)
	}
	return host, n
}

// Edit changes the server's state as an administrator at its console does.
func (s *Server) Edit(change func(*World)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.world)
}

// Configure changes how the running server answers; HTTPS, certificate, tokens
// and World stay as they are.
func (s *Server) Configure(change func(*Config)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.config)
}

// Connections is how many connections were accepted since the start.
func (s *Server) Connections() int { return int(s.connections.Load()) }

// Pair makes two servers partners in a relationship. Each names itself as
// primary. Nothing else is shared: leases of one are not told to the other.
func Pair(a, b *Server, f Failover) {
	nameA, nameB := a.name(), b.name()
	for _, side := range []struct {
		s       *Server
		partner string
	}{{a, nameB}, {b, nameA}} {
		mine := f
		mine.Partner, mine.Scopes = side.partner, slices.Clone(f.Scopes)
		side.s.Edit(func(w *World) { w.Failovers = append(w.Failovers, &mine) })
	}
}

func (s *Server) name() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.world.Name
}

// reply is an answer before it is written.
type reply struct {
	status int
	body   []byte
	typ    string // Content-Type
	header http.Header
}

const (
	typeJSON = "application/json; charset=utf-8"
	typeText = "text/plain; charset=utf-8"
	typeHTML = "text/html; charset=utf-8"
)

// object is an answer the script builds itself: it declares JSON.
func object(status int, v any) reply {
	return reply{status: status, body: marshal(v), typ: typeJSON}
}

func failure(status int, format string, args ...any) reply {
	return object(status, map[string]any{"error": fmt.Sprintf(format, args...)})
}

// returned is a string that the endpoint returns, of which PowerShell
// Universal does not know that it is JSON.
func returned(v any) reply {
	return reply{status: http.StatusOK, body: marshal(v), typ: typeText}
}

func empty(status int) reply { return reply{status: status} }

// marshal escapes as ConvertTo-Json does.
func marshal(v any) []byte {
	body, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("answer cannot be encoded: %v", err))
	}
	return bytes.ReplaceAll(body, []byte("'"), []byte(`\u0027`))
}

// clone is a copy that shares nothing, so that servers made of the same World
// go their own ways.
func (w World) clone() World {
	var out World
	if err := json.Unmarshal(marshal(w), &out); err != nil {
		panic(fmt.Sprintf("world cannot be copied: %v", err))
	}
	return out
}

func text(n int64) string { return strconv.FormatInt(n, 10) }

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	failing, at := s.arrive(r, body)
	out := s.withFault(r, body, failing)
	s.mu.Lock()
	if at < len(s.requests) {
		s.requests[at].Status = out.status
	}
	s.mu.Unlock()
	if out.typ != "" {
		w.Header().Set("Content-Type", out.typ)
	}
	for key, values := range out.header {
		w.Header()[key] = values
	}
	cut := len(out.body)
	if failing != nil && failing.Kind == Truncated {
		cut /= 2
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(out.body)))
	w.WriteHeader(out.status)
	_, _ = w.Write(out.body[:cut]) // the client may have gone
	if cut < len(out.body) {
		panic(http.ErrAbortHandler)
	}
}

// answer carries a request out.
func (s *Server) answer(r *http.Request, body []byte, f *Fault) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	path, ok := strings.CutPrefix(r.URL.Path, "/api/dhcp/")
	e, param := s.route(path, r.Method)
	if e == nil || !ok || e.path == "health" && s.script() == NoVersion {
		return empty(cmp.Or(s.config.UnknownPath, http.StatusUnauthorized))
	}
	switch who := s.who(r); {
	case who == noRole:
		return empty(http.StatusUnauthorized)
	case e.write && who != writer:
		return empty(http.StatusForbidden)
	}
	c := &request{Server: s, w: &s.world, query: r.URL.Query(), param: param, fault: f}
	if e.write && r.Method != http.MethodDelete || len(body) > 0 {
		if json.Unmarshal(body, &c.in) != nil && json.Unmarshal(body, &c.items) != nil {
			return c.refuse(http.StatusBadRequest, "input", "body", "The request body is not valid JSON.")
		}
	}
	if e.path != "health" && s.own() && s.config.Rights == "none" {
		return c.refuse(http.StatusInternalServerError, "WIN32 5", "Access is denied.", "Failed to enumerate on DHCP server.")
	}
	return e.answer(c)
}

func (s *Server) own() bool { return s.dialect() == own }

// dialect is the set of calls the script has.
func (s *Server) dialect() dialect {
	switch script := s.script(); {
	case strings.HasPrefix(script, "20"):
		return own
	case strings.HasPrefix(script, "2."):
		return lists
	}
	return single
}

func (s *Server) script() string { return cmp.Or(s.config.Script, "1.0.2") }
