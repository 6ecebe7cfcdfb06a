package decide

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// pushTargets are the scopes that reservations are pushed to: those that were
// read, each followed by its twin on the partner where that is written to as well,
// and those that the servers get in this run.
func pushTargets(in *recorded, made []*unit) []*unit {
	if !in.p.PushReservations {
		return nil
	}
	var targets []*unit
	for _, u := range in.units {
		if u.fallback {
			continue
		}
		targets = append(targets, u)
		for _, partner := range in.twins(u) {
			twin := *partner
			twin.vrf = u.vrf
			twin.part.Leases = u.part.Leases
			targets = append(targets, &unit{sighting: &twin, want: u.want})
		}
	}
	targets = append(targets, made...)
	return slices.DeleteFunc(targets, func(u *unit) bool { return !u.part.Reservations.Complete() || !in.pushesReservations(u.server) })
}

// reservationPush is the stage that writes reservations to servers, at work.
type reservationPush struct {
	*recorded
	work
	clients   *clients
	withdrawn *withdrawal
	pushed    map[plan.PushedKey]plan.Pushed // what is remembered
	before    map[string][]netip.Addr        // what was remembered, by server, in order
}

// pushReservations makes servers reserve what NetBox does. NetBox's own
// reservations are never changed by it. What names a client id comes before new
// reservations could make that id ambiguous. addresses is NetBox as the steps so
// far leave it; pushed is the part of the memory that this stage keeps.
//
//	server has for the address   outcome (rule 5.2)
//	nothing                      create; wait while another address of the scope has the client id
//	same client, same texts      none
//	same client, other texts     update the name and description that NetBox has
//	what it made of this client  as the same client
//	other client id              conflict; replace with push.replace_client_id
//	address NetBox has not       none; delete with push.delete_removed and proof (rule 5.4)
func pushReservations(in *recorded, c *clients, targets []*unit, withdrawn *withdrawal, addresses book, pushed map[plan.PushedKey]plan.Pushed) work {
	if len(targets) == 0 {
		return work{}
	}
	rp := &reservationPush{recorded: in, clients: c, withdrawn: withdrawn, pushed: pushed, before: make(map[string][]netip.Addr)}
	for k := range in.memory.Pushed {
		rp.before[k.Server] = append(rp.before[k.Server], k.Addr)
	}
	for _, list := range rp.before {
		slices.SortFunc(list, netip.Addr.Compare)
	}
	var posts []plan.Step
	reservations := netboxReservations(in.p, addresses)
	for _, u := range targets {
		steps := rp.withdraw(u)
		rest, made := rp.pushUnit(u, reservations)
		rp.steps = append(append(rp.steps, steps...), rest...)
		posts = append(posts, made...)
		if len(steps)+len(rest)+len(made) > 0 && u.source.Failover != "" && !in.p.PushToPartner {
			rp.notePush(u, netip.Addr{}, plan.Info, "failover does not copy reservations: replicate them to the partner on Windows, or set push.push_to_partner")
		}
	}
	rp.steps = append(rp.steps, posts...)
	return rp.work
}

// reserved is what a server reserves in a scope when the steps so far are done.
type reserved struct {
	byAddr map[netip.Addr]*windhcp.Reservation
	byID   map[windhcp.ClientID][]netip.Addr // a server may hold several for one client
}

func (r *reserved) put(x windhcp.Reservation) {
	if old := r.byAddr[x.Addr]; old != nil {
		r.byID[old.ClientID] = slices.DeleteFunc(r.byID[old.ClientID], func(a netip.Addr) bool { return a == x.Addr })
	}
	r.byAddr[x.Addr], r.byID[x.ClientID] = &x, append(r.byID[x.ClientID], x.Addr)
}

// pushUnit compares the reservations of one scope. One whose client id another
// still has waits until that one has made room, or is reported.
func (rp *reservationPush) pushUnit(u *unit, all []*state.Address) (changes, posts []plan.Step) {
	on := &reserved{make(map[netip.Addr]*windhcp.Reservation), make(map[windhcp.ClientID][]netip.Addr)}
	for _, r := range u.part.Reservations.Items {
		if _, deleted := rp.withdrawn.deletes[plan.PushedKey{Server: rp.host(u.server), Addr: r.Addr}]; !deleted {
			on.put(r)
		}
	}
	pending := rp.candidates(u, all)
	rp.rememberPushed(u, on, pending)
	for len(pending) > 0 {
		var blocked []*state.Address
		for _, x := range pending {
			step, waits := rp.pushReservation(u, x, on)
			switch {
			case waits:
				blocked = append(blocked, x)
			case step.Action == state.Create:
				posts = append(posts, step)
			case step.Action != "":
				changes = append(changes, step)
			}
		}
		if len(blocked) == len(pending) {
			break
		}
		pending = blocked
	}
	for _, x := range pending {
		id := windhcp.ParseClientID(x.ClientID)
		rp.notePush(u, x.Address.Addr(), plan.Conflict, fmt.Sprintf("the server reserves %s for client id %s: remove that one, or correct NetBox", on.byID[id][0], id))
	}
	return changes, posts
}

