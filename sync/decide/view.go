package decide

import (
	"cmp"
	"slices"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// view is what every stage may look at. No stage changes it.
type view struct {
	*Roster
	p                 *plan.Policy
	nb                *state.State // as it was read, without other people's addresses
	memory            plan.Memory  // as it was remembered
	protectedPrefixes []state.Prefix
	sharing           map[subnetKey]*state.Prefix // see shared
	// strange says why memory and NetBox do not belong together, so that nothing is
	// deleted on a server; empty: they do (rule 5.5).
	strange string
}

func newView(in *plan.Input) *view {
	v := &view{Roster: NewRoster(in), p: &in.Policy, nb: in.NetBox, memory: in.Memory}
	for _, p := range v.nb.Prefixes {
		if v.p.ProtectTag != "" && slices.Contains(p.Tags, v.p.ProtectTag) {
			v.protectedPrefixes = append(v.protectedPrefixes, p)
		}
	}
	if v.sharing = v.shared(); len(v.sharing) > 0 {
		own := *in.NetBox
		own.Addresses = slices.DeleteFunc(slices.Clone(own.Addresses), v.anothers)
		v.nb = &own
	}
	v.strange = belongs(v)
	return v
}

// anothers reports whether an address lies in a network that NetBox has several
// prefixes of in one table, and is not plainly of the chosen one: neither the
// mirror's own nor of its tenant (rule 3.6 point 1).
func (v *view) anothers(x state.Address) bool {
	for id, chosen := range v.sharing {
		if id.vrf == x.VRF && id.subnet.Contains(x.Address.Addr()) {
			return !plan.Managed(&x) && (chosen == nil || x.Tenant != chosen.Tenant)
		}
	}
	return false
}

// protected reports whether an address carries the tag that protects it, or lies
// in a prefix of its VRF that does (rule 3.4).
func (v *view) protected(place plan.Place, x *state.Address) bool {
	if v.p.ProtectTag == "" {
		return false
	}
	return x != nil && slices.Contains(x.Tags, v.p.ProtectTag) ||
		slices.ContainsFunc(v.protectedPrefixes, func(p state.Prefix) bool {
			return p.VRF == place.VRF && p.Prefix.Contains(place.Addr)
		})
}

// tooMany is guard c: a loss above both limits of the operator (rule 3.7 guard c).
func (v *view) tooMany(lost, of int) bool {
	return !v.p.AllowDeletes && lost > v.p.MaxDeleteCount && lost*100 > of*v.p.MaxDeletePercent
}

func (r *Roster) vrfName(id int64) string {
	for _, vrf := range r.in.NetBox.VRFs {
		if vrf.ID == id {
			return "VRF " + vrf.Name
		}
	}
	return "the global table"
}

// work collects what a stage adds to the plan.
type work struct {
	steps []plan.Step
	notes []plan.Note
}

func (w *work) step(s plan.Step) { w.steps = append(w.steps, s) }

func (w *work) note(n plan.Note) {
	n.Rule = n.Cause.Rule()
	w.notes = append(w.notes, n)
}

// book has the address objects of NetBox by place.
type book map[plan.Place][]*state.Address

// newBook sorts addresses by place. Where one host has several objects in a VRF,
// the mirror's own comes first, then one with a status of its own, then the
// oldest; only that one is kept up to date (rule 3.6).
func newBook(p *plan.Policy, addresses []state.Address) book {
	b := make(book, len(addresses))
	for i := range addresses {
		place := placeOf(&addresses[i])
		b[place] = append(b[place], &addresses[i])
	}
	rank := func(x *state.Address) int {
		switch {
		case plan.Managed(x):
			return 0
		case p.OwnStatus(x.Status):
			return 1
		}
		return 2
	}
	for _, list := range b {
		if len(list) > 1 {
			slices.SortFunc(list, func(x, y *state.Address) int {
				return cmp.Or(cmp.Compare(rank(x), rank(y)), cmp.Compare(x.ID, y.ID))
			})
		}
	}
	return b
}

// at is the address object of a place that counts; nil: none.
func (b book) at(place plan.Place) *state.Address {
	if list := b[place]; len(list) > 0 {
		return list[0]
	}
	return nil
}

func placeOf(x *state.Address) plan.Place { return plan.Place{VRF: x.VRF, Addr: x.Address.Addr()} }

// foreign reports whether a record belongs to a server or relationship that is
// not configured any more.
func (v *view) foreign(rec *record) bool {
	if rec.Source.Failover == "" {
		return v.serverOf(rec.Source.Server) < 0
	}
	rel := v.relationshipOf(rec.Source.Failover)
	return rel == nil || !rel.known
}

// speaker is the server that may say that a record's scope is gone; -1: none
// in this run (rule 3.2, 3.7).
func (v *view) speaker(rec *record) int {
	if slices.Contains(v.p.MaintenanceScopes, rec.Subnet) || len(v.p.OnlyScopes) > 0 && !slices.Contains(v.p.OnlyScopes, rec.Subnet) {
		return -1
	}
	if rec.Source.Failover == "" {
		server := v.serverOf(rec.Source.Server)
		if server < 0 || !v.p.Servers[server].Standalone {
			return -1
		}
		return server
	}
	rel := v.relationshipOf(rec.Source.Failover)
	if rel == nil || !rel.known {
		return -1
	}
	server, fallback := v.acting(rel)
	if fallback {
		return -1
	}
	return server
}
