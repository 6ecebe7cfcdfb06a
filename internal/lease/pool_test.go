package lease

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// poolOf has n addresses, two apart.
func poolOf(n int) *pool {
	addrs := make([]*ipam.Address, n)
	for i := range addrs {
		host := netip.AddrFrom4([4]byte{10, 0, byte(i >> 7), byte(i << 1)})
		addrs[i] = &ipam.Address{ID: int64(i + 1), Address: netip.PrefixFrom(host, 16)}
	}
	return newPool(addrs)
}

// scan is tournament.first by looking at every leaf.
func (t tournament) scan(low, high int) (position int, key int64) {
	key = unavailable
	for i := low; i < high; i++ {
		if k := t.leaves()[i]; k < key {
			position, key = i, k
		}
	}
	return position, key
}

func TestPoolFindsWhatAScanFinds(t *testing.T) {
	keys := rapid.OneOf(rapid.Just(neverUsed), rapid.Just(unavailable), rapid.Int64Range(1, 5))
	rapid.Check(t, func(t *rapid.T) {
		tree := make(tournament, 2*rapid.IntRange(0, 70).Draw(t, "size"))
		for i := range tree.leaves() {
			tree.leaves()[i] = keys.Draw(t, "key")
		}
		tree.settle()
		for range rapid.IntRange(1, 20).Draw(t, "steps") {
			if n := len(tree.leaves()); n > 0 && rapid.Bool().Draw(t, "change") {
				tree.set(rapid.IntRange(0, n-1).Draw(t, "position"), keys.Draw(t, "key"))
			}
			low := rapid.IntRange(0, len(tree.leaves())).Draw(t, "low")
			high := rapid.IntRange(low, len(tree.leaves())).Draw(t, "high")
			position, key := tree.first(low, high)
			if wantPosition, wantKey := tree.scan(low, high); position != wantPosition || key != wantKey {
				t.Fatalf("first of %d to %d is %d with key %d, a scan finds %d with %d", low, high, position, key, wantPosition, wantKey)
			}
		}
	})
}

func TestPoolFindsAddresses(t *testing.T) {
	p := poolOf(300)
	for i, a := range p.addrs {
		if position, ok := p.find(a.Address.Addr()); !ok || position != i {
			t.Fatalf("%s found at %d, %v; want %d", a.Address, position, ok, i)
		}
		if _, ok := p.find(a.Address.Addr().Next()); ok {
			t.Fatalf("%s found, it is not in the pool", a.Address.Addr().Next())
		}
	}
}

// verify checks that every pool agrees with a fresh look at every address.
func (l *Leases) verify() error {
	for vrf, p := range l.pools {
		for i, a := range p.addrs {
			got := keys{p.free.leaves()[i], p.unused.leaves()[i], p.used.leaves()[i]}
			if want := l.keys(a); got != want {
				return fmt.Errorf("VRF %d: keys of %s are %v, want %v", vrf, a.Address, got, want)
			}
		}
		for _, t := range []tournament{p.free, p.unused, p.used} {
			for i := len(p.addrs) - 1; i > 0; i-- {
				if want := min(t[2*i], t[2*i+1]); t[i] != want {
					return fmt.Errorf("VRF %d: inner node %d is %d, want %d", vrf, i, t[i], want)
				}
			}
		}
	}
	for addr, h := range l.holds {
		if l.heldBy[h.client] != addr {
			return fmt.Errorf("%s is held by %s, who holds %s", addr, h.client, l.heldBy[h.client])
		}
	}
	if len(l.holds) != len(l.heldBy) {
		return fmt.Errorf("%d holds, %d holders", len(l.holds), len(l.heldBy))
	}
	counted := make(map[share]int32)
	for _, h := range l.holds {
		counted[h.share]++
	}
	delete(counted, share{})
	if len(counted) != len(l.shares) {
		return fmt.Errorf("%d shares, want %d", len(l.shares), len(counted))
	}
	for s, n := range counted {
		list, linked := l.shares[s], int32(0)
		for addr := list.oldest; addr.IsValid(); addr = l.holds[addr].newer {
			linked++
		}
		if list.n != n || linked != n {
			return fmt.Errorf("share %v: %d holds, %d counted, %d linked", s, n, list.n, linked)
		}
	}
	for addr, stored := range l.stored.all() {
		if client := l.clientOf(stored.Lease); !slices.Contains(l.byClient[client], addr) {
			return fmt.Errorf("%s is not listed under %s", addr, client)
		}
	}
	return nil
}
