package netboxio

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox/clienttest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// checkMirror reads the mirror's world and compares it with what was seeded.
func checkState(t *testing.T, c *netbox.Client, seeded *netboxtest.Seeded) {
	t.Helper()
	held, err := Read(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	acme, red := seeded.ID(t, "tenancy/tenants", "Acme"), seeded.ID(t, "ipam/vrfs", "red")
	scope, failover := "10.8.4.20/24-10.8.4.250/24", state.ContextName+"failover east-pair"
	want := &state.State{
		VRFs: []state.VRF{{ID: red, Name: "red", RD: "65000:1"}, {ID: seeded.ID(t, "ipam/vrfs", "loose"), Name: "loose"}},
		Prefixes: []state.Prefix{
			{ID: seeded.ID(t, "ipam/prefixes", "10.8.4.0/24"), Prefix: netip.MustParsePrefix("10.8.4.0/24"), Tenant: acme, Status: "active", Scopes: "| a |"},
			{ID: seeded.ID(t, "ipam/prefixes", "red 10.8.6.0/24"), Prefix: netip.MustParsePrefix("10.8.6.0/24"), VRF: red, Status: "active"}},
		Ranges: []state.Range{
			{ID: seeded.ID(t, "ipam/ip-ranges", scope), Start: netip.MustParseAddr("10.8.4.20"), End: netip.MustParseAddr("10.8.4.250"), Bits: 24, Tenant: acme,
				Status: "active", Role: state.RoleScope, Tags: []string{state.TagScope}, ScopeName: "Lab", LeaseSeconds: 691200,
				Exclusions: json.RawMessage(`[{"end":"10.8.4.29","start":"10.8.4.20"}]`)},
			{ID: seeded.ID(t, "ipam/ip-ranges", "red 10.8.6.20/24-10.8.6.30/24"), Start: netip.MustParseAddr("10.8.6.20"), End: netip.MustParseAddr("10.8.6.30"),
				Bits: 24, VRF: red, Status: "active", Role: "pool", Populated: true}},
		Contexts: []state.Context{{ID: seeded.ID(t, "extras/config-contexts", failover), Name: failover, Data: json.RawMessage(`{"mode":"HotStandby"}`)}},
		Tags:     map[string]int64{},
		Roles:    map[string]int64{state.RoleScope: seeded.ID(t, "ipam/roles", state.RoleScope), "pool": seeded.ID(t, "ipam/roles", "pool")},
	}
	for _, name := range []string{state.TagScope, state.TagData, "keep", "dhcp-protect"} {
		want.Tags[name] = seeded.ID(t, "extras/tags", name)
	}
	sameJSON := cmp.Transformer("json", func(raw json.RawMessage) (v any) {
		if len(raw) > 0 && json.Unmarshal(raw, &v) != nil {
			t.Errorf("not JSON: %s", raw)
		}
		return v
	})
	ignore := cmpopts.IgnoreFields(state.State{}, "Version", "SingleAddressRanges", "Statuses", "Fields", "Plugins")
	stamps := cmpopts.IgnoreTypes(time.Time{})
	if diff := cmp.Diff(want, held, sameJSON, ignore, stamps, cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
	if held.Ranges[0].LastUpdated.IsZero() || held.Ranges[0].Subnet() != netip.MustParsePrefix("10.8.4.0/24") {
		t.Errorf("range %+v", held.Ranges[0])
	}
	if !slices.Contains(held.Statuses, "dhcp") || !slices.Contains(held.Statuses, "reserved") {
		t.Errorf("statuses %v", held.Statuses)
	}
	if !held.HasField(state.IPAddress, state.FieldManaged) || !held.HasField(state.IPRange, state.FieldExclusions) || held.HasField(state.IPPrefix, state.FieldManaged) {
		t.Errorf("fields %v", held.Fields)
	}
}

func checkAddresses(t *testing.T, c *netbox.Client, seeded *netboxtest.Seeded) {
	t.Helper()
	subnets := []netip.Prefix{netip.MustParsePrefix("10.8.6.0/24"), netip.MustParsePrefix("10.8.4.0/24"), netip.MustParsePrefix("10.8.4.0/25")}
	var calls [][2]int
	got, err := ReadAddresses(t.Context(), c, subnets, func(done, total int) { calls = append(calls, [2]int{done, total}) })
	if err != nil {
		t.Fatal(err)
	}
	active, acme, red := true, seeded.ID(t, "tenancy/tenants", "Acme"), seeded.ID(t, "ipam/vrfs", "red")
	id := func(name string) int64 { return seeded.ID(t, "ipam/ip-addresses", name) }
	want := []state.Address{
		{ID: id("10.8.4.1/24"), Address: netip.MustParsePrefix("10.8.4.1/24"), Status: "active", InUse: "assigned to an interface", Assigned: true},
		{ID: id("10.8.4.33/24"), Address: netip.MustParsePrefix("10.8.4.33/24"), Tenant: acme, Status: "dhcp", DNSName: "pc-17.corp.example", Description: "a desk",
			Tags: []string{"keep"}, ClientID: "3c-52-82-0a-1b-2c", Managed: state.Created, LeaseHostname: "PC-17", LeaseActive: &active,
			LeaseExpires: time.Date(2026, 7, 1, 9, 30, 0, 0, time.UTC)},
		{ID: id("10.8.4.60/32"), Address: netip.MustParsePrefix("10.8.4.60/32"), Status: "reserved"},
		{ID: id("red 10.8.4.60/24"), Address: netip.MustParsePrefix("10.8.4.60/24"), VRF: red, Status: "active"},
		{ID: id("red 10.8.6.9/24"), Address: netip.MustParsePrefix("10.8.6.9/24"), VRF: red, Status: "active"},
	}
	slices.SortFunc(want, func(a, b state.Address) int { return int(a.ID - b.ID) })
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Prefix{}), cmpopts.IgnoreFields(state.Address{}, "LastUpdated")); diff != "" {
		t.Errorf("addresses (-want +got):\n%s", diff)
	}
	if !slices.Equal(calls, [][2]int{{5, 5}}) {
		t.Errorf("progress %v", calls)
	}
}

