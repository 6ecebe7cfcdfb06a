package lease

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// promiseTime is how long the store may take for a change that a reply rests on,
// from the decision on. A client asks again after 4 s (RFC 2131 section 4.1).
const promiseTime = 3 * time.Second

// leastWait is what a group has in any case, however long its messages waited.
const leastWait = 500 * time.Millisecond

// ErrWaits says that a message cannot be decided without waiting: Handle does it.
var ErrWaits = errors.New("the decision has to wait for something")

// Promise is a decision that rests on a change of the store. Until Keep has kept it
// nothing of it may be told to the client (S-1), whose other messages are not
// answered meanwhile (D-28). Each ends with Keep if it is kept, and else with Again
// or Drop. The decision must not change before.
type Promise struct {
	engine   *Engine
	client   ClientID
	static   bool      // its reply may leave although nothing was stored
	decision *Decision // the caller's
	began    time.Time
	left     int   // attempts, this one included
	open     bool  // it has a place in Disk, and its address is in work
	stands   bool  // what it says may be told
	ended    bool  // the client's next message is let in
	err      error // how the write ended
}

// Start is Handle for a caller that must not wait, and that has room for the decision.
// Where that rests on a change of the store it comes with a Promise. ErrWaits says that
// nothing was done, and Handle is to be asked; other errors are those of Handle. It
// does not keep m.
func (e *Engine) Start(decision *Decision, m *ClientMessage, trace *Trace) (*Promise, error) {
	m = e.config.Policy.identified(m)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.busy[m.Client] {
		*decision = inWork(trace)
		return nil, nil
	}
	e.keepOut(m)
	return e.start(decision, m, attempts, trace)
}

// Again decides the message of a promise anew, as Start does, that was not kept: the
// lease had changed meanwhile, or the store failed.
func (p *Promise) Again(decision *Decision, m *ClientMessage, trace *Trace) (*Promise, error) {
	e := p.engine
	m = e.config.Policy.identified(m)
	e.mu.Lock()
	defer e.mu.Unlock()
	p.end()
	if !errors.Is(p.err, ErrConflict) {
		*decision = *p.decision
		return nil, e.troubled(m, decision, p.err, trace)
	}
	trace.addf("S-2", "%s changed in the store meanwhile", p.decision.effect.change.Addr)
	if p.left == 1 {
		*decision = contested(trace)
		return nil, nil
	}
	return e.start(decision, m, p.left-1, trace)
}

// start decides, and has the effects on memory unless it takes time to carry the
// decision out. The client is not busy.
func (e *Engine) start(decision *Decision, m *ClientMessage, left int, trace *Trace) (*Promise, error) {
	judged := e.decideNow(decision, m, trace)
	if e.toBeProbed(decision) {
		return nil, ErrWaits
	}
	change := decision.effect.change.Addr.IsValid()
	if change && !e.Disk.Take() {
		if needsNoStore(m, decision) { // H-5
			e.remember(m, decision, judged)
			e.giveUp(decision.effect.change.Addr)
			return nil, nil
		}
		return nil, e.troubled(m, decision, fmt.Errorf("store lease of %s: %w", decision.effect.change.Addr, ErrCrowded), trace)
	}
	e.remember(m, decision, judged)
	if !change {
		e.said(m.Client, decision.effect.answer)
		return nil, nil
	}
	e.busy[m.Client] = true
	return &Promise{engine: e, client: m.Client, static: needsNoStore(m, decision), decision: decision, began: time.Now(), left: left, open: true}, nil
}

// Began is when the decision was made.
func (p *Promise) Began() time.Time { return p.began }

// Kept reports whether Keep has ended the promise, so that the reply may leave.
func (p *Promise) Kept() bool { return p.stands }

// Drop ends a promise that is not kept, as if its message had been lost. On one that
// has ended it does nothing.
func (p *Promise) Drop() {
	e := p.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	if p.open {
		e.giveUp(p.decision.effect.change.Addr)
	}
	p.close()
	p.end()
}

// close gives the place back.
func (p *Promise) close() {
	if p.open {
		p.open = false
		p.engine.Disk.Leave()
	}
}

// end lets the client's next message in.
func (p *Promise) end() {
	if !p.ended {
		p.ended = true
		delete(p.engine.busy, p.client)
	}
}

// Keep makes the changes of a group durable with one write to each store they
// belong to. It takes as long as the disk does, but each store not longer than 3 s. Promises
// that are not kept then are still to be ended.
func Keep(group []*Promise) {
	for len(group) > 0 {
		e, others := group[0].engine, group[:0:0]
		of := group[:0:0]
		for _, p := range group {
			if p.engine == e {
				of = append(of, p)
			} else {
				others = append(others, p)
			}
		}
		e.keep(of)
		group = others
	}
}

// keptGroup is memory for a group, which the next one takes over: a store keeps nothing
// of a group.
type keptGroup struct {
	changes []Change
	writes  []write
}

func (g *keptGroup) clear() {
	clear(g.changes)
	clear(g.writes)
	g.changes, g.writes = g.changes[:0], g.writes[:0]
}

// keep is Keep for promises of one engine, oldest first.
func (e *Engine) keep(group []*Promise) {
	ctx, cancel := context.WithTimeout(context.Background(), max(promiseTime-time.Since(group[0].began), leastWait))
	defer cancel()
	w := e.groups.Get().(*keptGroup)
	defer e.groups.Put(w)
	defer w.clear()
	for _, p := range group {
		w.changes = append(w.changes, Change{p.decision.effect.change, p.decision.effect.revision})
		w.writes = append(w.writes, write{client: p.client})
	}
	changes, writes := w.changes, w.writes
	e.write(ctx, changes, writes)
	e.mu.Lock()
	defer e.mu.Unlock()
	for i, p := range group {
		e.settle(&changes[i], &writes[i])
		p.close()
		p.err = writes[i].err
		if p.err != nil && (errors.Is(p.err, ErrConflict) || !p.static) {
			continue
		}
		p.stands = true
		p.end()
		if p.err == nil {
			e.said(p.client, p.decision.effect.answer)
		}
	}
}
