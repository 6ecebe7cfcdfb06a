package ipam

import (
	"net/netip"
	"slices"
	"time"
)

// Claim is an address that a client counts on: a host with a static address,
// or the client of a running lease.
type Claim struct {
	VRF  int64
	Addr netip.Addr
}

// Claimants are the clients that count on an address, and the prefix it lies in.
type Claimants struct {
	Prefix netip.Prefix
	MACs   []MAC // of the host; none: a lease, of any client
}

// Meets reports whether all that had a claim still have it.
func (c Claimants) Meets(before Claimants) bool {
	return c.Prefix.IsValid() && (len(c.MACs) == 0) == (len(before.MACs) == 0) &&
		!slices.ContainsFunc(before.MACs, func(m MAC) bool { return !slices.Contains(c.MACs, m) })
}

// Claims returns all claims. leased has the addresses with a running lease that
// NetBox may not know of; nil: there are only the records of NetBox.
func (s *Snapshot) Claims(leased map[netip.Addr]bool, now time.Time) map[Claim]Claimants {
	claims, byLink := make(map[Claim]Claimants), s.hostsByLink()
	for _, a := range s.objects.Addresses {
		addr := a.Address.Addr()
		if !addr.Is4() || a.Loss == Ended {
			continue
		}
		n, err := s.Subnet(addr)
		if err != nil || !s.sameVRF(a.VRF, n.VRF) {
			continue
		}
		if s.IsDynamic(a) {
			running := leased[addr] || a.Record.Running(now)
			if running && s.Leasable(a) && s.Address(a.VRF, addr) == a {
				claims[Claim{a.VRF, addr}] = Claimants{Prefix: n.Prefix.Prefix}
			}
			continue
		}
		if macs := s.hostOf(a, byLink[a]); len(macs) > 0 {
			claims[Claim{a.VRF, addr}] = Claimants{Prefix: n.Prefix.Prefix, MACs: macs}
		}
	}
	for addr := range leased {
		n, err := s.Subnet(addr)
		if err != nil {
			continue
		}
		if a := s.Address(n.VRF, addr); a != nil && a.Range != nil && a.Loss != Ended {
			claims[Claim{a.VRF, addr}] = Claimants{Prefix: n.Prefix.Prefix}
		}
	}
	return claims
}

// hostsByLink returns the MACs of the ports that are given an address by links.
func (s *Snapshot) hostsByLink() map[*Address][]MAC {
	hosts := make(map[*Address][]MAC)
	for port, list := range s.linked {
		for _, a := range list {
			hosts[a] = append(hosts[a], s.macsAt(port)...)
		}
	}
	return hosts
}

// hostOf returns the MACs that a static address is given to, of its interface
// and by links, or the one that it names.
func (s *Snapshot) hostOf(a *Address, byLink []MAC) []MAC {
	if s.IsReserved(a) {
		return []MAC{a.Reserved.MAC}
	}
	if !StaticStatus(a) || !PlainRole(a.Role) || s.Interface(a.Interface) == nil {
		return nil
	}
	return append(s.macsAt(a.Interface), byLink...)
}

// MACsOf returns the MACs of the ports that a static address is given to, by its
// interface, an aggregate, bridges or sub-interfaces.
func (s *Snapshot) MACsOf(a *Address) []MAC {
	return append(s.macsAt(a.Interface), s.linkMACs[a]...)
}

// macsAt returns the MACs of an interface and of its members.
func (s *Snapshot) macsAt(port InterfaceID) []MAC {
	macs := slices.Clone(s.macsOf[port])
	for _, member := range s.members[port] {
		macs = append(macs, s.macsOf[member.ID]...)
	}
	return macs
}
