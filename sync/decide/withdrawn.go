package decide

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// withdrawing is the stage that finds reservations to delete, at work.
type withdrawing struct {
	*recorded
	work
	clients *clients
}

// findWithdrawn finds the reservations that an operator removed from NetBox:
// NetBox has no address for them, and the mirror pushed them, or saw them on both
// sides (push.delete_removed). addresses is NetBox as it was read.
func findWithdrawn(in *recorded, c *clients, targets []*unit, addresses book) (map[plan.PushedKey]bool, work) {
	withdrawn := make(map[plan.PushedKey]bool)
	wi := &withdrawing{recorded: in, clients: c}
	if !in.p.DeleteRemoved || in.p.ReadOnly || in.strange != "" {
		return withdrawn, wi.work
	}
	for _, u := range targets {
		var lost []plan.PushedKey
		for i := range u.part.Reservations.Items {
			r := &u.part.Reservations.Items[i]
			k := plan.PushedKey{Server: in.host(u.server), Addr: r.Addr}
			if r.ClientID == "" || in.memory.Pushed[k] != r.ClientID || addresses.at(plan.Place{VRF: u.vrf, Addr: r.Addr}) != nil {
				continue
			}
			if problem := wi.clients.elsewhere(u, r); problem != "" {
				wi.note(pushNote(in.view, u, r.Addr, plan.Conflict, problem))
				continue
			}
			lost = append(lost, k)
		}
		if all := len(u.part.Reservations.Items); in.tooMany(len(lost), all) {
			n := pushNote(in.view, u, netip.Addr{}, plan.Guard, fmt.Sprintf("would delete %d of %s: nothing is deleted; if it is right, run once with --allow-deletes", len(lost), printable.Count(all, "reservation", "reservations")))
			n.Cause = plan.CauseReservationsLost
			wi.note(n)
			continue
		}
		for _, k := range lost {
			withdrawn[k] = true
		}
	}
	return withdrawn, wi.work
}

// clients knows in which scopes each server has a reservation for a client.
type clients struct {
	*view
	scopes map[int]map[windhcp.ClientID][]netip.Addr // scope ids by server and client
}

func newClients(v *view) *clients {
	return &clients{view: v, scopes: make(map[int]map[windhcp.ClientID][]netip.Addr)}
}

// elsewhere says why a server's reservation cannot be changed or deleted; empty if
// it can. Such calls name the client id only, and the server takes the first
// reservation it finds in any scope (rule 5.2).
func (c *clients) elsewhere(u *unit, r *windhcp.Reservation) string {
	index := c.scopes[u.server]
	if index == nil {
		index = make(map[windhcp.ClientID][]netip.Addr)
		for id, part := range c.asked(u.server).Parts {
			for i := range part.Reservations.Items {
				client := part.Reservations.Items[i].ClientID
				index[client] = append(index[client], id)
			}
		}
		c.scopes[u.server] = index
	}
	others := slices.DeleteFunc(slices.Clone(index[r.ClientID]), func(id netip.Addr) bool { return id == u.scope.ID() })
	if len(others) == 0 {
		return ""
	}
	return fmt.Sprintf("client id %s has a reservation in scope %s of the server too, which cannot be told from this one: change it on Windows",
		r.ClientID, slices.MinFunc(others, netip.Addr.Compare))
}
