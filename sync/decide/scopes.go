package decide

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// unit is a sighting whose scope is synced, with its record as it will be.
type unit struct {
	*sighting
	want *record // nil: not recorded
	// compared is what both sides said of it, against before; nil: it is new.
	compared *comparison
	// options tells that want has the server's options.
	options bool
	// refused says why there is no record; empty: there is.
	refused string
}

// recorded is the result of the second stage: the scope records as they will be.
type recorded struct {
	*surveyed
	units   []*unit              // scopes that were read and are recorded
	refused map[*sighting]string // why a scope that was read is not recorded
	wanted  []*record            // all that NetBox will have
	removed map[*record]bool     // those of NetBox that go away
	// writes tells which step writes a record, by its index in the work of this
	// stage; a record without a step is as NetBox has it.
	writes   map[*record]int
	prefixes map[subnetKey]int                // the steps that make a prefix, by the same index
	compared map[*sighting]*comparison        // of scopes on partners that are written to
	born     map[plan.ScopeKey]plan.Agreement // of scopes that servers get in this run
}

// scoping is the second stage at work.
type scoping struct {
	*surveyed
	work
	units    []*unit
	wanted   []*record
	removed  map[*record]bool
	unplaced map[*record]string // why NetBox takes no range for a new record
	claimed  []*record          // whose ranges are made or moved
	missing  map[plan.MissingKey]plan.Sight
	writes   map[*record]int
	prefixes map[subnetKey]int
	// exclusions are counted by weighExclusions.
	exclusions map[int]tally
}

// recordScopes brings the scope records up to date: what the servers say is
// taken over, or kept where NetBox is the truth (rule 5.1).
//
//	scope on its server   record in NetBox   mode                outcome
//	yes                   none               import, auto import create prefix if missing, range, options
//	yes                   yes                import              add exclusions and other sources; follow a new source
//	yes                   yes                push_scope_info     keep NetBox's values; pushScopes writes the server
//	yes, from secondary   yes                any                 keep: failover does not copy configuration
//	yes                   yes                pull                take over all the server tells
//	no                    yes                pull                delete the record, unless guard c objects
//	no                    yes                push_scope_info     keep; pushScopes makes the scope on the server
//	not known             yes                any                 keep
func recordScopes(in *surveyed, memory *plan.Memory) (*recorded, work) {
	sc := &scoping{surveyed: in, missing: memory.Missing, unplaced: make(map[*record]string), writes: make(map[*record]int), prefixes: make(map[subnetKey]int), exclusions: make(map[int]tally)}
	sc.weighExclusions()
	out := &recorded{surveyed: in, refused: make(map[*sighting]string), writes: sc.writes, prefixes: sc.prefixes, compared: make(map[*sighting]*comparison), born: make(map[plan.ScopeKey]plan.Agreement)}
	replaced := make(map[*record]*record)
	var added []*record
	for _, x := range in.all {
		if !x.read {
			continue
		}
		u := &unit{sighting: x}
		sc.units = append(sc.units, u)
		switch {
		case x.rec != nil:
			u.want = sc.wantedRecord(u)
			replaced[x.rec] = u.want
		case sc.havePrefix(u):
			u.want = sc.wantedRecord(u)
			added = append(added, u.want)
		}
	}
	sc.removed = sc.removedRecords()
	for _, rec := range sc.records {
		switch want := replaced[rec]; {
		case want != nil:
			sc.wanted = append(sc.wanted, want)
		case !sc.removed[rec]:
			sc.wanted = append(sc.wanted, rec)
		}
	}
	sc.wanted = append(sc.wanted, added...)
	sc.placeRecords()
	for _, u := range sc.units {
		if u.want != nil && sc.unplaced[u.want] != "" {
			u.refused = sc.unplaced[u.want]
		}
		if u.refused != "" {
			out.refused[u.sighting] = u.refused
			continue
		}
		out.units = append(out.units, u)
	}
	sc.units = out.units
	sc.recordOptions()
	out.wanted, out.removed = slices.DeleteFunc(sc.wanted, func(rec *record) bool { return sc.unplaced[rec] != "" }), sc.removed
	sc.fillPanels(out)
	return out, sc.work
}