func TestTheMirrorReadsWhatNetBoxHolds(t *testing.T) { // rule 9, storage proposal
	for _, v := range supportedVersions() {
		t.Run("NetBox "+string(v), func(t *testing.T) {
			t.Parallel()
			s, seeded, c := serveScopes(t, v)
			checkState(t, c, seeded)
			checkAddresses(t, c, seeded)
			for _, r := range s.Requests() {
				if len(r.Ignored) > 0 {
					t.Errorf("%s passes over %v", r.Path, r.Ignored)
				}
			}
			held, err := Read(t.Context(), c)
			if err != nil || held.Version != string(v) || !slices.Equal(held.Plugins, []string{"netbox_topology"}) {
				t.Errorf("version %s, plugins %v, %v", held.Version, held.Plugins, err)
			}
			if want := map[netboxtest.Version]bool{netboxtest.V45: false, netboxtest.V46: true, netboxtest.V47: true}[v]; held.SingleAddressRanges != want {
				t.Errorf("ranges of one address: %t, want %t", held.SingleAddressRanges, want)
			}
		})
	}
}

// The real NetBox is read with ten times as many: pages here have 100 rows.
func TestTheAddressesOfFortyScopesAreOneStream(t *testing.T) { // rule 10
	s, _, c := serveScopes(t, netboxtest.V47)
	s.Configure(func(c *netboxtest.Config) { c.MaxPageSize = 100 })
	var subnets []netip.Prefix
	const each, scopes = 25, 40
	for n := range scopes {
		subnets = append(subnets, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 20, byte(n), 0}), 24))
		for host := range each {
			s.Add(t, "ipam/ip-addresses", map[string]any{"address": fmt.Sprintf("10.20.%d.%d/24", n, host+1), "status": "dhcp"})
		}
	}
	s.ForgetRequests()
	var last [2]int
	got, err := ReadAddresses(t.Context(), c, subnets, func(done, total int) {
		if done <= last[0] || total != each*scopes {
			t.Errorf("progress %d of %d after %v", done, total, last)
		}
		last = [2]int{done, total}
	})
	if err != nil || len(got) != each*scopes || last[0] != each*scopes {
		t.Errorf("%d addresses, progress %v: %v", len(got), last, err)
	}
	for _, r := range s.Requests() {
		if line := len(r.Path) + len(r.Query.Encode()); line > 4000 {
			t.Errorf("a request line of %d bytes", line)
		}
	}
	if reads, _ := methods(s.Requests(), "ipam/ip-addresses"); reads > 11 {
		t.Errorf("%d reads of 100 rows for 1000 addresses, want at most 11", reads)
	}
}

func TestMoreScopesThanOneRequestLineHolds(t *testing.T) {
	s, _, c := serveScopes(t, netboxtest.V46)
	var subnets []netip.Prefix
	for n := range 250 {
		subnets = append(subnets, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 21, byte(n), 0}), 24))
		s.Add(t, "ipam/ip-addresses", map[string]any{"address": fmt.Sprintf("10.21.%d.7/24", n)})
	}
	s.ForgetRequests()
	got, err := ReadAddresses(t.Context(), c, subnets, nil)
	if err != nil || len(got) != 250 {
		t.Errorf("%d addresses: %v", len(got), err)
	}
	for _, r := range s.Requests() {
		if line := len("GET  HTTP/1.1") + len(r.Path) + len(r.Query.Encode()); line > 4094 {
			t.Errorf("a request line of %d bytes", line)
		}
	}
}

func TestAListThatContradictsItselfIsNotRead(t *testing.T) {
	for name, fault := range map[string]netboxtest.Fault{
		"nothing though there is something": {Kind: netboxtest.EmptyPage, Times: 1},
		"an end before the end":             {Kind: netboxtest.EmptyPage, After: 1, Times: 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := netboxtest.New(t, netboxtest.Config{Version: netboxtest.V47, MaxPageSize: 3})
			netboxtest.Seed(t, s.URL(), s.TokenV1(), scopesWorld())
			c := clienttest.Connect(t, s.URL(), s.TokenV1(), clienttest.Silent())
			fault.Method, fault.Path = "GET", "/api/ipam/ip-addresses/"
			s.Fail(fault)
			_, err := ReadAddresses(t.Context(), c, []netip.Prefix{netip.MustParsePrefix("10.8.0.0/16")}, nil)
			if netbox.KindOf(err) != netbox.Incomplete {
				t.Errorf("error %v, want an incomplete list", err)
			}
		})
	}
}

