package lease

import "slices"

// Kept is what a copy outside of the store keeps for a start without it: who is
// served, and the leases that run (H-10).
type Kept struct {
	Marks  []Mark
	Leases []Lease
}

// Keep returns what to copy. It reports false while the engine has no store, or
// one that is not filled yet: an earlier copy then knows more.
func (e *Engine) Keep() (Kept, bool) {
	marks, leases := e.Marks(), e.Leases()
	e.mu.Lock()
	storeless, now := e.facts.Storeless, e.judged(e.config.Now())
	e.mu.Unlock()
	kept := Kept{Marks: marks}
	for _, l := range leases {
		if l.Expires.After(now) {
			kept.Leases = append(kept.Leases, l)
		}
	}
	return kept, !storeless
}

// Restore takes a copy at a start, before there is a store. A store that holds
// leases goes before it; an empty one is given the leases of the copy (H-10).
func (e *Engine) Restore(kept Kept) {
	e.RestoreMarks(kept.Marks)
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.facts.Storeless {
		return
	}
	for _, l := range kept.Leases {
		if l.Addr.Is4() && l.Client != "" {
			e.facts.Leases.put(l, restoredRevision)
			e.restored = true
		}
	}
}

// restoredRevision marks leases that a copy knows and no store holds.
const restoredRevision Revision = 0

// forgetRestored drops the leases of a copy, since a store knows better.
func (l *Leases) forgetRestored() {
	for addr, known := range l.stored.all() {
		if known.revision == restoredRevision {
			l.unlink(l.clientOf(known.Lease), addr)
			l.stored.remove(addr)
			l.touch(addr)
		}
	}
}

// LeasesInTurns is Leases by address, for those that look often: packets wait no longer
// than for a slice of the work. What they change meanwhile may or may not be in it
// (WEB-6).
func (e *Engine) LeasesInTurns() []Lease {
	var list []Lease
	e.locked(func() { list = make([]Lease, 0, e.facts.Leases.stored.len()) })
	for place, more := int32(0), true; more; {
		e.locked(func() {
			stored := &e.facts.Leases.stored
			for end := place + slice; place < end; place++ {
				if more = place < stored.used; !more {
					return
				}
				if row := stored.row(place); row.client != "" {
					list = append(list, row.unpacked().Lease)
				}
			}
		})
		giveWay()
	}
	// One that was given anew meanwhile may have been seen at both of its places.
	slices.SortStableFunc(list, func(a, b Lease) int { return a.Addr.Compare(b.Addr) })
	return slices.CompactFunc(list, func(a, b Lease) bool { return a.Addr == b.Addr })
}
