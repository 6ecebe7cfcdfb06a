package lease

import (
	"net/netip"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// decline serves DHCPDECLINE (D-17, D-18, D-32, A-5).
func (d *decider) decline() *Decision {
	r := d.m.RequestedAddr
	if !r.IsValid() || !d.addressedToUs() {
		return d.silent("D-18", ReasonNothingToDo)
	}
	n, err := d.s.Network(r, 0)
	if err != nil {
		return d.silent("D-18", ReasonNothingToDo)
	}
	if !d.served(n) {
		return d.silent("N-20", ReasonUnserved)
	}
	c := d.identify(oneNetwork(n))
	decision := d.blank()
	decision.Verdict, decision.Rule, decision.Reason = Taken, "D-17", ReasonDeclined
	decision.Subnet, decision.Interface, decision.Machine = n, c.port, c.machine
	if a := static(c, r); a != nil {
		if !d.sentLately(r) {
			return d.silent("D-32", ReasonUnproved)
		}
		decision.Static = true
		decision.Addr = d.masked(a, n)
		return decision
	}
	a := d.s.Address(n.VRF, r)
	// A DECLINE has no vendor class (RFC 2131 table 5), so it need not make the claim again.
	if a != nil && (c.claim != nil && c.claim.Address == a || d.hasClaimed(a, c)) && d.sentLately(r) {
		d.trace.addf("CL-8", "the client found a host at %s, which it claims", r)
		stop := d.silent("CL-8", ReasonDeclined)
		stop.effect = effect{dropHold: true, occupied: r}
		return stop
	}
	if a == nil || !d.s.IsDynamic(a) || !d.uses(a) && !d.offered(a) {
		d.trace.addf("D-18", "%s is neither bound nor offered to the client", r)
		return d.silent("D-18", ReasonNothingToDo)
	}
	switch {
	case !d.sentLately(r):
		return d.inVain("D-32", ReasonUnproved, r)
	case d.overdrawn(n):
		return d.inVain("A-9", ReasonTooMany, r)
	}
	decision.Addr = d.masked(a, n)
	decision.effect = effect{dropHold: true, change: d.quarantined(r), revision: d.l.stored.at(r).revision}
	decision.effect.declined.client = d.m.Client
	if b := d.l.binding(a, d.now); b.Client == d.m.Client {
		decision.effect.declined.until = b.Expires
	}
	return decision
}

// quarantined is the lease that keeps all clients off an address that an
// unknown host is using.
func (d *decider) quarantined(addr netip.Addr) Lease {
	next := d.nextLease(addr)
	next.Client, next.Hardware, next.State, next.Hostname = Declined, "", Quarantined, ""
	next.InterfaceKind, next.InterfaceID, next.ByPort = 0, 0, false
	next.Expires = seconds(d.wall().Add(d.f.Policy.DeclineTime))
	return next
}

// release serves DHCPRELEASE (D-19, D-20, D-31, A-4).
func (d *decider) release() *Decision {
	addr := d.m.ClientAddr
	if !addr.IsValid() || !d.addressedToUs() {
		return d.silent("D-20", ReasonNothingToDo)
	}
	n, err := d.s.Network(addr, 0)
	if err != nil {
		return d.silent("D-20", ReasonNothingToDo)
	}
	if !d.served(n) {
		return d.silent("N-20", ReasonUnserved)
	}
	a := d.s.Address(n.VRF, addr)
	if a == nil {
		return d.silent("D-20", ReasonNothingToDo)
	}
	if !d.uses(a) {
		d.trace.addf("D-20", "%s is not bound to the client", addr)
		return d.silent("D-20", ReasonNothingToDo)
	}
	if !d.releasable(addr) {
		d.trace.addf("D-31", "a RELEASE counts from ciaddr itself, or by a vouched-for relay of its wire")
		return d.silent("D-31", ReasonUnproved)
	}
	next := d.nextLease(addr)
	next.Unsynced = d.s.IsDynamic(a) // else NetBox has no place for it
	if next.ByPort {
		next.InterfaceKind, next.InterfaceID, next.ByPort = 0, 0, false
	}
	next.Client, next.Hardware, next.State, next.Expires = d.m.Client, d.m.Hardware, Released, seconds(d.wall())
	decision := d.blank()
	decision.Verdict, decision.Rule, decision.Reason = Taken, "D-19", ReasonReleased
	decision.Subnet, decision.Addr = n, d.masked(a, n)
	decision.effect = effect{dropHold: true, change: next, revision: d.l.stored.at(addr).revision}
	return decision
}

// offered reports whether a is held for the client that sent the message and no
// client is known to use it.
func (d *decider) offered(a *ipam.Address) bool {
	return d.l.holds.at(a.Address.Addr()).client == d.m.Client && !d.binding(a).running(d.now)
}

// addressedToUs reports whether a DECLINE or RELEASE names this server or
// none.
func (d *decider) addressedToUs() bool {
	s := d.m.ServerID
	return !s.IsValid() || s == d.m.Identifier || s == d.override
}
