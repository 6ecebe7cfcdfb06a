// Package fault picks the requests that a stand-in fails on demand. It must
// not know how a stand-in fails: that is the stand-in's own F.
package fault

import (
	"context"
	"strings"
	"sync"
	"time"
)

// Faults are the ones that are asked for, oldest first. The zero value has
// none. It is safe for concurrent use.
type Faults[F any] struct {
	mu    sync.Mutex
	armed []*armed[F]
}

type armed[F any] struct {
	fault        F
	after, times int
}

// Add makes fault happen: after requests that match are let through first, and
// the next times requests fail; 0: all others, until Clear.
func (f *Faults[F]) Add(fault F, after, times int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if times == 0 {
		times = -1
	}
	f.armed = append(f.armed, &armed[F]{fault, after, times})
}

// Clear ends all faults.
func (f *Faults[F]) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed = nil
}

// Take counts a request and gives its fault, the oldest one that matches; nil:
// the request is let through.
func (f *Faults[F]) Take(matches func(F) bool) *F {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range f.armed {
		if a.times == 0 || !matches(a.fault) {
			continue
		}
		if a.after > 0 {
			a.after--
			continue
		}
		if a.times > 0 {
			a.times--
		}
		return &a.fault
	}
	return nil
}

// Match reports whether text is the wanted one. An empty wanted matches any
// text, and one that ends in "*" matches by what stands before it.
func Match(wanted, text string) bool {
	if prefix, ok := strings.CutSuffix(wanted, "*"); ok {
		return strings.HasPrefix(text, prefix)
	}
	return wanted == "" || wanted == text
}

// Wait blocks until the channel is closed, or for delay if it is nil. It ends
// early with ctx, when the client has gone.
func Wait(ctx context.Context, until <-chan struct{}, delay time.Duration) {
	var after <-chan time.Time
	if until == nil {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		after = timer.C
	}
	select {
	case <-until:
	case <-after:
	case <-ctx.Done():
	}
}
