package plan

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

const (
	host1, host2     = "dh1.corp.example", "dh2.corp.example"
	clientA, clientB = "00-00-5e-00-53-01", "00-00-5e-00-53-02"
)

// pushingAll is the policy of an operator who lets the mirror write everything it
// ever writes.
func pushingAll() Policy {
	return Policy{
		Mode: Sync, SyncIPs: true, RefreshOptions: true, InheritTenant: true, Adopt: Overwrite,
		LeaseStatus: "dhcp", ReservationStatus: "reserved", ProtectTag: "dhcp-protect",
		MaxDeletePercent: 50, MaxDeleteCount: 3, KeepAssigned: true, CreateMissingPrefixes: true,
		PushReservations: true, PushScopeInfo: true, DeleteRemoved: true, DeleteScopes: true, ActivateScopes: true, ReplaceClientID: true,
		Servers: []Server{{ServerName: windhcp.ServerName{Host: host1}, Selected: true, Standalone: true}},
	}
}

func observed(pairs ...string) (out []Change) {
	for pair := range slices.Chunk(pairs, 2) {
		out = append(out, Change{Field: pair[0], Old: pair[1]})
	}
	return out
}

func becomes(field string, value any) []Change { return []Change{{Field: field, New: value}} }

// Edits of a plan file that make steps out of what is not the mirror's to do.
func TestAnEditedPlanIsRefused(t *testing.T) {
	addr := netip.MustParseAddr("10.8.4.33")
	remove := Step{Target: NetBox, Action: state.Delete, Kind: state.IPAddress, ID: 7, Addr: addr,
		Observed: observed("status", "dhcp", CustomField(state.FieldManaged), "created")}
	change := Step{Target: NetBox, Action: state.Update, Kind: state.IPAddress, ID: 7, Addr: addr, Changes: becomes("status", "dhcp")}
	create := Step{Target: NetBox, Action: state.Create, Kind: state.IPAddress, Addr: addr, Changes: append(becomes("address", "10.8.4.33/24"), becomes("status", "dhcp")...)}
	scope := Step{Target: NetBox, Action: state.Update, Kind: state.IPRange, ID: 8, Changes: becomes("description", "Lab")}
	drop := Step{Target: NetBox, Action: state.Delete, Kind: state.IPRange, ID: 8, Observed: observed(CustomField(state.FieldServer), host1)}
	prefix := Step{Target: NetBox, Action: state.Update, Kind: state.IPPrefix, ID: 9, Changes: becomes(CustomField(state.FieldScopes), "table")}
	library := Step{Target: NetBox, Action: state.Update, Kind: state.ConfigContext, ID: 3, Name: CodesContext, Changes: becomes("data", json.RawMessage(`{}`))}
	context := Step{Target: NetBox, Action: state.Create, Kind: state.ConfigContext, Name: FailoverContext + "east",
		Changes: append(becomes("name", FailoverContext+"east"), becomes("tags", json.RawMessage(`["`+state.TagData+`"]`))...)}
	subnet := netip.MustParsePrefix("10.8.4.0/24")
	post := Step{Target: host1, Action: state.Create, Kind: WindowsReservation, Scope: subnet, Addr: addr, Changes: becomes("client_id", clientA)}
	put := Step{Target: host1, Action: state.Update, Kind: WindowsReservation, Scope: subnet, Addr: addr, Changes: becomes("name", "x"), Observed: observed("client_id", clientA)}
	withdraw := Step{Target: host1, Action: state.Delete, Kind: WindowsReservation, Scope: subnet, Addr: addr, Observed: observed("client_id", clientA), Record: 7}
	window := Step{Target: host1, Action: state.Update, Kind: WindowsScope, Scope: subnet, Changes: becomes("router", "10.8.4.1")}
	out := Step{Target: host1, Action: state.Update, Kind: WindowsScope, Scope: subnet, Changes: []Change{{Field: "state", Old: "Active", New: "Inactive"}}, Record: 7}
	wake := Step{Target: host1, Action: state.Update, Kind: WindowsScope, Scope: subnet, Changes: becomes("state", "Active")}
	gone := Step{Target: host1, Action: state.Delete, Kind: WindowsScope, Scope: subnet, Observed: observed("state", "Inactive"), Record: 7}
	exclude := Step{Target: host1, Action: state.Create, Kind: WindowsExclusion, Scope: subnet, Changes: becomes("exclusions", json.RawMessage(`[]`))}
	option := Step{Target: host1, Action: state.Update, Kind: WindowsOption, Scope: subnet, Changes: becomes("option_6", json.RawMessage(`["10.1.1.1"]`))}
	for _, c := range []struct {
		name   string
		step   Step
		edit   func(*Step)
		policy func(*Policy)
	}{
		{"set an option with push_scope_info off", option, nil, func(p *Policy) { p.PushScopeInfo = false }},
		{"delete options", option, func(s *Step) { s.Action = state.Delete }, nil},
		{"take an option away", option, func(s *Step) { s.Changes = becomes("option_6", nil) }, nil},
		{"set an option to no value", option, func(s *Step) { s.Changes = becomes("option_6", json.RawMessage(`[]`)) }, nil},
		{"set the router as an option", option, func(s *Step) { s.Changes = becomes("option_3", json.RawMessage(`["10.8.4.1"]`)) }, nil},
		{"set the lease time as an option", option, func(s *Step) { s.Changes = becomes("option_51", json.RawMessage(`["60"]`)) }, nil},
		{"set what is no option", option, func(s *Step) { s.Changes = becomes("name", json.RawMessage(`["x"]`)) }, nil},
		{"set options of a server that wins", option, nil, func(p *Policy) { p.Servers[0].NoPush = true }},
		{"delete an address with a foreign status", remove, func(s *Step) { s.Observed[0].Old = "active" }, nil},
		{"delete an address of which no status was seen", remove, func(s *Step) { s.Observed = s.Observed[1:] }, nil},
		{"delete a reservation made by hand", remove, func(s *Step) { s.Observed = observed("status", "reserved") }, nil},
		{"delete a pre-staged reservation", remove, func(s *Step) {
			s.Observed = observed("status", "reserved", CustomField(state.FieldManaged), "prestaged")
		}, nil},
		{"delete a reservation while NetBox is the truth for them", remove, func(s *Step) { s.Observed[0].Old = "reserved" }, func(p *Policy) { p.PushReservations = true }},
		{"delete with a time stamp that satisfies the comparison", remove, func(s *Step) { s.Observed = append(s.Observed, observed("last_updated", "2026-07-01T00:00:00Z")...) }, nil},
		{"delete with a wanted value that satisfies the comparison", remove, func(s *Step) { s.Changes = becomes("status", "active") }, nil},
		{"delete with a second status", remove, func(s *Step) { s.Observed = append(s.Observed, observed("status", "active")...) }, nil},
		{"delete without an object", remove, func(s *Step) { s.ID = 0 }, nil},
		{"delete without an address to compare", remove, func(s *Step) { s.Addr = netip.Addr{} }, nil},
		{"delete an address in an import", remove, nil, func(p *Policy) { p.Mode = Import }},
		{"delete an address in a migration", remove, nil, func(p *Policy) { p.Mode = Migrate }},
		{"delete an address while addresses are not synced", remove, nil, func(p *Policy) { p.SyncIPs = false }},
		{"change the comments of an address", change, func(s *Step) { s.Changes = becomes("comments", "mine") }, nil},
		{"change the description of an address in a migration", change, func(s *Step) { s.Changes = becomes("description", "mine") }, func(p *Policy) { p.Mode = Migrate }},
		{"move an address to another VRF", change, func(s *Step) { s.Changes = becomes("vrf", int64(2)) }, nil},
		{"renumber an address", change, func(s *Step) { s.Changes = becomes("address", "10.8.4.34/24") }, nil},
		{"give an address to another tenant", change, func(s *Step) { s.Changes = becomes("tenant", int64(2)) }, nil},
		{"give an address a status that is not configured", change, func(s *Step) { s.Changes = becomes("status", "deprecated") }, nil},
		{"take an address its status", change, func(s *Step) { s.Changes = becomes("status", nil) }, nil},
		{"invent a provenance", change, func(s *Step) { s.Changes = becomes(CustomField(state.FieldManaged), "mine") }, nil},
		{"take the protecting tag off", change, func(s *Step) { s.RemoveTags = []string{"dhcp-protect"} }, nil},
		{"tag an address as a scope", change, func(s *Step) { s.AddTags = []string{state.TagScope} }, nil},
		{"change an address while addresses are not synced", change, nil, func(p *Policy) { p.SyncIPs = false }},
		{"change the status in a migration", change, nil, func(p *Policy) { p.Mode = Migrate }},
		{"change an address in an import", change, nil, func(p *Policy) { p.Mode = Import }},
		{"change one field twice", change, func(s *Step) { s.Changes = append(s.Changes, s.Changes...) }, nil},
		{"make another address than the step says", create, func(s *Step) { s.Changes[0].New = "10.8.4.34/24" }, nil},
		{"make an address in a migration", create, nil, func(p *Policy) { p.Mode = Migrate }},
		{"do something else with an address", change, func(s *Step) { s.Action = "replace" }, nil},
		{"make an IP range a scope", scope, func(s *Step) { s.Changes = becomes("role", int64(5)) }, nil},
		{"move a scope to another VRF", scope, func(s *Step) { s.Changes = becomes("vrf", int64(2)) }, nil},
		{"mark a scope as populated", scope, func(s *Step) { s.Changes = becomes("mark_populated", true) }, nil},
		{"take the tag off a scope", scope, func(s *Step) { s.RemoveTags = []string{state.TagScope} }, nil},
		{"write a scope in a migration", scope, nil, func(p *Policy) { p.Mode = Migrate }},
		{"delete an IP range that is no scope", drop, func(s *Step) { s.Observed = observed("start_address", "10.8.4.20/24") }, nil},
		{"delete a range with two sources", drop, func(s *Step) { s.Observed = append(s.Observed, observed(CustomField(state.FieldFailover), "east")...) }, nil},
		{"delete a prefix", prefix, func(s *Step) { s.Action, s.Changes = state.Delete, nil }, nil},
		{"change the status of a prefix", prefix, func(s *Step) { s.Changes = becomes("status", "deprecated") }, nil},
		{"change the description of a prefix", prefix, func(s *Step) { s.Changes = becomes("description", "mine") }, nil},
		{"tag a prefix", prefix, func(s *Step) { s.AddTags = []string{state.TagInvalid} }, nil},
		{"delete a config context", library, func(s *Step) { s.Action, s.Changes = state.Delete, nil }, nil},
		{"change a config context that is not the mirror's", library, func(s *Step) { s.Name = "dns servers" }, nil},
		{"change a relationship", library, func(s *Step) { s.Name = FailoverContext + "east" }, nil},
		{"switch a config context off", library, func(s *Step) { s.Changes = becomes("is_active", false) }, nil},
		{"make a config context that reaches devices", context, func(s *Step) { s.Changes = s.Changes[:1] }, nil},
		{"make a config context of another name", context, func(s *Step) { s.Changes[0].New = "dns servers" }, nil},
		{"write a device", change, func(s *Step) { s.Kind = "dcim.device" }, nil},
		{"write a journal entry as a step", change, func(s *Step) { s.Kind = state.JournalEntry }, nil},
		{"reserve on a server with push_reservations off", post, nil, func(p *Policy) { p.PushReservations = false }},
		{"write to a server with read_only", post, nil, func(p *Policy) { p.ReadOnly = true }},
		{"write to a server in an import", post, nil, func(p *Policy) { p.Mode = Import }},
		{"write to a server in a migration", post, nil, func(p *Policy) { p.Mode = Migrate }},
		{"write to a server that is not configured", post, func(s *Step) { s.Target = host2 }, nil},
		{"write to a server in maintenance", post, nil, func(p *Policy) { p.Servers[0].Maintenance = true }},
		{"write to a server that an override disables", post, nil, func(p *Policy) { p.Servers[0].Disabled = true }},
		{"write to a server that is not part of the run", post, nil, func(p *Policy) { p.Servers[0].Selected = false }},
		{"write to no target", post, func(s *Step) { s.Target = "" }, nil},
		{"reserve in no scope", post, func(s *Step) { s.Scope = netip.Prefix{} }, nil},
		{"change another client's reservation", put, func(s *Step) { s.Observed = nil }, nil},
		{"give a reservation to another client without leave", put, func(s *Step) { s.Changes = becomes("client_id", clientB) }, func(p *Policy) { p.ReplaceClientID = false }},
		{"change the type of a reservation", put, func(s *Step) { s.Changes = becomes("type", "Bootp") }, nil},
		{"delete a reservation without delete_removed", withdraw, nil, func(p *Policy) { p.DeleteRemoved = false }},
		{"delete a reservation without a record of its deletion in NetBox", withdraw, func(s *Step) { s.Record = 0 }, nil},
		{"delete a reservation that was not observed", withdraw, func(s *Step) { s.Observed = nil }, nil},
		{"delete a scope on a server without the setting", gone, nil, func(p *Policy) { p.DeleteScopes = false }},
		{"delete a scope on a server without a record of its deletion in NetBox", gone, func(s *Step) { s.Record = 0 }, nil},
		{"delete a scope that may be active", gone, func(s *Step) { s.Observed = nil }, nil},
		{"change more than the state of a scope on its way out", out, func(s *Step) { s.Changes = append(s.Changes, becomes("name", "x")...) }, nil},
		{"switch a scope to neither state", out, func(s *Step) { s.Record, s.Changes = 0, becomes("state", "Off") }, nil},
		{"wake a scope without the setting", wake, nil, func(p *Policy) { p.ActivateScopes = false }},
		{"change more than the state of a scope that is woken", wake, func(s *Step) { s.Changes = append(s.Changes, becomes("name", "x")...) }, nil},
		{"switch a scope off without the setting", out, nil, func(p *Policy) { p.DeleteScopes = false }},
		{"write to a server that wins", window, nil, func(p *Policy) { p.Servers[0].NoPush = true }},
		{"write to a server with a brake", window, nil, func(p *Policy) { p.Servers[0].ReadOnly = true }},
		{"delete a scope on a server", window, func(s *Step) { s.Action, s.Changes = state.Delete, nil }, nil},
		{"write a scope with push_scope_info off", window, nil, func(p *Policy) { p.PushScopeInfo = false }},
		{"switch a scope on", window, func(s *Step) { s.Changes = becomes("state", "Active") }, func(p *Policy) { p.ActivateScopes = false }},
		{"change the mask of a scope", window, func(s *Step) { s.Changes = becomes("subnet_mask", "255.255.0.0") }, nil},
		{"write exclusions with push_scope_info off", exclude, nil, func(p *Policy) { p.PushScopeInfo = false }},
		{"tag something on a server", exclude, func(s *Step) { s.AddTags = []string{state.TagScope} }, nil},
		{"create a relationship", exclude, func(s *Step) { s.Kind = "dhcp.failover" }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, s := pushingAll(), c.step
			p.PushReservations = s.Target != NetBox
			s.Changes, s.Observed = slices.Clone(s.Changes), slices.Clone(s.Observed)
			if err := p.Allowed(&s); err != nil {
				t.Fatalf("refused before it was edited: %v", err)
			}
			if c.edit != nil {
				c.edit(&s)
			}
			if c.policy != nil {
				c.policy(&p)
			}
			if p.Allowed(&s) == nil {
				t.Errorf("allowed: %+v", s)
			}
		})
	}
}

