package decide

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// findWithdrawn finds the reservations without an address in NetBox that
// somebody removed there: the mirror pushed them, or saw both sides have them
// (push.delete_removed).
func (b *builder) findWithdrawn(targets []*unit) {
	b.withdrawn = make(map[plan.PushedKey]bool)
	if !b.p.DeleteRemoved || b.p.ReadOnly {
		return
	}
	for _, u := range targets {
		var lost []plan.PushedKey
		for i := range u.part.Reservations.Items {
			r := &u.part.Reservations.Items[i]
			k := plan.PushedKey{Server: b.host(u.server), Addr: r.Addr}
			if r.ClientID == "" || b.in.Memory.Pushed[k] != r.ClientID || b.held[plan.Place{VRF: u.vrf, Addr: r.Addr}] {
				continue
			}
			if b.alone(u, r) {
				lost = append(lost, k)
			}
		}
		if all := len(u.part.Reservations.Items); b.tooMany(len(lost), all) {
			b.notePush(u, netip.Addr{}, plan.Guard, fmt.Sprintf("would delete %d of %d reservations: nothing is deleted; if it is right, run once with --allow-deletes", len(lost), all))
			continue
		}
		for _, k := range lost {
			b.withdrawn[k] = true
		}
	}
}

// alone reports whether a server's reservation can be changed or deleted: such
// calls name the client id only, and the server takes the first it finds in any
// scope (windows-dhcp.md 5.2).
func (b *builder) alone(u *unit, r *windhcp.Reservation) bool {
	index := b.reservedIn[u.server]
	if index == nil {
		index = make(map[windhcp.ClientID][]netip.Addr)
		for id, part := range b.asked(u.server).Parts {
			for i := range part.Reservations.Items {
				client := part.Reservations.Items[i].ClientID
				index[client] = append(index[client], id)
			}
		}
		b.reservedIn[u.server] = index
	}
	others := slices.DeleteFunc(slices.Clone(index[r.ClientID]), func(id netip.Addr) bool { return id == u.scope.ID() })
	if len(others) == 0 {
		return true
	}
	b.notePush(u, r.Addr, plan.Conflict, fmt.Sprintf("client id %s has a reservation in scope %s of the server too, which cannot be told from this one: change it on Windows",
		r.ClientID, slices.MinFunc(others, netip.Addr.Compare)))
	return false
}

// withdraw deletes reservations from a server that operators removed from
// NetBox.
func (b *builder) withdraw(u *unit) []plan.Step {
	var steps []plan.Step
	for i := range u.part.Reservations.Items {
		r := &u.part.Reservations.Items[i]
		if !b.withdrawn[plan.PushedKey{Server: b.host(u.server), Addr: r.Addr}] {
			continue
		}
		steps = append(steps, plan.Step{
			Phase: plan.Push, Target: b.host(u.server), Action: state.Delete, Kind: plan.WindowsReservation, Name: "reservation " + r.Addr.String(),
			Scope: u.scope.Subnet, Addr: r.Addr, VRF: u.vrf, Rule: "5.2", Why: "somebody removed it from NetBox (push.delete_removed)",
			Observed: []plan.Change{{Field: "client_id", Old: string(r.ClientID)}},
		})
	}
	return steps
}

// rememberPushed keeps which reservations both sides have, for
// push.delete_removed. What neither has is forgotten, so that somebody may make
// it again on the server.
func (b *builder) rememberPushed(u *unit, on *reserved, candidates []*state.Address) {
	host := b.host(u.server)
	wanted := make(map[netip.Addr]bool)
	for _, x := range candidates {
		addr, id := x.Address.Addr(), windhcp.ParseClientID(x.ClientID)
		wanted[addr] = true
		if r := on.byAddr[addr]; r == nil && !b.p.ReadOnly || r != nil && r.ClientID == id {
			b.plan.Memory.Pushed[plan.PushedKey{Server: host, Addr: addr}] = id
		}
	}
	if b.pushed == nil {
		b.pushed = make(map[string][]netip.Addr)
		for k := range b.in.Memory.Pushed {
			b.pushed[k.Server] = append(b.pushed[k.Server], k.Addr)
		}
		for _, list := range b.pushed {
			slices.SortFunc(list, netip.Addr.Compare)
		}
	}
	first, _ := slices.BinarySearchFunc(b.pushed[host], u.scope.Subnet.Masked().Addr(), netip.Addr.Compare)
	for _, addr := range b.pushed[host][first:] {
		if !u.scope.Subnet.Contains(addr) {
			break
		}
		if on.byAddr[addr] == nil && !wanted[addr] {
			delete(b.plan.Memory.Pushed, plan.PushedKey{Server: host, Addr: addr})
		}
	}
}
