package lease

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// Config is what an Engine works with.
type Config struct {
	Policy Policy
	// Store is where the engine starts. It counts as complete even if it is empty,
	// as in a test; the store of a server comes by Attach (H-6). nil: the engine
	// starts without one (H-5).
	Store Store
	Now   func() time.Time // the time of day; nil: time.Now
	Clock Clock            // which Now is checked with
	Log   logrus.FieldLogger
	// Probe reports whether a host answers an echo request to addr within
	// the time given; an error says that none could be sent. nil: addresses
	// cannot be probed.
	Probe func(ctx context.Context, addr netip.Addr, wait time.Duration) (bool, error)
	// ARP reports whether a host on a connected interface has addr; an error says
	// that addr is on none, or that it could not be asked. nil: no host can be asked.
	ARP func(ctx context.Context, addr netip.Addr) (bool, error)
	// ProbeWait is how long an answer is waited for; 0: only addresses are probed
	// that a lost lease may be running at (H-6), or that have to leave quarantine.
	ProbeWait time.Duration
	// InUse hears of each address that an unknown host was found to use, as often as
	// packets make the engine look. nil: nobody is told.
	InUse func(addr netip.Addr)
	// Committed hears how long each write to the store took and how it ended;
	// a lost comparison is ErrConflict. nil: it is not measured. It must return soon.
	Committed func(took time.Duration, err error)
	// Shown hears how long it took from the first change that NetBox was not told of
	// until NetBox showed the lease. Leases that waited since before this start tell
	// nothing (C-41). nil: it is not measured. It must return soon.
	Shown func(took time.Duration)
	// WriteBack says that NetBox is told about leases; without it no change is
	// marked as unsynced.
	WriteBack bool
	// MakeObjects says that an address of a range gets an object in NetBox while it is
	// leased (S-17); without it no change there is marked as unsynced.
	MakeObjects bool
}

// probes reports whether addresses are probed before any offer.
func (c *Config) probes() bool { return c.Probe != nil && c.ProbeWait > 0 }

// Engine carries decisions out: it keeps the leases in memory, makes each
// change durable before its reply may leave (S-1) and works on one client, and
// on one address, one message at a time (S-7). No lock is held while the store
// commits. It is safe for concurrent use.
type Engine struct {
	// Disk and Echo bound how many messages wait for a commit and for the answer
	// to an echo request (B-9).
	Disk, Echo *Places

	config   Config
	swapping sync.Mutex // one SetSnapshot at a time
	noting   sync.Mutex // one write of a note at a time
	judging  sync.Mutex // one judgement of an empty store at a time
	beside   sync.WaitGroup
	groups   sync.Pool // of *keptGroup

	mu        sync.Mutex
	decider   decider // room for one run, empty between runs
	store     Store   // nil while there is none (H-5)
	facts     Facts
	notes     map[string][]byte // nil values are to be removed from the store
	unsaved   map[string]bool   // names of notes that the store was not told of
	unjudged  bool              // the store is empty or restored, and no snapshot told yet what it lacks (H-6, C-32)
	restored  bool              // a copy knew leases (H-10)
	settling  bool              // a restored store is compared with NetBox now (C-32)
	clock     *clockWatch
	busy      map[ClientID]bool
	unsynced  []netip.Addr      // oldest first; may name leases that are in sync by now
	queued    byAddr[time.Time] // since when, by time.Now; zero: since before this start
	toldOwn   bool              // SetOwn was called
	unsyncedC chan struct{}
	echoes    echoes
	rests     byAddr[rest] // what is in quarantine
}

// attempts is how often a message is decided anew after a lost comparison or a
// positive probe (A-7, S-2).
const attempts = 3

// ErrNoStore is the trouble of a message that needs a store while there is none.
var ErrNoStore = errors.New("there is no lease store now")

// NewEngine loads all leases of the store, if there is one, into memory.
func NewEngine(ctx context.Context, config Config) (*Engine, error) {
	e := &Engine{
		Disk:      NewPlaces(DiskPlaces),
		Echo:      NewPlaces(EchoPlaces),
		config:    config,
		notes:     make(map[string][]byte),
		unsaved:   make(map[string]bool),
		busy:      make(map[ClientID]bool),
		queued:    make(byAddr[time.Time]),
		unsyncedC: make(chan struct{}, 1),
		echoes:    echoes{silent: make(byAddr[time.Time])},
		rests:     make(byAddr[rest]),
	}
	e.groups.New = func() any { return new(keptGroup) }
	if config.Now == nil {
		e.config.Now = time.Now
	}
	e.clock = newClockWatch(config.Clock, e.config.Now())
	e.facts = Facts{Policy: &e.config.Policy, Leases: NewLeases(&e.config.Policy), Storeless: true, Started: e.config.Now(), CanProbe: config.Probe != nil}
	e.facts.Leases.heard.began = e.config.Now().Round(0)
	if config.Store == nil {
		return e, nil
	}
	e.trustStore()
	return e, e.Attach(ctx, config.Store)
}

