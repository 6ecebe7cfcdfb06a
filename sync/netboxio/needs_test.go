package netboxio

import (
	"context"
	"encoding/json"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox/clienttest"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/prepare"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

func mirrorNeeds() Uses {
	return Uses{
		LeaseStatus: "dhcp", ReservationStatus: "reserved", ProtectTag: "dhcp-protect", Addresses: true, ExpiryInNetBox: true,
		StatusPage: "https://sync.example.org/",
		Contexts: []prepare.Context{{Name: state.ContextName + "option-codes", Description: "DHCP options", Data: json.RawMessage(`{"codes":{"3":"Router"}}`),
			Merge: func(have json.RawMessage) json.RawMessage {
				if strings.Contains(string(have), "Router") {
					return have
				}
				return json.RawMessage(`{"codes":{"3":"Router","200":"Ours"}}`)
			}}, {Name: state.ContextName + "option-values", Data: json.RawMessage(`{"values":[]}`)}},
	}
}

// checkMirrorBootstrap prepares an empty NetBox and makes sure that it is
// enough, and done once.
func checkMirrorBootstrap(t *testing.T, c *netbox.Client) {
	t.Helper()
	need := mirrorNeeds()
	plan, err := prepare.PlanFor(t.Context(), c, need.Needs())
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"create custom field dhcp_client_id (text) on ipam.ipaddress", "create choice set Windows DHCP provenance",
		"create custom field dhcp_scopes (longtext) on ipam.prefix", "create tag dhcp-protect", "create IPAM role dhcp-scope", "create config context windows-dhcp option-codes",
		"create saved filter windows-dhcp-violations", "create table config Windows DHCP scopes", "create custom link Windows DHCP lease"} {
		if !strings.Contains(plan.String(), line+"\n") {
			t.Errorf("the plan lacks %q:\n%s", line, plan)
		}
	}
	if err := plan.Apply(t.Context(), c, clienttest.Silent()); err != nil {
		t.Fatal(err)
	}
	if plan, err = prepare.PlanFor(t.Context(), c, need.Needs()); err != nil || !plan.Empty() {
		t.Errorf("a second bootstrap: %s%v", plan, err)
	}
	for _, f := range prepare.Check(t.Context(), c, need.Needs()) {
		t.Errorf("after the bootstrap: %s", f)
	}
	held, err := Read(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range need.fields() {
		if !held.HasField(state.Kind(f.Table.Model()), f.Name) {
			t.Errorf("no field %s on %s", f.Name, f.Table.Model())
		}
	}
	if len(held.Contexts) != 2 || !held.Contexts[0].Active {
		t.Errorf("contexts %+v", held.Contexts)
	}
}

func TestTheMirrorsBootstrapIsDoneOnce(t *testing.T) { // rules 9 row 6, 9 row 7, 9 row 23, 9 row 34 and 9 row 47
	for _, v := range supportedVersions() {
		t.Run("NetBox "+string(v), func(t *testing.T) {
			t.Parallel()
			s := netboxtest.New(t, netboxtest.Config{Version: v})
			c := clienttest.Connect(t, s.URL(), s.TokenV1(), clienttest.Silent())
			checkMirrorBootstrap(t, c)
			// Fields have what people search by, and may be edited by them.
			info, err := namedRow(t.Context(), c, netbox.CustomFields, "name", state.FieldClientID)
			if err != nil {
				t.Fatal(err)
			}
			for field, want := range map[string]any{"label": "DHCP Client ID", "group_name": "Windows DHCP", "search_weight": 500, "ui_editable": "yes", "filter_logic": "exact"} {
				if !info.Is(field, want) {
					t.Errorf("%s is %s, want %v", field, info.Raw(field), want)
				}
			}
		})
	}
}

func TestWhatPeopleChangedOfTheBootstrapStays(t *testing.T) {
	s := netboxtest.New(t, netboxtest.Config{})
	c := clienttest.Connect(t, s.URL(), s.TokenV1(), clienttest.Silent())
	need := mirrorNeeds()
	apply := func() prepare.Plan {
		t.Helper()
		plan, err := prepare.PlanFor(t.Context(), c, need.Needs())
		if err != nil {
			t.Fatal(err)
		}
		if err := plan.Apply(t.Context(), c, clienttest.Silent()); err != nil {
			t.Fatal(err)
		}
		return plan
	}
	apply()
	id := func(table netbox.Table, key, name string) int64 {
		t.Helper()
		row, err := namedRow(t.Context(), c, table, key, name)
		if err != nil || row == nil {
			t.Fatalf("%s %s: %v", table, name, err)
		}
		return row.ID()
	}
	filter := id(netbox.SavedFilters, "slug", "windows-dhcp-leases")
	s.Edit(t, string(netbox.SavedFilters), filter, map[string]any{"parameters": map[string]any{"status": []string{"active"}}, "enabled": false})
	s.Edit(t, string(netbox.CustomFields), id(netbox.CustomFields, "name", state.FieldServer), map[string]any{"label": "Our server", "object_types": []string{"ipam.prefix"}})
	s.Edit(t, string(netbox.Tags), id(netbox.Tags, "slug", state.TagScope), map[string]any{"object_types": []string{"ipam.prefix"}})
	s.Edit(t, string(netbox.Contexts), id(netbox.Contexts, "name", state.ContextName+"option-codes"), map[string]any{"data": map[string]any{"codes": map[string]any{"200": "Ours"}}})
	s.Delete(t, string(netbox.Roles), id(netbox.Roles, "slug", state.RoleScope))
	need.StatusPage = "https://elsewhere.example.org"
	plan := apply()
	if len(plan.Steps) != 5 {
		t.Errorf("plan:\n%s", plan)
	}
	if again := apply(); !again.Empty() {
		t.Errorf("a third plan:\n%s", again)
	}
	if got := s.Get(string(netbox.SavedFilters), filter)["enabled"]; got != false {
		t.Error("a disabled filter was enabled again")
	}
	kinds := s.Get(string(netbox.CustomFields), id(netbox.CustomFields, "name", state.FieldServer))["object_types"]
	if !reflect.DeepEqual(kinds, []any{"ipam.iprange", "ipam.prefix"}) {
		t.Errorf("object types %v", kinds)
	}
}

func TestFieldsOfWrongTypesAreConflicts(t *testing.T) {
	s := netboxtest.New(t, netboxtest.Config{})
	netboxtest.Seed(t, s.URL(), s.TokenV1(), netboxtest.World{
		ChoiceSets: []netboxtest.ChoiceSet{{Name: "other", Choices: [][2]string{{"created", "c"}}}},
		CustomFields: []netboxtest.CustomField{{Name: state.FieldLeaseSeconds, Type: "text", ObjectTypes: []string{"ipam.iprange"}},
			{Name: state.FieldManaged, Type: "select", ChoiceSet: "other", ObjectTypes: []string{"ipam.ipaddress"}}},
	})
	c := clienttest.Connect(t, s.URL(), s.TokenV1(), clienttest.Silent())
	plan, err := prepare.PlanFor(t.Context(), c, mirrorNeeds().Needs())
	if err != nil {
		t.Fatal(err)
	}
	text := plan.String()
	for _, want := range []string{"custom field dhcp_lease_seconds", "choice set other: it has no value adopted", "choice set other: it has no value prestaged"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not among the conflicts:\n%s", want, text)
		}
	}
	if len(plan.Conflicts) != 3 {
		t.Errorf("conflicts %v", plan.Conflicts)
	}
}

