package pebblestore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// Read returns the leases and notes in dir as they are on the disk. It neither
// writes to the folder nor locks it, so it disturbs no server and works on a full
// disk and by a user who may only read (C-2). The error wraps fs.ErrNotExist where
// there is no store. Beside a server that writes at this moment the files may not
// belong together; that is an error too, and a second attempt helps.
func Read(ctx context.Context, dir string) (leases []lease.Lease, notes map[string][]byte, err error) {
	_, leases, notes, err = Inspect(ctx, dir)
	return leases, notes, err
}

// Inspect is Read, and also returns the format of the store; 0: it is not marked yet.
func Inspect(ctx context.Context, dir string) (format uint64, leases []lease.Lease, notes map[string][]byte, err error) {
	if _, err := os.Stat(filepath.Join(dir, "LOCK")); err != nil { // every store has one
		return 0, nil, nil, fmt.Errorf("read lease store: %w", err)
	}
	db, err := openUnchanged(dir, vfs.Default)
	if err != nil {
		return 0, nil, nil, fmt.Errorf("read lease store %s: %w", dir, explain(dir, err))
	}
	if format, err = formatOf(db); err == nil { // one that is not marked yet is empty
		leases, err = allLeases(ctx, db)
	}
	if err == nil {
		notes, err = allNotes(db)
	}
	if err := errors.Join(err, db.Close()); err != nil {
		return 0, nil, nil, fmt.Errorf("read lease store %s: %w", dir, explain(dir, err))
	}
	return format, leases, notes, nil
}

// openUnchanged opens a database for reading. Nothing in its folder changes.
func openUnchanged(dir string, fs vfs.FS) (*pebble.DB, error) {
	return pebble.Open(dir, &pebble.Options{
		FS: unchanged{fs}, ReadOnly: true, Logger: discard{},
		CacheSize: 2 << 20, MemTableSize: 2 << 20,
	})
}

func allLeases(ctx context.Context, db *pebble.DB) (leases []lease.Lease, err error) {
	it, err := newIter(db)
	if err != nil {
		return nil, err
	}
	err = each(it, func(l lease.Lease, _ lease.Revision) error {
		leases = append(leases, l)
		return ctx.Err()
	})
	return leases, errors.Join(err, it.Close())
}

// discard keeps Pebble's words to itself: what matters is in the error.
type discard struct{}

// Infof implements pebble.Logger.
func (discard) Infof(string, ...any) {}

// Errorf implements pebble.Logger.
func (discard) Errorf(string, ...any) {}

// Fatalf implements pebble.Logger, which takes a return for success.
func (discard) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// unchanged is a file system in which nothing can be changed. Its lock is none,
// since taking the real one writes to the folder and keeps a server from starting.
type unchanged struct{ vfs.FS }

// Lock implements vfs.FS.
func (unchanged) Lock(string) (io.Closer, error) { return io.NopCloser(nil), nil }

// Create implements vfs.FS.
func (unchanged) Create(name string, _ vfs.DiskWriteCategory) (vfs.File, error) {
	return nil, refused("create", name)
}

// Link implements vfs.FS.
func (unchanged) Link(_, to string) error { return refused("link", to) }

// OpenReadWrite implements vfs.FS.
func (unchanged) OpenReadWrite(name string, _ vfs.DiskWriteCategory, _ ...vfs.OpenOption) (vfs.File, error) {
	return nil, refused("open for writing", name)
}

// Remove implements vfs.FS.
func (unchanged) Remove(name string) error { return refused("remove", name) }

// RemoveAll implements vfs.FS.
func (unchanged) RemoveAll(name string) error { return refused("remove", name) }

// Rename implements vfs.FS.
func (unchanged) Rename(_, to string) error { return refused("rename", to) }

// ReuseForWrite implements vfs.FS.
func (unchanged) ReuseForWrite(_, to string, _ vfs.DiskWriteCategory) (vfs.File, error) {
	return nil, refused("reuse", to)
}

// MkdirAll implements vfs.FS.
func (unchanged) MkdirAll(dir string, _ os.FileMode) error { return refused("create", dir) }

func refused(op, name string) error { return &os.PathError{Op: op, Path: name, Err: syscall.EROFS} }