// SetAuthority sets how refusals are spoken. The nak plugin calls it at setup.
func (e *Engine) SetAuthority(a Authority) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.facts.Authority = a
}

// Confirm notes that the snapshot agreed with NetBox at the given time, and how
// far NetBox's clock is ahead of ours (S-9, H-4).
func (e *Engine) Confirm(fresh time.Time, skew time.Duration) {
	e.locked(func() { e.facts.Fresh, e.facts.Skew = fresh, skew })
	e.supersedeBeside(fresh)
}

// Stale reports whether the snapshot is too old to decide by (H-4).
func (e *Engine) Stale() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	f := &e.facts
	return !f.Fresh.IsZero() && e.config.Now().Sub(f.Fresh) > f.Policy.StaleAfter
}

// SetSnapshot makes s the snapshot that decisions are made from. The index over
// its pools is built in slices, so that packets never wait long: over the objects, and
// over the addresses of which the leases tell something.
func (e *Engine) SetSnapshot(s *ipam.Snapshot) {
	e.swapping.Lock()
	defer e.swapping.Unlock()
	l := e.facts.Leases
	pending := make(poolSet)
	for _, vrf := range s.DynamicVRFs() {
		pending[vrf] = newPool(s.Pool(vrf))
	}
	e.locked(func() { l.pending, l.next = pending, s })
	e.index(s)
	judge, records := false, e.awaitsJudgement() && e.hadLeases(s)
	e.locked(func() {
		l.pools, l.pending, l.snapshot, l.next = pending, nil, s, nil
		l.switches = switchPorts{} // not to keep the snapshot before
		e.settleOwners(s, e.facts.Snapshot)
		e.facts.Snapshot = s
		if judge = e.unjudged && e.store != nil; judge && !records {
			e.unjudged, e.facts.Storeless, judge = false, false, false // a first start
		}
	})
	e.keepNow()
	if judge {
		e.judgeBeside(s)
	}
}

// index fills the pools of the snapshot that is about to take over.
func (e *Engine) index(s *ipam.Snapshot) {
	l := e.facts.Leases
	for vrf := range l.pending {
		for part := range slices.Chunk(s.Dynamic(vrf), slice) {
			e.locked(func() {
				for _, a := range part {
					position, _ := l.pending[vrf].Find(a.Address.Addr())
					l.pending[vrf].set(position, l.keys(a))
				}
			})
		}
	}
	e.eachMarked(func(addr netip.Addr) { l.touchIn(l.pending, s, addr) })
}

func (e *Engine) locked(fn func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	fn()
}

// Handle decides about one message and carries the decision out. When it
// returns a Decision with Verdict Ack the lease is durable. trace may be nil.
// An error means trouble on our side; the Decision is then Silent (H-3), or
// promises no more than was durable before (H-4).
func (e *Engine) Handle(ctx context.Context, message ClientMessage, trace *Trace) (Decision, error) {
	m := e.config.Policy.identified(&message)
	if !e.begin(m) {
		return inWork(trace), nil
	}
	var said answer
	defer func() { e.end(m, said) }()
	for range attempts {
		decision := e.decide(m, trace)
		done, err := e.carryOut(ctx, m, &decision, trace)
		switch {
		case errors.Is(err, errUnprobed):
			trace.addf("A-8", "%v: %s is not offered", err, decision.Addr)
			return Decision{Rule: "D-2", Reason: ReasonPoolEmpty, Subnet: decision.Subnet, Machine: decision.Machine}, nil
		case err != nil && needsNoStore(m, &decision):
			return decision, nil
		}
		if err != nil {
			e.mu.Lock()
			defer e.mu.Unlock()
			return decision, e.troubled(m, &decision, err, trace)
		}
		if done {
			said = decision.effect.answer
			return decision, nil
		}
	}
	return contested(trace), nil
}

// inWork is the answer to a message whose client has an earlier one in work (D-28).
func inWork(trace *Trace) Decision {
	trace.addf("D-28", "an earlier message of this client is still in work")
	return Decision{Rule: "D-28", Reason: ReasonBusy}
}

