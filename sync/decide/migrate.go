package decide

import (
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// migrate marks reservations that agree with a server's, in address and client
// id, as adopted. The plugin that this mirror replaces kept that knowledge where
// no other program can read it; without the mark all of them would look made by
// hand (rule 3.4).
func migrate(in *surveyed) (w work) {
	addresses := newBook(in.p, in.nb.Addresses)
	done := make(map[plan.Place]bool)
	for _, x := range in.all {
		if !x.read {
			continue
		}
		for i := range x.part.Reservations.Items {
			r := &x.part.Reservations.Items[i]
			place := plan.Place{VRF: x.vrf, Addr: r.Addr}
			if address := addresses.at(place); address != nil && !done[place] && in.agrees(place, address, r) {
				done[place] = true
				w.step(plan.Step{
					Phase: plan.Addresses, Target: plan.NetBox, Action: state.Update, Kind: state.IPAddress, ID: address.ID, Name: address.Address.String(),
					Scope: x.scope.Subnet, Addr: r.Addr, VRF: x.vrf, Rule: "3.4", Why: "reserved for the same client on " + in.host(x.server),
					Changes:  []plan.Change{{Field: plan.CustomField(state.FieldManaged), New: string(state.Adopted)}},
					Observed: plan.ObservedAddress(address, "status", plan.CustomField(state.FieldClientID)),
				})
			}
		}
	}
	return w
}

// agrees reports whether an address without provenance is the reservation of a
// server.
func (v *view) agrees(place plan.Place, x *state.Address, r *windhcp.Reservation) bool {
	if x.Managed != state.Untouched || x.ClientID == "" || windhcp.ParseClientID(x.ClientID) != r.ClientID {
		return false
	}
	c, _ := v.p.ClassOf(x)
	return c == plan.ClassReservation && !v.protected(place, x) && !v.untouchable(x)
}
