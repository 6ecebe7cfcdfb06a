package decide

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// asksPartner reports whether the operator wants a server to be asked for the leases
// of a relationship for which its partner speaks (failover.NAME.ask_partner).
func (r *Roster) asksPartner(rel *relationship, server int) bool {
	acting, fallback := r.acting(rel)
	return rel.askPartner && acting >= 0 && !fallback && acting != server && rel.has(server)
}

// Witnesses reports whether the leases of a scope are to be read from a server that
// does not speak for it: a lease that its partner lost may still run there
// (rule 3.7 guard n).
func (r *Roster) Witnesses(host string, scope windhcp.Scope) bool {
	p := r.in.Policy
	if p.Mode != plan.Sync || !p.SyncIPs {
		return false
	}
	server := r.serverOf(host)
	rel := r.relationshipOn(server, r.failoverOf(server, scope))
	if rel == nil || !rel.known {
		return false
	}
	acting, fallback := r.acting(rel)
	twin, wanted := windhcp.Scope{}, false
	if s := r.asked(acting); s != nil && !fallback && acting != server && rel.has(server) {
		twin, wanted = s.Scope(scope.ID())
	}
	return wanted && twin.Subnet == scope.Subnet && r.decide(acting, twin).read
}

// hear takes what the partner says about a scope: a lease there keeps an address. A
// partner that should have answered and did not leaves the network in doubt.
func (m *merging) hear(u *unit, n *network, get func(*windhcp.Lease) *facts) {
	rel := m.relationshipOn(u.server, m.failoverOf(u.server, u.scope))
	if u.fallback || u.source.Failover == "" || rel == nil || rel.other(u.server) < 0 {
		return
	}
	partner := rel.other(u.server)
	s := m.asked(partner)
	if may, _ := m.ask(partner); !may {
		return
	}
	if s == nil || s.Scopes.Err != nil {
		n.unsure = fmt.Sprintf("its partner %s did not answer", m.host(partner))
		return
	}
	twin, listed := s.Scope(u.scope.ID())
	switch {
	case !listed && !s.Scopes.Complete():
		n.unsure = fmt.Sprintf("some scopes of its partner %s could not be understood", m.host(partner))
		return
	case !listed || !m.Witnesses(s.Host, twin):
		return
	}
	m.hearReservations(u, s, twin)
	leases := partOf(s, twin).Leases
	if !leases.Complete() {
		n.unsure = fmt.Sprintf("the leases of its partner %s could not be read or understood", m.host(partner))
	}
	alone := 0
	for i := range leases.Items {
		l := &leases.Items[i]
		if !u.scope.Subnet.Contains(l.Addr) {
			continue
		}
		if f := get(l); f.lease == nil && !f.doubtful {
			f.elsewhere = true
			if l.Active() && (f.heard == nil || outlasts(l.Expires, f.heard.Expires)) {
				f.heard = l
			}
			alone++
		}
	}
	if alone > 0 {
		m.note(plan.Note{Level: plan.Info, Server: m.host(partner), Scope: u.scope.Subnet, Cause: plan.CausePartner,
			Text: printable.Count(alone, "lease is", "leases are") + " on this server and not on the one that speaks for the scope: their addresses stay as they are"})
	}
}

// hearReservations tells of reservations that the partner alone has, where they are
// read: failover does not copy them, and they keep no address. Those that NetBox will
// push are on both soon, and those whose deletion there waits on neither.
func (m *merging) hearReservations(u *unit, partner *windhcp.Server, twin windhcp.Scope) {
	reservations := partOf(partner, twin).Reservations
	if reservations.Err != nil || !u.part.Reservations.Complete() {
		return
	}
	var alone []netip.Addr
	for _, r := range reservations.Items {
		k := plan.PushedKey{Server: partner.Host, Addr: r.Addr}
		_, leaves := m.withdrawn.deletes[k]
		same := func(o windhcp.Reservation) bool { return o.Addr == r.Addr }
		if !leaves && !m.withdrawn.waits[k] && !slices.ContainsFunc(u.part.Reservations.Items, same) && !m.pushes(u, r.Addr) {
			alone = append(alone, r.Addr)
		}
	}
	if len(alone) > 0 {
		m.note(plan.Note{Level: plan.Warning, Server: partner.Host, Scope: u.scope.Subnet, Cause: plan.CausePartner,
			Text: fmt.Sprintf("%s on this server and not on %s, which speaks for the scope (the first is %s): it keeps no address in NetBox; replicate the relationship on Windows, or remove it there",
				printable.Count(len(alone), "reservation is", "reservations are"), m.host(u.server), slices.MinFunc(alone, netip.Addr.Compare))})
	}
}

// pushes reports whether NetBox has a reservation that goes to the server of a unit.
func (m *merging) pushes(u *unit, addr netip.Addr) bool {
	return m.pushesReservations(u.server) && slices.ContainsFunc(m.nb.Addresses, func(x state.Address) bool {
		c, _ := m.p.ClassOf(&x)
		return c == plan.ClassReservation && placeOf(&x) == plan.Place{VRF: u.vrf, Addr: addr}
	})
}
