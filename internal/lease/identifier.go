package lease

import (
	"bytes"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// IdentifierPrefix begins the keys of identifiers. No hardware address has it, so
// an identifier of six bytes cannot pass for one.
const IdentifierPrefix = "id/"

// Lengths of a client identifier in bytes (RFC 2132 section 9.14); others count as
// none.
const (
	minIdentifier = 2
	maxIdentifier = 255
)

// identified is m with the client key that the settings want: the identifier, if
// one is sent that does not just repeat the hardware address (I-11). It is m itself,
// or a copy that differs.
func (p *Policy) identified(m *ClientMessage) *ClientMessage {
	id := m.ClientIdentifier
	if !p.ByIdentifier || m.Hardware != "" || m.Client == "" || len(id) < minIdentifier || len(id) > maxIdentifier ||
		m.HasMAC && id[0] == 1 && bytes.Equal(id[1:], m.MAC[:]) {
		return m
	}
	own := *m
	own.Hardware, own.Client = m.Client, ClientID(IdentifierPrefix+strings.ToUpper(net.HardwareAddr(id).String()))
	return &own
}

// Identified is m with its client as the engine tells clients apart (I-11). It is m itself
// where identifiers do not count.
func (e *Engine) Identified(m *ClientMessage) *ClientMessage { return e.config.Policy.identified(m) }

// shown is the client as NetBox shows it (I-13).
func (m *ClientMessage) shown() ClientID {
	if m.Hardware != "" {
		return m.Hardware
	}
	return m.Client
}

// clientOf is the client of a stored lease by the settings of now: leases of
// identifiers are those of their hardware address once identifiers do not count
// any more (I-12).
func (l *Leases) clientOf(stored Lease) ClientID {
	if l.policy.ByIdentifier {
		return stored.Client
	}
	return stored.Shown()
}

// bindingFor is the binding of a as it concerns the client of m. A lease that is
// known by its hardware address alone is that of the one identifier that asks for
// this very address: its client sends another identifier than before, or the
// lease was given before identifiers counted (I-12). What the host itself uses stays
// its own (I-14). now is what leases are judged by, steady is time that runs.
func (l *Leases) bindingFor(m *ClientMessage, a *ipam.Address, now, steady time.Time) Binding {
	return l.askedFor(m, a.Address.Addr(), l.binding(a, now), steady)
}

// askedFor is the binding b of host as it concerns the client of m.
func (l *Leases) askedFor(m *ClientMessage, host netip.Addr, b Binding, steady time.Time) Binding {
	if m.Hardware != "" && b.Client == m.Hardware && (host == m.RequestedAddr || host == m.ClientAddr) && !l.claims.at(host).After(steady) {
		b.Client = m.Client
	}
	return b
}

// takenOver makes durable that the client has what is left of the lease b, if that
// was known by its hardware address alone: no other identifier is confirmed there
// then (I-12).
func (d *decider) takenOver(decision *Decision, a *ipam.Address, b Binding) *Decision {
	addr := a.Address.Addr()
	stored := d.l.stored.at(addr)
	if d.m.Hardware == "" || stored.Client == d.m.Client {
		return decision
	}
	if worker := d.l.inWork.at(addr); worker != "" && worker != d.m.Client {
		return d.silent("D-16", ReasonBusy)
	}
	next, until := stored.Lease, b.Expires
	if stored.Shown() != d.m.Hardware { // NetBox alone shows it
		next = Lease{SyncedAt: a.LastUpdated, ToldClient: d.m.Hardware, ToldExpires: recorded(a).Expires}
	}
	if until.Equal(forever()) {
		until = d.wall().Add(decision.Time)
	}
	next.Addr, next.Client, next.Hardware, next.State = addr, d.m.Client, d.m.Hardware, Bound
	next.Expires = seconds(until.Add(time.Second - 1)) // rounded up
	decision.effect.change, decision.effect.revision = next, stored.revision
	return decision
}

// marked keeps which identifier has a static address, so that it goes to one of a
// MAC at a time (I-14). Without a store nothing can be kept, and the host is
// served all the same (H-5).
func (d *decider) marked(decision *Decision, a *ipam.Address, c *client) *Decision {
	if !d.f.Policy.ByIdentifier || d.f.Storeless {
		return decision
	}
	addr := a.Address.Addr()
	next := Lease{Addr: addr, Client: c.id, Hardware: d.m.Hardware, State: Bound, Expires: d.durableUntil(a, c, decision.Time), Hostname: d.m.Hostname}
	decision.effect.change = next.superseding(a, d.now)
	decision.effect.revision = d.l.stored.at(addr).revision
	return decision
}

// claimed is the static address that the host itself, told by its MAC, has or
// waits for, and that it renews or comes back for. Firmware does neither: it leaves
// the address to the system that follows (I-14). No Addr: none.
func (d *decider) claimed(decision *Decision) netip.Addr {
	if !d.f.Policy.ByIdentifier || d.m.Hardware != "" || d.state != Renewing && d.state != InitReboot {
		return netip.Addr{}
	}
	if decision.Static && decision.Verdict == Ack {
		return decision.Addr.Addr()
	}
	if a := d.passed.Address; d.waits(a) && d.l.stored.at(a.Address.Addr()).Hardware == d.m.Client {
		return a.Address.Addr()
	}
	return netip.Addr{}
}

// ofAnother reports whether the lease b of a, which is known by the client's MAC
// alone, is that of another identifier: it is in the store, so firmware or a
// host without an identifier has it, and did not ask for it now (I-12, I-14).
func (d *decider) ofAnother(a *ipam.Address, b Binding) bool {
	return d.m.Hardware != "" && b.Client == d.m.Hardware && d.l.stored.at(a.Address.Addr()).Client == b.Client
}

// needsNoStore reports whether m is served although its lease could not be kept:
// a static address of a client that is told by its MAC (H-5, I-14).
func needsNoStore(m *ClientMessage, decision *Decision) bool {
	return decision.Static && m.Hardware == ""
}

// binding is what store and NetBox say of a, as it concerns the client.
func (d *decider) binding(a *ipam.Address) Binding {
	b := d.l.bindingFor(d.m, a, d.now, d.steady)
	if d.f.Distrusted && !b.running(d.now) {
		if later, ok := d.l.foreignNews(a); ok {
			return later
		}
	}
	return b
}
