package ddns

import (
	"net/netip"
	"sync"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// maxBindings bounds memory and file.
const maxBindings = 1 << 18

// registry is what may be in DNS by this server, in memory and on disk, and what is left
// to do. It is safe for concurrent use.
type registry struct {
	writing sync.Mutex // one write of the file at a time; taken before mu
	journal journal
	damaged int

	mu       sync.Mutex
	bindings map[netip.Addr]*Binding
	dirty    map[netip.Addr]bool
	queues   map[string]*queue // by zone
	full     int               // clients that found no room
	failed   error             // of the last write; nil: it went well
}

// queue are addresses with something to do in a zone, oldest first.
type queue struct {
	order []netip.Addr
	has   map[netip.Addr]bool
	wake  chan struct{} // holds one
}

func newRegistry(zones []*zone) *registry {
	r := &registry{bindings: make(map[netip.Addr]*Binding), dirty: make(map[netip.Addr]bool), queues: make(map[string]*queue)}
	for _, z := range zones {
		r.queues[z.name] = &queue{has: make(map[netip.Addr]bool), wake: make(chan struct{}, 1)}
	}
	return r
}

// open reads the file at path and lines up what was left to do. A lease may run until
// its time has passed since now: renewals are not on disk.
func (r *registry) open(path string, now time.Time) error {
	bindings, damaged, err := ReadFile(path)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for addr, b := range bindings {
		if until := now.Add(time.Duration(b.Seconds) * time.Second).UTC(); until.After(b.Until) {
			b.Until = until
		}
		r.bindings[addr] = b
		r.lineUp(b)
	}
	r.journal.path, r.damaged = path, damaged
	return nil
}

// close ends the use of the file.
func (r *registry) close() error {
	err := r.flush()
	r.writing.Lock()
	defer r.writing.Unlock()
	if closed := r.journal.close(); err == nil {
		err = closed
	}
	return err
}

// flush makes durable what has changed.
func (r *registry) flush() error {
	r.writing.Lock()
	defer r.writing.Unlock()
	r.mu.Lock()
	lines, taken := r.lines(r.dirty), r.dirty
	r.dirty = make(map[netip.Addr]bool)
	r.mu.Unlock()
	if len(lines) == 0 {
		return nil
	}
	err := r.journal.write(lines, func() []line {
		r.mu.Lock()
		defer r.mu.Unlock()
		all := make(map[netip.Addr]bool, len(r.bindings))
		for addr := range r.bindings {
			all[addr] = true
		}
		return r.lines(all)
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = err
	if err != nil {
		for addr := range taken {
			r.dirty[addr] = true
		}
	}
	return err
}

// lines are what the file is to say of addresses. The records are copies: others go on
// with theirs. mu must be held.
func (r *registry) lines(addrs map[netip.Addr]bool) (lines []line) {
	for addr := range addrs {
		b, known := r.bindings[addr]
		if !known {
			lines = append(lines, line{Binding: Binding{Addr: addr}, Gone: true})
			continue
		}
		lines = append(lines, line{Binding: b.clone()})
	}
	return lines
}

// clone is a copy that shares nothing.
func (b *Binding) clone() Binding {
	c := *b
	own := func(r *Record) *Record {
		if r == nil {
			return nil
		}
		record := *r
		return &record
	}
	c.Forward, c.Reverse, c.Old = own(b.Forward), own(b.Reverse), nil
	for _, r := range b.Old {
		c.Old = append(c.Old, own(r))
	}
	return c
}

// want notes what a client is to have. A name that it has already costs no write.
func (r *registry) want(next Binding, forward, reverse *Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.bindings[next.Addr]
	if b == nil {
		next.Forward, next.Reverse = forward, reverse
		if next.empty() {
			return
		}
		if len(r.bindings) >= maxBindings {
			r.full++
			return
		}
		b = &Binding{Addr: next.Addr}
		r.bindings[next.Addr] = b
	}
	same := b.Forward.same(forward) && b.Reverse.same(reverse)
	if !same && len(b.Old)+2 > maxOld {
		return
	}
	unchanged := same && b.Client == next.Client && b.Static == next.Static && b.NoUpdate == next.NoUpdate && b.Seconds == next.Seconds
	b.Client, b.Static, b.NoUpdate, b.Until, b.Seconds = next.Client, next.Static, next.NoUpdate, next.Until, next.Seconds
	if unchanged {
		return
	}
	b.replace(forward, reverse)
	r.changed(b)
}

// changed notes that a binding is to be written, lines up its work, and forgets it when
// nothing is left. mu must be held.
func (r *registry) changed(b *Binding) {
	r.dirty[b.Addr] = true
	if b.empty() {
		delete(r.bindings, b.Addr)
		return
	}
	r.lineUp(b)
}

// lineUp queues a binding for each zone that it has records in. mu must be held.
func (r *registry) lineUp(b *Binding) {
	b.each(func(record *Record, old bool) {
		if !old && record.State == Registered {
			return
		}
		q := r.queues[record.Zone]
		if q == nil {
			return // the zone is not in the settings any more
		}
		if !q.has[b.Addr] {
			q.has[b.Addr] = true
			q.order = append(q.order, b.Addr)
		}
		select {
		case q.wake <- struct{}{}:
		default:
		}
	})
}

// end removes the names of a client at an address.
func (r *registry) end(addr netip.Addr, client lease.ClientID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.bindings[addr]
	if b == nil || b.Client != client {
		return
	}
	b.Client, b.NoUpdate = "", false
	b.replace(nil, nil)
	r.changed(b)
}

// extend notes how long a lease runs.
func (r *registry) extend(addr netip.Addr, client lease.ClientID, until time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if b := r.bindings[addr]; b != nil && b.Client == client && until.After(b.Until) {
		b.Until = until
	}
}

// prolong lets static addresses, which have no lease that could be asked, keep their
// names for the time of one.
func (r *registry) prolong(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range r.bindings {
		if until := now.Add(time.Duration(b.Seconds) * time.Second); b.Static && until.After(b.Until) {
			b.Until = until
		}
	}
}

// retry lines up what may be tried again by now.
func (r *registry) retry(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range r.bindings {
		late := false
		b.each(func(record *Record, _ bool) { late = late || !record.after.IsZero() && !now.Before(record.after) })
		if late {
			r.lineUp(b)
		}
	}
}

// knows reports whether the client has a binding at the address.
func (r *registry) knows(addr netip.Addr, client lease.ClientID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.bindings[addr]
	return b != nil && b.Client == client
}

// bound lists the bindings of clients that fn returns true for, without their records.
func (r *registry) bound(fn func(Binding) bool) (list []Binding) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range r.bindings {
		if b.Client != "" && fn(*b) {
			list = append(list, Binding{Addr: b.Addr, Client: b.Client, Static: b.Static, Until: b.Until})
		}
	}
	return list
}

// step is one record to add or to remove.
type step struct {
	record *Record // of the registry
	what   Record  // as it was when the step was taken
	remove bool
}

// take hands out up to limit steps of a zone. What it hands out for adding counts as
// sent: it may not be sent before the next flush.
func (r *registry) take(zone string, limit int, now time.Time) (steps []step) {
	r.mu.Lock()
	defer r.mu.Unlock()
	q := r.queues[zone]
	for len(steps) < limit && len(q.order) > 0 {
		addr := q.order[0]
		q.order = q.order[1:]
		delete(q.has, addr)
		b := r.bindings[addr]
		if b == nil {
			continue
		}
		record, remove := b.next(zone, now)
		if record == nil {
			continue
		}
		if !remove && record.State != Sent {
			record.State = Sent
			r.dirty[addr] = true
		}
		steps = append(steps, step{record, *record, remove})
	}
	return steps
}

// settle notes how a step ended, and lines up what follows from it.
func (r *registry) settle(s step, outcome Outcome, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.bindings[s.what.Addr]
	if b == nil {
		return
	}
	if s.remove {
		r.removed(b, s.record, outcome, now)
		return
	}
	switch outcome {
	case Done:
		s.record.State, s.record.after = Registered, time.Time{}
	case Taken:
		s.record.State, s.record.after = Conflict, now.Add(afterConflict)
	case Rejected:
		s.record.State, s.record.after = Refused, now.Add(afterRefusal)
	case Failed: // it may be in DNS, and is tried again
	}
	if s.record == b.Forward && b.Reverse != nil && s.record.State != Registered && outcome != Failed && b.Reverse.inDNS() {
		b.Old = append(b.Old, b.Reverse)
		again := *b.Reverse
		again.State = Waiting
		b.Reverse = &again
	}
	r.changed(b)
}

// removed notes how a removal ended. mu must be held.
func (r *registry) removed(b *Binding, record *Record, outcome Outcome, now time.Time) {
	switch outcome {
	case Done, Taken: // what is there now is not ours
		rest := b.Old[:0:0]
		for _, old := range b.Old {
			if old != record {
				rest = append(rest, old)
			}
		}
		b.Old = rest
	case Rejected:
		record.after = now.Add(afterRefusal)
	case Failed:
	}
	r.changed(b)
}

// list is a copy of all bindings, by address.
func (r *registry) list() (list []Binding) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, addr := range sorted(r.bindings) {
		list = append(list, r.bindings[addr].clone())
	}
	return list
}
