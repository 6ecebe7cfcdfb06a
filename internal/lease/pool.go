package lease

import (
	"iter"
	"math"
	"net/netip"
	"slices"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// poolSet orders the dynamic addresses of each VRF by how soon they can be
// given to a new client.
type poolSet map[int64]*pool

// pool is a tournament tree over the dynamic addresses of one VRF, which are
// sorted by address. A leaf's key is neverUsed, or the Unix time since when
// the address is free, or more than offeredLately, or unavailable; every inner
// node is the smaller key of its children. So the lowest never-used address and the least recently
// expired one of any prefix are found by the same search in O(log n), however
// full the pool is.
type pool struct {
	addrs []*ipam.Address
	tree  []int64 // tree[1] is the root, leaves start at len(addrs)
}

const (
	neverUsed   int64 = 0
	unavailable int64 = math.MaxInt64
	// offeredLately and the Unix time in ns when its offer ended is the key of an
	// address whose client may still accept it: the last to be offered.
	offeredLately int64 = 1 << 61
)

func lately(key int64) bool { return key >= offeredLately && key < unavailable }

func newPool(addrs []*ipam.Address) *pool {
	return &pool{addrs: addrs, tree: make([]int64, 2*len(addrs))}
}

// settle computes the inner nodes after leaves were set.
func (p *pool) settle() {
	for i := len(p.addrs) - 1; i > 0; i-- {
		p.tree[i] = min(p.tree[2*i], p.tree[2*i+1])
	}
}

// set changes one leaf and the nodes above it.
func (p *pool) set(position int, key int64) {
	i := position + len(p.addrs)
	p.tree[i] = key
	for i >>= 1; i > 0; i >>= 1 {
		p.tree[i] = min(p.tree[2*i], p.tree[2*i+1])
	}
}

// find returns the position of an address, if it is in the pool.
func (p *pool) find(addr netip.Addr) (int, bool) {
	return slices.BinarySearchFunc(p.addrs, addr, func(a *ipam.Address, host netip.Addr) int {
		return a.Address.Addr().Compare(host)
	})
}

// first returns the lowest position in [low, high) that has the smallest key
// there, and that key.
func (p *pool) first(low, high int) (position int, key int64) {
	key = unavailable
	n := len(p.addrs)
	// The nodes that cover [low, high) are met in address order on the left
	// side and in reverse order on the right side.
	var best int
	var right [64]int
	rights := 0
	for l, r := low+n, high+n; l < r; l, r = l>>1, r>>1 {
		if l&1 == 1 {
			if p.tree[l] < key {
				best, key = l, p.tree[l]
			}
			l++
		}
		if r&1 == 1 {
			r--
			right[rights] = r
			rights++
		}
	}
	for _, node := range slices.Backward(right[:rights]) {
		if p.tree[node] < key {
			best, key = node, p.tree[node]
		}
	}
	if key == unavailable {
		return 0, key
	}
	for best < n {
		best *= 2
		if p.tree[best] != key {
			best++
		}
	}
	return best - n, key
}

// key says how soon an address can be given to a new client.
func (l *Leases) key(a *ipam.Address) int64 {
	addr := a.Address.Addr()
	if _, held := l.holds[addr]; held || l.inWork[addr] != "" || l.infrastructure[addr] || reserved(a) {
		return unavailable
	}
	key := l.freeSince(a)
	if e, ok := l.ended[addr]; ok && e.key == key {
		return offeredLately + e.at.UnixNano()
	}
	return key
}

// freeSince is the key of an address by its leases alone.
func (l *Leases) freeSince(a *ipam.Address) int64 {
	addr := a.Address.Addr()
	b := l.binding(a, time.Time{}) // a binding that may still run counts
	if b.Client == "" {
		return neverUsed
	}
	free := b.Expires
	if stored, ok := l.stored[addr]; ok && stored.Expires.After(free) {
		free = stored.Expires
	}
	if b.Rival != "" && a.Record.Expires.After(free) {
		free = a.Record.Expires
	}
	return max(free.Add(time.Second-1).Unix(), 1) // rounded up
}

// reserved reports whether a dynamic address waits for the interface it is
// assigned to (N-6).
func reserved(a *ipam.Address) bool {
	return a.Interface != (ipam.InterfaceID{}) && a.Record.Client == ""
}

// touch recomputes the key of one address after anything about it changed.
func (l *Leases) touch(addr netip.Addr) {
	for _, set := range []poolSet{l.pools, l.pending} {
		for _, p := range set {
			if position, ok := p.find(addr); ok {
				p.set(position, l.key(p.addrs[position]))
			}
		}
	}
}

// parts are the positions in [low, high) without the nested networks of n, as
// ranges in order.
func (p *pool) parts(n *ipam.Subnet, low, high int) iter.Seq2[int, int] {
	return func(yield func(from, to int) bool) {
		for _, nested := range n.Apart() {
			from, to := ipam.Span(p.addrs, nested)
			if from >= to || from >= high {
				continue
			}
			if low < from && !yield(low, from) {
				return
			}
			low = max(low, to)
		}
		if low < high {
			yield(low, high)
		}
	}
}

// size is how many addresses the pool of n has.
func (l *Leases) size(n *ipam.Subnet) (size int) {
	p := l.pools[n.VRF]
	if p == nil {
		return 0
	}
	low, high := ipam.Span(p.addrs, n.Prefix.Prefix)
	for from, to := range p.parts(n, low, high) {
		size += to - from
	}
	return size
}
