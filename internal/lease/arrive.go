package lease

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// Arrival is a lease that another server gave.
type Arrival struct {
	// Lease has address, client, state (Bound, Quarantined or Withdrawn), end and name.
	// An end of zero is none.
	Lease
	Identifier []byte    // option 61 of a client whose key is its hardware address
	Since      time.Time // when the client last dealt with that server; zero: not known
}

// Fate is what becomes of an Arrival.
type Fate string

// The fates. All but the first leave the store as it is.
const (
	FateImported   Fate = "imported"
	FateSame       Fate = "already here"
	FateEnded      Fate = "ended"
	FateNewer      Fate = "a newer lease is here"
	FateStatic     Fate = "static address in NetBox"
	FateUnserved   Fate = "no network serves it"
	FateNotDynamic Fate = "not dynamic in NetBox"
	FateHeld       Fate = "held by another client"
	FateBusy       Fate = "in work for a client; try again"
)

// Arrived is the fate of one Arrival.
type Arrived struct {
	Fate Fate
	// Loses says that the client of a running lease does not keep the address, or not
	// for long.
	Loses bool
	Why   string // in words; may be empty
}

// Errors of Import, for the caller to branch on.
var (
	ErrNoSnapshot = errors.New("nothing is known of NetBox yet: try again when it was read")
	ErrOld        = errors.New("what is known of NetBox is older than poll.stale_after: try again when it was read")
)

// lastsForever is how far ahead an end is none: no lease is given for so long.
const lastsForever = 365 * 24 * time.Hour

