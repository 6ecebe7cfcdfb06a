package ipam

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/gaissmai/bart"
)

// Subnet is a prefix that clients are served in: N in the rules.
type Subnet struct {
	*Prefix
	// Config is the context of the prefix's place in the world (G-7); never nil.
	Config *Config

	contexts *contextList   // what config contexts say of its clients; nil: nothing (CTX-1)
	wider    *Subnet        // the next wider active or reserved prefix of the VRF; nil: none
	apart    []netip.Prefix // nested networks of their own, by address; none lies in another
	owned    []netip.Addr   // gateways whose mask is that of the prefix
	gateways []*Address     // all gateways in it but for those in apart
	wire     []*Subnet      // the shared network with this prefix; empty: it has no VLAN (N-8)
	divided  bool           // prefixes of other sites have the same VLAN (N-9)
	loss     Loss           // of the prefix or its VRF
}

// Contains reports whether addr belongs to the network. Nested prefixes belong
// to it, but for those that have a gateway or a VLAN of their own (N-5).
func (n *Subnet) Contains(addr netip.Addr) bool {
	if !n.Prefix.Prefix.Contains(addr) {
		return false
	}
	i, _ := slices.BinarySearchFunc(n.apart, addr, func(p netip.Prefix, addr netip.Addr) int {
		return LastAddr(p).Compare(addr)
	})
	return i == len(n.apart) || !n.apart[i].Contains(addr)
}

// HostIn reports whether addr can be a host of the network: it belongs to it,
// and is neither its network nor its broadcast address (I-5).
func (n *Subnet) HostIn(addr netip.Addr) bool {
	return HostIn(n.Prefix.Prefix, addr) && n.Contains(addr)
}

// Apart returns the nested prefixes that do not belong to the network, by
// address.
func (n *Subnet) Apart() []netip.Prefix { return n.apart }

// Wire returns the prefixes that share the network's VLAN, VRF and site, itself
// among them (N-8). It is empty for a network without VLAN.
func (n *Subnet) Wire() []*Subnet { return n.wire }

// HasGateway reports whether the network has a gateway of its own: one whose
// mask is that of the prefix, other than the address given.
func (n *Subnet) HasGateway(other netip.Addr) bool {
	return slices.ContainsFunc(n.owned, func(g netip.Addr) bool { return g != other })
}

// hasVLANBeside reports whether the prefix has a VLAN that w is not in.
func (n *Subnet) hasVLANBeside(w *Subnet) bool { return n.VLAN != 0 && n.VLAN != w.VLAN }

// lone reports whether the prefix only documents a single address that lies in
// a wider prefix. It changes nothing for the clients of the wire (N-3).
func (n *Subnet) lone() bool { return n.Prefix.Prefix.Bits() == 32 && n.wider != nil }

// Network returns the network of a client by the address that is the evidence
// of where it is: the smallest prefix, widened to the prefix of the mask that
// the wire has (N-3). kernel is the mask of an own interface, 0 for other
// evidence. The error is that of Subnet.
func (s *Snapshot) Network(evidence netip.Addr, kernel int) (*Subnet, error) {
	n, err := s.Subnet(evidence)
	if err != nil || n.wider == nil {
		return n, err
	}
	bits := s.maskAt(n.VRF, evidence, kernel)
	wide := n
	for wide != nil && wide.Prefix.Prefix.Bits() > bits {
		wide = wide.wider
	}
	if bits == 0 || wide == nil || wide.Prefix.Prefix.Bits() != bits {
		return n, nil
	}
	for p := n; p != wide; p = p.wider {
		if p.HasGateway(evidence) || p.hasVLANBeside(wide) {
			return n, nil
		}
	}
	return wide, nil
}

// maskAt is the mask that the wire of an address has: of its own object in
// NetBox, of the interface of this machine, or of the gateway whose network
// holds it, the longest of several. 0 stands for unknown; a /32 says nothing of
// the wire.
func (s *Snapshot) maskAt(vrf int64, addr netip.Addr, kernel int) int {
	if a := s.object(vrf, addr); a != nil && a.Address.Bits() < 32 && a.Status != "deprecated" {
		return a.Address.Bits()
	}
	if kernel > 0 && kernel < 32 {
		return kernel
	}
	if nets := s.gatewayNets[vrf]; nets != nil {
		if net, _, ok := nets.LookupPrefixLPM(netip.PrefixFrom(addr, 32)); ok {
			return net.Bits()
		}
	}
	return 0
}

