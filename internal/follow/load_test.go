package follow

import (
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox/clienttest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

const contextKey = "pydhcp_configuration"

func load(t *testing.T, c *netbox.Client) *tables {
	t.Helper()
	p, err := newReader(c, Config{Fields: testFields(), ContextKey: contextKey, GateFields: []string{"redeploy", "confirm_redeploy"}}).load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestALoadReadsEveryTableAsSnapshotsNeedIt(t *testing.T) { // G-7, X-15
	for _, v := range netboxtest.Versions() {
		t.Run("NetBox "+string(v), func(t *testing.T) {
			t.Parallel()
			s, seeded := netboxtest.ServeOffice(t, v)
			p := load(t, clienttest.Connect(t, s.URL(), s.TokenV1(), clienttest.Silent()))
			checkWorld(t, p, seeded)
			for _, r := range s.Writes() {
				t.Errorf("a load wrote: %s %s", r.Method, r.Path)
			}
		})
	}
}

// G-7: an inactive config context counts for no prefix, also where a server ignores
// the filter that leaves it out.
func TestInactiveContextsDoNotCountWhereTheFilterIsIgnored(t *testing.T) {
	s, seeded := netboxtest.ServeOffice(t, netboxtest.V47)
	to, err := url.Parse(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	var shown atomic.Bool
	deaf := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		q := r.Out.URL.Query()
		if q.Has("is_active") {
			shown.Store(true)
		}
		q.Del("is_active")
		r.Out.URL.RawQuery = q.Encode()
	}})
	defer deaf.Close()
	p := load(t, clienttest.Connect(t, deaf.URL, s.TokenV1(), clienttest.Silent()))
	inactive := func(c *ipam.ConfigContext) bool { return c.ID == seeded.ID(t, "extras/config-contexts", "off") }
	if slices.ContainsFunc(p.objects.Contexts, inactive) || len(p.objects.Contexts) != 3 || !shown.Load() {
		t.Errorf("%d contexts, want 3 without the inactive one", len(p.objects.Contexts))
	}
	if problems := p.problems(); len(problems) != 0 {
		t.Errorf("problems: %v", problems)
	}
}

