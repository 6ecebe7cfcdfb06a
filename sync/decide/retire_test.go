package decide

import (
	"net/netip"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// replaced is a lab whose server dh1 is not in the settings any more; dh2 has its
// scope and its lease.
func replaced(t *testing.T) *lab {
	l := newLab(t)
	l.scope.lease("10.8.4.33", pc, "pc")
	l.run()
	l.p = defaults(dh2)
	l.p.Retired = "DH1.corp.example"
	next := l.w.server(dh2).addScope("10.8.4.0/24", "10.8.4.20", "10.8.4.250")
	next.lease("10.8.4.33", pc, "pc")
	return l
}

func (l *lab) retire() *plan.Plan {
	l.Helper()
	p := l.p
	p.Mode = plan.Retire
	return l.runWith(p)
}

// Rule 4 step 5.
func TestAReplacedServerIsRetiredByOneCommand(t *testing.T) {
	all := func(l *lab, source plan.Source) {
		t.Helper()
		for _, r := range l.w.nb.Ranges {
			if r.Server != source.Server || r.Failover != source.Failover || len(r.OtherSources) > 0 {
				t.Errorf("range %+v", r)
			}
		}
		if len(l.w.nb.Ranges) != 1 {
			t.Errorf("%d ranges", len(l.w.nb.Ranges))
		}
		if x := l.w.address("10.8.4.33"); x == nil || x.Managed != state.Created || x.Tenant != 12 {
			t.Errorf("the address is %+v", x)
		}
	}
	t.Run("4 step 5: the server that lists the scope now has its record, and the next run changes nothing", func(t *testing.T) {
		l := replaced(t)
		wantNote(t, l.plan(), plan.Failure, "3.2", "netbox-dhcp-sync retire "+dh1)
		wantSteps(t, l.retire(), onRanges, "update scope 10.8.4.0/24 of dh2.corp.example (net 10.8.4.0/24) [4 step 5]")
		if p := l.run(); p.Failed() || !p.Empty() {
			t.Error(describe(p))
		}
		all(l, plan.Source{Server: dh2})
	})
	t.Run("4 step 5: a server that is disabled can be retired, too", func(t *testing.T) {
		l := replaced(t)
		l.p.Servers = append(l.p.Servers, defaults(dh1).Servers...)
		l.p.Servers[1].Disabled = true
		l.retire()
		all(l, plan.Source{Server: dh2})
	})
	t.Run("4 step 5: a pair takes over under its relationship", func(t *testing.T) {
		l := replaced(t)
		l.p.Servers = append(l.p.Servers, defaults(dh3).Servers...)
		l.w.pair("east", dh2, dh3, "10.8.4.0")
		l.p.Failovers = map[string]plan.Failover{"east": {}}
		l.retire()
		all(l, plan.Source{Failover: "east"})
	})
	t.Run("4 step 5: a record that the new server has already takes its place", func(t *testing.T) {
		l := replaced(t)
		l.importAll()
		wantSteps(t, l.retire(), onRanges, "update scope 10.8.4.0/24 of dh2.corp.example (net 10.8.4.0/24) [4 step 5]")
		all(l, plan.Source{Server: dh2})
	})
	t.Run("4 step 5: of several that list it, none is guessed", func(t *testing.T) {
		l := replaced(t)
		l.p.Servers = append(l.p.Servers, defaults(dh3).Servers...)
		l.w.server(dh3).addScope("10.8.4.0/24", "10.8.4.20", "10.8.4.250")
		p := l.retire()
		wantSteps(t, p, anyStep)
		wantNote(t, p, plan.Failure, "3.2", "name the one that took it over with --server")
		l.p.Servers[1].Selected = false
		l.retire()
		all(l, plan.Source{Server: dh2})
	})
	t.Run("4 step 5: a scope that no server lists stays", func(t *testing.T) {
		l := replaced(t)
		delete(l.w.server(dh2).scopes, l.scope.ID())
		p := l.retire()
		wantSteps(t, p, anyStep)
		wantNote(t, p, plan.Warning, "3.2", "its record stays")
	})
	t.Run("4 step 5: so does one of a server that does not answer", func(t *testing.T) {
		l := replaced(t)
		l.w.server(dh2).down = true
		wantSteps(t, l.retire(), anyStep)
	})
	t.Run("4 step 5: scopes of other servers are not touched", func(t *testing.T) {
		l := replaced(t)
		l.w.server(dh2).addScope("10.8.6.0/24", "10.8.6.20", "10.8.6.250")
		l.importAll()
		before := len(l.w.nb.Ranges)
		l.p.OnlyScopes = []netip.Prefix{netip.MustParsePrefix("10.8.6.0/24")}
		wantSteps(t, l.retire(), anyStep)
		if len(l.w.nb.Ranges) != before {
			t.Error("ranges were changed")
		}
	})
	t.Run("4 step 5: a name that NetBox does not have is an error", func(t *testing.T) {
		l := replaced(t)
		l.p.Retired = "dh7"
		wantNote(t, l.retire(), plan.Failure, "3.2", "NetBox records no scope of a server dh7")
	})
}
