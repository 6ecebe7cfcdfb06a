package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// The network of the lab: a server, and a relay behind which all clients are.
// The clients' network is as wide as the largest inventory needs.
const (
	serverSide = "vsrv"
	relaySide  = "vrly"
)

type addresses struct {
	server, relay netip.Prefix // at both ends of the cable
	giaddr        netip.Prefix // of the relay among its clients
	clients       netip.Prefix
}

func labAddresses() addresses {
	return addresses{
		server:  netip.MustParsePrefix("192.168.253.1/30"),
		relay:   netip.MustParsePrefix("192.168.253.2/30"),
		giaddr:  netip.MustParsePrefix("10.0.0.1/32"),
		clients: netip.MustParsePrefix("10.0.0.0/8"),
	}
}

// host is a thread in a network namespace of its own. Programs that it starts
// live there and on the processors it was given. The namespace has no name and
// ends with the thread and its programs, however they end.
type host struct {
	work chan func()
	ns   *os.File
	nice int // of its programs
}

func newHost(nice int) (*host, error) {
	h := &host{work: make(chan func()), nice: nice}
	failed := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			h.ns, err = os.Open("/proc/thread-self/ns/net")
		}
		if failed <- err; err != nil {
			return
		}
		for f := range h.work {
			f()
		}
	}()
	if err := <-failed; err != nil {
		return nil, fmt.Errorf("make a network namespace (needs root): %w", err)
	}
	return h, nil
}

// do runs f on the host's thread.
func (h *host) do(f func() error) error {
	result := make(chan error)
	h.work <- func() { result <- f() }
	return <-result
}

func (h *host) close() {
	close(h.work)
	_ = h.ns.Close() // it was only read
}

// claim gives the host's thread, and what it starts from now on, some
// processors.
func (h *host) claim(cpus ...int) error {
	return h.do(func() error { return claimThread(unix.Gettid(), h.nice, cpus...) })
}

func claimThread(tid, nice int, cpus ...int) error {
	var set unix.CPUSet
	for _, cpu := range cpus {
		set.Set(cpu)
	}
	if err := unix.SchedSetaffinity(tid, &set); err != nil || nice == 0 {
		return err
	}
	return unix.Setpriority(unix.PRIO_PROCESS, tid, nice)
}

// connect joins two hosts by a cable and gives them their addresses.
func connect(server, relay *host, a addresses) error {
	err := server.do(func() error {
		cable := &netlink.Veth{
			LinkAttrs: netlink.LinkAttrs{Name: serverSide}, PeerName: relaySide, PeerNamespace: netlink.NsFd(int(relay.ns.Fd())),
		}
		return errors.Join(netlink.LinkAdd(cable), setUp("lo"), setUp(serverSide, a.server))
	})
	if err == nil {
		err = relay.do(func() error { return errors.Join(setUp("lo"), setUp(relaySide, a.relay, a.giaddr)) })
	}
	if err == nil {
		err = server.do(func() error { return route(a.clients, a.relay.Addr()) })
	}
	if err != nil {
		return fmt.Errorf("lay the cable between server and relay: %w", err)
	}
	return nil
}

func setUp(name string, prefixes ...netip.Prefix) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	for _, p := range prefixes {
		addr, err := netlink.ParseAddr(p.String())
		if err != nil {
			return err
		}
		if err := netlink.AddrAdd(link, addr); err != nil {
			return err
		}
	}
	return netlink.LinkSetUp(link)
}

func route(to netip.Prefix, via netip.Addr) error {
	dst, err := netlink.ParseIPNet(to.String())
	if err != nil {
		return err
	}
	return netlink.RouteAdd(&netlink.Route{Dst: dst, Gw: via.AsSlice()})
}
