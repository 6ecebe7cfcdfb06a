package decide

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// Rule 3.7 scope cleanup: addresses of a scope that is gone stay, and are told of.
func TestAddressesOfAScopeThatIsGoneStayReported(t *testing.T) {
	left := func(t *testing.T) *lab {
		l := newLab(t)
		l.w.server(dh1).addScope("10.8.6.0/24", "10.8.6.20", "10.8.6.250")
		l.importAll()
		l.add(state.Address{Status: "dhcp", Managed: state.Created, LeaseActive: yes()})
		l.add(state.Address{Address: netip.MustParsePrefix("10.8.4.34/24"), Status: "reserved", ClientID: mfp, Managed: state.Adopted})
		l.scope.lease("10.8.4.33", pc, "")
		l.scope.reserve("10.8.4.34", mfp, "")
		l.run()
		delete(l.w.server(dh1).scopes, l.scope.ID())
		return l
	}
	orphaned := "NetBox keeps 2 addresses with its statuses as orphans"
	t.Run("3.7 scope cleanup: in the run that removes the record, and in every one after", func(t *testing.T) {
		l := left(t)
		l.runLater()
		for range 2 {
			p := l.run()
			wantNote(t, p, plan.Warning, "3.7", orphaned)
			if len(p.Violations) != 1 || p.Violations[0].Addr.Addr().String() != "10.8.4.33" {
				t.Errorf("violations %v", p.Violations)
			}
		}
		if x := l.w.address("10.8.4.33"); x.LeaseActive == nil || *x.LeaseActive || !slices.Contains(x.Tags, state.TagInvalid) {
			t.Errorf("left: %+v", x)
		}
	})
	t.Run("3.7 scope cleanup: the lease on an address that keeps everything else is over, too", func(t *testing.T) {
		l := left(t)
		for i, x := range []state.Address{
			{Status: "dhcp", Managed: state.Created, Tags: []string{"dhcp-protect"}}, {Status: "active", Tags: []string{"dhcp-protect"}},
			{Status: "active", Assigned: true, InUse: "assigned to an interface"}, {Status: "active", Shared: true},
		} {
			x.Address, x.LeaseActive = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 8, 4, byte(60 + i)}), 24), yes()
			l.add(x)
		}
		exempt := l.add(state.Address{Address: netip.MustParsePrefix("10.8.4.70/24"), Status: "dhcp", Tags: []string{"dhcp-dynamic"}, LeaseActive: yes()})
		l.p.ExemptTag = "dhcp-dynamic"
		l.runLater()
		for i := range l.w.nb.Addresses {
			if x := &l.w.nb.Addresses[i]; x.LeaseActive != nil && *x.LeaseActive != (x.ID == exempt) {
				t.Errorf("left: %+v", x)
			}
		}
		if x := l.w.address("10.8.4.61"); x.Status != "active" || x.Managed != state.Untouched {
			t.Errorf("left: %+v", x)
		}
	})
	t.Run("3.7 scope cleanup: they are not touched while a server does not answer", func(t *testing.T) {
		l := left(t)
		l.p.Servers = append(l.p.Servers, defaults(dh2).Servers...)
		l.w.server(dh2).down = true
		l.runLater()
		if x := l.w.address("10.8.4.33"); !*x.LeaseActive || len(x.Tags) > 0 {
			t.Errorf("left: %+v", x)
		}
		wantNote(t, l.run(), plan.Warning, "3.7", orphaned)
	})
	t.Run("3.7 scope cleanup: nor while another server lists the scope", func(t *testing.T) {
		l := left(t)
		l.p.Servers = append(l.p.Servers, defaults(dh2).Servers...)
		l.w.server(dh2).addScope("10.8.4.0/24", "10.8.4.20", "10.8.4.250")
		l.runLater()
		if x := l.w.address("10.8.4.33"); !*x.LeaseActive || len(x.Tags) > 0 {
			t.Errorf("left: %+v", x)
		}
	})
	t.Run("3.7 scope cleanup: the tag goes once the scope is back", func(t *testing.T) {
		l := left(t)
		l.runLater()
		l.w.server(dh1).scopes[l.scope.ID()] = l.scope
		l.importAll()
		p := l.run()
		if x := l.w.address("10.8.4.33"); !*x.LeaseActive || len(x.Tags) > 0 || len(p.Violations) > 0 {
			t.Errorf("left: %+v", x)
		}
	})
	t.Run("3.7 scope cleanup: a record that cannot be read is one all the same", func(t *testing.T) {
		l := newLab(t)
		l.add(state.Address{Status: "dhcp", Managed: state.Created, LeaseActive: yes()})
		l.w.nb.Ranges[0].Server = ""
		if p := l.run(); len(p.Violations) > 0 || hasNote(p, plan.Warning, "3.7", "orphans") {
			t.Error(describe(p))
		}
	})
}