func TestATokenThatMayNotSeeFieldDefinitionsLearnsThemFromRows(t *testing.T) {
	s, _, _ := serveScopes(t, netboxtest.V47)
	const token = "mirror00000000000000000000000000000000000"
	var grants []netboxtest.Grant
	for _, table := range []netbox.Table{netbox.VRFs, netbox.Prefixes, netbox.Ranges, netbox.Addresses, netbox.Tags, netbox.Roles, netbox.Contexts} {
		grants = append(grants, netboxtest.Grant{Object: table.Model(), Actions: []string{"view"}})
	}
	s.Permit(token, grants...)
	c := clienttest.Connect(t, s.URL(), token, clienttest.Silent())
	held, err := Read(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if !held.HasField(state.IPAddress, state.FieldManaged) || !held.HasField(state.IPPrefix, state.FieldScopes) || held.Statuses != nil {
		t.Errorf("fields %v, statuses %v", held.Fields, held.Statuses)
	}
	s.Permit(token, grants[:4]...)
	if _, err := Read(t.Context(), c); netbox.KindOf(err) != netbox.Forbidden || !strings.Contains(err.Error(), "view on") {
		t.Errorf("error %v, want the missing permission", err)
	}
}

func TestFieldsOfAnotherTypeAreReadAllTheSame(t *testing.T) {
	raw := `{"id":7,"start_address":"10.0.0.1/24","end_address":"10.0.0.9/24","status":{"value":"quarantine","label":""},"role":null,"tags":[],"vrf":null,
		"custom_fields":{"dhcp_lease_seconds":" 3600","dhcp_scope_name":{"value":"a","label":"A"},"dhcp_exclusions":null,"dhcp_router":12}}`
	var row rangeRow
	if err := json.Unmarshal([]byte(raw), &row); err != nil {
		t.Fatal(err)
	}
	got, err := row.object()
	if err != nil || got.LeaseSeconds != 3600 || got.ScopeName != "a" || got.Exclusions != nil || got.Router != "12" || got.Status != "quarantine" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestSubnetsInsideOthersAreNotAskedForTwice(t *testing.T) {
	var subnets []netip.Prefix
	for _, s := range []string{"10.1.0.0/24", "10.0.0.0/8", "10.1.0.0/16", "192.168.0.0/24", "192.168.1.0/24", "192.168.0.0/24"} {
		subnets = append(subnets, netip.MustParsePrefix(s))
	}
	if got := fmt.Sprint(outermost(subnets)); got != "[10.0.0.0/8 192.168.0.0/24 192.168.1.0/24]" {
		t.Errorf("outermost %s", got)
	}
}

// FuzzMirrorRow reads arbitrary rows of the mirror's lists.
func FuzzMirrorRow(f *testing.F) {
	f.Add(0, []byte(`{"id":1,"address":"10.0.0.1/24","vrf":{"id":2},"status":{"value":"dhcp","label":"DHCP"},"tags":[{"slug":"b"},{"slug":"a"}],
		"custom_fields":{"dhcp_managed":{"value":"created","label":"Created"},"dhcp_lease_active":true,"dhcp_lease_expires":"2026-01-02T03:04:05Z"}}`))
	f.Add(1, []byte(`{"id":2,"start_address":"10.0.0.1/24","end_address":"10.0.0.9/24","role":{"slug":"dhcp-scope"},"custom_fields":{"dhcp_options":[{"code":3}]}}`))
	f.Add(2, []byte(`{"id":3,"prefix":"10.0.0.0/24","custom_fields":{"dhcp_scopes":null}}`))
	f.Fuzz(func(t *testing.T, which int, raw []byte) {
		switch uint(which) % 3 {
		case 0:
			if a, ok := fuzzRow(raw, (*addressRow).object); ok && (!a.Address.IsValid() || !slices.IsSorted(a.Tags)) {
				t.Errorf("address %+v", a)
			}
		case 1:
			if r, ok := fuzzRow(raw, (*rangeRow).object); ok && (r.End.Less(r.Start) || !r.Subnet().IsValid()) {
				t.Errorf("range %+v", r)
			}
		case 2:
			if p, ok := fuzzRow(raw, (*prefixRow).object); ok && p.Prefix != p.Prefix.Masked() {
				t.Errorf("prefix %+v", p)
			}
		}
	})
}

func fuzzRow[R any, T any, P interface {
	*R
	listRow
}](raw []byte, value func(P) (T, error)) (got T, ok bool) {
	row := P(new(R))
	if json.Unmarshal(raw, row) != nil {
		return got, false
	}
	got, err := value(row)
	return got, err == nil
}
