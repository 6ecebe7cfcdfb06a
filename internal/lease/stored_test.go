package lease

import (
	"maps"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"
)

// Nothing of a lease is lost while it is packed.
func TestPackedLeases(t *testing.T) {
	at := time.Date(2026, 11, 29, 14, 5, 6, 0, time.UTC)
	full := Lease{
		Addr: optionalAddr("255.1.0.10"), Client: "id/01:02", Hardware: "02:00:00:00:00:01", State: Quarantined, Expires: at, Hostname: "pc-1",
		InterfaceKind: 2, InterfaceID: 1 << 40, ByPort: true, Unsynced: true, SyncedAt: at.Add(7 * time.Microsecond), ToldClient: "02:00:00:00:00:02", ToldExpires: at.Add(-time.Hour),
	}
	told := full
	told.ToldClient = told.Client
	for name, l := range map[string]Lease{
		"all of it":                  full,
		"told of the same client":    told,
		"times that are not set":     {Addr: full.Addr, Client: full.Client, State: Released},
		"the beginning of time":      {Addr: full.Addr, Expires: time.Unix(0, 0).UTC(), SyncedAt: time.Unix(0, 0).UTC()},
		"an expiry that never comes": {Addr: full.Addr, Expires: forever().UTC()},
	} {
		var leases storedLeases
		want := storedLease{l, 7}
		leases.set(want)
		if got, ok := leases.find(l.Addr); !ok || got != want {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

// Places are used again, and hold what a map would.
func TestStoredLeasesAreAsInAMap(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var leases storedLeases
	model := make(map[netip.Addr]storedLease)
	for i := range 5000 {
		addr := netip.AddrFrom4([4]byte{10, 0, 0, byte(random.IntN(64))})
		if random.IntN(3) == 0 {
			leases.remove(addr)
			delete(model, addr)
		} else {
			l := storedLease{Lease{Addr: addr, Client: alice, State: Bound}, Revision(i)}
			leases.set(l)
			model[addr] = l
		}
		if leases.len() != len(model) {
			t.Fatalf("%d leases after step %d, want %d", leases.len(), i, len(model))
		}
	}
	if got := maps.Collect(leases.all()); !maps.Equal(got, model) {
		t.Errorf("got %v, want %v", got, model)
	}
	if leases.used > 64 {
		t.Errorf("%d places for 64 addresses", leases.used)
	}
	for addr := range leases.all() {
		leases.remove(addr)
	}
	if leases.len() != 0 {
		t.Errorf("%d leases are left", leases.len())
	}
	v6 := netip.MustParseAddr("2001:db8::1")
	leases.remove(v6)
	if _, ok := leases.find(v6); ok {
		t.Error("an IPv6 address is found")
	}
}
