package lease

import (
	"context"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// youngNote is the name of the note that says until when a store may lack leases
// that still run.
const youngNote = "store is young until"

// trustStore says that the store holds all leases there are, whatever is in it.
func (e *Engine) trustStore() { e.notes[youngNote] = []byte(time.Time{}.Format(time.RFC3339)) }

// keepAge notes until when an empty store may lack leases that still run: a
// volume that is not mounted looks like a first start (H-6).
func (e *Engine) keepAge(ctx context.Context, store Store, leases int) error {
	if e.config.Policy.longest() == 0 {
		return nil // no settings
	}
	note := e.Note(youngNote)
	if note == nil {
		var until time.Time
		if leases == 0 {
			until = e.config.Now().UTC().Add(e.LongestLease())
		}
		note = []byte(until.Format(time.RFC3339))
		if err := e.putNote(youngNote, note); err != nil {
			return err
		}
		if err := e.saveNote(ctx, store, youngNote); err != nil {
			return err
		}
	}
	until, _ := time.Parse(time.RFC3339, string(note)) // what cannot be read says nothing
	e.mu.Lock()
	defer e.mu.Unlock()
	e.facts.YoungUntil = until
	return nil
}

// recordsLeases reports whether NetBox shows any lease, running or ended: then an
// empty store is no first start.
func recordsLeases(s *ipam.Snapshot) bool {
	for _, a := range s.Objects().Addresses {
		if recorded(a).Client != "" {
			return true
		}
	}
	return false
}

// young reports whether leases may run that the store has lost (H-6).
func (d *decider) young() bool { return d.f.Recorded && d.now.Before(d.f.YoungUntil) }

// mayBeLost reports whether addr may be the client's by a lease that was lost:
// nobody else is known there.
func (d *decider) mayBeLost(a *ipam.Address, n *ipam.Subnet, c client) bool {
	if a == nil || !d.young() || d.stale || d.f.Storeless || d.l.binding(a, d.now).Client != "" {
		return false
	}
	reason, _ := d.mayHave(a, n, c)
	return reason == ""
}
