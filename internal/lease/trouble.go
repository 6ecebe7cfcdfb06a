package lease

import (
	"errors"
	"time"
)

// minRemaining is the shortest time worth acknowledging without the store.
const minRemaining = time.Minute

// troubled is the answer when a wait ended badly, or found no place: silence,
// except that a client which renews keeps its running lease for the time that is
// left, since that needs no write. Clients in other states may have lost the
// address to another server's client unseen (H-3, H-4, B-9).
func (e *Engine) troubled(m *ClientMessage, decision Decision, err error, trace *Trace) Decision {
	silent := Decision{Rule: "H-3", Reason: ReasonStoreFailed}
	if errors.Is(err, ErrCrowded) {
		silent = Decision{Rule: "B-9", Reason: ReasonCrowded}
	}
	if decision.Verdict != Ack || decision.State != Renewing {
		return silent
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.judged(e.config.Now())
	a := e.facts.Snapshot.Address(decision.Subnet.VRF, decision.Addr.Addr())
	if a == nil {
		return silent
	}
	b := e.facts.Leases.bindingFor(m, a, now, e.facts.Steady)
	left := min(b.Expires.Sub(now).Truncate(time.Second), decision.Time)
	if b.Client != m.Client || !b.running(now) || left < minRemaining {
		return silent
	}
	trace.addf("H-4", "the store failed: acknowledged for the %s that are left", left)
	decision.Rule, decision.Time = "H-4", left
	return decision
}
