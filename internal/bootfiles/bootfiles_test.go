package bootfiles

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/sirupsen/logrus"
	"github.com/sirupsen/logrus/hooks/test"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// running is a service under test.
type running struct {
	*Service
	dir      string
	logs     *test.Hook
	registry *prometheus.Registry
	stop     func() // ends it and waits; may be called twice
}

// serve starts a service on loopback; change may be nil.
func serve(t testing.TB, files map[string][]byte, change func(*Config)) running {
	t.Helper()
	return serveAt(t, pace{second: time.Second, drain: patience}, files, change)
}

// serveFast is serve where nothing is waited for long, for tests of clients that
// do not answer.
func serveFast(t testing.TB, files map[string][]byte, change func(*Config)) running {
	t.Helper()
	return serveAt(t, pace{second: 100 * time.Millisecond, drain: 500 * time.Millisecond}, files, change)
}

// serveAt is serve at another pace.
func serveAt(t testing.TB, p pace, files map[string][]byte, change func(*Config)) running {
	t.Helper()
	r := running{dir: t.TempDir(), registry: prometheus.NewRegistry()}
	for name, content := range files {
		put(t, r.dir, name, content)
	}
	log, hook := test.NewNullLogger()
	log.SetLevel(logrus.DebugLevel)
	r.logs = hook
	c := Config{
		Folder: r.dir, TFTPListen: "127.0.0.1:0", HTTPListen: "127.0.0.1:0",
		MaxTransfers: 256, MaxPerClient: 256, Log: log, Registerer: r.registry,
	}
	if change != nil {
		change(&c)
	}
	s, err := Listen(c)
	if err != nil {
		t.Fatal(err)
	}
	s.pace = p
	r.Service = s
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() { s.Serve(ctx) })
	r.stop = sync.OnceFunc(func() {
		cancel()
		group.Wait()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(r.stop)
	return r
}

func put(t testing.TB, dir, name string, content []byte) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// noise is n bytes that are the same each time.
func noise(n int) []byte {
	b := make([]byte, n)
	source := rand.NewChaCha8([32]byte{})
	_, _ = source.Read(b) // never fails
	return b
}

// until waits for a condition.
func until(t testing.TB, what string, met func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !met(); {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
		<-time.After(2 * time.Millisecond)
	}
}

// count is how many requests of a protocol ended so.
func (r running) count(protocol string, o outcome) int {
	return int(value(r.meter.transfers.WithLabelValues(protocol, string(o))))
}

// value reads a counter or gauge.
func value(c prometheus.Metric) float64 {
	var m dto.Metric
	if err := c.Write(&m); err != nil {
		panic(err)
	}
	return m.GetCounter().GetValue() + m.GetGauge().GetValue()
}

// inUse is how many slots are taken.
func (s *slots) inUse() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.taken
}

// netip4 is an address of 10.0.0.0/8 that ends so.
func netip4(last ...byte) netip.Addr {
	b := [4]byte{10}
	copy(b[4-len(last):], last)
	return netip.AddrFrom4(b)
}

// ended waits for the n-th request of a protocol that ends so.
func (r running) ended(t testing.TB, protocol string, o outcome, n int) {
	t.Helper()
	until(t, protocol+" "+string(o), func() bool { return r.count(protocol, o) >= n })
}

func TestEveryTransferIsOneLineAndInTheMetrics(t *testing.T) {
	content := noise(3000)
	r := serve(t, map[string][]byte{"sub/boot.efi": content}, nil)
	if _, _, err := newClient(t, r.TFTPAddr(), "").get("sub/boot.efi", "octet"); err != nil {
		t.Fatal(err)
	}
	r.ended(t, "tftp", complete, 1)
	if code, _, _ := request2(t, r, "GET", "/sub/boot.efi"); code != 200 {
		t.Fatal(code)
	}
	r.ended(t, "http", complete, 1)
	r.stop()
	for _, protocol := range []string{"tftp", "http"} {
		var found []*logrus.Entry
		for _, e := range r.logs.AllEntries() {
			if e.Data["protocol"] == protocol {
				found = append(found, e)
			}
		}
		if len(found) != 1 {
			t.Fatalf("%s: %d lines", protocol, len(found))
		}
		data := found[0].Data
		if !strings.HasSuffix(data["file"].(string), "sub/boot.efi") || data["client"] != "127.0.0.1" || data["bytes"] != int64(3000) ||
			data["outcome"] != "complete" || data["duration"] == nil || found[0].Level != logrus.InfoLevel {
			t.Errorf("%s: %v", protocol, data)
		}
		if n := value(r.meter.bytes.WithLabelValues(protocol)); n != 3000 {
			t.Errorf("%s: %v bytes counted", protocol, n)
		}
		if n := value(r.meter.running.WithLabelValues(protocol)); n != 0 {
			t.Errorf("%s: %v in flight at the end", protocol, n)
		}
	}
}

