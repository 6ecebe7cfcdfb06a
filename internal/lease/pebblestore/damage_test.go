package pebblestore

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// writtenLog stores n leases one commit after the other and returns the folder
// as it was before Close, in path and content of its files, with the name of
// the log among them.
func writtenLog(t *testing.T, n int) (files map[string][]byte, log string) {
	t.Helper()
	dir := t.TempDir()
	s := mustOpen(t, dir, vfs.Default)
	for i := range n {
		if _, err := lease.CompareAndSwap(t.Context(), s, crashLease(hostOf(i>>10, i), 1), 0); err != nil {
			t.Fatal(err)
		}
	}
	files = make(map[string][]byte)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(e.Name(), ".log") {
			log = e.Name()
			data = bytes.TrimRight(data, "\x00") // room taken ahead
		}
		files[e.Name()] = data
	}
	return files, log
}

// reopened opens a folder with these files, but with log in place of the log,
// and counts its leases.
func reopened(t *testing.T, files map[string][]byte, name string, log []byte) (leases int, err error) {
	t.Helper()
	dir := t.TempDir()
	for f, data := range files {
		if f == name {
			data = log
		}
		if err := os.WriteFile(filepath.Join(dir, f), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Open(dir, silent())
	if err != nil {
		return 0, err
	}
	defer func() { _ = s.Close() }()
	err = s.Each(t.Context(), func(l lease.Lease, rev lease.Revision) error {
		if l != crashLease(l.Addr, rev) {
			t.Errorf("%v at %d was never written", l, rev)
		}
		leases++
		return nil
	})
	return leases, err
}

// TestATornTailIsNoDamage: what follows the last synced lease was never
// promised, with any content.
func TestATornTailIsNoDamage(t *testing.T) {
	const n = 20
	files, log := writtenLog(t, n)
	whole := files[log]
	record := whole[len(whole)-len(whole)/n:]
	for name, tail := range map[string][]byte{
		"nothing":              nil,
		"zeros":                make([]byte, 4096),
		"the begin of another": record[:len(record)/2],
		"noise":                bytes.Repeat([]byte{0xa5, 0x5a, 0x01}, 300),
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := reopened(t, files, log, append(bytes.Clone(whole), tail...)); err != nil || got != n {
				t.Errorf("%d leases and %v, want %d", got, err, n)
			}
		})
	}
}

// TestADamagedLogGivesNoFalseLease flips a bit everywhere in the log. Where a
// later block of the log proves that the damaged place had been synced, the
// store is refused. In the last block damage looks like the tail of a crash:
// what follows it is lost, but nothing false is shown.
func TestADamagedLogGivesNoFalseLease(t *testing.T) {
	const n, block = 1200, 32 << 10
	files, log := writtenLog(t, n)
	whole := files[log]
	lastBlock := len(whole) / block * block
	if lastBlock < 2*block {
		t.Fatalf("log of %d bytes is too short for the test", len(whole))
	}
	for at := 0; at < len(whole); at += 997 {
		damaged := bytes.Clone(whole)
		damaged[at] ^= 1 << (at % 8)
		got, err := reopened(t, files, log, damaged)
		switch {
		case err != nil && !strings.Contains(err.Error(), "the folder is damaged"):
			t.Errorf("bit flipped in byte %d: error %q does not say that the folder is damaged", at, err)
		case err == nil && at < lastBlock:
			t.Errorf("bit flipped in byte %d of %d: opened with %d leases of %d", at, len(whole), got, n)
		case err == nil && got >= n:
			t.Errorf("bit flipped in byte %d of %d: opened with all %d leases", at, len(whole), got)
		}
	}
}
