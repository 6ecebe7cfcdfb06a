package netbox

import (
	"io"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"go.uber.org/goleak"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testFields are the names the worlds of these tests use.
func testFields() Fields {
	return Fields{MAC: "pydhcp_mac", Expire: "pydhcp_expire", Hostname: "pydhcp_hostname"}
}

func testToken(token string) func() (string, error) {
	return func() (string, error) { return token, nil }
}

func silent() logrus.FieldLogger {
	log := logrus.New()
	log.SetOutput(io.Discard)
	return log
}

// connect makes a client that does not wait between its tries.
func connect(t *testing.T, url, token string, log logrus.FieldLogger) *Client {
	t.Helper()
	c, err := NewClient(Config{URL: url, Token: testToken(token), Timeout: 20 * time.Second, FirstRetry: time.Millisecond}, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// world is a small office: a server with a bonded pair, a virtual machine, a
// pool, and contexts for all, for the site and for a role.
func world() netboxtest.World {
	onAddresses := []string{"ipam.ipaddress"}
	return netboxtest.World{
		Tags: []netboxtest.Tag{{Name: "DHCP"}, {Name: "Gateway"}},
		CustomFields: []netboxtest.CustomField{
			{Name: "pydhcp_mac", Type: "text", ObjectTypes: onAddresses},
			{Name: "pydhcp_expire", Type: "datetime", ObjectTypes: onAddresses},
			{Name: "pydhcp_hostname", Type: "text", ObjectTypes: onAddresses},
			{Name: "redeploy", Type: "boolean", ObjectTypes: []string{"dcim.device", "virtualization.virtualmachine"}},
		},
		TenantGroups: []netboxtest.Group{{Name: "Customers"}},
		Tenants:      []netboxtest.Tenant{{Name: "Acme", Group: "Customers"}},
		Regions:      []netboxtest.Group{{Name: "North"}, {Name: "Coast", Parent: "North"}},
		SiteGroups:   []netboxtest.Group{{Name: "Offices"}},
		Sites:        []netboxtest.Site{{Name: "HQ", Region: "Coast", Group: "Offices", Tenant: "Acme"}},
		Locations:    []netboxtest.Location{{Name: "Floor 1", Site: "HQ"}},
		VRFs:         []netboxtest.VRF{{Name: "red", RD: "65000:1"}},
		Prefixes: []netboxtest.Prefix{
			{Prefix: "10.0.0.0/24", Status: "active", Site: "HQ", Tenant: "Acme"},
			{Prefix: "10.0.0.0/16", Status: "container"},
			{Prefix: "10.1.0.0/24", VRF: "red", Status: "active", Location: "Floor 1"},
			{Prefix: "2001:db8::/64", Status: "active"},
		},
		Ranges: []netboxtest.Range{{Start: "10.0.0.100/24", End: "10.0.0.150/24"}},
		Devices: []netboxtest.Device{{
			Name: "web1", Site: "HQ", PrimaryIP4: "10.0.0.5/24", CustomFields: map[string]any{"redeploy": true},
			Interfaces: []netboxtest.Interface{
				{Name: "bond0", Type: "lag", IPs: []netboxtest.IP{{Address: "10.0.0.5/24"}}},
				{Name: "eth0", LAG: "bond0", MACs: []string{"52:54:00:00:00:01"}},
				{Name: "eth1", LAG: "bond0", MACs: []string{"52:54:00:00:00:02", "52:54:00:00:00:12"}},
				{Name: "mgmt", IPs: []netboxtest.IP{{Address: "10.0.0.7/24"}}},
			},
		}},
		Clusters: []netboxtest.Cluster{{Name: "c1", Site: "HQ"}},
		VMs: []netboxtest.VM{{Name: "vm1", Cluster: "c1", Site: "HQ", Interfaces: []netboxtest.Interface{
			{Name: "eth0", MACs: []string{"52:54:00:00:00:03"}, IPs: []netboxtest.IP{{Address: "10.0.0.6/24"}}},
		}}},
		IPs: []netboxtest.IP{
			{Address: "10.0.0.1/24", Tags: []string{"Gateway"}, Role: "vip"},
			{Address: "10.0.0.100/24", Tags: []string{"DHCP"}},
			{Address: "10.0.0.101/24", Tags: []string{"DHCP"}, CustomFields: map[string]any{
				"pydhcp_mac": "52:54:00:00:00:09", "pydhcp_expire": "2026-01-02T03:04:05Z", "pydhcp_hostname": "printer"}},
			{Address: "2001:db8::1/64"},
		},
		Contexts: []netboxtest.Context{
			{Name: "all", Data: map[string]any{"pydhcp_configuration": map[string]any{"domain_name": "example.org"}, "other": 1}},
			{Name: "site", Weight: 2000, Sites: []string{"HQ"}, Data: map[string]any{"pydhcp_configuration": map[string]any{"mtu": 9000}}},
			{Name: "servers", Weight: 100, Roles: []string{"Server"}, Data: map[string]any{"ntp": "x"}},
			{Name: "off", Inactive: true, Data: map[string]any{"pydhcp_configuration": map[string]any{"mtu": 1}}},
		},
	}
}

// serve starts a stand-in of a version with the world in it.
func serve(t *testing.T, v netboxtest.Version) (*netboxtest.Server, *netboxtest.Seeded) {
	t.Helper()
	s := netboxtest.New(t, netboxtest.Config{Version: v, JobWorkers: true})
	seeded := netboxtest.Seed(t, s.URL(), s.TokenV1(), world())
	s.ForgetRequests()
	return s, seeded
}
