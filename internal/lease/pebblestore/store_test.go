package pebblestore

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/sirupsen/logrus"
	"go.uber.org/goleak"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease/leasetest"
)

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(crashDirEnv) != "":
		crashWriter(os.Getenv(crashDirEnv))
	case os.Getenv(failDiskEnv) != "":
		os.Exit(m.Run())
	default:
		goleak.VerifyTestMain(m)
	}
}

func TestContract(t *testing.T) {
	leasetest.Contract(t, func(t *testing.T, dir string) lease.Store {
		t.Helper()
		s, err := Open(dir, silent())
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

// silent is a logger that says nothing.
func silent() *logrus.Logger {
	log := logrus.New()
	log.SetOutput(io.Discard)
	return log
}

// mustOpen opens a store that t closes.
func mustOpen(t *testing.T, dir string, fs vfs.FS) *Store {
	t.Helper()
	s, err := open(dir, silent(), fs)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// A store of the version before is opened as it is; that version then refuses it.
func TestTheFormatBeforeIsRead(t *testing.T) {
	dir := t.TempDir()
	key, value := encoded(t, lease.Lease{Addr: addr(5), Client: "52:54:00:AA:BB:CC"}, 1)
	db := rawOpen(t, dir)
	for name, value := range map[string][]byte{formatKey: {firstFormat}, string(key): value} {
		if err := db.Set([]byte(name), value, pebble.Sync); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, dir, vfs.Default)
	if l, _, err := s.Lease(t.Context(), addr(5)); err != nil || l.Client != "52:54:00:AA:BB:CC" {
		t.Errorf("%+v, %v", l, err)
	}
	if version, closer, err := s.db.Get([]byte(formatKey)); err != nil || version[0] != formatVersion || closer.Close() != nil {
		t.Errorf("format %v, %v", version, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	format := []byte{formatVersion}
	key5, value := encoded(t, lease.Lease{Addr: addr(5), Client: "52:54:00:AA:BB:CC"}, 1)
	key6, _ := encoded(t, lease.Lease{Addr: addr(6)}, 1)
	flipped := bytes.Clone(value)
	flipped[len(flipped)-1] ^= 1
	for _, c := range []struct {
		name string
		rows map[string][]byte // the database
		want string
	}{
		{"a newer format", map[string][]byte{formatKey: {3}}, "format 3, written by a newer version"},
		{"a format that is no number", map[string][]byte{formatKey: {0x80}}, errCorrupt.Error()},
		{"another program's database", map[string][]byte{"zebra": nil}, "no lease store"},
		{"a lease whose checksum is wrong", map[string][]byte{formatKey: format, string(key5): flipped}, "lease of 10.0.0.5: checksum"},
		{"a lease stored under another address", map[string][]byte{formatKey: format, string(key6): value}, "lease of 10.0.0.6: checksum"},
		{"a key that is no address", map[string][]byte{formatKey: format, "l\x04\x0a\x00": nil}, errCorrupt.Error()},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			db := rawOpen(t, dir)
			for key, value := range c.rows {
				if err := db.Set([]byte(key), value, pebble.Sync); err != nil {
					t.Fatal(err)
				}
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			s, err := Open(dir, silent())
			if err == nil {
				_ = s.Close()
				t.Fatal("opened")
			}
			if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), dir) {
				t.Errorf("error %q does not say %q and the folder", err, c.want)
			}
			// A refusal leaves the folder free for a program that can read it.
			if err := rawOpen(t, dir).Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// rawOpen opens the database below the store.
func rawOpen(t *testing.T, dir string) *pebble.DB {
	t.Helper()
	s := &Store{dir: dir, log: silent(), failed: make(chan struct{})}
	db, err := pebble.Open(dir, options(s, vfs.Default))
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func TestOpenRefusesAFolderInUse(t *testing.T) {
	dir := t.TempDir()
	mustOpen(t, dir, vfs.Default)
	link := t.TempDir() + "/link"
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{dir, link} {
		if s, err := Open(name, silent()); err == nil {
			_ = s.Close()
			t.Errorf("open %s twice: no error", name)
		} else if !strings.Contains(err.Error(), dir) {
			t.Errorf("error %q does not name the folder", err)
		}
	}
}

func TestOpenRefusesAFolderThatCannotBeMade(t *testing.T) {
	file := t.TempDir() + "/file"
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := Open(file+"/store", silent()); err == nil {
		_ = s.Close()
		t.Error("opened")
	} else if !strings.Contains(err.Error(), file) {
		t.Errorf("error %q does not name the folder", err)
	}
}

// writerIn starts a process that has the store in dir open, and ends it with the test.
// It returns the id of that process.
func writerIn(t *testing.T, dir string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), crashDirEnv+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() { // it has the folder once it writes
		t.Fatal("the other server writes nothing")
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		for lines.Scan() {
		}
		_ = cmd.Wait() // killed
	})
	return strconv.Itoa(cmd.Process.Pid)
}

func TestOpenNamesTheServerThatHasTheFolder(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), crashDirEnv+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() { // it has the folder once it writes
		t.Fatal("the other server writes nothing")
	}
	s, err := Open(dir, silent())
	if err == nil {
		_ = s.Close()
		t.Error("opened")
	} else if want := fmt.Sprintf("another server (process %d) has the folder open", cmd.Process.Pid); !strings.Contains(err.Error(), want) ||
		!strings.Contains(err.Error(), dir) {
		t.Errorf("error %q does not say %q and the folder", err, want)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
	}
	_ = cmd.Wait() // killed
	mustOpen(t, dir, vfs.Default)
}
