package lease

import (
	"hash/fnv"
	"net/netip"
	"slices"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// grant fills a decision that gives a to the client.
func (d *decider) grant(rule string, verdict Verdict, reason Reason, a *ipam.Address, n *ipam.Subnet, c *client) *Decision {
	decision := d.blank()
	decision.Verdict, decision.Rule, decision.State, decision.Reason = verdict, rule, d.state, reason
	decision.Addr, decision.Static, decision.Time = d.masked(a, n), reason == ReasonStatic, d.leaseTime(n, c)
	decision.Subnet, decision.Interface, decision.Machine = n, c.port, c.machine
	if d.trace != nil {
		d.trace.addf(rule, "%s %s: %s for %s", verdict, reason, a.Name(), decision.Time)
	}
	return decision
}

// acknowledge grants a; a dynamic address has to be durable first.
func (d *decider) acknowledge(rule string, reason Reason, a *ipam.Address, n *ipam.Subnet, c *client) *Decision {
	decision := d.grant(rule, Ack, reason, a, n, c)
	decision.effect.dropHold = true
	if decision.Static {
		return d.marked(decision, a, c)
	}
	if h, held := d.l.holds.find(a.Address.Addr()); held && h.client != c.id {
		decision.effect.ends = h.client // its offer gave way (D-34)
	}
	next := d.nextLease(a.Address.Addr())
	if next.Client != c.id {
		next.Hostname = ""
	}
	next.Client, next.Hardware, next.State = c.id, d.m.Hardware, Bound
	if reason == ReasonClaimed {
		next.Unsynced = false // NetBox has no place for it (CL-6)
	}
	next.Expires = d.durableUntil(a, c, decision.Time)
	next.InterfaceKind, next.InterfaceID = d.binds(a, c, next)
	if next.ByPort = reason == ReasonClaimed && c.claim != nil && c.claim.Port != nil; next.ByPort {
		next.InterfaceKind, next.InterfaceID = uint8(c.claim.Port.ID.Kind), d.s.PortMark(c.claim.Port)
	}
	if d.m.Hostname != "" {
		next.Hostname = d.m.Hostname
	}
	decision.effect.change = next.superseding(a, d.now)
	decision.effect.revision = d.l.stored.at(next.Addr).revision
	return decision
}

// binds is the interface to assign a to while it is leased. An assignment that
// people made is not ours, and so not ours to take back later.
func (d *decider) binds(a *ipam.Address, c *client, stored Lease) (kind uint8, id int64) {
	if c.port == nil || !d.f.Policy.BindInterface {
		return 0, 0
	}
	kind, id = uint8(c.port.ID.Kind), c.port.ID.ID
	if a.Interface == c.port.ID && (stored.InterfaceKind != kind || stored.InterfaceID != id) {
		return 0, 0
	}
	return kind, id
}

// durableUntil is the expiry to store with an ACK, never before the end of what
// the client may believe: an ACK for less time than an earlier one may get lost
// on the way, and the client then goes by the earlier one.
func (d *decider) durableUntil(a *ipam.Address, c *client, promised time.Duration) time.Time {
	until := d.wall().Add(promised)
	if b := d.binding(a); b.Client == c.id && b.State == Bound && b.Expires.After(until) && b.Expires != forever() {
		until = b.Expires
	}
	return seconds(until.Add(time.Second - 1)) // rounded up
}

// nextLease starts the next version of the lease stored for addr.
func (d *decider) nextLease(addr netip.Addr) Lease {
	next := d.l.stored.at(addr).Lease
	next.Addr = addr
	next.Unsynced = true
	return next
}

// seconds cuts to whole seconds in UTC, as leases keep them.
func seconds(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

// masked is the address with the mask to send: its own, or that of the network
// where NetBox has it as a lone host.
func (d *decider) masked(a *ipam.Address, n *ipam.Subnet) netip.Prefix {
	bits := a.Address.Bits()
	if bits == 32 && n.Prefix.Prefix.Bits() < 32 {
		bits = n.Prefix.Prefix.Bits()
	}
	if bits != n.Prefix.Prefix.Bits() && d.trace != nil {
		d.trace.addf("R-2", "mask /%d of %s differs from prefix %s", bits, a.Name(), n.Prefix.Prefix)
	}
	return netip.PrefixFrom(a.Address.Addr(), bits)
}

// leaseTime clamps the client's wish.
func (d *decider) leaseTime(n *ipam.Subnet, c *client) time.Duration {
	granted, low, high := d.terms(n, c)
	if wish := d.m.LeaseTime; wish != 0 {
		granted = min(max(wish, low), high)
	}
	if d.atMost > 0 {
		return min(granted, d.atMost)
	}
	return granted
}

// choice is the dynamic address for a DISCOVER.
type choice struct {
	address *ipam.Address // nil: none
	reason  Reason
	own     bool // the client's own binding: no other client can be using it
	skewed  bool // only addresses of other clients are left and the clock is off (S-9)
	rested  bool // it is in quarantine, which ends if nothing answers there
	share   share
	ends    ClientID // whose offer ends for this one; empty: none
}

// chooseOnWire chooses an address of the wire. A running lease anywhere on it
// comes before a new address, and the client's own networks before the others.
// Those give new addresses only where they have a gateway of their own: the
// client could not leave its wire by another one (N-8).
func (d *decider) chooseOnWire(c *client, w wire) (choice, *ipam.Subnet) {
	if len(w.all) > 1 {
		if a, n := d.runningBinding(c, w); a != nil && (!d.barred(n, c).shut() || d.leaves(a)) {
			d.choose("bound to this client", a)
			return choice{address: a, reason: ReasonBound, own: true}, n
		}
	}
	skewed := false
	for i, n := range w.all {
		if i >= w.own && !n.HasGateway(netip.Addr{}) {
			if d.trace != nil {
				d.trace.addf("N-8", "prefix %s (id %d) has no gateway of its own: no new address from it", n.Prefix.Prefix, n.ID)
			}
			continue
		}
		if b := d.barred(n, c); b.shut() {
			d.traceBar(b, n)
			continue
		}
		one := d.chooseDynamic(c, n)
		if one.address != nil && d.ration(&one, n, c) {
			return one, n
		}
		skewed = skewed || one.skewed
	}
	return choice{skewed: skewed}, nil
}

// runningBinding returns the address on the wire that the client is bound to
// now, and its network; nil for none.
func (d *decider) runningBinding(c *client, w wire) (*ipam.Address, *ipam.Subnet) {
	for _, n := range w.all {
		if a := d.ownBinding(c, n); a != nil && d.binding(a).running(d.now) {
			return a, n
		}
	}
	return nil, nil
}

// chooseDynamic follows the order of A-1 after static addresses.
func (d *decider) chooseDynamic(c *client, n *ipam.Subnet) choice {
	part := d.poolClass(n, c)
	if a := d.ownBinding(c, n); a != nil && (d.offers(part, a) || d.binding(a).running(d.now)) {
		d.choose("last bound to this client", a)
		return choice{address: a, reason: ReasonBound, own: true}
	}
	if addr, ok := d.l.heldBy[c.id]; ok && n.Contains(addr) {
		if a := d.s.Address(n.VRF, addr); d.available(a, n, c) && d.offers(part, a) {
			d.choose("already offered to this client", a)
			return choice{address: a, reason: ReasonNew}
		}
	}
	if c.port != nil {
		for _, a := range d.s.Assigned(c.port.ID) {
			if d.available(a, n, c) && reserved(a) {
				d.trace.addf("N-6", "%s is reserved for %s", a.Address.Addr(), d.port(c.port))
				return choice{address: a, reason: ReasonNew}
			}
		}
	}
	if wish := d.m.RequestedAddr; wish.IsValid() {
		if a := d.s.Address(n.VRF, wish); d.available(a, n, c) && d.offers(part, a) {
			d.choose("asked for by the client", a)
			return choice{address: a, reason: ReasonNew}
		}
	}
	return d.fromPool(n, part)
}

// choose notes why a is the address for a DISCOVER.
func (d *decider) choose(why string, a *ipam.Address) {
	if d.trace != nil {
		d.trace.addf("A-1", "%s: %s", why, a.Address.Addr())
	}
}

func (d *decider) available(a *ipam.Address, n *ipam.Subnet, c *client) bool {
	reason, _ := d.mayHave(a, n, c)
	return reason == ""
}

// skewed reports whether the clock cannot tell that a lease has ended (S-9, S-14,
// S-15).
func (d *decider) skewed() bool { return d.f.Distrusted || Skewed(d.f.Skew) }

// wall is the time of day, which leases are stored with.
func (d *decider) wall() time.Time { return d.now.Add(d.f.Jump) }

// traceSkew says why no address of another client is reclaimed.
func (d *decider) traceSkew() {
	switch {
	case d.trace == nil:
	case d.f.Jump > 0:
		d.trace.addf("S-14", "the clock was set forward by %s: no address of another client is reclaimed", d.f.Jump)
	case d.f.Distrusted:
		d.trace.addf("S-15", "the clock is not confirmed since the start, or since it was set: no address of another client is reclaimed")
	default:
		d.trace.addf("S-9", "clock and NetBox differ by %s: no address of another client is reclaimed", d.f.Skew)
	}
}

// section is the addresses [low, high) of a pool: those of a network, and of the
// networks nested in it.
type section struct {
	network   *ipam.Subnet
	pool      *pool
	part      poolClass
	low, high int
}

// fromPool takes the lowest never-used address, else the one that has been
// free longest (A-1, S-8).
func (d *decider) fromPool(n *ipam.Subnet, part poolClass) choice {
	p := d.l.pools[n.VRF]
	if p == nil || n.Vanished() {
		return choice{}
	}
	low, high := p.Span(n.Prefix.Prefix)
	if low < high && !ipam.HostIn(n.Prefix.Prefix, p.Addr(low)) {
		low++
	}
	if low < high && !ipam.HostIn(n.Prefix.Prefix, p.Addr(high-1)) {
		high--
	}
	s := section{n, p, part, low, high}
	position, key := d.firstOf(s, p.free)
	if key == neverUsed {
		return d.fromPosition(s, position, "never used")
	}
	ended := key != unavailable && !time.Unix(key, 0).Add(d.f.Policy.ReclaimGrace).After(d.now)
	if !ended || d.skewed() {
		return d.offeredLately(s, ended)
	}
	why := "free"
	if d.trace != nil {
		why = "free since " + time.Unix(key, 0).UTC().Format(time.RFC3339)
	}
	return d.fromPosition(s, position, why)
}

// fromPosition is the choice of one address of a pool.
func (d *decider) fromPosition(s section, position int, why string) choice {
	a := d.s.Address(s.network.VRF, s.pool.Addr(position))
	d.choose(why, a)
	return choice{address: a, reason: ReasonNew}
}

// offeredLately takes the address whose offer ended first, where none is free but
// those. Where the clock does not tell that a lease has ended, only one that
// no client ever used is taken (S-9); others says that there are ended leases.
func (d *decider) offeredLately(s section, others bool) choice {
	p := s.pool
	position, key := d.firstOf(s, p.unused)
	if at, since := d.firstOf(s, p.used); d.skewed() {
		others = others || since != unavailable
	} else if since < key {
		position, key = at, since
	}
	switch {
	case key != unavailable:
		return d.fromPosition(s, position, "an offer of it ended a moment ago, and nothing else is free")
	case others && d.skewed():
		d.traceSkew()
		return choice{skewed: true}
	}
	return choice{}
}

// theirs reports whether addr is an address of the relay or of this server
// (N-5), as far as this one message tells, or is not to be offered to the client
// again.
func (d *decider) theirs(addr netip.Addr) bool {
	m := d.m
	return addr == d.avoid || addr == m.Relay || addr == d.override || addr == m.Identifier || slices.Contains(m.InterfaceAddrs, addr)
}

// firstOf searches one tree of the pool, without the nested networks.
func (d *decider) firstOf(s section, t *tournament) (position int, key int64) {
	key = unavailable
	for from, to := range s.pool.parts(s.network, s.low, s.high) {
		at, k := d.firstOfClass(s, t, from, to)
		if k < key {
			position, key = at, k
		}
	}
	return position, key
}

// firstFrom searches [low, high) in the order of lease.pick.
func (d *decider) firstFrom(p *pool, t *tournament, low, high int) (position int, key int64) {
	if low >= high {
		return 0, unavailable
	}
	start := low
	if d.f.Policy.Pick == Hash {
		h := fnv.New64a()
		_, _ = h.Write([]byte(d.m.Client))         // never fails
		start += int(h.Sum64() % uint64(high-low)) //nolint:gosec // G115: the remainder fits
	}
	position, key = d.firstUnlessTheirs(p, t, start, high)
	if start == low || key == neverUsed {
		return position, key
	}
	if wrapped, early := d.firstUnlessTheirs(p, t, low, start); early < key {
		return wrapped, early
	}
	return position, key
}

// firstUnlessTheirs is tournament.first over [low, high) without the addresses of the
// relay that sent the message. They are taken from this one message only: a
// relay address is a claim, and must not be able to empty a pool for others.
func (d *decider) firstUnlessTheirs(p *pool, t *tournament, low, high int) (position int, key int64) {
	position, key = t.first(low, high)
	if key == unavailable || !d.theirs(p.Addr(position)) {
		return position, key
	}
	before, earlier := d.firstUnlessTheirs(p, t, low, position)
	after, later := d.firstUnlessTheirs(p, t, position+1, high)
	if earlier <= later {
		return before, earlier
	}
	return after, later
}

// ownBinding returns the address in n that was last this client's and can be
// again: a running one before an ended one, the later expiry first.
func (d *decider) ownBinding(c *client, n *ipam.Subnet) *ipam.Address {
	var best *ipam.Address
	var found Binding
	for _, addr := range d.l.ofClient(c.id) {
		a := d.s.Address(n.VRF, addr)
		if reason, own := d.mayHave(a, n, c); reason != "" || !own {
			continue
		}
		b := d.binding(a)
		if b.Rival != "" && b.Expires.Sub(d.now) < minRemaining {
			continue // it would not be confirmed (S-12)
		}
		if best == nil || b.running(d.now) && !found.running(d.now) ||
			b.running(d.now) == found.running(d.now) && b.Expires.After(found.Expires) {
			best, found = a, b
		}
	}
	return best
}

// mayHave reports why a dynamic address may not be given to the client now, or
// "" (A-2, N-5), and whether it is the client's own binding.
func (d *decider) mayHave(a *ipam.Address, n *ipam.Subnet, c *client) (refused Reason, own bool) {
	if a == nil || !d.s.Leasable(a) || !n.HostIn(a.Address.Addr()) {
		return d.refused(a, ReasonNotDynamic), false
	}
	addr := a.Address.Addr()
	if d.l.infrastructure.at(addr) || d.theirs(addr) {
		return d.refused(a, ReasonNotDynamic), false
	}
	if worker := d.l.inWork.at(addr); worker != "" && worker != c.id {
		return d.refused(a, ReasonBusy), false
	}
	b := d.binding(a)
	own, running := b.Client == c.id, b.running(d.now)
	switch loss := d.s.Loss(a); {
	case loss == ipam.Ended:
		return d.refused(a, ReasonVanished), false
	case own && d.mayRun(b):
		return "", true
	case loss != ipam.Present || n.Vanished():
		// Its host is served as before, and no other client gets it (T-1).
		if c.port == nil || !reserved(a) || c.port.ID != a.Interface {
			return d.refused(a, ReasonVanished), false
		}
	}
	if b := d.barred(n, c); b.shut() {
		return d.refused(a, b.reason), false
	}
	// An ended binding is still its client's, unless the address was offered
	// to or reserved for another client meanwhile.
	switch {
	case reserved(a) && (c.port == nil || c.port.ID != a.Interface):
		return d.refused(a, ReasonTaken), false
	case addr != d.takes && d.l.heldByOther(addr, c.id) && !d.outweighs(addr, own, c):
		return d.refused(a, ReasonOffered), false
	case own && d.unproved(a, c):
		return d.refused(a, ReasonStoreFailed), true
	case own:
		return "", true
	case addr == d.rested:
		return "", false
	case running:
		return d.refused(a, ReasonTaken), false
	case b.Client != "" && b.Expires.Add(d.f.Policy.ReclaimGrace).After(d.now):
		return d.refused(a, ReasonTaken), false
	case b.Client != "" && d.skewed():
		return d.refused(a, ReasonClockSkew), false
	case d.unproved(a, c):
		return d.refused(a, ReasonStoreFailed), false
	}
	return "", false
}

// mayRun reports whether the client of b may still use the address: where the
// clock is not trusted it does not tell that a lease has ended (S-14).
func (d *decider) mayRun(b Binding) bool {
	return b.running(d.now) || d.f.Distrusted && b.State == Bound
}

// tookByClock reports whether store or NetBox show a as the client's, and only a
// clock that is not trusted tells which of the two counts (S-14).
func (d *decider) tookByClock(a *ipam.Address, c *client) bool {
	if a == nil || !d.f.Distrusted {
		return false
	}
	stored, shown := d.l.stored.at(a.Address.Addr()), recorded(a)
	return d.l.clientOf(stored.Lease) == c.id && stored.State == Bound || shown.Client == d.m.shown() && shown.State == Bound
}

// refused notes why an address is out of the question.
func (d *decider) refused(a *ipam.Address, reason Reason) Reason {
	if d.trace != nil && a != nil {
		d.trace.addf("A-2", "%s may not be given: %s", a.Address.Addr(), reason)
	}
	return reason
}
