package instance

import (
	"os"
	"strings"
	"testing"
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
