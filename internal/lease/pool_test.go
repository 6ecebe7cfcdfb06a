package lease

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// scan is tournament.first by looking at every leaf.
func (t *tournament) scan(low, high int) (position int, key int64) {
	key = unavailable
	for i := low; i < high; i++ {
		if k := t.at(i); k < key {
			position, key = i, k
		}
	}
	return position, key
}

// inOrder reports a node that is not the smaller key of its children, or that has
// nothing but the usual key below it.
func (t *tournament) inOrder() error {
	used := 0
	var check func(n uint32, height int) error
	check = func(n uint32, height int) error {
		used++
		if height == 0 {
			if t.nodes[n].key == t.usual {
				return fmt.Errorf("leaf %d has the usual key", n)
			}
			return nil
		}
		children := t.nodes[n].children
		if children == [2]uint32{} {
			return fmt.Errorf("node %d has no children", n)
		}
		if want := min(t.keyOf(children[0]), t.keyOf(children[1])); t.nodes[n].key != want {
			return fmt.Errorf("inner node %d is %d, want %d", n, t.nodes[n].key, want)
		}
		for _, child := range children {
			if child == 0 {
				continue
			}
			if err := check(child, height-1); err != nil {
				return err
			}
		}
		return nil
	}
	if len(t.nodes) == 0 {
		return nil
	}
	if err := check(0, t.height()); err != nil {
		return err
	}
	if used+len(t.free) != len(t.nodes) {
		return fmt.Errorf("%d nodes in use, %d free, of %d", used, len(t.free), len(t.nodes))
	}
	return nil
}

func TestPoolFindsWhatAScanFinds(t *testing.T) {
	keys := rapid.OneOf(rapid.Just(neverUsed), rapid.Just(unavailable), rapid.Int64Range(1, 5))
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(0, 70).Draw(t, "size")
		tree := newTournament(size, rapid.SampledFrom([]int64{neverUsed, unavailable}).Draw(t, "usual"))
		want := slices.Repeat([]int64{tree.usual}, size)
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			if size > 0 && rapid.Bool().Draw(t, "change") {
				position, key := rapid.IntRange(0, size-1).Draw(t, "position"), keys.Draw(t, "key")
				tree.set(position, key)
				want[position] = key
			}
			if err := tree.inOrder(); err != nil {
				t.Fatal(err)
			}
			for i, key := range want {
				if got := tree.at(i); got != key {
					t.Fatalf("key of %d is %d, want %d", i, got, key)
				}
			}
			low := rapid.IntRange(0, size).Draw(t, "low")
			high := rapid.IntRange(low, size).Draw(t, "high")
			position, key := tree.first(low, high)
			if wantPosition, wantKey := tree.scan(low, high); position != wantPosition || key != wantKey {
				t.Fatalf("first of %d to %d is %d with key %d, a scan finds %d with %d", low, high, position, key, wantPosition, wantKey)
			}
			others := 0
			for _, key := range want[low:high] {
				if key != tree.usual {
					others++
				}
			}
			tree.each(low, high, func(position int, key int64) {
				others--
				if want[position] != key || key == tree.usual {
					t.Fatalf("position %d is visited with key %d", position, key)
				}
			})
			if others != 0 {
				t.Fatalf("%d keys were not visited", others)
			}
		}
	})
}

// verify checks that every pool agrees with a fresh look at every address.
func (l *Leases) verify() error {
	for vrf, p := range l.pools {
		for i := range p.Len() {
			a := l.snapshot.Address(vrf, p.Addr(i))
			got := keys{p.free.at(i), p.unused.at(i), p.used.at(i)}
			if want := l.keys(a); got != want {
				return fmt.Errorf("VRF %d: keys of %s are %v, want %v", vrf, a.Address, got, want)
			}
		}
		for _, t := range []*tournament{p.free, p.unused, p.used} {
			if err := t.inOrder(); err != nil {
				return fmt.Errorf("VRF %d: %w", vrf, err)
			}
		}
	}
	for addr, h := range l.holds.all() {
		if l.heldBy[h.client] != addr {
			return fmt.Errorf("%s is held by %s, who holds %s", addr, h.client, l.heldBy[h.client])
		}
	}
	if len(l.holds) != len(l.heldBy) {
		return fmt.Errorf("%d holds, %d holders", len(l.holds), len(l.heldBy))
	}
	counted := make(map[share]int32)
	for _, h := range l.holds.all() {
		counted[h.share]++
	}
	delete(counted, share{})
	if len(counted) != len(l.shares) {
		return fmt.Errorf("%d shares, want %d", len(l.shares), len(counted))
	}
	for s, n := range counted {
		list, linked := l.shares[s], int32(0)
		for addr := list.oldest; addr.IsValid(); addr = l.holds.at(addr).newer {
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
