package ipam

import (
	"net/netip"
	"slices"

	"github.com/gaissmai/bart"
)

// indexRelays finds out which addresses may be those of relays (N-10). Prefixes
// of any VRF and status count: a relay may have its address in a network that is
// not served.
func (b *builder) indexRelays(listed []netip.Prefix) {
	s := b.s
	s.relays = listed
	s.known = new(bart.Lite)
	for _, p := range s.objects.Prefixes {
		if p.Prefix.Addr().Is4() && p.Prefix.Bits() > 0 { // 0.0.0.0/0 says nothing
			s.known.Insert(p.Prefix)
		}
	}
	s.relayMachines = make(map[MachineID]bool)
	vrfs := make(map[int64]bool)
	for _, a := range s.objects.Addresses {
		vrfs[a.VRF] = true
		if machine := s.machineOf(a); machine != (MachineID{}) && s.ListedRelay(a.Address.Addr()) {
			s.relayMachines[machine] = true
		}
	}
	for vrf := range vrfs {
		s.addressVRFs = append(s.addressVRFs, vrf)
	}
	slices.Sort(s.addressVRFs)
}

// ListedRelay reports whether the setting network.relays names addr.
func (s *Snapshot) ListedRelay(addr netip.Addr) bool {
	return InAny(s.relays, addr)
}

// InAny reports whether one of a few prefixes contains addr.
func InAny(prefixes []netip.Prefix, addr netip.Addr) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// RelaysListed reports whether the setting network.relays names any.
func (s *Snapshot) RelaysListed() bool { return len(s.relays) > 0 }

// MayRelay reports whether addr can be that of a relay: it is listed, or a
// machine has it that has a listed address. Without a list a prefix in NetBox has
// to hold it, of any VRF and status (N-10).
func (s *Snapshot) MayRelay(addr netip.Addr) bool {
	if !s.RelaysListed() {
		return s.known.Contains(addr)
	}
	if s.ListedRelay(addr) {
		return true
	}
	for _, vrf := range s.addressVRFs {
		if a := s.object(vrf, addr); a != nil && s.relayMachines[s.machineOf(a)] {
			return true
		}
	}
	return false
}

// SameMachine reports whether one device or virtual machine has both addresses,
// in any VRF.
func (s *Snapshot) SameMachine(one, other netip.Addr) bool {
	for _, vrf := range s.addressVRFs {
		a := s.object(vrf, one)
		if a == nil || s.machineOf(a) == (MachineID{}) {
			continue
		}
		for _, vrf := range s.addressVRFs {
			if b := s.object(vrf, other); b != nil && s.machineOf(b) == s.machineOf(a) {
				return true
			}
		}
	}
	return false
}

// machineOf returns the machine whose interface has a; the zero MachineID where
// NetBox knows none.
func (s *Snapshot) machineOf(a *Address) MachineID {
	if port := s.objects.Interfaces[a.Interface]; port != nil {
		return port.Machine
	}
	return MachineID{}
}
