// Package frugal keeps memory low while much is made that is dropped at once, as
// when an inventory or all of NetBox is read. It decides nothing else about memory:
// GOGC and GOMEMLIMIT are the operator's.
package frugal

import (
	"runtime/debug"
	"sync"
)

// percent is the GOGC of that time: the heap grows by half between two collections,
// and not to the double. It costs some processor time.
const percent = 50

var state struct { //nolint:gochecknoglobals // GOGC is one of the process, too
	mu     sync.Mutex
	users  int
	before int // GOGC without users
}

// Begin collects garbage more often until end is called, once. A GOGC that asks for
// that anyway, or for no collections by it at all, stays.
func Begin() (end func()) {
	s := &state
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users++; s.users == 1 {
		s.before = debug.SetGCPercent(percent)
		if s.before < percent { // off is less than 0
			debug.SetGCPercent(s.before)
		}
	}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.users--; s.users == 0 {
			debug.SetGCPercent(s.before)
		}
	}
}
