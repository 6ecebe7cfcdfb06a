package lease

import (
	"errors"
	"net/netip"
	"slices"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// evidence returns the addresses that say where the client is, and the name of
// what said so; the first kind present wins (N-1). Only an interface can give
// several.
func (d *decider) evidence() (addrs []netip.Addr, source string) {
	m := d.m
	// REBINDING is broadcast or relayed; ciaddr is then a claim to be checked,
	// not evidence. The stock server cannot tell (D-26). A server identifier is
	// an error that renewing clients are forgiven (D-6). In other states ciaddr
	// is a leftover (D-6).
	renewing := d.state == Renewing && m.Delivery != DeliveryBroadcast
	switch {
	case m.LinkSelection.IsValid():
		return []netip.Addr{m.LinkSelection}, "relay's link selection"
	case m.SubnetSelection.IsValid():
		return []netip.Addr{m.SubnetSelection}, "subnet selection option"
	case m.Relay.IsValid():
		return []netip.Addr{m.Relay}, "relay address"
	case m.ClientAddr.IsValid() && (m.Type == Inform || renewing):
		return []netip.Addr{m.ClientAddr}, "client's own address"
	case d.f.Policy.Subnet.IsValid():
		return []netip.Addr{d.f.Policy.Subnet}, "setting network.subnet"
	case len(m.InterfaceAddrs) > 0:
		if d.trace != nil {
			d.trace.addf("N-1", "received on interface %s", m.Interface)
		}
		return m.InterfaceAddrs, "its address"
	case m.Interface == "" && m.Identifier.IsValid():
		return []netip.Addr{m.Identifier}, "server identifier"
	}
	return nil, ""
}

// networks returns the client's networks (N-1 to N-4), or the reason why there
// is none.
func (d *decider) networks() ([]*ipam.Subnet, Reason) {
	addrs, source := d.evidence()
	if len(addrs) == 0 {
		d.trace.addf("N-1", "nothing says where the client is: no relay, no interface address, no network.subnet")
		return nil, ReasonNoEvidence
	}
	var list []*ipam.Subnet
	for _, addr := range addrs {
		n, err := d.s.Subnet(addr)
		if err != nil {
			d.trace.addf("N-4", "%s %s: %v", source, addr, err)
			if errors.As(err, new(*ipam.AmbiguousVRFError)) {
				return nil, ReasonAmbiguousVRF
			}
			continue
		}
		if slices.Contains(list, n) {
			continue
		}
		if d.trace != nil {
			d.trace.addf("N-3", "%s %s is in prefix %s (id %d, %s)", source, addr, n.Prefix.Prefix, n.ID, d.s.VRFName(n.VRF))
		}
		list = append(list, n)
	}
	if len(list) == 0 {
		return nil, ReasonNoSubnet
	}
	return list, ""
}
