package lease

import (
	"context"
	"fmt"
	"net/netip"
	"time"
)

// EndQuarantine lets an address that was declined be leased again now, by the
// operator's word (C-4). NetBox is told. An error says that the address is not in
// quarantine, is in work at this moment, or that the store could not note it.
func (e *Engine) EndQuarantine(ctx context.Context, addr netip.Addr) error {
	next, revision, err := e.releaseQuarantined(addr)
	if err != nil {
		return err
	}
	if err := e.commit(ctx, Declined, next, revision); err != nil {
		return fmt.Errorf("end the quarantine of %s: %w", addr, err)
	}
	return nil
}

// releaseQuarantined takes the address into work and returns what is to be stored.
func (e *Engine) releaseQuarantined(addr netip.Addr) (next Lease, expected Revision, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now, l := e.config.Now(), e.facts.Leases
	if !l.quarantined(addr, now) {
		return next, 0, fmt.Errorf("%s is not in quarantine", addr)
	}
	if l.inWork[addr] != "" {
		return next, 0, fmt.Errorf("%s is in work at this moment: try again", addr)
	}
	stored := l.stored[addr]
	next = stored.Lease
	next.Addr, next.Client, next.State, next.Expires, next.Unsynced = addr, Declined, Released, seconds(now), true
	l.inWork[addr] = Declined
	l.touch(addr)
	return next, stored.revision, nil
}

// quarantined reports whether the store, or a record in NetBox, has addr in
// quarantine.
func (l *Leases) quarantined(addr netip.Addr, now time.Time) bool {
	if l.snapshot != nil {
		for _, a := range l.snapshot.Recorded(string(Declined)) {
			if a.Address.Addr() == addr {
				b := l.binding(a, now)
				return b.State == Quarantined && b.running(now)
			}
		}
	}
	stored := l.stored[addr]
	return stored.State == Quarantined && stored.Expires.After(now)
}
