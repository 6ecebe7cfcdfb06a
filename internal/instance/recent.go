package instance

import (
	"container/list"
	"sync"
	"sync/atomic"
)

// mostRecent is how many things a recent remembers. Packets tell of them, so there is
// no end of them.
const mostRecent = 1024

// recent remembers things that packets told of. Those that were not told of for the
// longest time are forgotten first. The zero value is empty; it is safe for concurrent
// use.
type recent[K comparable, V any] struct {
	size   atomic.Int32 // read without the lock, since most servers have none
	mu     sync.Mutex
	oldest *list.List // of *remembered[K, V], the one told of last at the end
	known  map[K]*list.Element
}

type remembered[K comparable, V any] struct {
	key   K
	value V
}

// note changes what is remembered of a key, which is the zero V at first.
func (r *recent[K, V]) note(key K, change func(*V)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.oldest == nil {
		r.oldest, r.known = list.New(), make(map[K]*list.Element)
	}
	e := r.known[key]
	if e == nil {
		if r.oldest.Len() == mostRecent {
			r.remove(r.oldest.Front())
		}
		e = r.oldest.PushBack(&remembered[K, V]{key: key})
		r.known[key] = e
		r.size.Add(1)
	}
	r.oldest.MoveToBack(e)
	change(&e.Value.(*remembered[K, V]).value)
}

func (r *recent[K, V]) remove(e *list.Element) {
	delete(r.known, r.oldest.Remove(e).(*remembered[K, V]).key)
	r.size.Add(-1)
}

func (r *recent[K, V]) forget(key K) {
	if r.size.Load() == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.known[key]; e != nil {
		r.remove(e)
	}
}

// those returns what is remembered and wanted, the one told of last first.
func (r *recent[K, V]) those(wanted func(*V) bool) []V {
	r.mu.Lock()
	defer r.mu.Unlock()
	found := []V{}
	if r.oldest == nil {
		return found
	}
	for e := r.oldest.Back(); e != nil; e = e.Prev() {
		if v := &e.Value.(*remembered[K, V]).value; wanted(v) {
			found = append(found, *v)
		}
	}
	return found
}