// havePrefix makes sure that a new scope has a prefix to be shown in
// (rule 4 step 2).
func (sc *scoping) havePrefix(u *unit) bool {
	id := subnetKey{u.vrf, u.scope.Subnet}
	if u.prefix != nil {
		return true
	}
	if _, made := sc.prefixes[id]; made {
		return true
	}
	if !sc.p.CreateMissingPrefixes {
		u.refused = "NetBox has no such prefix: create it, or set import.create_missing_prefixes; the scope is not imported"
		sc.note(plan.Note{Level: plan.Failure, Server: sc.host(u.server), Scope: u.scope.Subnet, Cause: plan.CauseNoRecord, Text: u.refused})
		return false
	}
	sc.prefixes[id] = len(sc.steps)
	sc.step(plan.Step{
		Phase: plan.Records, Target: plan.NetBox, Action: state.Create, Kind: state.IPPrefix, Name: u.scope.Subnet.String(),
		Scope: u.scope.Subnet, VRF: u.vrf, Rule: "4 step 2", Why: "the network of a scope of " + sc.host(u.server),
		Changes: []plan.Change{
			{Field: "prefix", New: u.scope.Subnet.String()},
			{Field: "vrf", New: plan.IDOrNil(u.vrf)},
			{Field: "status", New: "active"},
		},
	})
	return true
}

// wantedRecord is the record of a unit as it should be.
func (sc *scoping) wantedRecord(u *unit) *record {
	if u.rec == nil {
		return sc.newRecord(u)
	}
	want := *u.rec
	sc.relink(u, &want)
	switch {
	case sc.p.Mode == plan.Import:
		if u.part.Exclusions.Complete() {
			want.Exclusions = union(want.Exclusions, u.part.Exclusions.Items)
		}
		return &want
	case u.fallback:
		return &want // failover does not replicate configuration: the secondary's may be old
	}
	u.compared = sc.compare(u.server, u.rec, u.scope)
	u.compared.over = sc.manyExclusions(u.server)
	if sc.pushesScopes(u.server) {
		want.LeaseSeconds = lifetime(u.rec, u.scope.LeaseSeconds)
		sc.compareRecord(u, &want)
		return &want
	}
	want.State = u.scope.State
	want.Name = cmp.Or(u.scope.Name, want.Name)
	want.Description = keptDescription(u.scope.Description)
	if u.scope.Start.IsValid() && u.scope.End.IsValid() {
		want.Start, want.End = u.scope.Start, u.scope.End
	}
	want.Router = u.compared.compareRouter(false)
	want.LeaseSeconds = cmp.Or(u.scope.LeaseSeconds, want.LeaseSeconds)
	want.Exclusions = u.compared.pullExclusions(u.part.Exclusions)
	u.compared.after.State = &want.State
	if sc.p.RefreshOptions && u.part.Options.Complete() {
		want.Options, u.options = sc.optionsOf(u), true
		agreed := optionsText(want.Options)
		u.compared.after.Options = &agreed
	}
	sc.noteReverted(u, &want)
	return &want
}

// compareRecord takes over what the server has changed where NetBox is the truth for
// the rest (rule 5.6).
func (sc *scoping) compareRecord(u *unit, want *record) {
	c := u.compared
	want.Router = c.compareRouter(true)
	want.Exclusions = c.pushExclusions(u.part.Exclusions, true)
	sc.compareState(u, want)
	if sc.p.RefreshOptions && u.part.Options.Complete() {
		sc.compareOptions(u, want)
	}
}

