package instance

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease/pebblestore"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

// Alone opens the lease store of a file on disk, under its lock, for a change by
// command while no server runs, and closes it after do (C-11). The engine is the one that
// serves: it knows NetBox from the copy on disk, or reads it where there is none, and
// marks what NetBox is to be told, which the next start does. Nothing else is started.
// With anew NetBox is read in any case, and a store that is not there yet is made. The
// error wraps syscall.EAGAIN where a server has the store open.
func Alone(ctx context.Context, file *settings.File, log logrus.FieldLogger, anew bool, do func(*Instance) error) (err error) {
	dir := leaseFolder(file.NetBox)
	if _, err := os.Stat(filepath.Join(dir, "LOCK")); errors.Is(err, fs.ErrNotExist) && !anew {
		return fmt.Errorf("there are no leases yet: no server has run with these settings, and %s is no lease store: %w", dir, fs.ErrNotExist)
	}
	i, err := (&Pool{alone: true, Anew: anew}).start(file, log)
	if err != nil {
		return err
	}
	return asOwner(file.NetBox.Store.Path, func() error {
		if err := i.attachAlone(ctx, dir); err != nil {
			return errors.Join(err, i.Close())
		}
		return errors.Join(do(i), i.Close())
	})
}

// openAlone learns what NetBox shows, as a rehearsal does. The store comes after that,
// since root reads files that the owner of the store may not.
func (i *Instance) openAlone(ctx context.Context) error {
	if i.Settings.Inventory != "" {
		return i.serveInventory()
	}
	return i.rehearseNetBox(ctx)
}

// attachAlone gives the engine its store, and waits until that is judged (H-6).
func (i *Instance) attachAlone(ctx context.Context, dir string) error {
	if i.Settings.Store.Copy != "" {
		_, _, _ = i.restoreCopy() // what cannot be read is in the log, and the store does without
	}
	store, err := pebblestore.Open(dir, i.Log)
	if err != nil {
		return &StoreError{err}
	}
	i.storeOpen.Store(store)
	if err := i.Engine.Attach(ctx, store); err != nil {
		return &StoreError{err}
	}
	i.Engine.AwaitStore()
	return nil
}

// asOwner runs do with the rights of the user and group that dir belongs to, where root
// runs it: what it makes below dir is then theirs, so that their server can use it.
func asOwner(dir string, do func() error) (err error) {
	if os.Geteuid() != 0 {
		return do()
	}
	found, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: as root, make the folder first, with the user of the server as its owner: install -d -m 750 -o USER -g GROUP %s", err, dir)
	}
	if err != nil {
		return err
	}
	owner, known := found.Sys().(*syscall.Stat_t)
	if !known || owner.Uid == 0 {
		return do()
	}
	uid, gid := int(owner.Uid), int(owner.Gid)
	if err := syscall.Setresgid(-1, gid, -1); err != nil {
		return fmt.Errorf("act as the owner of %s: %w", dir, err)
	}
	defer func() { err = errors.Join(err, syscall.Setresgid(-1, os.Getgid(), -1)) }()
	if err := syscall.Setresuid(-1, uid, -1); err != nil {
		return fmt.Errorf("act as the owner of %s: %w", dir, err)
	}
	defer func() { err = errors.Join(err, syscall.Setresuid(-1, os.Getuid(), -1)) }()
	return do()
}
