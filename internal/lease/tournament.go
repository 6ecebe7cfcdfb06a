package lease

import (
	"math"
	"math/bits"
)

// tournament is a tree over the keys of the positions of a pool. Each node has the
// smallest key below it, so the lowest position that has it is found in O(log n).
// What has the usual key has no node: the tree is as big as what differs.
type tournament struct {
	usual int64
	size  int    // positions
	nodes []node // the first one is the root; empty: all keys are the usual one
	free  []uint32
}

// node is a subtree of a tournament. A child that is 0 has the usual key everywhere.
type node struct {
	key      int64
	children [2]uint32
}

const (
	neverUsed   int64 = 0
	unavailable int64 = math.MaxInt64 // not in this tree
)

// newTournament has size positions with the usual key.
func newTournament(size int, usual int64) *tournament { return &tournament{usual: usual, size: size} }

// height is how many nodes are above the leaves, at most 63.
func (t *tournament) height() int { return bits.Len(uint(max(t.size-1, 0))) }

// at is the key of one position.
func (t *tournament) at(position int) int64 {
	if len(t.nodes) == 0 {
		return t.usual
	}
	n := uint32(0)
	for level := t.height() - 1; level >= 0; level-- {
		if n = t.nodes[n].children[position>>level&1]; n == 0 {
			return t.usual
		}
	}
	return t.nodes[n].key
}

// set changes the key of one position.
func (t *tournament) set(position int, key int64) {
	if len(t.nodes) == 0 {
		if key == t.usual {
			return
		}
		t.nodes = append(t.nodes, node{key: t.usual})
	}
	var path [64]uint32 // from the root
	height := t.height()
	n := uint32(0)
	for depth := range height {
		path[depth] = n
		side := position >> (height - 1 - depth) & 1
		next := t.nodes[n].children[side]
		if next == 0 {
			if key == t.usual {
				return
			}
			next = t.add()
			t.nodes[n].children[side] = next
		}
		n = next
	}
	t.nodes[n].key = key
	path[height] = n
	t.settle(path[:height+1], position)
}

// settle computes the nodes above a leaf that was set, and drops those below which
// all has the usual key again.
func (t *tournament) settle(path []uint32, position int) {
	height := len(path) - 1
	n := path[height]
	empty := t.nodes[n].key == t.usual
	for depth := height - 1; depth >= 0; depth-- {
		side := position >> (height - 1 - depth) & 1
		above := path[depth]
		if empty {
			t.nodes[above].children[side] = 0
			t.free = append(t.free, n)
		}
		p := &t.nodes[above]
		p.key = min(t.keyOf(p.children[0]), t.keyOf(p.children[1]))
		n, empty = above, p.children == [2]uint32{}
	}
	if empty {
		t.nodes, t.free = nil, nil
	}
}

// add returns a new node without children.
func (t *tournament) add() uint32 {
	if last := len(t.free) - 1; last >= 0 {
		n := t.free[last]
		t.free = t.free[:last]
		t.nodes[n] = node{key: t.usual}
		return n
	}
	t.nodes = append(t.nodes, node{key: t.usual})
	return uint32(len(t.nodes) - 1) //nolint:gosec // G115: bounded by the addresses of IPv4
}

// keyOf is the smallest key below a child.
func (t *tournament) keyOf(child uint32) int64 {
	if child == 0 {
		return t.usual
	}
	return t.nodes[child].key
}

// first returns the lowest position in [low, high) that has the smallest key there,
// and that key; 0 and unavailable where there is none.
func (t *tournament) first(low, high int) (position int, key int64) {
	s := search{t: t, low: low, high: high, key: unavailable}
	switch {
	case low >= high:
	case len(t.nodes) == 0:
		s.offer(low, t.usual)
	default:
		s.below(0, 0, t.height())
	}
	return s.position, s.key
}

// search looks for the smallest key in [low, high), and keeps the best so far.
type search struct {
	t         *tournament
	low, high int
	position  int
	key       int64
}

func (s *search) offer(position int, key int64) {
	if key < s.key {
		s.position, s.key = position, key
	}
}

// below searches the subtree of a node, whose first position is from.
func (s *search) below(n uint32, from, height int) {
	size := 1 << height
	if from >= s.high || from+size <= s.low || s.t.nodes[n].key >= s.key {
		return
	}
	if height == 0 {
		s.offer(from, s.t.nodes[n].key)
		return
	}
	for side, child := range s.t.nodes[n].children {
		start := from + side*size/2
		switch {
		case child != 0:
			s.below(child, start, height-1)
		case start < s.high && start+size/2 > s.low:
			s.offer(max(start, s.low), s.t.usual)
		}
	}
}

// each calls fn for the positions in [low, high) that have a key other than the usual
// one, in order.
func (t *tournament) each(low, high int, fn func(position int, key int64)) {
	if len(t.nodes) > 0 && low < high {
		t.walk(0, 0, t.height(), low, high, fn)
	}
}

func (t *tournament) walk(n uint32, from, height, low, high int, fn func(position int, key int64)) {
	size := 1 << height
	if from >= high || from+size <= low {
		return
	}
	if height == 0 {
		fn(from, t.nodes[n].key)
		return
	}
	for side, child := range t.nodes[n].children {
		if child != 0 {
			t.walk(child, from+side*size/2, height-1, low, high, fn)
		}
	}
}
