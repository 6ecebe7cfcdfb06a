package plan

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox/object"
)

// placed is a range as it should be: a scope, and those it holds as entries.
type placed struct {
	own     *record
	entries []*record
	holder  *object.Range // nil: to be made
}

// placeRecords lays the wanted records out as IP ranges. Ranges of one VRF may
// not overlap, so of scopes that do, the first has the range and the others
// are entries in it.
func (b *builder) placeRecords(removed map[*record]bool) {
	groups := make(map[subnetKey][]*record)
	for _, rec := range b.wanted {
		id := subnetKey{rec.VRF, rec.Subnet}
		groups[id] = append(groups[id], rec)
	}
	for rec := range removed {
		id := subnetKey{rec.VRF, rec.Subnet}
		if groups[id] == nil {
			groups[id] = []*record{}
		}
	}
	for _, id := range slices.SortedFunc(maps.Keys(groups), subnetKey.compare) {
		ranges := b.layOut(groups[id])
		b.dropRanges(id, ranges)
		b.writeRanges(id, ranges)
	}
}

// layOut decides which records have a range of their own. A range keeps its
// owner as long as it can, and passes to an entry in it when the owner goes.
func (b *builder) layOut(group []*record) []*placed {
	slices.SortStableFunc(group, func(x, y *record) int { return cmp.Compare(layoutRank(x), layoutRank(y)) })
	var out []*placed
	used := make(map[int64]bool)
	for _, rec := range group {
		if i := slices.IndexFunc(out, func(p *placed) bool { return overlap(p.own, rec) }); i >= 0 {
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

func overlap(a, b *record) bool {
	return a.Start.Compare(b.End) <= 0 && b.Start.Compare(a.End) <= 0
}

// dropRanges deletes the scope ranges of a subnet that hold nothing any more.
// The prefix and the addresses stay (windows-dhcp.md 3.7).
func (b *builder) dropRanges(id subnetKey, ranges []*placed) {
	for i := range b.nb.Ranges {
		r := &b.nb.Ranges[i]
		if r.Role != object.RoleScope || r.VRF != id.vrf || r.Subnet() != id.subnet || !b.holders[r] ||
			slices.ContainsFunc(ranges, func(p *placed) bool { return p.holder == r }) {
			continue
		}
		fields := rangeFields(r)
		phase := Aftermath
		if slices.ContainsFunc(ranges, func(p *placed) bool { return p.holder == nil }) {
			phase = Records // what replaces it may need the room
		}
		source := Source{Server: r.Server, Failover: r.Failover}
		b.step(Step{
			Phase: phase, Target: NetBox, Action: object.Delete, Kind: object.IPRange, ID: r.ID, Name: scopeName(r.ScopeName, id.subnet, source),
			Scope: id.subnet, VRF: id.vrf, Rule: "3.7 scope cleanup", Why: "the scope is not on its server any more",
			Observed: []Change{
				{Field: custom(object.FieldServer), Old: fields[custom(object.FieldServer)]},
				{Field: custom(object.FieldFailover), Old: fields[custom(object.FieldFailover)]},
				{Field: "start_address", Old: fields["start_address"]},
				{Field: "end_address", Old: fields["end_address"]},
			},
		})
	}
}

// writeRanges creates and updates. Ranges that shrink come first: they make
// room for those that grow.
func (b *builder) writeRanges(id subnetKey, ranges []*placed) {
	var shrinking, others []Step
	for _, p := range ranges {
		step, ok := b.rangeStep(id, p)
		switch {
		case !ok:
		case p.holder != nil && !p.own.Start.Less(p.holder.Start) && !p.holder.End.Less(p.own.End):
			shrinking = append(shrinking, step)
		default:
			others = append(others, step)
		}
	}
	for _, s := range append(shrinking, others...) {
		b.step(s)
	}
}

func (b *builder) rangeStep(id subnetKey, p *placed) (Step, bool) {
	want := p.own.fields()
	entries := make([]entryJSON, 0, len(p.entries))
	for _, e := range p.entries {
		entries = append(entries, e.entryJSON())
	}
	want[custom(object.FieldOtherSources)] = jsonField(entries)
	for name := range want {
		if field, ok := strings.CutPrefix(name, "custom_fields."); ok && !b.nb.HasField(object.IPRange, field) {
			delete(want, name)
		}
	}
	step := Step{
		Phase: Records, Target: NetBox, Action: object.Update, Kind: object.IPRange, Name: scopeName(p.own.Name, id.subnet, p.own.Source),
		Scope: id.subnet, VRF: id.vrf, Rule: "5.1", Why: "as " + p.own.Source.String() + " has it",
	}
	if p.holder != nil {
		step.ID = p.holder.ID
		step.Changes = differences(rangeFieldOrder(), rangeFields(p.holder), want)
		if !slices.Contains(p.holder.Tags, object.TagScope) {
			step.AddTags = []string{object.TagScope}
		}
		return step, (len(step.Changes) > 0 || len(step.AddTags) > 0) && b.spanFree(p)
	}
	if problem := b.rangeProblem(p); problem != "" {
		b.note(Note{Level: Conflict, Scope: id.subnet, Rule: "4 step 2", Text: problem})
		return Step{}, false
	}
	step.Action, step.Rule, step.Why, step.AddTags = object.Create, "4 step 2", "a scope of "+p.own.Source.String(), []string{object.TagScope}
	want["vrf"], want["role"], want["status"] = idOrNil(id.vrf), idOrNil(b.nb.Roles[object.RoleScope]), "active"
	order := append([]string{"vrf", "role", "status"}, rangeFieldOrder()...)
	step.Changes = differences(order, map[string]any{"description": ""}, want)
	return step, true
}

// spanFree notes it where a changed span is taken by a range of somebody else.
func (b *builder) spanFree(p *placed) bool {
	if problem := b.rangeProblem(p); problem != "" {
		b.note(Note{Level: Conflict, Scope: p.own.Subnet, Rule: "5.1", Text: problem})
		return false
	}
	return true
}

// rangeProblem says why NetBox will not take the span of a range.
func (b *builder) rangeProblem(p *placed) string {
	if p.own.Start == p.own.End && !versionAtLeast(b.nb.Version, 4, 6) {
		return fmt.Sprintf("a scope of one address (%s) cannot be an IP range before NetBox 4.6.1: it is not recorded", p.own.Start)
	}
	for i := range b.nb.Ranges {
		r := &b.nb.Ranges[i]
		if r == p.holder || r.VRF != p.own.VRF || b.holders[r] && r.Subnet() == p.own.Subnet {
			continue
		}
		if p.own.Start.Compare(r.End) <= 0 && r.Start.Compare(p.own.End) <= 0 {
			return fmt.Sprintf("the scope's range %s-%s overlaps IP range %s-%s (id %d), which NetBox does not allow in one VRF: shrink or remove that one",
				p.own.Start, p.own.End, r.Start, r.End, r.ID)
		}
	}
	return ""
}

// scopeName names a scope for people.
func scopeName(name string, subnet netip.Prefix, source Source) string {
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
