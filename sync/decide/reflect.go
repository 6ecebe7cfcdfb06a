package decide

import (
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// panels are the tables of scopes by prefix.
func (r *recorded) panels() map[subnetKey][]panelRow {
	rows := make(map[subnetKey][]panelRow)
	for _, rec := range r.wanted {
		id := subnetKey{rec.VRF, rec.Subnet}
		rows[id] = append(rows[id], panelRow{
			Name: rec.Name, Source: rec.Source, Start: rec.Start, End: rec.End, Router: rec.Router,
			LeaseSeconds: rec.LeaseSeconds, State: rec.State, Exclusions: rec.Exclusions,
		})
	}
	return rows
}

// fillPanels gives the prefixes that this run makes their table at once.
func (sc *scoping) fillPanels(out *recorded) {
	if !sc.nb.HasField(state.IPPrefix, state.FieldScopes) {
		return
	}
	rows := out.panels()
	for id, i := range sc.prefixes {
		sc.steps[i].Changes = append(sc.steps[i].Changes, plan.Change{Field: plan.CustomField(state.FieldScopes), New: plan.TextOrNil(panel(rows[id]))})
	}
}

// reflectScopes keeps the table of scopes on each prefix's page (rule 9 row 15).
func reflectScopes(in *recorded) (w work) {
	if !in.nb.HasField(state.IPPrefix, state.FieldScopes) {
		return w
	}
	rows := in.panels()
	for i := range in.nb.Prefixes {
		p := &in.nb.Prefixes[i]
		text := panel(rows[subnetKey{p.VRF, p.Prefix}])
		chosen, several := in.sharing[subnetKey{p.VRF, p.Prefix}]
		if text == p.Scopes || several && (chosen == nil || p.ID != chosen.ID) {
			continue
		}
		w.step(plan.Step{
			Phase: plan.Reflection, Target: plan.NetBox, Action: state.Update, Kind: state.IPPrefix, ID: p.ID, Name: p.Prefix.String(),
			Scope: p.Prefix, VRF: p.VRF, Rule: "9 row 15", Why: "the table of DHCP scopes on the prefix's page",
			Changes: []plan.Change{{Field: plan.CustomField(state.FieldScopes), Old: plan.TextOrNil(p.Scopes), New: plan.TextOrNil(text)}},
		})
	}
	return w
}
