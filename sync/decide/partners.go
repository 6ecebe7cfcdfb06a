package decide

import (
	"fmt"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
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
