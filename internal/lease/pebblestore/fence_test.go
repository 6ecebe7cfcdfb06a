package pebblestore

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/sirupsen/logrus"
	"github.com/sirupsen/logrus/hooks/test"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// H-5: a failed store is abandoned and its folder opened again by the same
// process; what was acknowledged is there, and nothing of the failed store
// touches the files any more. In a process of its own, since goroutines of the
// failed store stay.
func TestAFailedStoreIsOpenedAgain(t *testing.T) {
	if os.Getenv(failDiskEnv) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), failDiskEnv+"=1")
		out, err := cmd.CombinedOutput()
		if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	for _, c := range []struct {
		name  string
		cause error
		kinds []errorfs.OpKind
	}{
		{"the log cannot be synced", syscall.EIO, []errorfs.OpKind{errorfs.OpFileSync, errorfs.OpFileSyncData}},
		{"the log cannot be written", syscall.EIO, []errorfs.OpKind{errorfs.OpFileWrite}},
		{"the disk is full", syscall.ENOSPC, []errorfs.OpKind{errorfs.OpFileWrite, errorfs.OpFilePreallocate}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var broken atomic.Bool
			fs := brokenDisk(&broken, c.cause, func(op errorfs.Op) bool {
				for _, kind := range c.kinds {
					if op.Kind == kind && filepath.Ext(op.Path) == ".log" {
						return true
					}
				}
				return false
			})
			rev, kept := uint64(0), crashLease(addr(5), 1)
			for range 3 { // it may fail more than once
				s, err := open("/leases", silent(), fs)
				if err != nil {
					t.Fatal(err)
				}
				if rev > 0 {
					if l, got, err := s.Lease(t.Context(), addr(5)); err != nil || l != kept || uint64(got) < rev {
						t.Errorf("%v at %d, %v; want %v at %d", l, got, err, kept, rev)
					}
				}
				_, now, err := s.Lease(t.Context(), addr(5))
				if err != nil {
					now = 0
				}
				next, err := lease.CompareAndSwap(t.Context(), s, kept, now)
				if err != nil {
					t.Fatal(err)
				}
				rev = uint64(next)
				broken.Store(true)
				_, err = lease.CompareAndSwap(t.Context(), s, kept, next)
				wantFailed(t, "the write itself", err)
				broken.Store(false)
				if err := s.Abandon(); err != nil {
					t.Fatal(err)
				}
				if err := s.Abandon(); err != nil {
					t.Errorf("abandoned twice: %v", err)
				}
			}
		})
	}
}

// H-5: Pebble never comes back from an opening that fails in its way; ours does,
// and the folder can be opened again.
func TestAnOpeningThatFailsComesBack(t *testing.T) {
	if os.Getenv(failDiskEnv) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=60s")
		cmd.Env = append(os.Environ(), failDiskEnv+"=1")
		out, err := cmd.CombinedOutput()
		if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	for _, cause := range []error{syscall.ENOSPC, syscall.EIO} {
		var broken atomic.Bool
		broken.Store(true)
		fs := brokenDisk(&broken, cause, func(op errorfs.Op) bool {
			return bytes.Contains([]byte(filepath.Base(op.Path)), []byte("MANIFEST")) && op.Kind == errorfs.OpFileWrite
		})
		for range 2 {
			if s, err := open("/leases", silent(), fs); err == nil || s != nil {
				t.Fatalf("%v: opened", cause)
			}
		}
		broken.Store(false)
		s, err := open("/leases", silent(), fs)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// H-5: Pebble tries for ever to write its tables. On a full disk that must be
// neither a loop nor a flood of lines, at the start and later; when there is
// room again it goes on by itself.
func TestAFullDiskIsTriedWithPauses(t *testing.T) {
	for _, c := range []struct {
		name string
		full func(errorfs.Op) bool
	}{
		{"tables cannot be written", func(op errorfs.Op) bool {
			return filepath.Ext(op.Path) == ".sst" && op.Kind == errorfs.OpFileWrite
		}},
		{"tables cannot be made", func(op errorfs.Op) bool {
			return filepath.Ext(op.Path) == ".sst" && op.Kind == errorfs.OpCreate
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			disk := vfs.NewCrashableMem()
			before, err := open("/leases", silent(), disk)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := lease.CompareAndSwap(t.Context(), before, crashLease(addr(5), 1), 0); err != nil {
				t.Fatal(err)
			}
			var full atomic.Bool
			var refused atomic.Int64
			full.Store(true)
			fs := errorfs.Wrap(disk.CrashClone(vfs.CrashCloneCfg{}), errorfs.InjectorFunc(func(op errorfs.Op) error {
				if full.Load() && c.full(op) {
					refused.Add(1)
					return syscall.ENOSPC
				}
				return nil
			}))
			if err := before.Close(); err != nil {
				t.Fatal(err)
			}
			log, hook := test.NewNullLogger()
			opened := make(chan *Store, 1)
			go func() {
				s, err := open("/leases", log, fs)
				if err != nil {
					t.Error(err)
				}
				opened <- s
			}()
			time.Sleep(time.Second) // without pauses: tens of thousands of attempts
			if len(opened) > 0 {
				t.Fatal("opened on a full disk: the log was not replayed, and the test shows nothing")
			}
			if n := refused.Load(); n < 1 || n > 20 {
				t.Errorf("%d attempts in a second", n)
			}
			lines := 0
			for _, e := range hook.AllEntries() {
				if e.Level <= logrus.WarnLevel {
					lines++
				}
			}
			if lines > 4 {
				t.Errorf("%d lines in a second", lines)
			}
			full.Store(false)
			select {
			case s := <-opened:
				if s == nil {
					return
				}
				if l, _, err := s.Lease(t.Context(), addr(5)); err != nil || l != crashLease(addr(5), 1) {
					t.Errorf("%v, %v", l, err)
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			case <-time.After(30 * time.Second):
				t.Fatal("there is room again, and the store does not open")
			}
		})
	}
}

// A fence that is shut waits for the changes under way and lets none pass.
func TestAShutFenceWaitsForWhatIsUnderWay(t *testing.T) {
	f := newFence(vfs.NewMem())
	if _, err := f.Lock("LOCK"); err != nil {
		t.Fatal(err)
	}
	begun, release, ended := make(chan struct{}), make(chan struct{}), make(chan error, 2)
	go func() {
		ended <- f.pass(func() error {
			close(begun)
			<-release
			return errors.New("late")
		})
	}()
	<-begun
	go func() { ended <- f.shut() }()
	for late := time.Now().Add(30 * time.Second); f.passing.TryRLock(); time.Sleep(time.Millisecond) {
		f.passing.RUnlock()
		if time.Now().After(late) {
			t.Fatal("the fence is not being shut")
		}
	}
	if len(ended) > 0 {
		t.Error("shut while a change was under way")
	}
	if _, err := f.FS.Lock("LOCK"); err == nil {
		t.Error("the folder is free while a change was under way")
	}
	close(release)
	<-ended
	<-ended
	lock, err := f.FS.Lock("LOCK")
	if err != nil {
		t.Fatalf("the folder is still locked: %v", err)
	}
	if err := lock.Close(); err != nil {
		t.Error(err)
	}
}
