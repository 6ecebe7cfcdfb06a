// Package counted finds the counter of a packet without looking its labels up
// each time.
package counted

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// Vec is a vector of counters that are found by what their labels are made of. A
// counter is shown once it was asked for. The keys must be few, as labels must. Safe
// for concurrent use.
type Vec[K comparable] struct {
	*prometheus.CounterVec
	labels func(K) []string

	mu    sync.Mutex                               // held by who adds to known
	known atomic.Pointer[map[K]prometheus.Counter] // it does not change
}

// New returns vec with the labels that a key stands for, in the order of vec.
func New[K comparable](vec *prometheus.CounterVec, labels func(K) []string) *Vec[K] {
	v := &Vec[K]{CounterVec: vec, labels: labels}
	v.known.Store(new(map[K]prometheus.Counter))
	return v
}

// Of returns the counter of a key.
func (v *Vec[K]) Of(key K) prometheus.Counter {
	if c := (*v.known.Load())[key]; c != nil {
		return c
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	more := make(map[K]prometheus.Counter)
	maps.Copy(more, *v.known.Load())
	more[key] = v.WithLabelValues(v.labels(key)...)
	v.known.Store(&more)
	return more[key]
}
