// Package events tells other programs what became of leases: as lines of a file, and
// by webhooks. What happened is handed over at once and delivered later; who tells of it
// never waits, and what finds no room is dropped, oldest first, and counted. It knows
// nothing of DHCP.
package events

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/quiet"
)

// Kind says what happened.
type Kind string

// The closed list of kinds. Others may be added within a version; receivers pass over
// those that they do not know.
const (
	Begun         Kind = "lease_begun"
	Renewed       Kind = "lease_renewed"
	Released      Kind = "lease_released" // by the client
	Expired       Kind = "lease_expired"
	Ended         Kind = "lease_ended" // by an operator
	Declined      Kind = "lease_declined"
	Taken         Kind = "lease_taken"     // another client has the address now
	Refused       Kind = "request_refused" // DHCPNAK
	UnknownDevice Kind = "device_unknown"
	PoolFull      Kind = "pool_full"
	OtherServer   Kind = "other_server" // a client accepted the offer of another DHCP server
)

// Version is that of the form of events. It changes when a receiver of before would
// read something else.
const Version = 1

// Event is one thing that happened. Texts from clients are untrusted.
type Event struct {
	Version   int          `json:"version"`
	ID        string       `json:"id"` // unique; an event may be delivered more than once
	Time      time.Time    `json:"time"`
	Kind      Kind         `json:"event"`
	Address   netip.Addr   `json:"address,omitzero"`
	Client    string       `json:"client,omitempty"`   // client key
	Hardware  string       `json:"hardware,omitempty"` // where the key is an identifier
	Hostname  string       `json:"hostname,omitempty"` // the client's own word
	Machine   string       `json:"machine,omitempty"`  // name in NetBox
	Static    bool         `json:"static,omitempty"`
	Network   netip.Prefix `json:"network,omitzero"`
	Relay     netip.Addr   `json:"relay,omitzero"`
	Interface string       `json:"interface,omitempty"`
	Circuit   string       `json:"circuit,omitempty"`
	Remote    string       `json:"remote,omitempty"`
	Until     time.Time    `json:"until,omitzero"` // to when the lease is promised
	Reason    string       `json:"reason,omitempty"`
	Server    netip.Addr   `json:"server,omitzero"` // of other_server
}

const (
	// maxWaiting and maxBytes bound what waits for one receiver.
	maxWaiting = 10000
	maxBytes   = 16 << 20
	// atOnce is how many events go together.
	atOnce = 50
	// perWay is how many events of one relay, or of one interface without a relay, are
	// told in a minute (HI-11); maxWays is how many of them are counted apart.
	perWay  = 600
	maxWays = 1024
	// firstPause and lastPause are between two attempts; the pause doubles from one to the other.
	firstPause = time.Second
	lastPause  = time.Minute
	// patience is how long the end waits for a last delivery.
	patience = time.Second
)

// Options say where events go.
type Options struct {
	File     File
	Webhooks []Webhook
	Log      logrus.FieldLogger
	Now      func() time.Time
}

// Feed takes events. It is safe for concurrent use.
type Feed struct {
	now   func() time.Time
	sinks []*sink
	file  *fileSink // nil: none

	mu     sync.Mutex
	minute time.Time
	ways   map[way]int

	told    *prometheus.CounterVec
	limited prometheus.Counter
}

// way is where a client's messages come by.
type way struct {
	relay netip.Addr
	name  string // of the interface, without a relay
}

// New returns a feed to the receivers of o.
func New(o Options) *Feed {
	f := &Feed{
		now: o.Now, ways: make(map[way]int),
		told: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "coredhcp_netbox_events_total",
			Help: "Events by receiver and what became of them: sent, refused by the receiver, or dropped since too many waited.",
		}, []string{"to", "outcome"}),
		limited: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "coredhcp_netbox_events_limited_total",
			Help: "Events that were not told since one relay, or one interface, had more than 600 in a minute.",
		}),
	}
	log := quiet.New(o.Log, time.Minute, o.Now)
	if o.File.Path != "" {
		f.file = &fileSink{File: o.File}
		f.add("file", f.file.deliver, log)
	}
	for _, w := range o.Webhooks {
		f.add(f.nameOf(w), (&hook{Webhook: w, now: o.Now}).deliver, log)
	}
	return f
}

func (f *Feed) add(name string, deliver func(context.Context, []item) error, log *quiet.Logger) {
	for _, outcome := range []string{outcomeSent, outcomeRefused, outcomeDropped} {
		f.told.WithLabelValues(name, outcome)
	}
	f.sinks = append(f.sinks, &sink{name: name, deliver: deliver, log: log, told: f.told, wake: make(chan struct{}, 1)})
}

// Idle reports whether nobody wants events.
func (f *Feed) Idle() bool { return len(f.sinks) == 0 }

// waitingDesc is the metric of what waits.
func waitingDesc() *prometheus.Desc {
	return prometheus.NewDesc("coredhcp_netbox_events_waiting", "Events that wait for a receiver.", []string{"to"}, nil)
}

// Describe implements prometheus.Collector.
func (f *Feed) Describe(c chan<- *prometheus.Desc) {
	f.told.Describe(c)
	f.limited.Describe(c)
	c <- waitingDesc()
}