// newRecord records a scope for the first time.
func (sc *scoping) newRecord(u *unit) *record {
	want := &record{
		Source: u.source, Subnet: u.scope.Subnet, VRF: u.vrf, Name: cmp.Or(u.scope.Name, u.scope.ID().String()),
		Start: u.scope.Start, End: u.scope.End, Description: keptDescription(u.scope.Description), State: u.scope.State,
		Router: routerText(u.scope), LeaseSeconds: u.scope.LeaseSeconds,
	}
	if want.LeaseSeconds <= 0 {
		want.LeaseSeconds = windhcp.DefaultLifetime
		sc.note(plan.Note{Level: plan.Info, Server: sc.host(u.server), Scope: u.scope.Subnet, Cause: plan.CauseLeaseTime,
			Text: "the server does not tell the lease time: recorded as " + windhcp.FormatLifetime(windhcp.DefaultLifetime)})
	}
	if u.part.Exclusions.Complete() {
		want.Exclusions = union(nil, u.part.Exclusions.Items)
	}
	if u.part.Options.Complete() {
		want.Options, u.options = sc.optionsOf(u), true
	}
	u.compared = sc.compare(u.server, want, u.scope)
	u.compared.agreeAll(want, u.part.Exclusions, u.options)
	return want
}

// relink follows a scope that joined or left a relationship
// (rule 4).
func (sc *scoping) relink(u *unit, want *record) {
	if want.Source == u.source || !sc.asked(u.server).Failovers.Complete() {
		return
	}
	if sc.pushesScopes(u.server) && want.Source.Failover != "" && u.source.Failover == "" {
		sc.note(plan.Note{Level: plan.Warning, Server: sc.host(u.server), Scope: u.scope.Subnet, Cause: plan.CauseNotLinked,
			Text: fmt.Sprintf("is not part of %s on the server yet: add it there, the API has no call for it", want.Source)})
		return
	}
	sc.note(plan.Note{Level: plan.Warning, Server: sc.host(u.server), Scope: u.scope.Subnet, Cause: plan.CauseRelinked,
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

// removedRecords finds the records to remove: those whose scope is gone from its
// server, as far as the loss is proved (rules 3.7 scope cleanup and 3.7 guard g).
func (sc *scoping) removedRecords() map[*record]bool {
	removed := make(map[*record]bool)
	if sc.p.Mode != plan.Sync {
		return removed
	}
	ls := newLosses(sc.view)
	for _, rec := range sc.records {
		server := sc.speaker(rec)
		if server < 0 || sc.pushesScopes(server) || sc.stranger(server) != "" {
			continue
		}
		ls.rests(plan.ListScopes, rec.subnetKey(), []int{server})
		if sc.gone(rec) {
			ls.lose(&loss{key: rec.missingKey(), scope: rec.subnetKey(), servers: []int{server}, endless: true, empty: len(sc.asked(server).Scopes.Items) == 0})
		}
	}
	ls.judge(sc.missing)
	unread := make(map[plan.MissingKey]bool)
	for _, rec := range sc.records {
		unread[rec.missingKey()] = !sc.listed[rec]
	}
	ls.settle(sc.missing, func(key plan.MissingKey) bool { return key.List == plan.ListScopes && !unread[key] })
	kept := make(map[int]*held)
	for _, rec := range sc.records {
		lost := ls.of(rec.missingKey())
		if lost == nil {
			continue
		}
		server := lost.servers[0]
		if kept[server] == nil {
			kept[server] = new(held)
		}
		if kept[server].add(ls, lost); lost.fate == goes {
			removed[rec] = true
		}
	}
	for _, server := range slices.Sorted(maps.Keys(kept)) {
		if h := kept[server]; h.waits+h.stuck > 0 {
			sc.note(plan.Note{Level: h.level(), Server: sc.host(server), Cause: plan.CauseScopesLost, Text: h.text(ls, "scope record", "scope records")})
		}
	}
	return removed
}
