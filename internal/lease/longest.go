package lease

import (
	"context"
	"encoding/json"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// longestNote is the name of the note that outlives a change of lease.max, or of a
// context.
const longestNote = "longest lease"

// term is how long leases could be under some settings and contexts.
type term struct {
	Time time.Duration `json:"time"`
	// Until is when the last lease of that length has ended; zero for those of
	// now.
	Until time.Time `json:"until,omitzero"`
}

// LongestLease is the longest time that was promised with a lease that may still
// run: by the settings of now, by earlier ones, or by what store and NetBox
// show. It looks at every lease, so it is not for each packet.
func (e *Engine) LongestLease() time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.config.Now()
	longest := e.longestPromise(now)
	for _, l := range e.facts.Leases.stored.all() {
		if l.State == Bound {
			longest = max(longest, l.Expires.Sub(now))
		}
	}
	if s := e.facts.Snapshot; s != nil {
		for _, a := range s.Objects().Addresses {
			longest = max(longest, leftOf(a, now))
		}
	}
	return longest
}

// longestPromise is the longest time that was promised with a lease that may
// still run at the time given, by settings and contexts of then and before.
func (e *Engine) longestPromise(at time.Time) time.Duration {
	longest := e.longestNow()
	for _, t := range terms(e.notes[longestNote]) {
		if t.Until.IsZero() || t.Until.After(at) {
			longest = max(longest, t.Time)
		}
	}
	return longest
}

// longestNow is the longest time that settings and contexts give a lease now (CTX-4).
func (e *Engine) longestNow() time.Duration {
	longest := e.config.Policy.longest()
	if s := e.facts.Snapshot; s != nil {
		longest = max(longest, s.LongestLease())
	}
	return longest
}

// leftOf is how long the lease that NetBox shows for a runs; 0 for none, and for
// one that never ends.
func leftOf(a *ipam.Address, now time.Time) time.Duration {
	if b := recorded(a); b.State == Bound && b.running(now) && b.Expires != forever() {
		return b.Expires.Sub(now)
	}
	return 0
}

// longest is the longest time that these settings give a lease.
func (p *Policy) longest() time.Duration { return max(p.MaxTime, p.LeaseTime) }

// keepLongest notes how long leases can be now, and until when longer ones of
// earlier settings and contexts may run. A start knows no contexts: theirs are then
// earlier ones, until the first snapshot.
func (e *Engine) keepLongest(ctx context.Context, store Store) error {
	if e.config.Policy.longest() == 0 {
		return nil // no settings
	}
	var current time.Duration
	e.locked(func() { current = e.longestNow() })
	now := e.config.Now().UTC().Round(0)
	before := e.Note(longestNote)
	next := []term{{Time: current}}
	for _, t := range terms(before) {
		if t.Until.IsZero() {
			t.Until = now.Add(t.Time)
		}
		if t.Time > current && t.Until.After(now) {
			next = append(next, t)
		}
	}
	value, err := json.Marshal(next)
	if err != nil || string(value) == string(before) {
		return err
	}
	return e.noteIn(ctx, store, longestNote, value)
}

// terms reads the note; what cannot be read says nothing.
func terms(note []byte) []term {
	var list []term
	if json.Unmarshal(note, &list) != nil {
		return nil
	}
	return list
}
