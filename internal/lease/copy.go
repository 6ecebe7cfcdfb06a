package lease

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
