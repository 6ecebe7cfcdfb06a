package ipam

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Contest is one host address of a VRF that NetBox assigns to several ports,
// each of which could ask for it: only one of them may be served (I-9).
type Contest struct {
	VRF    int64
	Host   netip.Addr
	Owners []*Address // the static addresses, by id; at least two
}

// Contests returns the addresses with several owners, by VRF and address.
func (s *Snapshot) Contests() []Contest { return s.contests }

// IsStatic reports whether an address is the static address of the interface it
// is assigned to, or of the MAC that it names, as far as its network does not say
// otherwise (I-5, CL-1).
func (s *Snapshot) IsStatic(a *Address) bool {
	return (a.Interface != (InterfaceID{}) || s.IsReserved(a)) && a.Address.Addr().Is4() && !s.IsDynamic(a) && StaticStatus(a) && PlainRole(a.Role)
}

// withOthers returns the host addresses that have several objects, each with all of its
// objects, the one of byHost first.
func (s *Snapshot) withOthers(others []*Address) map[hostKey][]*Address {
	shared := make(map[hostKey][]*Address)
	for _, a := range others {
		key := hostKey{a.VRF, a.Address.Addr()}
		if shared[key] == nil {
			shared[key] = []*Address{s.hosted(key.vrf, key.host)}
		}
		shared[key] = append(shared[key], a)
	}
	return shared
}

// findContests looks for hosts with several owners among the hosts that have
// several objects.
func (b *builder) findContests(shared map[hostKey][]*Address) {
	for key, list := range shared {
		list = slices.DeleteFunc(slices.Clone(list), func(a *Address) bool { return !b.s.IsStatic(a) })
		slices.SortFunc(list, func(a, b *Address) int { return cmp.Compare(a.ID, b.ID) })
		if !b.severalOwners(list) {
			continue
		}
		b.problemf(describeAddress(list[0]), "the same address belongs to %s: one of them is served, the other gets another address; take it from one (rule I-9)", b.ownersOf(list))
		askers := slices.DeleteFunc(slices.Clone(list), func(a *Address) bool { return !b.s.canAsk(a) })
		if b.severalOwners(askers) {
			b.s.contests = append(b.s.contests, Contest{VRF: key.vrf, Host: key.host, Owners: askers})
		}
	}
	slices.SortFunc(b.s.contests, func(a, b Contest) int { return cmp.Or(cmp.Compare(a.VRF, b.VRF), a.Host.Compare(b.Host)) })
}

// severalOwners reports whether static addresses belong to different ports. An
// aggregate and its members are one.
func (b *builder) severalOwners(list []*Address) bool {
	return slices.ContainsFunc(list, func(a *Address) bool { return b.s.ownerOf(a) != b.s.ownerOf(list[0]) })
}

// ownerOf is the port an address belongs to, or its aggregate.
func (s *Snapshot) ownerOf(a *Address) InterfaceID {
	if port := s.Interface(a.Interface); port != nil && port.LAG != 0 {
		return InterfaceID{Kind: port.ID.Kind, ID: port.LAG}
	}
	return a.Interface
}

// canAsk reports whether a port that leads to the address has a MAC in NetBox.
// One without never sends a message that is known as its own.
func (s *Snapshot) canAsk(a *Address) bool {
	owner := s.ownerOf(a)
	hasMAC := func(i *Interface) bool { return len(s.macsOf[i.ID]) > 0 }
	if len(s.macsOf[owner]) > 0 || slices.ContainsFunc(s.members[owner], hasMAC) {
		return true
	}
	for _, list := range s.linked {
		if slices.Contains(list, a) {
			return true
		}
	}
	return false
}

// ownersOf names machines and interfaces, with the ids of the addresses.
func (b *builder) ownersOf(list []*Address) string {
	var names []string
	for _, a := range list {
		names = append(names, fmt.Sprintf("%s (address id %d)", b.s.PortName(a.Interface), a.ID))
	}
	return strings.Join(names, " and to ")
}

// PortName names an interface with its machine as NetBox shows them.
func (s *Snapshot) PortName(id InterfaceID) string {
	port := s.Interface(id)
	if port == nil {
		return fmt.Sprintf("interface id %d of a %s", id.ID, id.Kind)
	}
	name := port.Machine.Kind.String()
	if machine := s.Machine(port.Machine); machine != nil {
		name += " " + machine.Name
	}
	return name + " interface " + port.Name
}
