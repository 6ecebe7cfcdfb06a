//go:build linux

package hostile

import (
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"
)

// ledger is what the hour is judged by. Times are those of the test's monotonic
// clock, which no injected step reaches.
type ledger struct {
	mu       sync.Mutex
	phase    string
	owners   map[netip.Addr]ownership
	asked    map[string]int // by kind of client
	unserved map[string]int
	faults   []string // wrong refusals and addresses with two owners
	silent   []string // clients that got no answer, by phase and what they asked
}

type ownership struct {
	client string
	until  time.Time
}

func newLedger() *ledger {
	return &ledger{owners: make(map[netip.Addr]ownership), asked: make(map[string]int), unserved: make(map[string]int)}
}

// enter names what goes on from now on.
func (l *ledger) enter(phase string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.phase = phase
}

// granted notes an ACK: addr is the client's for a time.
func (l *ledger) granted(client string, addr netip.Addr, period time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if o, ok := l.owners[addr]; ok && o.client != client && o.until.After(now) {
		l.faults = append(l.faults, fmt.Sprintf("%s: %s was given to %s, and is %s's for another %s", l.phase, addr, client, o.client, o.until.Sub(now).Round(time.Second)))
	}
	l.owners[addr] = ownership{client, now.Add(period)}
}

// refused notes a NAK for a client that has a right to what it asked for.
func (l *ledger) refused(client, what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults = append(l.faults, fmt.Sprintf("%s: %s was refused: %s", l.phase, client, what))
}

// exchange notes whether a client was served in the end, after repeating itself.
func (l *ledger) exchange(kind, client, what string, served bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked[kind]++
	if !served {
		l.unserved[kind]++
		l.silent = append(l.silent, fmt.Sprintf("%s: %s %s: %s", l.phase, kind, client, what))
	}
}

// judge fails the test for each wrong refusal, each address with two owners and
// each known host that was not served.
func (l *ledger) judge(t *testing.T) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, fault := range l.faults {
		if i == 20 {
			t.Errorf("and %d more", len(l.faults)-i)
			break
		}
		t.Error(fault)
	}
	for kind, n := range l.asked {
		t.Logf("%s: %d exchanges, %d without an answer", kind, n, l.unserved[kind])
	}
	if l.unserved[known] == 0 {
		return
	}
	t.Errorf("%d of %d exchanges of known hosts got no answer", l.unserved[known], l.asked[known])
	for i, line := range l.silent[:min(20, len(l.silent))] {
		t.Errorf("%d: %s", i+1, line)
	}
}
