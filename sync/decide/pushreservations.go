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

// pushTargets are the scopes reservations are pushed to: those that were read,
// each followed by its twin on the partner, where that is written to as well.
func (b *builder) pushTargets() []*unit {
	if !b.p.PushReservations {
		return nil
	}
	var targets []*unit
	for _, u := range b.units {
		if u.fallback || u.want == nil {
			continue
		}
		targets = append(targets, u)
		for _, partner := range b.partners {
			if partner.scope.Subnet == u.scope.Subnet && partner.source == u.source {
				twin := *partner
				twin.vrf, twin.want = u.vrf, u.want
				twin.part.Leases = u.part.Leases
				targets = append(targets, &twin)
			}
		}
	}
	targets = append(targets, b.created...)
	return slices.DeleteFunc(targets, func(u *unit) bool { return !u.part.Reservations.Complete() })
}

// pushReservations makes servers reserve what NetBox does. NetBox's own
// reservations are never changed by it (windows-dhcp.md 5.2). What names a
// client id comes before new reservations could make that ambiguous.
func (b *builder) pushReservations(targets []*unit) {
	var posts []plan.Step
	reservations := b.netboxReservations(targets)
	for _, u := range targets {
		steps := b.withdraw(u)
		rest, made := b.pushUnit(u, reservations)
		for _, s := range append(steps, rest...) {
			b.step(s)
		}
		posts = append(posts, made...)
		if len(steps)+len(rest)+len(made) > 0 && u.source.Failover != "" && !b.p.PushToPartner {
			b.notePush(u, netip.Addr{}, plan.Info, "failover does not copy reservations: replicate them to the partner on Windows, or set push.push_to_partner")
		}
	}
	for _, s := range posts {
		b.step(s)
	}
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
func (b *builder) pushUnit(u *unit, all []*state.Address) (changes, posts []plan.Step) {
	on := &reserved{make(map[netip.Addr]*windhcp.Reservation), make(map[windhcp.ClientID][]netip.Addr)}
	for _, r := range u.part.Reservations.Items {
		if !b.withdrawn[plan.PushedKey{Server: b.host(u.server), Addr: r.Addr}] {
			on.put(r)
		}
	}
	pending := b.candidates(u, all)
	b.rememberPushed(u, on, pending)
	for len(pending) > 0 {
		var blocked []*state.Address
		for _, x := range pending {
			step, waits := b.pushReservation(u, x, on)
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
		b.notePush(u, x.Address.Addr(), plan.Conflict, fmt.Sprintf("the server reserves %s for client id %s: remove that one, or correct NetBox", on.byID[id][0], id))
	}
	return changes, posts
}

func (b *builder) notePush(u *unit, addr netip.Addr, level plan.Level, text string) {
	b.note(plan.Note{Level: level, Server: b.host(u.server), Scope: u.scope.Subnet, Addr: addr, Rule: "5.2", Text: text})
}

// netboxReservations are NetBox's reservations with a client id, by place.
func (b *builder) netboxReservations(targets []*unit) []*state.Address {
	var out []*state.Address
	if len(targets) == 0 {
		return out
	}
	for _, list := range b.addresses {
		if len(list) == 0 || list[0].ClientID == "" {
			continue
		}
		if c, _ := b.p.ClassOf(list[0]); c == plan.ClassReservation {
			out = append(out, list[0])
		}
	}
	slices.SortFunc(out, func(x, y *state.Address) int { return placeOf(x).Compare(placeOf(y)) })
	return out
}

func placeOf(x *state.Address) plan.Place { return plan.Place{VRF: x.VRF, Addr: x.Address.Addr()} }

// candidates are NetBox's reservations in a scope that a server can hold, by
// address.
func (b *builder) candidates(u *unit, all []*state.Address) []*state.Address {
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
			b.notePush(u, addr, plan.Warning, fmt.Sprintf("client id %q is not made of hex pairs: the server would store something else, so it is not pushed", x.ClientID))
		case twice:
			b.notePush(u, addr, plan.Warning, fmt.Sprintf("client id %s is on %s already: a scope reserves for a client once", id, other))
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
func (b *builder) pushReservation(u *unit, x *state.Address, on *reserved) (step plan.Step, waits bool) {
	addr, id := x.Address.Addr(), windhcp.ParseClientID(x.ClientID)
	r := on.byAddr[addr]
	step = plan.Step{
		Phase: plan.Push, Target: b.host(u.server), Kind: plan.WindowsReservation, Name: "reservation " + addr.String(),
		Scope: u.scope.Subnet, Addr: addr, VRF: u.vrf, Rule: "5.2", Action: state.Update, Why: "NetBox is the truth for reservations",
	}
	if len(on.byID[id]) > 0 && (r == nil || r.ClientID != id && b.p.ReplaceClientID) {
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
		step.Changes = reservationChanges(x, r)
		if len(step.Changes) == 0 || !b.alone(u, r) {
			return plan.Step{}, false
		}
	case !b.replaces(u, x, r):
		return plan.Step{}, false
	default:
		step.Why = "reserved for another client id, and push.replace_client_id is on"
		step.Changes = append([]plan.Change{{Field: "client_id", Old: string(r.ClientID), New: string(id)}}, reservationChanges(x, r)...)
		step.Observed = []plan.Change{{Field: "type", Old: r.Type}}
		made := *r
		made.ClientID = id
		on.put(made)
	}
	return step, false
}

// reservationChanges are name and description where they differ. What NetBox
// leaves empty stays.
func reservationChanges(x *state.Address, r *windhcp.Reservation) (changes []plan.Change) {
	if x.DNSName != "" && !sameHostName(x.DNSName, r.Name) {
		changes = append(changes, plan.Change{Field: "name", Old: r.Name, New: x.DNSName})
	}
	if x.Description != "" && x.Description != r.Description {
		changes = append(changes, plan.Change{Field: "description", Old: r.Description, New: x.Description})
	}
	return changes
}

// replaces decides whether the client id of a server's reservation gives way.
// One that NetBox only took from a lease never does (windows-dhcp.md 3.4).
func (b *builder) replaces(u *unit, x *state.Address, r *windhcp.Reservation) bool {
	followed := b.p.UpdateClientID && b.protected(plan.Place{VRF: u.vrf, Addr: r.Addr}, x) &&
		slices.ContainsFunc(u.part.Leases.Items, func(l windhcp.Lease) bool {
			return l.Addr == r.Addr && string(l.ClientID) == x.ClientID
		})
	if b.p.ReplaceClientID && !followed {
		return b.alone(u, r)
	}
	b.notePush(u, r.Addr, plan.Conflict, fmt.Sprintf("reserved for client id %s on the server and for %s in NetBox: correct one of them, or set push.replace_client_id",
		r.ClientID, x.ClientID))
	return false
}

// sameHostName compares names as Windows keeps them: case does not count, and
// Windows makes full names out of first labels. One that NetBox could only take
// respelt is the same too.
func sameHostName(netbox, windows string) bool {
	a, b := strings.ToLower(strings.TrimSuffix(netbox, ".")), strings.ToLower(strings.TrimSuffix(windows, "."))
	if a == b || a == DNSName(windows) {
		return true
	}
	firstA, _, fullA := strings.Cut(a, ".")
	firstB, _, fullB := strings.Cut(b, ".")
	return fullA != fullB && firstA == firstB
}
