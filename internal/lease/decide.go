package lease

import (
	"net/netip"
	"slices"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// Facts are all that a decision looks at besides the message and the clock.
type Facts struct {
	Snapshot *ipam.Snapshot // nil: nothing loaded yet
	Leases   *Leases
	Policy   *Policy
	// Fresh is when the snapshot was last known to agree with NetBox. The zero
	// time stands for a source that cannot go stale (an inventory).
	Fresh time.Time
	Skew  time.Duration // how far NetBox's clock is ahead of ours (S-9)
	// Distrusted says that the clock was set forward, or that nothing confirmed
	// it since the start: that a lease has ended is not known (S-14, S-15).
	Distrusted bool
	// Stepped is Distrusted by a step that was seen, perhaps before a restart.
	Stepped bool
	// Jump is how much of the time of day only a step made since the leases that
	// may still run were given (S-14).
	Jump      time.Duration
	Authority Authority
	// Storeless says that there is no store now, or an empty one that may have
	// lost leases and has to be filled first: nothing new can be promised, and
	// leases may exist that are not in Leases (H-5, H-6).
	Storeless bool
	// YoungUntil is until when the store may lack leases that still run (H-6).
	YoungUntil time.Time
	// Probes says that echo requests are sent.
	Probes bool
	// Started is when this server started, which is when it last knew no offers.
	Started time.Time
}

// maxSkew is the clock difference to NetBox above which no address of another
// client is reclaimed (S-9).
const maxSkew = 2 * time.Minute

// effect is what has to happen before or with the reply.
type effect struct {
	hold     netip.Addr // reserve for the client
	share    share      // what the hold counts against
	ends     ClientID   // whose offer ends for it; empty: none
	dropHold bool
	change   Lease    // to be durable before the reply; no Addr: none
	revision Revision // expected by change
	probe    bool     // the address was never this client's: worth an echo request
	rested   bool     // it is in quarantine, and only an unanswered echo request ends that
	// mustProbe says that only an unanswered echo request lets the client have the
	// address (H-6).
	mustProbe bool
	answer    answer   // to be remembered once it is sent; no time: none
	declined  declined // for whom change puts an address in quarantine
}

// decider is one run of Decide.
type decider struct {
	f      *Facts
	s      *ipam.Snapshot
	l      *Leases
	m      *ClientMessage
	now    time.Time // which leases are judged by: the time of day without a step (S-14)
	trace  *Trace
	passed PassedOver    // what of the client's does not count (I-8)
	state  ClientState   // of a client that sent a REQUEST, once it is known
	atMost time.Duration // what is left of a lease that is not extended (S-11); 0: no limit
	stale  bool          // the snapshot is too old for new leases and refusals (H-4)
	late   bool          // it is too old for refusals

	relayed Relayed
	hearsay bool       // the network rests on a relay that nothing vouches for (N-11)
	avoid   netip.Addr // not to be offered now (D-32)
	takes   netip.Addr // offered to a stranger, who has to give way
	rested  netip.Addr // in quarantine, which has to give way
}

// Decide is the decision table (D-0 to D-28): what this server does
// with one message. It is pure: it changes nothing and the same input gives the
// same output. Reasons go to trace, which may be nil.
func Decide(f Facts, m ClientMessage, now time.Time, trace *Trace) Decision {
	m = f.Policy.identified(m)
	d := decider{f: &f, s: f.Snapshot, l: f.Leases, m: &m, now: now.Add(-f.Jump), trace: trace}
	decision := d.decide()
	decision.Passed = d.passed
	decision.Relayed, decision.Override = d.relayed, m.Override
	decision.Relayed.Subnet = m.SubnetSelection
	if decision.Verdict == Offer || decision.Verdict == Ack {
		decision.effect.answer = d.answerOf(&decision)
	}
	return decision
}

// decide is Decide on a copy of the message that it may change.
func (d *decider) decide() Decision {
	f, m, trace := d.f, d.m, d.trace
	if m.Malformed != "" {
		trace.addf("D-0", "malformed: %s", m.Malformed)
		return d.silent("D-0", ReasonMalformed)
	}
	if m.Client == "" || m.Client == Declined {
		trace.addf("I-2", "the client key %q names no client", m.Client)
		return d.silent("I-2", ReasonMalformed)
	}
	if f.Snapshot == nil {
		trace.addf("H-1", "nothing is known of NetBox yet")
		return d.silent("H-1", ReasonNoSnapshot)
	}
	if !f.Fresh.IsZero() && d.wall().Sub(f.Fresh) > f.Policy.StaleAfter {
		trace.addf("H-4", "the snapshot of NetBox is from %s, older than poll.stale_after", f.Fresh.UTC().Format(time.RFC3339))
		d.stale = true
	}
	d.late = !f.Fresh.IsZero() && f.Policy.RefuseWithin > 0 && d.wall().Sub(f.Fresh) > f.Policy.RefuseWithin
	if reason := d.admit(); reason != "" {
		return d.silent("N-10", reason)
	}
	if !m.Identifier.IsValid() && !m.Override.IsValid() && m.Type != BOOTP && m.Type != Release && m.Type != Decline {
		trace.addf("R-13", "no server identifier: add a server_id line")
		return d.silent("R-13", ReasonNoServerID)
	}
	switch m.Type {
	case Discover:
		return d.discover()
	case Request:
		return d.request()
	case Decline:
		return d.decline()
	case Release:
		return d.release()
	case Inform:
		return d.inform()
	case BOOTP:
		return d.bootp()
	}
	return d.silent("F-15", ReasonUnhandled)
}

func (d *decider) silent(rule string, reason Reason) Decision {
	return Decision{Verdict: Silent, Rule: rule, State: d.state, Reason: reason}
}

// doubted reports why neither a new lease nor a refusal can be founded now, and
// the rule: NetBox was not heard for too long (H-4), or, for a client without a
// static address, leases may exist that are not known (H-5), or a relay that
// nothing vouches for names a stranger's network (N-11).
func (d *decider) doubted(c client) (rule string, reason Reason) {
	if rule, reason = d.onlyRunning(c); rule != "" {
		return rule, reason
	}
	switch {
	case d.s.Objects().NoLinks && c.known() && len(c.statics) == 0:
		d.trace.addf("I-7", "bridges and sub-interfaces are unknown until NetBox was read: the machine may have an address")
		return "I-7", ReasonStale
	case d.f.Storeless && len(c.statics) == 0:
		d.trace.addf("H-5", "there is no lease store now")
		return "H-5", ReasonStoreFailed
	}
	return "", ""
}

// proved reports whether a refusal is founded: NetBox confirmed the snapshot of
// late (H-4), and nothing that it rests on vanished without being seen deleted
// (T-3). n may be nil.
func (d *decider) proved(n *ipam.Subnet, c client) bool {
	switch {
	case d.late:
		if d.trace != nil {
			d.trace.addf("H-4", "NetBox confirmed the snapshot last at %s: too long ago to refuse", d.f.Fresh.UTC().Format(time.RFC3339))
		}
	case d.s.Doubtful():
		d.trace.addf("T-3", "so much vanished from NetBox that nothing is refused")
	case n != nil && n.Vanished():
		d.trace.addf("T-3", "the client's network vanished from NetBox: no refusal")
	case d.m.HasMAC && d.s.MACLoss(d.m.MAC) != ipam.Present:
		d.trace.addf("T-3", "what the client's MAC leads to vanished from NetBox: no refusal")
	case d.vanishedFor(n, c):
		d.trace.addf("T-3", "an address of the client vanished from NetBox: no refusal")
	default:
		return true
	}
	return false
}

// vanishedFor reports whether an address that the client has, had or asks for
// vanished from NetBox, or what it lies in.
func (d *decider) vanishedFor(n *ipam.Subnet, c client) bool {
	if slices.ContainsFunc(c.statics, func(a *ipam.Address) bool { return d.s.Loss(a) != ipam.Present }) {
		return true
	}
	if n == nil {
		return false
	}
	for _, addr := range []netip.Addr{d.m.RequestedAddr, d.m.ClientAddr} {
		if addr.IsValid() && d.s.VanishedAt(n.VRF, addr) {
			return true
		}
	}
	return slices.ContainsFunc(d.l.ofClient(c.id), func(addr netip.Addr) bool { return d.s.VanishedAt(n.VRF, addr) })
}

// refuse is column Auth of the decision table: NAK where this server is authoritative,
// else silence. A client that chose this server's offer is refused by an own
// server too (K-5).
func (d *decider) refuse(rule string, reason Reason, n *ipam.Subnet, c client) Decision {
	if doubt, why := d.doubted(c); doubt != "" {
		return d.silent(doubt, why)
	}
	if d.hearsay {
		d.trace.addf("N-11", "no refusal rests on a relay that nothing vouches for")
		return d.silent("N-11", ReasonHearsay)
	}
	if asked := d.m.Asked(); len(d.l.losers) > 0 && d.lostByClient(asked) {
		d.trace.addf("I-9", "%s has two owners in NetBox: no refusal", asked)
		return d.silent(rule, ReasonTwoOwners)
	}
	spoken := d.f.Authority == Authoritative || d.f.Authority == Own && d.state == Selecting
	decision := d.silent(rule, reason)
	decision.Subnet, decision.Interface, decision.Machine = n, c.port, c.machine
	switch {
	case !spoken:
		d.trace.addf("K-5", "refused silently: the chain's nak plugin does not speak here")
	case d.proved(n, c):
		decision.Verdict = Nak
	}
	return decision
}

// discover serves DHCPDISCOVER (D-1, D-2, A-1).
func (d *decider) discover() Decision {
	if d.m.Waited < d.f.Policy.Standby {
		d.trace.addf("S-6", "client has waited %s, less than lease.standby_secs", d.m.Waited)
		return d.silent("S-6", ReasonStandby)
	}
	w, reason := d.networks()
	if reason != "" {
		return d.silent("D-2", reason)
	}
	c := d.identify(w)
	if c.refused != "" {
		return d.silent("D-2", c.refused)
	}
	if len(c.statics) > 0 {
		return d.offerStatic(c, w)
	}
	if !d.allowed(c, "D-2") {
		return d.silent("D-2", ReasonUnknownClient)
	}
	if doubt, why := d.doubted(c); doubt != "" {
		return d.offerRunning(doubt, why, c, w)
	}
	choice, n := d.chooseAnother(c, w)
	if choice.address == nil {
		choice, n = d.fromStranger(c, w, choice)
	}
	if choice.address == nil {
		choice, n = d.fromQuarantine(c, w, choice)
	}
	if choice.address == nil {
		d.trace.addf("D-2", "no dynamic address is available")
		reason = ReasonPoolEmpty
		if choice.skewed {
			reason = ReasonClockSkew
		}
		return d.silent("D-2", reason)
	}
	decision := d.grant("D-1", Offer, choice.reason, choice.address, n, c)
	decision.effect = effect{hold: choice.address.Address.Addr(), probe: !choice.own, share: choice.share, ends: choice.ends,
		rested: choice.rested, mustProbe: d.mayBeUsed(choice.address, c)}
	return decision
}

// offerRunning offers a client its own running lease where nothing new may be
// leased. Without a store an OFFER would be a promise that cannot be kept.
func (d *decider) offerRunning(doubt string, why Reason, c client, w wire) Decision {
	for _, n := range w.all {
		a := d.ownBinding(c, n)
		if a == nil || d.f.Storeless || !d.binding(a).running(d.now) {
			continue
		}
		decision := d.grant("D-1", Offer, ReasonBound, a, n, c)
		decision.effect.hold = a.Address.Addr()
		return decision
	}
	return d.silent(doubt, why)
}

func (d *decider) offerStatic(c client, w wire) Decision {
	a := c.statics[0]
	return d.grant("D-1", Offer, ReasonStatic, a, d.networkOf(a.Address.Addr(), w.all), c)
}

// request serves DHCPREQUEST in its four states (RFC 2131 section 4.3.2).
func (d *decider) request() Decision {
	m := d.m
	selecting, r, c := m.ServerID.IsValid(), m.RequestedAddr, m.ClientAddr
	if selecting && m.ServerID != m.Identifier && m.ServerID != m.Override {
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
func (d *decider) otherwise(decision Decision) Decision {
	d.state = Renewing
	if renewal := d.extend(d.m.ClientAddr); renewal.Verdict == Ack {
		return renewal
	}
	if decision.Verdict != Nak {
		return decision
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
func (d *decider) locate() (wire, client, Decision) {
	w, reason := d.networks()
	if reason != "" {
		return wire{}, client{}, d.silent("D-11", reason)
	}
	c := d.identify(w)
	if c.refused != "" {
		return wire{}, client{}, d.silent("D-16", c.refused)
	}
	return w, c, Decision{}
}

// selecting answers a client that accepts our offer (D-4, D-5).
func (d *decider) selecting(r netip.Addr) Decision {
	w, c, stop := d.locate()
	if stop.Reason != "" {
		return stop
	}
	n := d.networkOf(r, w.all)
	if a := static(c, r); a != nil && n != nil {
		return d.acknowledge("D-4", ReasonStatic, a, n, c)
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
	if !d.allowed(c, "D-5") {
		return d.refuse("D-5", ReasonUnknownClient, n, c)
	}
	if last, ok := d.lastTime("D-4", r, n, c); ok {
		return last
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
func (d *decider) initReboot(r netip.Addr) Decision {
	w, c, stop := d.locate()
	if stop.Reason != "" {
		return stop
	}
	n := d.networkOf(r, w.all)
	if n == nil {
		return d.outside("D-7", r, w, c)
	}
	return d.confirm("D-8", "D-9", "D-10", r, w, c)
}

// extend answers RENEWING and REBINDING (D-12 to D-14).
func (d *decider) extend(addr netip.Addr) Decision {
	w, c, stop := d.locate()
	if stop.Reason != "" {
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
func (d *decider) confirm(granted, other, none string, addr netip.Addr, w wire, c client) Decision {
	n := d.networkOf(addr, w.all)
	if a := static(c, addr); a != nil {
		return d.acknowledge(granted, ReasonStatic, a, n, c)
	}
	if len(c.statics) > 0 {
		d.trace.addf("D-27", "the client now has the static address %s", c.statics[0].Address.Addr())
		return d.refuse(other, ReasonWrongAddress, n, c)
	}
	if !d.allowed(c, none) {
		return d.refuse(none, ReasonUnknownClient, n, c)
	}
	if last, ok := d.lastTime(granted, addr, n, c); ok {
		return last
	}
	a := d.s.Address(n.VRF, addr)
	if a != nil {
		if decision, ok := d.resumed(granted, a, n, c); ok {
			return decision
		}
	}
	if a != nil && d.binding(a).Client == c.id {
		switch reason, _ := d.mayHave(a, n, c); reason {
		case "":
			if doubt, why := d.onlyRunning(c); doubt != "" && !d.uses(a) {
				return d.silent(doubt, why)
			}
			return d.acknowledge(granted, ReasonBound, a, n, c)
		case ReasonBusy:
			return d.silent("D-16", reason)
		default:
			return d.refuse(none, reason, n, c)
		}
	}
	if d.tookByClock(a, c) {
		return d.silent("D-16", ReasonClockSkew)
	}
	if d.mayBeLost(a, n, c) {
		d.trace.addf("H-6", "the store is new and %s may be the client's: no other client is known there", addr)
		return d.acknowledge(granted, ReasonNew, a, n, c)
	}
	if own, _ := d.runningBinding(c, w); own != nil {
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

// decline serves DHCPDECLINE (D-17, D-18, D-32, A-5).
func (d *decider) decline() Decision {
	r := d.m.RequestedAddr
	if !r.IsValid() || !d.addressedToUs() {
		return d.silent("D-18", ReasonNothingToDo)
	}
	n, err := d.s.Network(r, 0)
	if err != nil {
		return d.silent("D-18", ReasonNothingToDo)
	}
	c := d.identify(oneNetwork(n))
	decision := Decision{Verdict: Taken, Rule: "D-17", Reason: ReasonDeclined, Subnet: n, Interface: c.port, Machine: c.machine}
	if a := static(c, r); a != nil {
		if !d.sentLately(r) {
			return d.silent("D-32", ReasonUnproved)
		}
		decision.Static = true
		decision.Addr = d.masked(a, n)
		return decision
	}
	a := d.s.Address(n.VRF, r)
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
	decision.effect = effect{dropHold: true, change: d.quarantined(r), revision: d.l.stored[r].revision}
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
	next.InterfaceKind, next.InterfaceID = 0, 0
	next.Expires = seconds(d.wall().Add(d.f.Policy.DeclineTime))
	return next
}

// release serves DHCPRELEASE (D-19, D-20, D-31, A-4).
func (d *decider) release() Decision {
	addr := d.m.ClientAddr
	if !addr.IsValid() || !d.addressedToUs() {
		return d.silent("D-20", ReasonNothingToDo)
	}
	n, err := d.s.Network(addr, 0)
	if err != nil {
		return d.silent("D-20", ReasonNothingToDo)
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
	next.Client, next.Hardware, next.State, next.Expires = d.m.Client, d.m.Hardware, Released, seconds(d.wall())
	return Decision{
		Verdict: Taken, Rule: "D-19", Reason: ReasonReleased, Subnet: n, Addr: d.masked(a, n),
		effect: effect{dropHold: true, change: next, revision: d.l.stored[addr].revision},
	}
}

// uses reports whether a is bound to the client that sent the message.
func (d *decider) uses(a *ipam.Address) bool {
	b := d.binding(a)
	return b.Client == d.m.Client && d.mayRun(b)
}

// usesIn is uses for an address by its network, which may be unknown.
func (d *decider) usesIn(n *ipam.Subnet, addr netip.Addr) bool {
	if n == nil {
		return false
	}
	a := d.s.Address(n.VRF, addr)
	return a != nil && d.uses(a)
}

// offered reports whether a is held for the client that sent the message and no
// client is known to use it.
func (d *decider) offered(a *ipam.Address) bool {
	return d.l.holds[a.Address.Addr()].client == d.m.Client && !d.binding(a).running(d.now)
}

// addressedToUs reports whether a DECLINE or RELEASE names this server or
// none.
func (d *decider) addressedToUs() bool {
	s := d.m.ServerID
	return !s.IsValid() || s == d.m.Identifier || s == d.m.Override
}

// inform serves DHCPINFORM (D-21, D-22).
func (d *decider) inform() Decision {
	if !d.m.ClientAddr.IsValid() {
		return d.silent("D-22", ReasonMalformed)
	}
	w, reason := d.networks()
	if reason != "" {
		return d.silent("D-22", reason)
	}
	c := d.identify(w)
	if c.refused != "" {
		return d.silent("D-22", c.refused)
	}
	n := d.networkOf(d.m.ClientAddr, w.all)
	if d.hearsay && !c.known() && !d.usesIn(n, d.m.ClientAddr) {
		return d.silent("N-11", ReasonHearsay)
	}
	if n == nil {
		n = w.first()
	}
	return Decision{
		Verdict: Informed, Rule: "D-21", Reason: ReasonInform,
		Subnet: n, Interface: c.port, Machine: c.machine,
	}
}

// bootp serves BOOTP clients, which have no leases (D-23, D-24).
func (d *decider) bootp() Decision {
	w, reason := d.networks()
	if reason != "" {
		return d.silent("D-24", reason)
	}
	c := d.identify(w)
	if c.refused != "" || len(c.statics) == 0 {
		d.trace.addf("D-24", "BOOTP clients get static addresses only")
		return d.silent("D-24", ReasonNoBinding)
	}
	a := c.statics[0]
	return d.grant("D-23", BootReply, ReasonStatic, a, d.networkOf(a.Address.Addr(), w.all), c)
}

// static returns the client's static address that is addr, or nil.
func static(c client, addr netip.Addr) *ipam.Address {
	for _, a := range c.statics {
		if a.Address.Addr() == addr {
			return a
		}
	}
	return nil
}
