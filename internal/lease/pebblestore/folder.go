package pebblestore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// folderMode is the mode of the folder of a store that is made anew.
const folderMode = 0o750

// SetAside moves the store in dir to a new name beside it, which it returns, and leaves
// an empty folder of the same owner and mode. It takes the lock of the store first: one
// that a server has open is refused (syscall.EAGAIN) (C-33). The error wraps
// fs.ErrNotExist where there is no store.
func SetAside(dir string, now time.Time) (aside string, err error) {
	dir, before, err := existing(dir)
	if err != nil {
		return "", fmt.Errorf("set the lease store aside: %w", err)
	}
	lock, err := hold(dir)
	if err != nil {
		return "", fmt.Errorf("set the lease store %s aside: %w", dir, err)
	}
	defer func() { _ = lock.Close() }() // nothing was written to it
	if owner, ok := before.Sys().(*syscall.Stat_t); ok && os.Geteuid() != 0 && int(owner.Uid) != os.Geteuid() {
		return "", fmt.Errorf("set the lease store %s aside: %w: run this as root or as the user of the server", dir, fs.ErrPermission)
	}
	if aside, err = moveAside(dir, now); err == nil {
		err = errors.Join(emptyLike(dir, before), syncFolder(filepath.Dir(dir)))
	}
	if err != nil {
		return aside, fmt.Errorf("set the lease store %s aside: %w", dir, err)
	}
	return aside, nil
}

// Replace makes a store of leases and notes and gives it the place dir. A store that is
// there is moved to a new name beside it, which is returned; empty: there was none. The
// lock of that store is taken first: one that a server has open is refused
// (syscall.EAGAIN). Owner and mode are those of the folder that was there, or of the
// folder around it (C-31).
func Replace(ctx context.Context, dir string, leases []lease.Lease, notes map[string][]byte, now time.Time) (aside string, err error) {
	made, err := prepared(dir)
	if err != nil {
		return "", fmt.Errorf("restore lease store: %w", err)
	}
	dir, before, err := existing(dir)
	if err != nil {
		return "", fmt.Errorf("restore lease store: %w", err)
	}
	lock, err := hold(dir)
	if err != nil {
		return "", fmt.Errorf("restore lease store %s: %w", dir, err)
	}
	defer func() { _ = lock.Close() }() // nothing was written to it
	next, err := os.MkdirTemp(filepath.Dir(dir), filepath.Base(dir)+".new-")
	if err == nil {
		if err = fill(ctx, next, leases, notes); err == nil {
			err = like(next, before)
		}
		if err == nil {
			aside, err = swap(dir, next, now)
		}
		err = errors.Join(err, os.RemoveAll(next)) // not there any more, unless it failed
	}
	if err != nil {
		return aside, fmt.Errorf("restore lease store %s: %w", dir, err)
	}
	if made && os.Remove(filepath.Join(aside, "LOCK")) == nil && os.Remove(aside) == nil {
		aside = "" // there was none
	}
	return aside, nil
}

// existing is the one true name of a folder, and what is known of it.
func existing(dir string) (string, os.FileInfo, error) {
	dir, err := filepath.Abs(dir)
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return "", nil, err
	}
	info, err := os.Lstat(dir)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is no folder", dir)
	}
	return dir, info, err
}

// prepared makes the folder of a store where there is none, with the owner of the
// folder around it.
func prepared(dir string) (made bool, err error) {
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	around := filepath.Dir(dir)
	if err := os.MkdirAll(around, folderMode); err != nil {
		return false, err
	}
	info, err := os.Lstat(around)
	if err != nil {
		return false, err
	}
	if err := os.Mkdir(dir, folderMode); err != nil {
		return false, err
	}
	return true, owned(dir, info)
}

