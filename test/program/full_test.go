package program

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/test/netns"
)

// H-5, H-7: the disk is full while the server runs and when it starts. Known hosts
// are served, SIGTERM works, the log stays small, the reserve lets the store be
// opened, and all is well when there is room.
func TestAFullDisk(t *testing.T) {
	conf, addr := lab(t, pool)
	disk, start := smallDisk(t, conf)
	s := start()
	waitUntil(t, "the reserve is made", func() bool { _, err := os.Stat(disk + "/reserve"); return err == nil })
	fill(t, disk)
	a := agent(t, addr)
	failed := 0
	for n := 0; len(s.lines("lease store failed")) == 0; n++ {
		if n == 20_000 {
			t.Fatal("the store does not notice that the disk is full")
		}
		if _, err := a.Reclaim(mac(n%700), []byte{10, 77, 1, byte(n)}); err != nil {
			failed++
		}
		if _, err := a.Acquire(mac(n % 700)); err != nil {
			failed++
		}
	}
	knownHostIsServed(t, addr)
	if err := s.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := s.Wait(); err != nil {
		t.Errorf("SIGTERM on a full disk: %v", err)
	}
	fill(t, disk)
	s = start() // full, and perhaps without its reserve
	s.await(t, "nearly full")
	knownHostIsServed(t, addr)
	if n := len(s.lines("")); n > 200 {
		t.Errorf("%d lines in a few seconds on a full disk", n)
	}
	if err := os.Remove(disk + "/filler"); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, "a new client has a lease", func() bool { _, err := a.Acquire(mac(9000)); return err == nil })
	if err := s.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := s.Wait(); err != nil {
		t.Errorf("SIGTERM: %v", err)
	}
}

// H-5, H-7: the reserve makes room on a full disk for the log of a server that was
// killed to be read back: what it leased is known. SIGTERM works.
func TestAStartOnAFullDisk(t *testing.T) {
	conf, addr := lab(t, pool)
	disk, start := smallDisk(t, conf)
	s := start()
	waitUntil(t, "the reserve is made", func() bool { _, err := os.Stat(disk + "/reserve"); return err == nil })
	before := leased(t, addr, 1)
	_ = s.Process.Kill()
	_ = s.Wait() // it was killed
	fill(t, disk)
	s = start()
	s.await(t, "the reserve was given to it")
	s.await(t, "lease store opened")
	if _, err := os.Stat(disk + "/reserve"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the reserve on a full disk: %v", err)
	}
	stdout, stderr, code := run(t, "leases", "--conf", conf, "--mac", mac(1).String())
	if code != 0 || !strings.Contains(stdout, before) || !strings.Contains(stdout, "running") {
		t.Errorf("the lease of before: exit code %d\n%s%s", code, stdout, stderr)
	}
	knownHostIsServed(t, addr)
	if err := errors.Join(s.Process.Signal(syscall.SIGTERM), s.Wait()); err != nil {
		t.Errorf("SIGTERM to a server that started on a full disk: %v", err)
	}
	if err := os.Remove(disk + "/filler"); err != nil {
		t.Fatal(err)
	}
	s = start()
	waitUntil(t, "the reserve is made anew", func() bool { _, err := os.Stat(disk + "/reserve"); return err == nil })
	if again := leased(t, addr, 1); again != before {
		t.Errorf("who had %s got %s", before, again)
	}
	if err := errors.Join(s.Process.Signal(syscall.SIGTERM), s.Wait()); err != nil {
		t.Errorf("SIGTERM: %v", err)
	}
}

// smallDisk puts the state of a lab on a small disk, which outlives its servers. It
// returns the disk's folder and what starts a server there.
func smallDisk(t *testing.T, conf string) (disk string, start func() *server) {
	t.Helper()
	netns.Require(t, "unshare")
	state, outside := filepath.Join(filepath.Dir(conf), "state"), t.TempDir()
	if err := os.Mkdir(state, 0o700); err != nil {
		t.Fatal(err)
	}
	// A process that lives as long as the test keeps the disk over restarts.
	keeper := launchKeeper(t, state, outside)
	return fmt.Sprintf("/proc/%d/root%s", keeper, state), func() *server {
		return launch(t, nil, "nsenter", "--mount", fmt.Sprintf("--target=%d", keeper), binary, "serve", "--conf", conf)
	}
}

func waitUntil(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(90 * time.Second); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited 90 s until %s", what)
		}
	}
}

// launchKeeper starts a process in a mount namespace with a small disk at state.
func launchKeeper(t *testing.T, state, outside string) (pid int) {
	t.Helper()
	ready := filepath.Join(outside, "ready")
	cmd := exec.Command("unshare", "--mount", "sh", "-c", `mount -t tmpfs -o size=80m,mode=700 tmpfs "$0" && touch "$1" && exec sleep 600`, state, ready)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }) // it was killed
	waitUntil(t, "the disk is mounted", func() bool { _, err := os.Stat(ready); return err == nil })
	return cmd.Process.Pid
}

// fill writes to the disk until there is no room.
func fill(t *testing.T, disk string) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(disk, "filler"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	block := make([]byte, 1<<20)
	for err == nil {
		_, err = f.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
}