// contested is the answer to a message that lost each comparison (D-16).
func contested(trace *Trace) Decision {
	trace.addf("D-16", "still contested after %d attempts", attempts)
	return Decision{Rule: "D-16", Reason: ReasonBusy}
}

// begin marks the client as in work (D-28, S-7).
func (e *Engine) begin(m *ClientMessage) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.busy[m.Client] {
		return false
	}
	e.busy[m.Client] = true
	e.keepOut(m)
	return true
}

// keepOut keeps this machine's own addresses, as far as m tells them, out of the
// pools (N-5).
func (e *Engine) keepOut(m *ClientMessage) {
	if e.toldOwn {
		return
	}
	e.facts.Leases.exclude(m.Identifier)
	for _, own := range m.InterfaceAddrs {
		e.facts.Leases.exclude(own)
	}
}

// SetOwn says which addresses this machine has now: those, and no others, stay out
// of the pools (N-5). A server that never calls it learns them from messages, and
// cannot tell that one was given up.
func (e *Engine) SetOwn(own map[netip.Addr]bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	l, before, now := e.facts.Leases, e.facts.Leases.infrastructure, make(byAddr[bool], len(own))
	for addr, is := range own {
		now.set(addr, is)
	}
	l.infrastructure, e.toldOwn = now, true
	for _, addrs := range []byAddr[bool]{before, now} {
		for addr := range addrs.all() {
			if before.at(addr) != now.at(addr) {
				l.touch(addr)
			}
		}
	}
}

// end takes the mark away and remembers what was said, for what the client may
// say next (D-32).
func (e *Engine) end(m *ClientMessage, said answer) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.busy, m.Client)
	e.said(m.Client, said)
}

// said remembers what a client was told, if anything.
func (e *Engine) said(to ClientID, a answer) {
	if !a.at.IsZero() {
		e.facts.Leases.answered(to, a)
	}
}

// toBeProbed reports whether an offer waits for an echo request.
func (e *Engine) toBeProbed(decision *Decision) bool {
	effect := &decision.effect
	return decision.Verdict == Offer && (effect.mustProbe || effect.probe && e.config.probes())
}

// decide runs Decide and its effects on memory; an address with a change to
// commit is marked as in work.
func (e *Engine) decide(m *ClientMessage, trace *Trace) (decision Decision) {
	e.mu.Lock()
	defer e.mu.Unlock()
	judged := e.decideNow(&decision, m, trace)
	e.remember(m, &decision, judged)
	return decision
}

// decideNow is Decide, and returns the time that leases were judged by (S-14).
func (e *Engine) decideNow(decision *Decision, m *ClientMessage, trace *Trace) (judged time.Time) {
	now := e.config.Now()
	judged = e.judged(now)
	e.facts.Leases.sweep(e.facts.Steady, judged)
	e.decider.run(decision, &e.facts, m, now, trace)
	e.decider = decider{} // not to keep a snapshot of NetBox
	return judged
}

// remember has the effects of a decision on memory.
func (e *Engine) remember(m *ClientMessage, decision *Decision, judged time.Time) {
	l, steady, effect := e.facts.Leases, e.facts.Steady, &decision.effect
	if effect.heard {
		l.heard.hear(m.MAC, e.config.Now())
	}
	if effect.occupied.IsValid() {
		l.occupy(effect.occupied, steady, steady.Add(usedPause))
	}
	if effect.claims.IsValid() {
		l.claims.set(effect.claims, steady.Add(cmp.Or(decision.Time, e.config.Policy.LeaseTime)))
	}
	if effect.ends != "" {
		l.endOffer(effect.ends, steady, judged)
	}
	if effect.hold.IsValid() && !decision.Static {
		l.hold(effect.hold, hold{client: m.Client, until: steady.Add(e.config.Policy.OfferHold), stranger: effect.stranger, fresh: effect.probe, share: effect.share})
	}
	if effect.change.Addr.IsValid() {
		l.inWork.set(effect.change.Addr, m.Client)
		if _, held := l.holds.find(effect.change.Addr); !held { // else no new client could get it before
			l.touch(effect.change.Addr)
		}
		if effect.declined.client != "" {
			l.declinedBy(effect.change.Addr, effect.declined, steady)
		}
		e.clock.leased(effect.change)
	} else if effect.dropHold {
		l.dropHold(m.Client)
	}
}

