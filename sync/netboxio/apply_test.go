package netboxio

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

func custom(name string) string { return netbox.CustomPrefix + name }

// newAddress is the create of a lease as the mirror makes it.
func newAddress(address string, vrf int64) Write {
	w := Write{Kind: state.IPAddress, Action: state.Create, VRF: vrf, Message: "run 1: new lease", Set: map[string]any{
		"address": address, "status": "dhcp", "dns_name": "PC-1.corp.example", "vrf": nil,
		custom(state.FieldClientID): "3c-52-82-0a-1b-2c", custom(state.FieldManaged): "created", custom(state.FieldLeaseActive): true,
		custom(state.FieldLeaseExpires): "2026-07-01T09:30:00+00:00",
	}}
	if p, err := netip.ParsePrefix(address); err == nil {
		w.Host = p.Addr()
	}
	if vrf != 0 {
		w.Set["vrf"] = vrf
	}
	return w
}

// update changes the address of the world that shows every field.
func update(t *testing.T, seeded *netboxtest.Seeded) Write {
	t.Helper()
	return Write{Kind: state.IPAddress, Action: state.Update, ID: seeded.ID(t, "ipam/ip-addresses", "10.8.4.33/24"), Host: netip.MustParseAddr("10.8.4.33"),
		Set:     map[string]any{"dns_name": "pc-18.corp.example", custom(state.FieldManaged): "adopted", custom(state.FieldLeaseActive): false},
		Before:  map[string]any{"dns_name": "pc-17.corp.example", custom(state.FieldManaged): "created", custom(state.FieldLeaseActive): true, "status": "dhcp"},
		AddTags: []string{state.TagScope}, RemoveTags: []string{"dhcp-protect"}, Message: "run 1"}
}

func remove(t *testing.T, seeded *netboxtest.Seeded, address string, before map[string]any) Write {
	t.Helper()
	return Write{Kind: state.IPAddress, Action: state.Delete, ID: seeded.ID(t, "ipam/ip-addresses", address), Before: before}
}

func wantResults(t *testing.T, results []Result, want ...Outcome) {
	t.Helper()
	if len(results) != len(want) {
		t.Fatalf("%d results, want %d", len(results), len(want))
	}
	for i, r := range results {
		if r.Outcome != want[i] {
			t.Errorf("result %d is %s (%v), want %s", i, r.Outcome, r.Err, want[i])
		}
		switch r.Outcome {
		case Refused, Failed, Changed:
			if r.Err == nil {
				t.Errorf("result %d (%s) has no reason", i, r.Outcome)
			}
		case Done, Unchanged:
			if r.ID == 0 {
				t.Errorf("result %d (%s) has no id", i, r.Outcome)
			}
		}
	}
}

// mirrorWrites is one write of every sort, none of which depends on another.
func someWrites(t *testing.T, seeded *netboxtest.Seeded) []Write {
	t.Helper()
	red := seeded.ID(t, "ipam/vrfs", "red")
	scope := seeded.ID(t, "ipam/ip-ranges", "10.8.4.20/24-10.8.4.250/24")
	return []Write{
		{Kind: state.IPPrefix, Action: state.Create, Set: map[string]any{"prefix": "10.8.8.0/24", "status": "active", custom(state.FieldScopes): "| scope |"}},
		{Kind: state.IPRange, Action: state.Create, AddTags: []string{state.TagScope}, Set: map[string]any{
			"start_address": "10.8.8.20/24", "end_address": "10.8.8.99/24", "status": "active", "role": seeded.ID(t, "ipam/roles", state.RoleScope),
			custom(state.FieldScopeName): "Guest", custom(state.FieldLeaseSeconds): int64(28800),
			custom(state.FieldExclusions): json.RawMessage(`[{"start":"10.8.8.20","end":"10.8.8.29"}]`)}},
		{Kind: state.IPRange, Action: state.Update, ID: scope,
			Set:    map[string]any{custom(state.FieldExclusions): []any{}, custom(state.FieldLeaseSeconds): int64(86400)},
			Before: map[string]any{custom(state.FieldExclusions): json.RawMessage(`[ {"start":"10.8.4.20", "end":"10.8.4.29"} ]`), custom(state.FieldLeaseSeconds): int64(691200), "role": state.RoleScope}},
		newAddress("10.8.4.40/24", 0), newAddress("10.8.4.40/24", red), newAddress("10.8.4.41/24", 0),
		update(t, seeded),
		{Kind: state.ConfigContext, Action: state.Create, Set: map[string]any{"name": state.ContextName + "option-values", "is_active": true,
			"tags": []string{state.TagData}, "data": map[string]any{"options": []any{map[string]any{"code": 6, "value": "10.1.1.1"}}}}},
		{Kind: state.ConfigContext, Action: state.Update, ID: seeded.ID(t, "extras/config-contexts", state.ContextName+"failover east-pair"),
			Set: map[string]any{"data": map[string]any{"mode": "LoadBalance", "mclt": int64(3600)}}, Before: map[string]any{"data": json.RawMessage(`{"mode":"HotStandby"}`), "is_active": false}},
		remove(t, seeded, "10.8.4.60/32", map[string]any{"status": "reserved", "assigned_object_id": nil}),
	}
}

