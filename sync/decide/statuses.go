package decide

import (
	"fmt"
	"slices"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// checkStatuses looks for addresses with the lease status that no scope
// accepts, tags new ones with a journal entry, and takes the tag off cured ones
// (windows-dhcp.md 8).
func (b *builder) checkStatuses() {
	if len(b.wanted) == 0 {
		return // nothing was imported yet: no scope accepts anything
	}
	leased := make(map[plan.Place]bool)
	for _, u := range b.units {
		for i := range u.part.Leases.Items {
			if l := &u.part.Leases.Items[i]; l.Active() {
				leased[plan.Place{VRF: u.vrf, Addr: l.Addr}] = true
			}
		}
	}
	_, canTag := b.nb.Tags[state.TagInvalid]
	for i := range b.nb.Addresses {
		place := plan.Place{VRF: b.nb.Addresses[i].VRF, Addr: b.nb.Addresses[i].Address.Addr()}
		x := b.current(place, b.nb.Addresses[i].ID)
		if x == nil {
			continue // deleted by this plan
		}
		problem := ""
		if x.Status == b.p.LeaseStatus && !plan.Managed(x) && !leased[place] && !b.exempt(x) {
			problem = b.statusProblemOf(place)
		}
		tagged := slices.Contains(x.Tags, state.TagInvalid)
		if problem != "" {
			b.plan.Violations = append(b.plan.Violations, plan.Violation{ID: x.ID, Addr: x.Address, VRF: x.VRF, Text: problem})
		}
		if !canTag || tagged == (problem != "") || b.protected(place, x) {
			continue
		}
		b.tagStatus(place, x, problem)
	}
}

// current is an address object as it will be; nil: it goes away.
func (b *builder) current(place plan.Place, id int64) *state.Address {
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
func (r *Roster) StatusProblem(place plan.Place) string {
	return statusProblemIn(r.records, r.in.Policy.LeaseStatus, place)
}

func (b *builder) statusProblemOf(place plan.Place) string {
	return statusProblemIn(b.wanted, b.p.LeaseStatus, place)
}

// statusProblemIn is the rule: some scope's subnet has to contain the address,
// and none of that scope's exclusions may.
func statusProblemIn(records []*record, status string, place plan.Place) string {
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

func (b *builder) tagStatus(place plan.Place, x *state.Address, problem string) {
	s := plan.Step{
		Phase: plan.Reflection, Target: plan.NetBox, Action: state.Update, Kind: state.IPAddress, ID: x.ID, Name: x.Address.String(),
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

// statusSettingsProblem says why addresses cannot be synced with these statuses; empty
// if they can (windows-dhcp.md 3.6).
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
