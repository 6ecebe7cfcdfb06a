package decide

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// truth is what the servers hold about addresses, whether they could be read or
// not; of partners, the one that speaks. It is worked out from the world alone,
// so that it can judge a plan.
type truth struct {
	leased, reserved map[plan.Place]bool
	shaky            map[plan.Place]bool // some source of the place did not answer in full
}

// vrfOf tells in which VRF a scope of a server belongs, as the story has it.
type vrfOf func(host string, subnet netip.Prefix) int64

func (w *world) truth(vrf vrfOf, p *plan.Policy) truth {
	out := func(host string) bool {
		return w.servers[host].down || slices.ContainsFunc(p.Servers, func(s plan.Server) bool { return s.Host == host && s.Maintenance })
	}
	t := truth{make(map[plan.Place]bool), make(map[plan.Place]bool), make(map[plan.Place]bool)}
	for _, m := range w.servers {
		for _, s := range m.scopes {
			v := vrf(m.host, s.Subnet)
			if s.Failover != "" && m.host != dh1 && !out(dh1) {
				continue
			}
			for _, l := range s.leases {
				t.leased[plan.Place{VRF: v, Addr: l.Addr}] = t.leased[plan.Place{VRF: v, Addr: l.Addr}] || l.Active()
			}
			for _, r := range s.reservations {
				t.reserved[plan.Place{VRF: v, Addr: r.Addr}] = true
			}
			if !out(m.host) && !s.leasesFail && !s.reservationsFail && !s.malformed {
				continue
			}
			for a := s.Subnet.Addr(); s.Subnet.Contains(a); a = a.Next() {
				t.shaky[plan.Place{VRF: v, Addr: a}] = true
			}
		}
	}
	return t
}

// foreignTouch finds what a plan did that tables 3.5 and 3.7 do not allow,
// by comparing NetBox before and after.
func foreignTouch(before, after *state.State, p *plan.Policy, t truth) string {
	kept := make(map[int64]*state.Address)
	for i := range after.Addresses {
		kept[after.Addresses[i].ID] = &after.Addresses[i]
	}
	known := make(map[int64]bool)
	for i := range before.Addresses {
		x := &before.Addresses[i]
		known[x.ID] = true
		problem := ""
		if y := kept[x.ID]; isExempt(x, p) && (y == nil || cmp.Diff(x, y, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })) != "") {
			problem = "another DHCP server's, and written"
		} else if y == nil {
			problem = deletable(before, x, p, t)
		} else {
			problem = changeable(before, x, y, p, t)
		}
		if problem != "" {
			return fmt.Sprintf("address %s (VRF %d, %s, client %q, provenance %q): %s", x.Address, x.VRF, x.Status, x.ClientID, x.Managed, problem)
		}
	}
	for i := range after.Addresses {
		x := &after.Addresses[i]
		place := plan.Place{VRF: x.VRF, Addr: x.Address.Addr()}
		switch {
		case slices.ContainsFunc(before.Addresses, func(o state.Address) bool { return placeOf(&o) == place && isExempt(&o, p) }) && !known[x.ID]:
			return fmt.Sprintf("address %s made beside one of another DHCP server", x.Address)
		case known[x.ID]:
		case !p.SyncIPs || p.Mode == plan.Import:
			return fmt.Sprintf("address %s made although addresses are not synced", x.Address)
		case !t.leased[place] && !t.reserved[place] || isProtected(before, x, p):
			return fmt.Sprintf("address %s made without a record, or in a protected prefix", x.Address)
		case x.Managed != state.Created || x.Address.Bits() == 32:
			return fmt.Sprintf("address %s made as %q", x.Address, x.Managed)
		}
	}
	return foreignObject(before, after)
}

func isProtected(nb *state.State, x *state.Address, p *plan.Policy) bool {
	if p.ProtectTag == "" {
		return false
	}
	return slices.Contains(x.Tags, p.ProtectTag) || slices.ContainsFunc(nb.Prefixes, func(f state.Prefix) bool {
		return f.VRF == x.VRF && f.Prefix.Contains(x.Address.Addr()) && slices.Contains(f.Tags, p.ProtectTag)
	})
}

