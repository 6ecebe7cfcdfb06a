package decide

import (
	"net/netip"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// twoTenants is a NetBox with two prefixes 10.8.4.0/24 in one table, of tenants 12
// (Alpha) and 13 (Beta), and a server of Beta's.
func twoTenants(t *testing.T, vrf int64) (l *lab, alpha, beta int64) {
	l = &lab{T: t, w: newWorld(), p: defaults(dh1)}
	l.scope = l.w.server(dh1).addScope("10.8.4.0/24", "10.8.4.20", "10.8.4.250")
	a, b := l.w.addPrefix("10.8.4.0/24", vrf), l.w.addPrefix("10.8.4.0/24", vrf)
	l.w.nb.Prefixes[0].Tenant, l.w.nb.Prefixes[1].Tenant = 12, 13
	for _, x := range []state.Address{
		{Address: netip.MustParsePrefix("10.8.4.105/24"), VRF: vrf, Tenant: 12, Status: "active", DNSName: "alpha"},
		{Address: netip.MustParsePrefix("10.8.4.200/24"), VRF: vrf, Tenant: 12, Status: "dhcp"},
		{Address: netip.MustParsePrefix("10.8.4.201/24"), VRF: vrf, Status: "dhcp"},
		{Address: netip.MustParsePrefix("10.8.4.202/24"), VRF: vrf, Tenant: 13, Status: "dhcp"},
	} {
		l.add(x)
	}
	l.scope.lease("10.8.4.105", pc, "beta")
	l.p.AutoImport = true
	return l, a.ID, b.ID
}

// Rule 3.6 point 1.
func TestPrefixesOfOneNetworkInOneTableAreToldApart(t *testing.T) {
	choose := func(l *lab, id int64) { l.p.Servers[0].ScopePrefix = map[netip.Prefix]int64{l.scope.Subnet: id} }
	for _, vrf := range []int64{0, 7} {
		t.Run("3.6 point 1: without a setting it is an error of that scope", func(t *testing.T) {
			l, _, _ := twoTenants(t, vrf)
			other := l.w.server(dh1).addScope("10.8.6.0/24", "10.8.6.20", "10.8.6.250")
			other.lease("10.8.6.40", cam, "cam")
			p := l.run()
			wantSteps(t, p, onAddresses, "create 10.8.6.40/24 [3.5 row 4]")
			wantNote(t, p, plan.Failure, "3.2", "scope_prefix of server "+dh1)
		})
		t.Run("3.6 point 1: the setting decides, and other people's addresses stay", func(t *testing.T) {
			l, alpha, beta := twoTenants(t, vrf)
			choose(l, beta)
			l.run()
			l.w.now = l.w.now.Add(48 * time.Hour)
			p := l.run()
			for _, host := range []string{"10.8.4.105", "10.8.4.200", "10.8.4.201"} {
				if x := l.w.addressIn(vrf, host); x == nil || x.Managed != state.Untouched || x.ClientID != "" {
					t.Errorf("%s is %+v\n%s", host, x, describe(p))
				}
			}
			made := l.w.nb.Addresses[len(l.w.nb.Addresses)-1]
			if made.Address.Addr().String() != "10.8.4.105" || made.Tenant != 13 || made.VRF != vrf || made.Managed != state.Created {
				t.Errorf("made %+v", made)
			}
			for _, x := range l.w.nb.Prefixes {
				if (x.Scopes != "") != (x.ID == beta) {
					t.Errorf("prefix %d (alpha is %d) shows %q", x.ID, alpha, x.Scopes)
				}
			}
		})
	}
	t.Run("3.6 point 1: a second prefix that comes later stops the scope", func(t *testing.T) {
		l := newLab(t)
		l.scope.lease("10.8.4.40", pc, "pc")
		l.run()
		l.w.addPrefix("10.8.4.0/24", 0)
		l.scope.leases = nil
		p := l.run()
		wantSteps(t, p, anyStep)
		wantNote(t, p, plan.Failure, "3.2", "NetBox has 2 prefixes 10.8.4.0/24 in the global table")
	})
	t.Run("3.6 point 1: an id of no such prefix is an error", func(t *testing.T) {
		l, _, _ := twoTenants(t, 0)
		choose(l, 9999)
		p := l.run()
		wantSteps(t, p, anyStep)
		wantNote(t, p, plan.Failure, "3.2", "no prefix 10.8.4.0/24 with id 9999")
	})
	t.Run("3.6 point 1: two servers with different prefixes of one table are an error of both", func(t *testing.T) {
		l, alpha, beta := twoTenants(t, 0)
		l.p.Servers = append(l.p.Servers, defaults(dh2).Servers...)
		l.w.server(dh2).addScope("10.8.4.0/24", "10.8.4.20", "10.8.4.250").lease("10.8.4.106", cam, "cam")
		choose(l, beta)
		l.p.Servers[1].ScopePrefix = map[netip.Prefix]int64{l.scope.Subnet: alpha}
		p := l.run()
		wantSteps(t, p, anyStep)
		wantNote(t, p, plan.Failure, "3.2", "cannot be kept apart")
	})
	t.Run("3.6 point 1: the setting also says which VRF", func(t *testing.T) {
		l := newLab(t)
		l.w.nb.Ranges, l.p.AutoImport = nil, true
		choose(l, l.w.addPrefix("10.8.4.0/24", 7).ID)
		l.scope.lease("10.8.4.40", pc, "pc")
		l.run()
		if l.w.addressIn(7, "10.8.4.40") == nil || l.w.address("10.8.4.40") != nil {
			t.Error("not in the VRF of the prefix")
		}
	})
}
