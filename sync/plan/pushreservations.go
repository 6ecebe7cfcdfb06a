package plan

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox/object"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// pushReservations makes servers reserve what NetBox does. NetBox's own
// reservations are never changed by it (windows-dhcp.md 5.2).
func (b *builder) pushReservations() {
	for _, u := range b.units {
		if u.fallback || u.rec == nil {
			continue
		}
		b.pushUnit(u)
		for _, partner := range b.partners {
			if partner.scope.Subnet == u.scope.Subnet && partner.source == u.source {
				twin := *partner
				twin.vrf, twin.rec = u.vrf, u.rec
				twin.part.Leases = u.part.Leases
				b.pushUnit(&twin)
			}
		}
	}
	for _, u := range b.created {
		b.pushUnit(u)
	}
}

func (b *builder) pushUnit(u *unit) {
	if !u.part.Reservations.Complete() {
		return
	}
	before := len(b.plan.Steps)
	onServer := make(map[netip.Addr]*windhcp.Reservation)
	for i := range u.part.Reservations.Items {
		r := &u.part.Reservations.Items[i]
		onServer[r.Addr] = r
	}
	candidates := b.candidates(u)
	taken := make(map[windhcp.ClientID]netip.Addr)
	for _, x := range candidates {
		id := windhcp.ParseClientID(x.ClientID)
		addr := x.Address.Addr()
		if other, ok := taken[id]; ok {
			b.notePush(u, addr, Warning, fmt.Sprintf("client id %s is on %s already: a scope reserves for a client once", id, other))
			continue
		}
		taken[id] = addr
		b.pushReservation(u, x, id, onServer[addr])
	}
	b.withdraw(u, onServer, candidates)
	if len(b.plan.Steps) > before && u.source.Failover != "" && !b.p.PushToPartner {
		b.notePush(u, netip.Addr{}, Info, "failover does not copy reservations: replicate them to the partner on Windows, or set push.push_to_partner")
	}
}

func (b *builder) notePush(u *unit, addr netip.Addr, level Level, text string) {
	b.note(Note{Level: level, Server: b.host(u.server), Scope: u.scope.Subnet, Addr: addr, Rule: "5.2", Text: text})
}

// candidates are NetBox's reservations in a scope that a server can hold, by
// address.
func (b *builder) candidates(u *unit) []*object.Address {
	var out []*object.Address
	for place, list := range b.addresses {
		if place.VRF != u.vrf || !u.scope.Subnet.Contains(place.Addr) || len(list) == 0 {
			continue
		}
		if c, _ := b.p.classOf(list[0]); c == reservationClass && list[0].ClientID != "" {
			out = append(out, list[0])
		}
	}
	slices.SortFunc(out, func(x, y *object.Address) int { return x.Address.Addr().Compare(y.Address.Addr()) })
	return slices.DeleteFunc(out, func(x *object.Address) bool {
		if windhcp.ParseClientID(x.ClientID).Canonical() {
			return false
		}
		b.notePush(u, x.Address.Addr(), Warning, fmt.Sprintf("client id %q is not made of hex pairs: the server would store something else, so it is not pushed", x.ClientID))
		return true
	})
}

// pushReservation compares one reservation with the server's.
func (b *builder) pushReservation(u *unit, x *object.Address, id windhcp.ClientID, r *windhcp.Reservation) {
	addr := x.Address.Addr()
	step := Step{
		Phase: Push, Target: b.host(u.server), Kind: WindowsReservation, Name: "reservation " + addr.String(),
		Scope: u.scope.Subnet, Addr: addr, VRF: u.vrf, Rule: "5.2", Action: object.Create, Why: "NetBox reserves it and the server does not",
	}
	switch {
	case r == nil:
		if other := reservedFor(u, id); other != nil {
			b.notePush(u, addr, Conflict, fmt.Sprintf("the server reserves %s for client id %s: remove that one, or correct NetBox", other.Addr, id))
			return
		}
		step.Changes = []Change{
			{Field: "ip_address", New: addr.String()},
			{Field: "client_id", New: string(id)},
			{Field: "name", New: x.DNSName},
			{Field: "description", New: x.Description},
			{Field: "type", New: "Dhcp"},
		}
	case r.ClientID == id:
		step.Action, step.Why = object.Update, "NetBox is the truth for reservations"
		step.Observed = []Change{{Field: "client_id", Old: string(r.ClientID)}}
		if x.DNSName != "" && !sameHostName(x.DNSName, r.Name) {
			step.Changes = append(step.Changes, Change{Field: "name", Old: r.Name, New: x.DNSName})
		}
		if x.Description != "" && x.Description != r.Description {
			step.Changes = append(step.Changes, Change{Field: "description", Old: r.Description, New: x.Description})
		}
		if len(step.Changes) == 0 {
			return
		}
	default:
		if !b.replaces(u, x, r) {
			return
		}
		step.Action, step.Why = object.Update, "reserved for another client id, and push.replace_client_id is on"
		step.Changes = []Change{{Field: "client_id", Old: string(r.ClientID), New: string(id)}}
		step.Observed = []Change{{Field: "name", Old: r.Name}, {Field: "description", Old: r.Description}, {Field: "type", Old: r.Type}}
	}
	b.step(step)
}

