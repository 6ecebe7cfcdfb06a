package lease

import (
	"net/netip"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// request serves DHCPREQUEST in its four states (RFC 2131 section 4.3.2).
func (d *decider) request() *Decision {
	m := d.m
	selecting, r, c := m.ServerID.IsValid(), m.RequestedAddr, m.ClientAddr
	if selecting && m.ServerID != m.Identifier && m.ServerID != d.override {
		if d.trace != nil {
			d.trace.addf("D-3", "the client chose server %s", m.ServerID)
		}
		decision := d.silent("D-3", ReasonOtherServer)
		decision.effect.dropHold = true
		return decision
	}
	both := r.IsValid() && c.IsValid()
	if both && (selecting || r != c) && !d.direct() {
		c = netip.Addr{} // left filled from an earlier life (D-6)
	}
	switch {
	case !r.IsValid() && !c.IsValid(), both && c.IsValid() && r != c:
		rule := "D-15b"
		if selecting {
			rule = "D-6b"
		}
		d.trace.addf(rule, "requested address and ciaddr are both missing or differ")
		return d.silent(rule, ReasonMalformed)
	case selecting && !c.IsValid():
		d.state = Selecting
		return d.selecting(r)
	case !selecting && !c.IsValid():
		d.state = InitReboot
		decision := d.initReboot(r)
		if both && decision.Verdict != Ack {
			return d.otherwise(decision)
		}
		return decision
	}
	d.state = Renewing
	return d.extend(c) // D-12, D-14 and the tolerated D-6, D-15
}

// otherwise takes a REQUEST with two addresses, whose option 50 is not the
// client's, by its ciaddr: that is confirmed, too, and neither is refused (D-15b).
func (d *decider) otherwise(decision *Decision) *Decision {
	before := *decision
	d.state = Renewing
	if renewal := d.extend(d.m.ClientAddr); renewal.Verdict == Ack {
		return renewal
	}
	if before.Verdict != Nak {
		*d.made = before
		return d.made
	}
	d.trace.addf("D-15b", "not refused, since the client may mean the other address")
	return d.silent("D-15b", ReasonMalformed)
}

// direct reports whether the message was sent to this server alone, which a
// client does that renews, and not one that selects or comes back.
func (d *decider) direct() bool {
	return d.m.Delivery == DeliveryUnicast && !d.m.Relay.IsValid()
}

// locate finds wire and client for a REQUEST; a decision with a reason means
// that the message is not answered (D-11, D-16, N-4).
func (d *decider) locate() (wire, *client, *Decision) {
	w, reason := d.networks()
	if reason != "" {
		return wire{}, nil, d.silent("D-11", reason)
	}
	c := d.identify(w)
	if c.refused != "" {
		return wire{}, nil, d.turnedAway("D-16", c)
	}
	return w, c, nil
}

// selecting answers a client that accepts our offer (D-4, D-5).
func (d *decider) selecting(r netip.Addr) *Decision {
	w, c, stop := d.locate()
	if stop != nil {
		return stop
	}
	n := d.networkOf(r, w.all)
	if a := static(c, r); a != nil && n != nil {
		return d.acknowledge("D-4", ReasonStatic, a, n, c)
	}
	if decision, ok := d.acceptClaimed(r, c); ok {
		return decision
	}
	if !d.mayAccept(r) {
		d.trace.addf("D-30", "the client was offered nothing in the last two minutes, and %s was not its own before", r)
		return d.silent("D-30", ReasonNotOffered)
	}
	if n == nil {
		return d.outside("D-5", r, w, c)
	}
	if len(c.statics) > 0 {
		d.trace.addf("D-5", "the client's static address is %s, not %s", c.statics[0].Address.Addr(), r)
		return d.refuse("D-5", ReasonWrongAddress, n, c)
	}
	if decision, ok := d.withoutNew("D-5", "D-4", r, n, c); ok {
		return decision
	}
	a := d.s.Address(n.VRF, r)
	d.elsewhere(r, n)
	reason, own := d.mayHave(a, n, c)
	if doubt, why := d.onlyRunning(c); reason == "" && doubt != "" && !d.uses(a) {
		return d.silent(doubt, why)
	}
	if d.waits(a) {
		reason = ReasonTaken
	}
	switch reason {
	case "":
		if own {
			return d.acknowledge("D-4", ReasonBound, a, n, c)
		}
		return d.acknowledge("D-4", ReasonNew, a, n, c)
	case ReasonBusy, ReasonClockSkew:
		return d.silent("D-16", reason)
	case ReasonOffered:
		return d.silent("D-34", reason)
	case ReasonStoreFailed:
		return d.silent("H-6", reason)
	}
	if d.tookByClock(a, c) {
		return d.silent("D-16", ReasonClockSkew)
	}
	return d.refuse("D-5", reason, n, c)
}

// initReboot answers a client that remembers an address from before (D-7 to
// D-10).
func (d *decider) initReboot(r netip.Addr) *Decision {
	w, c, stop := d.locate()
	if stop != nil {
		return stop
	}
	n := d.networkOf(r, w.all)
	if n == nil {
		return d.outside("D-7", r, w, c)
	}
	return d.confirm("D-8", "D-9", "D-10", r, w, c)
}

// extend answers RENEWING and REBINDING (D-12 to D-14).
func (d *decider) extend(addr netip.Addr) *Decision {
	w, c, stop := d.locate()
	if stop != nil {
		return stop
	}
	n := d.networkOf(addr, w.all)
	if n == nil {
		return d.outside("D-14", addr, w, c)
	}
	return d.confirm("D-12", "D-13", "D-13", addr, w, c)
}

// confirm acknowledges an address on the wire that is already the client's:
// static, or bound to it last and not given away since.
func (d *decider) confirm(granted, other, none string, addr netip.Addr, w wire, c *client) *Decision {
	n := d.networkOf(addr, w.all)
	if a := static(c, addr); a != nil {
		return d.acknowledge(granted, ReasonStatic, a, n, c)
	}
	if len(c.statics) > 0 {
		d.trace.addf("D-27", "the client now has the static address %s", c.statics[0].Address.Addr())
		return d.refuse(other, ReasonWrongAddress, n, c)
	}
	if decision, ok := d.extendClaimed(granted, addr, n, c); ok {
		return decision
	}
	if decision, ok := d.withoutNew(none, granted, addr, n, c); ok {
		return decision
	}
	a := d.s.Address(n.VRF, addr)
	if a != nil {
		if decision, ok := d.resumed(granted, a, n, c); ok {
			return decision
		}
	}
	if a != nil && d.binding(a).Client == c.id {
		return d.confirmBound(granted, none, a, n, c)
	}
	if d.tookByClock(a, c) {
		return d.silent("D-16", ReasonClockSkew)
	}
	if d.mayBeLost(a, n, c) {
		d.trace.addf("H-6", "the store is new and %s may be the client's: no other client is known there", addr)
		return d.acknowledge(granted, ReasonNew, a, n, c)
	}
	if own, _ := d.runningBinding(c, w); own != nil && !d.young() {
		d.trace.addf(other, "the client is bound to %s", own.Address.Addr())
		return d.refuse(other, ReasonWrongAddress, n, c)
	}
	d.trace.addf(none, "%s is not bound to the client", addr)
	d.elsewhere(addr, n)
	switch {
	case d.waits(a):
		return d.refuse(none, ReasonTaken, n, c)
	case a == nil || !d.s.IsDynamic(a):
		return d.refuse(none, ReasonNotDynamic, n, c)
	case d.young():
		d.trace.addf("H-6", "the store is new and may lack the client's lease")
		return d.silent("H-6", ReasonStoreFailed)
	}
	return d.refuse(none, ReasonNoBinding, n, c)
}

// withoutNew answers a client whose lease is not extended, or that may have none: with
// what is left of it, else with silence or a refusal.
func (d *decider) withoutNew(none, granted string, addr netip.Addr, n *ipam.Subnet, c *client) (*Decision, bool) {
	b := d.barred(n, c)
	if b.shut() {
		d.traceBar(b, n)
	}
	if b.bySetting() {
		return d.refuse(none, b.reason, n, c), true
	}
	if last, ok := d.lastTime(granted, addr, n, c, b); ok {
		return last, true
	}
	if !b.shut() {
		return nil, false
	}
	a := d.s.Address(n.VRF, addr)
	if a != nil {
		if decision, ok := d.resumed(granted, a, n, c); ok {
			return decision, true
		}
	}
	switch {
	case d.tookByClock(a, c):
		return d.silent("D-16", ReasonClockSkew), true
	case d.young():
		d.trace.addf("H-6", "the store is new and may lack the client's lease")
		return d.silent("H-6", ReasonStoreFailed), true
	}
	return d.refuse(none, b.reason, n, c), true
}

// confirmBound acknowledges an address that was bound to the client last, if it may
// still have it.
func (d *decider) confirmBound(granted, none string, a *ipam.Address, n *ipam.Subnet, c *client) *Decision {
	switch reason, _ := d.mayHave(a, n, c); reason {
	case "":
		if doubt, why := d.onlyRunning(c); doubt != "" && !d.uses(a) {
			return d.silent(doubt, why)
		}
		return d.acknowledge(granted, ReasonBound, a, n, c)
	case ReasonBusy:
		return d.silent("D-16", reason)
	case ReasonOffered:
		return d.silent("D-34", reason)
	case ReasonStoreFailed:
		return d.silent("H-6", reason)
	default:
		if d.waits(a) {
			reason = ReasonTaken
		}
		return d.refuse(none, reason, n, c)
	}
}
