package lease

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// probeWait is how long an answer is waited for where the settings ask for no
// probe and one has to be made (A-8, H-6).
const probeWait = 500 * time.Millisecond

// echoes remembers which addresses did not answer an echo request lately, so
// that a DISCOVER that comes again costs no second wait.
type echoes struct {
	silent byAddr[time.Time] // until when that counts
	queue  []lapse           // in order of time; entries may be outdated
}

// unanswered notes that addr was silent, which counts until the given time.
func (e *echoes) unanswered(addr netip.Addr, until time.Time) {
	if _, known := e.silent.find(addr); !known {
		e.queue = append(e.queue, lapse{addr, until})
	}
	e.silent.set(addr, until)
}

// quiet reports whether addr was found silent not long ago.
func (e *echoes) quiet(addr netip.Addr, now time.Time) bool {
	for len(e.queue) > 0 && !e.queue[0].at.After(now) {
		old := e.queue[0].addr
		e.queue = e.queue[1:]
		if until, known := e.silent.find(old); known && until.After(now) { // noted again meanwhile
			e.queue = append(e.queue, lapse{old, until})
		} else {
			e.silent.drop(old)
		}
	}
	return e.silent.at(addr).After(now)
}

// probe asks whether a host uses the offered address; if so it is put in
// quarantine and another one has to be chosen. An address that rests, or at
// which a lost lease may run, may be offered only after a request that was sent
// (A-8, H-6). It reports whether the address may be offered. An offer that is not
// made holds no address.
func (e *Engine) probe(ctx context.Context, m *ClientMessage, decision *Decision, trace *Trace) (bool, error) {
	addr, rests, must := decision.Addr.Addr(), decision.effect.rested, decision.effect.mustProbe
	e.mu.Lock()
	quiet := e.echoes.quiet(addr, e.lookAtClock(e.config.Now())) && !rests
	e.mu.Unlock()
	if quiet {
		trace.addf("A-7", "%s did not answer an echo request a moment ago", addr)
		return true, nil
	}
	answered, err := e.ask(ctx, addr)
	if decision.effect.claimed {
		return e.probedClaim(m, addr, answered, err, trace)
	}
	if errors.Is(err, errUnprobed) && !must {
		return true, nil // as without lease.probe
	}
	e.mu.Lock()
	switch {
	case err != nil:
		e.facts.Leases.dropHold(m.Client)
	case !answered:
		e.echoes.unanswered(addr, e.lookAtClock(e.config.Now()).Add(e.config.Policy.OfferHold))
	}
	e.mu.Unlock()
	switch {
	case err != nil:
		return false, err
	case !answered && rests:
		trace.addf("A-8", "%s does not answer an echo request: its quarantine ends", addr)
		return e.wakes(ctx, m, addr)
	case !answered:
		return true, nil
	}
	trace.addf("A-7", "%s answers an echo request: quarantined", addr)
	if e.config.InUse != nil {
		e.config.InUse(addr)
	}
	return false, e.setAside(ctx, m, addr)
}

// probedClaim reports whether a claimed address may be offered: an echo request was
// sent, and stayed unanswered (CL-8). Its owner keeps the address in any case, so
// there is no quarantine, and the message is decided anew without the claim.
func (e *Engine) probedClaim(m *ClientMessage, addr netip.Addr, answered bool, err error, trace *Trace) (bool, error) {
	if err != nil && !errors.Is(err, errUnprobed) {
		e.locked(func() { e.facts.Leases.dropHold(m.Client) })
		return false, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	l, now := e.facts.Leases, e.lookAtClock(e.config.Now())
	switch {
	case err != nil:
		trace.addf("CL-8", "%v: the claim of %s does not count", err, addr)
		l.occupy(addr, now, now.Add(unprobedPause))
	case answered:
		trace.addf("CL-8", "%s answers an echo request: the claim does not count", addr)
		l.occupy(addr, now, now.Add(usedPause))
	default:
		e.echoes.unanswered(addr, now.Add(e.config.Policy.OfferHold))
		return true, nil
	}
	l.dropHold(m.Client)
	return false, nil
}

// ask sends an echo request, if there is a place to wait for the answer.
func (e *Engine) ask(ctx context.Context, addr netip.Addr) (answered bool, err error) {
	if !e.Echo.Take() {
		return false, fmt.Errorf("echo of %s: %w", addr, ErrCrowded)
	}
	defer e.Echo.Leave()
	if e.config.Probe == nil {
		return false, fmt.Errorf("%w to %s", errUnprobed, addr)
	}
	if answered, err = e.config.Probe(ctx, addr, cmp.Or(e.config.ProbeWait, probeWait)); err != nil {
		return false, fmt.Errorf("%w to %s: %w", errUnprobed, addr, err)
	}
	return answered, nil
}

// setAside puts an address in quarantine that an unknown host uses.
func (e *Engine) setAside(ctx context.Context, m *ClientMessage, addr netip.Addr) error {
	e.mu.Lock()
	d := decider{f: &e.facts, s: e.facts.Snapshot, l: e.facts.Leases, m: m, now: e.judged(e.config.Now())}
	next := d.quarantined(addr)
	revision := e.facts.Leases.stored.at(addr).revision
	e.facts.Leases.inWork.set(addr, m.Client)
	e.mu.Unlock()
	err := e.promise(ctx, m.Client, next, revision)
	switch {
	case err == nil:
		e.locked(func() { e.heard(addr) })
		return nil
	case errors.Is(err, ErrConflict): // it is decided anew
		err = nil
	}
	e.locked(func() { e.facts.Leases.dropHold(m.Client) })
	return err
}
