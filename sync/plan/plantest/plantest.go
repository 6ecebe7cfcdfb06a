// Package plantest holds what the tests of several packages need of plans: a
// sample of every kind of step, and golden files. Production code must not use it.
package plantest

import (
	"encoding/json"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// Golden compares text with a file below testdata, or writes it with -update.
func Golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// Hostile is a host name as a client may send it.
const Hostile = "pc\x1b[2J\u202e<b>`|x\r\ny"

// Sample has one step of every kind that people get to see.
func Sample() *plan.Plan {
	lab, guest := netip.MustParsePrefix("10.8.4.0/24"), netip.MustParsePrefix("10.8.6.0/25")
	addr := netip.MustParseAddr
	var exclusions []string
	for _, host := range strings.Split("ABCDEFGHIJKLMN", "") {
		exclusions = append(exclusions, `{"code":"`+host+`","value":"x y"}`)
	}
	return &plan.Plan{
		Made: time.Date(2026, 7, 1, 3, 0, 0, 0, time.UTC),
		Steps: []plan.Step{
			{Phase: plan.Records, Target: plan.NetBox, Action: state.Update, Kind: state.ConfigContext, ID: 4, Name: "windows-dhcp failover east-pair",
				Changes: []plan.Change{{Field: "data", Old: json.RawMessage(`{"mode":"LoadBalance","max_client_lead_time":3600}`), New: json.RawMessage(`{"mode":"HotStandby","max_client_lead_time":3600}`)}, {Field: "is_active", Old: false, New: true}},
				Rule:    "4", Why: "dh1.corp.example reports it"},
			{Phase: plan.Records, Target: plan.NetBox, Action: state.Update, Kind: state.IPRange, ID: 7, Name: "10.8.4.20-10.8.4.250", Scope: lab,
				Changes: []plan.Change{
					{Field: "custom_fields.dhcp_lease_seconds", Old: int64(86400), New: int64(691200)},
					{Field: "custom_fields.dhcp_router", Old: nil, New: "10.8.4.1"},
					{Field: "custom_fields.dhcp_exclusions", Old: json.RawMessage(`[{"start":"10.8.4.20","end":"10.8.4.29"},{"end":"10.8.4.41","start":"10.8.4.40"}]`),
						New: json.RawMessage(`[{"start":"10.8.4.40","end":"10.8.4.41"},{"start":"10.8.4.50","end":"10.8.4.59"}]`)},
					{Field: "custom_fields.dhcp_options", Old: nil, New: json.RawMessage("[" + strings.Join(exclusions, ",") + "]")},
				},
				Rule: "5", Why: "as dh1.corp.example shows it; what was edited in NetBox is not kept while push_scope_info is off"},
			{Phase: plan.Addresses, Target: plan.NetBox, Action: state.Update, Kind: state.IPAddress, ID: 70, Name: "10.8.4.60/24", Scope: lab, Addr: addr("10.8.4.60"),
				Changes: []plan.Change{{Field: "dns_name", Old: " mfp-2", New: "mfp-3"}}, AddTags: []string{"new-tag"}, RemoveTags: []string{state.TagInvalid}, Rule: "3.5 row 8", Why: "a reservation on dh1.corp.example", Journal: "Was edited by hand."},
			{Phase: plan.Addresses, Target: plan.NetBox, Action: state.Create, Kind: state.IPAddress, Name: "10.8.4.33/24", Scope: lab, Addr: addr("10.8.4.33"),
				Changes: []plan.Change{{Field: "status", Old: nil, New: "dhcp"}, {Field: "dns_name", Old: nil, New: "pc-17"}, {Field: "custom_fields.dhcp_lease_hostname", Old: nil, New: Hostile}}, Rule: "3.5 row 4", Why: "leased to " + Hostile},
			{Phase: plan.Cleanup, Target: plan.NetBox, Action: state.Delete, Kind: state.IPAddress, ID: 71, Name: "10.8.6.20/25", Scope: guest, Addr: addr("10.8.6.20"), VRF: 3,
				Observed: []plan.Change{{Field: "status", Old: "dhcp", New: "dhcp"}, {Field: "dns_name", Old: "", New: ""}}, Rule: "3.7", Why: "no lease and no reservation on dh2.corp.example"},
			{Phase: plan.Push, Target: "dh1.corp.example", Action: state.Create, Kind: plan.WindowsReservation, Name: "reservation 10.8.4.61", Scope: lab, Addr: addr("10.8.4.61"),
				Changes: []plan.Change{{Field: "client_id", Old: nil, New: "3c-52-82-0a-1b-61"}, {Field: "name", Old: nil, New: "cam-1"}}, Rule: "5.2", Why: "NetBox has it"},
			{Phase: plan.Reflection, Target: plan.NetBox, Action: state.Update, Kind: state.IPPrefix, ID: 9, Name: "10.8.4.0/24", Scope: lab,
				Changes: []plan.Change{{Field: "custom_fields.dhcp_scopes", Old: "| a |\n| - |\n| old |\n", New: "| a |\n| - |\n| new |\n"}}, Rule: "9 row 15"},
		},
		Notes: []plan.Note{
			{Level: plan.Info, Server: "dh3.corp.example", Rule: "3.2", Text: "not asked: in maintenance"},
			{Level: plan.Skip, Scope: lab, Addr: addr("10.8.4.9"), Rule: "3.4", Text: "protected"},
			{Level: plan.Guard, Scope: guest, Server: "dh2.corp.example", Rule: "3.7 guard c", Text: "would lose 40 of 50 addresses; nothing is deleted there"},
			{Level: plan.Failure, Server: "dh2.corp.example", Scope: guest, Rule: "3.8", Text: "leases: " + Hostile},
			{Level: plan.Warning, Text: "a warning about nothing in particular"},
		},
		Scopes: []plan.ScopeSeen{
			{Server: "dh1.corp.example", Source: plan.Source{Failover: "east-pair"}, Scope: lab, Name: "Lab", Known: true, Synced: true, Leases: 1, Reservations: 2},
			{Server: "dh2.corp.example", Source: plan.Source{Server: "dh2.corp.example"}, Scope: guest, Name: "Guest " + Hostile, VRF: 3, Why: "in maintenance"},
		},
		Violations: []plan.Violation{{ID: 80, Addr: netip.MustParsePrefix("10.8.4.25/24"), Text: "lies in the exclusion 10.8.4.20-10.8.4.29 of Lab"}},
	}
}

// CheckSafe fails on bytes that could steer a terminal.
func CheckSafe(t interface{ Errorf(string, ...any) }, out []byte) {
	if !utf8.Valid(out) {
		t.Errorf("not UTF-8: %q", out)
	}
	for _, r := range string(out) {
		if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) {
			t.Errorf("%U is in %q", r, out)
			return
		}
	}
}
