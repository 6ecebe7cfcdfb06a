package decide

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// recordScopes brings the scope records up to date: what the servers say is
// taken over, or pushed where NetBox is the truth (windows-dhcp.md 5.1).
func (b *builder) recordScopes() {
	b.wanted = make([]*record, 0, len(b.records))
	replaced := make(map[*record]*record)
	var added []*record
	for _, u := range b.units {
		if u.rec == nil && !b.havePrefix(u) {
			continue
		}
		u.want = b.wantedRecord(u)
		if u.rec == nil {
			added = append(added, u.want)
		} else {
			replaced[u.rec] = u.want
		}
	}
	b.removed = b.removedRecords()
	for _, rec := range b.records {
		switch want := replaced[rec]; {
		case want != nil:
			b.wanted = append(b.wanted, want)
		case !b.removed[rec]:
			b.wanted = append(b.wanted, rec)
		}
	}
	b.wanted = append(b.wanted, added...)
	b.placeRecords()
	b.recordOptions()
	if b.p.Mode == plan.Sync && b.p.PushScopeInfo {
		b.pushScopes()
	}
}

// havePrefix makes sure that a new scope has a prefix to be shown in
// (windows-dhcp.md 4 step 2).
func (b *builder) havePrefix(u *unit) bool {
	id := subnetKey{u.vrf, u.scope.Subnet}
	if u.prefix != nil {
		return true
	}
	if _, made := b.newPrefixes[id]; made {
		return true
	}
	if !b.p.CreateMissingPrefixes {
		b.note(plan.Note{Level: plan.Failure, Server: b.host(u.server), Scope: u.scope.Subnet, Rule: "4 step 2",
			Text: "NetBox has no such prefix: create it, or set import.create_missing_prefixes; the scope is not imported"})
		return false
	}
	b.newPrefixes[id] = len(b.plan.Steps)
	b.step(plan.Step{
		Phase: plan.Records, Target: plan.NetBox, Action: state.Create, Kind: state.IPPrefix, Name: u.scope.Subnet.String(),
		Scope: u.scope.Subnet, VRF: u.vrf, Rule: "4 step 2", Why: "the network of a scope of " + b.host(u.server),
		Changes: []plan.Change{
			{Field: "prefix", New: u.scope.Subnet.String()},
			{Field: "vrf", New: idOrNil(u.vrf)},
			{Field: "status", New: "active"},
		},
	})
	return true
}

// wantedRecord is the record of a unit as it should be.
func (b *builder) wantedRecord(u *unit) *record {
	if u.rec == nil {
		return b.newRecord(u)
	}
	want := *u.rec
	b.relink(u, &want)
	switch {
	case b.p.Mode == plan.Import:
		if u.part.Exclusions.Complete() {
			want.Exclusions = union(want.Exclusions, u.part.Exclusions.Items)
		}
		return &want
	case u.fallback:
		return &want // failover does not replicate configuration: the secondary's may be old
	case b.p.PushScopeInfo:
		want.LeaseSeconds = lifetime(u.rec, u.scope.LeaseSeconds)
		return &want
	}
	want.State = u.scope.State
	want.Name = cmp.Or(u.scope.Name, want.Name)
	want.Description = cutRunes(u.scope.Description, 200)
	if u.scope.Start.IsValid() && u.scope.End.IsValid() {
		want.Start, want.End = u.scope.Start, u.scope.End
	}
	want.Router = routerText(u.scope)
	want.LeaseSeconds = cmp.Or(u.scope.LeaseSeconds, want.LeaseSeconds)
	if u.part.Exclusions.Complete() {
		want.Exclusions = union(nil, u.part.Exclusions.Items)
	}
	if b.p.RefreshOptions && u.part.Options.Complete() {
		want.Options, u.options = b.optionsOf(u), true
	}
	return &want
}

// newRecord records a scope for the first time.
func (b *builder) newRecord(u *unit) *record {
	want := &record{
		Source: u.source, Subnet: u.scope.Subnet, VRF: u.vrf, Name: cmp.Or(u.scope.Name, u.scope.ID().String()),
		Start: u.scope.Start, End: u.scope.End, Description: cutRunes(u.scope.Description, 200), State: u.scope.State,
		Router: routerText(u.scope), LeaseSeconds: u.scope.LeaseSeconds,
	}
	if want.LeaseSeconds <= 0 {
		want.LeaseSeconds = windhcp.DefaultLifetime
		b.note(plan.Note{Level: plan.Info, Server: b.host(u.server), Scope: u.scope.Subnet, Rule: "3.9",
			Text: "the server does not tell the lease time (unlimited?): recorded as " + windhcp.FormatLifetime(windhcp.DefaultLifetime)})
	}
	if u.part.Exclusions.Complete() {
		want.Exclusions = union(nil, u.part.Exclusions.Items)
	}
	if u.part.Options.Complete() {
		want.Options, u.options = b.optionsOf(u), true
	}
	return want
}

