package decide

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// heldBack is what a network keeps although no server has a record of it.
type heldBack struct {
	unsure int                 // since it is not sure (guards a and b)
	losses map[plan.List]*held // since a loss needs proof (guards c and g)
}

// weigh counts what the network of each place would lose, before anything is lost.
func (ad *addressing) weigh(places []plan.Place, missing map[plan.MissingKey]plan.Sight) {
	for _, place := range places {
		n, f, list := ad.networkOf(place), ad.facts[place], ad.addresses[place]
		if slices.ContainsFunc(list, ad.untouchable) {
			continue
		}
		if f.served() {
			list = list[:min(len(list), 1)]
			for _, x := range list {
				ad.weighOverwrite(place, x)
			}
		}
		if n.unsure != "" {
			continue
		}
		for _, x := range list {
			ad.weighOne(place, x, f, n)
		}
	}
	ad.forgetBefore()
	ad.losses.judge(missing)
	ad.losses.settle(missing, func(key plan.MissingKey) bool {
		n, f := ad.networkOf(key.Place), ad.facts[key.Place]
		if f != nil && (f.reservation != nil || key.List == plan.ListLeases && (f.lease != nil || f.doubtful || f.elsewhere)) {
			return ofAddress(key.List) // listed again, by whichever server
		}
		return ofAddress(key.List) && (n != nil && n.unsure == "" || n == nil && ad.addresses.at(key.Place) == nil)
	})
}

func ofAddress(list plan.List) bool { return list == plan.ListLeases || list == plan.ListReservations }

// weighOne counts an address that cleanup may take: it rests on the list of its
// status.
func (ad *addressing) weighOne(place plan.Place, x *state.Address, f *facts, n *network) {
	list, why := ad.restsOn(place, x, n)
	if why == "" || !f.served() && ad.p.KeepAssigned && x.InUse != "" {
		return
	}
	if _, differs := ad.givenBack(place, x); x.Managed == state.Adopted && !differs && !f.served() {
		return
	}
	from := ad.listsOf(list, place, n)
	ad.losses.rests(list, n.subnetKey, from.servers)
	downgraded := f.served() && list == plan.ListReservations && f.reservation == nil
	if f.served() && !downgraded || f != nil && (f.doubtful || f.elsewhere) {
		return
	}
	info := ad.memory.Leases[place]
	lost := &loss{key: missingKey(list, x), scope: n.subnetKey, servers: from.servers, empty: from.empty, alone: from.empty && from.alone,
		endless: list == plan.ListReservations || handMade(x)}
	if info.Active && (info.ClientID == "" || string(info.ClientID) == x.ClientID) {
		lost.ends = info.Expires // of another client's lease on this host it is not known
	}
	ad.losses.lose(lost)
}

// handMade reports whether a person made an address. Such a lease has no end of its
// own.
func handMade(x *state.Address) bool {
	return x.Managed == state.Untouched || x.Managed == state.Prestaged
}

func missingKey(list plan.List, x *state.Address) plan.MissingKey {
	return plan.MissingKey{List: list, Place: placeOf(x), Name: strconv.FormatInt(x.ID, 10)}
}

// lossOf is the loss of an address; nil: it is not lost, or it is nil.
func (ad *addressing) lossOf(x *state.Address) *loss {
	if x == nil {
		return nil
	}
	return cmp.Or(ad.losses.of(missingKey(plan.ListLeases, x)), ad.losses.of(missingKey(plan.ListReservations, x)))
}

// sources are the lists that an address rests on.
type sources struct {
	servers []int
	empty   bool // one that should name it has no entry
	alone   bool // and no other scope of those servers has a running lease
}

// listsOf finds the lists an address rests on: of all servers that have the network.
// The one that had its lease last should name it; if that is not known, any.
func (ad *addressing) listsOf(list plan.List, place plan.Place, n *network) (from sources) {
	last := ad.serverOf(ad.memory.Leases[place].Server)
	if !slices.ContainsFunc(n.units, func(u *unit) bool { return u.server == last }) {
		last = -1
	}
	from.alone = true
	for _, u := range n.units {
		from.servers = append(from.servers, u.server)
		if last >= 0 && u.server != last {
			continue
		}
		from.empty = from.empty || list == plan.ListLeases && running(u.part.Leases) == 0 || list == plan.ListReservations && len(u.part.Reservations.Items) == 0
	}
	for _, u := range ad.units {
		if (last < 0 || u.server == last) && slices.Contains(from.servers, u.server) && !slices.Contains(n.units, u) && running(u.part.Leases) > 0 {
			from.alone = false
		}
	}
	return from
}

