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

// pool is the dynamic addresses of one VRF, sorted by address. Each is in one of its
// trees at most. So the lowest never-used address, the least recently expired one and
// the offer that ended first are found in O(log n) in any prefix, however full it is.
type pool struct {
	addrs []*ipam.Address
	free  tournament // keys: neverUsed, or the Unix time since when it is free or will be
	// unused and used are the addresses whose client may still accept an offer that
	// ended, apart by whether the address was never used. Keys: when it ended, in
	// ns of Unix time.
	unused, used tournament
}

// tournament is a tree over the keys of a pool: leaves start in the middle, and each
// node above is the smaller key of its children. tree[1] is the root.
type tournament []int64

const (
	neverUsed   int64 = 0
	unavailable int64 = math.MaxInt64 // not in this tree
)

// keys are the leaves of one address.
type keys struct{ free, unused, used int64 }

func newPool(addrs []*ipam.Address) *pool {
	p := &pool{addrs: addrs, free: make(tournament, 2*len(addrs))}
	p.unused, p.used = newTournament(len(addrs)), newTournament(len(addrs))
	return p
}

// newTournament has n leaves, all unavailable.
func newTournament(n int) tournament {
	t := make(tournament, 2*n)
	for i := range t {
		t[i] = unavailable
	}
	return t
}

// leaves are the keys by position.
func (t tournament) leaves() []int64 { return t[len(t)/2:] }

// settle computes the inner nodes after leaves were set.
func (t tournament) settle() {
	for i := len(t)/2 - 1; i > 0; i-- {
		t[i] = min(t[2*i], t[2*i+1])
	}
}

// set changes one leaf and the nodes above it, as far as they change.
func (t tournament) set(position int, key int64) {
	for i := position + len(t)/2; i > 0 && t[i] != key; i >>= 1 {
		t[i] = key
		if i > 1 {
			key = min(t[i], t[i^1])
		}
	}
}

// set changes the keys of one address.
func (p *pool) set(position int, k keys) {
	p.free.set(position, k.free)
	p.unused.set(position, k.unused)
	p.used.set(position, k.used)
}

// find returns the position of an address, if it is in the pool.
func (p *pool) find(addr netip.Addr) (int, bool) {
	return slices.BinarySearchFunc(p.addrs, addr, func(a *ipam.Address, host netip.Addr) int {
		return a.Address.Addr().Compare(host)
	})
}

// first returns the lowest position in [low, high) that has the smallest key
// there, and that key.
func (t tournament) first(low, high int) (position int, key int64) {
	key = unavailable
	n := len(t) / 2
	// The nodes that cover [low, high) are met in address order on the left
	// side and in reverse order on the right side.
	var best int
	var right [64]int
	rights := 0
	for l, r := low+n, high+n; l < r; l, r = l>>1, r>>1 {
		if l&1 == 1 {
			if t[l] < key {
				best, key = l, t[l]
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
		if t[node] < key {
			best, key = node, t[node]
		}
	}
	if key == unavailable {
		return 0, key
	}
	for best < n {
		best *= 2
		if t[best] != key {
			best++
		}
	}
	return best - n, key
}

// keys say how soon an address can be given to a new client.
func (l *Leases) keys(a *ipam.Address) keys {
	addr, k := a.Address.Addr(), keys{unavailable, unavailable, unavailable}
	if _, held := l.holds[addr]; held || l.inWork[addr] != "" || l.infrastructure[addr] || reserved(a) {
		return k
	}
	since := l.freeSince(a)
	switch e, ended := l.ended[addr]; {
	case !ended || e.key != since:
		k.free = since
	case since == neverUsed:
		k.unused = e.at.UnixNano()
	default:
		k.used = e.at.UnixNano()
	}
	return k
}

// freeSince is the key of an address by its leases alone.
func (l *Leases) freeSince(a *ipam.Address) int64 {
	addr := a.Address.Addr()
	b := l.binding(a, time.Time{}) // a binding that may still run counts
	if b.Client == "" {
		return neverUsed
	}
	free := b.Expires
	if stored, ok := l.stored.find(addr); ok && stored.Expires.After(free) {
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
				p.set(position, l.keys(p.addrs[position]))
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