func (rp *reservationPush) notePush(u *unit, addr netip.Addr, level plan.Level, text string) {
	rp.note(pushNote(rp.view, u, addr, level, text))
}

func pushNote(v *view, u *unit, addr netip.Addr, level plan.Level, text string) plan.Note {
	return plan.Note{Level: level, Server: v.host(u.server), Scope: u.scope.Subnet, Addr: addr, Cause: plan.CausePush, Text: text}
}

// netboxReservations are NetBox's reservations with a client id, by place.
func netboxReservations(p *plan.Policy, addresses book) []*state.Address {
	var out []*state.Address
	for _, list := range addresses {
		if len(list) == 0 || list[0].ClientID == "" {
			continue
		}
		if c, _ := p.ClassOf(list[0]); c == plan.ClassReservation {
			out = append(out, list[0])
		}
	}
	slices.SortFunc(out, func(x, y *state.Address) int { return placeOf(x).Compare(placeOf(y)) })
	return out
}

// candidates are NetBox's reservations in a scope that a server can hold, by
// address.
func (rp *reservationPush) candidates(u *unit, all []*state.Address) []*state.Address {
	start, _ := slices.BinarySearchFunc(all, plan.Place{VRF: u.vrf, Addr: u.scope.Subnet.Masked().Addr()}, func(x *state.Address, p plan.Place) int { return placeOf(x).Compare(p) })
	taken := make(map[windhcp.ClientID]netip.Addr)
	var out []*state.Address
	for _, x := range all[start:] {
		addr := x.Address.Addr()
		if x.VRF != u.vrf || !u.scope.Subnet.Contains(addr) {
			break
		}
		id := windhcp.ParseClientID(x.ClientID)
		other, twice := taken[id]
		switch {
		case !id.Canonical():
			rp.notePush(u, addr, plan.Warning, fmt.Sprintf("client id %q is not made of hex pairs: the server would store something else, so it is not pushed", x.ClientID))
		case twice:
			rp.notePush(u, addr, plan.Warning, fmt.Sprintf("client id %s is on %s already: a scope reserves for a client once", id, other))
		default:
			taken[id] = addr
			out = append(out, x)
		}
	}
	return out
}

// pushReservation compares one reservation with the server's; no action means
// that there is nothing to do. It waits where another address of the scope has
// the client id.
func (rp *reservationPush) pushReservation(u *unit, x *state.Address, on *reserved) (step plan.Step, waits bool) {
	addr, id := x.Address.Addr(), windhcp.ParseClientID(x.ClientID)
	r := on.byAddr[addr]
	step = plan.Step{
		Phase: plan.Push, Target: rp.host(u.server), Kind: plan.WindowsReservation, Name: "reservation " + addr.String(),
		Scope: u.scope.Subnet, Addr: addr, VRF: u.vrf, Rule: "5.2", Action: state.Update, Why: "NetBox is the truth for reservations",
	}
	if len(on.byID[id]) > 0 && (r == nil || r.ClientID != id && rp.p.ReplaceClientID) {
		return step, true
	}
	switch {
	case r == nil:
		step.Action, step.Why = state.Create, "NetBox reserves it and the server does not"
		step.Changes = []plan.Change{
			{Field: "ip_address", New: addr.String()},
			{Field: "client_id", New: string(id)},
			{Field: "name", New: x.DNSName},
			{Field: "description", New: x.Description},
			{Field: "type", New: "Dhcp"},
		}
		on.put(windhcp.Reservation{Addr: addr, ClientID: id, Name: x.DNSName, Description: x.Description, Type: "Dhcp"})
	case r.ClientID == id:
		step.Observed = []plan.Change{{Field: "client_id", Old: string(r.ClientID)}}
		step.Changes = rp.reservationChanges(x, r)
		if len(step.Changes) == 0 || !rp.free(u, r) {
			return plan.Step{}, false
		}
	case rp.told(&step, id, r.ClientID): // settled takes the client id out of the step again
		step.Observed = []plan.Change{{Field: "client_id", Old: string(r.ClientID)}}
		step.Changes = []plan.Change{{Field: "client_id", Old: string(r.ClientID), New: string(id)}}
		if texts := rp.reservationChanges(x, r); len(texts) > 0 && rp.free(u, r) {
			step.Changes = append(step.Changes, texts...)
		}
	case !rp.replaces(u, x, r):
		return plan.Step{}, false
	default:
		step.Why = "reserved for another client id, and push.replace_client_id is on"
		step.Changes = append([]plan.Change{{Field: "client_id", Old: string(r.ClientID), New: string(id)}}, rp.reservationChanges(x, r)...)
		step.Observed = []plan.Change{{Field: "type", Old: r.Type}}
		made := *r
		made.ClientID = id
		on.put(made)
	}
	return step, false
}