func isExempt(x *state.Address, p *plan.Policy) bool {
	return p.ExemptTag != "" && slices.Contains(x.Tags, p.ExemptTag)
}

// meaning is the status an address counts as: "lease", "reservation" or "".
func meaning(x *state.Address, p *plan.Policy) string {
	own := x.Managed == state.Created || x.Managed == state.Adopted
	switch {
	case x.Status == p.LeaseStatus, own && slices.Contains(p.PreviousLease, x.Status):
		return "lease"
	case x.Status == p.ReservationStatus, slices.Contains(p.PreviousReservation, x.Status):
		return "reservation"
	}
	return ""
}

// deletable says why an address must not be deleted (rule 3.7).
func deletable(nb *state.State, x *state.Address, p *plan.Policy, t truth) string {
	place := plan.Place{VRF: x.VRF, Addr: x.Address.Addr()}
	own := x.Managed == state.Created || x.Managed == state.Adopted
	recorded := slices.ContainsFunc(nb.Ranges, func(r state.Range) bool {
		return r.Role == state.RoleScope && r.VRF == x.VRF && r.Subnet().Contains(place.Addr)
	})
	switch {
	case p.Mode == plan.Import || !p.SyncIPs:
		return "deleted although addresses are not synced"
	case isProtected(nb, x, p):
		return "deleted although it is protected"
	case t.leased[place] || t.reserved[place]:
		return "deleted although a server has a record of it"
	case t.shaky[place]:
		return "deleted although a source of it was not read in full"
	case !recorded && !p.AutoImport:
		return "deleted outside of every scope"
	case p.KeepAssigned && x.InUse != "":
		return "deleted although it is " + x.InUse
	case x.Managed == state.Adopted:
		return "deleted although people had made it before it was adopted"
	case x.Assigned && x.Managed == state.Untouched:
		return "deleted although people assigned it"
	case meaning(x, p) == "reservation" && (!own || x.ClientID == "" || p.PushReservations && !p.ServerWins()):
		return "a reservation deleted that only people may delete"
	case meaning(x, p) == "":
		return "deleted with a status that is not the mirror's"
	}
	return ""
}

// changeable says what of an address must not have changed.
func changeable(nb *state.State, x, y *state.Address, p *plan.Policy, t truth) string {
	place := plan.Place{VRF: x.VRF, Addr: x.Address.Addr()}
	meta := cmpopts.IgnoreFields(state.Address{}, "LeaseHostname", "LeaseActive", "LeaseExpires", "Tags")
	own := cmpopts.IgnoreFields(state.Address{}, "Status", "DNSName", "ClientID", "Managed", "Description")
	plain := cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })
	minusInvalid := func(tags []string) []string {
		return slices.DeleteFunc(slices.Clone(tags), func(s string) bool { return s == state.TagInvalid })
	}
	migrated := *x
	if meaning(x, p) == "reservation" {
		migrated.Status = p.ReservationStatus
	}
	isOwn := x.Managed == state.Created || x.Managed == state.Adopted
	migrated.Description = y.Description
	undescribed := *y
	undescribed.Description = x.Description // judged by described
	switch diff := cmp.Diff(x, &undescribed, meta, plain); {
	case !slices.Equal(minusInvalid(x.Tags), minusInvalid(y.Tags)):
		return "tags changed that are not the mirror's"
	case cmp.Diff(x, y, meta, own, plain) != "":
		return "changed in what is not the mirror's: " + cmp.Diff(x, y, meta, own, plain)
	case diff == "":
		return ""
	case !p.SyncIPs || p.Mode == plan.Import:
		return "changed although addresses are not synced: " + diff
	case isProtected(nb, x, p):
		idOnly := *x
		idOnly.ClientID = y.ClientID
		if p.UpdateClientID && cmp.Diff(&idOnly, y, meta, plain) == "" && t.leased[place] {
			return ""
		}
		return "protected, but changed: " + diff
	case isOwn && cmp.Diff(&migrated, y, meta, plain) == "":
		return ""
	case (x.Assigned || x.Shared) && !p.OwnStatus(x.Status):
		return "changed although people assigned or share it: " + diff
	case !t.leased[place] && !t.reserved[place] && x.Managed == state.Adopted && y.Managed == x.Managed && y.ClientID == x.ClientID:
		return "" // given back what it had: floors knows what that was
	case !t.leased[place] && !t.reserved[place]:
		return "changed although no server has a record of it: " + diff
	case meaning(x, p) == "reservation" && !isOwn && !t.reserved[place] && (y.Status != x.Status || y.DNSName != x.DNSName || x.ClientID != "" && y.ClientID != x.ClientID):
		return "a reservation made by hand changed for a lease: " + diff
	case x.Managed == state.Prestaged && meaning(x, p) == "reservation" && (y.Status != x.Status || y.DNSName != x.DNSName && x.DNSName+x.ClientID != ""):
		return "a record made ahead renamed: " + diff
	case p.PushReservations && !p.ServerWins() && meaning(x, p) == "reservation" && x.ClientID != "" && (y.DNSName != x.DNSName || y.ClientID != x.ClientID):
		return "a reservation overwritten although NetBox is the truth: " + diff
	}
	return ""
}

