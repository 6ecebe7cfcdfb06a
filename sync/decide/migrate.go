package decide

import (
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// migrate marks reservations that agree with a server's, in address and client
// id, as adopted: the plugin this mirror replaces kept that knowledge where
// nobody else can read it, and without it all of them would look hand-made
// (windows-dhcp.md 3.4).
func (b *builder) migrate() {
	for _, u := range b.units {
		for i := range u.part.Reservations.Items {
			r := &u.part.Reservations.Items[i]
			place := plan.Place{VRF: u.vrf, Addr: r.Addr}
			x := b.addressAt(place)
			if x == nil || x.Managed != state.Untouched || x.ClientID == "" || windhcp.ParseClientID(x.ClientID) != r.ClientID {
				continue
			}
			if c, _ := b.p.ClassOf(x); c != plan.ClassReservation || b.protected(place, x) {
				continue
			}
			b.step(plan.Step{
				Phase: plan.Addresses, Target: plan.NetBox, Action: state.Update, Kind: state.IPAddress, ID: x.ID, Name: x.Address.String(),
				Scope: u.scope.Subnet, Addr: r.Addr, VRF: u.vrf, Rule: "3.4", Why: "reserved for the same client on " + b.host(u.server),
				Changes: []plan.Change{{Field: plan.CustomField(state.FieldManaged), New: string(state.Adopted)}},
				Observed: []plan.Change{
					{Field: "status", Old: x.Status}, {Field: plan.CustomField(state.FieldClientID), Old: x.ClientID},
				},
			})
			x.Managed = state.Adopted
		}
	}
}
