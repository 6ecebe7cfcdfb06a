package lease

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Errors of EndQuarantine, for the caller to branch on.
var (
	ErrNotQuarantined = errors.New("the address is not in quarantine")
	ErrInWork         = errors.New("the address is in work for a client; try again")
)

// EndQuarantine frees an address for other clients at once, by the word of an
// operator. The change is durable when it returns nil. It returns
// ErrNotQuarantined, ErrInWork, or an error of the store.
func (e *Engine) EndQuarantine(ctx context.Context, addr netip.Addr) error {
	return e.endRest(ctx, addr, 0)
}

// endRest is EndQuarantine for what the store holds in that revision; 0: in any.
func (e *Engine) endRest(ctx context.Context, addr netip.Addr, only Revision) error {
	e.mu.Lock()
	now, l := e.judged(e.config.Now()), e.facts.Leases
	next, revision, err := l.unrested(addr, now)
	if err == nil && only != 0 && only != revision {
		err = ErrConflict
	}
	if err == nil {
		l.inWork.set(addr, Declined)
	}
	e.mu.Unlock()
	if err != nil {
		return fmt.Errorf("%s: %w", addr, err)
	}
	if err := e.commit(ctx, "", next, revision); err != nil {
		return fmt.Errorf("end the quarantine of %s: %w", addr, err)
	}
	return nil
}

// unrested is what the store has to hold of an address whose quarantine ends now.
// NetBox may be alone in showing it, from before this server.
func (l *Leases) unrested(addr netip.Addr, now time.Time) (Lease, Revision, error) {
	stored := l.stored.at(addr)
	resting := stored.State == Quarantined && stored.Expires.After(now)
	if l.snapshot != nil {
		for vrf := range l.pools {
			if a := l.snapshot.Address(vrf, addr); a != nil {
				b := l.binding(a, now)
				resting = resting || b.State == Quarantined && b.running(now)
			}
		}
	}
	switch {
	case !resting:
		return Lease{}, 0, ErrNotQuarantined
	case l.inWork.at(addr) != "":
		return Lease{}, 0, ErrInWork
	}
	next := stored.Lease
	next.Addr, next.Client, next.State, next.Unsynced = addr, Declined, Released, true
	next.Expires = l.longFree(now)
	return next, stored.revision, nil
}
