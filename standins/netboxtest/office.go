package netboxtest

import (
	"runtime"
	"testing"
)

// Office is a world of a small office: a server with a bonded pair, a virtual machine, a
// pool, and contexts for all, for the site and for a role.
func Office() World {
	onAddresses := []string{"ipam.ipaddress"}
	return World{
		Tags: []Tag{{Name: "DHCP"}, {Name: "Gateway"}},
		CustomFields: []CustomField{
			{Name: "pydhcp_mac", Type: "text", ObjectTypes: onAddresses},
			{Name: "pydhcp_expire", Type: "datetime", ObjectTypes: onAddresses},
			{Name: "pydhcp_hostname", Type: "text", ObjectTypes: onAddresses},
			{Name: "redeploy", Type: "boolean", ObjectTypes: []string{"dcim.device", "virtualization.virtualmachine"}},
		},
		TenantGroups: []Group{{Name: "Customers"}},
		Tenants:      []Tenant{{Name: "Acme", Group: "Customers"}},
		Regions:      []Group{{Name: "North"}, {Name: "Coast", Parent: "North"}},
		SiteGroups:   []Group{{Name: "Offices"}},
		Sites:        []Site{{Name: "HQ", Region: "Coast", Group: "Offices", Tenant: "Acme"}},
		Locations:    []Location{{Name: "Floor 1", Site: "HQ"}},
		VRFs:         []VRF{{Name: "red", RD: "65000:1"}},
		Prefixes: []Prefix{
			{Prefix: "10.0.0.0/24", Status: "active", Site: "HQ", Tenant: "Acme"},
			{Prefix: "10.0.0.0/16", Status: "container"},
			{Prefix: "10.1.0.0/24", VRF: "red", Status: "active", Location: "Floor 1"},
			{Prefix: "2001:db8::/64", Status: "active"},
		},
		Ranges: []Range{{Start: "10.0.0.100/24", End: "10.0.0.150/24"}},
		Devices: []Device{{
			Name: "web1", Site: "HQ", PrimaryIP4: "10.0.0.5/24", CustomFields: map[string]any{"redeploy": true},
			Interfaces: []Interface{
				{Name: "bond0", Type: "lag", IPs: []IP{{Address: "10.0.0.5/24"}}},
				{Name: "eth0", LAG: "bond0", MACs: []string{"52:54:00:00:00:01"}},
				{Name: "eth1", LAG: "bond0", MACs: []string{"52:54:00:00:00:02", "52:54:00:00:00:12"}},
				{Name: "mgmt", IPs: []IP{{Address: "10.0.0.7/24"}}},
			},
		}},
		Clusters: []Cluster{{Name: "c1", Site: "HQ"}},
		VMs: []VM{{Name: "vm1", Cluster: "c1", Site: "HQ", Interfaces: []Interface{
			{Name: "eth0", MACs: []string{"52:54:00:00:00:03"}, IPs: []IP{{Address: "10.0.0.6/24"}}},
		}}},
		IPs: []IP{
			{Address: "10.0.0.1/24", Tags: []string{"Gateway"}, Role: "vip"},
			{Address: "10.0.0.100/24", Tags: []string{"DHCP"}},
			{Address: "10.0.0.101/24", Tags: []string{"DHCP"}, CustomFields: map[string]any{
				"pydhcp_mac": "52:54:00:00:00:09", "pydhcp_expire": "2026-01-02T03:04:05Z", "pydhcp_hostname": "printer"}},
			{Address: "2001:db8::1/64"},
		},
		Contexts: []Context{
			{Name: "all", Data: map[string]any{"pydhcp_configuration": map[string]any{"domain_name": "example.org"}, "other": 1}},
			{Name: "site", Weight: 2000, Sites: []string{"HQ"}, Data: map[string]any{"pydhcp_configuration": map[string]any{"mtu": 9000}}},
			{Name: "servers", Weight: 100, Roles: []string{"Server"}, Data: map[string]any{"ntp": "x"}},
			{Name: "off", Inactive: true, Data: map[string]any{"pydhcp_configuration": map[string]any{"mtu": 1}}},
		},
	}
}

// ServeOffice starts a stand-in of a version with the office in it.
func ServeOffice(t testing.TB, v Version) (*Server, *Seeded) {
	t.Helper()
	s := New(t, Config{Version: v, JobWorkers: true})
	seeded := Seed(t, s.URL(), s.TokenV1(), Office())
	s.ForgetRequests()
	return s, seeded
}

// AwaitWrite waits until the server has a write in work.
func AwaitWrite(t testing.TB, s *Server) {
	t.Helper()
	for len(s.Writes()) == 0 {
		if t.Context().Err() != nil {
			t.Fatal("no write came")
		}
		runtime.Gosched()
	}
}

// ReadGrants are the permissions to view the lists of those types of objects.
func ReadGrants(objectTypes ...string) []Grant {
	var grants []Grant
	for _, object := range objectTypes {
		grants = append(grants, Grant{Object: object, Actions: []string{"view"}})
	}
	return grants
}
