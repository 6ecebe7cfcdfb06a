package receive

import "sync/atomic"

// Tally counts what the handlers of one chain do with messages, for those that show it
// (WEB-8). Explanations do not count.
type Tally struct{ handlers []handlerTally }

// handlerTally is what one handler did. Readers count side by side, so each has a line of
// the processor's cache to itself.
type handlerTally struct {
	calls, ends, panics atomic.Uint64
	_                   [64 - 3*8]byte
}

// NewTally counts for a chain of these handlers.
func NewTally(chain []Link) *Tally { return &Tally{handlers: make([]handlerTally, len(chain))} }

// Count is what one handler did since the start.
type Count struct {
	Calls  uint64 // messages it was asked about
	Ends   uint64 // of them, those after which no later handler was asked
	Panics uint64 // of them, those that it broke off
}

// Counts is what each handler did, in the order of the chain.
func (t *Tally) Counts() []Count {
	if t == nil {
		return nil
	}
	list := make([]Count, len(t.handlers))
	for i := range t.handlers {
		h := &t.handlers[i]
		list[i] = Count{Calls: h.calls.Load(), Ends: h.ends.Load(), Panics: h.panics.Load()}
	}
	return list
}

// of is where a handler counts; nil: it does not.
func (t *Tally) of(handler int, rehearsal bool) *handlerTally {
	if t == nil || rehearsal || handler < 0 || handler >= len(t.handlers) {
		return nil
	}
	return &t.handlers[handler]
}

func (h *handlerTally) called() {
	if h != nil {
		h.calls.Add(1)
	}
}

func (h *handlerTally) ended() {
	if h != nil {
		h.ends.Add(1)
	}
}

func (h *handlerTally) broke() {
	if h != nil {
		h.panics.Add(1)
	}
}
