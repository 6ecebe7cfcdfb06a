package lease

import (
	"testing"
	"time"
)

// The longest time of a lease that may still run outlives a change of the
// settings, a restart, and a store that is lost while the server runs.
func TestTheLongestLeaseOutlivesAChangeOfSettings(t *testing.T) {
	store, now := newMemStore(), start
	serve := func(longest time.Duration) *Engine {
		t.Helper()
		e, err := NewEngine(t.Context(), Config{
			Policy: Policy{LeaseTime: min(longest, time.Hour), MaxTime: longest}, Now: func() time.Time { return now }, Store: store,
		})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	expect := func(e *Engine, want time.Duration, when string) {
		t.Helper()
		if got := e.LongestLease(); got != want {
			t.Errorf("%s: %s, want %s", when, got, want)
		}
	}
	expect(serve(24*time.Hour), 24*time.Hour, "first start")
	now = now.Add(time.Hour)
	expect(serve(2*time.Hour), 24*time.Hour, "shorter since now")
	now = now.Add(23 * time.Hour)
	e := serve(2 * time.Hour)
	expect(e, 24*time.Hour, "a lease of before has an hour left")
	now = now.Add(time.Hour)
	expect(e, 2*time.Hour, "leases of before have ended")
	expect(serve(48*time.Hour), 48*time.Hour, "longer since now")
	store = newMemStore() // lost
	expect(serve(time.Hour), time.Hour, "the store was lost")

	store.notes[longestNote] = []byte("not to be read")
	expect(serve(time.Hour), time.Hour, "the note cannot be read")
}

func TestTheLongestLeaseIsSeenInStoreAndRecords(t *testing.T) {
	for _, c := range []struct {
		name string
		part part
		held []Lease
		want time.Duration
	}{
		{"nothing is known", dynamic("10.0.0.10/24"), nil, time.Hour},
		{"a record runs longer", dynamic("10.0.0.10/24", record(alice, 5*time.Hour)), nil, 5 * time.Hour},
		{"a record has ended", dynamic("10.0.0.10/24", record(alice, -time.Hour)), nil, time.Hour},
		{"a record cannot be read", dynamic("10.0.0.10/24", unreadable(string(alice))), nil, time.Hour},
		{"a record shows a quarantine", dynamic("10.0.0.10/24", record(Declined, 24*time.Hour)), nil, time.Hour},
		{"a stored lease runs longer", dynamic("10.0.0.10/24"), []Lease{bound("10.0.0.11", alice, 3*time.Hour)}, 3 * time.Hour},
		{"a stored quarantine is no lease", dynamic("10.0.0.10/24"), []Lease{quarantined("10.0.0.11", 24*time.Hour)}, time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, newMemStore(c.held...), snapshot(t, worldOptions, prefix("10.0.0.0/24"), c.part),
				policy(func(p *Policy) { p.LeaseTime, p.MaxTime = time.Hour, time.Hour }))
			if got := r.LongestLease().Round(time.Second); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// CTX-4, S-14, S-15: the times of contexts are known at a start, before NetBox is, and
// after an edit that makes them shorter.
func TestTheLongestLeaseOfContextsOutlivesThem(t *testing.T) {
	c := newSteps()
	long, short := lounge(`{"lease_time": "8h"}`), lounge(`{}`)
	r := newRig(t, newMemStore(), snapshot(t, worldOptions, long...), policy(shortLeases), c.on)
	r.invite(alice)
	r.expect(selecting(alice, "10.0.0.10"), "ACK D-4")
	for _, now := range [][]part{long, short, short} {
		c.run(time.Minute)
		r = restarted(t, r, c, now)
		if pause := r.ReclaimPause(); pause != 0 {
			t.Fatalf("a lease of now is no sign of a wrong clock: nothing is reclaimed for %s", pause)
		}
		if got := r.longestPromise(c.wall); got != 8*time.Hour {
			t.Errorf("the longest promise is %s", got)
		}
	}
	c.run(time.Minute)
	c.set(9 * time.Hour)
	r.expect(discover(bob, wants("10.0.0.10")), "OFFER D-1 10.0.0.11/24 new")
	if pause := r.ReclaimPause(); pause != 8*time.Hour {
		t.Errorf("after a step nothing is reclaimed for %s", pause)
	}
	c.run(8*time.Hour + time.Minute)
	r.SetSnapshot(snapshot(t, worldOptions, short...))
	if got := r.longestPromise(c.wall); got != time.Hour {
		t.Errorf("the longest promise is %s after all leases of before", got)
	}
}
