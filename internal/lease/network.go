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
	switch {
	case m.LinkSelection.IsValid():
		return d.only(m.LinkSelection), "relay's link selection"
	case d.selected.IsValid():
		return d.only(d.selected), "subnet selection option"
	case m.Relay.IsValid():
		return d.only(m.Relay), "relay address"
	case m.SaysWhere(d.state):
		return d.only(m.ClientAddr), "client's own address"
	case d.f.Policy.Subnet.IsValid():
		return d.only(d.f.Policy.Subnet), "setting network.subnet"
	case len(m.InterfaceAddrs) > 0:
		if d.trace != nil {
			d.trace.addf("N-1", "received on interface %s", m.Interface)
		}
		return m.InterfaceAddrs, "its address"
	case m.Interface == "" && m.Identifier.IsValid():
		return d.only(m.Identifier), "server identifier"
	}
	return nil, ""
}

// only is evidence of one address.
func (d *decider) only(addr netip.Addr) []netip.Addr {
	d.evident[0] = addr
	return d.evident[:]
}

// SaysWhere reports whether ciaddr is evidence of where the client is, if nothing
// that a relay or a listed sender says comes before it (N-1). REBINDING is broadcast
// or relayed; ciaddr is then a claim to be checked, not evidence. The stock server
// cannot tell (D-26). A server identifier is an error that renewing clients are
// forgiven (D-6). In other states ciaddr is a leftover (D-6).
func (m *ClientMessage) SaysWhere(state ClientState) bool {
	return m.ClientAddr.IsValid() && (m.Type == Inform || state == Renewing && m.Delivery != DeliveryBroadcast)
}

// wire is what lies on the client's wire: its own networks, which the evidence
// names (N-1), and then the other prefixes that share a VLAN with one of them
// (N-8).
type wire struct {
	all []*ipam.Subnet
	own int // how many of all are its own
}

// first is the network that stands for the wire where nothing else tells.
func (w wire) first() *ipam.Subnet { return w.all[0] }

// shared reports whether the wire has prefixes beside the client's own.
func (w wire) shared() bool { return w.own < len(w.all) }

// ownPart is the wire without the prefixes that share it.
func (w wire) ownPart() []*ipam.Subnet { return w.all[:w.own] }

// others are the prefixes that share the wire.
func (w wire) others() []*ipam.Subnet { return w.all[w.own:] }

// oneNetwork is the wire of a client that is known to be in n.
func oneNetwork(n *ipam.Subnet) wire { return wire{[]*ipam.Subnet{n}, 1} }

// networks returns the wire of the client (N-1 to N-4, N-8), or the reason why
// its network is unknown.
func (d *decider) networks() (wire, Reason) {
	addrs, source := d.evidence()
	if len(addrs) == 0 {
		d.trace.addf("N-1", "nothing says where the client is: no relay, no interface address, no network.subnet")
		return wire{}, ReasonNoEvidence
	}
	w := wire{all: d.lying[:0]}
	none := ReasonNoSubnet
	for _, addr := range addrs {
		n, err := d.s.Network(addr, d.kernelMask(addr))
		if err != nil {
			d.trace.addf("N-4", "%s %s: %v", source, addr, err)
			if errors.As(err, new(*ipam.AmbiguousVRFError)) {
				return wire{}, ReasonAmbiguousVRF
			}
			continue
		}
		if slices.Contains(w.all, n) {
			continue
		}
		if d.trace != nil {
			d.traceNetwork(source, addr, n)
		}
		if !d.served(n) {
			none = ReasonUnserved
			continue
		}
		w.all = append(w.all, n)
	}
	if len(w.all) == 0 {
		return wire{}, none
	}
	w.own = len(w.all)
	for _, n := range w.all[:w.own] {
		for _, other := range n.Wire() {
			if slices.Contains(w.all, other) {
				continue
			}
			if d.trace != nil {
				d.trace.addf("N-8", "prefix %s (id %d) is on the same VLAN (id %d)", other.Prefix.Prefix, other.ID, other.VLAN)
			}
			if !d.served(other) {
				continue
			}
			w.all = append(w.all, other)
		}
	}
	return w, ""
}

