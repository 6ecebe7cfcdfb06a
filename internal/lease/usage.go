package lease

import (
	"net/netip"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// Usage counts the dynamic addresses of one prefix by what they are used for at
// one moment. Each address counts once.
type Usage struct {
	Prefix netip.Prefix // the smallest one of NetBox that holds them
	VRF    int64        // 0: the global table

	Free        int // a new client may get it
	Leased      int // a client may use it, by the store or by its record in NetBox
	Offered     int // it waits for the answer to an OFFER
	Quarantined int
	Withheld    int // for no new client now: of this server, assigned to an interface, ended within reclaim_grace, or by a clock that is not trusted
}

// usageSlice is how many addresses are counted before packets have their turn.
const usageSlice = 1024

// Usage counts what the dynamic addresses of the snapshot are used for, by
// prefix, in the order of VRF and first address. Packets wait no longer than for
// a slice of the work; what they change meanwhile may or may not count.
func (e *Engine) Usage() []Usage {
	var s *ipam.Snapshot
	e.locked(func() { s = e.facts.Snapshot })
	if s == nil {
		return nil
	}
	var list []Usage
	for _, vrf := range s.DynamicVRFs() {
		at := make(map[netip.Prefix]int)
		addrs := s.Dynamic(vrf)
		for from := 0; from < len(addrs); from += usageSlice {
			part := addrs[from:min(from+usageSlice, len(addrs))]
			e.locked(func() {
				for _, a := range part {
					n := s.SubnetOf(a)
					if n == nil {
						continue // no client can be in its network (N-4)
					}
					position, known := at[n.Prefix.Prefix]
					if !known {
						position = len(list)
						at[n.Prefix.Prefix] = position
						list = append(list, Usage{Prefix: n.Prefix.Prefix, VRF: vrf})
					}
					e.count(&list[position], a)
				}
			})
		}
	}
	return list
}

// count adds one address to the count it belongs to. Ends of leases are judged
// as decisions do: not by a step of the clock, and not by a clock that is not to
// be trusted (S-9, S-14, S-15).
func (e *Engine) count(u *Usage, a *ipam.Address) {
	f, l := &e.facts, e.facts.Leases
	judged := e.judged(e.config.Now())
	addr := a.Address.Addr()
	b := l.binding(a, judged)
	switch h, held := l.holds[addr]; {
	case b.running(judged) && b.State == Quarantined:
		u.Quarantined++
	case b.running(judged):
		u.Leased++
	case held && h.until.After(f.Steady):
		u.Offered++
	case l.infrastructure[addr] || reserved(a):
		u.Withheld++
	case b.Client == "":
		u.Free++
	case f.Distrusted || Skewed(f.Skew) || time.Unix(l.freeSince(a), 0).Add(e.config.Policy.ReclaimGrace).After(judged):
		u.Withheld++
	default:
		u.Free++
	}
}
