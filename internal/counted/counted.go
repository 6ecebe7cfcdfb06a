// Package counted finds the counter of a packet without looking its labels up
// each time.
package counted

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// Vec is a vector of counters that are found by what their labels are made of. A
// counter is shown once it was asked for. The keys must be few, as labels must. Safe
// for concurrent use.
type Vec[K comparable] struct {
	*prometheus.CounterVec
	labels func(K) []string

	mu    sync.RWMutex
	known map[K]prometheus.Counter
}

// New returns vec with the labels that a key stands for, in the order of vec.
func New[K comparable](vec *prometheus.CounterVec, labels func(K) []string) *Vec[K] {
	return &Vec[K]{CounterVec: vec, labels: labels, known: make(map[K]prometheus.Counter)}
}

// Of returns the counter of a key.
func (v *Vec[K]) Of(key K) prometheus.Counter {
	v.mu.RLock()
	c := v.known[key]
	v.mu.RUnlock()
	if c != nil {
		return c
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	c = v.WithLabelValues(v.labels(key)...)
	v.known[key] = c
	return c
}
