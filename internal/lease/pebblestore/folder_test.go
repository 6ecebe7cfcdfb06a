package pebblestore

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// aTime is when folders are moved in tests.
var aTime = time.Date(2026, 11, 29, 22, 0, 0, 0, time.UTC)

// storeWith makes a store and closes it.
func storeWith(t *testing.T, leases ...lease.Lease) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "leases")
	s, err := Open(dir, silent())
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range leases {
		if _, err := lease.CompareAndSwap(t.Context(), s, l, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// C-30: what a backup shows is of one moment, however long it takes, and holds up
// nobody who writes meanwhile.
func TestAMomentShowsNothingOfLater(t *testing.T) {
	s := mustOpen(t, t.TempDir(), vfs.Default)
	for n := range byte(3) {
		if _, err := lease.CompareAndSwap(t.Context(), s, bound(addr(n).String()), 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.SetNote(t.Context(), "b", []byte("1")); err != nil {
		t.Fatal(err)
	}
	var seen []string
	err := s.Moment(t.Context(), func(l lease.Lease) error {
		if len(seen) == 0 { // the reader is slow, and the server goes on
			for n := range byte(3) {
				next := bound(addr(n).String())
				next.State = lease.Released
				if _, err := lease.CompareAndSwap(t.Context(), s, next, 1); err != nil {
					t.Error(err)
				}
			}
			for name, value := range map[string][]byte{"a": []byte("later"), "b": []byte("2")} {
				if err := s.SetNote(t.Context(), name, value); err != nil {
					t.Error(err)
				}
			}
		}
		seen = append(seen, l.Addr.String()+" "+l.State.String())
		return nil
	}, func(name string, value []byte) error {
		seen = append(seen, name+"="+string(value))
		return nil
	})
	if diff := cmp.Diff([]string{"10.0.0.0 bound", "10.0.0.1 bound", "10.0.0.2 bound", "b=1"}, seen); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	stop := errors.New("the other side is gone")
	if err := s.Moment(t.Context(), func(lease.Lease) error { return stop }, nil); !errors.Is(err, stop) {
		t.Errorf("%v, want %v", err, stop)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := s.Moment(ctx, func(lease.Lease) error { cancel(); return nil }, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want that it was cancelled", err)
	}
}

// C-31: the store that was there is moved, not deleted; the new one holds what it is
// given, with the modes of the one before.
func TestReplaceKeepsTheStoreBefore(t *testing.T) {
	dir := storeWith(t, bound("10.0.0.9"))
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	before := picture(t, dir)
	leases := []lease.Lease{bound("10.0.0.1"), bound("10.0.0.2")}
	notes := map[string][]byte{"a": []byte("1")}
	aside, err := Replace(t.Context(), dir, leases, notes, aTime)
	if err != nil || aside != dir+".aside-20261129T220000Z" {
		t.Fatalf("%s, %v", aside, err)
	}
	moved := make(map[string]any)
	for path, what := range picture(t, aside) {
		moved[strings.Replace(path, aside, dir, 1)] = what
	}
	if diff := cmp.Diff(before, moved); diff != "" {
		t.Errorf("what was moved has changed (-before +after):\n%s", diff)
	}
	gotLeases, gotNotes, err := Read(t.Context(), dir)
	if diff := cmp.Diff(leases, gotLeases, compareAddrs) + cmp.Diff(notes, gotNotes); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) == 0 {
		t.Errorf("%v, %v", entries, err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v, %v", e.Name(), info.Mode(), err)
		}
	}
	if rest, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(rest) != 2 {
		t.Errorf("beside the store: %v, %v", rest, err)
	}
	mustOpen(t, dir, vfs.Default)
	if again, err := Replace(t.Context(), aside, nil, nil, aTime); err != nil || again == "" {
		t.Errorf("%s, %v", again, err)
	}
}

// C-31: on a new machine there is no store yet.
func TestReplaceMakesAStoreWhereThereIsNone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state", "leases")
	aside, err := Replace(t.Context(), dir, []lease.Lease{bound("10.0.0.1")}, nil, aTime)
	if err != nil || aside != "" {
		t.Fatalf("%q, %v", aside, err)
	}
	if leases, _, err := Read(t.Context(), dir); err != nil || len(leases) != 1 {
		t.Errorf("%v, %v", leases, err)
	}
	if rest, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(rest) != 1 {
		t.Errorf("beside the store: %v, %v", rest, err)
	}
}

// C-31: root changes neither owner nor mode.
func TestTheOwnerOfTheFolderIsKept(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a folder to another user")
	}
	const uid, gid = 4711, 4712
	for name, change := range map[string]func(dir string) (string, error){
		"restored": func(dir string) (string, error) {
			return Replace(t.Context(), dir, []lease.Lease{bound("10.0.0.1")}, nil, aTime)
		},
		"set aside": func(dir string) (string, error) { return SetAside(dir, aTime) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := storeWith(t, bound("10.0.0.9"))
			if err := errors.Join(os.Chown(dir, uid, gid), os.Chmod(dir, 0o750)); err != nil {
				t.Fatal(err)
			}
			if _, err := change(dir); err != nil {
				t.Fatal(err)
			}
			err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
				if err != nil {
					return err
				}
				info, err := e.Info()
				if has := info.Sys().(*syscall.Stat_t); has.Uid != uid || has.Gid != gid {
					t.Errorf("%s is of %d:%d", path, has.Uid, has.Gid)
				}
				return err
			})
			if info, statErr := os.Stat(dir); err != nil || statErr != nil || info.Mode().Perm() != 0o750 {
				t.Errorf("%v, %v, %v", info.Mode(), err, statErr)
			}
		})
	}
}

