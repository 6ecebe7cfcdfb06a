package decide

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// orphans are the mirror's addresses that no scope contains any more: they stay, and
// every run tells of them (rule 3.7 scope cleanup). No lease runs on them, nor on
// those there that are people's. One that a server may still lease is only told of.
func orphans(in *recorded) work {
	var w work
	found := make(map[subnetKey]int)
	for i := range in.nb.Addresses {
		x := &in.nb.Addresses[i]
		c, _ := in.p.ClassOf(x)
		place := placeOf(x)
		if in.exempt(x) || !in.orphaned(in.wanted, in.removed, place) {
			continue
		}
		if plan.Managed(x) && c != plan.ClassForeign {
			found[subnetKey{x.VRF, x.Address.Masked()}]++
		}
		if in.p.SyncIPs && x.LeaseActive != nil && *x.LeaseActive && in.goneFor(place) {
			w.leaseOver(in, x)
		}
	}
	for _, id := range slices.SortedFunc(maps.Keys(found), subnetKey.compare) {
		w.note(plan.Note{Level: plan.Warning, Scope: id.subnet, Cause: plan.CauseOrphans,
			Text: fmt.Sprintf("no scope contains it any more; NetBox keeps %s with its statuses as orphans: delete them, or give them another status", printable.Count(found[id], "address", "addresses"))})
	}
	return w
}

// leaseOver marks the lease on an orphan as over.
func (w *work) leaseOver(in *recorded, x *state.Address) {
	over, active := *x, false
	over.LeaseActive, over.LeaseExpires = &active, time.Time{}
	if changes := plan.AddressChanges(x, &over, in.writtenOn(placeOf(x), x)); len(changes) > 0 {
		w.step(plan.Step{
			Phase: plan.Addresses, Target: plan.NetBox, Action: state.Update, Kind: state.IPAddress, ID: x.ID, Name: x.Address.String(),
			Scope: x.Address.Masked(), Addr: x.Address.Addr(), VRF: x.VRF, Rule: plan.CauseOrphans.Rule(), Why: "its scope is gone from the server",
			Changes: changes,
		})
	}
}

// goneFor reports whether it is sure that no server has a scope around an address:
// all that are in use were asked and told all they have.
func (v *view) goneFor(place plan.Place) bool {
	for i := range v.p.Servers {
		if v.p.Servers[i].Disabled {
			continue
		}
		s := v.asked(i)
		if s == nil || !s.Scopes.Complete() || listsAround(s.Scopes.Items, place.Addr) {
			return false
		}
	}
	return true
}

func listsAround(scopes []windhcp.Scope, addr netip.Addr) bool {
	return slices.ContainsFunc(scopes, func(s windhcp.Scope) bool { return s.Subnet.Contains(addr) })
}
