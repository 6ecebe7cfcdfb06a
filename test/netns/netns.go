//go:build linux

// Package netns builds small networks out of Linux network namespaces and runs real DHCP client
// and relay programs in them, for tests of a DHCP server. It must not touch the machine's own
// interfaces, routes or resolver: every packet stays in namespaces made by the test, and what the
// programs write lies in the test's own folder. It knows nothing about the server under test.
package netns

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

// prefix starts the name of every namespace of this package; the process id of the test follows,
// so that leftovers of a dead test can be told from networks in use.
const prefix = "netnstest-"

// Net is one test's set of namespaces. It vanishes, with all processes in it, when the test ends.
type Net struct {
	t  testing.TB
	id string
	// links counts the interfaces made, for their temporary names.
	links int
}

var networks atomic.Uint64

// New returns an empty network. Like Require it ends the test unless the test may use namespaces,
// and all of programs are installed.
func New(t testing.TB, programs ...string) *Net {
	t.Helper()
	Require(t, programs...)
	if err := removeLeftovers(); err != nil {
		t.Fatalf("remove namespaces of dead tests: %v", err)
	}
	return &Net{t: t, id: fmt.Sprintf("%s%d-%d-", prefix, os.Getpid(), networks.Add(1))}
}

// Require skips the test unless INTEGRATION=1 is set, it runs as root, and ip, ethtool and all of
// programs are found (test/netns/install.sh installs them). With REQUIRE_INTEGRATION=1 what is
// missing fails the test instead.
func Require(t testing.TB, programs ...string) {
	t.Helper()
	missing := unmet(append([]string{"ip", "ethtool"}, programs...))
	switch {
	case missing == "":
	case os.Getenv("REQUIRE_INTEGRATION") == "1":
		t.Fatalf("REQUIRE_INTEGRATION=1, but %s", missing)
	default:
		t.Skipf("needs network namespaces and real DHCP programs: %s", missing)
	}
}

func unmet(programs []string) string {
	if os.Getenv("INTEGRATION") != "1" && os.Getenv("REQUIRE_INTEGRATION") != "1" {
		return "INTEGRATION=1 is not set"
	}
	if os.Geteuid() != 0 {
		return "this is not root"
	}
	for _, program := range programs {
		if _, err := lookPath(program); err != nil {
			return err.Error()
		}
	}
	return ""
}

// lookPath finds a program also in the administrator's folders, which PATH may lack.
func lookPath(program string) (string, error) {
	path, err := exec.LookPath(program)
	if err == nil {
		return path, nil
	}
	for _, folder := range []string{"/usr/local/sbin", "/usr/sbin", "/sbin"} {
		if found, err := exec.LookPath(filepath.Join(folder, program)); err == nil {
			return found, nil
		}
	}
	return "", err
}

// Namespace makes a namespace with a loopback interface that is up. The name need only be unique
// within the network.
func (n *Net) Namespace(name string) *Namespace {
	n.t.Helper()
	ns := &Namespace{t: n.t, name: n.id + name}
	if err := ip("netns", "add", ns.name); err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() {
		if err := remove(ns.name); err != nil {
			n.t.Errorf("remove namespace %s: %v", ns.name, err)
		}
	})
	ns.ip("link", "set", "dev", "lo", "up")
	return ns
}

// Link joins the interface aName in a with the interface bName in b by a cable. Both are up and
// have no address.
func (n *Net) Link(a *Namespace, aName string, b *Namespace, bName string) {
	n.t.Helper()
	n.links++
	// Made under names no namespace can hold yet, since two ends in one namespace must differ.
	left, right := fmt.Sprintf("tmp%da", n.links), fmt.Sprintf("tmp%db", n.links)
	a.ip("link", "add", "name", left, "type", "veth", "peer", "name", right, "netns", b.name)
	a.adopt(left, aName)
	b.adopt(right, bName)
}

// Segment is an Ethernet segment (a switch) that any number of interfaces are plugged into.
type Segment struct {
	net    *Net
	bridge *Namespace
	ports  int
}

// Segment makes a switch without ports.
func (n *Net) Segment(name string) *Segment {
	n.t.Helper()
	s := &Segment{net: n, bridge: n.Namespace("segment-" + name)}
	// No forwarding delay: a port that is up passes frames at once.
	s.bridge.ip("link", "add", "name", "br0", "type", "bridge", "forward_delay", "0", "mcast_snooping", "0")
	s.bridge.ip("link", "set", "dev", "br0", "up")
	return s
}

// Attach makes the interface ifname in ns and plugs it into the segment.
func (s *Segment) Attach(ns *Namespace, ifname string) {
	s.net.t.Helper()
	s.ports++
	port := fmt.Sprintf("port%d", s.ports)
	s.net.Link(ns, ifname, s.bridge, port)
	s.bridge.ip("link", "set", "dev", port, "master", "br0")
}

// ip runs the ip program in the machine's own namespace.
func ip(args ...string) error {
	return run("ip", args...)
}

func run(program string, args ...string) error {
	path, err := lookPath(program)
	if err != nil {
		return err
	}
	if out, err := exec.Command(path, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", program, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// remove kills what still runs in the namespace (clients put themselves into the background) and
// deletes it.
func remove(name string) error {
	path, err := lookPath("ip")
	if err != nil {
		return err
	}
	out, err := exec.Command(path, "netns", "pids", name).Output()
	if err != nil {
		return fmt.Errorf("list processes in %s: %w", name, err)
	}
	for _, field := range strings.Fields(string(out)) {
		pid, err := strconv.Atoi(field)
		if err != nil || pid == os.Getpid() {
			continue
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("kill process %d in %s: %w", pid, name, err)
		}
	}
	return ip("netns", "delete", name)
}

// removeLeftovers deletes the namespaces of tests whose process is gone.
func removeLeftovers() error {
	entries, err := os.ReadDir("/run/netns")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		owner, found := strings.CutPrefix(entry.Name(), prefix)
		if !found {
			continue
		}
		owner, _, _ = strings.Cut(owner, "-")
		if _, err := os.Stat("/proc/" + owner); !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		// Another test binary may be removing it at the same time.
		if err := remove(entry.Name()); err != nil {
			if _, gone := os.Stat("/run/netns/" + entry.Name()); !errors.Is(gone, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}
