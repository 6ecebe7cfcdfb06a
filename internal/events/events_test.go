package events

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/sirupsen/logrus"
	"github.com/sirupsen/logrus/hooks/test"
)

const secret = "correct-horse-battery-staple"

// receiver is a program that gets events by HTTPS.
type receiver struct {
	*httptest.Server
	ca     string // file of its certificate
	answer atomic.Int64

	mu     sync.Mutex
	bodies []string
	wrong  []string
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := new(receiver)
	r.answer.Store(http.StatusOK)
	r.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		if h := q.Header; err != nil || Sign(secret, h.Get(HeaderTime), h.Get(HeaderID), body) != h.Get(HeaderSignature) || h.Get(HeaderID) == "" {
			r.wrong = append(r.wrong, fmt.Sprint(h, err))
		}
		code := int(r.answer.Load())
		if code == http.StatusOK {
			r.bodies = append(r.bodies, string(body))
		}
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(code)
	}))
	r.Config.ErrorLog = nil
	t.Cleanup(r.Close)
	r.ca = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(r.ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *receiver) hook() Webhook {
	return Webhook{URL: r.URL + "/dhcp?key=topsecret", CAFile: r.ca, Timeout: 5 * time.Second, Secret: func() (string, error) { return secret, nil }}
}

// got are the events that arrived, in order.
func (r *receiver) got(t *testing.T) (all []Event) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.wrong) > 0 {
		t.Errorf("wrong signatures: %q", r.wrong)
	}
	for _, body := range r.bodies {
		var d struct {
			Version int
			Events  []Event
		}
		if err := json.Unmarshal([]byte(body), &d); err != nil || d.Version != Version {
			t.Fatalf("%s: %v", body, err)
		}
		all = append(all, d.Events...)
	}
	return all
}

func start(t *testing.T, o Options) (*Feed, *test.Hook) {
	t.Helper()
	log, hook := test.NewNullLogger()
	o.Log = log
	if o.Now == nil {
		o.Now = time.Now
	}
	f := New(o)
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { f.Run(ctx) })
	t.Cleanup(func() { stop(); running.Wait() })
	return f, hook
}

// until waits for what other goroutines bring about.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for began := time.Now(); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Since(began) > 20*time.Second {
			t.Fatal(what + " did not happen")
		}
	}
}

func value(t *testing.T, c prometheus.Metric) float64 {
	t.Helper()
	var m dto.Metric
	if err := c.Write(&m); err != nil {
		t.Fatal(err)
	}
	return m.GetCounter().GetValue()
}

func numbered(n int) Event {
	return Event{Kind: Begun, Time: time.Now(), Address: netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}), Client: "52:54:00:00:00:01", Hostname: "pc\n\x1b\"}", Relay: netip.AddrFrom4([4]byte{10, 9, 0, byte(n / 500)})}
}

// HI-9, HI-10: events arrive by TLS, signed, in order, and again after the receiver was
// down; each once where nothing was lost.
func TestEventsArriveSignedAndInOrder(t *testing.T) {
	r := newReceiver(t)
	r.answer.Store(http.StatusServiceUnavailable)
	f, logs := start(t, Options{Webhooks: []Webhook{r.hook()}})
	for n := range 120 {
		f.Send(numbered(n))
	}
	until(t, "a failed delivery", func() bool { return len(logs.AllEntries()) > 0 })
	r.answer.Store(http.StatusOK)
	until(t, "the delivery", func() bool { return len(r.got(t)) == 120 })
	ids := make(map[string]bool)
	for n, e := range r.got(t) {
		if e.Address != numbered(n).Address || e.Hostname != numbered(n).Hostname || e.Version != Version || ids[e.ID] {
			t.Errorf("event %d: %+v", n, e)
		}
		ids[e.ID] = true
	}
	for _, entry := range logs.AllEntries() {
		if line, _ := entry.String(); strings.Contains(line, "topsecret") || strings.Contains(line, secret) {
			t.Errorf("the log has a secret: %s", line)
		}
	}
}

