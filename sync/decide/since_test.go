package decide

import (
	"net/netip"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
)

// A lease is active since its client first had it, and ended since it was missed.
func TestALeaseIsActiveSinceItsClientHasIt(t *testing.T) {
	l := newLab(t)
	place := plan.Place{Addr: netip.MustParseAddr("10.8.4.33")}
	first := l.w.now
	l.scope.lease("10.8.4.33", pc, "a")
	hour := func() { l.w.now = l.w.now.Add(time.Hour); l.run() }
	l.run()
	hour()
	if since := l.w.memory.Leases[place].Since; !since.Equal(first) {
		t.Errorf("active since %s, want %s", since, first)
	}
	for i := range l.scope.leases {
		l.scope.leases[i].ClientID = cam
	}
	hour()
	if since := l.w.memory.Leases[place].Since; !since.Equal(l.w.now) {
		t.Errorf("another client's since %s, want %s", since, l.w.now)
	}
}