// rule 3.5, 3.7 and 5: with any content of a plan file, what is allowed
// stays within these lists.
func TestNoStepThatIsAllowedTouchesAnythingElse(t *testing.T) {
	kinds := []state.Kind{state.IPAddress, state.IPRange, state.IPPrefix, state.ConfigContext, state.JournalEntry, "dcim.device", WindowsReservation, WindowsScope, WindowsExclusion}
	fields := append(append(addressFieldNames(), rangeFieldNames()...), "status", "role", "vrf", "prefix", "name", "data", "is_active", "tags", "comments", "assigned_object_id",
		"last_updated", CustomField(state.FieldScopes), "client_id", "type", "exclusions", "router", "state", "subnet_mask", "enabled")
	values := []any{"dhcp", "reserved", "active", "created", "adopted", "prestaged", nil, "10.8.4.33/24", int64(1), true, clientA, json.RawMessage(`["windows-dhcp-data"]`)}
	draw := func(t *rapid.T, label string) (out []Change) {
		for range rapid.IntRange(0, 3).Draw(t, label) {
			out = append(out, Change{rapid.SampledFrom(fields).Draw(t, "field"), rapid.SampledFrom(values).Draw(t, "old"), rapid.SampledFrom(values).Draw(t, "new")})
		}
		return out
	}
	tags := rapid.SliceOfN(rapid.SampledFrom([]string{state.TagInvalid, state.TagScope, state.TagData, "dhcp-protect", "rack"}), 0, 1)
	rapid.Check(t, func(t *rapid.T) {
		p := pushingAll()
		p.Mode = rapid.SampledFrom([]Mode{Sync, Sync, Import, Migrate}).Draw(t, "mode")
		p.SyncIPs, p.PushReservations, p.PushScopeInfo, p.ReadOnly = rapid.Bool().Draw(t, "sync"), rapid.Bool().Draw(t, "push"), rapid.Bool().Draw(t, "scopes"), rapid.Bool().Draw(t, "read only")
		s := Step{
			Target: rapid.SampledFrom([]string{NetBox, host1, host2}).Draw(t, "target"), Kind: rapid.SampledFrom(kinds).Draw(t, "kind"),
			Action: rapid.SampledFrom([]state.Action{state.Create, state.Update, state.Delete}).Draw(t, "action"),
			ID:     7, Name: rapid.SampledFrom([]string{CodesContext, FailoverContext + "east", "mine"}).Draw(t, "name"),
			Addr: netip.MustParseAddr("10.8.4.33"), Scope: netip.MustParsePrefix("10.8.4.0/24"),
			Changes: draw(t, "changes"), Observed: draw(t, "observed"), AddTags: tags.Draw(t, "add"), RemoveTags: tags.Draw(t, "remove"),
		}
		if p.Allowed(&s) != nil {
			return
		}
		if why := outOfBounds(&p, &s); why != "" {
			t.Fatalf("%s: %+v", why, s)
		}
	})
}

