package lease

import (
	"fmt"
	"strings"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// bar says why a client that NetBox does not know gets no new lease in a network.
type bar struct {
	reason Reason // empty: it may have one
	rule   string
	source string // the config context that says so; empty: dynamic.allow_unknown does
}

// shut reports whether the client gets no new lease.
func (b bar) shut() bool { return b.reason != "" }

// bySetting reports whether the settings say so, and no context (P-12).
func (b bar) bySetting() bool { return b.shut() && b.source == "" }

// silent reports whether the client is not answered at all, but for a running lease.
func (b bar) silent() bool { return b.reason == ReasonClientsUnserved || b.reason == ReasonRandomMAC }

// barred asks settings and contexts whether the client may have a new lease in n
// (P-12, CTX-5, CTX-6). Machines that NetBox knows are never barred.
func (d *decider) barred(n *ipam.Subnet, c *client) bar {
	if c.known() || n == nil {
		return bar{}
	}
	l := &d.s.Data(n, nil).Lease
	switch {
	case l.ServeClients.IsSaid() && !l.ServeClients.Value:
		return bar{ReasonClientsUnserved, "CTX-5", l.ServeClients.Source}
	case d.randomMAC() && l.RandomAllowed.IsSaid() && !l.RandomAllowed.Value:
		return bar{ReasonRandomMAC, "CTX-6", l.RandomAllowed.Source}
	case l.AllowUnknown.IsSaid() && !l.AllowUnknown.Value:
		return bar{ReasonUnknownClient, "CTX-5", l.AllowUnknown.Source}
	case !l.AllowUnknown.IsSaid() && !d.f.Policy.AllowUnknown:
		return bar{ReasonUnknownClient, "P-12", ""}
	}
	return bar{}
}

// traceBar says in words why the client gets no new lease in n.
func (d *decider) traceBar(b bar, n *ipam.Subnet) {
	if d.trace == nil {
		return
	}
	where := fmt.Sprintf("in prefix %s (id %d), by %s", n.Prefix.Prefix, n.ID, b.source)
	switch {
	case b.bySetting():
		d.trace.addf(b.rule, "dynamic.allow_unknown is false and NetBox does not know the client")
	case b.reason == ReasonClientsUnserved:
		d.trace.addf(b.rule, "clients that NetBox does not know are not served %s (serve_clients)", where)
	case b.reason == ReasonRandomMAC:
		d.trace.addf(b.rule, "locally administered MACs that NetBox does not know are not served %s (random_macs)", where)
	default:
		d.trace.addf(b.rule, "clients that NetBox does not know get no new lease %s (allow_unknown)", where)
	}
}

// turnedOut is the bar of a client in every network of its wire, that of the first
// one; it may have a new lease where one of them lets it.
func (d *decider) turnedOut(c *client, w wire) bar {
	first := d.barred(w.first(), c)
	for _, n := range w.all[1:] {
		if !first.shut() {
			break
		}
		if !d.barred(n, c).shut() {
			return bar{}
		}
	}
	if first.shut() {
		d.traceBar(first, w.first())
	}
	return first
}

// offerLast offers a client that may have no new lease what is left of its running
// one (CTX-5). The settings leave it nothing (P-12).
func (d *decider) offerLast(b bar, c *client, w wire) *Decision {
	if !b.bySetting() {
		if a, n := d.runningBinding(c, w); a != nil && d.leaves(a) {
			return d.offerRunning(b.rule, b.reason, c, oneNetwork(n))
		}
	}
	return d.unserved("D-2", b, w.first())
}

// unserved is silence to a client that may have no new lease in n. rule is for what
// the settings say.
func (d *decider) unserved(rule string, b bar, n *ipam.Subnet) *Decision {
	if !b.bySetting() {
		rule = b.rule
	}
	decision := d.silent(rule, b.reason)
	decision.Subnet = n
	return decision
}

// leaves limits the lease to what is left of the one on a. It reports false where
// that is too little to speak of.
func (d *decider) leaves(a *ipam.Address) bool {
	left := d.binding(a).Expires.Sub(d.now).Truncate(time.Second)
	if left < minRemaining {
		return false
	}
	d.atMost = left
	return true
}

// randomMAC reports whether the MAC is locally administered, as those are that phones
// and laptops make up for each network. QEMU's 52:54:00 and Docker's 02:42 are, too.
func (d *decider) randomMAC() bool { return d.m.HasMAC && d.m.MAC[0]&2 != 0 }

// terms are the lease times of a client: of contexts, else of the settings (R-3, CTX-4).
func (d *decider) terms(n *ipam.Subnet, c *client) (usual, low, high time.Duration) {
	p := d.f.Policy
	usual, low, high = p.LeaseTime, p.MinTime, p.MaxTime
	if n == nil {
		return usual, low, high
	}
	said := d.s.Data(n, c.machine).Lease.LeaseTimes
	if random := &d.s.Data(n, nil).Lease.RandomTimes; !c.known() && d.randomMAC() && *random != (ipam.LeaseTimes{}) {
		said = *random
	}
	if said == (ipam.LeaseTimes{}) {
		return usual, low, high
	}
	if said.Time.IsSaid() {
		usual, high = said.Time.Value, said.Time.Value
	}
	if said.Max.IsSaid() {
		high = said.Max.Value
	}
	if said.Min.IsSaid() {
		low = said.Min.Value
		if !said.Time.IsSaid() {
			usual = max(usual, low)
		}
		if !said.Time.IsSaid() && !said.Max.IsSaid() {
			high = max(high, low)
		}
	}
	usual = min(usual, high)
	low = min(low, usual)
	d.traceTerms(said)
	return usual, low, high
}

// traceTerms names the contexts that the times come from.
func (d *decider) traceTerms(said ipam.LeaseTimes) {
	if d.trace == nil {
		return
	}
	var words []string
	for _, t := range []struct {
		key  string
		said ipam.Said[time.Duration]
	}{{"lease_time", said.Time}, {"lease_min", said.Min}, {"lease_max", said.Max}} {
		if t.said.IsSaid() {
			words = append(words, fmt.Sprintf("%s %s of %s", t.key, t.said.Value, t.said.Source))
		}
	}
	d.trace.addf("CTX-4", "%s", strings.Join(words, ", "))
}

// keepForKnown is the share of the pool of n, in percent, that is kept for machines
// that NetBox knows, and the context that says so; empty: the settings.
func (d *decider) keepForKnown(n *ipam.Subnet) (percent int, source string) {
	if said := d.s.Data(n, nil).Lease.KeepForKnown; said.IsSaid() {
		return said.Value, said.Source
	}
	return d.f.Policy.KeepForKnown, ""
}
