package lease

import (
	"testing"
	"time"
)

// S-4: the marks are the queue of what NetBox has to be told.
func TestWriteBackQueue(t *testing.T) {
	store := newMemStore()
	r := newRig(t, store, snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10-10.0.0.19/24")))
	queue := func() string {
		var text string
		for _, l := range r.Unsynced(100) {
			text += string(l.Client[len(l.Client)-1:]) + l.State.String()[:1] + " "
		}
		return text
	}
	r.expect(selecting(bob, "10.0.0.12"), "ACK")
	r.expect(selecting(alice, "10.0.0.11"), "ACK")
	<-r.UnsyncedC()
	if got := queue(); got != "Bb Ab " { // oldest first
		t.Errorf("queue %q", got)
	}
	if got := r.Unsynced(1); len(got) != 1 || got[0].Client != bob {
		t.Errorf("first of the queue: %v", got)
	}
	// Several changes of one lease are one.
	r.now = r.now.Add(time.Minute)
	told := r.Unsynced(100)
	r.expect(renewing(bob, "10.0.0.12"), "ACK")
	<-r.UnsyncedC()
	if got := queue(); got != "Bb Ab " {
		t.Errorf("queue %q", got)
	}
	// What changed while NetBox was being told stays in the queue.
	at := r.now.Add(time.Second).UTC()
	for _, l := range told {
		if err := r.Synced(t.Context(), l, at); err != nil {
			t.Fatal(err)
		}
	}
	if got := queue(); got != "Bb " {
		t.Errorf("queue %q", got)
	}
	if l := store.get("10.0.0.11"); l.Unsynced || !l.SyncedAt.Equal(at) || l.Client != alice {
		t.Errorf("stored %+v", l)
	}
	if l := store.get("10.0.0.12"); !l.Unsynced || !l.SyncedAt.IsZero() {
		t.Errorf("stored %+v", l)
	}
	for _, l := range r.Unsynced(100) {
		if err := r.Synced(t.Context(), l, at); err != nil {
			t.Fatal(err)
		}
	}
	if got := queue(); got != "" {
		t.Errorf("queue %q", got)
	}
	// A later change brings it back, and the mark is durable.
	r.expect(message(Release, bob, has("10.0.0.12")), "accepted, no reply")
	<-r.UnsyncedC()
	r = newRig(t, store, nil)
	<-r.UnsyncedC()
	if got := queue(); got != "Br " {
		t.Errorf("queue after a restart %q", got)
	}
	// Noting that NetBox was told is idempotent.
	if err := r.Synced(t.Context(), told[0], at); err != nil {
		t.Error(err)
	}
}

// OFFERs, static leases and refusals are nothing to tell NetBox about (S-10).
func TestNothingToWriteBack(t *testing.T) {
	r := newRig(t, newMemStore(bound("10.0.0.11", bob, time.Hour)), small(t))
	before := r.store.written()
	for _, m := range []ClientMessage{
		discover(alice), discover(web), selecting(web, "10.0.0.5"), renewing(web, "10.0.0.5"), selecting(alice, "10.0.0.11"),
		message(Inform, alice, has("10.0.0.10"), unicast()), message(BOOTP, web), message(Release, alice, has("10.0.0.11")), message(Decline, web, wants("10.0.0.5")),
	} {
		r.handle(m)
	}
	if n := r.store.written() - before; n != 0 {
		t.Errorf("%d writes: %v", n, r.store.writes)
	}
}

// Without write-back nothing is marked.
func TestWithoutWriteBackNothingIsMarked(t *testing.T) {
	r := newRig(t, newMemStore(), small(t), func(c *Config) { c.WriteBack = false })
	r.expect(selecting(alice, "10.0.0.10"), "ACK D-4")
	if l := r.store.get("10.0.0.10"); l.Unsynced || l.Client != alice {
		t.Errorf("stored %+v", l)
	}
	if list := r.Unsynced(10); len(list) != 0 {
		t.Errorf("queue %v", list)
	}
}

// Noting that NetBox was told may fail or be overtaken; the lease then stays in
// the queue and the address in the pool.
func TestSyncedThatFails(t *testing.T) {
	for _, c := range []struct {
		name    string
		trouble func(*rig)
	}{
		{"the store fails", func(r *rig) { r.store.before = func(Lease) error { return errDisk } }},
		{"another server was faster", func(r *rig) {
			r.store.put(bound("10.0.0.10", alice, 2*time.Minute))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, newMemStore(bound("10.0.0.10", alice, time.Minute)), small(t))
			c.trouble(r)
			if err := r.Synced(t.Context(), r.Unsynced(1)[0], r.now); err == nil {
				t.Error("no error")
			}
			r.store.before = nil
			if list := r.Unsynced(10); len(list) != 1 {
				t.Errorf("queue %v", list)
			}
			if err := r.facts.Leases.verify(); err != nil {
				t.Error(err)
			}
			if err := r.Synced(t.Context(), r.Unsynced(1)[0], r.now); err != nil {
				t.Errorf("second try: %v", err)
			}
			if list := r.Unsynced(10); len(list) != 0 {
				t.Errorf("queue %v", list)
			}
			r.now = start.Add(time.Hour)
			r.expect(discover(bob), "OFFER D-1 10.0.0.11/24")
			r.expect(discover(carol), "OFFER D-1 10.0.0.10/24")
		})
	}
}

