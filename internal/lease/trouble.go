package lease

import (
	"errors"
	"fmt"
	"time"
)

// minRemaining is the shortest time worth acknowledging without the store.
const minRemaining = time.Minute

// troubled makes decision the answer when a wait ended badly, or found no place: silence,
// except that a client which renews keeps its running lease for the time that is
// left, since that needs no write. Clients in other states may have lost the
// address to another server's client unseen (H-3, H-4, B-9). The lock is held.
func (e *Engine) troubled(m *ClientMessage, decision *Decision, err error, trace *Trace) error {
	told := fmt.Errorf("%s from %s: %w", m.Type, m.Client, err)
	if left := e.remaining(m, decision); left >= minRemaining {
		trace.addf("H-4", "the store failed: acknowledged for the %s that are left", left)
		decision.Rule, decision.Time = "H-4", left
		return told
	}
	*decision = Decision{Rule: "H-3", Reason: ReasonStoreFailed}
	if errors.Is(err, ErrCrowded) {
		*decision = Decision{Rule: "B-9", Reason: ReasonCrowded}
	}
	return told
}

// remaining is for how long the client that is to be acknowledged may go on without
// a write: 0 unless it renews.
func (e *Engine) remaining(m *ClientMessage, decision *Decision) time.Duration {
	if decision.Verdict != Ack || decision.State != Renewing {
		return 0
	}
	now := e.judged(e.config.Now())
	a := e.facts.Snapshot.Address(decision.Subnet.VRF, decision.Addr.Addr())
	if a == nil {
		return 0
	}
	b := e.facts.Leases.bindingFor(m, a, now, e.facts.Steady)
	if b.Client != m.Client || !b.running(now) {
		return 0
	}
	return min(b.Expires.Sub(now).Truncate(time.Second), decision.Time)
}
