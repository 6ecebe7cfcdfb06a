package lease

// Why decides about m once more and returns the reasons, without carrying
// anything out. It is for the few refusals that are logged: a trace of every
// message would slow all of them. The state may have changed since m was
// decided; the trace then says what holds now.
func (e *Engine) Why(m ClientMessage) *Trace {
	trace := new(Trace)
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.config.Now()
	judged := e.judged(now)
	e.facts.Leases.sweep(e.facts.Steady, judged)
	Decide(&e.facts, &m, now, trace)
	return trace
}

// Rehearse decides about m and carries nothing out: no lease, no hold, no probe,
// nothing a later message is decided by (C-1). It is for explain, also on an engine
// that serves clients. The decision may be overtaken by the next packet. trace may
// be nil.
func (e *Engine) Rehearse(m ClientMessage, trace *Trace) Decision {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.config.Now()
	e.lookAtClock(now)
	decision := Decide(&e.facts, &m, now, trace)
	if e.store == nil && decision.effect.change.Addr.IsValid() {
		_ = e.troubled(&m, &decision, ErrNoStore, trace) // a rehearsal is in no trouble
	}
	return decision
}