// Elsewhere reports whether NetBox proves that addr is of another wire than n:
// a prefix that holds addr and not n has a gateway or VLAN of its own (D-29).
func (s *Snapshot) Elsewhere(addr netip.Addr, n *Subnet) bool {
	for p := s.smallest(n.VRF, addr); p != nil; p = p.wider {
		if p.Prefix.Prefix.Bits() <= n.Prefix.Prefix.Bits() && p.Prefix.Prefix.Contains(n.Prefix.Prefix.Addr()) {
			return false // and so does every wider one
		}
		if !p.lone() && (len(p.owned) > 0 || p.hasVLANBeside(n)) {
			return true
		}
	}
	return false
}

// Unsure reports whether NetBox cannot tell that addr is of another wire than
// n: a prefix of another site has the same VLAN (N-9), or the copy that the
// snapshot was built from knows no VLANs (H-1).
func (s *Snapshot) Unsure(addr netip.Addr, n *Subnet) bool {
	p := s.smallest(n.VRF, addr)
	if s.objects.NoVLANs {
		return p != nil
	}
	for ; p != nil && n.divided; p = p.wider {
		if p.VLAN == n.VLAN && !slices.Contains(n.wire, p) {
			return true
		}
	}
	return false
}

// smallest returns the smallest prefix of a VRF that holds addr, or nil.
func (s *Snapshot) smallest(vrf int64, addr netip.Addr) *Subnet {
	if table := s.subnets[vrf]; table != nil {
		n, _ := table.Lookup(addr)
		return n
	}
	return nil
}

// SubnetOf returns the smallest active or reserved prefix of its own VRF that
// holds an address, nil if there is none; a /32 only where no other does.
func (s *Snapshot) SubnetOf(a *Address) *Subnet {
	n, err := s.subnetIn(a.VRF, a.Address.Addr())
	if err != nil {
		return nil
	}
	return n
}

// relateSubnets finds out how the prefixes lie on wires.
func (b *builder) relateSubnets() {
	s := b.s
	s.gatewayNets = make(map[int64]*bart.Table[struct{}])
	for vrf, gateways := range s.gateways {
		nets := new(bart.Table[struct{}])
		s.gatewayNets[vrf] = nets
		for _, g := range gateways {
			if g.Address.Bits() == 32 {
				continue
			}
			nets.Insert(g.Address.Masked(), struct{}{})
			if table := s.subnets[vrf]; table != nil {
				if n, ok := table.Get(g.Address.Masked()); ok && !slices.Contains(n.owned, g.Address.Addr()) {
					n.owned = append(n.owned, g.Address.Addr())
				}
			}
		}
	}
	for _, vrf := range slices.Sorted(maps.Keys(s.subnets)) {
		var list []*Subnet
		for _, n := range s.subnets[vrf].All() {
			list = append(list, n)
		}
		slices.SortFunc(list, compareSubnets)
		b.nest(list)
		b.share(list)
		for _, n := range list {
			n.gateways = s.gatewaysIn(n)
			b.contradictions(n)
		}
	}
}

func compareSubnets(a, b *Subnet) int {
	p, q := a.Prefix.Prefix, b.Prefix.Prefix
	return cmp.Or(p.Addr().Compare(q.Addr()), cmp.Compare(p.Bits(), q.Bits()))
}

// nest links each prefix of one VRF to the next wider one, and notes which
// nested prefixes are networks of their own. The list is by address, wider
// prefixes first.
func (b *builder) nest(list []*Subnet) {
	var above *Subnet
	for _, n := range list {
		for above != nil && !above.Prefix.Prefix.Contains(n.Prefix.Prefix.Addr()) {
			above = above.wider
		}
		n.wider, above = above, n
		if n.lone() {
			continue
		}
		for w := n.wider; w != nil; w = w.wider {
			known := len(w.apart) > 0 && w.apart[len(w.apart)-1].Contains(n.Prefix.Prefix.Addr())
			if !known && (len(n.owned) > 0 || n.hasVLANBeside(w)) {
				w.apart = append(w.apart, n.Prefix.Prefix)
			}
		}
	}
}