// A run finds its tags by their slugs, so a tag that only has the name is none.
func TestTheMirrorsTagsAreKnownByTheirSlugs(t *testing.T) {
	s := netboxtest.New(t, netboxtest.Config{})
	c := clienttest.Connect(t, s.URL(), s.TokenV1(), clienttest.Silent())
	s.Add(t, string(netbox.Tags), map[string]any{"name": "dhcp-protect", "slug": "no-dhcp"})
	s.Add(t, string(netbox.Tags), map[string]any{"name": "other", "slug": "Windows-DHCP"})
	plan, err := prepare.PlanFor(t.Context(), c, mirrorNeeds().Needs())
	if err != nil {
		t.Fatal(err)
	}
	findings := prepare.Check(t.Context(), c, mirrorNeeds().Needs())
	for _, tag := range []string{"dhcp-protect", "windows-dhcp"} {
		if !strings.Contains(plan.String(), "create tag "+tag+"\n") {
			t.Errorf("tag %s is not made:\n%s", tag, plan)
		}
		wantFindings(t, findings, map[string]prepare.Severity{"tag " + tag + ": it does not exist": prepare.Failure})
	}
}

func TestTheDoctorNamesWhatTheMirrorLacks(t *testing.T) { // rule 9 row 22
	s := netboxtest.New(t, netboxtest.Config{Version: netboxtest.V44, Plugins: []string{state.Plugin}, Choices: map[string][]string{"IPAddress.status": {"active", "reserved"}}})
	c := clienttest.Connect(t, s.URL(), s.TokenV1(), clienttest.Silent())
	need := mirrorNeeds()
	s.Add(t, string(netbox.Contexts), map[string]any{"name": state.ContextName + "failover a", "data": map[string]any{"a": 1}})
	wantFindings(t, prepare.Check(t.Context(), c, need.Needs()), map[string]prepare.Severity{
		"version 4.4 is too old": prepare.Failure, "plugin netbox_windows_dhcp": prepare.Failure, "status dhcp: IP addresses have no such status": prepare.Failure,
		"custom field dhcp_client_id: it does not exist": prepare.Failure, "custom field dhcp_lease_active: it does not exist": prepare.Warning, "tag windows-dhcp: it does not exist": prepare.Failure,
		"IPAM role dhcp-scope": prepare.Failure, "windows-dhcp failover a: it is not limited": prepare.Warning, "config context windows-dhcp option-codes: it does not exist": prepare.Warning,
	})
	need.ReservationStatus, need.PluginAllowed = "dhcp", true
	wantFindings(t, prepare.Check(t.Context(), c, need.Needs()), map[string]prepare.Severity{"status dhcp: it stands for leases and for reservations": prepare.Failure, "plugin netbox_windows_dhcp": prepare.Warning})
}

