package decide

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// migrating is the takeover from the plugin that this mirror replaces, at work.
type migrating struct {
	*surveyed
	work
	addresses book
	done      map[plan.Place]bool
	strays    map[subnetKey]*strays
}

// strays are addresses of a scope in the global table that are not moved.
type strays struct {
	unproved, doubled int
	first             netip.Addr
}

// migrate takes over what the plugin left. The plugin kept what it had made where
// no other program can read it, and put all addresses into the global table, without
// a tenant. An address counts as the plugin's where a server has the same client on it.
//
//	address                            outcome
//	reservation, in its VRF            adopted, if a server reserves it for the same client (rule 3.4)
//	in the global table                moved into the VRF of its scope, if that has none there (rule 3.4 point 1)
//	in its VRF or moved, no tenant     gets that of the prefix, as a new one would (inherit_tenant)
func migrate(in *surveyed) work {
	mi := &migrating{surveyed: in, addresses: newBook(in.p, in.nb.Addresses), done: make(map[plan.Place]bool), strays: make(map[subnetKey]*strays)}
	for _, x := range in.all {
		if !x.read {
			continue
		}
		for i := range x.part.Reservations.Items {
			mi.record(x, x.part.Reservations.Items[i].Addr, x.part.Reservations.Items[i].ClientID, true)
		}
		for i := range x.part.Leases.Items {
			if l := &x.part.Leases.Items[i]; l.Active() {
				mi.record(x, l.Addr, l.ClientID, false)
			}
		}
		mi.leftBehind(x)
	}
	mi.noteStrays()
	return mi.work
}

// record takes over the address that a server has a reservation or a lease for.
func (mi *migrating) record(x *sighting, addr netip.Addr, client windhcp.ClientID, reserved bool) {
	place := plan.Place{VRF: x.vrf, Addr: addr}
	list, moved := mi.addresses[place], false
	if len(list) == 0 && x.vrf != 0 && !mi.served(addr) {
		list, moved = mi.addresses[plan.Place{Addr: addr}], true
	}
	if mi.done[place] || len(list) == 0 || moved && len(list) > 1 || !mi.agrees(plan.Place{VRF: list[0].VRF, Addr: addr}, list[0], client) {
		return
	}
	have, want := list[0], *list[0]
	if c, _ := mi.p.ClassOf(have); reserved && c == plan.ClassReservation && have.Managed == state.Untouched {
		want.Managed = state.Adopted
	}
	if want.VRF = x.vrf; mi.p.InheritTenant && have.Tenant == 0 && x.prefix != nil {
		want.Tenant = x.prefix.Tenant
	}
	changes := plan.AddressChanges(have, &want, func(string) bool { return true })
	if len(changes) == 0 {
		return
	}
	mi.done[place] = true
	rule, why := "3.4", "the same client on "+mi.host(x.server)
	if moved || want.Managed == have.Managed {
		rule = "3.4 point 1"
	}
	mi.step(plan.Step{
		Phase: plan.Addresses, Target: plan.NetBox, Action: state.Update, Kind: state.IPAddress, ID: have.ID, Name: have.Address.String(),
		Scope: x.scope.Subnet, Addr: addr, VRF: have.VRF, Rule: rule, Why: why, Changes: changes,
		Observed: plan.ObservedAddress(have, "status", plan.CustomField(state.FieldClientID)),
	})
}

// leftBehind counts addresses of a scope in the global table that look like the
// plugin's and are not moved.
func (mi *migrating) leftBehind(x *sighting) {
	if x.vrf == 0 {
		return
	}
	for place, list := range mi.addresses {
		moved := mi.done[plan.Place{VRF: x.vrf, Addr: place.Addr}] && mi.addresses.at(plan.Place{VRF: x.vrf, Addr: place.Addr}) == nil
		if moved || !mi.strayed(place, list[0], x.scope.Subnet) {
			continue
		}
		id := subnetKey{x.vrf, x.scope.Subnet}
		s := mi.strays[id]
		if s == nil {
			s = &strays{first: place.Addr}
			mi.strays[id] = s
		}
		if mi.addresses.at(plan.Place{VRF: x.vrf, Addr: place.Addr}) != nil {
			s.doubled++
		} else {
			s.unproved++
		}
		if place.Addr.Less(s.first) {
			s.first = place.Addr
		}
	}
}

