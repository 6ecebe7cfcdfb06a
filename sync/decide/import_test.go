package decide

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// rule 4, 9 rows 2, 8, 10 and 11.
func TestImport(t *testing.T) {
	t.Run("4 step 1: a relationship is recorded with defaults for what the server does not tell", func(t *testing.T) {
		l := paired(t)
		var got contextData
		if err := json.Unmarshal(l.context("windows-dhcp failover east").Data, &got); err != nil {
			t.Fatal(err)
		}
		want := &failoverData{Name: "east", PrimaryServer: dh1, SecondaryServer: dh2, Mode: "HotStandby", MaxClientLeadTime: 3600, MaxResponseDelay: 30}
		if diff := cmp.Diff(want, got.WindowsDHCP.Failover); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
	t.Run("4 step 1: mode and times that are told are kept", func(t *testing.T) {
		l := newLab(t)
		l.p.Servers = append(l.p.Servers, defaults(dh2).Servers...)
		l.w.pair("east", dh1, dh2)
		seconds := int64(600)
		f := &l.w.server(dh1).failovers[0]
		f.Mode, f.MaxClientLeadTime, f.StateSwitchover, f.Auth = "", 1800, &seconds, true
		l.importAll()
		data := string(l.context("windows-dhcp failover east").Data)
		for _, want := range []string{`"mode":"LoadBalance"`, `"max_client_lead_time":1800`, `"state_switchover_interval":600`, `"enable_auth":true`} {
			if !strings.Contains(data, want) {
				t.Errorf("no %s in %s", want, data)
			}
		}
	})
	t.Run("4 step 1: an existing relationship is not changed", func(t *testing.T) {
		l := paired(t)
		l.w.server(dh1).failovers[0].Mode = "LoadBalance"
		wantSteps(t, l.importAll(), anyStep)
	})
	t.Run("4 step 1: a server that is not configured is named, and scopes proceed", func(t *testing.T) {
		l := &lab{T: t, w: newWorld(), p: defaults(dh1)}
		l.scope = l.w.server(dh1).addScope("10.8.4.0/24", "10.8.4.20", "10.8.4.250")
		l.w.pair("east", dh1, dh2, "10.8.4.0")
		p := l.importAll()
		wantNote(t, p, plan.Failure, "4 step 1", dh2)
		wantNote(t, p, plan.Warning, "4", "kept as a scope of this server alone")
		wantSteps(t, p, onRanges, "create scope 10.8.4.0/24 of dh1.corp.example (net 10.8.4.0/24) [4 step 2]")
		// And it is linked anew once the relationship is known.
		l.p = defaults(dh1, dh2)
		l.importAll()
		if r := l.w.nb.Ranges[0]; r.Failover != "east" || r.Server != "" || len(l.w.nb.Ranges) != 1 {
			t.Errorf("got %+v", l.w.nb.Ranges)
		}
	})
	t.Run("4 step 1: a list of relationships that fails is an error, and scopes proceed", func(t *testing.T) {
		l := &lab{T: t, w: newWorld(), p: defaults(dh1)}
		l.scope = l.w.server(dh1).addScope("10.8.4.0/24", "10.8.4.20", "10.8.4.250")
		l.w.server(dh1).failoversFail = true
		p := l.importAll()
		wantNote(t, p, plan.Failure, "3.8", "failover relationships")
		wantSteps(t, p, onRanges, "create scope 10.8.4.0/24 of dh1.corp.example (net 10.8.4.0/24) [4 step 2]")
	})
	t.Run("4 step 2: a missing prefix is created", func(t *testing.T) { // rule 9 row 11: on
		l := &lab{T: t, w: newWorld(), p: defaults(dh1)}
		l.scope = l.w.server(dh1).addScope("10.8.4.0/24", "10.8.4.20", "10.8.4.250")
		l.p.Servers[0].ScopeVRF = map[netip.Prefix]string{l.scope.Subnet: "65000:7"}
		l.importAll()
		if p := l.w.nb.Prefixes; len(p) != 1 || p[0].VRF != 7 || p[0].Status != "active" || !strings.Contains(p[0].Scopes, "net 10.8.4.0/24") {
			t.Errorf("got %+v", p)
		}
	})
	t.Run("4 step 2: or missed, with create_missing_prefixes off", func(t *testing.T) { // rule 9 row 11: off
		l := &lab{T: t, w: newWorld(), p: defaults(dh1)}
		l.p.CreateMissingPrefixes = false
		l.scope = l.w.server(dh1).addScope("10.8.4.0/24", "10.8.4.20", "10.8.4.250")
		p := l.importAll()
		wantSteps(t, p, anyStep)
		wantNote(t, p, plan.Failure, "4 step 2", "NetBox has no such prefix")
		l.p.AutoImport = true
		l.scope.lease("10.8.4.33", pc, "pc")
		wantSteps(t, l.run(), anyStep)
	})
	t.Run("4 step 2: an existing scope is skipped, its attributes untouched", func(t *testing.T) {
		l := newLab(t)
		r := &l.w.nb.Ranges[0]
		r.LeaseDisplay, r.Description, r.Tags, r.Server = "edited", "edited", nil, "DH1"
		l.scope.Name, l.scope.Start, l.scope.LeaseSeconds, l.scope.State = "renamed", netip.MustParseAddr("10.8.4.99"), 3600, "Inactive"
		l.scope.options = []windhcp.Option{{Code: 222, Values: []string{"x"}}}
		wantSteps(t, l.importAll(), anyStep)
	})
	t.Run("4 values: name, range, router, lease time and defaults", func(t *testing.T) {
		l := &lab{T: t, w: newWorld(), p: defaults(dh1)}
		full := l.w.server(dh1).addScope("10.8.4.0/24", "10.8.4.20", "10.8.4.250")
		full.Router, full.Description = netip.MustParseAddr("10.8.4.1"), "Lab"
		bare := l.w.server(dh1).addScope("10.8.6.0/24", "10.8.6.20", "10.8.6.250")
		bare.Name, bare.LeaseSeconds, bare.Router = "", 0, netip.MustParseAddr("0.0.0.0")
		l.importAll()
		got := l.w.nb.Ranges
		if r := got[0]; r.ScopeName != "net 10.8.4.0/24" || r.Router != "10.8.4.1" || r.LeaseSeconds != 691200 || r.LeaseDisplay != "8 Days" || r.Description != "Lab" ||
			r.Start.String() != "10.8.4.20" || r.End.String() != "10.8.4.250" || r.Bits != 24 || r.Role != state.RoleScope || r.Tags[0] != state.TagScope {
			t.Errorf("got %+v", r)
		}
		if r := got[1]; r.ScopeName != "10.8.6.0" || r.Router != "" || r.LeaseSeconds != 86400 || r.LeaseDisplay != "1 Day" {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("4 step 3: options 3 and 51 are left out unless they are a vendor's", func(t *testing.T) {
		l := &lab{T: t, w: newWorld(), p: defaults(dh1)}
		l.scope = l.w.server(dh1).addScope("10.8.4.0/24", "10.8.4.20", "10.8.4.250")
		l.scope.options = []windhcp.Option{
			{Code: 3, Values: []string{"10.8.4.1"}}, {Code: 51, Values: []string{"60"}}, {Code: 6, Name: "Other Name", Values: []string{"10.1.1.1", "10.1.1.2"}},
			{Code: 3, Name: "Vendor 3", Values: []string{"x"}, VendorClass: "acme"}, {Code: 230, Values: []string{"y"}},
		}
		l.importAll()
		if got, want := string(l.w.nb.Ranges[0].Options), `[{"code":6,"value":"10.1.1.1, 10.1.1.2"},{"code":230,"value":"y"},{"code":3,"vendor_class":"acme","value":"x"}]`; got != want {
			t.Errorf("got %s", got)
		}
		codes := string(l.context(plan.CodesContext).Data)
		for _, want := range []string{`"name":"DNS Servers"`, `{"code":230,"name":"Option 230","type":"String"}`, `{"code":3,"vendor_class":"acme","name":"Vendor 3","type":"String"}`} {
			if !strings.Contains(codes, want) {
				t.Errorf("no %s in %s", want, codes)
			}
		}
		if strings.Contains(codes, "Other Name") || strings.Count(string(l.context(plan.ValuesContext).Data), `"code"`) != 3 || !strings.Contains(string(l.context(plan.ValuesContext).Data), `"note":"kept"`) {
			t.Errorf("library: %s\n%s", codes, l.context(plan.ValuesContext).Data)
		}
		// A value the library has is used again.
		l.w.server(dh1).addScope("10.8.6.0/24", "10.8.6.20", "10.8.6.250").options = l.scope.options
		wantSteps(t, l.importAll(), func(s plan.Step) bool { return s.Kind == state.ConfigContext })
	})
	t.Run("4 step 3: a code with two values is reported, one is recorded", func(t *testing.T) { // rule 9 row 7
		l := &lab{T: t, w: newWorld(), p: defaults(dh1)}
		l.scope = l.w.server(dh1).addScope("10.8.4.0/24", "10.8.4.20", "10.8.4.250")
		l.scope.options = []windhcp.Option{{Code: 6, Values: []string{"10.1.1.1"}}, {Code: 6, Values: []string{"10.2.2.2"}}}
		p := l.importAll()
		wantNote(t, p, plan.Warning, "9 row 7", "several values")
		if got := string(l.w.nb.Ranges[0].Options); got != `[{"code":6,"value":"10.1.1.1"}]` {
			t.Errorf("got %s", got)
		}
	})
	t.Run("4 step 4: exclusions are added to known scopes too, never removed", func(t *testing.T) {
		l := newLab(t)
		l.scope.exclusions = []windhcp.Exclusion{span("10.8.4.40", "10.8.4.49"), span("10.8.4.30", "10.8.4.39")}
		l.importAll()
		l.scope.exclusions = []windhcp.Exclusion{span("10.8.4.60", "10.8.4.60")}
		l.importAll()
		want := `[{"start":"10.8.4.30","end":"10.8.4.39"},{"start":"10.8.4.40","end":"10.8.4.49"},{"start":"10.8.4.60","end":"10.8.4.60"}]`
		if got := string(l.w.nb.Ranges[0].Exclusions); got != want {
			t.Errorf("got %s", got)
		}
	})
	t.Run("4 identity: a scope renamed on the server stays one scope", func(t *testing.T) {
		l := newLab(t)
		l.scope.Name = "renamed"
		wantSteps(t, l.importAll(), anyStep)
		wantSteps(t, l.run(), onRanges, "update scope 10.8.4.0/24 of dh1.corp.example (renamed) [5.1]")
	})
	t.Run("4 source: a scope that joins or leaves a relationship is linked anew", func(t *testing.T) {
		l := newLab(t)
		l.p.Servers = append(l.p.Servers, defaults(dh2).Servers...)
		l.w.pair("east", dh1, dh2, "10.8.4.0")
		l.importAll()
		if r := l.w.nb.Ranges[0]; r.Failover != "east" || r.Server != "" {
			t.Errorf("joined: %+v", r)
		}
		l.leave()
		p := l.run()
		wantNote(t, p, plan.Warning, "4", "no longer to failover east")
		if r := l.w.nb.Ranges[0]; r.Failover != "" || r.Server != dh1 {
			t.Errorf("left: %+v", r)
		}
	})
	t.Run("4 a second import writes nothing, and import touches no address", func(t *testing.T) { // rule 9 row 10
		l := paired(t)
		l.scope.lease("10.8.4.40", pc, "pc")
		l.scope.exclusions = []windhcp.Exclusion{span("10.8.4.30", "10.8.4.39")}
		l.add(state.Address{Status: "dhcp"})
		l.importAll()
		p := l.importAll()
		wantSteps(t, p, anyStep)
	})
	t.Run("4 import asks servers whose standalone scopes are not synced", func(t *testing.T) {
		l := &lab{T: t, w: newWorld(), p: defaults(dh1)}
		l.p.Servers[0].Standalone = false
		l.scope = l.w.server(dh1).addScope("10.8.4.0/24", "10.8.4.20", "10.8.4.250")
		wantSteps(t, l.importAll(), onRanges, "create scope 10.8.4.0/24 of dh1.corp.example (net 10.8.4.0/24) [4 step 2]")
	})
}

func TestAutoImport(t *testing.T) { // 4, later syncs
	l := newLab(t)
	l.w.server(dh1).addScope("10.8.6.0/24", "10.8.6.20", "10.8.6.250").lease("10.8.6.30", pc, "pc")
	p := l.run()
	wantSteps(t, p, anyStep)
	wantNote(t, p, plan.Info, "3.2", "not known to NetBox")
	l.p.AutoImport = true
	l.p.PushScopeInfo = true
	wantSteps(t, l.run(), anyStep) // with push_scope_info on NetBox is the truth
	l.p.PushScopeInfo = false
	wantSteps(t, l.run(), func(s plan.Step) bool { return onRanges(s) || onAddresses(s) },
		"create scope 10.8.6.0/24 of dh1.corp.example (net 10.8.6.0/24) [4 step 2]", "create 10.8.6.30/24 [3.5 row 4]")
}

func TestOptionsAreRefreshed(t *testing.T) { // 4, later syncs
	l := newLab(t)
	l.scope.options = []windhcp.Option{{Code: 6, Values: []string{"10.1.1.1"}}}
	l.p.RefreshOptions = false
	wantSteps(t, l.run(), anyStep)
	l.p.RefreshOptions, l.p.PushScopeInfo = true, true // what is never pushed follows the server in both modes
	wantSteps(t, l.run(), onRanges, "update scope 10.8.4.0/24 of dh1.corp.example (net 10.8.4.0/24) [5.1]")
	l.p.PushScopeInfo = false
	wantSteps(t, l.run(), anyStep)
	if got := string(l.w.nb.Ranges[0].Options); got != `[{"code":6,"value":"10.1.1.1"}]` {
		t.Errorf("got %s", got)
	}
}

func TestScopesOfOnePrefix(t *testing.T) { // rule 9 row 3
	t.Run("two scopes that do not overlap are two ranges", func(t *testing.T) {
		l := newLab(t)
		l.p.Servers = append(l.p.Servers, defaults(dh2).Servers...)
		l.scope.End = netip.MustParseAddr("10.8.4.99")
		l.w.server(dh2).addScope("10.8.4.0/24", "10.8.4.100", "10.8.4.250")
		l.run()
		l.importAll()
		if len(l.w.nb.Ranges) != 2 || strings.Count(l.w.nb.Prefixes[0].Scopes, "| net ") != 2 {
			t.Errorf("got %+v\n%s", l.w.nb.Ranges, l.w.nb.Prefixes[0].Scopes)
		}
		// They exchange room; then one takes all of it, and the other is an entry.
		l.scope.End, l.w.server(dh2).scopes[l.scope.ID()].Start = netip.MustParseAddr("10.8.4.149"), netip.MustParseAddr("10.8.4.150")
		l.run()
		l.scope.End = netip.MustParseAddr("10.8.4.250")
		l.run()
		if len(l.w.nb.Ranges) != 1 || !strings.Contains(string(l.w.nb.Ranges[0].OtherSources), dh2) {
			t.Errorf("got %+v", l.w.nb.Ranges)
		}
		// The owner goes: the range passes to the other.
		l.w.server(dh1).addScope("10.9.9.0/24", "10.9.9.1", "10.9.9.9")
		delete(l.w.server(dh1).scopes, l.scope.ID())
		l.runLater()
		if r := l.w.nb.Ranges; len(r) != 1 || r[0].Server != dh2 || r[0].Start.String() != "10.8.4.150" || r[0].OtherSources != nil {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("a scope over a range made by hand is not recorded, and not synced", func(t *testing.T) {
		l := &lab{T: t, w: newWorld(), p: defaults(dh1)}
		l.scope = l.w.server(dh1).addScope("10.8.4.0/24", "10.8.4.20", "10.8.4.250")
		l.scope.lease("10.8.4.33", pc, "pc")
		l.w.nb.Ranges = []state.Range{{ID: 9, Start: netip.MustParseAddr("10.8.4.100"), End: netip.MustParseAddr("10.8.4.110"), Bits: 24}}
		l.p.AutoImport = true
		l.add(state.Address{Address: netip.MustParsePrefix("10.8.4.34/24"), Status: "dhcp"})
		p := l.run()
		wantSteps(t, p, func(s plan.Step) bool { return onRanges(s) || onAddresses(s) })
		wantNote(t, p, plan.Conflict, "4 step 2", "overlaps IP range 10.8.4.100-10.8.4.110 (id 9)")
	})
	t.Run("scopes of different size that overlap: the second is refused in the plan, not by NetBox", func(t *testing.T) {
		l := &lab{T: t, w: newWorld(), p: defaults(dh1, dh2)}
		l.scope = l.w.server(dh1).addScope("10.8.4.0/24", "10.8.4.20", "10.8.4.250")
		l.w.server(dh2).addScope("10.8.0.0/16", "10.8.0.20", "10.8.9.250")
		wantNote(t, l.importAll(), plan.Conflict, "4 step 2", "overlaps")
	})
	t.Run("a recorded scope that grows into a range made by hand keeps its span", func(t *testing.T) {
		l := newLab(t)
		l.w.nb.Ranges = append(l.w.nb.Ranges, state.Range{ID: 9, Start: netip.MustParseAddr("10.8.4.5"), End: netip.MustParseAddr("10.8.4.9"), Bits: 24})
		l.scope.Start, l.scope.Name = netip.MustParseAddr("10.8.4.2"), "renamed"
		p := l.run()
		wantNote(t, p, plan.Conflict, "5.1", "stay as they are")
		if r := l.w.nb.Ranges[0]; r.Start.String() != "10.8.4.20" || r.ScopeName != "renamed" {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("a scope of one address is no range before NetBox 4.6", func(t *testing.T) {
		for taken, ranges := range map[bool]int{false: 0, true: 1} {
			l := &lab{T: t, w: newWorld(), p: defaults(dh1)}
			l.w.nb.SingleAddressRanges = taken
			l.w.server(dh1).addScope("10.8.4.0/24", "10.8.4.20", "10.8.4.20")
			l.importAll()
			if len(l.w.nb.Ranges) != ranges {
				t.Errorf("ranges of one address taken: %t: %d ranges", taken, len(l.w.nb.Ranges))
			}
		}
	})
}

func TestEveryScopeHasExactlyOneSource(t *testing.T) { // rule 9 row 40
	for _, change := range []func(*state.Range){
		func(r *state.Range) { r.Server = "" },
		func(r *state.Range) { r.Failover = "east" },
		func(r *state.Range) {
			r.OtherSources = json.RawMessage(`[{"name":"x","start":"10.8.4.30","end":"10.8.4.40"}]`)
		},
		func(r *state.Range) { r.OtherSources = json.RawMessage(`[{"server":"dh2","name":"x"}]`) },
		func(r *state.Range) { r.Exclusions = json.RawMessage(`"broken"`) },
		func(r *state.Range) { r.Exclusions = json.RawMessage(`[{"start":"10.8.4.9","end":"10.8.4.8"}]`) },
	} {
		l := newLab(t)
		change(&l.w.nb.Ranges[0])
		l.add(state.Address{Status: "dhcp"})
		p := l.run()
		wantSteps(t, p, func(s plan.Step) bool { return s.Kind != state.IPPrefix })
		wantNote(t, p, plan.Failure, "5.3", "it is left alone")
	}
}

func TestContextsOfOthersAreIgnoredWithAWarning(t *testing.T) { // rule 9 row 35
	l := newLab(t)
	l.p.Servers = append(l.p.Servers, defaults(dh2).Servers...)
	l.w.addContext("windows-dhcp failover broken", true, `{"windows_dhcp":{}}`)
	l.w.addContext("windows-dhcp failover handmade", true, `{"windows_dhcp":{"failover":{"name":"handmade","primary_server":"dh1","secondary_server":"dh2"}}}`)
	p := l.run()
	wantSteps(t, p, anyStep)
	wantNote(t, p, plan.Warning, "9 row 35", `"windows-dhcp failover broken" is passed over`)
	wantNote(t, p, plan.Warning, "9 row 35", `"windows-dhcp failover handmade": no server reports this relationship`)
}

func TestBothPartnersRecordsBecomeOne(t *testing.T) { // 4 source
	l := &lab{T: t, w: newWorld(), p: defaults(dh1, dh2)}
	l.scope = l.w.server(dh1).addScope("10.8.4.0/24", "10.8.4.20", "10.8.4.250")
	l.w.server(dh2).addScope("10.8.4.0/24", "10.8.4.20", "10.8.4.250")
	l.w.server(dh2).addScope("10.8.6.0/24", "10.8.6.20", "10.8.6.250")
	l.importAll() // they are two split scopes until an operator makes a relationship of them
	l.w.pair("east", dh1, dh2, "10.8.4.0")
	l.p.AutoImport = true
	l.runLater()
	if r := l.w.nb.Ranges; len(r) != 2 || r[0].Failover != "east" || r[0].Server != "" || r[0].OtherSources != nil {
		t.Errorf("got %+v", r)
	}
}
