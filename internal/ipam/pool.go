package ipam

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"
)

// Pool is the addresses of one VRF that new clients can be given: objects, and
// addresses of ranges that need none. Each has a position, in the order of
// addresses. It takes memory for each gap between them, not for each address. A nil
// Pool is empty.
type Pool struct {
	runs []run
}

// run is addresses of a pool without a gap.
type run struct {
	span
	at int // position of the first
}

// span is all addresses from the first to the last.
type span struct{ first, last uint32 }

// number is an IPv4 address as a number.
func number(addr netip.Addr) uint32 {
	b := addr.As4()
	return binary.BigEndian.Uint32(b[:])
}

// addrOf is the reverse of number.
func addrOf(n uint32) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], n)
	return netip.AddrFrom4(b)
}

func spanOf(p netip.Prefix) span { return span{number(p.Masked().Addr()), number(LastAddr(p))} }

func (s span) size() int { return int(s.last-s.first) + 1 }

func (s span) has(n uint32) bool { return s.first <= n && n <= s.last }

func (s span) holds(other span) bool { return s.first <= other.first && other.last <= s.last }

func (s span) meets(other span) bool { return s.first <= other.last && other.first <= s.last }

// without is what holes, which it sorts, leave of s.
func (s span) without(holes []span) (rest []span) {
	slices.SortFunc(holes, func(a, b span) int { return cmp.Compare(a.first, b.first) })
	next := uint64(s.first)
	for _, hole := range holes {
		if !hole.meets(s) {
			continue
		}
		if uint64(hole.first) > next {
			rest = append(rest, span{uint32(next), hole.first - 1}) //nolint:gosec // G115: below hole.first
		}
		next = max(next, uint64(hole.last)+1)
	}
	if next <= uint64(s.last) {
		rest = append(rest, span{uint32(next), s.last}) //nolint:gosec // G115: at most s.last
	}
	return rest
}

// newPool joins spans, which it sorts and of which no two have an address in common.
func newPool(spans []span) *Pool {
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.first, b.first) })
	p := new(Pool)
	for _, s := range spans {
		if n := len(p.runs); n > 0 && uint64(p.runs[n-1].last)+1 == uint64(s.first) {
			p.runs[n-1].last = s.last
			continue
		}
		p.runs = append(p.runs, run{s, p.Len()})
	}
	p.runs = slices.Clip(p.runs)
	return p
}

// Len is how many addresses the pool has.
func (p *Pool) Len() int {
	if p == nil || len(p.runs) == 0 {
		return 0
	}
	last := p.runs[len(p.runs)-1]
	return last.at + last.size()
}

// Addr is the address at a position, which is at least 0 and below Len.
func (p *Pool) Addr(position int) netip.Addr {
	i, found := slices.BinarySearchFunc(p.runs, position, func(r run, at int) int { return cmp.Compare(r.at, at) })
	if !found {
		i--
	}
	return addrOf(p.runs[i].first + uint32(position-p.runs[i].at)) //nolint:gosec // G115: inside the run
}

// Find returns the position of an address, if it is in the pool.
func (p *Pool) Find(addr netip.Addr) (position int, ok bool) {
	if p == nil || !addr.Is4() {
		return 0, false
	}
	position, ok = p.from(number(addr))
	return position, ok
}

// Span returns the positions of the addresses in prefix, the second one excluded.
func (p *Pool) Span(prefix netip.Prefix) (low, high int) {
	if p == nil || !prefix.Addr().Is4() {
		return 0, 0
	}
	s := spanOf(prefix)
	low, _ = p.from(s.first)
	high, found := p.from(s.last)
	if found {
		high++
	}
	return low, high
}

// from returns the position of the first address that is n or above, and whether it
// is n.
func (p *Pool) from(n uint32) (position int, found bool) {
	i, _ := slices.BinarySearchFunc(p.runs, n, func(r run, n uint32) int { return cmp.Compare(r.last, n) })
	switch {
	case i == len(p.runs):
		return p.Len(), false
	case p.runs[i].has(n):
		return p.runs[i].at + int(n-p.runs[i].first), true
	}
	return p.runs[i].at, false
}
