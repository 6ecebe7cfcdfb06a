package decide

import (
	"net/netip"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// fromThePlugin is a lab whose scope is in VRF red, with a prefix of tenant 12, while
// the plugin left its addresses in the global table.
func fromThePlugin(t *testing.T) *lab {
	l := &lab{T: t, w: newWorld(), p: defaults(dh1)}
	l.scope = l.w.server(dh1).addScope("10.8.4.0/24", "10.8.4.20", "10.8.4.250")
	l.w.addPrefix("10.8.4.0/24", 7).Tenant = 12
	l.scope.lease("10.8.4.105", pc, "pc")
	l.scope.reserve("10.8.4.60", mfp, "mfp")
	for _, x := range []state.Address{
		{Address: netip.MustParsePrefix("10.8.4.105/24"), Status: "dhcp", ClientID: pc, DNSName: "pc", Description: "kept"},
		{Address: netip.MustParsePrefix("10.8.4.60/24"), Status: "reserved", ClientID: mfp, DNSName: "mfp"},
		{Address: netip.MustParsePrefix("10.8.4.222/24"), Status: "dhcp", ClientID: cam}, // the lease is over
	} {
		l.add(x)
	}
	l.importAll()
	return l
}

func (l *lab) migrate() *plan.Plan {
	l.Helper()
	p := l.p
	p.Mode = plan.Migrate
	return l.runWith(p)
}

// Rule 3.4 point 1.
func TestMigrateMovesWhatThePluginLeftInTheGlobalTable(t *testing.T) {
	in := func(l *lab, vrf int64, addr string, tenant int64) {
		l.Helper()
		if x := l.w.addressIn(vrf, addr); x == nil || x.Tenant != tenant {
			l.Errorf("%s in VRF %d is %+v", addr, vrf, x)
		}
	}
	t.Run("3.4 point 1: into the VRF of the scope, with the tenant of the prefix, and nothing is doubled", func(t *testing.T) {
		l := fromThePlugin(t)
		p := l.migrate()
		wantSteps(t, p, anyStep, "update 10.8.4.60/24 [3.4 point 1]", "update 10.8.4.105/24 [3.4 point 1]")
		wantNote(t, p, plan.Warning, "3.9", "1 address of it in the global table")
		in(l, 7, "10.8.4.105", 12)
		in(l, 7, "10.8.4.60", 12)
		in(l, 0, "10.8.4.222", 0)
		if x := l.w.addressIn(7, "10.8.4.60"); x.Managed != state.Adopted {
			t.Errorf("the reservation is %+v", x)
		}
		wantSteps(t, l.run(), func(s plan.Step) bool { return s.Kind == state.IPAddress && s.Action != state.Update })
		if x := l.w.addressIn(7, "10.8.4.105"); x.Description != "kept" {
			t.Errorf("the lease is %+v", x)
		}
	})
	t.Run("3.4 point 1: tenants of addresses that are in the VRF already", func(t *testing.T) {
		l := fromThePlugin(t)
		for i := range l.w.nb.Addresses {
			l.w.nb.Addresses[i].VRF = 7
		}
		l.w.nb.Addresses[0].Tenant = 99
		l.migrate()
		in(l, 7, "10.8.4.105", 99)
		in(l, 7, "10.8.4.60", 12)
		in(l, 7, "10.8.4.222", 0)
	})
	t.Run("3.7 guard j: what the exempt tag marks is another DHCP server's, and is not counted", func(t *testing.T) {
		l := fromThePlugin(t)
		l.p.ExemptTag = "pool"
		for i := range l.w.nb.Addresses {
			l.w.nb.Addresses[i].Tags = []string{"pool"}
		}
		in := l.w.read(l.p)
		if left := NewRoster(&in).Strayed(in.NetBox.Addresses); len(left) > 0 {
			t.Errorf("the doctor counts %+v", left)
		}
		p := l.migrate()
		wantSteps(t, p, anyStep)
		if hasNote(p, plan.Warning, "3.9", "in the global table") {
			t.Errorf("counted as the plugin's:\n%s", describe(p))
		}
	})
	t.Run("3.4 point 1: no tenant with inherit_tenant off", func(t *testing.T) {
		l := fromThePlugin(t)
		l.p.InheritTenant = false
		l.migrate()
		in(l, 7, "10.8.4.105", 0)
	})
	for _, c := range []struct {
		name   string
		change func(*lab)
	}{
		{"3.4 point 1: another client's stays", func(l *lab) { l.w.address("10.8.4.105").ClientID = cam }},
		{"3.4 point 1: one without a client stays", func(l *lab) { l.w.address("10.8.4.105").ClientID = "" }},
		{"3.4 point 1: one with a status of people's own stays", func(l *lab) { l.w.address("10.8.4.105").Status = "active" }},
		{"3.4 point 1: a protected one stays", func(l *lab) { l.w.address("10.8.4.105").Tags = []string{"dhcp-protect"} }},
		{"3.4 point 1: one that the VRF has, too, stays", func(l *lab) {
			l.add(state.Address{Address: netip.MustParsePrefix("10.8.4.105/24"), VRF: 7, Status: "active"})
		}},
		{"3.4 point 1: one that is there twice stays", func(l *lab) { l.add(state.Address{Address: netip.MustParsePrefix("10.8.4.105/24"), Status: "active"}) }},
		{"3.4 point 1: one of another server's scope in the global table stays", func(l *lab) {
			l.p.Servers = append(l.p.Servers, defaults(dh2).Servers...)
			l.w.addPrefix("10.8.4.0/25", 0)
			l.w.server(dh2).addScope("10.8.4.0/25", "10.8.4.20", "10.8.4.120")
			l.importAll()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := fromThePlugin(t)
			c.change(l)
			l.migrate()
			in(l, 0, "10.8.4.105", 0)
		})
	}
}