func doneAll(n int) []Outcome {
	all := make([]Outcome, n)
	for i := range all {
		all[i] = Done
	}
	return all
}

func TestWritesOfTheMirrorAreCarriedOutOnce(t *testing.T) { // rule 10, second run
	for _, v := range supportedVersions() {
		t.Run("NetBox "+string(v), func(t *testing.T) {
			t.Parallel()
			s, seeded, c := serveScopes(t, v)
			writes := someWrites(t, seeded)
			var done []int
			wantResults(t, Apply(t.Context(), c, writes, func(n int) { done = append(done, n) }), doneAll(len(writes))...)
			if done[len(done)-1] != len(writes) {
				t.Errorf("progress %v", done)
			}
			if _, n := methods(s.Requests(), "ipam/ip-addresses"); n > 3 {
				t.Errorf("%d requests for three creates, an update and a delete", n)
			}
			for _, r := range s.Requests() {
				if len(r.Ignored) > 0 {
					t.Errorf("%s passes over %v", r.Path, r.Ignored)
				}
			}
			s.ForgetRequests()
			again := doneAll(len(writes))
			for i := range again {
				again[i] = Unchanged
			}
			wantResults(t, Apply(t.Context(), c, writes, nil), again...)
			if n := len(s.Writes()); n != 0 {
				t.Errorf("%d writes that change nothing", n)
			}
		})
	}
}

func TestAnUpdateTouchesNothingElse(t *testing.T) {
	for _, v := range supportedVersions() {
		t.Run("NetBox "+string(v), func(t *testing.T) {
			t.Parallel()
			s, seeded, c := serveScopes(t, v)
			one := update(t, seeded)
			other := Write{Kind: state.IPAddress, Action: state.Update, ID: seeded.ID(t, "ipam/ip-addresses", "10.9.9.9/24"), Set: map[string]any{"status": "dhcp"}}
			before := s.Get("ipam/ip-addresses", one.ID)
			wantResults(t, Apply(t.Context(), c, []Write{one, other}, nil), Done, Done)
			after := s.Get("ipam/ip-addresses", one.ID)
			for _, field := range []string{"status", "description", "tenant", "address"} {
				if fmt.Sprint(before[field]) != fmt.Sprint(after[field]) {
					t.Errorf("%s was %v and is %v", field, before[field], after[field])
				}
			}
			row := showingOf(t, s, one.ID)
			if got := fmt.Sprint(row.TagSlugs()); got != "[keep windows-dhcp]" {
				t.Errorf("tags %s", got)
			}
			if !row.Is(custom(state.FieldClientID), "3c-52-82-0a-1b-2c") || !row.Is(custom(state.FieldManaged), "adopted") || !row.Is("dns_name", "pc-18.corp.example") {
				t.Errorf("shows %v", after)
			}
			body := s.Writes()[0].Body
			if v == netboxtest.V45 == strings.Contains(body, "add_tags") || !strings.Contains(body, `"changelog_message":"run 1"`) {
				t.Errorf("body %s", body)
			}
		})
	}
}

func showingOf(t *testing.T, s *netboxtest.Server, id int64) *netbox.Shown {
	t.Helper()
	raw, err := json.Marshal(s.Get("ipam/ip-addresses", id))
	if err != nil {
		t.Fatal(err)
	}
	row, err := netbox.DecodeShown(raw)
	if err != nil {
		t.Fatal(err)
	}
	return row
}

