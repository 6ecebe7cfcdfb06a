package instance

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// machineClock is the clock of this machine. Go's monotonic reading is not moved
// by setting the time of day, and stands still while the machine sleeps.
func machineClock() lease.Clock {
	began := time.Now()
	return lease.Clock{Steady: func(now time.Time) time.Duration { return sinceThen(began, now) }, Synced: kernelSynced}
}

// kernelSynced reports whether a time service keeps the kernel's clock in step;
// reading it needs no right.
func kernelSynced() bool {
	var now unix.Timex // no modes: nothing is set
	state, err := unix.Adjtimex(&now)
	return err == nil && state != unix.TIME_ERROR && now.Status&unix.STA_UNSYNC == 0
}