// share joins the prefixes of one VRF that lie on one VLAN in one place (N-8).
func (b *builder) share(list []*Subnet) {
	type wire struct {
		vlan  int64
		place Scope
	}
	key := func(n *Subnet) wire { return wire{n.VLAN, b.siteOf(n.Scope)} }
	wires := make(map[wire][]*Subnet)
	first := make(map[int64]*Subnet) // of each VLAN
	divided := make(map[int64]bool)
	for _, n := range list {
		if n.VLAN == 0 || n.lone() {
			continue
		}
		wires[key(n)] = append(wires[key(n)], n)
		switch other := first[n.VLAN]; {
		case other == nil:
			first[n.VLAN] = n
		case key(other) != key(n):
			divided[n.VLAN] = true
			b.problemf(describePrefix(n.Prefix), "on the same VLAN (id %d) as %s, but at another site: they are not served as one network, and nothing is refused "+
				"between them; give them the same site (rule N-9)", n.VLAN, describePrefix(other.Prefix))
		}
	}
	for _, n := range list {
		if n.VLAN != 0 && !n.lone() {
			n.wire, n.divided = wires[key(n)], divided[n.VLAN]
		}
	}
}

// siteOf is the place that tells wires apart: a location counts as its site.
func (b *builder) siteOf(scope Scope) Scope {
	if scope.Kind == ScopeLocation {
		if location := b.s.objects.Locations[scope.ID]; location != nil && location.Site != 0 {
			return Scope{Kind: ScopeSite, ID: location.Site}
		}
	}
	return scope
}

// gatewaysIn returns the gateways that belong to n, by address.
func (s *Snapshot) gatewaysIn(n *Subnet) []*Address {
	list := within(s.gateways[n.VRF], n.Prefix.Prefix)
	foreign := func(g *Address) bool { return !n.Contains(g.Address.Addr()) }
	if slices.ContainsFunc(list, foreign) {
		list = slices.DeleteFunc(slices.Clone(list), foreign)
	}
	return list
}

// contradictions names gateways whose mask says something else than the prefix
// that clients beside them are served in.
func (b *builder) contradictions(n *Subnet) {
	for _, g := range n.gateways {
		bits := g.Address.Bits()
		if bits == 32 || bits == n.Prefix.Prefix.Bits() {
			continue
		}
		if served, err := b.s.Network(g.Address.Addr(), 0); err != nil || served != n {
			continue // of a wider or a smaller prefix, which is asked itself
		}
		b.problemf(describePrefix(n.Prefix), "its gateway %s (id %d) has another mask: clients are served in %s only; correct the mask, or the prefix (rule N-3)",
			g.Address, g.ID, n.Prefix.Prefix)
	}
}

// masks names prefixes whose clients are told another mask than the prefix has:
// that of an IP address which no prefix agrees with.
func (b *builder) masks() {
	differ := make(map[*Subnet][]*Address)
	for _, a := range b.s.objects.Addresses {
		bits := a.Address.Bits()
		given := b.s.Leasable(a) || b.s.IsStatic(a)
		if !a.Address.Addr().Is4() || bits == 32 || !given || b.s.IsGateway(a) {
			continue
		}
		n := b.s.smallest(a.VRF, a.Address.Addr())
		if n != nil && n.lone() {
			n = n.wider
		}
		for wide := n; wide != nil; wide = wide.wider {
			if wide.Prefix.Prefix.Bits() == bits {
				n = nil // documented blocks inside it say nothing of the wire
			}
		}
		if n != nil {
			differ[n] = append(differ[n], a)
		}
	}
	for n, list := range differ {
		first, more := slices.MinFunc(list, compareHosts), ""
		if len(list) > 1 {
			more = fmt.Sprintf(", and %d more", len(list)-1)
		}
		b.problemf(describePrefix(n.Prefix), "%s has another mask%s: clients are told the mask of the address; correct one of them (rule R-2)", describeAddress(first), more)
	}
}
