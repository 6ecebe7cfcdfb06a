package pebblestore

import (
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

var update = flag.Bool("update", false, "write the fixture of this version")

// fixtureLeases are what the store of a version in testdata holds: a value in every
// field that the version knew.
func fixtureLeases(version uint64) (leases []lease.Lease, notes map[string][]byte) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	leases = []lease.Lease{
		{Addr: netip.MustParseAddr("10.0.0.5"), Client: "52:54:00:AA:BB:CC", State: lease.Bound, Hostname: "printer", Expires: at,
			SyncedAt: at.Add(123456 * time.Microsecond), Unsynced: true, InterfaceKind: 1, InterfaceID: 300},
		{Addr: netip.MustParseAddr("10.0.0.7"), Client: "52:54:00:AA:BB:CD", State: lease.Released, Hostname: "\x00\xff", Expires: at},
		{Addr: netip.MustParseAddr("10.0.0.9"), Client: "00:00:00:00:00:00", State: lease.Quarantined, Expires: at},
		{Addr: netip.MustParseAddr("2001:db8::1"), Client: "52:54:00:AA:BB:CC", State: lease.Bound, Expires: at},
	}
	notes = make(map[string][]byte)
	if version >= 2 { // identifiers, what NetBox was told, ports and notes
		leases[0].ToldClient, leases[0].ToldExpires, leases[0].ByPort = "52:54:00:AA:BB:DD", at, true
		leases[1].Client, leases[1].Hardware = "id/00:63:2D:61", "52:54:00:AA:BB:CD"
		notes["clock"], notes["heard/0a"] = []byte(`{"left":5}`), []byte{0, 1, 0xff}
	}
	return leases, notes
}

func fixtureOf(version uint64) string { return fmt.Sprintf("testdata/store-%d", version) }

// copied is a folder with the files of another one.
func copied(t *testing.T, from string) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "leases")
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// C-35: a store of each format that was ever written is read with what was in it, is
// opened, and is of the newest format then. That of format 1 was written by the first
// version there was.
func TestStoresOfAllFormatsAreRead(t *testing.T) {
	for version := uint64(firstFormat); version <= formatVersion; version++ {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			wantLeases, wantNotes := fixtureLeases(version)
			dir := copied(t, fixtureOf(version))
			is := func(when string, wantFormat uint64) {
				t.Helper()
				format, leases, notes, err := Inspect(t.Context(), dir)
				if err != nil || format != wantFormat {
					t.Errorf("%s: format %d, %v", when, format, err)
				}
				if diff := cmp.Diff(wantLeases, leases, compareAddrs) + cmp.Diff(wantNotes, notes); diff != "" {
					t.Errorf("%s (-want +got):\n%s", when, diff)
				}
			}
			is("as it was", version)
			s, err := Open(dir, silent())
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			is("after a server ran", formatVersion)
		})
	}
}

// rows are all keys and values of a database, in hex, and Pebble's own format.
func rows(t *testing.T, dir string) map[string]string {
	t.Helper()
	about, err := pebble.Peek(dir, vfs.Default)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{"Pebble's format": about.FormatMajorVersion.String()}
	db, err := openUnchanged(dir, vfs.Default)
	if err != nil {
		t.Fatal(err)
	}
	it, err := db.NewIter(nil)
	if err != nil {
		t.Fatal(err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		all[hex.EncodeToString(it.Key())] = hex.EncodeToString(it.Value())
	}
	if err := errors.Join(it.Error(), it.Close(), db.Close()); err != nil {
		t.Fatal(err)
	}
	return all
}

// C-35: whoever changes the format of a store has to add a fixture.
func TestTheNewestFixtureIsWhatIsWrittenNow(t *testing.T) {
	leases, notes := fixtureLeases(formatVersion)
	dir := filepath.Join(t.TempDir(), "leases")
	if err := fill(t.Context(), dir, leases, notes); err != nil {
		t.Fatal(err)
	}
	kept := fixtureOf(formatVersion)
	if *update {
		if _, err := os.Stat(kept); err == nil {
			t.Fatalf("%s is there: raise formatVersion, since stores of this one are out there", kept)
		}
		if err := os.CopyFS(kept, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(rows(t, copied(t, kept)), rows(t, dir)); diff != "" {
		t.Errorf("stores are not written as %s has them any more: raise formatVersion, and add a fixture (CONTRIBUTING.md) (-kept +now):\n%s", kept, diff)
	}
}

// C-35: what a newer version wrote is refused, and its files stay as they are.
func TestAStoreOfANewerVersionIsNotChanged(t *testing.T) {
	for name, c := range map[string]struct {
		change func(t *testing.T, dir string)
		want   string
	}{
		"of a newer format": {func(t *testing.T, dir string) {
			t.Helper()
			db := rawOpen(t, dir)
			if err := errors.Join(db.Set([]byte(formatKey), []byte{formatVersion + 1}, pebble.Sync), db.Close()); err != nil {
				t.Fatal(err)
			}
		}, "written by a newer version of this program"},
		"of a newer Pebble": {func(t *testing.T, dir string) {
			t.Helper()
			marks, err := filepath.Glob(filepath.Join(dir, "marker.format-version.*"))
			if err != nil || len(marks) != 1 {
				t.Fatalf("%v, %v", marks, err)
			}
			newer := strings.TrimSuffix(marks[0], filepath.Ext(marks[0])) + ".999"
			if err := os.Rename(marks[0], newer); err != nil {
				t.Fatal(err)
			}
		}, "of a newer version of this program, or damaged: run that newer version again"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := copied(t, fixtureOf(formatVersion))
			c.change(t, dir)
			files := func() map[string]any {
				all := picture(t, dir)
				delete(all, filepath.Join(dir, "LOCK")) // was touched, and is empty
				delete(all, dir)
				return all
			}
			before := maps.Clone(files())
			if s, err := Open(dir, silent()); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "the folder is damaged") {
				t.Errorf("%v", err)
				if err == nil {
					_ = s.Close()
				}
			}
			if _, _, _, err := Inspect(t.Context(), dir); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v", err)
			}
			if diff := cmp.Diff(before, files()); diff != "" {
				t.Errorf("the folder changed (-before +after):\n%s", diff)
			}
		})
	}
}
