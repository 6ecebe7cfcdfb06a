package netboxtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/fault"
)

// Config is what an administrator of NetBox sets. The zero value is a stock NetBox of the newest version.
type Config struct {
	Version         Version
	MaxPageSize     int                 // MAX_PAGE_SIZE; 0: 1000, negative: no cap
	DuplicatesLegal bool                // ENFORCE_GLOBAL_UNIQUE = False
	LoginOptional   bool                // LOGIN_REQUIRED = False: the status page needs no token
	NextBase        string              // scheme and host of URLs in bodies, as a misconfigured proxy makes them; "": the server's own
	Choices         map[string][]string // FIELD_CHOICES: replaces the values of sets such as "IPAddress.status"
	Labels          map[string]string   // label of a choice value, translated or renamed ("" is a label too)
	TimeZone        *time.Location      // TIME_ZONE; nil: UTC
	UnstableTies    bool                // rows equal in the order of a list swap places from request to request, as before 4.6.8
	FieldJobs       bool                // a new custom field with a default is inactive until RunJobs, as 4.7 does on large tables
	Plugins         []string            // packages of installed plugins
	JobWorkers      bool                // an RQ worker runs: ?background=true is carried out
}

// Server is a running stand-in. All methods are safe for concurrent use.
type Server struct {
	http   *httptest.Server
	mu     sync.RWMutex
	config Config
	tables map[string]*table
	sets   map[string][]option
	tokens []*Token
	clock  func() time.Time
	down   bool
	faults fault.Faults[Fault]
	jobs   []map[string]any
	lists  atomic.Int64 // list pages answered

	logMu    sync.Mutex
	requests []Request
	held     chan struct{} // closed to let held commits go on; nil: commits are not held
	waiting  int
	inWork   int
	out      outbox
	closed   bool
	changed  *sync.Cond // signals requests, inWork, waiting and out.sending
	workers  sync.WaitGroup
}

// New starts a stand-in and ends it with the test. An impossible Config fails the test.
func New(t testing.TB, c Config) *Server {
	t.Helper()
	s, err := Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// Start starts a stand-in on a loopback port; Close ends it.
func Start(c Config) (*Server, error) {
	if c.Version == "" {
		c.Version = V47
	}
	if err := c.Version.check(); err != nil {
		return nil, err
	}
	s := &Server{config: c, tables: map[string]*table{}, clock: time.Now}
	s.changed = sync.NewCond(&s.logMu)
	for path, m := range models() {
		s.tables[path] = newTable(m)
	}
	s.sets = configuredSets(c)
	s.tokens = defaultTokens()
	s.http = httptest.NewServer(s)
	return s, nil
}

// Close ends the server and waits until every request is answered. Held commits are let go, webhooks are dropped.
func (s *Server) Close() {
	s.ReleaseCommits()
	s.logMu.Lock()
	s.closed = true
	s.logMu.Unlock()
	defer s.workers.Wait()
	s.http.CloseClientConnections()
	s.http.Close()
}

// URL is the server's base URL without a slash at the end, such as http://127.0.0.1:40001.
func (s *Server) URL() string { return s.http.URL }

// Configure changes the configuration of the running server, its version included.
func (s *Server) Configure(change func(*Config)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.config)
	s.sets = configuredSets(s.config)
}

// SetClock replaces the server's clock: created, last_updated and the times of the change log come from it.
func (s *Server) SetClock(now func() time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock = now
}

// call is one request in work.
type call struct {
	*http.Request
	body  []byte
	query url.Values
	token *Token
	id    string // X-Request-ID
	path  string // model path, "" for other pages
	fault *Fault
	began time.Time // by the server's clock

	ignored []string // query parameters without effect
}

// reply is an answer before it is written.
type reply struct {
	status int
	body   any // marshalled as JSON; a string is sent as HTML; nil: no body
	header http.Header
}

func (r *reply) set(key, value string) *reply {
	if r.header == nil {
		r.header = http.Header{}
	}
	r.header.Set(key, value)
	return r
}

func answer(status int, body any) *reply { return &reply{status: status, body: body} }

func detail(status int, message string) *reply {
	return answer(status, map[string]any{"detail": message})
}

func notFoundPage() *reply {
	return answer(http.StatusNotFound, "<!DOCTYPE html>\n<html><head><title>Page Not Found</title></head><body><h5>Page Not Found</h5></body></html>")
}

// ServeHTTP answers one request. It is what the listening server calls.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	s.mu.Lock()
	down, now := s.down, s.clock()
	failing := s.takeFault(r, body)
	s.mu.Unlock()
	if down {
		panic(http.ErrAbortHandler)
	}
	at := s.record(r, body)
	defer s.finished()
	c := &call{Request: r, body: body, query: r.URL.Query(), id: uuid.NewString(), fault: failing, began: now}
	out := s.withFault(c)
	if out == nil {
		panic(http.ErrAbortHandler)
	}
	s.recordAnswer(at, out.status, c.ignored)
	s.send(w, c, out)
}

// send writes an answer, damaged as the call's fault says.
func (s *Server) send(w http.ResponseWriter, c *call, out *reply) {
	var body []byte
	switch b := out.body.(type) {
	case nil:
	case string:
		body = []byte(b)
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
	default:
		body = marshal(b)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("API-Version", string(s.version()))
	}
	for k, v := range out.header {
		w.Header()[k] = v
	}
	w.Header().Set("Date", c.began.UTC().Format(http.TimeFormat))
	if c.fault == nil || !c.fault.Kind.proxy() {
		w.Header().Set("X-Request-ID", c.id)
		w.Header().Set("Vary", "HX-Request, Cookie, origin")
		if out.status == http.StatusNoContent {
			w.Header().Set("API-Version", string(s.version()))
		}
	}
	s.transmit(w, c, out.status, body)
}

func (s *Server) version() Version {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.config.Version
}

// marshal encodes without HTML escapes, as NetBox does.
func marshal(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(fmt.Sprintf("answer cannot be encoded: %v", err))
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}

// base is the scheme and host of URLs in bodies.
func (t *txn) base() string {
	if t.relative {
		return ""
	}
	if b := t.s.config.NextBase; b != "" {
		return strings.TrimSuffix(b, "/")
	}
	return "http://" + t.call.Host
}

// paths are the paths of all models in a fixed order.
func (s *Server) paths() []string { return slices.Sorted(maps.Keys(s.tables)) }
