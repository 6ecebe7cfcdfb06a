package decide

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
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

// placeRecords lays the wanted records out as IP ranges. Ranges of one VRF may
// not overlap, so of scopes that do, the first has the range and the others
// are entries in it.
func (b *builder) placeRecords() {
	groups := make(map[subnetKey][]*record)
	held := make(map[subnetKey][]*state.Range)
	for i := range b.nb.Ranges {
		if r := &b.nb.Ranges[i]; b.holders[r] {
			id := subnetKey{r.VRF, r.Subnet()}
			groups[id] = nil
			held[id] = append(held[id], r)
		}
	}
	for _, rec := range b.wanted {
		id := subnetKey{rec.VRF, rec.Subnet}
		groups[id] = append(groups[id], rec)
	}
	for _, id := range slices.SortedFunc(maps.Keys(groups), subnetKey.compare) {
		ranges := b.layOut(groups[id])
		b.dropRanges(id, held[id], ranges)
		b.writeRanges(id, ranges)
	}
	b.wanted = slices.DeleteFunc(b.wanted, func(rec *record) bool { return b.unplaced[rec] })
	b.units = slices.DeleteFunc(b.units, func(u *unit) bool { return u.want == nil || b.unplaced[u.want] })
}

// layOut decides which records have a range of their own. A range keeps its
// owner as long as it can, and passes to an entry in it when the owner goes.
func (b *builder) layOut(group []*record) []*placed {
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
// The prefix and the addresses stay (windows-dhcp.md 3.7).
func (b *builder) dropRanges(id subnetKey, held []*state.Range, ranges []*placed) {
	for _, r := range held {
		if slices.ContainsFunc(ranges, func(p *placed) bool { return p.holder == r }) {
			continue
		}
		fields := rangeFields(r)
		phase, why := plan.Aftermath, "the scope is not on its server any more"
		if slices.ContainsFunc(ranges, func(p *placed) bool { return p.own.meets(r.Start, r.End) }) {
			phase, why = plan.Records, "another range of the subnet needs the room"
		}
		source := plan.Source{Server: r.Server, Failover: r.Failover}
		b.step(plan.Step{
			Phase: phase, Target: plan.NetBox, Action: state.Delete, Kind: state.IPRange, ID: r.ID, Name: scopeName(r.ScopeName, id.subnet, source),
			Scope: id.subnet, VRF: id.vrf, Rule: "3.7 scope cleanup", Why: why,
			Observed: []plan.Change{
				{Field: plan.CustomField(state.FieldServer), Old: fields[plan.CustomField(state.FieldServer)]},
				{Field: plan.CustomField(state.FieldFailover), Old: fields[plan.CustomField(state.FieldFailover)]},
				{Field: "start_address", Old: fields["start_address"]},
				{Field: "end_address", Old: fields["end_address"]},
			},
		})
	}
}

// writeRanges creates and updates. A range moves only after those that have to
// make room for it.
func (b *builder) writeRanges(id subnetKey, ranges []*placed) {
	type write struct {
		*placed
		step plan.Step
	}
	var pending []write
	for _, p := range ranges {
		if step, ok := b.rangeStep(id, p); ok {
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
		b.step(pending[free].step)
		pending = slices.Delete(pending, free, free+1)
	}
}

func (b *builder) rangeStep(id subnetKey, p *placed) (plan.Step, bool) {
	want := p.own.fields()
	entries := make([]entryJSON, 0, len(p.entries))
	for _, e := range p.entries {
		entries = append(entries, e.entryJSON())
	}
	want[plan.CustomField(state.FieldOtherSources)] = jsonField(entries)
	for name := range want {
		if field, ok := strings.CutPrefix(name, "custom_fields."); ok && !b.nb.HasField(state.IPRange, field) {
			delete(want, name)
		}
	}
	step := plan.Step{
		Phase: plan.Records, Target: plan.NetBox, Action: state.Update, Kind: state.IPRange, Name: scopeName(p.own.Name, id.subnet, p.own.Source),
		Scope: id.subnet, VRF: id.vrf, Rule: "5.1", Why: "as " + p.own.Source.String() + " has it",
	}
	problem := b.rangeProblem(p)
	if p.holder != nil {
		b.restrict(p, want, problem)
		step.ID = p.holder.ID
		step.Changes = differences(plan.RangeFields(), rangeFields(p.holder), want)
		if !slices.Contains(p.holder.Tags, state.TagScope) && b.p.Mode == plan.Sync {
			step.AddTags = []string{state.TagScope}
		}
		return step, len(step.Changes) > 0 || len(step.AddTags) > 0
	}
	if problem != "" {
		b.note(plan.Note{Level: plan.Conflict, Scope: id.subnet, Rule: "4 step 2", Text: problem + "; the scope is not recorded"})
		for _, rec := range append(p.entries, p.own) {
			b.unplaced[rec] = true
		}
		return plan.Step{}, false
	}
	b.claimed = append(b.claimed, p.own)
	step.Action, step.Rule, step.Why, step.AddTags = state.Create, "4 step 2", "a scope of "+p.own.Source.String(), []string{state.TagScope}
	step.Journal = b.recordedFrom(p.own)
	want["vrf"], want["role"], want["status"] = idOrNil(id.vrf), idOrNil(b.nb.Roles[state.RoleScope]), "active"
	order := append([]string{"vrf", "role", "status"}, plan.RangeFields()...)
	step.Changes = differences(order, map[string]any{"description": ""}, want)
	return step, true
}

// recordedFrom is the journal entry of a range for a scope NetBox did not know.
func (b *builder) recordedFrom(rec *record) string {
	i := slices.IndexFunc(b.units, func(u *unit) bool { return u.want == rec && u.rec == nil })
	if i < 0 {
		return ""
	}
	return "recorded from " + b.host(b.units[i].server)
}

// restrict takes out of the fields of a recorded scope what is not written: a
// span NetBox would refuse, and whatever import does not add
// (windows-dhcp.md 4).
func (b *builder) restrict(p *placed, want map[string]any, problem string) {
	if b.p.Mode == plan.Import {
		relinked := p.own.Source != b.canonical(plan.Source{Server: p.holder.Server, Failover: p.holder.Failover})
		for name := range want {
			source := name == plan.CustomField(state.FieldServer) || name == plan.CustomField(state.FieldFailover)
			added := name == plan.CustomField(state.FieldExclusions) || name == plan.CustomField(state.FieldOtherSources)
			if keeps := added || source && relinked; !keeps {
				delete(want, name)
			}
		}
		return
	}
	moved := p.own.Start != p.holder.Start || p.own.End != p.holder.End
	switch {
	case moved && problem != "":
		b.note(plan.Note{Level: plan.Conflict, Scope: p.own.Subnet, Rule: "5.1", Text: problem + "; its start and end stay as they are"})
		delete(want, "start_address")
		delete(want, "end_address")
	case moved:
		b.claimed = append(b.claimed, p.own)
	}
}

// rangeProblem says why NetBox will not take the span of a range.
func (b *builder) rangeProblem(p *placed) string {
	start, end := p.own.Start, p.own.End
	switch {
	case !start.IsValid() || !end.IsValid() || end.Less(start) || !p.own.Subnet.Contains(start) || !p.own.Subnet.Contains(end):
		return fmt.Sprintf("the scope's range %s-%s is no span of addresses of %s", start, end, p.own.Subnet)
	case start == end && !versionAtLeast(b.nb.Version, 4, 6):
		return fmt.Sprintf("a scope of one address (%s) cannot be an IP range before NetBox 4.6.1", start)
	}
	for i := range b.nb.Ranges {
		r := &b.nb.Ranges[i]
		if r == p.holder || r.VRF != p.own.VRF || b.holders[r] && r.Subnet() == p.own.Subnet {
			continue
		}
		if p.own.meets(r.Start, r.End) {
			return fmt.Sprintf("the scope's range %s-%s overlaps IP range %s-%s (id %d), which NetBox does not allow in one VRF: shrink or remove that one",
				start, end, r.Start, r.End, r.ID)
		}
	}
	for _, other := range b.claimed {
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

// versionAtLeast compares a release line such as "4.7".
func versionAtLeast(version string, major, minor int) bool {
	a, rest, _ := strings.Cut(version, ".")
	c, _, _ := strings.Cut(rest, ".")
	have, errA := strconv.Atoi(a)
	haveMinor, errB := strconv.Atoi(c)
	return errA == nil && errB == nil && (have > major || have == major && haveMinor >= minor)
}
