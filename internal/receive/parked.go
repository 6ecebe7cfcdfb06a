package receive

import (
	"net/netip"
	"sync"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// parked is a packet whose reply rests on a change that is not durable yet.
type parked struct {
	packet  *packet
	outcome Outcome
	in      arrivedBy
	local   map[netip.Addr]bool
}

// dropPromise ends the promise of a packet that no worker has room for.
func (p *packet) dropPromise() {
	if p.promise != nil {
		p.promise.Drop()
		p.promise = nil
	}
}

// parkingLot is where packets wait for the keeper. Their number is bounded by the
// places of the lease engine (B-9).
type parkingLot struct {
	mu      sync.Mutex
	waiting []parked
	came    chan struct{} // holds one
}

// add leaves a packet; wake has to follow.
func (l *parkingLot) add(k parked) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = append(l.waiting, k)
}

// wake tells the keeper that packets wait, if any does.
func (l *parkingLot) wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) == 0 {
		return
	}
	select {
	case l.came <- struct{}{}:
	default:
	}
}

// take returns all that wait. spare is where others wait meanwhile.
func (l *parkingLot) take(spare []parked) []parked {
	l.mu.Lock()
	defer l.mu.Unlock()
	group := l.waiting
	l.waiting = spare
	return group
}

// replyKeeper has changes made durable, as many at once as have come during the write
// before, and sends the replies that rest on them (B-16).
type replyKeeper struct {
	*Server
	outs map[*listener]*outbox
}

// keep is the keeper's work until stop.
func (s *Server) keep(stop <-chan struct{}) {
	k := replyKeeper{s, make(map[*listener]*outbox)}
	for _, l := range s.listeners {
		k.outs[l] = s.newOutbox(l)
	}
	var spare []parked
	for {
		select {
		case <-s.parked.came:
		case <-stop:
			return
		}
		group := s.parked.take(spare)
		k.keepGroup(group)
		clear(group)
		spare = group[:0]
	}
}

// keepGroup keeps the promises of a group, and ends its packets.
func (k *replyKeeper) keepGroup(group []parked) {
	if len(group) == 0 {
		return
	}
	promises := make([]*lease.Promise, len(group))
	for i := range group {
		promises[i] = group[i].outcome.Exchange.Promise
	}
	tried := k.guarded(group[0].packet, func() { lease.Keep(promises) })
	done := make([]*packet, 0, len(group))
	for i := range group {
		if k.end(&group[i], tried) {
			done = append(done, group[i].packet)
		}
	}
	for _, out := range k.outs {
		out.flush()
	}
	for _, p := range done { // whose replies have left
		k.finish(p)
	}
	k.parked.wake() // of those that were decided anew
}

// end answers a packet whose promise was kept, and decides about another one anew. It
// reports whether the packet is done with, but for its reply.
func (k *replyKeeper) end(of *parked, tried bool) bool {
	p, promise, done := of.packet, of.outcome.Exchange.Promise, true
	ok := k.guarded(p, func() {
		switch {
		case promise.Kept():
			of.outcome.Exchange.Promised(of.outcome.Exchange)
			k.conclude(p, &of.outcome, of.in, of.local, k.outs[p.via])
		case tried:
			p.promise = promise
			done = k.attend(p, k.outs[p.via])
		}
	})
	if !ok || !tried {
		promise.Drop()
		k.working.end(p)
	}
	return done
}

// guarded runs fn, which is about p, and reports whether it did not panic (B-3).
func (k *replyKeeper) guarded(p *packet, fn func()) (ok bool) {
	defer func() {
		if cause := recover(); cause != nil {
			k.meter.panicked(cause, noHandler, p.bytes())
		}
	}()
	fn()
	return true
}