// HI-9: what a receiver refuses is not sent again, and redirects are not followed.
func TestRefusedEventsAreNotSentAgain(t *testing.T) {
	for _, code := range []int{http.StatusFound, http.StatusTemporaryRedirect, http.StatusForbidden} {
		r := newReceiver(t)
		r.answer.Store(int64(code))
		f, logs := start(t, Options{Webhooks: []Webhook{r.hook()}})
		f.Send(numbered(1))
		until(t, "the refusal", func() bool {
			return value(t, f.told.WithLabelValues(strings.TrimPrefix(r.URL, "https://"), outcomeRefused)) == 1
		})
		r.answer.Store(http.StatusOK)
		f.Send(numbered(2))
		until(t, "the next event", func() bool { return len(r.got(t)) == 1 })
		if got := r.got(t); got[0].Address != numbered(2).Address {
			t.Errorf("%d: %+v", code, got)
		}
		if entry := logs.LastEntry(); entry == nil || entry.Level != logrus.ErrorLevel {
			t.Errorf("%d: %+v", code, entry)
		}
	}
}

// HI-9: a receiver with a certificate of nobody known, or whose secret cannot be read,
// gets nothing.
func TestReceiversThatAreNotTrustedGetNothing(t *testing.T) {
	r := newReceiver(t)
	untrusted, unreadable := r.hook(), r.hook()
	untrusted.CAFile = ""
	unreadable.Secret = func() (string, error) { return "", errors.New("no such file") }
	f, logs := start(t, Options{Webhooks: []Webhook{untrusted, unreadable}})
	f.Send(numbered(1))
	until(t, "two failures", func() bool { return len(logs.AllEntries()) >= 2 })
	if got := r.got(t); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}

// HI-10: what waits is bounded; the oldest events make room, and are counted.
func TestTheOldestEventsMakeRoom(t *testing.T) {
	log, _ := test.NewNullLogger()
	f := New(Options{File: File{Path: filepath.Join(t.TempDir(), "no", "such", "folder"), MaxBytes: 1 << 20, Files: 1}, Log: log, Now: time.Now})
	s := f.sinks[0]
	for n := range maxWaiting + 7 {
		s.put(item{id: fmt.Sprint(n), text: []byte("{}")})
	}
	if s.waits() != maxWaiting || s.waiting[0].id != "7" || value(t, f.told.WithLabelValues("file", outcomeDropped)) != 7 || s.bytes != 2*maxWaiting {
		t.Errorf("%d wait, the first is %s, %d bytes", s.waits(), s.waiting[0].id, s.bytes)
	}
	s.put(item{id: "large", text: make([]byte, maxBytes)})
	if s.waits() != 1 || s.bytes != maxBytes {
		t.Errorf("%d wait with %d bytes", s.waits(), s.bytes)
	}
	s.put(item{id: "last", text: []byte("{}")})
	s.done([]item{{id: "large"}}) // which was dropped while it was on its way
	if s.waits() != 1 || s.bytes != 2 {
		t.Errorf("%d wait with %d bytes", s.waits(), s.bytes)
	}
}

// HI-11: a flood behind one relay does not drown the events of others.
func TestAFloodBehindOneRelayDrownsNoOther(t *testing.T) {
	log, _ := test.NewNullLogger()
	now := time.Now()
	f := New(Options{File: File{Path: "unused"}, Log: log, Now: func() time.Time { return now }})
	flood, other := netip.MustParseAddr("10.9.0.1"), netip.MustParseAddr("10.9.0.2")
	for range 3 * perWay {
		f.Send(Event{Kind: Refused, Relay: flood, Interface: "eth0"})
	}
	f.Send(Event{Kind: Begun, Relay: other, Interface: "eth0"})
	f.Send(Event{Kind: Begun, Interface: "eth0"})
	if n := f.sinks[0].waits(); n != perWay+2 || value(t, f.limited) != 2*perWay {
		t.Errorf("%d wait, %v were limited", n, value(t, f.limited))
	}
	now = now.Add(time.Minute)
	f.Send(Event{Kind: Refused, Relay: flood})
	if n := f.sinks[0].waits(); n != perWay+3 {
		t.Errorf("%d wait a minute later", n)
	}
	for n := range 2 * maxWays { // forged relays
		f.Send(Event{Kind: Refused, Relay: netip.AddrFrom4([4]byte{10, 10, byte(n >> 8), byte(n)})})
	}
	if len(f.ways) > maxWays+1 {
		t.Errorf("%d ways are counted", len(f.ways))
	}
}

