package decide

import (
	"fmt"
	"slices"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// checkStatuses looks for addresses with the lease status that no scope accepts.
// It tags new ones with a journal entry, and takes the tag off cured ones. after
// is NetBox as the steps so far leave it; invalid is the part of the memory that
// this stage keeps (rule 8).
func checkStatuses(in *recorded, after *state.State, invalid map[int64]bool) (work, []plan.Violation) {
	var w work
	var found []plan.Violation
	leased := in.leased()
	_, canTag := in.nb.Tags[state.TagInvalid]
	for i := range after.Addresses {
		x := &after.Addresses[i]
		if x.ID == 0 {
			continue // made by this plan
		}
		place, problem := placeOf(x), ""
		if x.Status == in.p.LeaseStatus && !leased[place] {
			problem = in.statusProblemOf(in.wanted, in.removed, place, x)
		}
		if problem != "" {
			found = append(found, plan.Violation{ID: x.ID, Addr: x.Address, VRF: x.VRF, Text: problem})
		}
		if problem != "" && plan.Managed(x) && !in.goneFor(place) {
			continue // its scope may only be out of sight
		}
		if tagged := slices.Contains(x.Tags, state.TagInvalid); canTag && tagged != (problem != "") && !in.protected(place, x) && !in.untouchable(x) {
			w.step(tagStatus(x, problem, in.memory.Invalid[x.ID]))
			if problem == "" {
				delete(invalid, x.ID)
			} else {
				invalid[x.ID] = true
			}
		}
	}
	return w, found
}

// leased are the places with an active lease.
func (r *recorded) leased() map[plan.Place]bool {
	leased := make(map[plan.Place]bool)
	for _, u := range r.units {
		for i := range u.part.Leases.Items {
			if l := &u.part.Leases.Items[i]; l.Active() {
				leased[plan.Place{VRF: u.vrf, Addr: l.Addr}] = true
			}
		}
	}
	return leased
}

// untouchable reports whether an address is never written (rule 3.7 guard j).
func (r *Roster) untouchable(x *state.Address) bool {
	tag := r.in.Policy.ExemptTag
	return tag != "" && slices.Contains(x.Tags, tag)
}

// exempt reports whether the status check passes an address over: it is another
// DHCP server's.
func (r *Roster) exempt(x *state.Address) bool {
	return r.untouchable(x) || slices.ContainsFunc(x.Tags, func(t string) bool { return slices.Contains(r.in.Policy.ExemptTags, t) })
}

// StatusProblem says why an address must not have the lease status; empty: it
// may (netbox-dhcp-sync validate --ip). NetBox alone is asked, so a lease runs if
// it says so.
func (r *Roster) StatusProblem(place plan.Place) string {
	x := newBook(&r.in.Policy, r.in.NetBox.Addresses).at(place)
	if x != nil && x.LeaseActive != nil && *x.LeaseActive && !r.orphaned(r.records, nil, place) {
		return ""
	}
	return r.statusProblemOf(r.records, nil, place, x)
}

// statusProblemOf is the rule for what is on an address; x is nil where nothing
// is. What the mirror manages is checked where its scope is gone only, and nothing
// else before the first scope is recorded.
func (r *Roster) statusProblemOf(records []*record, removed map[*record]bool, place plan.Place, x *state.Address) string {
	managed := x != nil && plan.Managed(x)
	switch {
	case x != nil && r.exempt(x):
		return ""
	case managed && !r.orphaned(records, removed, place), !managed && len(records) == 0:
		return ""
	}
	return statusProblemIn(records, r.in.Policy.LeaseStatus, place)
}

// orphaned reports whether no scope record contains an address. A range that is a
// scope and cannot be read counts as one.
func (r *Roster) orphaned(records []*record, removed map[*record]bool, place plan.Place) bool {
	contains := func(rec *record) bool {
		return !removed[rec] && rec.VRF == place.VRF && rec.Subnet.Contains(place.Addr)
	}
	if slices.ContainsFunc(records, contains) {
		return false
	}
	for i := range r.in.NetBox.Ranges {
		x := &r.in.NetBox.Ranges[i]
		if x.Role == state.RoleScope && !r.holders[x] && x.VRF == place.VRF && x.Subnet().Contains(place.Addr) {
			return false
		}
	}
	return true
}

// statusProblemIn is the rule: some scope's subnet has to contain the address,
// and none of that scope's exclusions may.
func statusProblemIn(records []*record, status string, place plan.Place) string {
	problem := fmt.Sprintf("status %q on %s: no DHCP scope contains it", status, place.Addr)
	for _, rec := range records {
		if rec.VRF != place.VRF || !rec.Subnet.Contains(place.Addr) {
			continue
		}
		x := rec.exclusionOf(place.Addr)
		if x == nil {
			return ""
		}
		problem = fmt.Sprintf("status %q on %s: it is in exclusion %s-%s of %s", status, place.Addr, x.Start, x.End, scopeName(rec.Name, rec.Subnet, rec.Source))
	}
	return problem
}

// tagStatus marks an address whose status is a problem, or one whose is none any
// more. known tells that the problem was told by an earlier run.
func tagStatus(x *state.Address, problem string, known bool) plan.Step {
	s := plan.Step{
		Phase: plan.Reflection, Target: plan.NetBox, Action: state.Update, Kind: state.IPAddress, ID: x.ID, Name: x.Address.String(),
		Addr: x.Address.Addr(), VRF: x.VRF, Rule: "8",
	}
	if problem == "" {
		s.RemoveTags, s.Why = []string{state.TagInvalid}, "its status is in order again"
		return s
	}
	s.AddTags, s.Why = []string{state.TagInvalid}, problem
	if !known {
		s.Journal = problem
	}
	return s
}

// statusSettingsProblem says why addresses cannot be synced with these statuses; empty
// if they can (rule 3.6).
func statusSettingsProblem(p *plan.Policy, choices []string) string {
	if p.LeaseStatus == p.ReservationStatus {
		return fmt.Sprintf("lease and reservation status are both %q: they have to differ", p.LeaseStatus)
	}
	for _, s := range []string{p.LeaseStatus, p.ReservationStatus} {
		if choices != nil && !slices.Contains(choices, s) {
			return fmt.Sprintf("NetBox has no status %q for IP addresses: it has %s", s, strings.Join(choices, ", "))
		}
	}
	return ""
}