// relink follows a scope that joined or left a relationship
// (windows-dhcp.md 4).
func (b *builder) relink(u *unit, want *record) {
	if want.Source == u.source {
		return
	}
	if b.p.PushScopeInfo && want.Source.Failover != "" && u.source.Failover == "" {
		b.note(plan.Note{Level: plan.Warning, Server: b.host(u.server), Scope: u.scope.Subnet, Rule: "5.3",
			Text: fmt.Sprintf("is not part of %s on the server yet: add it there, the API has no call for it", want.Source)})
		return
	}
	b.note(plan.Note{Level: plan.Warning, Server: b.host(u.server), Scope: u.scope.Subnet, Rule: "4",
		Text: fmt.Sprintf("belongs to %s now, no longer to %s", u.source, want.Source)})
	want.Source = u.source
}

func routerText(s windhcp.Scope) string {
	if !s.Router.IsValid() || s.Router.IsUnspecified() {
		return ""
	}
	return s.Router.String()
}

// union merges exclusions, each once, in order.
func union(a, b []windhcp.Exclusion) []windhcp.Exclusion {
	var out []windhcp.Exclusion
	out = append(append(out, a...), b...)
	slices.SortFunc(out, windhcp.Exclusion.Compare)
	return slices.Compact(out)
}

// foreign reports whether a record belongs to a server or relationship that is
// not configured any more.
func (b *builder) foreign(rec *record) bool {
	if rec.Source.Failover == "" {
		return b.serverOf(rec.Source.Server) < 0
	}
	rel := b.relationshipNamed(rec.Source.Failover)
	return rel == nil || !rel.known
}

// speaker is the server that may say that a record's scope is gone; -1: none
// in this run (windows-dhcp.md 3.2 and 3.7).
func (b *builder) speaker(rec *record) int {
	if slices.Contains(b.p.MaintenanceScopes, rec.Subnet) || len(b.p.OnlyScopes) > 0 && !slices.Contains(b.p.OnlyScopes, rec.Subnet) {
		return -1
	}
	if rec.Source.Failover == "" {
		server := b.serverOf(rec.Source.Server)
		if server < 0 || !b.p.Servers[server].Standalone {
			return -1
		}
		return server
	}
	rel := b.relationshipNamed(rec.Source.Failover)
	if rel == nil || !rel.known {
		return -1
	}
	server, fallback := b.acting(rel)
	if fallback {
		return -1
	}
	return server
}

// gone reports whether a record's scope is not on its server any more: the
// list was read and understood, and does not have it.
func (b *builder) gone(rec *record) bool {
	server := b.speaker(rec)
	s := b.asked(server)
	return !b.listed[rec] && s != nil && s.Scopes.Complete()
}

// missing reports whether a record's scope is one the server gets from NetBox
// (push_scope_info). A server that lists no scope at all is not believed.
func (b *builder) missing(rec *record) bool {
	return b.p.PushScopeInfo && b.gone(rec) && len(b.asked(b.speaker(rec)).Scopes.Items) > 0
}

// removedRecords finds the records to remove, unless a guard objects
// (windows-dhcp.md 3.7).
func (b *builder) removedRecords() map[*record]bool {
	removed := make(map[*record]bool)
	if b.p.Mode != plan.Sync {
		return removed
	}
	for server := range b.p.Servers {
		var lost []*record
		known := 0
		for _, rec := range b.records {
			if b.speaker(rec) != server {
				continue
			}
			known++
			if b.gone(rec) {
				lost = append(lost, rec)
			}
		}
		if len(lost) == 0 || b.p.PushScopeInfo {
			continue
		}
		empty := len(b.asked(server).Scopes.Items) == 0 && !b.p.AllowDeletes
		if empty || b.tooMany(len(lost), known) {
			b.note(plan.Note{Level: plan.Guard, Server: b.host(server), Rule: "3.7 guard c",
				Text: fmt.Sprintf("lists %d scopes, but NetBox knows %d and would lose %d: nothing is removed; if it is right, run once with --allow-deletes",
					len(b.asked(server).Scopes.Items), known, len(lost))})
			continue
		}
		for _, rec := range lost {
			removed[rec] = true
			b.noteOrphans(server, rec)
		}
	}
	for _, rec := range b.records {
		if b.foreign(rec) {
			b.note(plan.Note{Level: plan.Warning, Scope: rec.Subnet, Rule: "3.2",
				Text: fmt.Sprintf("recorded as a scope of %s, which is not known here: it is left alone", rec.Source)})
		}
	}
	return removed
}

// noteOrphans tells of addresses whose scope goes away: they stay.
func (b *builder) noteOrphans(server int, rec *record) {
	orphans := 0
	for i := range b.nb.Addresses {
		x := &b.nb.Addresses[i]
		if c, _ := b.p.ClassOf(x); x.VRF == rec.VRF && rec.Subnet.Contains(x.Address.Addr()) && c != plan.ClassForeign {
			orphans++
		}
	}
	if orphans > 0 {
		b.note(plan.Note{Level: plan.Warning, Server: b.host(server), Scope: rec.Subnet, Rule: "3.7",
			Text: fmt.Sprintf("the scope is gone from the server; %d addresses with its statuses stay in NetBox as orphans", orphans)})
	}
}
