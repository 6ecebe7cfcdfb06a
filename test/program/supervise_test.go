package program

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/test/integration"
)

// REC-4: SIGHUP reloads and never ends the process; the service manager is told
// when packets are answered.
func TestHangupReloadsAndTheServiceManagerIsTold(t *testing.T) {
	conf, addr := lab(t, pool)
	dir := t.TempDir()
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = manager.Close() }()
	logFile := filepath.Join(dir, "server.log")
	cmd := exec.Command(binary, "serve", "--conf", conf, "--logfile", logFile)
	cmd.Env = []string{"HOME=" + dir, "NOTIFY_SOCKET=" + filepath.Join(dir, "notify")}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // fails if it has ended
	told := make([]byte, 100)
	if err := manager.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if n, err := manager.Read(told); err != nil || string(told[:n]) != "READY=1" {
		t.Fatalf("the manager was told %q, %v", told[:n], err)
	}
	if err := os.Rename(logFile, logFile+".1"); err != nil {
		t.Fatal(err)
	}
	inventory := filepath.Join(filepath.Dir(conf), "inventory.yml")
	write(t, inventory, strings.Replace(pool, "52:54:00:aa:00:01", "52:54:00:00:00:07", 1))
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if text, _ := os.ReadFile(logFile); strings.Contains(string(text), "reloaded inventory") {
			break
		}
		if time.Now().After(end) {
			t.Fatal("no line about the reload in the new log file")
		}
	}
	got, err := agent(t, addr).Acquire(mac(7))
	if err != nil {
		t.Fatalf("after SIGHUP: %v", err)
	}
	if !strings.Contains(got.String(), "10.77.0.10") {
		t.Errorf("the machine of the new inventory got %v", got)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v", err)
	}
}

// B-11: the watchdog is fed without a packet, while NetBox is away and the store
// cannot be opened.
func TestTheWatchdogIsFedWhateverNetBoxAndTheDiskDo(t *testing.T) {
	conf, _ := lab(t, pool)
	text, err := os.ReadFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	write(t, conf, strings.Replace(string(text), "inventory: inventory.yml", "url: https://"+integration.FreePort(t), 1))
	write(t, filepath.Join(filepath.Dir(conf), "state"), "a file where the folder should be")
	dir := t.TempDir()
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = manager.Close() }()
	launch(t, []string{"NOTIFY_SOCKET=" + filepath.Join(dir, "notify"), "WATCHDOG_USEC=200000", "NETBOX_TOKEN=0123456789012345678901234567890123456789"},
		binary, "serve", "--conf", conf)
	if err := manager.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	told := make([]byte, 100)
	for _, want := range []string{"READY=1", "WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1"} {
		if n, err := manager.Read(told); err != nil || string(told[:n]) != want {
			t.Fatalf("the manager was told %q, %v; want %s", told[:n], err, want)
		}
	}
}