func wantFindings(t *testing.T, findings []prepare.Finding, want map[string]prepare.Severity) {
	t.Helper()
	for text, severity := range want {
		found := false
		for _, f := range findings {
			found = found || strings.Contains(f.String(), text) && f.Severity == severity
		}
		if !found {
			t.Errorf("no %s %q among:\n%v", severity, text, findings)
		}
	}
}

func TestTheDoctorNamesMissingPermissions(t *testing.T) { // NB-1.14
	for _, v := range supportedVersions() {
		t.Run("NetBox "+string(v), func(t *testing.T) {
			t.Parallel()
			s, _, _ := serveScopes(t, v)
			const token = "mirror00000000000000000000000000000000000"
			need := mirrorNeeds()
			var grants []netboxtest.Grant
			for _, r := range need.rights() {
				grants = append(grants, netboxtest.Grant{Object: r.Table.Model(), Actions: []string{r.Action}})
			}
			for lacking, r := range need.rights() {
				var rest []netboxtest.Grant
				for i, g := range grants {
					if i != lacking {
						rest = append(rest, g)
					}
				}
				s.Permit(token, rest...)
				c := clienttest.Connect(t, s.URL(), token, clienttest.Silent())
				var found []string
				for _, f := range prepare.Check(t.Context(), c, need.Needs()) {
					if strings.Contains(f.Problem, "lacks this permission") {
						found = append(found, f.Object)
					}
				}
				want := r.Action + " on " + r.Table.Model()
				if r.Table == netbox.Addresses && r.Action == "view" {
					continue // without it, nothing is checked
				}
				if len(found) != 1 || found[0] != want {
					t.Errorf("without %s: %v", want, found)
				}
			}
			for _, r := range s.Writes() {
				if r.Status < 400 {
					t.Errorf("%s %s was carried out", r.Method, r.Path)
				}
			}
		})
	}
}

func TestARealNetBoxIsPreparedForTheMirror(t *testing.T) {
	url, token := netboxtest.Disposable(t)
	checkMirrorBootstrap(t, clienttest.Connect(t, url, token, clienttest.Silent()))
}

func TestARealNetBoxTellsTheRightsOfTheMirror(t *testing.T) {
	url, token := netboxtest.Disposable(t)
	need := mirrorNeeds()
	var grants []netboxtest.Grant
	for _, r := range need.rights() {
		if r.Table != netbox.Ranges || r.Action != "delete" {
			grants = append(grants, netboxtest.Grant{Object: r.Table.Model(), Actions: []string{r.Action}})
		}
	}
	limited := netboxtest.LimitByREST(url, token)(t, false, grants...)
	var found []string
	for _, f := range prepare.Check(t.Context(), clienttest.Connect(t, url, limited, clienttest.Silent()), need.Needs()) {
		if strings.Contains(f.Problem, "lacks this permission") {
			found = append(found, f.Object)
		}
	}
	if len(found) != 1 || found[0] != "delete on ipam.iprange" {
		t.Errorf("missing %v, want delete on ipam.iprange alone", found)
	}
}

// namedRow finds the object with a value; nil if there is none.
func namedRow(ctx context.Context, c *netbox.Client, table netbox.Table, key, value string) (*netbox.Shown, error) {
	var found *netbox.Shown
	err := c.List(ctx, table, url.Values{key: {value}}, func(raw json.RawMessage) (int64, error) {
		row, err := netbox.DecodeShown(raw)
		if err == nil && row.Is(key, value) {
			found = row
		}
		return row.ID(), err
	})
	return found, err
}
