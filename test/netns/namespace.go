//go:build linux

package netns

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Namespace is one host of the network. Methods without an error result end the test on failure
// and may only be called from the test's goroutine.
type Namespace struct {
	t    testing.TB
	name string
}

// Name is the namespace's name for `ip netns exec`.
func (ns *Namespace) Name() string { return ns.name }

func (ns *Namespace) ip(args ...string) {
	ns.t.Helper()
	if err := ip(append([]string{"-n", ns.name}, args...)...); err != nil {
		ns.t.Fatal(err)
	}
}

// adopt gives a new veth end its name and makes it behave like a real card: checksums of UDP are
// in the frames, where clients that read raw frames look for them.
func (ns *Namespace) adopt(temporary, ifname string) {
	ns.t.Helper()
	ns.ip("link", "set", "dev", temporary, "name", ifname)
	if err := ip("netns", "exec", ns.name, "ethtool", "--offload", ifname, "tx", "off"); err != nil {
		ns.t.Fatal(err)
	}
	ns.ip("link", "set", "dev", ifname, "up")
}

// SetMAC changes an interface's hardware address.
func (ns *Namespace) SetMAC(ifname string, mac net.HardwareAddr) {
	ns.t.Helper()
	ns.ip("link", "set", "dev", ifname, "address", mac.String())
}

// AddAddr gives an interface an address, with the route to its prefix.
func (ns *Namespace) AddAddr(ifname string, addr netip.Prefix) {
	ns.t.Helper()
	ns.ip("address", "add", addr.String(), "dev", ifname)
}

// AddRoute adds a route through a router.
func (ns *Namespace) AddRoute(to netip.Prefix, via netip.Addr) {
	ns.t.Helper()
	ns.ip("route", "add", to.String(), "via", via.String())
}

// SetUp sets the link state of an interface.
func (ns *Namespace) SetUp(ifname string, up bool) {
	ns.t.Helper()
	state := "down"
	if up {
		state = "up"
	}
	ns.ip("link", "set", "dev", ifname, state)
}

// Socket makes the interface ifname of a hardware address on the interface wire, whose cable
// Unplug can pull without a switch port at the other end that has to wake up first.
func (ns *Namespace) Socket(wire, ifname string, mac net.HardwareAddr) {
	ns.t.Helper()
	ns.ip("link", "add", "link", wire, "name", ifname, "address", mac.String(), "type", "macvlan", "mode", "bridge")
	ns.ip("link", "set", "dev", ifname, "up")
}

// Unplug takes the carrier from an interface that Socket made, or gives it back.
func (ns *Namespace) Unplug(ifname string, out bool) {
	ns.t.Helper()
	state := "off"
	if out {
		state = "on"
	}
	ns.ip("link", "set", "dev", ifname, "protodown", state)
	for end := time.Now().Add(stopWait); ns.hasCarrier(ifname) == out; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			ns.t.Fatalf("%s after protodown %s: the carrier stays as it was", ifname, state)
		}
	}
}

// hasCarrier is what programs are told of the carrier.
func (ns *Namespace) hasCarrier(ifname string) (has bool) {
	ns.t.Helper()
	err := ns.Do(func() error {
		iface, err := net.InterfaceByName(ifname)
		if err != nil {
			return err
		}
		has = iface.Flags&net.FlagRunning != 0
		return nil
	})
	if err != nil {
		ns.t.Fatal(err)
	}
	return has
}

// Forward makes the host a router for IPv4.
func (ns *Namespace) Forward() {
	ns.t.Helper()
	err := ns.Do(func() error { return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0) })
	if err != nil {
		ns.t.Fatalf("enable forwarding: %v", err)
	}
}

// Addrs lists the IPv4 addresses an interface has now.
func (ns *Namespace) Addrs(ifname string) ([]netip.Prefix, error) {
	var list []netip.Prefix
	err := ns.Do(func() error {
		iface, err := net.InterfaceByName(ifname)
		if err != nil {
			return err
		}
		addrs, err := iface.Addrs()
		if err != nil {
			return err
		}
		for _, addr := range addrs {
			p, err := netip.ParsePrefix(addr.String())
			if err != nil {
				return err
			}
			if p.Addr().Is4() {
				list = append(list, p)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list addresses of %s: %w", ifname, err)
	}
	return list, nil
}

// Command returns a command that will run in the namespace. It has a view of mounts of its own,
// so that no other program sees what it mounts; its process id is the program's.
func (ns *Namespace) Command(ctx context.Context, program string, args ...string) *exec.Cmd {
	ipPath, err := lookPath("ip")
	if err != nil {
		ipPath = "ip" // the command then fails with this reason when started
	}
	if path, err := lookPath(program); err == nil {
		program = path
	}
	return exec.CommandContext(ctx, ipPath, append([]string{"netns", "exec", ns.name, program}, args...)...)
}

// Do runs f on a thread that is in the namespace: sockets f opens belong to it for good, sockets
// opened by goroutines that f starts do not. f may not end the test.
func (ns *Namespace) Do(f func() error) error {
	result := make(chan error, 1)
	go func() { result <- ns.do(f) }()
	return <-result
}

func (ns *Namespace) do(f func() error) error {
	// A thread that cannot go back is not unlocked: it ends with this goroutine.
	runtime.LockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return err
	}
	defer home.Close()
	target, err := os.Open("/run/netns/" + ns.name)
	if err != nil {
		return err
	}
	defer target.Close()
	if err := unix.Setns(int(target.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter namespace %s: %w", ns.name, err)
	}
	ferr := f()
	if err := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); err == nil {
		runtime.UnlockOSThread()
	}
	return ferr
}
