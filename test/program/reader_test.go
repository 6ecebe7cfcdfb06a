package program

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/test/netns"
)

// asks runs explain about the lease of mac(9), as another program says how: by
// nsenter, by setpriv.
func asks(t *testing.T, conf string, how ...string) (verdict, address, restsOn string) {
	t.Helper()
	command := append(how, binary, "explain", "--conf", conf, "--mac", mac(9).String(), "--relay", "10.77.0.1", "--json")
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	cmd.Env = []string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	var said struct {
		Verdict, Address string
		RestsOn          []string `json:"rests_on"`
	}
	if err := cmd.Run(); err != nil {
		t.Fatalf("%q: %v\n%s%s", command, err, &out, &errs)
	}
	if err := json.Unmarshal(out.Bytes(), &said); err != nil {
		t.Fatal(err)
	}
	return said.Verdict, said.Address, strings.Join(said.RestsOn, "; ")
}

// owned lists all files below a folder with owner, mode, size and time.
func owned(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			owner := info.Sys().(*syscall.Stat_t)
			fmt.Fprintf(&b, "%s %d:%d %s %d %s\n", path, owner.Uid, owner.Gid, info.Mode(), info.Size(), info.ModTime())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// C-2: on a full disk explain answers as on another, after a server that ended in
// order and after one that was killed, whose log has to be read back.
func TestExplainOnAFullDisk(t *testing.T) {
	netns.Require(t, "unshare", "nsenter")
	for name, signal := range map[string]os.Signal{"it ended": syscall.SIGTERM, "it was killed": syscall.SIGKILL} {
		t.Run(name, func(t *testing.T) {
			conf, addr := lab(t, pool)
			state := filepath.Join(filepath.Dir(conf), "state")
			if err := os.Mkdir(state, 0o700); err != nil {
				t.Fatal(err)
			}
			keeper := launchKeeper(t, state, t.TempDir())
			disk := fmt.Sprintf("/proc/%d/root%s", keeper, state)
			enter := []string{"nsenter", "--mount", fmt.Sprintf("--target=%d", keeper)}
			s := launch(t, nil, append(enter, binary, "serve", "--conf", conf)...)
			s.await(t, "serving DHCPv4")
			got := leased(t, addr, 9)
			if err := s.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			_ = s.Wait() // of one that was killed it is an error
			fill(t, disk)
			before := owned(t, disk)
			verdict, address, restsOn := asks(t, conf, enter...)
			if verdict != "OFFER" || !strings.HasPrefix(address, got) || !strings.Contains(restsOn, "leases: as stored in") {
				t.Errorf("%s %s by %q, want the lease of %s", verdict, address, restsOn, got)
			}
			if after := owned(t, disk); after != before {
				t.Errorf("the files were\n%s\nand are\n%s", before, after)
			}
		})
	}
}

// C-2: in the store of another user explain changes, locks and makes nothing, and
// says what it may not read.
func TestExplainInTheStoreOfAnotherUser(t *testing.T) {
	netns.Require(t, "setpriv")
	const owner, reader = 4711, 4712
	asReader := []string{"setpriv", fmt.Sprintf("--reuid=%d", reader), fmt.Sprintf("--regid=%d", reader), "--clear-groups"}
	conf, addr := lab(t, pool)
	folder := filepath.Dir(conf)
	state := filepath.Join(folder, "state")
	if err := os.Chmod(filepath.Dir(binary), 0o755); err != nil {
		t.Fatal(err)
	}
	open := func(mode string) {
		t.Helper()
		for _, command := range [][]string{
			{"chown", "-R", fmt.Sprintf("%d:%d", owner, owner), folder},
			{"chmod", "-R", "a+rX", filepath.Dir(folder)},
			{"chmod", "-R", mode, state},
		} {
			if out, err := exec.CommandContext(t.Context(), command[0], command[1:]...).CombinedOutput(); err != nil {
				t.Fatalf("%q: %v: %s", command, err, out)
			}
		}
	}
	s := launch(t, nil, binary, "serve", "--conf", conf)
	s.await(t, "serving DHCPv4")
	got := leased(t, addr, 9)
	waitUntil(t, "the reserve is made", func() bool {
		info, err := os.Stat(filepath.Join(state, "reserve"))
		return err == nil && info.Size() == 8<<20
	})

	// The same store by settings with another control folder, so that the files are
	// read while the server that runs has them locked.
	text, err := os.ReadFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	beside := filepath.Join(folder, "beside.yml")
	write(t, beside, strings.Replace(string(text), "folder: run", "folder: none", 1))
	for _, c := range []struct {
		name, conf, mode string
		how              []string
		restsOn, address string // the beginning of each
	}{
		{"root, beside the server", beside, "go-rwx", nil, "leases: as stored in", got},
		{"a user who may read, beside the server", beside, "a+rX", asReader, "leases: as stored in", got},
		{"a user who may not, beside the server", beside, "go-rwx", asReader, "the store cannot be read", "10.77."},
		{"root", conf, "go-rwx", nil, "leases: as stored in", got},
		{"a user who may read", conf, "a+rX", asReader, "leases: as stored in", got},
		{"a user who may not", conf, "go-rwx", asReader, "the store cannot be read", "10.77."},
	} {
		if c.conf == conf && s.ProcessState == nil {
			if err := s.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if err := s.Wait(); err != nil {
				t.Fatal(err)
			}
		}
		open(c.mode)
		before := owned(t, folder)
		verdict, address, restsOn := asks(t, c.conf, c.how...)
		if verdict != "OFFER" || !strings.HasPrefix(address, c.address) || !strings.Contains(restsOn, c.restsOn) {
			t.Errorf("%s: %s %s by %q, want %s by %q", c.name, verdict, address, restsOn, c.address, c.restsOn)
		}
		if strings.Contains(c.restsOn, "cannot") && (!strings.Contains(restsOn, "permission denied") || !strings.Contains(restsOn, state)) {
			t.Errorf("%s: %q does not say what may not be read", c.name, restsOn)
		}
		if after := owned(t, folder); after != before {
			t.Errorf("%s: the files were\n%s\nand are\n%s", c.name, before, after)
		}
	}
	again := launch(t, nil, binary, "serve", "--conf", conf)
	again.await(t, "lease store opened")
}