// Import takes over leases that another server gave, of one address each, and returns
// the fate of each in their order. It never replaces a lease that runs here, a newer
// one or a static address (C-14). All that it imports is durable when it returns, with
// one write; a few hundred leases at a time keep packets from waiting. A rehearsal
// changes nothing.
func (e *Engine) Import(ctx context.Context, list []Arrival, rehearsal bool) ([]Arrived, error) {
	var fates []Arrived
	var group []Change
	var of []int // positions in fates
	var last time.Time
	var err error
	e.locked(func() {
		if err = e.takesArrivals(); err != nil {
			return
		}
		now, l := e.judged(e.config.Now()), e.facts.Leases
		fates = make([]Arrived, len(list))
		for i := range list {
			var c Change
			if fates[i], c = e.arrive(&list[i], now); fates[i].Fate != FateImported || rehearsal {
				continue
			}
			group, of = append(group, c), append(of, i)
			l.inWork.set(c.Next.Addr, c.Next.Client)
			l.dropHold(l.holds.at(c.Next.Addr).client)
			l.touch(c.Next.Addr)
			if c.Next.Expires.After(last) {
				last = c.Next.Expires
			}
		}
	})
	if err != nil || len(group) == 0 {
		return fates, err
	}
	noted := e.promiseUntil(ctx, last)
	writes := make([]write, len(group))
	if noted == nil {
		e.write(ctx, group, writes)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range group {
		if noted != nil {
			e.giveUp(group[i].Next.Addr)
			continue
		}
		e.settle(&group[i], &writes[i])
		if errors.Is(writes[i].err, ErrConflict) {
			fates[of[i]] = Arrived{Fate: FateBusy, Loses: true}
		} else if writes[i].err != nil && err == nil {
			err = fmt.Errorf("store the lease of %s: %w", group[i].Next.Addr, writes[i].err)
		}
	}
	return fates, errors.Join(noted, err)
}

// takesArrivals says why no lease can be judged now.
func (e *Engine) takesArrivals() error {
	f := &e.facts
	switch {
	case f.Snapshot == nil:
		return ErrNoSnapshot
	case f.Storeless:
		return ErrNoStore
	case !f.Fresh.IsZero() && e.config.Now().Sub(f.Fresh) > f.Policy.StaleAfter:
		return ErrOld
	}
	return nil
}

// promiseUntil notes that a lease may run until the time given, which may be longer than
// any that these settings give: a clock is judged by that (S-14).
func (e *Engine) promiseUntil(ctx context.Context, until time.Time) error {
	var value []byte
	var err error
	e.locked(func() {
		now := e.config.Now().UTC().Round(0)
		if lasts := until.Sub(now); lasts > e.longestPromise(now) {
			value, err = json.Marshal(append(terms(e.notes[longestNote]), term{Time: lasts, Until: until}))
		}
	})
	if err != nil || value == nil {
		return err
	}
	return e.SetNote(ctx, longestNote, value)
}

// arrive judges one lease, and says what the store has to hold if it is imported. The
// lock is held.
func (e *Engine) arrive(a *Arrival, now time.Time) (Arrived, Change) {
	l, s := e.facts.Leases, e.facts.Snapshot
	m := e.config.Policy.identified(arrivalMessage(a))
	if a.Hardware != "" || a.State != Bound {
		m.Client, m.Hardware = a.Client, a.Hardware
	}
	never := a.Expires.IsZero() || a.Expires.Sub(now) > lastsForever
	if !never && !a.Expires.After(now) {
		return Arrived{Fate: FateEnded}, Change{}
	}
	n, err := s.Network(a.Addr, 0)
	if err != nil || !s.Served(n) {
		return Arrived{Fate: FateUnserved, Loses: true}, Change{}
	}
	at := s.Address(n.VRF, a.Addr)
	if fate, stays := l.stays(a, m, at, n, now, never); stays {
		return fate, Change{}
	}
	stored := l.stored.at(a.Addr)
	next := stored.Lease
	next.Addr, next.Client, next.Hardware, next.State, next.Hostname = a.Addr, m.Client, m.Hardware, a.State, a.Hostname
	next.InterfaceKind, next.InterfaceID, next.ByPort, next.Unsynced = 0, 0, false, true
	next.Expires = seconds(a.Expires.Add(time.Second - 1))
	fate := e.afterwards(m, n, a.Addr, now)
	if never {
		next.Expires = seconds(now.Add(e.longestNow()))
		fate.Loses, fate.Why = true, "its lease never ends, and is kept until "+next.Expires.Format(time.RFC3339)+": reserve the address in NetBox"
	}
	return fate, Change{next.superseding(at, now), stored.revision}
}

// arrivalMessage is the renewal that the client of an imported lease sends.
func arrivalMessage(a *Arrival) *ClientMessage {
	m := Renewal(a.Lease)
	m.Hardware, m.ClientIdentifier = "", a.Identifier
	return &m
}

// Renewal is the message of the client of a lease that renews it, sent from its address
// to this server.
func Renewal(l Lease) ClientMessage {
	m := ClientMessage{Type: Request, Client: l.Client, Hardware: l.Hardware, ClientAddr: l.Addr, Identifier: l.Addr, Source: l.Addr, Delivery: DeliveryUnicast}
	if mac, err := ipam.ParseMAC(string(l.Shown())); err == nil {
		m.MAC, m.HasMAC = mac, true
	}
	return m
}

// stays says why an address stays as it is; false: the lease may be imported. at is nil
// where NetBox has no such address.
func (l *Leases) stays(a *Arrival, m *ClientMessage, at *ipam.Address, n *ipam.Subnet, now time.Time, never bool) (Arrived, bool) {
	s := l.snapshot
	if at == nil {
		return Arrived{FateNotDynamic, true, "NetBox has no such IP address, and no range that is a pool"}, true
	}
	b := l.binding(at, now)
	its := func(other *ipam.Address) bool { return other == at }
	switch {
	case b.running(now) && (b.Client != m.Client || b.State != a.State):
		return Arrived{FateHeld, true, fmt.Sprintf("%s has it until %s", b.Client, b.Expires.UTC().Format(time.RFC3339))}, true
	case b.running(now) && (never || b.Expires.Equal(seconds(a.Expires.Add(time.Second-1)))):
		return Arrived{Fate: FateSame}, true
	case b.running(now) && b.Expires.After(a.Expires):
		return Arrived{Fate: FateNewer}, true
	case s.IsStatic(at) || reserved(at):
		if m.HasMAC && hasByMAC(s, m.MAC, its) {
			return Arrived{FateStatic, false, "it is the client's own"}, true
		}
		return Arrived{FateStatic, true, "it is another machine's"}, true
	case !s.Leasable(at), !n.HostIn(a.Addr), l.infrastructure.at(a.Addr):
		return Arrived{FateNotDynamic, true, ""}, true
	case s.Loss(at) != ipam.Present, n.Vanished():
		return Arrived{FateNotDynamic, true, "it vanished from NetBox"}, true
	case l.inWork.at(a.Addr) != "":
		return Arrived{Fate: FateBusy, Loses: true}, true
	case b.Client != "" && b.Client != m.Client && b.Expires.Add(l.policy.ReclaimGrace).After(now):
		return Arrived{FateHeld, true, "the lease of " + string(b.Client) + " ended a moment ago"}, true
	case !b.running(now) && b.Client != "" && l.endedAfter(b, a, m):
		return Arrived{Fate: FateNewer, Loses: true, Why: "it ended here after that"}, true
	}
	return Arrived{}, false
}

// endedAfter reports whether a lease that has ended here is newer than an arrival that
// runs: what the client said last it said to this server.
func (*Leases) endedAfter(b Binding, a *Arrival, m *ClientMessage) bool {
	if !a.Since.IsZero() {
		return b.Expires.After(a.Since)
	}
	return b.Client == m.Client && b.State == Released
}

// afterwards says what the client of an imported lease is told when it renews it.
func (e *Engine) afterwards(m *ClientMessage, n *ipam.Subnet, addr netip.Addr, now time.Time) Arrived {
	if m.Client == Declined {
		return Arrived{Fate: FateImported}
	}
	d := decider{f: &e.facts, s: e.facts.Snapshot, l: e.facts.Leases, m: m, now: now, steady: e.facts.Steady, state: Renewing, made: new(Decision)}
	w, reason := d.networks()
	if reason != "" {
		return Arrived{FateImported, true, "it gets no answer: " + string(reason)}
	}
	c := d.identify(w)
	if i := slices.IndexFunc(c.statics, func(a *ipam.Address) bool { return a.Address.Addr() != addr }); i >= 0 && static(c, addr) == nil {
		return Arrived{FateImported, true, "it has the static address " + c.statics[i].Address.Addr().String() + " in NetBox, and is refused when it renews"}
	}
	if c.refused != "" {
		return Arrived{FateImported, true, "it gets no answer: " + string(c.refused)}
	}
	if b := d.barred(n, c); b.shut() {
		return Arrived{FateImported, true, "its lease is not extended: " + string(b.reason)}
	}
	return Arrived{Fate: FateImported}
}
