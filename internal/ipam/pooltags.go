package ipam

import (
	"slices"
)

// Positions are the positions of a pool from the first to the one before To.
type Positions struct{ From, To int }

// poolTags are the tags that conditions in contexts name for the pools of their
// clients (OPT-14).
type poolTags struct {
	ids   map[string]int64 // by the name in the context; 0: no such tag
	parts map[int64]map[int64][]Positions
}

// HasPoolTags reports whether a condition in a context names a tag that NetBox has.
func (s *Snapshot) HasPoolTags() bool { return len(s.poolTags.parts) > 0 }

// PoolTag returns the id of the tag that a condition in a context names; 0: NetBox has
// no such tag.
func (s *Snapshot) PoolTag(name string) int64 { return s.poolTags.ids[name] }

// Tagged returns where the pool of a VRF has addresses with a tag that conditions
// name, in order.
func (s *Snapshot) Tagged(vrf, tag int64) []Positions { return s.poolTags.parts[tag][vrf] }

// HasTag reports whether the address has a tag, or the range that it is one of. An
// object that was made for a lease is one of its range as before (S-17).
func (s *Snapshot) HasTag(a *Address, id int64) bool {
	if a.Range != nil {
		return slices.Contains(a.Range.Tags, id)
	}
	if slices.Contains(a.Tags, id) {
		return true
	}
	p, in := s.madeIn(a)
	return in && slices.Contains(p.of.Tags, id)
}

// namePoolTag finds the tag that a condition names. One that NetBox lacks is reported
// and does not count, so that a misspelt name takes no address from its clients.
func (b *builder) namePoolTag(object, name string) {
	found := tagsNamed(b.s.objects.Tags, name)
	if len(found) == 0 {
		b.problemf(object, "pool_tag %q: NetBox has no such tag, so it does not count: create it or correct the name", name)
		return
	}
	if b.s.poolTags.ids == nil {
		b.s.poolTags.ids = make(map[string]int64)
	}
	b.s.poolTags.ids[name] = found[0]
}

// indexPoolTags finds the addresses with the tags that conditions name.
func (b *builder) indexPoolTags() {
	s := b.s
	s.poolTags.parts = make(map[int64]map[int64][]Positions)
	for _, tag := range s.poolTags.ids {
		if s.poolTags.parts[tag] != nil {
			continue
		}
		parts := make(map[int64][]Positions)
		for vrf, p := range s.pools {
			if list := s.tagged(vrf, p, tag); len(list) > 0 {
				parts[vrf] = list
			}
		}
		s.poolTags.parts[tag] = parts
	}
}

// tagged finds the addresses of one pool with a tag.
func (s *Snapshot) tagged(vrf int64, p *Pool, tag int64) (list []Positions) {
	for _, piece := range s.pieces[vrf] {
		if piece.loss != Present || !slices.Contains(piece.of.Tags, tag) {
			continue
		}
		for _, free := range piece.free(s.hosts[vrf]) {
			if from, ok := p.from(free.first); ok {
				list = append(list, Positions{from, from + free.size()})
			}
		}
	}
	for _, a := range s.dynamic[vrf] {
		if position, ok := p.Find(a.Address.Addr()); ok && s.HasTag(a, tag) {
			list = append(list, Positions{position, position + 1})
		}
	}
	slices.SortFunc(list, func(a, b Positions) int { return a.From - b.From })
	joined := list[:0]
	for _, one := range list {
		if n := len(joined); n > 0 && joined[n-1].To == one.From {
			joined[n-1].To = one.To
			continue
		}
		joined = append(joined, one)
	}
	return slices.Clip(joined)
}
