package ipam

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/gaissmai/bart"
)

// Names that the mirror of Windows servers gives ranges; they are fixed.
const (
	scopeTag  = "windows-dhcp"
	scopeRole = "dhcp-scope"
)

// piece is a part of a range that is a pool: without smaller prefixes and without
// what another range has.
type piece struct {
	span
	of   *Range
	bits int
	loss Loss // that its addresses stand under
}

// Pool returns the addresses of a VRF that new clients can be given; nil: none.
func (s *Snapshot) Pool(vrf int64) *Pool { return s.pools[vrf] }

// RangePool is a range that is a pool, and how many addresses it has that are no
// objects.
type RangePool struct {
	*Range
	Subnet *Subnet // the smallest one that holds the range; nil: none
	Free   int     // addresses without an object that new clients can be given
}

// RangePools returns the ranges of a VRF that give new leases, by address.
func (s *Snapshot) RangePools(vrf int64) (list []RangePool) {
	for _, p := range s.pieces[vrf] {
		if p.loss != Present {
			continue
		}
		if n := len(list); n == 0 || list[n-1].Range != p.of {
			n, _ := s.subnetIn(vrf, addrOf(p.first))
			list = append(list, RangePool{Range: p.of, Subnet: n})
		}
		list[len(list)-1].Free += p.size() - s.objectsIn(vrf, p)
	}
	return list
}

// objectsIn is how many addresses of a piece are objects.
func (s *Snapshot) objectsIn(vrf int64, p piece) int {
	hosts := s.hosts[vrf]
	low, _ := slices.BinarySearch(hosts, p.first)
	high, found := slices.BinarySearch(hosts, p.last)
	if found {
		high++
	}
	return high - low
}

// ofRange returns the address of a range that is a pool, as if NetBox had an object
// for it with the mask of the range; nil: there is no such range.
func (s *Snapshot) ofRange(vrf int64, host netip.Addr) *Address {
	if len(s.pieces[vrf]) == 0 || !host.Is4() {
		return nil
	}
	p, ok := s.pieceAt(vrf, number(host))
	if !ok {
		return nil
	}
	return &Address{Address: netip.PrefixFrom(host, p.bits), VRF: vrf, Status: "active", Loss: p.loss, Range: p.of}
}

// OfRange reports whether Address gives an address of a range, without making it.
func (s *Snapshot) OfRange(vrf int64, host netip.Addr) bool {
	if len(s.pieces[vrf]) == 0 || !host.Is4() || s.object(vrf, host) != nil {
		return false
	}
	_, ok := s.pieceAt(vrf, number(host))
	return ok
}

func (s *Snapshot) pieceAt(vrf int64, n uint32) (piece, bool) {
	list := s.pieces[vrf]
	i, _ := slices.BinarySearchFunc(list, n, func(p piece, n uint32) int { return cmp.Compare(p.last, n) })
	if i == len(list) || !list[i].has(n) {
		return piece{}, false
	}
	return list[i], true
}

// madeIn returns the part of a range that a is in, an object that was made for a
// lease; false: it is none, or its range is no pool any more.
func (s *Snapshot) madeIn(a *Address) (piece, bool) {
	if !a.Made || !a.Address.Addr().Is4() {
		return piece{}, false
	}
	return s.pieceAt(a.VRF, number(a.Address.Addr()))
}

// indexPools orders all that can be leased, of the ranges that are pools and of
// objects.
func (b *builder) indexPools() {
	s := b.s
	s.hosts, s.pools = make(map[int64][]uint32), make(map[int64]*Pool)
	for _, p := range b.pooled {
		b.aboutPool(p.of, p.rest)
	}
	for vrf, hosts := range s.byHost {
		for host := range hosts {
			if _, in := s.pieceAt(vrf, host); in {
				s.hosts[vrf] = append(s.hosts[vrf], host)
			}
		}
	}
	spans := make(map[int64][]span)
	for vrf, list := range s.pieces {
		slices.Sort(s.hosts[vrf])
		for _, p := range list {
			if p.loss == Present {
				spans[vrf] = append(spans[vrf], p.free(s.hosts[vrf])...)
			}
		}
	}
	for vrf, list := range s.dynamic {
		for _, a := range list {
			n := number(a.Address.Addr())
			spans[vrf] = append(spans[vrf], span{n, n})
		}
	}
	for vrf, list := range spans {
		if len(list) > 0 {
			s.pools[vrf] = newPool(list)
		}
	}
}

// free is what hosts, which are in order, leave of a piece.
func (p piece) free(hosts []uint32) []span {
	low, _ := slices.BinarySearch(hosts, p.first)
	var holes []span
	for _, n := range hosts[low:] {
		if n > p.last {
			break
		}
		holes = append(holes, span{n, n})
	}
	return p.without(holes)
}

// pooledRange is a range that is a pool, and what of it can be leased.
type pooledRange struct {
	of   *Range
	rest []span
}

