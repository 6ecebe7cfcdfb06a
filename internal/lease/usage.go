package lease

import (
	"cmp"
	"net/netip"
	"slices"
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

// Usage counts what the dynamic addresses of the snapshot are used for, by
// prefix, in the order of VRF and prefix. Packets wait no longer than for a slice of
// the work, which grows with objects and leases, and not with ranges; what they change
// meanwhile may or may not count.
func (e *Engine) Usage() []Usage {
	var s *ipam.Snapshot
	e.locked(func() { s = e.facts.Snapshot })
	if s == nil {
		return nil
	}
	c, vrfs := census{at: make(map[poolID]int)}, s.DynamicVRFs()
	for _, vrf := range vrfs {
		for part := range slices.Chunk(s.Dynamic(vrf), slice) {
			e.locked(func() {
				for _, a := range part {
					if u := c.of(vrf, s.SubnetOf(a)); u != nil {
						e.count(u, a)
					}
				}
			})
			giveWay()
		}
		for _, r := range s.RangePools(vrf) {
			if u := c.of(vrf, r.Subnet); u != nil {
				u.Free += r.Free
			}
		}
	}
	e.eachMarked(func(addr netip.Addr) { e.countInRanges(&c, s, vrfs, addr) })
	slices.SortFunc(c.list, func(a, b Usage) int {
		return cmp.Or(cmp.Compare(a.VRF, b.VRF), a.Prefix.Addr().Compare(b.Prefix.Addr()), cmp.Compare(a.Prefix.Bits(), b.Prefix.Bits()))
	})
	return c.list
}

// census is the counts of one call of Usage.
type census struct {
	list []Usage
	at   map[poolID]int // positions in list
}

// of is the count of a network; nil where no client can be in it (N-4).
func (c *census) of(vrf int64, n *ipam.Subnet) *Usage {
	if n == nil {
		return nil
	}
	pool := poolID{vrf, n.Prefix.Prefix}
	position, known := c.at[pool]
	if !known {
		position = len(c.list)
		c.at[pool] = position
		c.list = append(c.list, Usage{Prefix: n.Prefix.Prefix, VRF: vrf})
	}
	return &c.list[position]
}

// countInRanges counts an address of a range, which counted as free, by its use.
func (e *Engine) countInRanges(c *census, s *ipam.Snapshot, vrfs []int64, addr netip.Addr) {
	for _, vrf := range vrfs {
		if _, ok := s.Pool(vrf).Find(addr); !ok {
			continue
		}
		a := s.Address(vrf, addr)
		if u := c.of(vrf, s.SubnetOf(a)); u != nil && a.Range != nil && u.Free > 0 {
			u.Free--
			e.count(u, a)
		}
	}
}

// count adds one address to the count it belongs to. Ends of leases are judged
// as decisions do: not by a step of the clock, and not by a clock that is not to
// be trusted (S-9, S-14, S-15).
func (e *Engine) count(u *Usage, a *ipam.Address) {
	f, l := &e.facts, e.facts.Leases
	judged := e.judged(e.config.Now())
	addr := a.Address.Addr()
	b := l.binding(a, judged)
	switch h, held := l.holds.find(addr); {
	case b.running(judged) && b.State == Quarantined:
		u.Quarantined++
	case b.running(judged):
		u.Leased++
	case held && h.until.After(f.Steady):
		u.Offered++
	case l.infrastructure.at(addr) || reserved(a):
		u.Withheld++
	case b.Client == "":
		u.Free++
	case f.Distrusted || Skewed(f.Skew) || time.Unix(l.freeSince(a), 0).Add(e.config.Policy.ReclaimGrace).After(judged):
		u.Withheld++
	default:
		u.Free++
	}
}
