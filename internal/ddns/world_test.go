package ddns

import (
	"context"
	"io"
	"net/netip"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/quiet"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/dnstest"
)

const (
	forwardZone  = "dhcp.example.org"
	reverseZone  = "0.10.in-addr.arpa"
	classlessOne = "0-127.2.0.192.in-addr.arpa"
)

func zones() []string { return []string{forwardZone, reverseZone, classlessOne} }

// world is a service on a DNS server, with leases that the test makes.
type world struct {
	t      *testing.T
	server *dnstest.Server
	path   string
	log    io.Writer
	policy Policy
	secret string
	key    string

	mu       sync.Mutex
	leases   map[netip.Addr]lease.Lease
	ahead    time.Duration // how far the clock of leases is ahead of the machine's
	signedAt time.Duration // how far the clock of signatures is
	unsure   bool
	lost     uint64
	outcomes map[Outcome]int

	service *Service
	end     func()
}

// on makes a world whose service is not started.
func on(t *testing.T, s *dnstest.Server) *world {
	return &world{
		t: t, server: s, path: filepath.Join(t.TempDir(), "names.jsonl"), log: io.Discard, secret: s.Secret, key: s.Key,
		policy: Policy{Sources: []Source{FromNetBox, FromClient}, Static: true, Dynamic: true, OverrideClientUpdate: true},
		leases: make(map[netip.Addr]lease.Lease), outcomes: make(map[Outcome]int),
	}
}

// machines are what NetBox knows.
func machines() map[ipam.MachineID]*ipam.Machine {
	list := make(map[ipam.MachineID]*ipam.Machine)
	for i, name := range []string{"web1", "db1.corp.example", "twin", "twin"} {
		id := ipam.MachineID{Kind: ipam.Device, ID: int64(i + 1)}
		list[id] = &ipam.Machine{ID: id, Name: name}
	}
	return list
}

func in(prefix string) []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix(prefix)} }

func (w *world) settings() []Zone {
	key := Key{Name: w.key, Algorithm: w.server.Algorithm, Secret: func() (string, error) { w.mu.Lock(); defer w.mu.Unlock(); return w.secret, nil }}
	return []Zone{
		{Name: forwardZone, Server: w.server.Addr, Key: key, Prefixes: in("0.0.0.0/0")},
		{Name: reverseZone, Server: w.server.Addr, Key: key, Prefixes: in("10.0.0.0/16"), Reverse: true},
		{Name: classlessOne, Server: w.server.Addr, Key: key, Prefixes: in("192.0.2.0/25"), Reverse: true, Classless: true},
	}
}

// run starts the service, or starts it again.
func (w *world) run() *world {
	w.t.Helper()
	w.policy.SetZones(w.settings())
	log := logrus.New()
	log.SetOutput(w.log)
	s := New(Config{
		Policy: w.policy, Path: w.path, Lease: w.lease, Leases: w.all, Log: log, Quiet: quiet.New(log, time.Minute, time.Now),
		Running: func(until time.Time) bool { return until.After(w.now()) },
		Unsure:  func() bool { w.mu.Lock(); defer w.mu.Unlock(); return w.unsure },
		Lost:    func() uint64 { w.mu.Lock(); defer w.mu.Unlock(); return w.lost },
		Updated: func(o Outcome) { w.mu.Lock(); defer w.mu.Unlock(); w.outcomes[o]++ },
	})
	s.udp, s.tcp, s.pauses = 500*time.Millisecond, time.Second, pauses{20 * time.Millisecond, 100 * time.Millisecond}
	s.now = func() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return time.Now().Add(w.ahead + w.signedAt) }
	snapshot, _ := ipam.Build(&ipam.Objects{Machines: machines()}, ipam.Options{})
	s.SetSnapshot(snapshot)
	if err := s.Open(); err != nil {
		w.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(w.t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := s.Run(ctx); err != nil {
			w.t.Error(err)
		}
	}()
	w.service = s
	w.end = sync.OnceFunc(func() { stop(); <-ended })
	w.t.Cleanup(w.end)
	return w
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.ahead)
}

func (w *world) lease(addr netip.Addr) (lease.Lease, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	l, ok := w.leases[addr]
	return l, ok
}

func (w *world) all() (list []lease.Lease) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range w.leases {
		list = append(list, l)
	}
	return list
}

func (w *world) set(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

func (w *world) updates() map[Outcome]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	counts := make(map[Outcome]int)
	for o, n := range w.outcomes {
		counts[o] = n
	}
	return counts
}

const pc, other = lease.ClientID("52:54:00:00:00:01"), lease.ClientID("52:54:00:00:00:02")

// grant is an ACK: a lease of an hour in the store, and the feed that tells of it.
func (w *world) grant(client lease.ClientID, addr, hostname string) Client {
	c := Client{Addr: netip.MustParseAddr(addr), Client: client, Hostname: hostname, Time: time.Hour, Until: w.now().Add(time.Hour)}
	w.stored(c)
	w.service.Granted(c)
	return c
}

func (w *world) stored(c Client) {
	w.set(func() {
		w.leases[c.Addr] = lease.Lease{Addr: c.Addr, Client: c.Client, State: lease.Bound, Expires: c.Until, Hostname: c.Hostname}
	})
}

// release is a RELEASE.
func (w *world) release(c Client) {
	w.set(func() {
		w.leases[c.Addr] = lease.Lease{Addr: c.Addr, Client: c.Client, State: lease.Released, Expires: time.Now()}
	})
	w.service.Ended(c.Addr, c.Client)
}

// eventually waits until DNS says of a name what it should; none: nothing.
func (w *world) eventually(name string, kind uint16, want ...string) {
	w.t.Helper()
	slices.Sort(want)
	var have []string
	w.until(name+" "+dns.TypeToString[kind], func() bool {
		have = w.server.Look(w.t, name, kind)
		return slices.Equal(have, want)
	}, func() any { return have })
}

// until waits for what has to come.
func (w *world) until(what string, done func() bool, seen func() any) {
	w.t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("%s: still %v; findings %+v", what, seen(), w.service.Findings())
		}
	}
}

// settled waits until nothing is left to do.
func (w *world) settled() {
	w.t.Helper()
	w.until("nothing is pending", func() bool { _, pending, _ := w.service.Counts(); return pending == 0 }, func() any { return w.service.Report() })
}

// state waits until a name is in a state.
func (w *world) state(name, state string) {
	w.t.Helper()
	w.until(name+" is "+state, func() bool {
		return slices.ContainsFunc(w.service.Report().Entries, func(e Entry) bool { return e.Name == name && e.State == state })
	}, func() any { return w.service.Report().Entries })
}
