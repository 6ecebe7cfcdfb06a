//go:build linux

package packages

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// patience bounds a start of the computer and a command in it: its processor is
// emulated, since KVM within a virtual machine may hang, and this machine may be busy.
const patience = 10 * time.Minute

// guest is a virtual computer with a clean Debian, and a root's shell in it.
type guest struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

// start makes a computer of the image that guest.sh keeps, with files on a second
// disk, below /root. It forgets everything at its end.
func start(t *testing.T, files ...string) *guest {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "bash", "guest.sh").Output()
	if err != nil {
		exit := new(exec.ExitError)
		_ = errors.As(err, &exit)
		t.Fatalf("guest.sh: %v\n%s", err, exit.Stderr)
	}
	image, folder := strings.TrimSpace(string(out)), t.TempDir()
	disk := filepath.Join(folder, "files.tar")
	args := []string{"-cf", disk}
	for _, f := range files {
		args = append(args, "-C", filepath.Dir(f), filepath.Base(f))
	}
	run(t, "tar", args...)
	console, socket := filepath.Join(folder, "console"), filepath.Join(folder, "shell")
	cmd := exec.Command("qemu-system-x86_64", "-accel", "tcg", "-m", "1024", "-smp", "2", "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
		"-kernel", filepath.Join(image, "vmlinuz"), "-initrd", filepath.Join(image, "initrd"), "-append", "console=ttyS0 edd=off quiet mitigations=off systemd.show_status=0",
		"-drive", "if=virtio,format=raw,snapshot=on,file="+filepath.Join(image, "base.img"), "-drive", "if=virtio,format=raw,readonly=on,file="+disk,
		"-serial", "file:"+console, "-chardev", "socket,id=shell,server=on,wait=off,path="+socket, "-serial", "chardev:shell", "-device", "virtio-rng-pci")
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if text, err := os.ReadFile(console); err == nil && t.Failed() {
			t.Logf("console:\n%s", text)
		}
	})
	g := &guest{t: t}
	for until := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if g.conn, err = net.Dial("unix", socket); err == nil {
			break
		}
		if time.Now().After(until) {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { g.conn.Close() })
	g.in = bufio.NewReader(g.conn)
	for line := ""; strings.TrimSpace(line) != "READY"; line = g.line() {
	}
	g.do("tar -C /root -xf /dev/vdb")
	return g
}

func (g *guest) line() string {
	g.t.Helper()
	if err := g.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		g.t.Fatal(err)
	}
	line, err := g.in.ReadString('\n')
	if err != nil {
		g.t.Fatalf("the computer does not answer: %v", err)
	}
	return strings.TrimSpace(line)
}

// try runs a command as root and returns its exit code and what it printed.
func (g *guest) try(command string) (code, said string) {
	g.t.Helper()
	if _, err := fmt.Fprintln(g.conn, base64.StdEncoding.EncodeToString([]byte(command))); err != nil {
		g.t.Fatal(err)
	}
	code, packed, _ := strings.Cut(g.line(), " ")
	text, err := base64.StdEncoding.DecodeString(packed)
	if err != nil {
		g.t.Fatalf("%s: %v", command, err)
	}
	return code, strings.TrimSpace(string(text))
}

// do is try for a command that must succeed.
func (g *guest) do(command string) string {
	g.t.Helper()
	code, said := g.try(command)
	if code != "0" {
		_, log := g.try("journalctl --no-pager -n 30 -u 'coredhcp-netbox*' -u 'netbox-dhcp-sync*'")
		g.t.Fatalf("%s: exit code %s\n%s\n%s", command, code, said, log)
	}
	return said
}

// says compares what a command prints, whatever its exit code.
func (g *guest) says(want, command string) {
	g.t.Helper()
	if _, said := g.try(command); said != want {
		g.t.Errorf("%s\nsays %q, want %q", command, said, want)
	}
}
