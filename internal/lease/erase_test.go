package lease

import (
	"net/netip"
	"testing"
	"time"
)

// HI-8: records of ended leases forget their client; running leases stay.
func TestEndedLeasesForgetTheirClient(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	addr := func(n byte) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, n}) }
	store := NewMemoryStore(
		Lease{Addr: addr(1), Client: "A", State: Bound, Expires: now.Add(time.Hour), Hostname: "a"},
		Lease{Addr: addr(2), Client: "A", Hardware: "H", State: Bound, Expires: now.Add(-time.Hour), Hostname: "a", ToldClient: "H", ToldExpires: now, SyncedAt: now, InterfaceID: 7},
		Lease{Addr: addr(3), Client: "A", State: Released, Expires: now.Add(time.Minute), Hostname: "a"},
		Lease{Addr: addr(4), Client: "B", State: Released, Expires: now.Add(-time.Hour), Hostname: "b"},
	)
	e, err := NewEngine(t.Context(), Config{Store: store, Now: func() time.Time { return now }, WriteBack: true, MakeObjects: true, Policy: Policy{ReclaimGrace: 10 * time.Second}})
	if err != nil {
		t.Fatal(err)
	}
	ofA := func(l Lease) bool { return l.Client == "A" }
	if erased, running, err := e.EraseEnded(t.Context(), ofA, false); erased != 2 || running != 1 || err != nil {
		t.Fatalf("%d, %d, %v", erased, running, err)
	}
	if l, _, err := store.Lease(t.Context(), addr(2)); err != nil || l.Client != "A" {
		t.Fatalf("nothing was to be done: %+v, %v", l, err)
	}
	if erased, running, err := e.EraseEnded(t.Context(), ofA, true); erased != 2 || running != 1 || err != nil {
		t.Fatalf("%d, %d, %v", erased, running, err)
	}
	for n, want := range map[byte]ClientID{1: "A", 2: Declined, 3: Declined, 4: "B"} {
		l, _, err := store.Lease(t.Context(), addr(n))
		if err != nil || l.Client != want || want == Declined && (l.Hostname+string(l.Hardware)+string(l.ToldClient) != "" || l.InterfaceID != 0 || l.State != Released || !l.Expires.Before(now) || !l.Unsynced) {
			t.Errorf("%d: %+v, %v", n, l, err)
		}
		if known, _ := e.Lease(addr(n)); known.Client != want {
			t.Errorf("%d: the engine knows %+v", n, known)
		}
	}
	if erased, running, err := e.EraseEnded(t.Context(), ofA, true); erased != 0 || running != 1 || err != nil {
		t.Errorf("again: %d, %d, %v", erased, running, err)
	}
}
