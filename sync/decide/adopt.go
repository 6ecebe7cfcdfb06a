package decide

import (
	"fmt"
	"slices"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// ownRange finds the range that people made for exactly the span of a scope that
// has no record; nil: none. NetBox advises such ranges for DHCP pools.
func (r *Roster) ownRange(rec *record) *state.Range {
	for i := range r.in.NetBox.Ranges {
		if x := &r.in.NetBox.Ranges[i]; x.VRF == rec.VRF && x.Role != state.RoleScope && x.Start == rec.Start && x.End == rec.End {
			return x
		}
	}
	return nil
}

// adoptRange makes people's own range of a scope's span its record: role, tag and
// the mirror's fields are set, and everything else stays (rule 4 step 6). It says
// why it does not; empty: it does.
func (sc *scoping) adoptRange(p *placed, step *plan.Step) (refusal string) {
	x := sc.ownRange(p.own)
	switch {
	case x == nil:
		return "no range has the same span"
	case !sc.p.AdoptRanges:
		return "netbox-dhcp-sync import --adopt-ranges takes it over"
	case slices.Contains(sc.p.ExemptRoles, x.Role), slices.ContainsFunc(x.Tags, func(tag string) bool { return slices.Contains(sc.p.ExemptTags, tag) }):
		return "it is another DHCP server's pool, and is not taken over"
	}
	adopted := *p
	adopted.holder = x
	if problem := sc.rangeProblem(&adopted); problem != "" {
		return problem
	}
	p.holder = x
	want := p.rangeWanted()
	want.Description = x.Description
	step.ID, step.AddTags, step.Rule = x.ID, []string{state.TagScope}, "4 step 6"
	step.Why = "people's own range has the span of a scope of " + p.own.Source.String()
	step.Journal = fmt.Sprintf("taken over as the record of a scope of %s (import --adopt-ranges)", p.own.Source)
	step.Changes = append([]plan.Change{{Field: "role", Old: plan.TextOrNil(x.Role), New: plan.IDOrNil(sc.nb.Roles[state.RoleScope])}},
		plan.RangeChanges(x, &want, sc.rangeHas)...)
	sc.claimed = append(sc.claimed, p.own)
	return ""
}