// inPool reports whether a scope of the network hands an address out.
func (n *network) inPool(addr netip.Addr) bool {
	return slices.ContainsFunc(n.units, func(u *unit) bool {
		return u.scope.Start.IsValid() && u.scope.End.IsValid() && u.scope.Start.Compare(addr) <= 0 && addr.Compare(u.scope.End) <= 0
	})
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
	_, why := ad.restsOn(place, x, n)
	gone, lost := why != "", ad.lossOf(x)
	doubtful := f != nil && f.doubtful
	switch {
	case gone && f != nil && f.elsewhere:
		return // another server has it: hear counts them
	case gone && doubtful:
		ad.note(plan.Note{Level: plan.Skip, Scope: n.subnet, Addr: place.Addr, Cause: plan.CauseHeldByServer, Text: "kept: the server holds the address back"})
	case gone && n.unsure != "":
		ad.heldBack[n.subnetKey].unsure++ // noteHeldBack tells it once for the network
	case gone && x.Managed == state.Adopted && lost == nil:
		ad.keepAdopted(place, x, n)
	case gone && ad.p.KeepAssigned && x.InUse != "":
		ad.note(plan.Note{Level: plan.Conflict, Scope: n.subnet, Addr: place.Addr, Cause: plan.CauseInUse,
			Text: fmt.Sprintf("%s, but the address is %s and is kept (guards.keep_assigned)", why, x.InUse)})
	case lost != nil && lost.fate == goes && x.Managed == state.Adopted:
		ad.giveBack(place, x, n)
		return
	case lost != nil && lost.fate == goes:
		ad.step(plan.Step{
			Phase: plan.Cleanup, Target: plan.NetBox, Action: state.Delete, Kind: state.IPAddress, ID: x.ID, Name: x.Address.String(),
			Scope: n.subnet, Addr: place.Addr, VRF: place.VRF, Rule: "3.7 delete", Why: why, Observed: ad.observed(x),
		})
		delete(ad.leases, place)
		return
	case lost != nil:
		ad.held(n, lost)
		ad.foretell(place, x, lost, n)
		return
	}
	ad.keep(place, x, n, n.unsure == "" && !doubtful)
}

// restsOn tells which list an address rests on, and why it goes when that list lacks
// it. No reason: the address stays, whatever the lists say.
func (ad *addressing) restsOn(place plan.Place, x *state.Address, n *network) (list plan.List, why string) {
	c, _ := ad.p.ClassOf(x)
	switch {
	case ad.protected(place, x):
		return "", ""
	case c == plan.ClassLease && handMade(x) && (x.Assigned || !n.inPool(place.Addr)):
		return "", "" // people documented it, or no server hands it out (rules 3.4 and 3.7 guard h)
	case c == plan.ClassLease:
		return plan.ListLeases, "no lease and no reservation on the server any more"
	case c == plan.ClassReservation && x.ClientID != "" && plan.Managed(x) && !ad.pushesTo(n):
		return plan.ListReservations, "the reservation is gone from the server, and there is no lease"
	}
	return "", ""
}

// pushesTo reports whether NetBox is the truth for the reservations of a network: it
// is unless all servers that serve it win.
func (ad *addressing) pushesTo(n *network) bool {
	return ad.p.PushReservations && (len(n.units) == 0 || slices.ContainsFunc(n.units, func(u *unit) bool { return ad.pushesReservations(u.server) }))
}

// foretell names an address that a person made, at least one read before it goes.
func (ad *addressing) foretell(place plan.Place, x *state.Address, lost *loss, n *network) {
	if !handMade(x) || !lost.looked || lost.fate != waits {
		return
	}
	ad.note(plan.Note{Level: plan.Warning, Scope: n.subnet, Addr: place.Addr, Cause: plan.CauseForetold,
		Text: fmt.Sprintf("made by hand with status %s, and no server has a lease on it: it goes in a run %s from now, unless that changes; give it another status to keep it",
			x.Status, ad.p.ConfirmAfter)})
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
	if ended {
		ad.over(x, &o)
	}
	c, former := ad.p.ClassOf(x)
	if c == plan.ClassReservation && former && plan.Managed(x) && n.read && !ad.protected(place, x) {
		o.cause, o.why, o.want.Status = plan.CauseStatusMoved, "reservations have another status now", ad.p.ReservationStatus
	}
	ad.update(place, x, &o, n)
}

// over marks the lease on an address as ended.
func (ad *addressing) over(x *state.Address, o *outcome) {
	if x.LeaseActive != nil && *x.LeaseActive {
		over := false
		o.want.LeaseActive, o.want.LeaseExpires = &over, time.Time{}
	}
}

// held counts a loss that does not go.
func (ad *addressing) held(n *network, lost *loss) {
	if lost == nil || lost.fate == goes {
		return
	}
	of := ad.heldBack[n.subnetKey].losses
	if of[lost.key.List] == nil {
		of[lost.key.List] = new(held)
	}
	of[lost.key.List].add(ad.losses, lost)
}

// noteHeldBack tells once for each network what it keeps, and until when.
func (ad *addressing) noteHeldBack() {
	for _, id := range slices.SortedFunc(maps.Keys(ad.networks), subnetKey.compare) {
		n, kept := ad.networks[id], ad.heldBack[id]
		if kept.unsure > 0 {
			ad.note(plan.Note{Level: plan.Warning, Scope: n.subnet, Cause: plan.CauseUnsure,
				Text: fmt.Sprintf("%s would be removed, but %s", printable.Count(kept.unsure, "address", "addresses"), n.unsure)})
		}
		for _, list := range slices.Sorted(maps.Keys(kept.losses)) {
			h := kept.losses[list]
			ad.note(plan.Note{Level: h.level(), Scope: n.subnet, Cause: plan.CauseLoss, Text: h.text(ad.losses, "address", "addresses")})
		}
	}
}