// Collect implements prometheus.Collector.
func (f *Feed) Collect(c chan<- prometheus.Metric) {
	f.told.Collect(c)
	f.limited.Collect(c)
	waiting := waitingDesc()
	for _, s := range f.sinks {
		c <- prometheus.MustNewConstMetric(waiting, prometheus.GaugeValue, float64(s.waits()), s.name)
	}
}

// Send hands an event over, with its version and an id. Events of one address reach each
// receiver in the order of the calls.
func (f *Feed) Send(e Event) {
	if f.Idle() {
		return
	}
	if !f.admits(way{e.Relay, e.Interface}) {
		f.limited.Inc()
		return
	}
	e.Version, e.ID, e.Time = Version, uuid.Must(uuid.NewV7()).String(), e.Time.UTC()
	text, err := json.Marshal(e)
	if err != nil { // a year beyond 9999
		return
	}
	for _, s := range f.sinks {
		s.put(item{id: e.ID, text: text})
	}
}

// admits counts an event of a way, and reports whether it is within the bound (HI-11).
func (f *Feed) admits(w way) bool {
	if w.relay.IsValid() {
		w.name = "" // one relay behind two interfaces is one
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := f.now(); now.Sub(f.minute).Abs() >= time.Minute {
		f.minute = now
		clear(f.ways)
	}
	if _, known := f.ways[w]; !known && len(f.ways) >= maxWays {
		w = way{}
	}
	f.ways[w]++
	return f.ways[w] <= perWay
}

// Run delivers until ctx ends, and then what can be delivered within a second.
func (f *Feed) Run(ctx context.Context) {
	var all sync.WaitGroup
	for _, s := range f.sinks {
		all.Go(func() { s.run(ctx) })
	}
	all.Wait()
}

// What became of an event.
const (
	outcomeSent    = "sent"
	outcomeRefused = "refused"
	outcomeDropped = "dropped"
)

// item is an event as it is sent.
type item struct {
	id   string
	text []byte
}

// sink is one receiver, with what waits for it.
type sink struct {
	name    string
	deliver func(context.Context, []item) error
	log     *quiet.Logger
	told    *prometheus.CounterVec
	wake    chan struct{} // holds one

	mu      sync.Mutex
	waiting []item
	bytes   int
}

func (s *sink) waits() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.waiting)
}

// put adds an event; the oldest ones make room (HI-10).
func (s *sink) put(i item) {
	s.mu.Lock()
	s.waiting, s.bytes = append(s.waiting, i), s.bytes+len(i.text)
	dropped := 0
	for len(s.waiting) > maxWaiting || s.bytes > maxBytes {
		s.bytes -= len(s.waiting[0].text)
		s.waiting = s.waiting[1:]
		dropped++
	}
	s.mu.Unlock()
	if dropped > 0 {
		s.told.WithLabelValues(s.name, outcomeDropped).Add(float64(dropped))
		s.log.Warn("events_dropped "+s.name, "events were dropped: their receiver does not take them", logrus.Fields{"to": s.name})
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// next is what goes next.
func (s *sink) next() []item {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]item(nil), s.waiting[:min(len(s.waiting), atOnce)]...)
}

// done takes events off that need not be sent again. Some may have been dropped
// meanwhile: those stood before all others.
func (s *sink) done(batch []item) {
	last := batch[len(batch)-1].id
	s.mu.Lock()
	defer s.mu.Unlock()
	for n, i := range s.waiting[:min(len(s.waiting), len(batch))] {
		s.bytes -= len(i.text)
		if i.id == last {
			s.waiting = s.waiting[n+1:]
			return
		}
	}
	s.recount()
}

func (s *sink) recount() {
	s.bytes = 0
	for _, i := range s.waiting {
		s.bytes += len(i.text)
	}
}

// send delivers what goes next; false: nothing waits. A receiver that refuses events for
// good gets no others than those it refused again.
func (s *sink) send(ctx context.Context) (bool, error) {
	batch := s.next()
	if len(batch) == 0 {
		return false, nil
	}
	err := s.deliver(ctx, batch)
	var permanent *backoff.PermanentError
	outcome := outcomeSent
	switch {
	case errors.As(err, &permanent):
		s.log.Error("events_refused "+s.name, "the receiver of events refuses them: they are not sent again", logrus.Fields{"to": s.name, logrus.ErrorKey: err})
		outcome = outcomeRefused
	case err != nil:
		return true, err
	}
	s.done(batch)
	s.told.WithLabelValues(s.name, outcome).Add(float64(len(batch)))
	return true, nil
}

func (s *sink) run(ctx context.Context) {
	pause := &backoff.ExponentialBackOff{InitialInterval: firstPause, RandomizationFactor: 0.2, Multiplier: 2, MaxInterval: lastPause}
	pause.Reset()
	for ctx.Err() == nil {
		more, err := s.send(ctx)
		switch {
		case err != nil:
			if ctx.Err() != nil {
				break
			}
			s.log.Warn("events "+s.name, "events cannot be delivered: they are tried again", logrus.Fields{"to": s.name, "waiting": s.waits(), logrus.ErrorKey: err})
			select {
			case <-time.After(pause.NextBackOff()):
			case <-ctx.Done():
			}
		case more:
			pause.Reset()
		default:
			select {
			case <-s.wake:
			case <-ctx.Done():
			}
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	for more, err := true, error(nil); more && err == nil && last.Err() == nil; {
		more, err = s.send(last)
	}
}
