package bootfiles

import (
	"container/list"
	"net/netip"
	"sync"
	"time"
)

// slots bounds how many transfers run at once. A slot is pending until its
// client has shown that it is where it says it is. If all slots are taken, one is
// given up for a new client: the oldest pending one, else the slowest of those
// that have been slow for a while (BF-2).
type slots struct {
	total, each int
	fair        time.Duration // how long a transfer keeps its place at least

	mu      sync.Mutex
	taken   int
	clients map[netip.Prefix]int
	pending list.List // of *slot, oldest first
	working map[*slot]bool
}

const (
	fairTime = 10 * time.Second
	// fairRate is what keeps a place after the fair time, in bytes a second.
	fairRate = 64 << 10
)

// slot is one transfer's place. Its methods may be called from any goroutine.
type slot struct {
	of      *slots
	client  netip.Prefix
	giveUp  func()        // ends the transfer; may be called while slots is locked
	waiting *list.Element // in pending; nil: proved, given up or released
	gone    bool
	slow    bool   // given up for being slow
	cut     func() // ends a slow transfer instead of giveUp; nil: that one does

	since time.Time // begin of the time that is measured
	last  time.Time // when the client took something
	bytes int64     // taken by the client since then
	rate  int64     // in the time before, in bytes a second; -1: there was none
}

func newSlots(total, each int) *slots {
	return &slots{total: total, each: each, fair: fairTime, clients: make(map[netip.Prefix]int), working: make(map[*slot]bool)}
}

// host is what counts as one client: an IPv4 address, or the network of 64 bits
// in which an IPv6 host has all the addresses it wants.
func host(addr netip.Addr) netip.Prefix {
	bits := 32
	if addr.Is6() {
		bits = 64
	}
	network, _ := addr.WithZone("").Prefix(bits) // invalid only for the zero Addr, which is a client as well
	return network
}

// take returns a pending slot, or nil if the client has too many or all are
// taken by clients that keep them.
func (s *slots) take(addr netip.Addr, giveUp func()) *slot {
	s.mu.Lock()
	defer s.mu.Unlock()
	client := host(addr)
	if s.clients[client] >= s.each {
		return nil
	}
	if s.taken >= s.total {
		victim := s.victim(time.Now())
		if victim == nil {
			return nil
		}
		s.free(victim)
		if victim.slow && victim.cut != nil {
			victim.cut()
		} else {
			victim.giveUp()
		}
	}
	s.taken++
	s.clients[client]++
	t := &slot{of: s, client: client, giveUp: giveUp, rate: -1}
	t.waiting = s.pending.PushBack(t)
	return t
}

// victim is the slot to be given up for another client; nil: none.
func (s *slots) victim(now time.Time) *slot {
	if oldest := s.pending.Front(); oldest != nil {
		return oldest.Value.(*slot)
	}
	var slowest *slot
	least := int64(fairRate)
	for t := range s.working {
		if rate, known := t.speed(now); known && rate < least {
			slowest, least = t, rate
		}
	}
	if slowest != nil {
		slowest.slow = true
	}
	return slowest
}

// speed is how fast the client takes its file, in bytes a second, once that can
// be told.
func (t *slot) speed(now time.Time) (rate int64, known bool) {
	if now.Sub(t.last) >= t.of.fair && now.Sub(t.since) >= t.of.fair {
		return 0, true // whatever the buffers on the way took before
	}
	if took := now.Sub(t.since); took >= t.of.fair {
		return t.bytes * int64(time.Second) / int64(took), true
	}
	return t.rate, t.rate >= 0
}

// took counts what the client took of a file.
func (t *slot) took(bytes int) {
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	now := time.Now()
	t.bytes, t.last = t.bytes+int64(bytes), now
	if now.Sub(t.since) >= t.of.fair {
		t.rate, _ = t.speed(now)
		t.since, t.bytes = now, 0
	}
}

// onSlow sets what ends the transfer if it is too slow, instead of giveUp.
func (t *slot) onSlow(cut func()) {
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	t.cut = cut
}

// wasSlow reports whether the slot was given up for being slow.
func (t *slot) wasSlow() bool {
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	return t.slow
}

// proved keeps the slot from being given up for others, while it is not slow.
func (t *slot) proved() {
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	if t.waiting != nil {
		t.of.pending.Remove(t.waiting)
		t.waiting = nil
		if t.since.IsZero() { // many small requests are no way to stay new
			t.since = time.Now()
		}
		t.of.working[t] = true
	}
}

// idle makes a proved slot pending again.
func (t *slot) idle() {
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	if t.waiting == nil && !t.gone {
		delete(t.of.working, t)
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
	delete(s.working, t)
	if t.waiting != nil {
		s.pending.Remove(t.waiting)
		t.waiting = nil
	}
	s.taken--
	if s.clients[t.client]--; s.clients[t.client] == 0 {
		delete(s.clients, t.client)
	}
}

// ofClient is how many slots a client has.
func (s *slots) ofClient(client netip.Addr) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clients[host(client)]
}
