package lease

import (
	"context"
	"errors"
	"net/netip"
	"time"
)

const (
	// restLook is how often one address in quarantine is asked at most.
	restLook = 6 * time.Second
	// lookAgain is how long an address is left alone that was asked and rests on.
	lookAgain = 10 * time.Minute
)

// rest is what is known of an address in quarantine beside its lease. Times are
// those that run.
type rest struct {
	revision Revision  // of the lease that says so
	since    time.Time // when it was first seen by this process; zero: not yet
	asked    time.Time
	heard    bool // it answered an echo request, so silence says something
}

// WatchQuarantine asks what is in quarantine whether a host uses it still, apart
// from packets, until ctx ends.
func (e *Engine) WatchQuarantine(ctx context.Context) {
	tick := time.NewTicker(restLook)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			e.lookAtQuarantine(ctx)
		}
	}
}

// lookAtQuarantine asks one address, the one that was left alone longest, and ends
// its quarantine if no host is there.
func (e *Engine) lookAtQuarantine(ctx context.Context) {
	addr, r, found := e.longestLeftAlone()
	if !found || !e.deserted(ctx, addr, r) || ctx.Err() != nil {
		return
	}
	switch err := e.endRest(ctx, addr, r.revision); {
	case err == nil:
		e.config.Log.WithField("addr", addr).Info("nothing answers at an address in quarantine: it can be leased again")
	case !errors.Is(err, ErrNotQuarantined) && !errors.Is(err, ErrInWork) && !errors.Is(err, ErrConflict):
		e.config.Log.WithField("addr", addr).WithError(err).Warn("the quarantine of an address at which nothing answers cannot be ended; it is tried again")
	}
}

// longestLeftAlone chooses the address to ask, and notes what began and ended to
// rest since the last time.
func (e *Engine) longestLeftAlone() (addr netip.Addr, chosen rest, found bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now, l := e.judged(e.config.Now()), e.facts.Leases
	steady := e.facts.Steady
	for known := range e.rests.all() {
		if !l.resting.at(known) {
			e.rests.drop(known)
		}
	}
	if e.facts.Storeless {
		return addr, chosen, false
	}
	for at := range l.resting.all() {
		stored := l.stored.at(at)
		if !stored.Expires.After(now) {
			continue
		}
		r := e.rests.at(at)
		if r.since.IsZero() || r.revision != stored.revision {
			r.since, r.asked, r.revision = steady, time.Time{}, stored.revision
		}
		e.rests.set(at, r)
		due := steady.Sub(r.since) >= minRest && (r.asked.IsZero() || steady.Sub(r.asked) >= lookAgain)
		if due && (!found || r.before(chosen) || !chosen.before(r) && at.Less(addr)) {
			addr, chosen, found = at, r, true
		}
	}
	if found {
		chosen.asked = steady
		e.rests.set(addr, chosen)
	}
	return addr, chosen, found
}

// before reports whether r was left alone longer than other.
func (r rest) before(other rest) bool {
	if !r.asked.Equal(other.asked) {
		return r.asked.Before(other.asked)
	}
	return r.since.Before(other.since)
}

// deserted reports whether it is proved that no host uses addr. Most hosts answer
// ARP whatever they are set to, but many answer no echo request.
func (e *Engine) deserted(ctx context.Context, addr netip.Addr, r rest) bool {
	if e.config.ARP != nil {
		if answered, err := e.config.ARP(ctx, addr); err == nil {
			return !answered
		}
	}
	answered, err := e.ask(ctx, addr)
	if err == nil && answered {
		e.locked(func() { e.heard(addr) })
	}
	return err == nil && !answered && r.heard
}

// heard notes that a host at addr answered an echo request.
func (e *Engine) heard(addr netip.Addr) {
	r := e.rests.at(addr)
	r.heard = true
	e.rests.set(addr, r)
}