// hold takes the lock that an open store has, without a write to what a link may lead
// to. It is free again when the file is closed.
func hold(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "LOCK"), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600) //nolint:gosec // G304: the folder is a setting
	if err != nil {
		return nil, err
	}
	spec := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart}
	if err := unix.FcntlFlock(f.Fd(), unix.F_SETLK, &spec); err != nil {
		if errors.Is(err, syscall.EACCES) {
			err = syscall.EAGAIN // another word for it
		}
		err = fmt.Errorf("a server%s has the folder open; stop it first: %w", ofProcess(lockOwner(dir)), err)
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// moveAside gives a folder a name that tells when it was moved, and returns it.
func moveAside(dir string, now time.Time) (string, error) {
	name := fmt.Sprintf("%s.aside-%s", dir, now.UTC().Format("20060102T150405Z"))
	for n := 1; ; n++ {
		aside := name
		if n > 1 {
			aside = fmt.Sprintf("%s-%d", name, n)
		}
		if _, err := os.Lstat(aside); err == nil {
			continue
		}
		return aside, os.Rename(dir, aside)
	}
}

// swap gives the folder next the place of dir, which is moved aside.
func swap(dir, next string, now time.Time) (aside string, err error) {
	if aside, err = moveAside(dir, now); err != nil {
		return "", err
	}
	if err := os.Rename(next, dir); err != nil {
		return "", errors.Join(err, os.Rename(aside, dir))
	}
	return aside, syncFolder(filepath.Dir(dir))
}

// restoredAtOnce is how many leases become durable with one write.
const restoredAtOnce = 4096

// fill makes a store in an empty folder, and reads it back.
func fill(ctx context.Context, dir string, leases []lease.Lease, notes map[string][]byte) error {
	log := logrus.New()
	log.SetOutput(io.Discard) // what matters is in the errors
	s, err := Open(dir, log)
	if err != nil {
		return err
	}
	for some := range slices.Chunk(leases, restoredAtOnce) {
		group := make([]lease.Change, len(some))
		for i, l := range some {
			group[i].Next = l
		}
		if err = errors.Join(s.CommitGroup(ctx, group)...); err != nil {
			break
		}
	}
	for _, name := range slices.Sorted(maps.Keys(notes)) {
		if err == nil {
			err = s.SetNote(ctx, name, notes[name])
		}
	}
	if err := errors.Join(err, s.Close()); err != nil {
		return err
	}
	written, told, err := Read(ctx, dir)
	if err == nil && (len(written) != len(leases) || len(told) != len(notes)) {
		err = fmt.Errorf("read back %d leases and %d notes of %d and %d", len(written), len(told), len(leases), len(notes))
	}
	return err
}

// like gives a folder of a store that nobody else can enter yet, and its files, the
// owner and the mode of another one.
func like(dir string, before os.FileInfo) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if err := errors.Join(os.Chmod(path, before.Mode().Perm()&0o660), owned(path, before)); err != nil {
			return err
		}
	}
	if err := os.Chmod(dir, before.Mode().Perm()); err != nil {
		return err
	}
	return owned(dir, before)
}

// owned gives path the owner of another file, unless it has it.
func owned(path string, before os.FileInfo) error {
	want, ok := before.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if has, ok := info.Sys().(*syscall.Stat_t); ok && has.Uid == want.Uid && has.Gid == want.Gid {
		return nil
	}
	if err := os.Lchown(path, int(want.Uid), int(want.Gid)); err != nil {
		return fmt.Errorf("%w: run this as root or as the user of the server", err)
	}
	return nil
}

// emptyLike makes an empty folder with owner and mode of another one.
func emptyLike(dir string, before os.FileInfo) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(dir, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0) //nolint:gosec // G304: the folder is a setting
	if err != nil {
		return err
	}
	err = f.Chmod(before.Mode().Perm())
	if want, ok := before.Sys().(*syscall.Stat_t); ok && err == nil && (int(want.Uid) != os.Geteuid() || int(want.Gid) != os.Getegid()) {
		err = f.Chown(int(want.Uid), int(want.Gid))
	}
	return errors.Join(err, f.Close())
}

// syncFolder makes the names in a folder durable.
func syncFolder(dir string) error {
	f, err := os.Open(dir) //nolint:gosec // G304: the folder around the store
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