// A RELEASE that overtakes Synced, whose commit is slow to return, must still
// reach NetBox.
func TestReleaseOvertakesSynced(t *testing.T) {
	store := newMemStore(bound("10.0.0.10", alice, time.Hour))
	r := newRig(t, store, small(t))
	stored, carryOn := make(chan struct{}), make(chan struct{})
	store.after = func(l Lease) error {
		if !l.Unsynced { // the one that Synced writes
			close(stored)
			<-carryOn
		}
		return nil
	}
	done := make(chan error)
	go func() { done <- r.Synced(t.Context(), r.Unsynced(1)[0], r.now) }()
	<-stored
	if verdict, err := r.verdict(message(Release, alice, has("10.0.0.10"))); verdict != Taken || err != nil {
		t.Errorf("RELEASE: %s, %v", verdict, err)
	}
	close(carryOn)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if list := r.Unsynced(10); len(list) != 1 || list[0].State != Released {
		t.Errorf("queue %v, want the release", list)
	}
	if got, want := r.facts.Leases.stored.at(optionalAddr("10.0.0.10")).Lease, store.get("10.0.0.10"); got != want {
		t.Errorf("in memory %+v, stored %+v", got, want)
	}
	r.expect(request(bob, wants("10.0.0.10")), "silent D-10")
	if err := r.facts.Leases.verify(); err != nil {
		t.Error(err)
	}
}

// An OFFER held in one network outlives the bookkeeping of another lease.
func TestSyncedLeavesHoldsAlone(t *testing.T) {
	r := newRig(t, newMemStore(bound("10.9.0.10", alice, time.Hour)), snapshot(t, worldOptions,
		prefix("10.0.0.0/24"), dynamic("10.0.0.10/24"), prefix("10.9.0.0/24"), dynamic("10.9.0.10/24")))
	r.expect(discover(alice), "OFFER D-1 10.0.0.10/24")
	if err := r.Synced(t.Context(), r.Unsynced(1)[0], r.now); err != nil {
		t.Fatal(err)
	}
	r.exhausted(discover(bob))
}

// C-41: the time from a durable change until NetBox shows it, for changes made since the
// start.
func TestTheTimeFromALeaseToNetBoxIsMeasured(t *testing.T) {
	store := newMemStore()
	var took []time.Duration
	measured := func(c *Config) { c.Shown = func(d time.Duration) { took = append(took, d) } }
	world := snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10-10.0.0.19/24"))
	r := newRig(t, store, world, measured)
	tell := func(at time.Time) {
		for _, l := range r.Unsynced(-1) {
			if err := r.Synced(t.Context(), l, at); err != nil {
				t.Fatal(err)
			}
		}
	}
	began := time.Now()
	r.expect(selecting(bob, "10.0.0.12"), "ACK")
	r.expect(selecting(alice, "10.0.0.11"), "ACK")
	if len(took) != 0 {
		t.Errorf("measured before NetBox was told: %v", took)
	}
	told := r.Unsynced(-1)
	tell(r.now)
	if len(took) != 2 || took[0] <= 0 || took[0] > time.Since(began) {
		t.Errorf("two leases: %v", took)
	}
	for _, l := range told { // again
		if err := r.Synced(t.Context(), l, r.now); err != nil {
			t.Fatal(err)
		}
	}
	if len(took) != 2 {
		t.Errorf("what NetBox shows already is measured: %v", took)
	}
	r.now = r.now.Add(time.Minute)
	r.expect(renewing(bob, "10.0.0.12"), "ACK")
	stale := r.Unsynced(-1)
	r.now = r.now.Add(time.Minute)
	r.expect(renewing(bob, "10.0.0.12"), "ACK")
	if err := r.Synced(t.Context(), stale[0], r.now); err != nil || len(took) != 2 {
		t.Errorf("a lease that changed meanwhile: %v, %v", err, took)
	}
	tell(time.Time{}) // NetBox has no place for it
	if len(took) != 2 {
		t.Errorf("a lease that NetBox does not show is measured: %v", took)
	}
	r.expect(message(Release, bob, has("10.0.0.12")), "accepted, no reply")
	r = newRig(t, store, world, measured)
	if tell(r.now); len(took) != 2 || len(r.Unsynced(-1)) != 0 {
		t.Errorf("a lease from before the start: %v", took)
	}
}
