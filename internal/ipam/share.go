package ipam

// Sharer gives one copy of equal texts and lists: a hundred thousand addresses have
// few statuses, roles and sets of tags. The zero value is ready.
type Sharer struct {
	texts map[string]string
	lists map[tagSet][]int64
}

// tagSet is a list of tags that is short enough to be shared.
type tagSet struct {
	n   int
	ids [4]int64
}

// Text returns a text equal to t.
func (s *Sharer) Text(t string) string {
	if known, ok := s.texts[t]; ok {
		return known
	}
	if s.texts == nil {
		s.texts = make(map[string]string)
	}
	s.texts[t] = t
	return t
}

// IDs returns a list equal to list, neither of which may change afterwards.
func (s *Sharer) IDs(list []int64) []int64 {
	key := tagSet{n: len(list)}
	if list == nil || len(list) > len(key.ids) {
		return list
	}
	copy(key.ids[:], list)
	if known, ok := s.lists[key]; ok {
		return known
	}
	if s.lists == nil {
		s.lists = make(map[tagSet][]int64)
	}
	s.lists[key] = list
	return list
}