// outOfBounds says in its own words what the tables forbid about a step.
func outOfBounds(p *Policy, s *Step) string {
	onServer := strings.HasPrefix(string(s.Kind), "dhcp.")
	seen := make(map[string]any)
	for _, c := range s.Observed {
		seen[c.Field] = c.Old
	}
	switch {
	case onServer != (s.Target != NetBox):
		return "the kind is not the target's"
	case onServer && (p.ReadOnly || p.Mode != Sync || s.Target != host1):
		return "a server is written to"
	case s.Kind == WindowsReservation && !p.PushReservations, (s.Kind == WindowsScope || s.Kind == WindowsExclusion) && !p.PushScopeInfo:
		return "a server is written to with the push off"
	case s.Action == state.Delete && (s.Kind == state.IPPrefix || s.Kind == state.ConfigContext || s.Kind == WindowsScope):
		return "it is deleted"
	case s.Action == state.Delete && s.Kind == state.IPAddress && seen["status"] != "dhcp" && (seen["status"] != "reserved" || p.PushReservations):
		return "a foreign address is deleted"
	case s.Action == state.Delete && seen["status"] == "reserved" && s.Kind == state.IPAddress && seen[CustomField(state.FieldManaged)] != "created" && seen[CustomField(state.FieldManaged)] != "adopted":
		return "a reservation made by hand is deleted"
	}
	for _, c := range s.Changes {
		switch {
		case s.Action != state.Create && slices.Contains([]string{"address", "vrf", "tenant", "role", "prefix", "is_active", "tags"}, c.Field):
			return c.Field + " is changed"
		case s.Kind != state.IPRange && !onServer && c.Field == "description", c.Field == "comments", c.Field == "enabled", c.Field == "assigned_object_id", c.Field == "state":
			return c.Field + " is changed"
		case s.Kind == state.IPAddress && c.Field == "status" && c.New != "dhcp" && c.New != "reserved":
			return "an address gets a foreign status"
		}
	}
	for _, tag := range slices.Concat(s.AddTags, s.RemoveTags) {
		if tag != state.TagInvalid && tag != state.TagScope {
			return "tag " + tag
		}
	}
	return ""
}
