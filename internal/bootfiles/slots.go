package bootfiles

import (
	"container/list"
	"net/netip"
	"sync"
	"time"
)

// slots bounds how many transfers run at once. A slot is pending until its
// client has shown that it is where it says it is; if all slots are taken the
// oldest pending one is given up for a new request, so that a flood of forged
// senders cannot keep real ones out.
type slots struct {
	total, each int

	mu      sync.Mutex
	taken   int
	clients map[netip.Addr]int
	pending list.List // of *slot, oldest first
}

// slot is one transfer's place. Its methods may be called from any goroutine.
type slot struct {
	of      *slots
	client  netip.Addr
	giveUp  func()        // ends the transfer; may be called while slots is locked
	waiting *list.Element // in pending; nil: proved, given up or released
	gone    bool
}

func newSlots(total, each int) *slots {
	return &slots{total: total, each: each, clients: make(map[netip.Addr]int)}
}

// take returns a pending slot, or nil if the client has too many or all are
// taken by proved clients.
func (s *slots) take(client netip.Addr, giveUp func()) *slot {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.clients[client] >= s.each {
		return nil
	}
	if s.taken >= s.total {
		oldest := s.pending.Front()
		if oldest == nil {
			return nil
		}
		victim := oldest.Value.(*slot)
		s.free(victim)
		victim.giveUp()
	}
	s.taken++
	s.clients[client]++
	t := &slot{of: s, client: client, giveUp: giveUp}
	t.waiting = s.pending.PushBack(t)
	return t
}

// proved keeps the slot from being given up for others.
func (t *slot) proved() {
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	if t.waiting != nil {
		t.of.pending.Remove(t.waiting)
		t.waiting = nil
	}
}

// idle makes a proved slot pending again.
func (t *slot) idle() {
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	if t.waiting == nil && !t.gone {
		t.waiting = t.of.pending.PushBack(t)
	}
}

// release gives the slot back. A second call does nothing.
func (t *slot) release() {
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	t.of.free(t)
}

func (s *slots) free(t *slot) {
	if t.gone {
		return
	}
	t.gone = true
	if t.waiting != nil {
		s.pending.Remove(t.waiting)
		t.waiting = nil
	}
	s.taken--
	if s.clients[t.client]--; s.clients[t.client] == 0 {
		delete(s.clients, t.client)
	}
}

const (
	// maxRate is how many TFTP requests of one address are looked at in a
	// second. GRUB asks for some hundred small files as fast as it gets them.
	maxRate = 300
	// maxSources bounds what is remembered of a flood of forged addresses.
	maxSources = 4096
)

// rate counts requests by source address, anew each second.
type rate struct {
	second int64
	counts map[netip.Addr]int
}

// allow counts one request. It is for one goroutine.
func (r *rate) allow(source netip.Addr, now time.Time) bool {
	if second := now.Unix(); second != r.second || r.counts == nil {
		r.second, r.counts = second, make(map[netip.Addr]int)
	}
	n, known := r.counts[source]
	if n >= maxRate || !known && len(r.counts) >= maxSources {
		return false
	}
	r.counts[source] = n + 1
	return true
}