// replaces decides whether the client id of a server's reservation gives way.
// One that NetBox only took from a lease never does (windows-dhcp.md 3.4).
func (b *builder) replaces(u *unit, x *object.Address, r *windhcp.Reservation) bool {
	followed := b.p.UpdateClientID && b.protected(Place{u.vrf, r.Addr}, x) &&
		slices.ContainsFunc(u.part.Leases.Items, func(l windhcp.Lease) bool {
			return l.Addr == r.Addr && string(l.ClientID) == x.ClientID
		})
	if b.p.ReplaceClientID && !followed {
		return true
	}
	b.notePush(u, r.Addr, Conflict, fmt.Sprintf("reserved for client id %s on the server and for %s in NetBox: correct one of them, or set push.replace_client_id",
		r.ClientID, x.ClientID))
	return false
}

func reservedFor(u *unit, id windhcp.ClientID) *windhcp.Reservation {
	for i := range u.part.Reservations.Items {
		if r := &u.part.Reservations.Items[i]; r.ClientID == id {
			return r
		}
	}
	return nil
}

// sameHostName compares names as Windows keeps them: case does not count, and
// Windows makes full names out of first labels.
func sameHostName(a, b string) bool {
	a, b = strings.ToLower(strings.TrimSuffix(a, ".")), strings.ToLower(strings.TrimSuffix(b, "."))
	firstA, _, fullA := strings.Cut(a, ".")
	firstB, _, fullB := strings.Cut(b, ".")
	return a == b || fullA != fullB && firstA == firstB
}

// withdrawn reports whether a server's reservation without an address in
// NetBox is one that somebody removed there: the mirror pushed it, or saw both
// sides have it (push.delete_removed).
func (b *builder) withdrawn(server int, place Place, r *windhcp.Reservation) bool {
	if !b.p.PushReservations || !b.p.DeleteRemoved || b.held[place] {
		return false
	}
	return b.in.Memory.Pushed[PushedKey{b.host(server), r.Addr}] == r.ClientID && r.ClientID != ""
}

// withdraw deletes reservations from a server that operators removed from
// NetBox, and remembers those both sides have.
func (b *builder) withdraw(u *unit, onServer map[netip.Addr]*windhcp.Reservation, candidates []*object.Address) {
	var steps []Step
	for i := range u.part.Reservations.Items {
		r := &u.part.Reservations.Items[i]
		k, place := PushedKey{b.host(u.server), r.Addr}, Place{u.vrf, r.Addr}
		x := b.addressAt(place)
		switch {
		case b.withdrawn(u.server, place, r):
			steps = append(steps, Step{
				Phase: Push, Target: b.host(u.server), Action: object.Delete, Kind: WindowsReservation, Name: "reservation " + r.Addr.String(),
				Scope: u.scope.Subnet, Addr: r.Addr, VRF: u.vrf, Rule: "5.2", Why: "somebody removed it from NetBox (push.delete_removed)",
				Observed: []Change{{Field: "client_id", Old: string(r.ClientID)}},
			})
		case x != nil && windhcp.ParseClientID(x.ClientID) == r.ClientID:
			b.plan.Memory.Pushed[k] = r.ClientID
		}
	}
	for _, x := range candidates {
		if addr := x.Address.Addr(); onServer[addr] == nil {
			b.plan.Memory.Pushed[PushedKey{b.host(u.server), addr}] = windhcp.ParseClientID(x.ClientID)
		}
	}
	if b.tooMany(len(steps), len(onServer)) {
		b.notePush(u, netip.Addr{}, Guard, fmt.Sprintf("would delete %d of %d reservations: nothing is deleted; if it is right, run once with --allow-deletes", len(steps), len(onServer)))
		return
	}
	for _, s := range steps {
		b.step(s)
	}
}
