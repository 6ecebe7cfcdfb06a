package receive

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// reloadPause is the least time between two readings of the interfaces: a
// machine that starts thousands of VLANs reports each one.
const reloadPause = 100 * time.Millisecond

// netInterface is a network interface as far as a DHCP server cares.
type netInterface struct {
	name     string
	index    int
	ethernet bool         // has 6-byte hardware addresses
	addrs    []netip.Addr // IPv4, in kernel order
	bits     []int        // their masks
}

// interfaceTable is one reading of the machine's interfaces. It is never
// changed once made.
type interfaceTable struct {
	byIndex map[int]*netInterface
	byName  map[string]*netInterface
	local   map[netip.Addr]bool // addresses of all of them
}

// interfaces keeps the current table, so that no packet asks the kernel for it.
// Both sockets are opened once, in the network namespace of the opener.
type interfaces struct {
	events *nl.NetlinkSocket
	table  atomic.Pointer[interfaceTable]

	mu       sync.Mutex
	requests *netlink.Handle // nil once closed
}

// openInterfaces reads the table and subscribes to its changes.
func openInterfaces() (*interfaces, error) {
	events, err := nl.Subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR)
	if err != nil {
		return nil, fmt.Errorf("subscribe to interface changes: %w", err)
	}
	requests, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		events.Close()
		return nil, fmt.Errorf("open a netlink socket: %w", err)
	}
	t := &interfaces{requests: requests, events: events}
	if err := t.reload(); err != nil {
		t.close()
		return nil, err
	}
	return t, nil
}

func (t *interfaces) close() {
	t.events.Close()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.requests != nil {
		t.requests.Close()
		t.requests = nil
	}
}

// reload reads all interfaces and addresses. A reading that the kernel marks as
// interrupted is kept: the change that interrupted it is announced and read
// again.
func (t *interfaces) reload() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.requests == nil {
		return nil
	}
	links, err := t.requests.LinkList()
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return fmt.Errorf("read the interfaces: %w", err)
	}
	addrs, err := t.requests.AddrList(nil, netlink.FAMILY_V4)
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return fmt.Errorf("read the interface addresses: %w", err)
	}
	table := &interfaceTable{
		byIndex: make(map[int]*netInterface, len(links)),
		byName:  make(map[string]*netInterface, len(links)),
		local:   make(map[netip.Addr]bool, len(addrs)),
	}
	for _, link := range links {
		at := link.Attrs()
		ifc := &netInterface{name: at.Name, index: at.Index, ethernet: at.EncapType == "ether" && len(at.HardwareAddr) == 6}
		table.byIndex[ifc.index], table.byName[ifc.name] = ifc, ifc
	}
	for _, a := range addrs {
		addr, ok := netip.AddrFromSlice(a.IP.To4())
		if ifc := table.byIndex[a.LinkIndex]; ok && ifc != nil {
			bits, _ := a.Mask.Size()
			ifc.addrs, ifc.bits = append(ifc.addrs, addr), append(ifc.bits, bits)
			table.local[addr] = true
		}
	}
	t.table.Store(table)
	return nil
}

// watch keeps the table current until ctx ends, and calls changed after each
// new reading. It returns once its goroutine has ended.
func (t *interfaces) watch(ctx context.Context, log logrus.FieldLogger, changed func(*interfaceTable)) {
	announced := make(chan struct{}, 1)
	var receiver sync.WaitGroup
	receiver.Go(func() { t.receive(ctx, announced) })
	defer receiver.Wait()
	defer t.events.Close()
	for {
		select {
		case <-ctx.Done():
			return
		case <-announced:
		}
		if err := t.reload(); err != nil {
			log.WithError(err).Error("interface addresses may be out of date")
		} else {
			changed(t.table.Load())
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(reloadPause):
		}
	}
}

// receive announces changes until ctx ends and the event socket is closed. An
// error, such as messages lost in a flood, may hide a change and counts as one.
func (t *interfaces) receive(ctx context.Context, announced chan<- struct{}) {
	for {
		_, _, err := t.events.Receive()
		if ctx.Err() != nil {
			return
		}
		select {
		case announced <- struct{}{}:
		default:
		}
		if err != nil {
			select {
			case <-ctx.Done():
			case <-time.After(reloadPause):
			}
		}
	}
}