func TestOneBadRowHoldsUpNoOther(t *testing.T) { // rule 3.8 one IP rejected
	for _, v := range supportedVersions() {
		t.Run("NetBox "+string(v), func(t *testing.T) {
			t.Parallel()
			_, seeded, c := serveScopes(t, v)
			var writes []Write
			var want []Outcome
			for n := range 40 {
				w, outcome := newAddress(fmt.Sprintf("10.8.4.%d/24", 100+n), 0), Done
				switch n {
				case 3:
					w.Set["dns_name"], outcome = "not a name", Refused
				case 17:
					w.AddTags, outcome = []string{"nosuch"}, Refused
				case 30:
					w.Set["vrf"], w.VRF, outcome = int64(9999), 9999, Refused
				}
				writes, want = append(writes, w), append(want, outcome)
			}
			// Inside a range that a human marked as populated.
			populated := newAddress("10.8.6.25/24", seeded.ID(t, "ipam/vrfs", "red"))
			writes, want = append(writes, populated), append(want, Refused)
			results := Apply(t.Context(), c, writes, nil)
			wantResults(t, results, want...)
			if err := results[40].Err.Error(); !strings.Contains(err, "inside range") || !strings.Contains(err, "10.8.6.25") {
				t.Errorf("the reason is lost: %s", err)
			}
			var changes []Write
			want = nil
			for n, r := range results[:40] {
				if r.Outcome != Done {
					continue
				}
				w, outcome := Write{Kind: state.IPAddress, Action: state.Update, ID: r.ID, Set: map[string]any{"status": "reserved"}}, Done
				if n == 7 || n == 20 {
					w.Set, outcome = map[string]any{"status": "nosuch"}, Refused
				}
				changes, want = append(changes, w), append(want, outcome)
			}
			wantResults(t, Apply(t.Context(), c, changes, nil), want...)
		})
	}
}

func TestJournalEntriesAreMadeInOneRequestAndNeverTwice(t *testing.T) { // NB-4 (journal)
	for _, v := range supportedVersions() {
		t.Run("NetBox "+string(v), func(t *testing.T) {
			t.Parallel()
			s, seeded, c := serveScopes(t, v)
			entry := func(text string) Write {
				return Write{Kind: state.JournalEntry, Action: state.Create, Set: map[string]any{"assigned_object_type": "ipam.iprange",
					"assigned_object_id": seeded.ID(t, "ipam/ip-ranges", "10.8.4.20/24-10.8.4.250/24"), "kind": "info", "comments": text}}
			}
			writes := []Write{entry("one"), entry("two"), entry("")}
			wantResults(t, Apply(t.Context(), c, writes, nil), Done, Done, Refused)
			s.ForgetRequests()
			s.Fail(netboxtest.Fault{Kind: netboxtest.Timeout504, Method: "POST", Times: 1})
			wantResults(t, Apply(t.Context(), c, append(writes[:2:2], update(t, seeded)), nil), Failed, Failed, Done)
			s.Fail(netboxtest.Fault{Kind: netboxtest.Throttled429, Method: "POST", Times: 1})
			wantResults(t, Apply(t.Context(), c, writes[:2], nil), Done, Done)
			if n := s.Count("extras/journal-entries"); n != 6 {
				t.Errorf("%d entries, want 6", n)
			}
		})
	}
}

func TestManyCreatesGoInBatches(t *testing.T) {
	s, _, c := serveScopes(t, netboxtest.V47)
	var writes []Write
	for n := range 300 {
		writes = append(writes, newAddress(fmt.Sprintf("10.9.%d.%d/16", n/250, n%250+1), 0))
	}
	last := -1
	results := Apply(t.Context(), c, writes, func(done int) {
		if done < last {
			t.Errorf("progress %d after %d", done, last)
		}
		last = done
	})
	// 10.9.9.9 of the world is in none of them.
	wantResults(t, results, doneAll(300)...)
	reads, n := methods(s.Requests(), "ipam/ip-addresses")
	if n > 3 || reads > 4 || last != 300 {
		t.Errorf("%d writes and %d reads for 300 creates, progress up to %d", n, reads, last)
	}
}
