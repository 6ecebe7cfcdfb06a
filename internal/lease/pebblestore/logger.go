package pebblestore

import (
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/sirupsen/logrus"
)

// logger takes what Pebble says. Its running commentary is debug; problems
// come through listener with fields.
type logger struct{ s *Store }

// Infof implements pebble.Logger.
func (l logger) Infof(format string, args ...any) {
	l.s.log.WithField("detail", fmt.Sprintf(format, args...)).Debug("pebble")
}

// Errorf implements pebble.Logger.
func (l logger) Errorf(format string, args ...any) {
	l.s.quiet.Error("pebble", "pebble reports an error", logrus.Fields{"detail": fmt.Sprintf(format, args...)})
}

// Fatalf implements pebble.Logger. Pebble calls it where it cannot go on, for
// one after a failed fsync, and takes a return for success: it must not
// return. To exit here would take the decision from main, and a panic in one of
// Pebble's goroutines would end the process at once. So the store fails, which
// frees every caller, and this goroutine waits until the process ends. It keeps
// the locks of Pebble that it holds, but not the folder's (Store.Abandon).
func (l logger) Fatalf(format string, args ...any) {
	l.s.fail(fmt.Errorf(format, args...))
	halt()
}

func halt() { select {} }

// slowDisk is how long a call to the disk may take before it is reported.
const slowDisk = 2 * time.Second

func (s *Store) diskSlow(info vfs.DiskSlowInfo) {
	s.quiet.Warn("slow", "disk under the lease store is slow", logrus.Fields{"detail": info.String()})
}

// listener reports what an operator must know.
func listener(s *Store) *pebble.EventListener {
	return &pebble.EventListener{
		BackgroundError: func(err error) {
			s.quiet.Error("tidy", "lease store cannot tidy its files and tries again; look for a full or broken disk (df, dmesg)",
				logrus.Fields{logrus.ErrorKey: err})
		},
		DataCorruption: func(info pebble.DataCorruptionInfo) {
			s.fail(fmt.Errorf("damaged file: %s", info))
		},
		WriteStallBegin: func(info pebble.WriteStallBeginInfo) {
			s.quiet.Warn("stall", "lease store waits for the disk", logrus.Fields{"detail": info.Reason})
		},
	}
}
