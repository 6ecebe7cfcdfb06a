package lease

import (
	"context"
	"fmt"
	"net/netip"
	"time"
)

// EraseEnded makes the store forget the clients of leases that ended and match; without
// do it only counts them. Their addresses are free as those of a client that nobody
// remembers. running is how many match and stay, since they still run. A lease that
// changes meanwhile is left alone (HI-8).
func (e *Engine) EraseEnded(ctx context.Context, matches func(Lease) bool, do bool) (erased, running int, err error) {
	for _, l := range e.Leases() {
		if l.Client == Declined || !matches(l) {
			continue
		}
		next, revision, runs, ok := e.toErase(l.Addr, l.Client, do)
		switch {
		case runs:
			running++
			continue
		case !ok:
			continue
		}
		if do {
			if err := e.commit(ctx, "", next, revision); err != nil {
				return erased, running, fmt.Errorf("erase the ended lease of %s: %w", l.Addr, err)
			}
		}
		erased++
	}
	return erased, running, nil
}

// toErase is what the store has to hold of an address instead of a lease of the client
// that ended, and marks the address as in work with do.
func (e *Engine) toErase(addr netip.Addr, client ClientID, do bool) (next Lease, revision Revision, runs, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	l, now := e.facts.Leases, e.judged(e.config.Now())
	stored := l.stored.at(addr)
	if stored.Client != client || l.inWork.at(addr) != "" || e.store == nil {
		return Lease{}, 0, false, false
	}
	if stored.State == Bound && stored.Expires.After(now.Add(-l.policy.ReclaimGrace)) {
		return Lease{}, 0, true, false
	}
	next = Lease{
		Addr: addr, Client: Declined, State: Released, Expires: seconds(now.Add(-l.policy.ReclaimGrace - time.Second)),
		Unsynced: true, SyncedAt: stored.SyncedAt,
	}
	if do {
		l.inWork.set(addr, Declined)
	}
	return next, stored.revision, false, true
}