// carryOut does what takes time. It reports false if the message has to be
// decided anew.
func (e *Engine) carryOut(ctx context.Context, m *ClientMessage, decision *Decision, trace *Trace) (bool, error) {
	effect := &decision.effect
	if effect.change.Addr.IsValid() {
		err := e.promise(ctx, m.Client, effect.change, effect.revision)
		if errors.Is(err, ErrConflict) {
			trace.addf("S-2", "%s changed in the store meanwhile", effect.change.Addr)
			return false, nil
		}
		return err == nil, err
	}
	if e.toBeProbed(decision) {
		return e.probe(ctx, m, decision, trace)
	}
	return true, nil
}

// queue lists what is known of addr for NetBox, or takes it off the list. before
// says that it was to be told before this start.
func (e *Engine) queue(addr netip.Addr, before bool) {
	unsynced := e.facts.Leases.stored.at(addr).Unsynced
	_, queued := e.queued.find(addr)
	switch {
	case !unsynced && queued:
		e.queued.drop(addr)
		e.unsynced = remove(e.unsynced, addr)
	case unsynced && !queued:
		since := time.Time{}
		if !before {
			since = time.Now()
		}
		e.queued.set(addr, since)
		e.unsynced = append(e.unsynced, addr)
	}
	if !unsynced {
		return
	}
	select {
	case e.unsyncedC <- struct{}{}:
	default:
	}
}

// UnsyncedC receives a value after changes that NetBox was not told of; several
// changes may give one value.
func (e *Engine) UnsyncedC() <-chan struct{} { return e.unsyncedC }

// Unsynced returns up to limit leases that NetBox was not told of yet, oldest
// change first; all of them if limit is negative. Without a store there are
// none: that NetBox was told could not be noted.
func (e *Engine) Unsynced(limit int) []Lease {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.facts.Storeless {
		return nil
	}
	var list []Lease
	for _, addr := range e.unsynced {
		if len(list) == limit {
			break
		}
		list = append(list, e.facts.Leases.stored.at(addr).Lease)
	}
	return list
}

// UnsyncedCount is how many leases Unsynced would return without a limit.
func (e *Engine) UnsyncedCount() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.unsynced)
}

// Synced notes that NetBox shows l since its row was updated at the given
// time. A lease that has changed meanwhile stays in the queue.
func (e *Engine) Synced(ctx context.Context, l Lease, at time.Time) error {
	shown := time.Now()
	e.mu.Lock()
	stored := e.facts.Leases.stored.at(l.Addr)
	current := stored.says(l) && e.facts.Leases.inWork.at(l.Addr) == ""
	since := e.queued.at(l.Addr)
	if current {
		e.facts.Leases.inWork.set(l.Addr, l.Client)
	}
	e.mu.Unlock()
	if !current {
		return nil
	}
	next := stored.Lease
	next.Unsynced, next.SyncedAt = false, at
	if !at.IsZero() {
		next.ToldClient, next.ToldExpires = l.Shown(), l.Expires
	}
	if err := e.commit(ctx, "", next, stored.revision); err != nil {
		return fmt.Errorf("note that NetBox shows the lease of %s: %w", l.Addr, err)
	}
	if e.config.Shown != nil && !at.IsZero() && !since.IsZero() {
		e.config.Shown(shown.Sub(since))
	}
	return nil
}

// remove takes the first addr out of list, which is most often near its start.
func remove(list []netip.Addr, addr netip.Addr) []netip.Addr {
	for i, a := range list {
		if a == addr {
			if i == 0 {
				return list[1:]
			}
			return append(list[:i], list[i+1:]...)
		}
	}
	return list
}

// Leased returns the addresses with a running lease.
func (e *Engine) Leased() map[netip.Addr]bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	now, running := e.judged(e.config.Now()), make(map[netip.Addr]bool)
	for addr, stored := range e.facts.Leases.stored.all() {
		if stored.State == Bound && stored.Expires.After(now) {
			running[addr] = true
		}
	}
	return running
}

// Lease returns the stored lease of an address; false: there is none, or a change of
// it is on its way.
func (e *Engine) Lease(addr netip.Addr) (Lease, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	stored, ok := e.facts.Leases.stored.find(addr)
	return stored.Lease, ok && e.facts.Leases.inWork.at(addr) == ""
}

// Leases returns a copy of all stored leases in no particular order.
func (e *Engine) Leases() []Lease {
	e.mu.Lock()
	defer e.mu.Unlock()
	list := make([]Lease, 0, e.facts.Leases.stored.len())
	for _, stored := range e.facts.Leases.stored.all() {
		list = append(list, stored.Lease)
	}
	return list
}