// served reports whether clients in n are served, and notes what is not (N-20).
func (d *decider) served(n *ipam.Subnet) bool {
	if d.s.Served(n) {
		return true
	}
	d.unservedAt = append(d.unservedAt, n)
	if d.trace != nil {
		d.trace.addf("N-20", "prefix %s (id %d) does not carry the tag of network.serve_tag: it is not served", n.Prefix.Prefix, n.ID)
	}
	return false
}

// kernelMask is the mask of an address of the receiving interface, 0 for other
// addresses.
func (d *decider) kernelMask(addr netip.Addr) int {
	for i, own := range d.m.InterfaceAddrs {
		if own == addr && i < len(d.m.InterfaceBits) {
			return d.m.InterfaceBits[i]
		}
	}
	return 0
}

// traceNetwork says which prefix n is, and why it is not the smallest one.
func (d *decider) traceNetwork(source string, addr netip.Addr, n *ipam.Subnet) {
	d.trace.addf("N-3", "%s %s is in prefix %s (id %d, %s)", source, addr, n.Prefix.Prefix, n.ID, d.s.VRFName(n.VRF))
	if small, err := d.s.Subnet(addr); err == nil && small != n {
		d.trace.addf("N-3", "prefix %s (id %d) inside it only documents: the mask on the wire is /%d", small.Prefix.Prefix, small.ID, n.Prefix.Prefix.Bits())
	}
}

// outside answers a REQUEST for an address that lies in no network of the
// client's wire: with a refusal, unless it could be a mistake (D-29, N-9).
func (d *decider) outside(rule string, addr netip.Addr, w wire, c *client) *Decision {
	n := w.first()
	d.trace.addf(rule, "%s is outside the client's network", addr)
	if d.networkOf(addr, d.unservedAt) != nil { // another server's, on the same wire
		return d.silent("N-20", ReasonUnserved)
	}
	decision := d.refuse(rule, ReasonWrongNetwork, n, c)
	if decision.Verdict != Nak {
		return decision
	}
	for _, own := range w.ownPart() {
		switch {
		case d.s.Unsure(addr, own):
			d.trace.addf("N-9", "NetBox does not tell whether %s is on the VLAN of prefix %s: no refusal", addr, own.Prefix.Prefix)
		case d.mine(addr) && !d.s.Elsewhere(addr, own):
			d.trace.addf("D-29", "%s is the client's own, and NetBox does not prove that it is on another wire: no refusal", addr)
		default:
			continue
		}
		decision.Verdict = Silent
		return decision
	}
	return decision
}

// had reports whether addr was last bound to the client, wherever it lies.
func (d *decider) had(addr netip.Addr) bool {
	return slices.Contains(d.l.ofClient(d.m.Client), addr) || slices.Contains(d.l.ofClient(d.m.shown()), addr)
}

// mine reports whether addr is assigned to a port with the client's MAC or to
// its aggregate, or was last bound to the client, wherever it lies.
func (d *decider) mine(addr netip.Addr) bool {
	if d.had(addr) {
		return true
	}
	if !d.m.HasMAC {
		return false
	}
	return hasByMAC(d.s, d.m.MAC, func(a *ipam.Address) bool { return a.Address.Addr() == addr })
}

// hasByMAC reports whether an address that is meant is assigned to a port with the
// MAC, is its by a link, is of its aggregate, or names the MAC.
func hasByMAC(s *ipam.Snapshot, mac ipam.MAC, is func(*ipam.Address) bool) bool {
	if slices.ContainsFunc(s.ReservedFor(mac), is) {
		return true
	}
	for _, port := range s.InterfacesWithMAC(mac) {
		lag := ipam.InterfaceID{Kind: port.ID.Kind, ID: port.LAG}
		if slices.ContainsFunc(s.Assigned(port.ID), is) || slices.ContainsFunc(s.Linked(port.ID), is) {
			return true
		}
		if port.LAG != 0 && (slices.ContainsFunc(s.Assigned(lag), is) || slices.ContainsFunc(s.Linked(lag), is)) {
			return true
		}
	}
	return false
}
