package pebblestore

import (
	"crypto/sha256"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// picture is what there is in a folder: names, sizes, times, modes, contents.
func picture(t *testing.T, dir string) map[string]any {
	t.Helper()
	all := make(map[string]any)
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		var sum [32]byte
		if !entry.IsDir() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			sum = sha256.Sum256(data)
		}
		all[path] = []any{info.Mode(), info.ModTime(), info.Size(), sum}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func bound(addr string) lease.Lease {
	return lease.Lease{
		Addr: netip.MustParseAddr(addr), Client: "52:54:00:00:00:01", State: lease.Bound,
		Expires: time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC),
	}
}

// C-2
func TestReadChangesNothing(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, silent())
	if err != nil {
		t.Fatal(err)
	}
	want := bound("10.0.0.9")
	if _, err := lease.CompareAndSwap(t.Context(), s, want, 0); err != nil {
		t.Fatal(err)
	}
	if err := s.SetNote(t.Context(), "ban", []byte("until then")); err != nil {
		t.Fatal(err)
	}
	killed := filepath.Join(t.TempDir(), "killed")
	if err := s.db.Checkpoint(killed); err != nil { // with a log that is to be replayed
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(killed, "LOCK"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for when, dir := range map[string]string{"of a server that was killed": killed, "of a server that was stopped": dir} {
		before := picture(t, dir)
		leases, notes, err := Read(t.Context(), dir)
		if err != nil || len(leases) != 1 || !reflect.DeepEqual(leases[0], want) || string(notes["ban"]) != "until then" {
			t.Errorf("%s: %v, %q, %v", when, leases, notes, err)
		}
		if diff := cmp.Diff(before, picture(t, dir)); diff != "" {
			t.Errorf("%s: the folder changed (-before +after):\n%s", when, diff)
		}
		if again, err := Open(dir, silent()); err != nil {
			t.Errorf("%s: after reading the store cannot be opened: %v", when, err)
		} else if err := again.Close(); err != nil {
			t.Error(err)
		}
	}
}

// C-2. Pebble writes in the background whenever it likes, so the picture of the
// folder says nothing here.
func TestReadBesideAnOpenServer(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, silent())
	if err != nil {
		t.Fatal(err)
	}
	want := bound("10.0.0.9")
	if _, err := lease.CompareAndSwap(t.Context(), s, want, 0); err != nil {
		t.Fatal(err)
	}
	leases, _, err := Read(t.Context(), dir)
	for again := 0; err != nil && again < 10; again++ { // as Read says of a server that writes
		leases, _, err = Read(t.Context(), dir)
	}
	if err != nil || len(leases) != 1 || !reflect.DeepEqual(leases[0], want) {
		t.Errorf("%v, %v", leases, err)
	}
	if _, err := lease.CompareAndSwap(t.Context(), s, bound("10.0.0.10"), 0); err != nil {
		t.Errorf("the server suffers: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestReadDoesNotMakeAStore(t *testing.T) {
	for name, dir := range map[string]string{
		"no folder":       filepath.Join(t.TempDir(), "leases"),
		"an empty folder": t.TempDir(),
	} {
		if _, _, err := Read(t.Context(), dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReadSaysWhatIsDamaged(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, silent())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lease.CompareAndSwap(t.Context(), s, bound("10.0.0.9"), 0); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	manifests, err := filepath.Glob(filepath.Join(dir, "MANIFEST-*"))
	if err != nil || len(manifests) == 0 {
		t.Fatalf("%v, %v", manifests, err)
	}
	if err := os.WriteFile(manifests[len(manifests)-1], []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := picture(t, dir)
	if leases, _, err := Read(t.Context(), dir); err == nil {
		t.Errorf("a damaged store was read: %v", leases)
	}
	if after := picture(t, dir); !reflect.DeepEqual(before, after) {
		t.Errorf("the folder was %v and is %v", before, after)
	}
}