func TestListenSaysWhatIsWrong(t *testing.T) {
	r := serve(t, nil, nil)
	log, _ := test.NewNullLogger()
	good := Config{Folder: r.dir, TFTPListen: "127.0.0.1:0", HTTPListen: "127.0.0.1:0", MaxTransfers: 1, MaxPerClient: 1, Log: log}
	for name, tt := range map[string]struct {
		change func(*Config)
		want   string
		is     error
	}{
		"TFTP port taken":      {func(c *Config) { c.TFTPListen = r.TFTPAddr().String() }, "another program serves there", unix.EADDRINUSE},
		"HTTP port taken":      {func(c *Config) { c.HTTPListen = r.HTTPAddr().String() }, "another program serves there", unix.EADDRINUSE},
		"foreign address":      {func(c *Config) { c.TFTPListen = "192.0.2.1:0" }, "no interface of this machine", unix.EADDRNOTAVAIL},
		"no folder":            {func(c *Config) { c.Folder = filepath.Join(r.dir, "none") }, "boot file folder", os.ErrNotExist},
		"a file for a folder":  {func(c *Config) { put(t, r.dir, "f", nil); c.Folder = filepath.Join(r.dir, "f") }, "not a directory", nil},
		"metrics served twice": {func(c *Config) { c.Registerer = r.registry }, "register the metrics", nil},
	} {
		t.Run(name, func(t *testing.T) {
			c := good
			tt.change(&c)
			s, err := Listen(c)
			if err == nil {
				s.Close()
				t.Fatal("accepted")
			}
			if !strings.Contains(err.Error(), tt.want) || tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
	s, err := Listen(good)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil || !s.TFTPAddr().IsValid() || !s.HTTPAddr().IsValid() {
		t.Errorf("closed without serving: %v", err)
	}
}

func TestHalfAServiceServesHalf(t *testing.T) {
	r := serve(t, map[string][]byte{"a": []byte("a")}, func(c *Config) { c.HTTPListen = "" })
	if r.HTTPAddr().IsValid() {
		t.Error("HTTP has an address")
	}
	if got, _, err := newClient(t, r.TFTPAddr(), "").get("a", "octet"); err != nil || string(got) != "a" {
		t.Errorf("%q, %v", got, err)
	}
	r = serve(t, map[string][]byte{"a": []byte("a")}, func(c *Config) { c.TFTPListen = "" })
	if r.TFTPAddr().IsValid() {
		t.Error("TFTP has an address")
	}
	if code, _, body := request2(t, r, "GET", "/a"); code != 200 || string(body) != "a" {
		t.Errorf("%d, %q", code, body)
	}
}

// B-6 for boot files: many clients of both protocols at once.
func TestManyClientsAtOnce(t *testing.T) {
	content := noise(100_000)
	r := serve(t, map[string][]byte{"a": content}, nil)
	var group sync.WaitGroup
	for i := range 40 {
		c := newClient(t, r.TFTPAddr(), "")
		group.Go(func() {
			got, _, err := c.get("a", "octet", "blksize", "1400", "windowsize", "8")
			if err != nil || !bytes.Equal(got, content) {
				t.Errorf("TFTP client %d: %d bytes, %v", i, len(got), err)
			}
		})
		group.Go(func() {
			if code, _, body := request2(t, r, "GET", "/a"); code != 200 || !bytes.Equal(body, content) {
				t.Errorf("HTTP client %d: %d, %d bytes", i, code, len(body))
			}
		})
	}
	group.Wait()
	r.ended(t, "tftp", complete, 40)
	r.ended(t, "http", complete, 40)
}

func TestTheEndLetsFinishWhatMovesAndCutsWhatDoesNot(t *testing.T) {
	t.Parallel() // it waits
	content := noise(5000)
	r := serveAt(t, pace{second: 10 * time.Second, drain: patience / 2}, map[string][]byte{"a": content}, func(c *Config) { c.HTTPListen = "" })
	moving, stuck := newClient(t, r.TFTPAddr(), ""), newClient(t, r.TFTPAddr(), "")
	stuck.ask("a", "octet")
	if _, err := stuck.hear(patience); err != nil {
		t.Fatal(err)
	}
	stuck.ack(1)
	moving.ask("a", "octet")
	d, err := moving.hear(patience)
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the transfer that will be cut off", func() bool { return value(r.meter.running.WithLabelValues("tftp")) == 1 })
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.stop()
	}()
	x := newTransferred()
	for done := false; !done; {
		if done, err = x.take(moving, d); err == nil && !done {
			d, err = moving.hear(patience)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(x.data, content) {
		t.Errorf("%d bytes", len(x.data))
	}
	<-ended
	if r.count("tftp", complete) != 1 || r.count("tftp", stopped) != 1 {
		t.Errorf("%d complete, %d stopped", r.count("tftp", complete), r.count("tftp", stopped))
	}
	for {
		d, err := stuck.hear(patience)
		if err != nil {
			t.Fatalf("the client that was cut off is not told: %v", err)
		}
		if d.op == opError {
			return
		}
	}
}

// A request that is being answered when the service ends is served like those
// that were answered before.
func TestTheEndWaitsForTheRequestInHand(t *testing.T) {
	content := noise(5000)
	r := serveAt(t, pace{second: 10 * time.Second, drain: patience}, map[string][]byte{"a": content}, func(c *Config) { c.HTTPListen = "" })
	r.tftp.mu.Lock() // the answer stops here
	c := newClient(t, r.TFTPAddr(), "")
	c.ask("a", "octet")
	until(t, "the request to be taken", func() bool {
		r.tftp.handshakes.mu.Lock()
		defer r.tftp.handshakes.mu.Unlock()
		return !r.tftp.handshakes.filled.IsZero()
	})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.stop()
	}()
	time.Sleep(700 * time.Millisecond) // longer than between two looks for what waits
	r.tftp.mu.Unlock()
	x := newTransferred()
	for done := false; !done; {
		d, err := c.hear(patience)
		if err == nil {
			done, err = x.take(c, d)
		}
		if err != nil {
			t.Fatalf("%d bytes: %v", len(x.data), err)
		}
	}
	<-ended
	if r.count("tftp", complete) != 1 || !bytes.Equal(x.data, content) {
		t.Errorf("%d complete, %d bytes", r.count("tftp", complete), len(x.data))
	}
}
