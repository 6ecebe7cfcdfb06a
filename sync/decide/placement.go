package decide

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// placed is a range as it should be: a scope, and those it holds as entries.
type placed struct {
	own     *record
	entries []*record
	holder  *state.Range // nil: to be made
}

// all are the scopes that the range holds.
func (p *placed) all() []*record { return append(slices.Clone(p.entries), p.own) }

// rangeWanted is the range as it should be.
func (p *placed) rangeWanted() state.Range {
	want := p.own.asRange()
	entries := make([]entryJSON, 0, len(p.entries))
	for _, e := range p.entries {
		entries = append(entries, e.entryJSON())
	}
	want.OtherSources = document(entries)
	return want
}

// placeRecords lays the wanted records out as IP ranges. Ranges of one VRF may
// not overlap, so of scopes that do, the first has the range and the others
// are entries in it.
func (sc *scoping) placeRecords() {
	groups := make(map[subnetKey][]*record)
	held := make(map[subnetKey][]*state.Range)
	for i := range sc.nb.Ranges {
		if r := &sc.nb.Ranges[i]; sc.holders[r] {
			id := subnetKey{r.VRF, r.Subnet()}
			groups[id] = nil
			held[id] = append(held[id], r)
		}
	}
	for _, rec := range sc.wanted {
		id := subnetKey{rec.VRF, rec.Subnet}
		groups[id] = append(groups[id], rec)
	}
	for _, id := range slices.SortedFunc(maps.Keys(groups), subnetKey.compare) {
		ranges := sc.layOut(groups[id])
		sc.dropRanges(id, held[id], ranges)
		sc.writeRanges(id, ranges)
	}
}

// layOut decides which records have a range of their own. A range keeps its
// owner as long as it can, and passes to an entry in it when the owner goes.
func (sc *scoping) layOut(group []*record) []*placed {
	slices.SortStableFunc(group, func(x, y *record) int { return cmp.Compare(layoutRank(x), layoutRank(y)) })
	var out []*placed
	used := make(map[int64]bool)
	for _, rec := range group {
		if i := slices.IndexFunc(out, func(p *placed) bool { return p.own.meets(rec.Start, rec.End) }); i >= 0 {
			out[i].entries = append(out[i].entries, rec)
			continue
		}
		p := &placed{own: rec}
		if rec.holder != nil && !used[rec.holder.ID] {
			p.holder = rec.holder
			used[rec.holder.ID] = true
		}
		out = append(out, p)
	}
	for _, p := range out {
		slices.SortFunc(p.entries, func(x, y *record) int { return strings.Compare(x.Source.String(), y.Source.String()) })
	}
	return out
}

func layoutRank(r *record) int {
	switch {
	case r.holder != nil && !r.entry:
		return 0
	case r.holder != nil:
		return 1
	}
	return 2
}

// meets reports whether the record's range shares an address with a span.
func (r *record) meets(start, end netip.Addr) bool {
	return r.Start.Compare(end) <= 0 && start.Compare(r.End) <= 0
}

// dropRanges deletes the scope ranges of a subnet that hold nothing any more.
// The prefix and the addresses stay (rule 3.7).
func (sc *scoping) dropRanges(id subnetKey, held []*state.Range, ranges []*placed) {
	for _, r := range held {
		if slices.ContainsFunc(ranges, func(p *placed) bool { return p.holder == r }) {
			continue
		}
		phase, why := plan.Aftermath, "the scope is not on its server any more"
		if slices.ContainsFunc(ranges, func(p *placed) bool { return p.own.meets(r.Start, r.End) }) {
			phase, why = plan.Records, "another range of the subnet needs the room"
		}
		source := plan.Source{Server: r.Server, Failover: r.Failover}
		sc.step(plan.Step{
			Phase: phase, Target: plan.NetBox, Action: state.Delete, Kind: state.IPRange, ID: r.ID, Name: scopeName(r.ScopeName, id.subnet, source),
			Scope: id.subnet, VRF: id.vrf, Rule: "3.7 scope cleanup", Why: why,
			Observed: plan.ObservedRange(r, plan.CustomField(state.FieldServer), plan.CustomField(state.FieldFailover), "start_address", "end_address"),
		})
	}
}

// writeRanges creates and updates. A range moves only after the ranges that it
// would overlap.
func (sc *scoping) writeRanges(id subnetKey, ranges []*placed) {
	type write struct {
		*placed
		step plan.Step
	}
	var pending []write
	for _, p := range ranges {
		if step, ok := sc.rangeStep(id, p); ok {
			pending = append(pending, write{p, step})
		}
	}
	for len(pending) > 0 {
		free := slices.IndexFunc(pending, func(w write) bool {
			return !slices.ContainsFunc(pending, func(o write) bool {
				return o.placed != w.placed && o.holder != nil && w.own.meets(o.holder.Start, o.holder.End)
			})
		})
		free = max(free, 0) // all wait for each other: NetBox says which it takes
		for _, rec := range pending[free].all() {
			sc.writes[rec] = len(sc.steps)
		}
		sc.step(pending[free].step)
		pending = slices.Delete(pending, free, free+1)
	}
}

