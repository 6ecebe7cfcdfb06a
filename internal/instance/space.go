package instance

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"
)

const (
	// fewBytes is the free space below which the disk under the store is nearly
	// full.
	fewBytes = 64 << 20
	// reserveBytes are kept in a file of their own: on a full disk they make room
	// for the store's log to be read back, which writes it into new files.
	reserveBytes = 8 << 20
	// spaceEvery is how often the free space is looked at.
	spaceEvery = 30 * time.Second
)

// freeBytes is the free space of the disk under a folder; -1 if it cannot be told.
func freeBytes(folder string) int64 {
	var disk unix.Statfs_t
	if unix.Statfs(folder, &disk) != nil {
		return -1
	}
	return int64(disk.Bavail) * int64(disk.Bsize) //nolint:gosec // G115: bytes of a disk
}

func (i *Instance) reservePath() string { return filepath.Join(i.Settings.Store.Path, "reserve") }

// watchSpace warns before the disk under the store is full, and keeps the
// reserve, until ctx ends (H-7).
func (i *Instance) watchSpace(ctx context.Context) {
	tick := time.NewTicker(spaceEvery)
	defer tick.Stop()
	for {
		i.lookAtSpace()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (i *Instance) lookAtSpace() {
	folder := i.Settings.Store.Path
	free := freeBytes(folder)
	switch {
	case free < 0:
		return
	case free < fewBytes:
		i.Quiet.Warn("space", "the disk under the lease store is nearly full: make room, or no new lease can be given",
			logrus.Fields{"folder": folder, "free_bytes": free})
		return
	}
	if err := keepReserve(i.reservePath()); err != nil {
		i.Quiet.Warn("reserve", "no room can be kept for a full disk", logrus.Fields{"folder": folder, logrus.ErrorKey: err})
	}
}

// keepReserve makes the reserve where there is none of its size.
func keepReserve(path string) error {
	if now, err := os.Stat(path); err == nil && now.Size() == reserveBytes {
		return nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600) //nolint:gosec // G304: in the folder of the settings
	if err != nil {
		return fmt.Errorf("make the reserve: %w", err)
	}
	if err := errors.Join(unix.Fallocate(int(f.Fd()), 0, 0, reserveBytes), f.Close()); err != nil {
		return errors.Join(fmt.Errorf("make the reserve %s: %w", path, err), os.Remove(path))
	}
	return nil
}

// freeReserve gives the reserve to a disk that is too full for the store to be
// opened. It comes back when there is room again.
func (i *Instance) freeReserve() {
	if free := freeBytes(i.Settings.Store.Path); free < 0 || free >= reserveBytes {
		return
	}
	switch err := os.Remove(i.reservePath()); {
	case err == nil:
		i.Log.WithField("bytes", reserveBytes).Warn("the disk under the lease store is full: the reserve was given to it")
	case !errors.Is(err, fs.ErrNotExist):
		i.Quiet.Warn("reserve", "the reserve cannot be given to the full disk", logrus.Fields{logrus.ErrorKey: err})
	}
}
