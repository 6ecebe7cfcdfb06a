package instance

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/mdlayher/packet"
)

const (
	// arpTries and arpWait are how often an address is asked for, and how long an
	// answer may take: 1.5 s in all, as long as hosts probe their own (RFC 5227).
	arpTries = 3
	arpWait  = 500 * time.Millisecond

	etherTypeARP = 0x0806
	arpLen       = 28
)

// arp reports whether a host on a connected interface has addr. An error
// says that addr is on none, or that it could not be asked.
func (i *Instance) arp(ctx context.Context, addr netip.Addr) (bool, error) {
	on, err := connected(addr)
	if err != nil {
		return false, err
	}
	conn, err := packet.Listen(on, packet.Datagram, etherTypeARP, nil)
	if err != nil {
		return false, fmt.Errorf("open a socket for ARP on %s: %w", on.Name, err)
	}
	defer func() { _ = conn.Close() }()
	everybody := &packet.Addr{HardwareAddr: net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}
	for range arpTries {
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		if _, err := conn.WriteTo(whoHas(on.HardwareAddr, addr), everybody); err != nil {
			return false, fmt.Errorf("ask by ARP on %s: %w", on.Name, err)
		}
		if answered, err := heardARP(conn, on.HardwareAddr, addr); answered || err != nil {
			return answered, err
		}
	}
	return false, nil
}

// connected returns the interface whose network addr is in, which is up and on
// Ethernet. An address of this machine is on none, and so is one that two
// interfaces have: silence on the wrong wire proves nothing.
func connected(addr netip.Addr) (*net.Interface, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	var found *net.Interface
	for at := range all {
		ifc := &all[at]
		addrs, err := ifc.Addrs()
		if err != nil {
			return nil, fmt.Errorf("list the addresses of %s: %w", ifc.Name, err)
		}
		for _, a := range addrs {
			own, err := netip.ParsePrefix(a.String())
			switch {
			case err != nil || !own.Contains(addr):
			case own.Addr() == addr:
				return nil, fmt.Errorf("%s is an address of this machine", addr)
			case found != nil && found.Index != ifc.Index:
				return nil, fmt.Errorf("%s is in the networks of %s and %s", addr, found.Name, ifc.Name)
			case ifc.Flags&net.FlagUp != 0 && ifc.Flags&net.FlagRunning != 0 && len(ifc.HardwareAddr) == 6 && own.Bits() < 32:
				found = ifc
			}
		}
	}
	if found == nil {
		return nil, fmt.Errorf("%s is in the network of no interface", addr)
	}
	return found, nil
}

// whoHas is an ARP request without a sender's address, which changes no table of
// its hearers (RFC 5227 section 2.1.1).
func whoHas(from net.HardwareAddr, addr netip.Addr) []byte {
	b := binary.BigEndian.AppendUint16(nil, 1) // Ethernet
	b = binary.BigEndian.AppendUint16(b, 0x0800)
	b = append(b, 6, 4)
	b = binary.BigEndian.AppendUint16(b, 1) // request
	b = append(b, from...)
	b = append(b, make([]byte, 4+6)...)
	return append(b, addr.AsSlice()...)
}

// heardARP waits for a message of a host that has addr.
func heardARP(conn *packet.Conn, own net.HardwareAddr, addr netip.Addr) (bool, error) {
	if err := conn.SetReadDeadline(time.Now().Add(arpWait)); err != nil {
		return false, fmt.Errorf("wait for ARP: %w", err)
	}
	b := make([]byte, 256)
	for {
		n, _, err := conn.ReadFrom(b)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return false, nil
		case err != nil:
			return false, fmt.Errorf("wait for ARP: %w", err)
		case n >= arpLen && bytes.Equal(b[14:18], addr.AsSlice()) && !bytes.Equal(b[8:14], own):
			return true, nil
		}
	}
}
