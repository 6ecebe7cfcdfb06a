package instance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/google/renameio/v2"
	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

const (
	// copyEvery is how often the second copy of the leases is written at most.
	copyEvery = time.Minute
	// copyPatience is how long a start waits for the second copy.
	copyPatience = time.Second
)

// startCopy takes the second copy of marks and leases, and begins to renew it
// (H-10). It waits a little, so that the copy is known before the store.
func (i *Instance) startCopy(ctx context.Context) {
	if i.Settings.Store.Copy == "" || i.pool.Rehearse {
		return
	}
	known := make(chan struct{})
	i.disks.Go(func() { i.keepCopy(ctx, known) })
	select {
	case <-known:
	case <-time.After(copyPatience):
		i.Log.Warn("the second copy of the leases takes too long to be read: the start goes on without it")
	}
}

// keepCopy holds the folder of the copy until ctx ends. known is closed once what
// the folder holds is known.
func (i *Instance) keepCopy(ctx context.Context, known chan<- struct{}) {
	lock, err := lockFolder(i.Settings.Store.Copy)
	if err != nil {
		i.Log.WithError(err).Error("no second copy of leases and snapshot is kept: store.copy cannot be used, or another server uses it")
		close(known)
		return
	}
	defer func() { _ = lock.Close() }() // gives the lock back
	path, before, err := i.restoreCopy()
	if errors.Is(err, errNewerCopy) {
		i.Log.WithError(err).Error("no second copy of leases and snapshot is kept: run that newer version again, or move the file away")
		close(known)
		return
	}
	i.copyHeld.Store(true)
	close(known)
	every(ctx, copyEvery, func() { before = i.writeCopy(path, before) })
}

// every calls do after each pause until ctx ends, and once more then.
func every(ctx context.Context, pause time.Duration, do func()) {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			do()
		case <-ctx.Done():
			do()
			return
		}
	}
}

// lockFolder makes the folder and keeps other servers out of it until the file is
// closed.
func lockFolder(folder string) (*os.File, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(folder, "lock"), os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // G304: the path is a setting
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}

// copyFormat is the version of the second copy of the leases. It changes with every
// change of what is below copiedLeases (C-35).
const copyFormat = 1

// copiedLeases is the second copy of the leases, in JSON.
type copiedLeases struct {
	Format int // 0 in copies of the time before they had one
	lease.Kept
}

var errNewerCopy = errors.New("the second copy of the leases was written by a newer version of this program")

// copyOfLeases is where the second copy of the leases is.
func copyOfLeases(s settings.NetBox) string { return filepath.Join(s.Store.Copy, "leases.json") }

// readCopy reads the second copy of the leases, and returns its text as well. The error
// wraps fs.ErrNotExist where there is none.
func readCopy(path string) (kept lease.Kept, text []byte, err error) {
	text, err = os.ReadFile(path) //nolint:gosec // G304: the path is a setting
	if err != nil {
		return lease.Kept{}, nil, err
	}
	var form struct{ Format int }
	if err := json.Unmarshal(text, &form); err != nil {
		return lease.Kept{}, nil, fmt.Errorf("%s: %w", path, err)
	}
	if form.Format > copyFormat {
		return lease.Kept{}, nil, fmt.Errorf("%s: %w: it has format %d, and this version knows %d", path, errNewerCopy, form.Format, copyFormat)
	}
	var copied copiedLeases
	if err := json.Unmarshal(text, &copied); err != nil {
		return lease.Kept{}, nil, fmt.Errorf("%s: %w", path, err)
	}
	return copied.Kept, text, nil
}

// encodeCopy is the text of a second copy.
func encodeCopy(kept lease.Kept) ([]byte, error) { return json.Marshal(copiedLeases{copyFormat, kept}) }

// restoreCopy gives the engine what the copy holds. It returns where the copy is,
// and its text; nil where there is none that can be read.
func (i *Instance) restoreCopy() (path string, text []byte, err error) {
	path = copyOfLeases(i.Settings)
	kept, text, err := readCopy(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return path, nil, nil
	case err != nil:
		i.Log.WithError(err).Warn("the second copy of the leases cannot be read")
		return path, nil, err
	}
	i.Engine.Restore(kept)
	return path, text, nil
}

// writeCopy renews the copy if it is not as before, and returns its text.
func (i *Instance) writeCopy(path string, before []byte) []byte {
	kept, ok := i.Engine.Keep()
	if !ok {
		return before
	}
	text, err := encodeCopy(kept)
	if err == nil && bytes.Equal(text, before) {
		return before
	}
	if err == nil {
		err = renameio.WriteFile(path, text, 0o600)
	}
	if err != nil {
		i.Quiet.Warn("copy", "the second copy of the leases cannot be written", logrus.Fields{logrus.ErrorKey: err})
		return before
	}
	return text
}

// secondSnapshot is where this server keeps the second copy of the snapshot of
// NetBox; empty: nowhere.
func (i *Instance) secondSnapshot() string {
	if !i.copyHeld.Load() {
		return ""
	}
	return secondCopy(i.Settings)
}

// secondCopy is where the second copy of the snapshot is; empty: nowhere.
func secondCopy(s settings.NetBox) string {
	if s.Store.Copy == "" {
		return ""
	}
	return filepath.Join(s.Store.Copy, "netbox.snapshot")
}
