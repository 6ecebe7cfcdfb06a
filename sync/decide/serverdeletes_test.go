package decide

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
)

// rules 5.4, 5.5, 5.6 and 5.8: with every mode on that deletes on servers, things go
// from NetBox by hand, by a restore or by a narrowed view, and time passes. Each
// round is judged by the world: see unproved, scopeLost, exclusionsLost and beyondLimits.
func TestNothingIsDeletedOnServersWithoutProof(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newStory(t)
		s.p.Mode = plan.Import
		s.round()
		s.p.Mode = plan.Sync
		s.p.PushReservations, s.p.DeleteRemoved, s.p.PushScopeInfo, s.p.DeleteScopes = true, true, true, true
		s.p.MaxDeleteCount = []int{100, 100, 1, 2}[s.pick("limit", 4)]
		s.round()
		s.round() // what was made is seen
		events := s.vanishings()
		for range 2 + s.pick("rounds", 5) {
			for range 1 + s.pick("events", 3) {
				events[s.pick("event", len(events))]()
			}
			s.w.hoursLater([]int{0, 1, 25}[s.pick("hours", 3)])
			s.w.fast = []time.Duration{0, 0, 400 * 24 * time.Hour, -2 * time.Hour}[s.pick("clock", 4)]
			s.round()
		}
	})
}

// vanishings are ways in which things go from NetBox, and what speaks against
// believing it.
func (s *story) vanishings() []func() {
	w := s.w
	address := func(do func(int)) {
		if n := len(w.nb.Addresses); n > 0 {
			do(s.pick("address", n))
		}
	}
	scope := func(do func(int)) {
		if n := len(w.nb.Ranges); n > 0 {
			do(s.pick("range", n))
		}
	}
	return []func(){
		func() { address(w.remove) },
		func() { address(w.remove) },
		func() { address(func(i int) { w.nb.Addresses = slices.Delete(w.nb.Addresses, i, i+1) }) },
		func() { address(func(i int) { w.nb.Addresses[i].VRF = 7 }) },
		func() { w.nb.Addresses = nil },
		func() { scope(w.removeRange) },
		func() { scope(w.removeRange) },
		func() { scope(func(i int) { w.nb.Ranges = slices.Delete(w.nb.Ranges, i, i+1) }) },
		func() { scope(func(i int) { w.nb.Ranges[i].Exclusions = nil }) },
		func() {
			for len(w.nb.Addresses) > 0 {
				w.remove(0)
			}
		},
		func() { w.logFails = !w.logFails },
		func() { w.restored = !w.restored },
		func() {
			for _, x := range s.scopes() {
				x.leases = nil
			}
		},
		func() { s.newReservation(s.scopes()[0]) },
		func() { s.p.AllowDeletes = s.one("--allow-deletes", 3) },
	}
}
