package decide

import (
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// reflectScopes keeps the table of scopes on each prefix's page
// (windows-dhcp.md 9 row 15).
func (b *builder) reflectScopes() {
	if !b.nb.HasField(state.IPPrefix, state.FieldScopes) {
		return
	}
	rows := make(map[subnetKey][]panelRow)
	for _, rec := range b.wanted {
		id := subnetKey{rec.VRF, rec.Subnet}
		rows[id] = append(rows[id], panelRow{
			Name: rec.Name, Source: rec.Source, Start: rec.Start, End: rec.End, Router: rec.Router,
			LeaseSeconds: rec.LeaseSeconds, State: rec.State, Exclusions: rec.Exclusions,
		})
	}
	for id, i := range b.newPrefixes {
		b.plan.Steps[i].Changes = append(b.plan.Steps[i].Changes, plan.Change{Field: plan.CustomField(state.FieldScopes), New: textOrNil(panel(rows[id]))})
	}
	for i := range b.nb.Prefixes {
		p := &b.nb.Prefixes[i]
		text := panel(rows[subnetKey{p.VRF, p.Prefix}])
		if text == p.Scopes {
			continue
		}
		b.step(plan.Step{
			Phase: plan.Reflection, Target: plan.NetBox, Action: state.Update, Kind: state.IPPrefix, ID: p.ID, Name: p.Prefix.String(),
			Scope: p.Prefix, VRF: p.VRF, Rule: "9 row 15", Why: "the table of DHCP scopes on the prefix's page",
			Changes: []plan.Change{{Field: plan.CustomField(state.FieldScopes), Old: textOrNil(p.Scopes), New: textOrNil(text)}},
		})
	}
}
