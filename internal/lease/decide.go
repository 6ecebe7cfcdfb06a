package lease

import (
	"net/netip"
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
	// FromBackup says that the store was restored from a backup: while it is young, any
	// address may have been leased since (C-32).
	FromBackup bool
	// CanProbe says that there is a way to send an echo request, whatever lease.probe
	// is.
	CanProbe bool
	// Started is when this server started, which is when it last knew no offers.
	Started time.Time
	// Steady is now by time that runs, which holds and answers are measured with.
	// The zero time: the clock is never set.
	Steady time.Time
}

// maxSkew is the clock difference to NetBox above which no address of another
// client is reclaimed (S-9).
const maxSkew = 2 * time.Minute

// effect is what has to happen before or with the reply.
type effect struct {
	hold     netip.Addr // reserve for the client
	stranger bool       // NetBox does not know the client that it is for
	share    share      // what the hold counts against
	ends     ClientID   // whose unanswered offer ends for it (A-11, D-34); empty: none
	dropHold bool
	change   Lease    // to be durable before the reply; no Addr: none
	revision Revision // expected by change
	probe    bool     // the address was never this client's: worth an echo request
	rested   bool     // it is in quarantine, which the offer ends
	// mustProbe says that only an unanswered echo request lets the client have the
	// address (A-8, H-6).
	mustProbe bool
	claims    netip.Addr // static address that other identifiers of the MAC do not get meanwhile (I-14)
	answer    answer     // to be remembered once it is sent; no time: none
	declined  declined   // for whom change puts an address in quarantine
	claimed   bool       // the offer is of an address that the client claims (CL-6)
	occupied  netip.Addr // a claimed address that its client declined (CL-8); no Addr: none
	heard     bool       // NetBox knows the sender's MAC, and when it was heard is to be noted (CL-8)
}

// decider is one run of Decide.
type decider struct {
	f       *Facts
	s       *ipam.Snapshot
	l       *Leases
	m       *ClientMessage
	now     time.Time // which leases are judged by: the time of day without a step (S-14)
	steady  time.Time // which holds and answers are measured with (S-16)
	trace   *Trace
	passed  PassedOver    // what of the client's does not count (I-8)
	claims  Claim         // what an unknown client claims (CL-6)
	circuit *Circuit      // how option 82 was read; nil: it does not count (CL-13)
	state   ClientState   // of a client that sent a REQUEST, once it is known
	atMost  time.Duration // what is left of a lease that is not extended (S-11); 0: no limit
	stale   bool          // the snapshot is too old for new leases and refusals (H-4)
	late    bool          // it is too old for refusals

	evident [1]netip.Addr   // room for evidence
	lying   [4]*ipam.Subnet // room for a wire

	made   *Decision // what is decided, see blank
	client client    // who sent the message, see identify

	relayed    Relayed
	override   netip.Addr     // the message's, as far as it counts (N-11)
	selected   netip.Addr     // by option 118, as far as it counts (N-12)
	hearsay    bool           // the network rests on a relay that nothing vouches for (N-11)
	avoid      netip.Addr     // not to be offered now (D-32)
	takes      netip.Addr     // offered to a stranger, who has to give way
	rested     netip.Addr     // in quarantine, which has to give way
	unservedAt []*ipam.Subnet // of the wire, without the tag of network.serve_tag (N-20)
}

// Decide is the decision table (D-0 to D-28): what this server does
// with one message. It is pure: it changes nothing and the same input gives the
// same output. Reasons go to trace, which may be nil.
func Decide(f *Facts, m *ClientMessage, now time.Time, trace *Trace) Decision {
	var decision Decision
	new(decider).run(&decision, f, m, now, trace)
	return decision
}

// run is Decide for a caller that has room for the decision. d is empty.
func (d *decider) run(made *Decision, f *Facts, m *ClientMessage, now time.Time, trace *Trace) {
	m = f.Policy.identified(m)
	d.f, d.s, d.l, d.m, d.made, d.trace = f, f.Snapshot, f.Leases, m, made, trace
	d.now, d.steady = now.Add(-f.Jump), f.Steady
	if d.steady.IsZero() {
		d.steady = now
	}
	decision := d.decide()
	decision.Passed, decision.Claim, decision.Circuit = d.passed, d.claims, d.circuit
	decision.effect.heard = len(f.Policy.Claims.Prefixes) > 0 && m.HasMAC && f.Snapshot != nil && len(f.Snapshot.InterfacesWithMAC(m.MAC)) > 0
	decision.Relayed, decision.Override = d.relayed, d.override
	decision.Relayed.Subnet = d.selected
	if decision.Verdict == Offer || decision.Verdict == Ack {
		decision.effect.answer = d.answerOf(decision)
	}
	decision.effect.claims = d.claimed(decision)
}

// decide is Decide for a client that is identified.
func (d *decider) decide() *Decision {
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
	d.circuit = d.readCircuit()
	if !m.Identifier.IsValid() && !d.override.IsValid() && m.Type != BOOTP && m.Type != Release && m.Type != Decline {
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

func (d *decider) silent(rule string, reason Reason) *Decision {
	decision := d.blank()
	decision.Rule, decision.State, decision.Reason = rule, d.state, reason
	return decision
}

// blank is a decision to fill in: silence. There is room for one, so the one before
// is gone. It is large, and is not copied from hand to hand for each message.
func (d *decider) blank() *Decision {
	*d.made = Decision{}
	return d.made
}

// turnedAway is silence to a client that NetBox knows and cannot serve.
func (d *decider) turnedAway(rule string, c *client) *Decision {
	decision := d.silent(rule, c.refused)
	decision.Machine = c.machine
	return decision
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

// inform serves DHCPINFORM (D-21, D-22).
func (d *decider) inform() *Decision {
	if !d.m.ClientAddr.IsValid() {
		return d.silent("D-22", ReasonMalformed)
	}
	w, reason := d.networks()
	if reason != "" {
		return d.silent("D-22", reason)
	}
	c := d.identify(w)
	if c.refused != "" {
		return d.turnedAway("D-22", c)
	}
	n := d.networkOf(d.m.ClientAddr, w.all)
	if n == nil && d.networkOf(d.m.ClientAddr, d.unservedAt) != nil { // another server's, on the same wire
		return d.silent("D-22", ReasonUnserved)
	}
	if d.hearsay && !c.known() && !d.usesIn(n, d.m.ClientAddr) {
		return d.silent("N-11", ReasonHearsay)
	}
	if n == nil {
		n = w.first()
	}
	if b := d.barred(n, c); b.silent() && !d.usesIn(n, d.m.ClientAddr) {
		d.traceBar(b, n)
		return d.unserved("D-22", b, n)
	}
	decision := d.blank()
	decision.Verdict, decision.Rule, decision.Reason = Informed, "D-21", ReasonInform
	decision.Subnet, decision.Interface, decision.Machine = n, c.port, c.machine
	return decision
}

// bootp serves BOOTP clients, which have no leases (D-23, D-24).
func (d *decider) bootp() *Decision {
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
func static(c *client, addr netip.Addr) *ipam.Address {
	for _, a := range c.statics {
		if a.Address.Addr() == addr {
			return a
		}
	}
	return nil
}
