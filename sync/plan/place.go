package plan

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Place is where an address is: the same host in two VRFs is two addresses.
type Place struct {
	VRF  int64 // 0: global table
	Addr netip.Addr
}

// Compare orders places by VRF, then address.
func (p Place) Compare(o Place) int {
	switch {
	case p.VRF < o.VRF:
		return -1
	case p.VRF > o.VRF:
		return 1
	}
	return p.Addr.Compare(o.Addr)
}

// MarshalText writes "VRF/address", for keys of the memory.
func (p Place) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "%d/%s", p.VRF, p.Addr), nil
}

// UnmarshalText reads what MarshalText wrote.
func (p *Place) UnmarshalText(text []byte) error {
	vrf, addr, ok := strings.Cut(string(text), "/")
	if !ok {
		return fmt.Errorf("%q is no VRF and address", text)
	}
	var err error
	if p.VRF, err = strconv.ParseInt(vrf, 10, 64); err != nil {
		return err
	}
	p.Addr, err = netip.ParseAddr(addr)
	return err
}

// PushedKey is a reservation on a server.
type PushedKey struct {
	Server string
	Addr   netip.Addr
}

// MarshalText writes "address server", for keys of the memory.
func (k PushedKey) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "%s %s", k.Addr, k.Server), nil
}

// UnmarshalText reads what MarshalText wrote.
func (k *PushedKey) UnmarshalText(text []byte) error {
	addr, server, ok := strings.Cut(string(text), " ")
	if !ok {
		return fmt.Errorf("%q is no address and server", text)
	}
	var err error
	k.Server = server
	k.Addr, err = netip.ParseAddr(addr)
	return err
}