// foreignObject finds changes of objects that are not the mirror's at all.
func foreignObject(before, after *state.State) string {
	ranges, prefixes := make(map[int64]state.Range), make(map[int64]state.Prefix)
	for _, r := range after.Ranges {
		ranges[r.ID] = r
	}
	for _, p := range after.Prefixes {
		p.Scopes = ""
		prefixes[p.ID] = p
	}
	plain := cmp.Options{cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })}
	for _, r := range before.Ranges {
		if r.Role != state.RoleScope {
			if diff := cmp.Diff(r, ranges[r.ID], plain); diff != "" {
				return "a range changed that is not the mirror's: " + diff
			}
		}
	}
	for _, p := range before.Prefixes {
		p.Scopes = ""
		if diff := cmp.Diff(p, prefixes[p.ID], plain); diff != "" {
			return "a prefix changed: " + diff
		}
	}
	for i, c := range before.Contexts {
		library := c.Name == plan.CodesContext || c.Name == plan.ValuesContext
		if d := after.Contexts[i]; d.Name != c.Name || d.Active != c.Active || !library && !bytes.Equal(c.Data, d.Data) {
			return fmt.Sprintf("context %q changed", c.Name)
		}
	}
	return ""
}

// serverTouch finds changes on servers that no switch allows.
func serverTouch(before, after map[string]*machine, p *plan.Policy) string {
	same := cmp.Options{
		cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }), cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
		cmp.AllowUnexported(machine{}, wscope{}), cmpopts.EquateEmpty(),
	}
	if p.PushReservations && !p.ReadOnly && p.Mode == plan.Sync {
		same = append(same, cmpopts.IgnoreFields(wscope{}, "reservations"))
	}
	if p.PushScopeInfo && !p.ReadOnly && p.Mode == plan.Sync {
		return reservationsLost(before, after, p)
	}
	if diff := cmp.Diff(before, after, same); diff != "" {
		return "changed on a server: " + diff
	}
	return reservationsLost(before, after, p)
}

func reservationsLost(before, after map[string]*machine, p *plan.Policy) string {
	for host, m := range before {
		for id, s := range m.scopes {
			now := after[host].scopes[id]
			if now == nil {
				continue // judged by scopesLost
			}
			for _, r := range s.reservations {
				kept := slices.ContainsFunc(now.reservations, func(o windhcp.Reservation) bool {
					return o.Addr == r.Addr && (o.ClientID == r.ClientID || p.ReplaceClientID)
				})
				if !kept && !p.DeleteRemoved {
					return fmt.Sprintf("reservation %s of %s is lost", r.Addr, host)
				}
			}
		}
	}
	return ""
}
