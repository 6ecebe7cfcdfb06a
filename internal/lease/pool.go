package lease

import (
	"iter"
	"net/netip"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// poolSet orders the dynamic addresses of each VRF by how soon they can be
// given to a new client.
type poolSet map[int64]*pool

// pool is the dynamic addresses of one VRF, sorted by address. Each is in one of its
// trees at most. So the lowest never-used address, the least recently expired one and
// the offer that ended first are found in O(log n) in any prefix, however full it is.
// An address that was never used takes no memory.
type pool struct {
	*ipam.Pool
	free *tournament // keys: neverUsed, or the Unix time since when it is free or will be
	// unused and used are the addresses whose client may still accept an offer that
	// ended, apart by whether the address was never used. Keys: when it ended, in
	// ns of Unix time.
	unused, used *tournament
}

// keys are the keys of one address.
type keys struct{ free, unused, used int64 }

func newPool(addrs *ipam.Pool) *pool {
	n := addrs.Len()
	return &pool{Pool: addrs, free: newTournament(n, neverUsed), unused: newTournament(n, unavailable), used: newTournament(n, unavailable)}
}

// set changes the keys of one address.
func (p *pool) set(position int, k keys) {
	p.free.set(position, k.free)
	p.unused.set(position, k.unused)
	p.used.set(position, k.used)
}

// keys say how soon an address can be given to a new client.
func (l *Leases) keys(a *ipam.Address) keys {
	addr, k := a.Address.Addr(), keys{unavailable, unavailable, unavailable}
	if _, held := l.holds.find(addr); held || l.inWork.at(addr) != "" || l.infrastructure.at(addr) || reserved(a) {
		return k
	}
	since := l.freeSince(a)
	switch e, ended := l.ended.find(addr); {
	case !ended || e.key != since:
		k.free = since
	case since == neverUsed:
		k.unused = e.at.UnixNano()
	default:
		k.used = e.at.UnixNano()
	}
	return k
}

// freeSince is the key of an address by its leases alone.
func (l *Leases) freeSince(a *ipam.Address) int64 {
	addr := a.Address.Addr()
	b := l.binding(a, time.Time{}) // a binding that may still run counts
	if b.Client == "" {
		return neverUsed
	}
	free := b.Expires
	if stored, ok := l.stored.find(addr); ok && stored.Expires.After(free) {
		free = stored.Expires
	}
	if b.Rival != "" && a.Record.Expires.After(free) {
		free = a.Record.Expires
	}
	return max(free.Add(time.Second-1).Unix(), 1) // rounded up
}

// reserved reports whether a dynamic address waits for the interface it is
// assigned to (N-6).
func reserved(a *ipam.Address) bool {
	return a.Interface != (ipam.InterfaceID{}) && a.Record.Client == ""
}

// touch recomputes the key of one address after anything about it changed.
func (l *Leases) touch(addr netip.Addr) {
	l.touchIn(l.pools, l.snapshot, addr)
	l.touchIn(l.pending, l.next, addr)
}

// touchIn is touch for the pools of one snapshot.
func (l *Leases) touchIn(pools poolSet, s *ipam.Snapshot, addr netip.Addr) {
	for vrf, p := range pools {
		position, ok := p.Find(addr)
		switch {
		case !ok:
		case s.OfRange(vrf, addr): // nothing but its number counts
			l.blank = ipam.Address{Address: netip.PrefixFrom(addr, addr.BitLen())}
			p.set(position, l.keys(&l.blank))
		default:
			p.set(position, l.keys(s.Address(vrf, addr)))
		}
	}
}

// marked are the addresses of which something is known that no row of NetBox tells,
// each once as long as nothing changes. It may be iterated over in parts while leases
// change: what comes meanwhile may be missing or come again.
func (l *Leases) marked() iter.Seq[netip.Addr] {
	return func(yield func(netip.Addr) bool) {
		for addr := range l.stored.all() {
			if !yield(addr) {
				return
			}
		}
		isHeld := func(addr netip.Addr) bool { _, ok := l.holds.find(addr); return ok }
		for addr := range l.holds.all() {
			if !l.stored.has(addr) && !yield(addr) {
				return
			}
		}
		for addr := range l.ended.all() {
			if !l.stored.has(addr) && !isHeld(addr) && !yield(addr) {
				return
			}
		}
		for addr := range l.inWork.all() {
			if _, ended := l.ended.find(addr); !ended && !l.stored.has(addr) && !isHeld(addr) && !yield(addr) {
				return
			}
		}
		for addr := range l.infrastructure.all() {
			_, ended := l.ended.find(addr)
			if !ended && l.inWork.at(addr) == "" && !l.stored.has(addr) && !isHeld(addr) && !yield(addr) {
				return
			}
		}
	}
}

// eachMarked calls fn with the marked addresses, a slice of them under the lock at a
// time, so that packets never wait long.
func (e *Engine) eachMarked(fn func(addr netip.Addr)) {
	next, stop := iter.Pull(e.facts.Leases.marked())
	defer stop()
	for more := true; more; {
		e.locked(func() {
			for range slice {
				var addr netip.Addr
				if addr, more = next(); !more {
					return
				}
				fn(addr)
			}
		})
		giveWay()
	}
}

// giveWay lets packets have the processor, where there is only one, between slices of
// work that nobody waits for. To yield would not do: the runtime looks for packets only
// where nothing else can run (WEB-6).
func giveWay() { time.Sleep(100 * time.Microsecond) }

// slice is how many addresses are looked at before packets have their turn.
const slice = 1024

// withoutObject reports whether an address is one of a range, for which NetBox has no
// object.
func (l *Leases) withoutObject(addr netip.Addr) bool {
	if l.snapshot == nil {
		return false
	}
	n, err := l.snapshot.Subnet(addr)
	return err == nil && l.snapshot.OfRange(n.VRF, addr)
}

// parts are the positions in [low, high) without the nested networks of n, as
// ranges in order.
func (p *pool) parts(n *ipam.Subnet, low, high int) iter.Seq2[int, int] {
	return func(yield func(from, to int) bool) {
		for _, nested := range n.Apart() {
			from, to := p.Span(nested)
			if from >= to || from >= high {
				continue
			}
			if low < from && !yield(low, from) {
				return
			}
			low = max(low, to)
		}
		if low < high {
			yield(low, high)
		}
	}
}

// size is how many addresses the pool of n has.
func (l *Leases) size(n *ipam.Subnet) (size int) {
	p := l.pools[n.VRF]
	if p == nil {
		return 0
	}
	low, high := p.Span(n.Prefix.Prefix)
	for from, to := range p.parts(n, low, high) {
		size += to - from
	}
	return size
}
