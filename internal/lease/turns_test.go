package lease

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// manyLeases are n running leases.
func manyLeases(n int) (list []Lease) {
	for i := range n {
		list = append(list, Lease{
			Addr: netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), Client: ClientID(fmt.Sprintf("02:00:00:%02X:%02X:%02X", i>>16, i>>8&255, i&255)),
			State: Bound, Expires: start.Truncate(time.Second).Add(time.Hour),
		})
	}
	return list
}

// WEB-6: who looks often gets the same leases, in slices between which packets have
// their turn.
func TestLeasesInTurnsAreAllLeases(t *testing.T) {
	want := manyLeases(3*slice + 7)
	r := newRig(t, newMemStore(want...), nil)
	if diff := cmp.Diff(r.LeasesInTurns(), want, cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(time.Time.Equal)); diff != "" {
		t.Error(diff)
	}
	var beside sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	beside.Go(func() {
		for ctx.Err() == nil {
			r.locked(func() {
				r.facts.Leases.stored.remove(want[5].Addr)
				r.facts.Leases.stored.set(storedLease{Lease: want[5], revision: 2})
			})
		}
	})
	for range 20 {
		list := r.LeasesInTurns()
		if !slices.IsSortedFunc(list, func(a, b Lease) int { return a.Addr.Compare(b.Addr) }) || len(list) < len(want)-1 || len(list) > len(want) {
			t.Errorf("%d leases", len(list))
		}
	}
	stop()
	beside.Wait()
}
