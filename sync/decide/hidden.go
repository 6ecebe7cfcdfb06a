package decide

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// minKnown is of how many addresses on some may be said to be hidden.
const minKnown = 8

// showing is what NetBox shows of the addresses that it had in a scope, or in all.
type showing struct {
	known, shown int
	lost         []plan.Object
}

// hides reports whether too few are shown, but for those of which a deletion is known.
func (s *showing) hides(deleted []state.Deletion) bool {
	return s.known >= minKnown && (s.known-s.missing(deleted))*2 < s.known
}

// missing counts those that are not shown and of which no deletion is known.
func (s *showing) missing(deleted []state.Deletion) (n int) {
	for _, x := range s.lost {
		if !slices.ContainsFunc(deleted, func(d state.Deletion) bool { return d.Object == x.ID }) {
			n++
		}
	}
	return n
}

func (s *showing) add(object plan.Object, shown bool) {
	if s.known++; shown {
		s.shown++
	} else {
		s.lost = append(s.lost, object)
	}
}

// showings compares what NetBox shows with what the memory knows, by scope record and
// for all of them.
func (r *Roster) showings() (scopes map[subnetKey]*showing, all showing) {
	shown := make(map[int64]bool, len(r.in.NetBox.Addresses))
	at := make(map[plan.Place]bool, len(r.in.NetBox.Addresses))
	for i := range r.in.NetBox.Addresses {
		x := &r.in.NetBox.Addresses[i]
		shown[x.ID], at[placeOf(x)] = true, true
	}
	scopes = make(map[subnetKey]*showing)
	for _, rec := range r.records {
		scopes[rec.subnetKey()] = new(showing)
	}
	for place, object := range r.in.Memory.Objects {
		there, ours := shown[object.ID] || at[place], false
		for id, s := range scopes {
			if id.vrf == place.VRF && id.subnet.Contains(place.Addr) {
				s.add(object, there)
				ours = true
			}
		}
		if ours {
			all.add(object, there)
		}
	}
	return scopes, all
}

// hiding are the scopes where NetBox shows too few of the addresses it had there, or
// lacks some while it shows too few of all.
func (r *Roster) hiding(deleted []state.Deletion) map[subnetKey]*showing {
	scopes, all := r.showings()
	maps.DeleteFunc(scopes, func(_ subnetKey, s *showing) bool {
		return !s.hides(deleted) && (s.missing(deleted) == 0 || !all.hides(deleted))
	})
	return scopes
}

// Hidden lists the addresses whose deletion has to be looked for: NetBox shows too
// few of those it had.
func (r *Roster) Hidden() (gone []state.Gone) {
	for _, s := range r.hiding(nil) {
		for _, x := range s.lost {
			gone = append(gone, state.Gone{Kind: state.IPAddress, Object: x.ID, After: state.Mark{Time: x.Seen}})
		}
	}
	slices.SortFunc(gone, func(a, b state.Gone) int { return cmp.Compare(a.Object, b.Object) })
	return slices.CompactFunc(gone, func(a, b state.Gone) bool { return a.Object == b.Object }) // scopes overlap
}

// noteHidden finds scopes where nothing is created, since NetBox hides what it has
// there (rule 3.7 guard m).
func (ad *addressing) noteHidden() {
	if ad.p.AllowOverwrites {
		return
	}
	hiding := ad.hiding(ad.in.Deleted)
	for _, id := range slices.SortedFunc(maps.Keys(hiding), subnetKey.compare) {
		if ad.networks[id] != nil {
			ad.hidden[id] = true
			ad.note(hiding[id].note(plan.Guard, id))
		}
	}
}

// Hides tells of scopes where NetBox shows too few of the addresses it had, before a
// run does.
func (r *Roster) Hides() (notes []plan.Note) {
	hiding := r.hiding(r.in.Deleted)
	for _, id := range slices.SortedFunc(maps.Keys(hiding), subnetKey.compare) {
		notes = append(notes, hiding[id].note(plan.Warning, id))
	}
	return notes
}

func (s *showing) note(level plan.Level, id subnetKey) plan.Note {
	return plan.Note{Level: level, Scope: id.subnet, Cause: plan.CauseHidden,
		Text: fmt.Sprintf("NetBox shows %d of %d addresses that it had here, and its change log has no deletion of the others: nothing is created, since the token may not see all; "+
			"if they are gone, run once with --allow-overwrites", s.shown, s.known)}
}

// rememberObjects keeps which address objects NetBox shows, but not where it hides
// some.
func (ad *addressing) rememberObjects(objects map[plan.Place]plan.Object) {
	now := ad.nb.Date
	if now.IsZero() {
		now = ad.in.Now
	}
	for place := range objects {
		if n := ad.networkOf(place); n != nil && !ad.hidden[n.subnetKey] && ad.addresses.at(place) == nil {
			delete(objects, place)
		}
	}
	for place, list := range ad.addresses {
		n := ad.networkOf(place)
		if n == nil || ad.hidden[n.subnetKey] {
			continue
		}
		if c, _ := ad.p.ClassOf(list[0]); c == plan.ClassForeign {
			delete(objects, place)
			continue
		}
		objects[place] = plan.Object{ID: list[0].ID, Seen: now}
	}
	for i := range ad.steps {
		if s := &ad.steps[i]; s.Phase == plan.Cleanup {
			delete(objects, plan.Place{VRF: s.VRF, Addr: s.Addr})
		}
	}
}
