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

// withdrawal is what becomes of reservations that operators removed from NetBox.
type withdrawal struct {
	deletes map[plan.PushedKey]int64 // deleted on the server in this run, with the record that proves it
	waits   map[plan.PushedKey]bool  // not made anew in NetBox, and not deleted yet
}

// withdrawing is the stage that finds reservations to delete, at work.
type withdrawing struct {
	*recorded
	*withdrawal
	work
	clients   *clients
	addresses book
	pushed    map[plan.PushedKey]plan.Pushed // what is remembered
	objects   map[int64]*state.Address
}

// findWithdrawn finds the reservations that an operator deleted in NetBox, by the
// object that the mirror remembers and the record of its deletion
// (push.delete_removed). addresses is NetBox as it was read; t has what the scopes that
// go take with them; pushed is the part of the memory that says what was found.
//
//	the object in NetBox     its deletion in the log           outcome (rule 5.4)
//	is there                                                   none
//	has another address now                                    keep, told: a move is no deletion
//	is gone                  none, or none that counts         keep, told; NetBox gets it anew
//	is gone                  seen in this run first            keep; NetBox does not get it anew
//	is gone                  seen an hour ago, by both clocks  delete, unless guard c objects
func findWithdrawn(in *recorded, c *clients, targets []*unit, addresses book, t *toll, pushed map[plan.PushedKey]plan.Pushed) (*withdrawal, work) {
	wi := &withdrawing{recorded: in, clients: c, addresses: addresses, pushed: pushed, objects: make(map[int64]*state.Address),
		withdrawal: &withdrawal{deletes: make(map[plan.PushedKey]int64), waits: make(map[plan.PushedKey]bool)}}
	if !in.p.Withdraws() || in.strange != "" || in.nb.Log.Broken {
		return wi.withdrawal, wi.work
	}
	for i := range in.nb.Addresses {
		wi.objects[in.nb.Addresses[i].ID] = &in.nb.Addresses[i]
	}
	lost := make(map[*unit]map[plan.PushedKey]int64)
	for _, u := range targets {
		lost[u] = wi.lost(u)
	}
	wi.guard(targets, lost, t)
	return wi.withdrawal, wi.work
}

// lost lists the reservations of a scope whose deletion in NetBox is proved and old
// enough.
func (wi *withdrawing) lost(u *unit) map[plan.PushedKey]int64 {
	lost, young, unproved := make(map[plan.PushedKey]int64), 0, make(map[string]int)
	for i := range u.part.Reservations.Items {
		r := &u.part.Reservations.Items[i]
		k := plan.PushedKey{Server: wi.host(u.server), Addr: r.Addr}
		known, found := wi.memory.Pushed[k]
		if !found || r.ClientID == "" || known.ClientID != r.ClientID || known.Object == 0 || wi.present(u, r, &known.Known) {
			continue
		}
		if wi.nb.Log.Err != nil { // one whose deletion was seen before goes on waiting
			wi.waits[k] = known.Record > 0
			continue
		}
		d, why := wi.deleted(state.IPAddress, &known.Known)
		if d != nil && !sameReservation(d, u.vrf, r.Addr, r.ClientID) {
			d, why = nil, "the address that was deleted in NetBox was another, or had another client id"
		}
		if d == nil {
			unproved[why]++
			known.Sought, known.Record = wi.nb.Log.Newest, 0
			wi.pushed[k] = known
			continue
		}
		wi.found(&known.Known, d.Record)
		wi.pushed[k] = known
		wi.waits[k] = true
		if !wi.waited(known.First, known.Dated, later) {
			young++
		} else if problem := wi.clients.elsewhere(u, r); problem != "" {
			wi.note(pushNote(wi.view, u, r.Addr, plan.Conflict, problem))
		} else {
			lost[k] = d.Record
		}
	}
	if young > 0 {
		wi.tell(u, plan.Info, fmt.Sprintf("%s deleted in NetBox: to be deleted on the server by a run in an hour or later", printable.Count(young, "reservation was", "reservations were")))
	}
	for _, why := range slices.Sorted(maps.Keys(unproved)) {
		wi.tell(u, plan.Warning, fmt.Sprintf("%s gone from NetBox and kept on the server: %s", printable.Count(unproved[why], "reservation is", "reservations are"), why))
	}
	return lost
}

// present reports whether NetBox still has a remembered object, or another one in
// its place. An address that was only made for a lease since is none. One that moved
// is told, and its old place is not filled anew.
func (wi *withdrawing) present(u *unit, r *windhcp.Reservation, known *plan.Known) bool {
	x := wi.addresses.at(plan.Place{VRF: u.vrf, Addr: r.Addr})
	moved := wi.objects[known.Object]
	switch {
	case x != nil && (x.ID == known.Object || x.Managed != state.Created || x.Status != wi.p.LeaseStatus):
		return true
	case moved == nil:
		return false
	}
	wi.waits[plan.PushedKey{Server: wi.host(u.server), Addr: r.Addr}] = true
	wi.note(pushNote(wi.view, u, r.Addr, plan.Conflict, fmt.Sprintf("its address is %s in NetBox now, and a move is no deletion: remove this reservation on Windows", moved.Address)))
	return true
}

// guard lets the losses through, or none of a scope, server or run that would lose
// more than the operator allows at once (rule 3.7 guard c).
func (wi *withdrawing) guard(targets []*unit, lost map[*unit]map[plan.PushedKey]int64, t *toll) {
	for _, u := range targets {
		t.lose(plan.ListReservations, u.sighting, len(lost[u]))
	}
	for _, u := range targets {
		if len(lost[u]) == 0 || wi.brake(u.server) != "" {
			continue // they wait
		}
		if t.tooMuch(plan.ListReservations, u.sighting) || wi.held(lost[u]) {
			for k := range lost[u] {
				known := wi.pushed[k]
				known.Held = true
				wi.pushed[k] = known
			}
			note := pushNote(wi.view, u, netip.Addr{}, plan.Guard, fmt.Sprintf("would delete %s: nothing is deleted here; if it is right, run once with --allow-deletes",
				t.text(plan.ListReservations, u.sighting, "reservation", "reservations")))
			note.Cause = plan.CauseReservationsLost
			wi.note(note)
			continue
		}
		for k, record := range lost[u] {
			wi.deletes[k] = record
			delete(wi.waits, k)
		}
	}
}

// held reports whether some of these losses were held back before. Reservations that
// are made meanwhile must not make a loss look small.
func (wi *withdrawing) held(lost map[plan.PushedKey]int64) bool {
	for k := range lost {
		if wi.memory.Pushed[k].Held && !wi.p.AllowDeletes {
			return true
		}
	}
	return false
}

func (wi *withdrawing) tell(u *unit, level plan.Level, text string) {
	n := pushNote(wi.view, u, netip.Addr{}, level, text)
	n.Cause = plan.CauseProof
	wi.note(n)
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
