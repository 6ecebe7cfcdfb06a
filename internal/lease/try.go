package lease

// Try is Handle for a caller that must not wait. It reports false, and has done
// nothing, where carrying the decision out would take time; Handle does it then. It
// neither changes nor keeps m.
func (e *Engine) Try(m *ClientMessage, trace *Trace) (Decision, bool) {
	m = e.config.Policy.identified(m)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.busy[m.Client] {
		return inWork(trace), true
	}
	e.keepOut(m)
	decision, judged := e.decideNow(m, trace)
	if e.waits(&decision) {
		return Decision{}, false
	}
	e.remember(m, &decision, judged)
	if said := decision.effect.answer; !said.at.IsZero() {
		e.facts.Leases.answered(m.Client, said)
	}
	return decision, true
}

// inWork is the answer to a message whose client has an earlier one in work (D-28).
func inWork(trace *Trace) Decision {
	trace.addf("D-28", "an earlier message of this client is still in work")
	return Decision{Rule: "D-28", Reason: ReasonBusy}
}

// waits reports whether carrying a decision out takes time: a commit, or an echo
// request.
func (e *Engine) waits(decision *Decision) bool {
	return decision.effect.change.Addr.IsValid() || e.toBeProbed(decision)
}

func (e *Engine) toBeProbed(decision *Decision) bool {
	effect := &decision.effect
	return decision.Verdict == Offer && (effect.mustProbe || effect.probe && e.config.probes())
}