// rangeStep makes or changes one range; false: it is as it should be, or NetBox
// does not take it.
func (sc *scoping) rangeStep(id subnetKey, p *placed) (plan.Step, bool) {
	want := p.rangeWanted()
	step := plan.Step{
		Phase: plan.Records, Target: plan.NetBox, Action: state.Update, Kind: state.IPRange, Name: scopeName(p.own.Name, id.subnet, p.own.Source),
		Scope: id.subnet, VRF: id.vrf, Rule: "5.1", Why: "as " + p.own.Source.String() + " has it",
	}
	problem := sc.rangeProblem(p)
	if p.holder != nil {
		step.ID = p.holder.ID
		step.Changes = plan.RangeChanges(p.holder, &want, sc.writtenOf(p, problem))
		if !slices.Contains(p.holder.Tags, state.TagScope) && sc.p.Mode == plan.Sync {
			step.AddTags = []string{state.TagScope}
		}
		return step, len(step.Changes) > 0 || len(step.AddTags) > 0
	}
	if problem != "" && sc.ownRange(p.own) != nil {
		refusal := sc.adoptRange(p, &step)
		if refusal == "" {
			return step, true
		}
		problem += "; " + refusal
	}
	if problem != "" {
		problem += "; the scope is not recorded"
		sc.note(plan.Note{Level: plan.Conflict, Scope: id.subnet, Cause: plan.CauseNoRecord, Text: problem})
		for _, rec := range p.all() {
			sc.unplaced[rec] = problem
		}
		return plan.Step{}, false
	}
	sc.claimed = append(sc.claimed, p.own)
	step.Action, step.Rule, step.Why, step.AddTags = state.Create, "4 step 2", "a scope of "+p.own.Source.String(), []string{state.TagScope}
	step.Journal = sc.recordedFrom(p.own)
	for _, c := range []plan.Change{{Field: "vrf", New: plan.IDOrNil(id.vrf)}, {Field: "role", New: plan.IDOrNil(sc.nb.Roles[state.RoleScope])}, {Field: "status", New: "active"}} {
		if c.New != nil {
			step.Changes = append(step.Changes, c)
		}
	}
	step.Changes = append(step.Changes, plan.RangeChanges(new(state.Range), &want, sc.rangeHas)...)
	return step, true
}

// rangeHas reports whether ranges of this NetBox have a field.
func (sc *scoping) rangeHas(field string) bool {
	name, isCustom := strings.CutPrefix(field, plan.CustomField(""))
	return !isCustom || sc.nb.HasField(state.IPRange, name)
}

// recordedFrom is the journal entry of a range for a scope NetBox did not know.
func (sc *scoping) recordedFrom(rec *record) string {
	i := slices.IndexFunc(sc.units, func(u *unit) bool { return u.want == rec && u.rec == nil })
	if i < 0 {
		return ""
	}
	return "recorded from " + sc.host(sc.units[i].server)
}

// writtenOf tells which fields of an existing range are written. Import adds
// exclusions and other sources and follows a scope to another source (rule 4). A span
// that NetBox would refuse is not written.
func (sc *scoping) writtenOf(p *placed, problem string) func(field string) bool {
	if sc.p.Mode == plan.Import {
		relinked := p.own.Source != sc.canonical(plan.Source{Server: p.holder.Server, Failover: p.holder.Failover})
		return func(field string) bool {
			source := field == plan.CustomField(state.FieldServer) || field == plan.CustomField(state.FieldFailover)
			added := field == plan.CustomField(state.FieldExclusions) || field == plan.CustomField(state.FieldOtherSources)
			return sc.rangeHas(field) && (added || source && relinked)
		}
	}
	moved := p.own.Start != p.holder.Start || p.own.End != p.holder.End
	switch {
	case moved && problem != "":
		sc.note(plan.Note{Level: plan.Conflict, Scope: p.own.Subnet, Cause: plan.CauseSpan, Text: problem + "; its start and end stay as they are"})
		return func(field string) bool {
			return field != "start_address" && field != "end_address" && sc.rangeHas(field)
		}
	case moved:
		sc.claimed = append(sc.claimed, p.own)
	}
	return sc.rangeHas
}

// rangeProblem says why NetBox will not take the span of a range.
func (sc *scoping) rangeProblem(p *placed) string {
	start, end := p.own.Start, p.own.End
	switch {
	case !start.IsValid() || !end.IsValid() || end.Less(start) || !p.own.Subnet.Contains(start) || !p.own.Subnet.Contains(end):
		return fmt.Sprintf("the scope's range %s-%s is no span of addresses of %s", start, end, p.own.Subnet)
	case start == end && !sc.nb.SingleAddressRanges:
		return fmt.Sprintf("a scope of one address (%s) cannot be an IP range before NetBox 4.6.1", start)
	}
	for i := range sc.nb.Ranges {
		r := &sc.nb.Ranges[i]
		if r == p.holder || r.VRF != p.own.VRF || sc.holders[r] && r.Subnet() == p.own.Subnet {
			continue
		}
		if p.own.meets(r.Start, r.End) {
			return fmt.Sprintf("the scope's range %s-%s overlaps IP range %s-%s (id %d), which NetBox does not allow in one VRF: shrink or remove that one",
				start, end, r.Start, r.End, r.ID)
		}
	}
	for _, other := range sc.claimed {
		if other.VRF == p.own.VRF && other.Subnet != p.own.Subnet && p.own.meets(other.Start, other.End) {
			return fmt.Sprintf("the scope's range %s-%s overlaps that of %s, which NetBox does not allow in one VRF",
				start, end, scopeName(other.Name, other.Subnet, other.Source))
		}
	}
	return ""
}

// scopeName names a scope for people.
func scopeName(name string, subnet netip.Prefix, source plan.Source) string {
	text := fmt.Sprintf("scope %s of %s", subnet, source)
	if name != "" && name != subnet.Addr().String() {
		text += " (" + name + ")"
	}
	return text
}
