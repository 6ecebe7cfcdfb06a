//go:build linux

package wire

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/test/integration"
	"github.com/coredhcp-netbox/coredhcp-netbox/test/netns"
)

// uid belongs to no account on a Debian machine.
const uid = 59067

const oneHost = `prefixes: [{prefix: 10.9.0.0/24}]
devices: [{name: web, interfaces: [{name: eth0, mac_address: "02:00:00:00:00:01", ip_addresses: [{address: 10.9.0.10/24}]}]}]
`

// asTheUnit runs a program with what the unit gives it: a user of its own, the capabilities of the
// unit and no others, no new privileges, and one folder that may be written to; all else is read-only.
const asTheUnit = `
	mount --bind "$1" "$1"
	mount -o remount,bind,ro /
	if touch /var/lib/written 2>/dev/null; then echo "/ can be written to"; exit 1; fi
	umask 0027
	exec setpriv --reuid "$2" --regid "$2" --clear-groups --no-new-privs \
		--inh-caps "-all,$3" --ambient-caps "-all,$3" --bounding-set "-all,$3" "$1/server" serve --conf "$1/config.yml"`

// REC-4: the server works with the rights that deploy/server's unit leaves it: it binds port 67 and
// 69, answers a client without address, tells the service manager, reloads, and ends in order. That
// systemd itself sets these rights is not tried here.
func TestTheServerWorksWithTheRightsOfItsUnit(t *testing.T) {
	netns.Require(t, "udhcpc", "setpriv")
	bin := integration.Program(t)
	unit, err := os.ReadFile("../../deploy/server/coredhcp-netbox.service")
	if err != nil {
		t.Fatal(err)
	}
	capabilities := setting(t, unit, "AmbientCapabilities")
	if bounds := setting(t, unit, "CapabilityBoundingSet"); bounds != capabilities {
		t.Errorf("bounded by %q, given %q", bounds, capabilities)
	}
	caps := "+" + strings.ReplaceAll(strings.ReplaceAll(strings.ToLower(capabilities), "cap_", ""), " ", ",+")

	n := netns.New(t)
	server, host := n.Namespace("server"), n.Namespace("host")
	n.Link(server, "eth0", host, "eth0")
	server.AddAddr("eth0", netip.PrefixFrom(serverAddr, 24))
	host.SetMAC("eth0", net.HardwareAddr{2, 0, 0, 0, 0, 1})
	dir, manager := unitFolder(t)
	program, err := os.ReadFile(bin)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "server"), program, 0o755); err != nil { // bin's folder is closed to other users
		t.Fatal(err)
	}

	process, err := server.StartWith([]string{"NOTIFY_SOCKET=" + filepath.Join(dir, "notify")},
		"sh", "-e", "-c", asTheUnit, "sh", dir, fmt.Sprint(uid), caps)
	if err != nil {
		t.Fatal(err)
	}
	told := make([]byte, 100)
	if err := manager.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if n, err := manager.Read(told); err != nil || !strings.HasPrefix(string(told[:n]), "READY=1") {
		t.Fatalf("the manager was told %q, %v", told[:n], err)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", process.PID()))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{ // 10 and 13 are the numbers of the two capabilities
		"Uid": fmt.Sprint(uid), "CapEff": fmt.Sprintf("%016x", 1<<10|1<<13), "CapBnd": fmt.Sprintf("%016x", 1<<10|1<<13), "NoNewPrivs": "1",
	} {
		if !regexp.MustCompile(`(?m)^` + name + `:\s+` + want + `\b`).Match(status) {
			t.Errorf("%s is not %s:\n%s", name, want, status)
		}
	}

	client := netns.Udhcpc(host, "eth0", netns.Options{Patience: patience})
	if lease := acquire(t, client); lease.Addr != netip.MustParsePrefix("10.9.0.10/24") {
		t.Errorf("leased %v", lease.Addr)
	}
	place(t, filepath.Join(dir, "inventory.yml"), strings.ReplaceAll(oneHost, "10.9.0.10/", "10.9.0.11/"))
	if err := process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := process.WaitOutput(ctx, "reloaded inventory"); err != nil {
		t.Fatal(err)
	}
	if lease := acquire(t, client); lease.Addr != netip.MustParsePrefix("10.9.0.11/24") {
		t.Errorf("after the reload: leased %v", lease.Addr)
	}
	if err := process.Stop(); err != nil {
		t.Error(err)
	}
	if code := process.ExitCode(); code != 0 {
		t.Errorf("after SIGTERM: exit code %d", code)
	}
	if room, err := os.ReadFile("/proc/sys/net/core/rmem_max"); err == nil {
		largest, err := strconv.Atoi(strings.TrimSpace(string(room)))
		if warned := strings.Contains(process.Output(), "packets may be lost in a burst"); err != nil || warned != (largest < 4<<20) { // REC-5
			t.Errorf("with net.core.rmem_max %s a warning: %v", room, warned)
		}
	}
	for _, complaint := range []string{"operation not permitted", "permission denied", "read-only file system"} {
		if strings.Contains(strings.ToLower(process.Output()), complaint) {
			t.Errorf("%q in the log", complaint)
		}
	}
}

// unitFolder makes the one folder that may be written to, and the socket of a service manager in it.
func unitFolder(t *testing.T) (string, *net.UnixConn) {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o711); err != nil { // the folder of all temporary folders is closed to other users
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "boot"), 0o755); err != nil {
		t.Fatal(err)
	}
	place(t, filepath.Join(dir, "inventory.yml"), oneHost)
	place(t, filepath.Join(dir, "config.yml"), "server4:\n  listen: [\"%eth0\"]\n  plugins:\n    - netbox:\n"+
		"netbox:\n  inventory: inventory.yml\n  store: {path: state}\n  control: {folder: run}\n  lease: {time: 1h}\n  boot_service: {folder: boot}\n")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = manager.Close() })
	for _, path := range []string{dir, filepath.Join(dir, "notify")} {
		if err := os.Chown(path, uid, uid); err != nil {
			t.Fatal(err)
		}
	}
	return dir, manager
}

// place writes a file as the unit's head says: root's, and readable by the group.
func place(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, 0, uid); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
}

// setting is the value of a line of the unit.
func setting(t *testing.T, unit []byte, name string) string {
	t.Helper()
	found := regexp.MustCompile(`(?m)^` + name + `=(.*)$`).FindSubmatch(unit)
	if found == nil {
		t.Fatalf("the unit has no %s", name)
	}
	return string(found[1])
}
