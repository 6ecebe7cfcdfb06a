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
	e.facts.Leases.sweep(e.lookAtClock(now))
	Decide(e.facts, m, now, trace)
	return trace
}
