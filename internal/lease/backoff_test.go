package lease

import (
	"net/netip"
	"testing"
	"time"
)

// a static address that is declined again and again, as by a forger, is one
// entry, and it rests until a minute after the last time.
func TestAMillionDeclinesOfOneAddressAreOneEntry(t *testing.T) {
	l := NewLeases(&Policy{})
	now := time.Unix(1_000_000, 0)
	addr, other := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	for i := range 1_000_000 {
		now = now.Add(100 * time.Microsecond)
		l.backOff(addr, now.Add(staticBackoff))
		if i == 500_000 {
			l.backOff(other, now.Add(staticBackoff))
		}
		l.sweep(now)
		if len(l.backoff) > 2 || len(l.backoffQueue) > 2 {
			t.Fatalf("after %d: %d addresses, %d entries", i+1, len(l.backoff), len(l.backoffQueue))
		}
	}
	l.sweep(now.Add(staticBackoff - time.Millisecond))
	if until := l.backoff[addr]; !until.Equal(now.Add(staticBackoff)) {
		t.Errorf("rests until %v", until)
	}
	if _, rests := l.backoff[other]; rests {
		t.Error("another address rests for too long")
	}
	l.sweep(now.Add(staticBackoff))
	if len(l.backoff) != 0 || len(l.backoffQueue) != 0 {
		t.Errorf("%v, %v", l.backoff, l.backoffQueue)
	}
}