// strayed reports whether an address is in the global table and looks like the
// plugin's for a scope that is in a VRF.
func (r *Roster) strayed(place plan.Place, x *state.Address, subnet netip.Prefix) bool {
	return place.VRF == 0 && subnet.Contains(place.Addr) && x.ClientID != "" && r.in.Policy.OwnStatus(x.Status) && !r.served(place.Addr) && !r.untouchable(x)
}

// served reports whether a scope of the global table has an address: it is that
// scope's there.
func (r *Roster) served(addr netip.Addr) bool {
	return slices.ContainsFunc(r.records, func(rec *record) bool { return rec.VRF == 0 && rec.Subnet.Contains(addr) })
}

// inVRFs are the subnets of scopes that are in a VRF, recorded or listed, in order.
func (r *Roster) inVRFs() []subnetKey {
	found := make(map[subnetKey]bool)
	for _, rec := range r.records {
		found[subnetKey{rec.VRF, rec.Subnet}] = rec.VRF != 0
	}
	for i := range r.in.Windows {
		for _, scope := range r.in.Windows[i].Scopes.Items {
			vrf := r.decide(r.serverOf(r.in.Windows[i].Host), scope).vrf
			found[subnetKey{vrf, scope.Subnet}] = vrf != 0
		}
	}
	maps.DeleteFunc(found, func(_ subnetKey, in bool) bool { return !in })
	return slices.SortedFunc(maps.Keys(found), subnetKey.compare)
}

// InVRFs lists the subnets of scopes that are in a VRF: what Strayed has to know of
// NetBox's addresses.
func (r *Roster) InVRFs() []netip.Prefix {
	var subnets []netip.Prefix
	for _, id := range r.inVRFs() {
		subnets = append(subnets, id.subnet)
	}
	return subnets
}

// Strayed tells of addresses that the plugin left in the global table while their
// scope is in a VRF. A run would make them there a second time (rule 3.4 point 1).
func (r *Roster) Strayed(addresses []state.Address) []plan.Note {
	var notes []plan.Note
	for _, id := range r.inVRFs() {
		n := 0
		for i := range addresses {
			if r.strayed(placeOf(&addresses[i]), &addresses[i], id.subnet) {
				n++
			}
		}
		if n > 0 {
			notes = append(notes, plan.Note{Level: plan.Warning, Scope: id.subnet, Cause: plan.CauseOtherVRF,
				Text: fmt.Sprintf("%s of it in the global table with a client and a status of the mirror, as the plugin left them, while the scope is in %s, where a run makes them anew",
					printable.Count(n, "address", "addresses"), r.vrfName(id.vrf))})
		}
	}
	return notes
}

func (mi *migrating) noteStrays() {
	for _, id := range slices.SortedFunc(maps.Keys(mi.strays), subnetKey.compare) {
		s := mi.strays[id]
		tell := func(n int, why string) {
			if n > 0 {
				mi.note(plan.Note{Level: plan.Warning, Scope: id.subnet, Addr: s.first, Cause: plan.CauseOtherVRF,
					Text: fmt.Sprintf("%s of it in the global table with a client and a status of the mirror: left there, since %s", printable.Count(n, "address", "addresses"), why)})
			}
		}
		tell(s.unproved, "no server has that client on it; delete it if it is from the plugin")
		tell(s.doubled, mi.vrfName(id.vrf)+" has the same address too; delete one of them")
	}
}

// agrees reports whether an address shows a client that a server has on it, and is
// the mirror's to take over.
func (v *view) agrees(place plan.Place, x *state.Address, client windhcp.ClientID) bool {
	if x.ClientID == "" || windhcp.ParseClientID(x.ClientID) != client {
		return false
	}
	return v.p.OwnStatus(x.Status) && !v.protected(place, x) && !v.untouchable(x)
}
