package pebblestore

import (
	"errors"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Pebble tries at once again when it cannot write its tables, and for ever. On
// a full disk that is a loop that eats a processor and the log. So a call that
// finds the disk full comes back late, from firstPause to lastPause.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = 10 * time.Second
	// calmAfter is how long after the last failure the pauses begin anew.
	calmAfter = time.Minute
)

// fence stands between one opened database and its files. Once it is shut,
// nothing of that database reaches a file any more, so that the folder can be
// opened again while goroutines of the failed database still hang.
type fence struct {
	vfs.FS
	passing sync.RWMutex // held for reading by each change of a file
	isShut  bool
	shutC   chan struct{}

	mu     sync.Mutex
	lock   io.Closer // of the folder
	pause  time.Duration
	failed time.Time // when a call last found the disk full
}

func newFence(fs vfs.FS) *fence { return &fence{FS: fs, shutC: make(chan struct{})} }

// shut waits for the changes under way, ends all later ones and unlocks the
// folder. On a disk that hangs it takes as long as the disk.
func (f *fence) shut() error {
	f.passing.Lock()
	again := f.isShut
	f.isShut = true
	f.passing.Unlock()
	if again {
		return nil
	}
	close(f.shutC)
	return f.unlock()
}

func (f *fence) unlock() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lock == nil {
		return nil
	}
	err := f.lock.Close()
	f.lock = nil
	return err
}

// pass makes one change of a file. Behind a fence that is shut it never
// returns: an error would make Pebble try again at once.
func (f *fence) pass(change func() error) error {
	f.passing.RLock()
	if f.isShut {
		f.passing.RUnlock()
		halt()
	}
	err := change()
	f.passing.RUnlock()
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		select {
		case <-time.After(f.nextPause()):
		case <-f.shutC:
		}
	}
	return err
}

// nextPause doubles with each failure that follows soon on another.
func (f *fence) nextPause() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	if now.Sub(f.failed) > calmAfter {
		f.pause = firstPause / 2
	}
	f.pause, f.failed = min(2*f.pause, lastPause), now
	return f.pause
}

// file is a file behind the fence.
type file struct {
	vfs.File
	f *fence
}

// opened puts what a call opened behind the fence.
func (f *fence) opened(open func() (vfs.File, error)) (vfs.File, error) {
	var got vfs.File
	err := f.pass(func() (err error) {
		got, err = open()
		return err
	})
	if err != nil {
		return nil, err
	}
	return &file{got, f}, nil
}

// Create implements vfs.FS.
func (f *fence) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return f.opened(func() (vfs.File, error) { return f.FS.Create(name, c) })
}

// OpenReadWrite implements vfs.FS.
func (f *fence) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	return f.opened(func() (vfs.File, error) { return f.FS.OpenReadWrite(name, c, o...) })
}

// ReuseForWrite implements vfs.FS.
func (f *fence) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return f.opened(func() (vfs.File, error) { return f.FS.ReuseForWrite(from, to, c) })
}

// OpenDir implements vfs.FS.
func (f *fence) OpenDir(name string) (vfs.File, error) {
	return f.opened(func() (vfs.File, error) { return f.FS.OpenDir(name) })
}

// Link implements vfs.FS.
func (f *fence) Link(from, to string) error {
	return f.pass(func() error { return f.FS.Link(from, to) })
}

// Remove implements vfs.FS.
func (f *fence) Remove(name string) error { return f.pass(func() error { return f.FS.Remove(name) }) }

// RemoveAll implements vfs.FS.
func (f *fence) RemoveAll(name string) error {
	return f.pass(func() error { return f.FS.RemoveAll(name) })
}

// Rename implements vfs.FS.
func (f *fence) Rename(from, to string) error {
	return f.pass(func() error { return f.FS.Rename(from, to) })
}

// MkdirAll implements vfs.FS.
func (f *fence) MkdirAll(dir string, perm os.FileMode) error {
	return f.pass(func() error { return f.FS.MkdirAll(dir, perm) })
}

// Lock implements vfs.FS. The lock is the fence's: it ends when the database
// is closed or the fence is shut.
func (f *fence) Lock(name string) (io.Closer, error) {
	lock, err := f.FS.Lock(name)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lock = lock
	return unlocker{f}, nil
}

type unlocker struct{ f *fence }

func (u unlocker) Close() error { return u.f.unlock() }

// Unwrap implements vfs.FS.
func (f *fence) Unwrap() vfs.FS { return f.FS }

func (w *file) Write(b []byte) (n int, err error) {
	err = w.f.pass(func() (err error) {
		n, err = w.File.Write(b)
		return err
	})
	return n, err
}

func (w *file) WriteAt(b []byte, off int64) (n int, err error) {
	err = w.f.pass(func() (err error) {
		n, err = w.File.WriteAt(b, off)
		return err
	})
	return n, err
}

func (w *file) Preallocate(off, length int64) error {
	return w.f.pass(func() error { return w.File.Preallocate(off, length) })
}

func (w *file) Sync() error     { return w.f.pass(w.File.Sync) }
func (w *file) SyncData() error { return w.f.pass(w.File.SyncData) }

func (w *file) SyncTo(length int64) (full bool, err error) {
	err = w.f.pass(func() (err error) {
		full, err = w.File.SyncTo(length)
		return err
	})
	return full, err
}
