package netboxio

import (
	"net/http"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox/clienttest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// mirrorVersions are the releases the mirror is for.
func supportedVersions() []netboxtest.Version {
	return []netboxtest.Version{netboxtest.V45, netboxtest.V46, netboxtest.V47}
}

// mirrorWorld is a NetBox with two scopes, as the mirror leaves it, and things
// of other people.
func scopesWorld() netboxtest.World {
	on := func(kind state.Kind) []string { return []string{string(kind)} }
	return netboxtest.World{
		Tags:       []netboxtest.Tag{{Name: state.TagScope}, {Name: state.TagData}, {Name: "keep"}, {Name: "dhcp-protect"}},
		ChoiceSets: []netboxtest.ChoiceSet{{Name: "provenance", Choices: [][2]string{{"created", "Created"}, {"adopted", "Adopted"}, {"prestaged", "Prestaged"}}}},
		CustomFields: []netboxtest.CustomField{
			{Name: state.FieldClientID, Type: "text", ObjectTypes: on(state.IPAddress)},
			{Name: state.FieldManaged, Type: "select", ObjectTypes: on(state.IPAddress), ChoiceSet: "provenance"},
			{Name: state.FieldLeaseHostname, Type: "text", ObjectTypes: on(state.IPAddress)},
			{Name: state.FieldLeaseActive, Type: "boolean", ObjectTypes: on(state.IPAddress)},
			{Name: state.FieldLeaseExpires, Type: "datetime", ObjectTypes: on(state.IPAddress)},
			{Name: state.FieldScopeName, Type: "text", ObjectTypes: on(state.IPRange)},
			{Name: state.FieldLeaseSeconds, Type: "integer", ObjectTypes: on(state.IPRange)},
			{Name: state.FieldExclusions, Type: "json", ObjectTypes: on(state.IPRange)},
			{Name: state.FieldScopes, Type: "longtext", ObjectTypes: on(state.IPPrefix)},
		},
		Tenants:  []netboxtest.Tenant{{Name: "Acme"}},
		VRFs:     []netboxtest.VRF{{Name: "red", RD: "65000:1"}, {Name: "loose", DuplicatesLegal: true}},
		IPRoles:  []string{state.RoleScope, "pool"},
		Sites:    []netboxtest.Site{{Name: "HQ"}},
		Prefixes: []netboxtest.Prefix{{Prefix: "10.8.4.0/24", Status: "active", Tenant: "Acme", CustomFields: map[string]any{state.FieldScopes: "| a |"}}, {Prefix: "10.8.6.0/24", VRF: "red"}, {Prefix: "2001:db8::/64"}},
		Ranges: []netboxtest.Range{
			{Start: "10.8.4.20/24", End: "10.8.4.250/24", Role: state.RoleScope, Tags: []string{state.TagScope}, Tenant: "Acme", CustomFields: map[string]any{
				state.FieldScopeName: "Lab", state.FieldLeaseSeconds: 691200, state.FieldExclusions: []any{map[string]any{"start": "10.8.4.20", "end": "10.8.4.29"}}}},
			{Start: "10.8.6.20/24", End: "10.8.6.30/24", VRF: "red", Role: "pool", Populated: true},
		},
		Devices: []netboxtest.Device{{Name: "sw1", Site: "HQ", Interfaces: []netboxtest.Interface{{Name: "vlan4", IPs: []netboxtest.IP{{Address: "10.8.4.1/24"}}}}}},
		IPs: []netboxtest.IP{
			{Address: "10.8.4.33/24", Status: "dhcp", DNSName: "pc-17.corp.example", Tags: []string{"keep"}, Tenant: "Acme", Description: "a desk", CustomFields: map[string]any{
				state.FieldClientID: "3c-52-82-0a-1b-2c", state.FieldManaged: "created", state.FieldLeaseHostname: "PC-17", state.FieldLeaseActive: true,
				state.FieldLeaseExpires: "2026-07-01T09:30:00Z"}},
			{Address: "10.8.4.60/32", Status: "reserved"},
			{Address: "10.8.4.60/24", VRF: "red"},
			{Address: "10.8.6.9/24", VRF: "red"},
			{Address: "10.9.9.9/24"},
			{Address: "2001:db8::9/64"},
		},
		Contexts: []netboxtest.Context{
			{Name: state.ContextName + "failover east-pair", Tags: []string{state.TagData}, Inactive: true, Data: map[string]any{"mode": "HotStandby"}},
			{Name: "windows-dhcpish", Data: map[string]any{"a": 1}}, {Name: "other", Data: map[string]any{"a": 1}},
		},
	}
}

// serveMirror starts a stand-in of a version with the mirror's world in it,
// and a client of it.
func serveScopes(t *testing.T, v netboxtest.Version) (*netboxtest.Server, *netboxtest.Seeded, *netbox.Client) {
	t.Helper()
	s := netboxtest.New(t, netboxtest.Config{Version: v, Plugins: []string{"netbox_topology"}})
	seeded := netboxtest.Seed(t, s.URL(), s.TokenV1(), scopesWorld())
	s.ForgetRequests()
	return s, seeded, clienttest.Connect(t, s.URL(), s.TokenV1(), clienttest.Silent())
}

func methods(requests []netboxtest.Request, path string) (reads, writes int) {
	for _, r := range requests {
		switch {
		case r.Path != "/api/"+path+"/":
		case r.Method == http.MethodGet:
			reads++
		default:
			writes++
		}
	}
	return reads, writes
}
