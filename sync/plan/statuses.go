package plan

import (
	"fmt"
	"slices"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// checkStatuses looks for addresses with the lease status that no scope
// accepts, tags new ones with a journal entry, and takes the tag off cured ones
// (windows-dhcp.md 8).
func (b *builder) checkStatuses() {
	if len(b.wanted) == 0 {
		return // nothing was imported yet: no scope accepts anything
	}
	leased := make(map[Place]bool)
	for _, u := range b.units {
		for i := range u.part.Leases.Items {
			if l := &u.part.Leases.Items[i]; l.Active() {
				leased[Place{u.vrf, l.Addr}] = true
			}
		}
	}
	_, canTag := b.nb.Tags[state.TagInvalid]
	for i := range b.nb.Addresses {
		place := Place{b.nb.Addresses[i].VRF, b.nb.Addresses[i].Address.Addr()}
		x := b.current(place, b.nb.Addresses[i].ID)
		if x == nil {
			continue // deleted by this plan
		}
		problem := ""
		if x.Status == b.p.LeaseStatus && !managed(x) && !leased[place] && !b.exempt(x) {
			problem = b.statusProblemOf(place)
		}
		tagged := slices.Contains(x.Tags, state.TagInvalid)
		if problem != "" {
			b.plan.Violations = append(b.plan.Violations, Violation{ID: x.ID, Addr: x.Address, VRF: x.VRF, Text: problem})
		}
		if !canTag || tagged == (problem != "") || b.protected(place, x) {
			continue
		}
		b.tagStatus(place, x, problem)
	}
}

// current is an address object as it will be; nil: it goes away.
func (b *builder) current(place Place, id int64) *state.Address {
	for _, x := range b.addresses[place] {
		if x.ID == id {
			return x
		}
	}
	return nil
}

func (b *builder) exempt(x *state.Address) bool {
	return slices.ContainsFunc(x.Tags, func(t string) bool { return slices.Contains(b.p.ExemptTags, t) })
}

// StatusProblem says why an address must not have the lease status; empty: it
// may (netbox-dhcp-sync validate).
func (r *Roster) StatusProblem(place Place) string {
	return statusProblemIn(r.records, r.in.Policy.LeaseStatus, place)
}

func (b *builder) statusProblemOf(place Place) string {
	return statusProblemIn(b.wanted, b.p.LeaseStatus, place)
}

// statusProblemIn is the rule: some scope's subnet has to contain the address,
// and none of that scope's exclusions may.
func statusProblemIn(records []*record, status string, place Place) string {
	problem := fmt.Sprintf("status %q on %s: no DHCP scope contains it", status, place.Addr)
	for _, rec := range records {
		if rec.VRF != place.VRF || !rec.Subnet.Contains(place.Addr) {
			continue
		}
		x := rec.accepts(place.Addr)
		if x == nil {
			return ""
		}
		problem = fmt.Sprintf("status %q on %s: it is in exclusion %s-%s of %s", status, place.Addr, x.Start, x.End, scopeName(rec.Name, rec.Subnet, rec.Source))
	}
	return problem
}

func (b *builder) tagStatus(place Place, x *state.Address, problem string) {
	s := Step{
		Phase: Reflection, Target: NetBox, Action: state.Update, Kind: state.IPAddress, ID: x.ID, Name: x.Address.String(),
		Addr: place.Addr, VRF: place.VRF, Rule: "8",
	}
	if problem == "" {
		s.RemoveTags, s.Why = []string{state.TagInvalid}, "its status is in order again"
		delete(b.plan.Memory.Invalid, x.ID)
	} else {
		s.AddTags, s.Why = []string{state.TagInvalid}, problem
		if !b.in.Memory.Invalid[x.ID] {
			s.Journal = problem
		}
		b.plan.Memory.Invalid[x.ID] = true
	}
	b.step(s)
}
