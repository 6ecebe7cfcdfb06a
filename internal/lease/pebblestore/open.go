package pebblestore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// The format key holds the version of everything else in the database as a
// uvarint. It sorts before all leases.
const (
	formatKey     = "format"
	formatVersion = 2
	firstFormat   = 1 // lacks values of format 2 and notes
	noFormat      = 0 // of a database that is not marked yet
)

// options keep the database small: a lease takes some 80 bytes and the engine
// holds all of them in memory anyway, so the database is hardly read.
func options(s *Store, fs vfs.FS) *pebble.Options {
	o := &pebble.Options{
		FS:     fs,
		Logger: logger{s},
		// The format that tells a damaged log from the end of the log.
		FormatMajorVersion:          pebble.FormatWALSyncChunks,
		CacheSize:                   2 << 20,
		MemTableSize:                2 << 20,
		MemTableStopWritesThreshold: 4,
		L0CompactionThreshold:       2,
		L0StopWritesThreshold:       24,
		LBaseMaxBytes:               16 << 20,
		MaxOpenFiles:                64,
		MaxManifestFileSize:         1 << 20,
	}
	o.Experimental.FileCacheShards = 1
	o.EventListener = listener(s)
	return o
}

// makeFolder makes the folder and returns its one true name: Pebble's lock
// knows the stores of its own process by name only.
func makeFolder(dir string) (string, error) {
	if err := os.MkdirAll(dir, folderMode); err != nil { //nolint:gosec // G703: the folder is the operator's choice
		return "", err
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(dir)
}

// load opens the database, checks its format, or marks a new one with it, and
// reads the revision of every lease, which also proves that every one can be
// read.
func (s *Store) load(fs vfs.FS) (revisions, error) {
	if err := fs.MkdirAll(s.dir, folderMode); err != nil { // one in memory is not there yet
		return revisions{}, err
	}
	lock, err := pebble.LockDirectory(s.dir, fs)
	if err != nil {
		return revisions{}, explainLock(s.dir, err)
	}
	if err := fits(s.dir, fs); err != nil {
		return revisions{}, errors.Join(explain(s.dir, err), lock.Close())
	}
	o := options(s, fs)
	o.Lock = lock
	db, err := pebble.Open(s.dir, o)
	if err != nil {
		return revisions{}, errors.Join(explain(s.dir, err), lock.Close())
	}
	revs, err := readRevisions(db)
	if err != nil {
		return revisions{}, errors.Join(explain(s.dir, err), db.Close(), lock.Close())
	}
	s.db, s.lock = db, lock
	return revs, nil
}

// fits reads the format of a database without a change to its files: to open one of a
// newer version for writing would change it before that is known (C-35).
func fits(dir string, fs vfs.FS) error {
	db, err := openUnchanged(dir, fs)
	if errors.Is(err, pebble.ErrDBDoesNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = formatOf(db)
	return errors.Join(err, db.Close())
}

// loadOrFail is load, but comes back when the store fails meanwhile: Pebble
// then never does.
func (s *Store) loadOrFail() (revisions, error) {
	var revs revisions
	var err error
	loaded := make(chan struct{})
	go func() {
		defer close(loaded)
		revs, err = s.load(s.fence)
	}()
	select {
	case <-loaded:
		return revs, err
	case <-s.failed:
		return revisions{}, s.failure
	}
}

// minRoom is the free space below which Pebble is not started: it would fail,
// and what it holds in memory could not be freed.
const minRoom = 2 << 20

func roomFor(dir string, fs vfs.FS) error {
	usage, err := fs.GetDiskUsage(dir)
	if err != nil {
		return nil //nolint:nilerr // not known, as for a disk in memory: then it is tried
	}
	if usage.AvailBytes < minRoom {
		return fmt.Errorf("%d bytes are free on this disk, and at least %d are needed: %w", usage.AvailBytes, uint64(minRoom), syscall.ENOSPC)
	}
	return nil
}

func readRevisions(db *pebble.DB) (revisions, error) {
	if err := checkFormat(db); err != nil {
		return revisions{}, err
	}
	it, err := newIter(db)
	if err != nil {
		return revisions{}, err
	}
	revs := newRevisions()
	err = each(it, func(l lease.Lease, rev lease.Revision) error {
		revs.set(l.Addr, rev)
		return nil
	})
	return revs, errors.Join(err, it.Close())
}

// checkFormat brings a database that is to be written to up to our format.
func checkFormat(db *pebble.DB) error {
	version, err := formatOf(db)
	switch {
	case err != nil || version == formatVersion:
		return err
	case version == noFormat:
		return markFormat(db)
	}
	return writeFormat(db) // before a value that the version before cannot read
}

// formatOf reads the format of a database; noFormat: it is not marked yet. A
// format that this program does not know is an error.
func formatOf(db *pebble.DB) (version uint64, err error) {
	value, closer, err := db.Get([]byte(formatKey))
	if errors.Is(err, pebble.ErrNotFound) {
		return noFormat, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read format: %w", err)
	}
	version, n := binary.Uvarint(value)
	if err := closer.Close(); err != nil {
		return 0, fmt.Errorf("read format: %w", err)
	}
	return version, rightFormat(version, n)
}

// rightFormat says whether this program knows a format, read as n bytes.
func rightFormat(version uint64, n int) error {
	if n <= 0 || version < firstFormat {
		return fmt.Errorf("format version: %w", errCorrupt)
	}
	if version > formatVersion {
		return fmt.Errorf("the folder has format %d, written by a newer version of this program, which itself knows "+
			"format %d: run that newer version again, or let `coredhcp-netbox store set-aside` move the folder away: %w",
			version, formatVersion, errUnsuited)
	}
	return nil
}

// markFormat makes an empty database ours.
func markFormat(db *pebble.DB) error {
	it, err := db.NewIter(nil)
	if err != nil {
		return fmt.Errorf("read format: %w", err)
	}
	foreign := it.First()
	if err := it.Close(); err != nil {
		return fmt.Errorf("read format: %w", err)
	}
	if foreign {
		return fmt.Errorf("the folder holds a database that is no lease store; choose another folder: %w", errUnsuited)
	}
	if err := writeFormat(db); err != nil {
		return err
	}
	// Pebble begins the first log of a database before it knows the format
	// asked for; a flush begins another, in which damage can be told.
	if err := db.Flush(); err != nil {
		return fmt.Errorf("write format: %w", err)
	}
	return nil
}

func writeFormat(db *pebble.DB) error {
	if err := db.Set([]byte(formatKey), binary.AppendUvarint(nil, formatVersion), pebble.Sync); err != nil {
		return fmt.Errorf("write format: %w", err)
	}
	return nil
}

func newIter(db pebble.Reader) (*pebble.Iterator, error) {
	return db.NewIter(&pebble.IterOptions{LowerBound: []byte{leasePrefix}, UpperBound: []byte{leasePrefix + 1}})
}

// each calls fn for every lease from it on in key order, which is address
// order, until an error.
func each(it *pebble.Iterator, fn func(lease.Lease, lease.Revision) error) error {
	for ok := it.First(); ok; ok = it.Next() {
		l, rev, err := decode(it.Key(), it.Value())
		if err != nil {
			return err
		}
		if err := fn(l, rev); err != nil {
			return err
		}
	}
	return it.Error()
}

// errUnsuited says that a folder is whole, and not for this program.
var errUnsuited = errors.New("not a lease store of this version")

// explain adds to an error of reading dir what the operator can do about it. What is
// neither trouble of the machine nor of another version is damage.
func explain(dir string, err error) error {
	errno := syscall.Errno(0)
	missing := errors.Is(err, fs.ErrNotExist) // as in a folder that was copied while a server ran
	switch {
	case errors.Is(err, errUnsuited), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.As(err, &errno) && !missing:
		return err
	}
	if _, peeked := pebble.Peek(dir, vfs.Default); peeked != nil && !errors.As(peeked, &errno) {
		return fmt.Errorf("the files of the folder are of a newer version of this program, or damaged: run that newer version again, or let "+
			"`coredhcp-netbox store set-aside` move the folder away: %w", err)
	}
	return fmt.Errorf("the folder is damaged; `coredhcp-netbox store set-aside` moves it away, so that the server goes on with its "+
		"second copy and with the leases in NetBox; `coredhcp-netbox store restore FILE` takes a backup instead: %w", err)
}

// explainLock says who has dir locked.
func explainLock(dir string, err error) error {
	if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EACCES) && lockOwner(dir) != 0 {
		return fmt.Errorf("another server%s has the folder open; stop it, or give this one a folder of its own: %w",
			ofProcess(lockOwner(dir)), err)
	}
	return err
}

func ofProcess(pid int32) string {
	if pid == 0 {
		return ""
	}
	return fmt.Sprintf(" (process %d)", pid)
}

// lockOwner is the process that has dir locked, or 0 where that cannot be known.
func lockOwner(dir string) int32 {
	fd, err := syscall.Open(filepath.Join(dir, "LOCK"), syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		return 0
	}
	defer func() { _ = syscall.Close(fd) }()
	lock := syscall.Flock_t{Type: syscall.F_WRLCK}
	if err := syscall.FcntlFlock(uintptr(fd), syscall.F_GETLK, &lock); err != nil || lock.Type == syscall.F_UNLCK {
		return 0
	}
	return lock.Pid
}