// told reports whether the server made its client id of the one that NetBox has, as
// an earlier run told: it is no other client's then (rule 3.8 point 25).
func (rp *reservationPush) told(step *plan.Step, sent, came windhcp.ClientID) bool {
	answer, known := rp.memory.Answers[step.Answer("client_id")]
	return known && answer == plan.AnswerOf(string(sent), string(came))
}

// reservationChanges are name and description where they differ. What NetBox
// leaves empty stays, and so does a description of the server's own that the mirror
// gave NetBox: only the server's has changed since.
func (rp *reservationPush) reservationChanges(x *state.Address, r *windhcp.Reservation) (changes []plan.Change) {
	if x.DNSName != "" && !sameHostName(x.DNSName, r.Name) {
		changes = append(changes, plan.Change{Field: "name", Old: r.Name, New: x.DNSName})
	}
	if x.Description != "" && x.Description != keptDescription(r.Description) && !rp.wrote(x) {
		changes = append(changes, plan.Change{Field: "description", Old: r.Description, New: x.Description})
	}
	return changes
}

// replaces decides whether the client id of a server's reservation gives way.
// One that NetBox only took from a lease never does (rule 3.4).
func (rp *reservationPush) replaces(u *unit, x *state.Address, r *windhcp.Reservation) bool {
	followed := rp.p.UpdateClientID && rp.protected(plan.Place{VRF: u.vrf, Addr: r.Addr}, x) &&
		slices.ContainsFunc(u.part.Leases.Items, func(l windhcp.Lease) bool {
			return l.Addr == r.Addr && string(l.ClientID) == x.ClientID
		})
	if rp.p.ReplaceClientID && !followed {
		return rp.free(u, r)
	}
	rp.notePush(u, r.Addr, plan.Conflict, fmt.Sprintf("reserved for client id %s on the server and for %s in NetBox: correct one of them, or set push.replace_client_id",
		r.ClientID, x.ClientID))
	return false
}

// free reports whether a server's reservation can be changed, and notes why not.
func (rp *reservationPush) free(u *unit, r *windhcp.Reservation) bool {
	problem := rp.clients.elsewhere(u, r)
	if problem != "" {
		rp.notePush(u, r.Addr, plan.Conflict, problem)
	}
	return problem == ""
}

// sameHostName compares names as Windows keeps them: case does not count, and
// Windows makes full names out of first labels. One that NetBox could only take
// respelt is the same too.
func sameHostName(netbox, windows string) bool {
	return windhcp.SameName(netbox, windows) || strings.EqualFold(strings.TrimSuffix(netbox, "."), DNSName(windows))
}

// withdraw deletes reservations from a server that operators removed from
// NetBox.
func (rp *reservationPush) withdraw(u *unit) []plan.Step {
	var steps []plan.Step
	for i := range u.part.Reservations.Items {
		r := &u.part.Reservations.Items[i]
		record, deleted := rp.withdrawn.deletes[plan.PushedKey{Server: rp.host(u.server), Addr: r.Addr}]
		if !deleted {
			continue
		}
		steps = append(steps, plan.Step{
			Phase: plan.Push, Target: rp.host(u.server), Action: state.Delete, Kind: plan.WindowsReservation, Name: "reservation " + r.Addr.String(),
			Scope: u.scope.Subnet, Addr: r.Addr, VRF: u.vrf, Rule: "5.4", Why: "an operator deleted it in NetBox (push.delete_removed)", Record: record,
			Observed: []plan.Change{{Field: "client_id", Old: string(r.ClientID)}},
		})
	}
	return steps
}

// rememberPushed keeps which reservations both sides have, for
// push.delete_removed. What neither has is forgotten, so that an operator may make
// it again on the server. A memory of another NetBox stays as it is.
func (rp *reservationPush) rememberPushed(u *unit, on *reserved, candidates []*state.Address) {
	host := rp.host(u.server)
	if rp.strange != "" {
		return
	}
	wanted := make(map[netip.Addr]bool)
	for _, x := range candidates {
		addr, id := x.Address.Addr(), windhcp.ParseClientID(x.ClientID)
		wanted[addr] = true
		if r := on.byAddr[addr]; r == nil && rp.brake(u.server) == "" || r != nil && r.ClientID == id {
			k := plan.PushedKey{Server: host, Addr: addr}
			rp.pushed[k] = plan.Pushed{ClientID: id, Known: rp.knows(x.ID, x.VRF, rp.pushed[k].Known)}
		}
	}
	first, _ := slices.BinarySearchFunc(rp.before[host], u.scope.Subnet.Masked().Addr(), netip.Addr.Compare)
	for _, addr := range rp.before[host][first:] {
		if !u.scope.Subnet.Contains(addr) {
			break
		}
		if on.byAddr[addr] == nil && !wanted[addr] {
			delete(rp.pushed, plan.PushedKey{Server: host, Addr: addr})
		}
	}
}
