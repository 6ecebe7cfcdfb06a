package decide

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// loss is what a network would lose in this run.
type loss struct {
	members  int         // addresses that cleanup looks at
	deletes  []plan.Step // unless guard c holds them back
	heldBack int         // deletes that a reason not to be sure prevents
}

// count counts what guard c measures losses by.
func (ad *addressing) count(n *network, x *state.Address) {
	if x == nil {
		return
	}
	if c, _ := ad.p.ClassOf(x); c != plan.ClassForeign || x.Managed != state.Untouched {
		ad.losses[n.subnetKey].members++
	}
}

// clean decides about an address of which no server has a record (rule 3.7). "res." is
// the reservation status, present or former; managed is created or adopted.
//
//	status         client id  managed  push  outcome
//	any            any        any      any   keep, if protected
//	lease          any        any      any   delete
//	former lease   any        yes      any   delete
//	res.           none       any      any   keep
//	res.           set        no       any   keep
//	res.           set        yes      off   delete
//	res.           set        yes      on    keep: it is pushed instead
//	former res.    any        yes      any   if it is kept: the present reservation status
//	any other      any        any      any   keep
//
// A delete becomes a keep if the server holds the address back (rule 3.9), if not
// every server was read and understood (guards a and b), if the address is in use
// (guard e), or if the network would lose too much (guard c, see deleteLost).
func (ad *addressing) clean(place plan.Place, x *state.Address, f *facts, n *network) {
	gone, why := ad.ended(place, x)
	heldBack := f != nil && f.doubtful
	lost := ad.losses[n.subnetKey]
	switch {
	case gone && heldBack:
		ad.note(plan.Note{Level: plan.Skip, Scope: n.subnet, Addr: place.Addr, Cause: plan.CauseHeldByServer, Text: "kept: the server holds the address back"})
	case gone && n.unsure != "":
		lost.heldBack++ // deleteLost tells it once for the network
	case gone && ad.p.KeepAssigned && x.InUse != "":
		ad.note(plan.Note{Level: plan.Conflict, Scope: n.subnet, Addr: place.Addr, Cause: plan.CauseInUse,
			Text: fmt.Sprintf("%s, but the address is %s and is kept (guards.keep_assigned)", why, x.InUse)})
	case gone:
		lost.deletes = append(lost.deletes, plan.Step{
			Phase: plan.Cleanup, Target: plan.NetBox, Action: state.Delete, Kind: state.IPAddress, ID: x.ID, Name: x.Address.String(),
			Scope: n.subnet, Addr: place.Addr, VRF: place.VRF, Rule: "3.7 delete", Why: why, Observed: ad.observed(x),
		})
		return
	}
	ad.keep(place, x, n, n.unsure == "" && !heldBack)
}

// ended reports whether an address is one to delete now that no server has a
// record of it, and why.
func (v *view) ended(place plan.Place, x *state.Address) (gone bool, why string) {
	c, _ := v.p.ClassOf(x)
	switch {
	case v.protected(place, x):
		return false, ""
	case c == plan.ClassLease:
		return true, "no lease and no reservation on the server any more"
	case c == plan.ClassReservation && x.ClientID != "" && plan.Managed(x) && !v.p.PushReservations:
		return true, "the reservation is gone from the server, and there is no lease"
	}
	return false, ""
}

// observed is what a delete rests on: an operator who changes one of these
// meanwhile wants the address kept (rule 3.7 guard d).
func (ad *addressing) observed(x *state.Address) []plan.Change {
	seen := plan.ObservedAddress(x, "status", "dns_name", plan.CustomField(state.FieldClientID), plan.CustomField(state.FieldManaged))
	if ad.p.KeepAssigned {
		seen = append(seen, plan.Change{Field: "assigned_object_id"})
	}
	return seen
}

// keep leaves an address where it is. Its lease is marked as over if it ended,
// and a reservation of the mirror's moves from a former status to the present
// one.
func (ad *addressing) keep(place plan.Place, x *state.Address, n *network, ended bool) {
	o := outcome{cause: plan.CauseLeaseOver, why: "the lease on it is over", want: *x}
	if ended && x.LeaseActive != nil && *x.LeaseActive {
		over := false
		o.want.LeaseActive, o.want.LeaseExpires = &over, time.Time{}
	}
	c, former := ad.p.ClassOf(x)
	if c == plan.ClassReservation && former && plan.Managed(x) && n.read && !ad.protected(place, x) {
		o.cause, o.why, o.want.Status = plan.CauseStatusMoved, "reservations have another status now", ad.p.ReservationStatus
	}
	ad.update(place, x, &o, n)
}

// deleteLost lets the deletes of each network through, or none of a network that
// would lose more than the operator allows at once. Such a network is remembered:
// addresses that are made meanwhile must not make the loss look small (rule 3.7 guard c).
func (ad *addressing) deleteLost() {
	for _, id := range slices.SortedFunc(maps.Keys(ad.networks), subnetKey.compare) {
		n, lost := ad.networks[id], ad.losses[id]
		if lost.heldBack > 0 {
			ad.note(plan.Note{Level: plan.Warning, Scope: n.subnet, Cause: plan.CauseUnsure,
				Text: fmt.Sprintf("%s would be removed, but %s", printable.Count(lost.heldBack, "address", "addresses"), n.unsure)})
		}
		deletes, place := len(lost.deletes), plan.Place{VRF: n.vrf, Addr: n.subnet.Addr()}
		again := ad.memory.Guarded[place] && deletes > ad.p.MaxDeleteCount && !ad.p.AllowDeletes
		if again || ad.tooMany(deletes, lost.members) {
			ad.guarded[place] = true
			ad.note(plan.Note{Level: plan.Guard, Scope: n.subnet, Cause: plan.CauseLoss,
				Text: fmt.Sprintf("would lose %d of %s, more than guards.max_delete_percent (%d) and guards.max_delete_count (%d) allow: "+
					"nothing is deleted here; if it is right, run once with --allow-deletes", deletes, printable.Count(lost.members, "address", "addresses"), ad.p.MaxDeletePercent, ad.p.MaxDeleteCount)})
			continue
		}
		if n.unsure == "" {
			delete(ad.guarded, place)
		}
		for _, s := range lost.deletes {
			ad.step(s)
			delete(ad.leases, plan.Place{VRF: s.VRF, Addr: s.Addr})
		}
	}
}
