package lease

import (
	"encoding/hex"
	"net/netip"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// ClaimPolicy is netbox.claims: what a client whose MAC NetBox does not know may say
// of itself to get the address of its place (CL-6).
type ClaimPolicy struct {
	Prefixes []netip.Prefix // where claims count; empty: nowhere
	Serial   bool           // serial numbers count
	Port     bool           // ports of switches count, as CircuitPolicy has them (CL-15)
	// Idle is for how long an owner that has a MAC must not have been heard.
	Idle time.Duration
}

// ClaimKind is what a claim rests on.
type ClaimKind string

// The kinds of claims.
const (
	ClaimIdentifier ClaimKind = "client identifier"
	ClaimSerial     ClaimKind = "serial number"
	ClaimPort       ClaimKind = "switch port"
)

// HeldReason says in a few words why a claimed address is not given.
type HeldReason string

// The closed list of reasons.
const (
	HeldOwner      HeldReason = "its owner was heard of late"
	HeldLeased     HeldReason = "another client leases it, or did a moment ago"
	HeldOffered    HeldReason = "another client was offered it"
	HeldUsed       HeldReason = "a host answers there, or it cannot be probed"
	HeldUnsure     HeldReason = "leases may be running that are not known"
	HeldVanished   HeldReason = "NetBox does not show it any more"
	HeldForeigners HeldReason = "it is an address of this server or of the relay"
)

// Claim is an address that a client which NetBox does not know says is its place's.
type Claim struct {
	Kind    ClaimKind
	Value   string        // what the client said; untrusted text. Of a port its name in NetBox
	Address *ipam.Address // nil: no claim
	Held    HeldReason    // why the client does not get it; empty: it may
	Owner   ipam.MAC      // who was heard, with HeldOwner
	// Port is the switch's port that the claim rests on, perhaps beside what Kind says;
	// nil: it rests on none.
	Port    *ipam.Interface
	network *ipam.Subnet
	lost    bool // the cable's ends are not shown any more
}

// claim finds the address that the client claims on its wire (CL-6, CL-7). Known
// machines claim nothing.
func (d *decider) claim(c client, w wire) client {
	p := &d.f.Policy.Claims
	if len(p.Prefixes) == 0 || c.known() || c.refused != "" || !d.m.HasMAC || d.l == nil {
		return c
	}
	var found []Claim
	if id := d.m.ClientIdentifier; len(id) >= minIdentifier {
		found = d.claimedBy(found, Claim{Kind: ClaimIdentifier, Value: hex.EncodeToString(id)}, d.s.ReservedForID(id), w)
	}
	if serial := d.m.Serial; p.Serial && serial != "" {
		device := d.s.DeviceWithSerial(serial)
		if device == nil {
			d.trace.addf("CL-5", "serial number %q leads to no device, or to several", serial)
		} else {
			found = d.claimedBy(found, Claim{Kind: ClaimSerial, Value: serial}, d.s.AddressesOf(device.ID), w)
		}
	}
	found = d.claimedByPort(found, w)
	if len(found) == 0 {
		return c
	}
	for _, other := range found[1:] {
		if other.Address != found[0].Address {
			d.trace.addf("CL-7", "%s and %s lead to %s and %s: neither counts", found[0].Kind, other.Kind, found[0].Address.Address, other.Address.Address)
			return c
		}
		found[0].Port = other.Port
	}
	d.claims = found[0]
	d.claims.Held, d.claims.Owner = d.claimHeld(d.claims)
	c.claim = &d.claims
	if d.trace != nil {
		said := "may have it"
		if c.claim.Held != "" {
			said = "does not get it: " + string(c.claim.Held)
		}
		d.trace.addf("CL-6", "the client claims %s by its %s %q and %s", c.claim.Address.Address, c.claim.Kind, c.claim.Value, said)
	}
	return c
}

// claimedBy adds the claim of the one address of list that could be a static one
// on the wire, where claims count. Several are none (CL-7).
func (d *decider) claimedBy(found []Claim, one Claim, list []*ipam.Address, w wire) []Claim {
	for _, a := range list {
		n := d.claimable(a, w)
		if n == nil {
			continue
		}
		if one.Address != nil {
			d.trace.addf("CL-7", "%s %q leads to %s and to %s: neither counts", one.Kind, one.Value, one.Address.Address, a.Address)
			return found
		}
		one.Address, one.network = a, n
	}
	if one.Address == nil {
		return found
	}
	return append(found, one)
}

// claimable is the network on the wire where an address could be a static one that
// claims lead to; nil: it could not.
func (d *decider) claimable(a *ipam.Address, w wire) *ipam.Subnet {
	n := d.networkOf(a.Address.Addr(), w.all)
	if n == nil || d.s.IsDynamic(a) || d.unfit(a, n) != "" || d.lostTo(a) != nil || !ipam.InAny(d.f.Policy.Claims.Prefixes, a.Address.Addr()) {
		return nil
	}
	return n
}

// claimHeld says why a claimed address is another client's now (CL-8).
func (d *decider) claimHeld(of Claim) (HeldReason, ipam.MAC) {
	a, addr := of.Address, of.Address.Address.Addr()
	b := d.binding(a)
	own := b.Client == d.m.Client && b.State == Bound && b.running(d.now)
	switch worker := d.l.inWork.at(addr); {
	case d.l.infrastructure.at(addr), d.theirs(addr):
		return HeldForeigners, ipam.MAC{}
	case d.l.occupied.at(addr).After(d.steady), !d.f.CanProbe && !own:
		return HeldUsed, ipam.MAC{}
	case worker != "" && worker != d.m.Client, d.l.heldByOther(addr, d.m.Client):
		return HeldOffered, ipam.MAC{}
	case !own && (d.young() || d.skewed()):
		return HeldUnsure, ipam.MAC{}
	case b.Client != "" && b.Client != d.m.Client && b.Expires.Add(d.f.Policy.ReclaimGrace).After(d.now):
		return HeldLeased, ipam.MAC{}
	}
	for _, mac := range d.s.MACsOf(a) {
		if d.wall().Sub(d.l.heard.last(mac)) < d.f.Policy.Claims.Idle {
			return HeldOwner, mac
		}
	}
	// What is lost stays with the client that leases it, and is given to no other (T-1).
	loss := d.s.Loss(a)
	if loss == ipam.Ended || !own && (of.lost || loss != ipam.Present || of.network.Vanished()) {
		return HeldVanished, ipam.MAC{}
	}
	return "", ipam.MAC{}
}

// offerClaimed offers the address that the client claims, if contexts let it be
// answered at all (CTX-5, CTX-6). An echo request to it has to stay unanswered first
// (CL-8).
func (d *decider) offerClaimed(c *client) (*Decision, bool) {
	if c.claim == nil || c.claim.Held != "" || d.barred(c.claim.network, c).silent() {
		return nil, false
	}
	if doubt, _ := d.doubted(c); doubt != "" {
		return nil, false
	}
	a := c.claim.Address
	own := d.uses(a)
	decision := d.grant("CL-6", Offer, ReasonClaimed, a, c.claim.network, c)
	decision.effect = effect{hold: a.Address.Addr(), stranger: true, probe: !own, mustProbe: !own, claimed: true}
	return decision, true
}

// acceptClaimed answers a client that accepts the address it claims. It was
// offered to this client, so nothing answers there, or is its own.
func (d *decider) acceptClaimed(r netip.Addr, c *client) (*Decision, bool) {
	if c.claim == nil || c.claim.Address.Address.Addr() != r {
		return nil, false
	}
	if d.uses(c.claim.Address) {
		return d.extendClaimed("D-4", r, c.claim.network, c)
	}
	if c.claim.Held != "" || d.barred(c.claim.network, c).silent() {
		return nil, false
	}
	if doubt, why := d.doubted(c); doubt != "" {
		return d.silent(doubt, why), true
	}
	if held, ok := d.l.heldBy[c.id]; !ok || held != r {
		d.trace.addf("CL-8", "%s is claimed, and was not offered to this client of late", r)
		return d.silent("CL-8", ReasonNotOffered), true
	}
	return d.acknowledge("D-4", ReasonClaimed, c.claim.Address, c.claim.network, c), true
}

// extendClaimed answers a client that uses an address it claimed. Without the claim,
// and once the owner was heard, the lease ends at its time (CL-9). A snapshot that is
// stale, or rows that are lost, do not end it (H-4, T-1).
func (d *decider) extendClaimed(granted string, addr netip.Addr, n *ipam.Subnet, c *client) (*Decision, bool) {
	if len(d.f.Policy.Claims.Prefixes) == 0 || c.known() {
		return nil, false
	}
	a := d.s.Address(n.VRF, addr)
	if a == nil || d.s.Leasable(a) || !d.uses(a) || !d.binding(a).running(d.now) {
		return nil, false
	}
	if c.claim == nil || c.claim.Address != a || c.claim.Held != "" || d.hearsay || d.f.Storeless || d.barred(n, c).silent() {
		d.trace.addf("CL-9", "the lease of %s, a static address, is not extended", addr)
		last, ok := d.lastTime(granted, addr, n, c, bar{reason: ReasonClaimOver})
		if last.Reason == ReasonTakenAway {
			last.Reason = ReasonClaimOver
		}
		return last, ok
	}
	return d.acknowledge(granted, ReasonClaimed, a, n, c), true
}

// hasClaimed reports whether a, a static address, is the client's by a claim that it
// made: it leases it, or was offered it.
func (d *decider) hasClaimed(a *ipam.Address, c *client) bool {
	return ipam.InAny(d.f.Policy.Claims.Prefixes, a.Address.Addr()) && !c.known() && !d.s.IsDynamic(a) && (d.uses(a) || d.offered(a))
}

// usedPause is how long an address that answered an echo request is not given to
// claimants, and unprobedPause one that could not be asked.
const (
	usedPause     = 10 * time.Minute
	unprobedPause = time.Minute
)

// occupy notes that a claimed address is not to be given until the time given.
func (l *Leases) occupy(addr netip.Addr, now, until time.Time) {
	for other, at := range l.occupied.all() {
		if !at.After(now) {
			l.occupied.drop(other)
		}
	}
	l.occupied.set(addr, until)
}
