package decide

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// clean decides about an address object no server has a record of
// (windows-dhcp.md 3.7).
func (b *builder) clean(place plan.Place, x *state.Address, f *facts, n *network) {
	c, former := b.p.ClassOf(x)
	gone := false
	why := ""
	switch {
	case b.protected(place, x):
		former = false
	case c == plan.ClassLease:
		gone, why = true, "no lease and no reservation on the server any more"
	case c == plan.ClassReservation && x.ClientID != "" && plan.Managed(x) && !b.p.PushReservations:
		gone, why = true, "the reservation is gone from the server, and there is no lease"
	}
	moves := c == plan.ClassReservation && former && plan.Managed(x)
	if f != nil && f.doubtful {
		if gone {
			b.note(plan.Note{Level: plan.Skip, Scope: n.subnet, Addr: place.Addr, Rule: "3.9", Text: "kept: the server holds the address back"})
		}
		b.keep(place, x, n, false, moves)
		return
	}
	if gone && n.unsure != "" {
		gone = false // said once for the network, by holdBack
		n.heldBack++
	}
	if gone && b.p.KeepAssigned && x.InUse != "" {
		gone = false
		b.note(plan.Note{Level: plan.Conflict, Scope: n.subnet, Addr: place.Addr, Rule: "3.7 guard e",
			Text: fmt.Sprintf("%s, but the address is %s and is kept (guards.keep_assigned)", why, x.InUse)})
	}
	if !gone {
		b.keep(place, x, n, n.unsure == "", moves)
		return
	}
	n.doomed = append(n.doomed, plan.Step{
		Phase: plan.Cleanup, Target: plan.NetBox, Action: state.Delete, Kind: state.IPAddress, ID: x.ID, Name: x.Address.String(),
		Scope: n.subnet, Addr: place.Addr, VRF: place.VRF, Rule: "3.7 delete", Why: why, Observed: b.observed(x),
	})
}

// observed is what a delete rests on: whoever changes one of these meanwhile
// wants the address kept (windows-dhcp.md 3.7 guard d).
func (b *builder) observed(x *state.Address) []plan.Change {
	seen := []plan.Change{
		{Field: "status", Old: x.Status},
		{Field: "dns_name", Old: x.DNSName},
		{Field: plan.CustomField(state.FieldClientID), Old: textOrNil(x.ClientID)},
		{Field: plan.CustomField(state.FieldManaged), Old: textOrNil(string(x.Managed))},
	}
	if b.p.KeepAssigned {
		seen = append(seen, plan.Change{Field: "assigned_object_id"})
	}
	return seen
}

// keep leaves an address where it is: its lease is marked as over if it ended,
// and a reservation of the mirror's moves from a former status to the present
// one.
func (b *builder) keep(place plan.Place, x *state.Address, n *network, ended, moves bool) {
	o := outcome{row: "3.6", why: "the lease on it is over", want: *x}
	if ended && x.LeaseActive != nil && *x.LeaseActive {
		over := false
		o.want.LeaseActive, o.want.LeaseExpires = &over, time.Time{}
	}
	if moves && n.read {
		o.row, o.why, o.want.Status = "3.7 status settings changed", "reservations have another status now", b.p.ReservationStatus
	}
	b.update(place, x, &o, n)
}

// holdBack lets deletes through, or none of a network that would lose more
// than the operator allows at once (windows-dhcp.md 3.7 guard c).
func (b *builder) holdBack(networks map[subnetKey]*network) {
	for _, id := range slices.SortedFunc(maps.Keys(networks), subnetKey.compare) {
		n := networks[id]
		if n.heldBack > 0 {
			b.note(plan.Note{Level: plan.Warning, Scope: n.subnet, Rule: "3.7",
				Text: fmt.Sprintf("%d addresses would be removed, but %s", n.heldBack, n.unsure)})
		}
		lost, place := len(n.doomed), plan.Place{VRF: n.vrf, Addr: n.subnet.Addr()}
		again := b.in.Memory.Guarded[place] && lost > b.p.MaxDeleteCount && !b.p.AllowDeletes
		if again || b.tooMany(lost, n.members) {
			b.plan.Memory.Guarded[place] = true
			b.note(plan.Note{Level: plan.Guard, Scope: n.subnet, Rule: "3.7 guard c",
				Text: fmt.Sprintf("would lose %d of %d addresses, more than guards.max_delete_percent (%d) and guards.max_delete_count (%d) allow: "+
					"nothing is deleted here; if it is right, run once with --allow-deletes", lost, n.members, b.p.MaxDeletePercent, b.p.MaxDeleteCount)})
			continue
		}
		if n.unsure == "" {
			delete(b.plan.Memory.Guarded, place)
		}
		for _, s := range n.doomed {
			b.step(s)
			place := plan.Place{VRF: s.VRF, Addr: s.Addr}
			b.addresses[place] = slices.DeleteFunc(b.addresses[place], func(x *state.Address) bool { return x.ID == s.ID })
			delete(b.plan.Memory.Leases, place)
		}
	}
}

// tooMany is guard c.
func (b *builder) tooMany(lost, of int) bool {
	return !b.p.AllowDeletes && lost > b.p.MaxDeleteCount && lost*100 > of*b.p.MaxDeletePercent
}
