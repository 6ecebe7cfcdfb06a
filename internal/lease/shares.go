package lease

import (
	"cmp"
	"hash/fnv"
	"net/netip"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

const (
	// freshCount is how long a count of the free addresses of a big pool is used.
	freshCount = time.Second
	// smallPool is how many addresses are counted for each message.
	smallPool = 1024
	// shareParts is how many parts a share has: senders, or circuits, that hash to
	// one part share it.
	shareParts = 32
)

// poolID names the pool of one network.
type poolID struct {
	vrf    int64
	prefix netip.Prefix
}

// share is what an offer to a stranger counts against: the pool, the way
// it came, and a part of that way. The zero share is not counted.
type share struct {
	pool  *offers
	group uint8 // 0: all that nothing vouches for
	part  uint8
}

// offers counts the unanswered offers to strangers of one pool.
type offers struct {
	total  int
	groups [256]int32
	room   int // addresses that were free at the time given, offered ones too
	at     time.Time
}

// offerList is the unanswered offers of one part, in order of time. The holds
// themselves are the links.
type offerList struct {
	n              int32
	oldest, newest netip.Addr
}

// link counts the hold of addr, as the newest of its share.
func (l *Leases) link(addr netip.Addr, h hold) hold {
	if h.share == (share{}) {
		return h
	}
	h.share.pool.total++
	h.share.pool.groups[h.share.group]++
	list := l.shares[h.share]
	if h.older = list.newest; h.older.IsValid() {
		before := l.holds.at(h.older)
		before.newer = addr
		l.holds.set(h.older, before)
	} else {
		list.oldest = addr
	}
	list.newest, list.n = addr, list.n+1
	l.shares[h.share] = list
	return h
}

// unlinkHold takes the hold out of its share.
func (l *Leases) unlinkHold(h hold) {
	if h.share == (share{}) {
		return
	}
	h.share.pool.total--
	h.share.pool.groups[h.share.group]--
	list := l.shares[h.share]
	list.n--
	if h.older.IsValid() {
		before := l.holds.at(h.older)
		before.newer = h.newer
		l.holds.set(h.older, before)
	} else {
		list.oldest = h.newer
	}
	if h.newer.IsValid() {
		after := l.holds.at(h.newer)
		after.older = h.older
		l.holds.set(h.newer, after)
	} else {
		list.newest = h.older
	}
	if list.n == 0 {
		delete(l.shares, h.share)
		return
	}
	l.shares[h.share] = list
}

// offersOf returns what is counted of the pool of n.
func (l *Leases) offersOf(n *ipam.Subnet) *offers {
	pool := poolID{n.VRF, n.Prefix.Prefix}
	o := l.offers[pool]
	if o == nil {
		o = new(offers)
		l.offers[pool] = o
	}
	return o
}

// surplus is the client whose offer gives way: the oldest of the part that holds
// most, of the way that holds most. One sender among many pays for its own flood.
func (l *Leases) surplus(pool *offers) ClientID {
	s, most := share{pool: pool}, offerList{}
	for group, n := range pool.groups {
		if n > pool.groups[s.group] {
			s.group = uint8(group)
		}
	}
	for s.part = range uint8(shareParts) {
		if list := l.shares[s]; list.n > most.n {
			most = list
		}
	}
	return l.holds.at(most.oldest).client
}

// share is what an offer to the client of the message counts against in n.
func (d *decider) share(n *ipam.Subnet) share {
	s := share{pool: d.l.offersOf(n)}
	by, proved := d.way()
	switch {
	case !proved:
		sender := d.m.Source.As16()
		s.part = hashed(sender[:]) % shareParts
	case by.relay.IsValid():
		relay := by.relay.As16()
		s.group, s.part = 1+hashed(relay[:])%255, hashed(d.m.Circuit)%shareParts
	default:
		s.group = 1 + hashed([]byte(by.device))%255
	}
	return s
}

// hashed folds b to a byte.
func hashed(b []byte) uint8 {
	h := fnv.New32a()
	_, _ = h.Write(b) // never fails
	sum := h.Sum32()
	return uint8(sum ^ sum>>8 ^ sum>>16 ^ sum>>24) //nolint:gosec // G115: folded on purpose
}

// ration bounds what strangers are offered. It reports false if all
// that is free of the pool is kept for machines that NetBox knows.
func (d *decider) ration(one *choice, n *ipam.Subnet, c *client) bool {
	if c.known() || one.own && d.binding(one.address).running(d.now) {
		return true
	}
	one.share = d.share(n)
	room, held := d.room(n, one.share.pool), one.share.pool.total
	if h, ok := d.l.holds.find(d.l.heldBy[c.id]); ok && h.share.pool == one.share.pool {
		held--
	}
	percent, source := d.keepForKnown(n)
	kept := (d.l.size(n)*percent + 99) / 100
	most := min((room+1)/2, room-kept)
	if kept > 0 && most <= 0 {
		if d.trace != nil {
			d.trace.addf("A-12", "%d addresses of %s are free, and %d are kept for machines that NetBox knows (%d%% by %s)", room, n.Prefix.Prefix, kept, percent,
				cmp.Or(source, "dynamic.keep_for_known"))
		}
		return false
	}
	if held > 0 && held >= most {
		one.ends = d.l.surplus(one.share.pool)
		if d.trace != nil {
			d.trace.addf("A-11", "clients that NetBox does not know hold %d of %d free addresses of %s: the offer to %s ends", held, room, n.Prefix.Prefix, one.ends)
		}
	}
	return true
}

// room is how many addresses of the pool of n a new client could get, were it not
// for offers to strangers. Of a big pool the count is remembered, which is all that a
// decision leaves behind.
func (d *decider) room(n *ipam.Subnet, o *offers) int {
	if since := d.steady.Sub(o.at); since >= 0 && since < freshCount && d.l.size(n) > smallPool {
		return o.room
	}
	o.room, o.at = o.total, d.steady
	p := d.l.pools[n.VRF]
	if p == nil {
		return o.room
	}
	low, high := p.Span(n.Prefix.Prefix)
	for from, to := range p.parts(n, low, high) {
		o.room += d.countFree(p, from, to)
	}
	return o.room
}

// countFree counts the addresses in [low, high) that a new client can get now. What
// was never used is not looked at.
func (d *decider) countFree(p *pool, low, high int) int {
	last := d.now.Add(-d.f.Policy.ReclaimGrace).Unix()
	if d.skewed() {
		last = neverUsed
	}
	n := high - low
	p.free.each(low, high, func(position int, key int64) {
		if key == unavailable && (p.unused.at(position) != unavailable || p.used.at(position) != unavailable) {
			key = d.l.ended.at(p.Addr(position)).key
		}
		if key > last {
			n--
		}
	})
	return n
}
