// Package ddns keeps the names of DHCP clients in DNS: it chooses a name, sends signed
// updates to the server of a zone (RFC 2136, RFC 8945) and settles whose name it is by
// DHCID (RFC 4701, RFC 4703). What may be in DNS is on disk before it is sent. It must
// not hold up packets, decide about leases, or touch records that it did not make.
package ddns

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/quiet"
)

// Key signs updates (TSIG, RFC 8945).
type Key struct {
	Name      string // a domain name
	Algorithm string // hmac-sha256, hmac-sha384 or hmac-sha512
	// Secret returns the shared secret in base64. It is called for each update, so that
	// a renewed key is found without a restart; errors name the file, never its content.
	Secret func() (string, error)
}

// Zone is a zone that updates may go to (DNS-1).
type Zone struct {
	Name     string // a domain name
	Server   netip.AddrPort
	Key      Key
	Prefixes []netip.Prefix // whose clients it is for
	// Reverse says that it has names of addresses; Classless that these are last octets
	// (RFC 2317).
	Reverse, Classless bool
}

// Config is what a Service works with.
type Config struct {
	Policy Policy
	// Path is the file with what may be in DNS; the caller keeps others out of it.
	Path string
	// Lease returns the lease of an address; false: there is none, or it is being changed.
	Lease func(addr netip.Addr) (lease.Lease, bool)
	// Leases returns all leases.
	Leases func() []lease.Lease
	// Running reports whether a lease that ends then may run still (S-14).
	Running func(until time.Time) bool
	// Unsure reports that time alone ends no lease now: there is no lease store, or the
	// clock is not trusted (H-5, S-15).
	Unsure func() bool
	// Lost is how many messages the feed of decisions has lost so far (B-18).
	Lost func() uint64
	// Grace is how long a lease that ended keeps its name.
	Grace time.Duration
	Log   logrus.FieldLogger
	Quiet *quiet.Logger
	// Updated hears how each update ended. nil: nobody counts.
	Updated func(Outcome)
}

// Service keeps names in DNS. It is safe for concurrent use.
type Service struct {
	config   Config
	snapshot atomic.Pointer[ipam.Snapshot]
	names    atomic.Pointer[Names]
	registry *registry
	lost     uint64 // messages of the feed, as far as made up for
	swept    time.Time
	now      func() time.Time
	udp, tcp time.Duration // how long an answer is waited for
	pauses   pauses
	troubles troubles
}

// pauses are how long a zone that is in trouble is left alone.
type pauses struct{ first, last time.Duration }

const (
	// look is how often it is looked for leases that ended.
	look = 2 * time.Second
	// compare is how often all leases are compared with what is registered.
	compare = 10 * time.Minute
	// afterConflict and afterRefusal are how long a name that is another's, or that the
	// server refuses, is not tried again.
	afterConflict, afterRefusal = time.Hour, 10 * time.Minute
)

// New returns a service that plans, and does nothing before Open and Run.
func New(config Config) *Service {
	s := &Service{
		config: config, now: time.Now, registry: newRegistry(config.Policy.zones),
		udp: 2 * time.Second, tcp: 5 * time.Second, pauses: pauses{time.Second, 5 * time.Minute},
	}
	if s.config.Updated == nil {
		s.config.Updated = func(Outcome) {}
	}
	return s
}

// SetSnapshot says what NetBox calls its machines and addresses. Before the first call nothing is
// registered.
func (s *Service) SetSnapshot(snapshot *ipam.Snapshot) {
	names := NamesOf(snapshot.Objects())
	s.snapshot.Store(snapshot)
	s.names.Store(&names)
}

// Plan is what is to be in DNS of a client, and says so in option 81. It waits for
// nothing.
func (s *Service) Plan(c Client) Plan {
	names := s.names.Load()
	if names == nil {
		return Plan{}
	}
	return s.config.Policy.Plan(*names, c)
}

// Open reads the file of what is registered. It comes before all that changes something.
func (s *Service) Open() error {
	if err := s.registry.open(s.config.Path, s.now()); err != nil {
		return fmt.Errorf("names in DNS: %w", err)
	}
	if n := s.registry.damaged; n > 0 {
		s.config.Log.WithFields(logrus.Fields{"file": s.config.Path, "lines": n}).
			Warn("names in DNS: some lines of what is registered cannot be read; names of clients that are gone may be left in DNS")
	}
	return nil
}

// Run registers and removes names until ctx ends, after Open.
func (s *Service) Run(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.work(ctx)
	}()
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			<-done
			return s.registry.close()
		case <-tick.C:
			s.Look()
		}
	}
}

// Granted says that a client has an address now.
func (s *Service) Granted(c Client) {
	if s.names.Load() == nil {
		return
	}
	s.want(c)
}