// checkWorld compares a snapshot with netboxtest.Office().
func checkWorld(t *testing.T, p *tables, seeded *netboxtest.Seeded) {
	t.Helper()
	id := func(path, name string) int64 { t.Helper(); return seeded.ID(t, path, name) }
	port := func(kind ipam.Kind, name string) ipam.InterfaceID {
		t.Helper()
		return ipam.InterfaceID{Kind: kind, ID: id(string(InterfacesOf(kind)), name)}
	}
	mac := func(last byte) ipam.MAC { return ipam.MAC{0x52, 0x54, 0, 0, 0, last} }
	dhcp, gateway, hq := id("extras/tags", "DHCP"), id("extras/tags", "Gateway"), id("dcim/sites", "HQ")
	red, acme := id("ipam/vrfs", "red"), id("tenancy/tenants", "Acme")
	web1 := ipam.MachineID{Kind: ipam.Device, ID: id("dcim/devices", "web1")}
	vm1 := ipam.MachineID{Kind: ipam.VirtualMachine, ID: id("virtualization/virtual-machines", "vm1")}
	bond, eth0, eth1 := port(ipam.Device, "web1 bond0"), port(ipam.Device, "web1 eth0"), port(ipam.Device, "web1 eth1")
	mgmt, vmEth0 := port(ipam.Device, "web1 mgmt"), port(ipam.VirtualMachine, "vm1 eth0")

	want := ipam.Objects{
		VRFs: map[int64]*ipam.VRF{red: {ID: red, Name: "red", RD: "65000:1"}},
		Tags: map[int64]*ipam.Tag{dhcp: {ID: dhcp, Name: "DHCP", Slug: "dhcp"}, gateway: {ID: gateway, Name: "Gateway", Slug: "gateway"}},
		Interfaces: map[ipam.InterfaceID]*ipam.Interface{
			bond:   {ID: bond, Name: "bond0", Machine: web1},
			eth0:   {ID: eth0, Name: "eth0", Machine: web1, LAG: bond.ID},
			eth1:   {ID: eth1, Name: "eth1", Machine: web1, LAG: bond.ID},
			mgmt:   {ID: mgmt, Name: "mgmt", Machine: web1},
			vmEth0: {ID: vmEth0, Name: "eth0", Machine: vm1},
		},
		Machines: map[ipam.MachineID]*ipam.Machine{
			web1: {ID: web1, Name: "web1", PrimaryIP4: id("ipam/ip-addresses", "10.0.0.5/24"),
				Context: []byte(`{"domain_name":"example.org","mtu":9000}`), Gate: gate("redeploy", "true")},
			vm1: {ID: vm1, Name: "vm1", Context: []byte(`{"domain_name":"example.org","mtu":9000}`), Gate: gate("redeploy", "null")},
		},
		Regions: map[int64]*ipam.Nested{
			id("dcim/regions", "North"): {ID: id("dcim/regions", "North"), Name: "North"},
			id("dcim/regions", "Coast"): {ID: id("dcim/regions", "Coast"), Parent: id("dcim/regions", "North"), Name: "Coast"},
		},
		SiteGroups: map[int64]*ipam.Nested{id("dcim/site-groups", "Offices"): {ID: id("dcim/site-groups", "Offices"), Name: "Offices"}},
		Sites: map[int64]*ipam.Site{hq: {ID: hq, Name: "HQ", Region: id("dcim/regions", "Coast"),
			Group: id("dcim/site-groups", "Offices"), Tenant: acme}},
		Locations: map[int64]*ipam.Location{id("dcim/locations", "Floor 1"): {ID: id("dcim/locations", "Floor 1"), Site: hq, Name: "Floor 1"}},
		Tenants:   map[int64]*ipam.Tenant{acme: {ID: acme, Group: id("tenancy/tenant-groups", "Customers"), Name: "Acme"}},
		Contexts: []*ipam.ConfigContext{
			{ID: id("extras/config-contexts", "servers"), Name: "servers", Weight: 100, MachinesOnly: true},
			{ID: id("extras/config-contexts", "all"), Name: "all", Weight: 1000, Data: []byte(`{"domain_name":"example.org"}`)},
			{ID: id("extras/config-contexts", "site"), Name: "site", Weight: 2000, Sites: []int64{hq}, Data: []byte(`{"mtu":9000}`)},
		},
		Ranges: map[int64]*ipam.Range{},
	}
	want.Prefixes = prefixesByID(
		&ipam.Prefix{ID: id("ipam/prefixes", "10.0.0.0/24"), Prefix: netip.MustParsePrefix("10.0.0.0/24"), Status: "active",
			Scope: ipam.Scope{Kind: ipam.ScopeSite, ID: hq}, Tenant: acme},
		&ipam.Prefix{ID: id("ipam/prefixes", "10.0.0.0/16"), Prefix: netip.MustParsePrefix("10.0.0.0/16"), Status: "container"},
		&ipam.Prefix{ID: id("ipam/prefixes", "red 10.1.0.0/24"), Prefix: netip.MustParsePrefix("10.1.0.0/24"), VRF: red, Status: "active",
			Scope: ipam.Scope{Kind: ipam.ScopeLocation, ID: id("dcim/locations", "Floor 1")}},
	)
	want.Addresses = addressesByHost(
		&ipam.Address{Address: netip.MustParsePrefix("10.0.0.1/24"), Status: "active", Role: "vip", Tags: []int64{gateway}},
		&ipam.Address{Address: netip.MustParsePrefix("10.0.0.5/24"), Status: "active", Interface: bond},
		&ipam.Address{Address: netip.MustParsePrefix("10.0.0.6/24"), Status: "active", Interface: vmEth0},
		&ipam.Address{Address: netip.MustParsePrefix("10.0.0.7/24"), Status: "active", Interface: mgmt},
		&ipam.Address{Address: netip.MustParsePrefix("10.0.0.100/24"), Status: "active", Tags: []int64{dhcp}},
		&ipam.Address{Address: netip.MustParsePrefix("10.0.0.101/24"), Status: "active", Tags: []int64{dhcp}, Record: ipam.Record{
			Client: "52:54:00:00:00:09", Expires: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Hostname: "printer"}},
	)
	for _, a := range want.Addresses {
		a.ID = id("ipam/ip-addresses", a.Address.String())
	}
	want.Addresses = byAddressID(want.Addresses)

	got := p.objects
	owners := make(map[ipam.MAC]ipam.InterfaceID)
	for _, m := range got.MACs {
		owners[m.MAC] = m.Interface
	}
	wantOwners := map[ipam.MAC]ipam.InterfaceID{mac(1): eth0, mac(2): eth1, mac(0x12): eth1, mac(3): vmEth0}
	if diff := cmp.Diff(wantOwners, owners); diff != "" {
		t.Errorf("MAC owners (-want +got):\n%s", diff)
	}
	for _, r := range got.Ranges {
		if r.Start != netip.MustParseAddr("10.0.0.100") || r.End != netip.MustParseAddr("10.0.0.150") || r.Status != "active" {
			t.Errorf("range is %+v", r)
		}
	}
	if len(got.Ranges) != 1 {
		t.Errorf("%d ranges, want 1", len(got.Ranges))
	}
	compact(t, &got)
	opts := cmp.Options{
		cmpopts.IgnoreFields(ipam.Objects{}, "MACs", "Ranges"),
		cmpopts.IgnoreFields(ipam.Prefix{}, "LastUpdated"), cmpopts.IgnoreFields(ipam.Address{}, "LastUpdated", "Created"),
		cmpopts.IgnoreFields(ipam.Interface{}, "LastUpdated"), cmpopts.IgnoreFields(ipam.Machine{}, "LastUpdated"),
		cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }), cmpopts.EquateEmpty(),
	}
	if diff := cmp.Diff(want, got, opts); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
	for _, problem := range p.problems() {
		t.Errorf("unexpected problem: %s", problem)
	}
}