// HI-9: the file has an event a line, is for its user only, and is bounded; the old ones
// are renamed.
func TestTheFileIsRotated(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	f, _ := start(t, Options{File: File{Path: path, MaxBytes: 20000, Files: 3}})
	for n := range 400 {
		f.Send(numbered(n))
	}
	until(t, "all are written", func() bool { return value(t, f.told.WithLabelValues("file", outcomeSent)) == 400 })
	files, err := filepath.Glob(path + "*")
	if err != nil || len(files) != 3 {
		t.Errorf("%q, %v", files, err)
	}
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil || info.Mode().Perm() != 0o600 || info.Size() > 20000 {
			t.Errorf("%s: %v, %v", file, info, err)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			var e Event
			if err := json.Unmarshal([]byte(line), &e); err != nil || e.Hostname != numbered(0).Hostname {
				t.Errorf("%q: %v", line, err)
			}
		}
	}
}

// HI-8: erasure covers the files and what waits.
func TestErasedEventsAreGone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	log, _ := test.NewNullLogger()
	f := New(Options{File: File{Path: path, MaxBytes: 1 << 20, Files: 2}, Log: log, Now: time.Now})
	if err := os.WriteFile(path+".1", []byte("no event\n{\"client\":\"A\",\"event\":\"lease_begun\"}\n{\"client\":\"B\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f.Send(Event{Client: "A"})
	f.Send(Event{Client: "B"})
	matches := func(e *Event) bool { return e.Client == "A" }
	if n, err := f.Erase(matches, false); n != 1 || err != nil || f.sinks[0].waits() != 2 {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := f.Erase(matches, true); n != 1 || err != nil || f.sinks[0].waits() != 1 {
		t.Errorf("%d, %v", n, err)
	}
	if text, err := os.ReadFile(path + ".1"); err != nil || string(text) != "no event\n{\"client\":\"B\"}\n" {
		t.Errorf("%q, %v", text, err)
	}
}

// HI-9: the program of the page that verifies a delivery accepts ours, and no other.
func TestTheDocumentedVerificationWorks(t *testing.T) {
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	code := regexp.MustCompile("(?s)```python\n(.*?)```").FindSubmatch(page)
	if code == nil {
		t.Fatal("the page has no program in Python")
	}
	python, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("REQUIRE_INTEGRATION") != "" {
			t.Fatal(err)
		}
		t.Skip("needs python3")
	}
	verify := func(at, id, body, signature string) string {
		t.Helper()
		script := string(code[1]) + "\nimport sys\nprint(genuine(*[a.encode() for a in sys.argv[1:]]))\n"
		out, err := exec.CommandContext(t.Context(), python, "-c", script, secret, at, id, signature, body).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return strings.TrimSpace(string(out))
	}
	now := fmt.Sprint(time.Now().Unix())
	good := Sign(secret, now, "an-id", []byte(`{"version":1}`))
	old := Sign(secret, "1700000000", "an-id", []byte(`{"version":1}`))
	got := []string{
		verify(now, "an-id", `{"version":1}`, good), verify(now, "an-id", `{"version":2}`, good), verify(now, "another", `{"version":1}`, good),
		verify("1700000000", "an-id", `{"version":1}`, old),
	}
	if want := []string{"True", "False", "False", "False"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