// Ended says that a client gave up its address, or declined it.
func (s *Service) Ended(addr netip.Addr, client lease.ClientID) {
	l, known := s.config.Lease(addr)
	if known && l.State == lease.Bound && l.Client == client && s.config.Running(l.Expires) {
		return // it has come back meanwhile
	}
	s.registry.end(addr, client)
}

// flush writes what changed. What cannot be written is not sent either (DNS-12).
func (s *Service) flush() error {
	err := s.registry.flush()
	if err != nil {
		s.config.Quiet.Error("ddns_disk", "names in DNS: what is registered cannot be written: nothing is sent until it can", logrus.Fields{
			logrus.ErrorKey: err, "fix": "make room below netbox.store.path, or correct its rights",
		})
	}
	return err
}

// want plans for a client and notes the plan.
func (s *Service) want(c Client) {
	plan := s.Plan(c)
	forward, reverse := s.records(c, plan)
	s.registry.want(bindingOf(c, plan, s.now()), forward, reverse)
}

// records are what a plan puts into DNS; nil: nothing.
func (s *Service) records(c Client, p Plan) (forward, reverse *Record) {
	if p.Name == "" {
		return nil, nil
	}
	id, err := DHCID(c.Client, c.Hardware, s.config.Policy.ByIdentifier, p.Name)
	if err != nil {
		s.config.Quiet.Warn("ddns_dhcid "+c.Addr.String(), "names in DNS: a client without a usable identifier", logrus.Fields{"addr": c.Addr, logrus.ErrorKey: err})
		return nil, nil
	}
	ttl := s.config.Policy.ttl(c.Time)
	if p.Forward != nil {
		forward = &Record{Zone: p.Forward.name, Owner: p.Name, Addr: c.Addr, DHCID: id, TTL: ttl}
	}
	if p.Reverse != nil {
		reverse = &Record{Zone: p.Reverse.name, Owner: p.Reverse.owner(c.Addr), Target: p.Name, Addr: c.Addr, DHCID: id, TTL: ttl}
	}
	return forward, reverse
}

// Look ends what has ended, and from time to time makes up for what the feed has lost.
// Run calls it every few seconds.
func (s *Service) Look() {
	if s.names.Load() == nil {
		return // not knowing is no change
	}
	now, lost := s.now(), s.config.Lost()
	if lost != s.lost || now.Sub(s.swept) >= compare || now.Before(s.swept) {
		if lost != s.lost {
			s.registry.prolong(now) // a renewal may be among what was lost
		}
		s.lost, s.swept = lost, now
		s.compare()
	} else {
		s.endThose(func(b Binding) bool { return now.After(b.Until) })
	}
	s.registry.retry(now)
	_ = s.flush() // it is logged, and tried again
}

// compare takes leases for facts: those without a name get one, names without a lease
// go.
func (s *Service) compare() {
	s.endThose(func(Binding) bool { return true })
	snapshot := s.snapshot.Load()
	for _, l := range s.config.Leases() {
		if l.State != lease.Bound || !s.config.Running(l.Expires) || s.registry.knows(l.Addr, l.Client) {
			continue
		}
		c := Client{Addr: l.Addr, Client: l.Client, Hardware: l.Hardware, Hostname: l.Hostname, Until: l.Expires, Time: max(time.Minute, l.Expires.Sub(s.now()))}
		if m := machineOf(snapshot, l.Shown()); m != nil {
			c.Machine, c.MachineName = m.ID, m.Name
		}
		s.want(c)
	}
}

// machineOf is the machine with a MAC; nil: none, or several.
func machineOf(s *ipam.Snapshot, client lease.ClientID) (found *ipam.Machine) {
	mac, err := ipam.ParseMAC(string(client))
	if err != nil {
		return nil
	}
	for _, port := range s.InterfacesWithMAC(mac) {
		m := s.Machine(port.Machine)
		if found != nil && m != found {
			return nil
		}
		found = m
	}
	return found
}

// endThose ends the bindings among those that due returns true for whose lease has
// ended.
func (s *Service) endThose(due func(Binding) bool) {
	for _, b := range s.registry.bound(due) {
		until := b.Until
		if l, known := s.config.Lease(b.Addr); known && !b.Static {
			if l.State != lease.Bound || l.Client != b.Client {
				s.registry.end(b.Addr, b.Client)
				continue
			}
			until = l.Expires
		}
		if s.config.Unsure() || s.config.Running(until.Add(s.config.Grace)) {
			s.registry.extend(b.Addr, b.Client, until)
			continue
		}
		s.registry.end(b.Addr, b.Client)
	}
}

// fqdn is a name as DNS has it: in small letters, with a dot at its end.
func fqdn(name string) string { return dns.Fqdn(strings.ToLower(name)) }

// shown is a name as people write it.
func shown(name string) string { return strings.TrimSuffix(name, ".") }