// cutRanges leaves of each range that is a pool what clients can be given. Where
// two overlap, the one that NetBox shows comes first, then the one with the lower id.
// gateway is an address that no client gets.
func (b *builder) cutRanges(gateway netip.Addr) {
	s, children := b.s, b.prefixesByVRF()
	s.pieces = make(map[int64][]piece)
	ids := slices.SortedFunc(maps.Keys(s.objects.Ranges), func(a, b int64) int {
		return cmp.Or(cmp.Compare(s.objects.Ranges[a].Loss, s.objects.Ranges[b].Loss), cmp.Compare(a, b))
	})
	for _, id := range ids {
		r := s.objects.Ranges[id]
		loss, isPool := b.poolLoss(r)
		if !isPool {
			continue
		}
		all := span{number(r.Start), number(r.End)}
		holes := children[r.VRF].inside(all)
		if gateway.Is4() {
			holes = append(holes, span{number(gateway), number(gateway)})
		}
		list := s.pieces[r.VRF]
		for i, _ := slices.BinarySearchFunc(list, all.first, func(p piece, n uint32) int { return cmp.Compare(p.last, n) }); i < len(list) && list[i].meets(all); i++ {
			if r.Loss == Present && list[i].of.Loss == Present {
				b.problemf(describeRange(r), "overlaps %s, which counts where both hold an address; shrink one of them (rule N-14)", describeRange(list[i].of))
			}
			holes = append(holes, list[i].span)
		}
		rest := all.without(holes)
		for _, part := range rest {
			bits := r.Bits
			if bits == 0 {
				bits = 32
			}
			list = append(list, piece{span: part, of: r, bits: bits, loss: loss})
		}
		slices.SortFunc(list, func(a, b piece) int { return cmp.Compare(a.first, b.first) })
		s.pieces[r.VRF] = list
		b.pooled = append(b.pooled, pooledRange{r, rest})
	}
}

// poolLoss reports whether a range is a pool, and what its addresses stand under:
// a tag or role that the settings have left supports no new lease (T-6).
func (b *builder) poolLoss(r *Range) (Loss, bool) {
	s := b.s
	if s.objects.NoPools || r.Status != "active" || !r.Start.Is4() || !r.End.Is4() || r.End.Less(r.Start) {
		return Present, false
	}
	loss, marked := s.poolRoles[r.Role.ID]
	switch {
	case s.dynamicTag != 0 && slices.Contains(r.Tags, s.dynamicTag):
		if !marked || s.lostTag < loss {
			loss, marked = s.lostTag, true
		}
	case s.formerTag != 0 && slices.Contains(r.Tags, s.formerTag) && !marked:
		loss, marked = Lost, true
	}
	if !marked {
		return Present, false
	}
	if why := b.scope(r); why != "" {
		b.problemf(describeRange(r), "marked as a pool, and %s: a range of a Windows DHCP server is never a pool; take one of the marks from it (rule N-15)", why)
		return Present, false
	}
	return max(loss, r.Loss, s.lostVRFs[r.VRF]), true
}

// scope says how a range shows that it is a scope of a Windows server; "": it does
// not.
func (b *builder) scope(r *Range) string {
	isScope := func(id int64) bool { return b.s.objects.Tags[id] != nil && b.s.objects.Tags[id].Slug == scopeTag }
	switch {
	case r.Managed:
		return "the field dhcp_server or dhcp_failover has a value"
	case r.Role.Slug == scopeRole:
		return "it has the role " + scopeRole
	case slices.ContainsFunc(r.Tags, isScope):
		return "it has the tag " + scopeTag
	}
	return ""
}

// aboutPool says what people should know of a range that is a pool, of which rest
// can be leased.
func (b *builder) aboutPool(r *Range, rest []span) {
	if r.Loss != Present {
		return
	}
	if r.Populated {
		b.problemf(describeRange(r), "a pool that is marked as populated: NetBox takes no IP addresses in it, neither from people nor for write_back: leased; unmark it (rule N-17)")
	}
	n := b.s.smallest(r.VRF, r.Start)
	for n != nil && !spanOf(n.Prefix.Prefix).holds(span{number(r.Start), number(r.End)}) {
		n = n.wider
	}
	switch {
	case n == nil:
		b.problemf(describeRange(r), "a pool that no active or reserved prefix of its VRF holds whole: nothing is leased from it; make the prefix, or one range for each prefix (rule N-16)")
	case len(rest) == 0:
		b.problemf(describeRange(r), "a pool of which smaller prefixes hold all addresses: nothing is leased from it; give each of them a range (rule N-16)")
	case r.Bits != 0 && r.Bits != 32 && r.Bits != n.Prefix.Prefix.Bits():
		b.problemf(describePrefix(n.Prefix), "%s has another mask, /%d: clients are told the mask of the range; correct one of them (rule R-2)", describeRange(r), r.Bits)
	}
}

func describeRange(r *Range) string {
	return fmt.Sprintf("IP range %s-%s (id %d)", r.Start, r.End, r.ID)
}

// prefixSet is the prefixes of one VRF, of any status.
type prefixSet struct {
	known bart.Lite
	spans []span // by first address
}

func (b *builder) prefixesByVRF() map[int64]*prefixSet {
	sets := make(map[int64]*prefixSet)
	if len(b.s.objects.Ranges) == 0 {
		return sets
	}
	for _, p := range b.s.objects.Prefixes {
		if !p.Prefix.Addr().Is4() {
			continue
		}
		if sets[p.VRF] == nil {
			sets[p.VRF] = new(prefixSet)
		}
		sets[p.VRF].known.Insert(p.Prefix)
		sets[p.VRF].spans = append(sets[p.VRF].spans, spanOf(p.Prefix))
	}
	for _, set := range sets {
		slices.SortFunc(set.spans, func(a, b span) int { return cmp.Compare(a.first, b.first) })
	}
	return sets
}

// inside returns the prefixes that hold a part of s, but not all of it.
func (p *prefixSet) inside(s span) (list []span) {
	if p == nil {
		return nil
	}
	i, _ := slices.BinarySearchFunc(p.spans, s.first, func(x span, n uint32) int { return cmp.Compare(x.first, n) })
	for _, x := range p.spans[i:] {
		if x.first > s.last {
			break
		}
		if !x.holds(s) {
			list = append(list, x)
		}
	}
	// Those that begin before s.
	for bits := range 33 {
		wide := netip.PrefixFrom(addrOf(s.first), bits).Masked()
		if x := spanOf(wide); !x.holds(s) && p.known.Get(wide) {
			list = append(list, x)
		}
	}
	return list
}
