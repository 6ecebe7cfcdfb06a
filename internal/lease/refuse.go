package lease

import (
	"net/netip"
	"slices"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// doubted reports why neither a new lease nor a refusal can be founded now, and
// the rule: NetBox was not heard for too long (H-4), or, for a client without a
// static address, leases may exist that are not known (H-5), or a relay that
// nothing vouches for names a stranger's network (N-11).
func (d *decider) doubted(c *client) (rule string, reason Reason) {
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
func (d *decider) proved(n *ipam.Subnet, c *client) bool {
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
func (d *decider) vanishedFor(n *ipam.Subnet, c *client) bool {
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
func (d *decider) refuse(rule string, reason Reason, n *ipam.Subnet, c *client) *Decision {
	if doubt, why := d.doubted(c); doubt != "" {
		return d.silent(doubt, why)
	}
	if b := d.barred(n, c); b.silent() {
		return d.unserved(rule, b, n)
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
