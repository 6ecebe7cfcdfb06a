package pebblestore

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/sirupsen/logrus"
	"github.com/sirupsen/logrus/hooks/test"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// failDiskEnv tells the test binary that it may leave goroutines behind.
const failDiskEnv = "PEBBLESTORE_FAIL_DISK"

// brokenDisk is a memory disk on which, once it is broken, every call that
// fails says so refuses with cause.
func brokenDisk(broken *atomic.Bool, cause error, fails func(errorfs.Op) bool) vfs.FS {
	return errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if broken.Load() && fails(op) {
			return cause
		}
		return nil
	}))
}

// TestAFailedDiskEndsAllService: after a write that the disk did not confirm
// nothing is acknowledged any more, and nothing read that may be gone. It runs
// in a process of its own, since a failed store is left as it stands until the
// process ends.
func TestAFailedDiskEndsAllService(t *testing.T) {
	if os.Getenv(failDiskEnv) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), failDiskEnv+"=1")
		out, err := cmd.CombinedOutput()
		if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	isLog := func(op errorfs.Op) bool { return filepath.Ext(op.Path) == ".log" }
	for _, c := range []struct {
		name  string
		cause error
		fails func(errorfs.Op) bool
	}{
		{"the log cannot be synced", syscall.EIO, func(op errorfs.Op) bool {
			return isLog(op) && (op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData)
		}},
		{"the disk is full", syscall.ENOSPC, func(op errorfs.Op) bool {
			return isLog(op) && op.Kind == errorfs.OpFileWrite
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var broken atomic.Bool
			log, hook := test.NewNullLogger()
			s, err := open("/leases", log, brokenDisk(&broken, c.cause, c.fails))
			if err != nil {
				t.Fatal(err)
			}
			rev, err := lease.CompareAndSwap(t.Context(), s, crashLease(addr(5), 1), 0)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Err(); err != nil {
				t.Errorf("failed before the disk did: %v", err)
			}
			broken.Store(true)
			_, err = lease.CompareAndSwap(t.Context(), s, crashLease(addr(5), 2), rev)
			wantFailed(t, "the write itself", err)
			select {
			case <-s.Failed():
			default:
				t.Fatal("the failure is not announced")
			}
			broken.Store(false) // a disk that works again proves nothing

			_, err = lease.CompareAndSwap(t.Context(), s, crashLease(addr(6), 1), 0)
			wantFailed(t, "a later write", err)
			_, _, err = s.Lease(t.Context(), addr(5))
			wantFailed(t, "a later read", err)
			wantFailed(t, "each", s.Each(t.Context(), func(lease.Lease, lease.Revision) error { return nil }))
			wantFailed(t, "Err", s.Err())
			wantFailed(t, "close", s.Close())
			awaitAdvice(t, hook)
		})
	}
}

// awaitAdvice waits for the log line that says what to do. Callers are freed
// before it is written.
func awaitAdvice(t *testing.T, hook *test.Hook) {
	t.Helper()
	late := time.After(10 * time.Second)
	for {
		e := hook.LastEntry()
		if e != nil && e.Level == logrus.ErrorLevel && strings.Contains(e.Message, "restart") {
			return
		}
		select {
		case <-late:
			t.Errorf("last log entry %v does not say what to do", e)
			return
		default:
			runtime.Gosched()
		}
	}
}

func wantFailed(t *testing.T, call string, err error) {
	t.Helper()
	if err == nil || errors.Is(err, lease.ErrConflict) || errors.Is(err, lease.ErrNotFound) ||
		!strings.Contains(err.Error(), "has failed") {
		t.Errorf("%s: %v, want the failure of the store", call, err)
	}
}

// TestAStuckDiskHoldsNobody: callers leave when their context ends, and the
// lease they asked for is stored or not, but whole.
func TestAStuckDiskHoldsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stuck atomic.Bool
		release := make(chan struct{})
		fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
			if stuck.Load() && filepath.Ext(op.Path) == ".log" && op.Kind == errorfs.OpFileSyncData {
				<-release
			}
			return nil
		}))
		s, err := open("/leases", silent(), fs)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := lease.CompareAndSwap(t.Context(), s, crashLease(addr(5), 1), 0); err != nil {
			t.Fatal(err)
		}
		stuck.Store(true)
		ctx, cancel := context.WithCancel(t.Context())
		errs := make(chan error, 4)
		go func() {
			_, err := lease.CompareAndSwap(ctx, s, crashLease(addr(5), 2), 1)
			errs <- err
		}()
		synctest.Wait() // visible to Pebble by now, but not durable
		go func() {
			_, _, err := s.Lease(ctx, addr(5))
			errs <- err
		}()
		go func() {
			errs <- s.Each(ctx, func(lease.Lease, lease.Revision) error { return nil })
		}()
		go func() {
			_, err := lease.CompareAndSwap(ctx, s, crashLease(addr(6), 1), 0)
			errs <- err
		}()
		synctest.Wait()
		if n := len(errs); n > 0 {
			t.Errorf("%d calls went past the stuck disk", n)
		}
		cancel()
		for range cap(errs) {
			if err := <-errs; !errors.Is(err, context.Canceled) {
				t.Errorf("a call on the stuck disk: %v, want context.Canceled", err)
			}
		}
		stuck.Store(false)
		close(release)
		if l, rev, err := s.Lease(t.Context(), addr(5)); err != nil || rev != 2 || l != crashLease(addr(5), 2) {
			t.Errorf("%v at %d, %v, want the write that was under way", l, rev, err)
		}
		if _, _, err := s.Lease(t.Context(), addr(6)); !errors.Is(err, lease.ErrNotFound) {
			t.Errorf("%v, want nothing stored for a caller that had left", err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}
