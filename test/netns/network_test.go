//go:build linux

package netns_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/test/netns"
)

func TestSegmentJoinsAllItsHosts(t *testing.T) {
	network := netns.New(t)
	lan := network.Segment("lan")
	var hosts []*netns.Namespace
	for i := range 3 {
		host := network.Namespace(fmt.Sprintf("host%d", i))
		lan.Attach(host, "eth0")
		host.AddAddr("eth0", netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 2, 0, byte(i + 1)}), 24))
		hosts = append(hosts, host)
	}
	for i, host := range hosts {
		conn, err := host.ListenPacket(netip.MustParseAddrPort("0.0.0.0:9000"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		for j, sender := range hosts {
			if i == j {
				continue
			}
			out, err := sender.ListenPacket(netip.MustParseAddrPort("0.0.0.0:0"))
			if err != nil {
				t.Fatal(err)
			}
			defer out.Close()
			text := fmt.Sprintf("%d to %d", j, i)
			if _, err := out.WriteTo([]byte(text), &net.UDPAddr{IP: net.IPv4(10, 2, 0, byte(i+1)), Port: 9000}); err != nil {
				t.Fatal(err)
			}
			if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, 100)
			n, _, err := conn.ReadFrom(buf)
			if err != nil {
				t.Fatal(err)
			}
			if string(buf[:n]) != text {
				t.Errorf("received %q, want %q", buf[:n], text)
			}
		}
	}
}

// echo answers each connection with its first line.
func echo(t *testing.T, l net.Listener) {
	t.Helper()
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if line, err := bufio.NewReader(conn).ReadString('\n'); err == nil {
				_, _ = io.WriteString(conn, "echo "+line)
			}
			conn.Close()
		}
	}()
}

func ask(t *testing.T, conn net.Conn) string {
	t.Helper()
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "hello\n"); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

func TestForwardInReachesTheMachine(t *testing.T) {
	ns := netns.New(t).Namespace("host")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	echo(t, l)
	inside := netip.MustParseAddrPort("127.0.0.1:8000")
	if conn, err := ns.Dial(t.Context(), inside); err == nil {
		conn.Close()
		t.Fatal("something listens in a new namespace")
	}
	ns.ForwardIn(inside, l.Addr().(*net.TCPAddr).AddrPort())
	conn, err := ns.Dial(t.Context(), inside)
	if err != nil {
		t.Fatal(err)
	}
	if got := ask(t, conn); got != "echo hello\n" {
		t.Errorf("answer %q", got)
	}
}

func TestForwardOutReachesTheNamespace(t *testing.T) {
	ns := netns.New(t).Namespace("host")
	inside := netip.MustParseAddrPort("127.0.0.1:8000")
	l, err := ns.Listen(inside)
	if err != nil {
		t.Fatal(err)
	}
	echo(t, l)
	outside := ns.ForwardOut(inside)
	conn, err := net.Dial("tcp", outside.String())
	if err != nil {
		t.Fatal(err)
	}
	if got := ask(t, conn); got != "echo hello\n" {
		t.Errorf("answer %q", got)
	}
}

func TestDoComesBackToTheMachine(t *testing.T) {
	ns := netns.New(t).Namespace("host")
	where := func() string {
		link, err := os.Readlink("/proc/thread-self/ns/net")
		if err != nil {
			t.Error(err)
		}
		return link
	}
	home, inside := where(), ""
	failure := errors.New("told by the function")
	if err := ns.Do(func() error { inside = where(); return failure }); !errors.Is(err, failure) {
		t.Errorf("error %v", err)
	}
	if inside == home || inside == "" {
		t.Errorf("the function ran in %s, the test in %s", inside, home)
	}
	if got := where(); got != home {
		t.Errorf("in %s after Do, before in %s", got, home)
	}
}

func TestProcessTellsItsOutputAndEnd(t *testing.T) {
	ns := netns.New(t).Namespace("host")
	p, err := ns.Start("sh", "-c", "echo ready; exec cat /dev/zero >/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.WaitOutput(t.Context(), "ready"); err != nil {
		t.Fatal(err)
	}
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := p.WaitOutput(t.Context(), "never printed"); err == nil {
		t.Error("text found that was not printed")
	}
}

func TestNetworkVanishesWithItsProcesses(t *testing.T) {
	netns.Require(t)
	var name string
	var daemon *exec.Cmd
	t.Run("user", func(t *testing.T) {
		ns := netns.New(t).Namespace("host")
		name = ns.Name()
		// Not by Start, which would end it: as a client that went to the background.
		daemon = ns.Command(context.Background(), "cat", "/dev/zero")
		if err := daemon.Start(); err != nil {
			t.Fatal(err)
		}
		// Wait until ip has entered the namespace and become cat.
		for !inNamespace(t, name, daemon.Process.Pid) {
			if err := t.Context().Err(); err != nil {
				t.Fatal(err)
			}
		}
	})
	if err := daemon.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("the process ended with %v", err)
	}
	if _, err := os.Stat("/run/netns/" + name); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("namespace %s is still there: %v", name, err)
	}
}

func inNamespace(t *testing.T, name string, pid int) bool {
	t.Helper()
	want, err := os.Stat("/run/netns/" + name)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.Stat(fmt.Sprintf("/proc/%d/ns/net", pid))
	return err == nil && os.SameFile(want, got)
}

func TestLeftoversOfDeadTestsAreRemoved(t *testing.T) {
	netns.Require(t)
	// A process that has ended and was waited for: its id names no process.
	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	ours := fmt.Sprintf("netnstest-%d-1-left", dead.Process.Pid)
	foreign := fmt.Sprintf("other-%d-1-left", dead.Process.Pid)
	for _, name := range []string{ours, foreign} {
		if out, err := exec.Command("ip", "netns", "add", name).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	t.Cleanup(func() {
		if out, err := exec.Command("ip", "netns", "delete", foreign).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
	kept := netns.New(t).Namespace("kept").Name()
	netns.New(t)
	for name, want := range map[string]bool{ours: false, foreign: true, kept: true} {
		_, err := os.Stat(filepath.Join("/run/netns", name))
		if got := err == nil; got != want {
			t.Errorf("%s exists: %v, want %v", name, got, want)
		}
	}
}
