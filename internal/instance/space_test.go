package instance

import (
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// H-7: the reserve is there with its whole size, and is made again when it is
// gone or cut.
func TestTheReserveIsKept(t *testing.T) {
	i, _ := serving(t, settingsFile(t, "10.1.0.0/24"))
	for _, harm := range []func() error{
		func() error { return nil },
		func() error { return os.Remove(i.reservePath()) },
		func() error { return os.Truncate(i.reservePath(), 100) },
	} {
		must(t, os.MkdirAll(i.Settings.Store.Path, 0o700), keepReserve(i.reservePath()), harm())
		i.lookAtSpace()
		if now, err := os.Stat(i.reservePath()); err != nil || now.Size() != reserveBytes || now.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", now, err)
		}
	}
	i.freeReserve() // there is room: it stays
	if _, err := os.Stat(i.reservePath()); err != nil {
		t.Error(err)
	}
}

func TestNoReserveWhereThereIsNoFolder(t *testing.T) {
	path := t.TempDir() + "/nowhere/reserve"
	if err := keepReserve(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
	if n := freeBytes(path); n != -1 {
		t.Errorf("%d bytes are free nowhere", n)
	}
}

// The end of a server waits for work on its disks, since a folder may be removed
// or used by another server then. A disk that hangs does not hold it for long.
func TestTheEndWaitsALittleForDisks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		written := false
		i := &Instance{stop: func() {}}
		i.disks.Go(func() {
			time.Sleep(diskPatience / 2)
			written = true
		})
		if err := i.Close(); err != nil || !written {
			t.Errorf("ended before the disk was written: %v", err)
		}
		i.disks.Go(func() { time.Sleep(time.Hour) })
		began := time.Now()
		if err := i.Close(); err != nil || time.Since(began) != diskPatience {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		i.disks.Wait() // time goes on in here only
		synctest.Wait()
	})
}
