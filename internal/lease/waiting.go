package lease

import (
	"net/netip"
	"slices"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// free is those of the static addresses of port that no other client is leasing
// now. The others wait for the end of that lease (S-11).
func (d *decider) free(statics []*ipam.Address, port *ipam.Interface) []*ipam.Address {
	if d.l == nil {
		return statics
	}
	for i, a := range statics {
		b, leased := d.leasedToOther(a, port)
		if until := d.l.claims.at(a.Address.Addr()); d.m.Hardware != "" && until.After(d.steady) {
			b, leased = Binding{Client: d.m.Hardware, Expires: d.now.Add(until.Sub(d.steady)), State: Bound}, true // of the host itself (I-14)
		}
		if leased && d.holdBack(a, port, b) {
			return append(slices.Clone(statics[:i]), d.free(statics[i+1:], port)...)
		}
	}
	return statics
}

// holdBack reports whether a static address waits for the lease b of another
// client, and notes both.
func (d *decider) holdBack(a *ipam.Address, port *ipam.Interface, b Binding) bool {
	d.passed = PassedOver{Address: a, Port: port, Why: PassedLeased, Holder: b.Client, Until: b.Expires}
	does := "it waits"
	if d.f.Policy.StaticAtOnce {
		d.passed.Why, does = PassedNothing, "lease.static_at_once gives it all the same"
	}
	if d.trace != nil {
		d.trace.addf("S-11", "%s is leased to %s until %s: %s", a.Address.Addr(), b.Client, b.Expires.UTC().Format(time.RFC3339), does)
	}
	return !d.f.Policy.StaticAtOnce
}

// waits reports whether a is a static address of the client that waits.
func (d *decider) waits(a *ipam.Address) bool {
	return a != nil && d.passed.Why == PassedLeased && d.passed.Address == a
}

// leasedToOther returns the lease of another client on a static address of port.
// A record of a MAC of the port is no other client, and one without a readable
// end must not keep a host from its address for ever.
func (d *decider) leasedToOther(a *ipam.Address, port *ipam.Interface) (Binding, bool) {
	b := d.binding(a)
	switch {
	case b.Client == "", b.Client == d.m.Client, b.State != Bound && b.State != Withdrawn, b.Expires.Equal(forever()):
		return b, false
	case !b.Expires.Add(d.f.Policy.ReclaimGrace).After(d.now) && !d.f.Stepped: // else it may run still (S-14)
		return b, false
	}
	mac, err := ipam.ParseMAC(string(b.Client))
	return b, err != nil || !d.ofPort(mac, port) || d.ofAnother(a, b)
}

// ofPort reports whether mac is one of the port, or of a member of it. Without a
// port it is the client's, whom the address names.
func (d *decider) ofPort(mac ipam.MAC, port *ipam.Interface) bool {
	if port == nil {
		return d.m.HasMAC && mac == d.m.MAC
	}
	return slices.Contains(d.s.MACs(port.ID), mac) ||
		slices.ContainsFunc(d.s.Members(port.ID), func(m *ipam.Interface) bool { return slices.Contains(d.s.MACs(m.ID), mac) })
}

// lastTime confirms a running lease of the client for the time that is left and
// no longer, where NetBox has taken the address away (S-11), or the client may have no
// new lease by b (CTX-5). Below a minute it is
// silence: the client has the address until then, so a refusal would be wrong.
func (d *decider) lastTime(rule string, addr netip.Addr, n *ipam.Subnet, c *client, by bar) (*Decision, bool) {
	a := d.s.Address(n.VRF, addr)
	b := d.leaseOn(a, addr)
	runs := b.running(d.now)
	if b.Client != c.id || b.State != Bound || !runs && !d.f.Distrusted {
		return nil, false
	}
	reason := d.ending(a)
	if reason == "" && b.Rival != "" {
		reason = ReasonForeign // another server gave the address away, too (S-12)
	}
	if reason == "" {
		reason = by.reason
	}
	switch {
	case reason == "":
		return nil, false
	case d.l.unread.at(addr): // there is no write that would show it
		return d.silent(rule, ReasonStoreFailed), true
	case !runs: // perhaps only by a clock that was set forward (S-14, S-15)
		d.traceSkew()
		return d.silent(rule, ReasonClockSkew), true
	}
	if a == nil {
		a = &ipam.Address{Address: netip.PrefixFrom(addr, n.Prefix.Prefix.Bits()), VRF: n.VRF}
	}
	left := b.Expires.Sub(d.now).Truncate(time.Second)
	d.trace.addf("S-11", "the lease of %s is not extended (%s): %s are left of it", addr, reason, left)
	if left < minRemaining {
		return d.silent(rule, reason), true
	}
	d.atMost = left
	decision := d.grant(rule, Ack, reason, a, n, c)
	decision.effect.dropHold = true
	return d.takenOver(decision, a, b), true
}

// leaseOn is the binding of an address, also of one that NetBox has no more.
func (d *decider) leaseOn(a *ipam.Address, addr netip.Addr) Binding {
	if a != nil {
		return d.binding(a)
	}
	stored := d.l.stored.at(addr)
	b := Binding{Client: d.l.clientOf(stored.Lease), Expires: stored.Expires, State: stored.State}
	return d.l.askedFor(d.m, addr, b, d.steady)
}

// ending says why a lease on a is not extended any more, "" if it may be.
func (d *decider) ending(a *ipam.Address) Reason {
	switch {
	case a == nil:
		return ReasonTakenAway
	case d.s.Leasable(a), d.f.Policy.StaticAtOnce && d.s.IsStatic(a):
		return ""
	}
	return ReasonTakenAway
}