// C-33: what is moved is all there; a server begins anew in the folder it leaves.
func TestAStoreIsSetAside(t *testing.T) {
	dir := storeWith(t, bound("10.0.0.9"))
	for n, want := range []string{"", "-2"} {
		aside, err := SetAside(dir, aTime)
		if err != nil || aside != dir+".aside-20261129T220000Z"+want {
			t.Fatalf("%s, %v", aside, err)
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
			t.Errorf("left behind: %v, %v", entries, err)
		}
		s, err := Open(dir, silent())
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if leases, _, err := Read(t.Context(), aside); err != nil || len(leases) != 1-n {
			t.Errorf("%v, %v", leases, err)
		}
	}
}

func TestAStoreIsSetAsideBehindALink(t *testing.T) {
	dir := storeWith(t, bound("10.0.0.9"))
	link := filepath.Join(t.TempDir(), "leases")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	if _, err := SetAside(link, aTime); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, link, vfs.Default)
}

// C-31, C-33: a store that a server has open is left alone, and nothing that a link
// leads to is written to.
func TestAStoreInUseIsNotMoved(t *testing.T) {
	dir := storeWith(t, bound("10.0.0.9"))
	server := writerIn(t, dir)
	for name, change := range map[string]func() (string, error){
		"restore":   func() (string, error) { return Replace(t.Context(), dir, nil, nil, aTime) },
		"set aside": func() (string, error) { return SetAside(dir, aTime) },
	} {
		if _, err := change(); !errors.Is(err, syscall.EAGAIN) || !strings.Contains(err.Error(), "a server (process "+server+") has the folder open; stop it first") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if rest, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(rest) != 1 {
		t.Errorf("beside the store: %v, %v", rest, err)
	}
}

func TestALockThatIsALinkIsNotFollowed(t *testing.T) {
	dir, other := t.TempDir(), filepath.Join(t.TempDir(), "other")
	if err := errors.Join(os.WriteFile(other, []byte("text"), 0o600), os.Symlink(other, filepath.Join(dir, "LOCK"))); err != nil {
		t.Fatal(err)
	}
	if _, err := SetAside(dir, aTime); !errors.Is(err, syscall.ELOOP) {
		t.Errorf("%v", err)
	}
}

func TestThereIsNothingToSetAside(t *testing.T) {
	if _, err := SetAside(filepath.Join(t.TempDir(), "leases"), aTime); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

// C-33: whatever is wrong with the files, the error names the commands that help, at a
// start and when they are only read.
func TestADamagedStoreNamesTheFix(t *testing.T) {
	many := make([]lease.Lease, 200)
	for i := range many {
		many[i] = crashLease(hostOf(0, i), 1)
	}
	for name, c := range map[string]struct {
		files  string
		damage func(path string) error
	}{
		"no manifest":        {"MANIFEST-*", os.Remove},
		"an empty manifest":  {"MANIFEST-*", func(p string) error { return os.Truncate(p, 0) }},
		"a wrong manifest":   {"MANIFEST-*", func(p string) error { return os.WriteFile(p, []byte("nonsense"), 0o600) }},
		"no table":           {"*.sst", os.Remove},
		"half a table":       {"*.sst", func(p string) error { return os.Truncate(p, 100) }},
		"a table of nothing": {"*.sst", func(p string) error { return os.WriteFile(p, make([]byte, 5000), 0o600) }},
	} {
		t.Run(name, func(t *testing.T) {
			dir := storeWith(t, many...)
			db := rawOpen(t, dir)
			if err := errors.Join(db.Flush(), db.Close()); err != nil {
				t.Fatal(err)
			}
			paths, err := filepath.Glob(filepath.Join(dir, c.files))
			if err != nil || len(paths) == 0 {
				t.Fatalf("%v, %v", paths, err)
			}
			for _, p := range paths {
				if err := c.damage(p); err != nil {
					t.Fatal(err)
				}
			}
			_, _, readErr := Read(t.Context(), dir)
			s, openErr := Open(dir, silent())
			if openErr == nil {
				_ = s.Close()
			}
			for what, err := range map[string]error{"read": readErr, "open": openErr} {
				if err == nil || !strings.Contains(err.Error(), "the folder is damaged; `coredhcp-netbox store set-aside` moves it away") ||
					!strings.Contains(err.Error(), "store restore FILE") || !strings.Contains(err.Error(), dir) {
					t.Errorf("%s: %v", what, err)
				}
			}
			if _, err := SetAside(dir, aTime); err != nil {
				t.Fatal(err)
			}
			mustOpen(t, dir, vfs.Default)
		})
	}
}
