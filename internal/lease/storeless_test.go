package lease

import (
	"context"
	"errors"
	"testing"
	"time"
)

// H-5: without a store, at the start and after one failed, what needs none is
// served, and nothing is promised or refused that a lease could decide.
func TestWithoutAStoreKnownHostsAreServed(t *testing.T) {
	for _, c := range []struct {
		name  string
		m     ClientMessage
		start string // no store was opened yet
		later string // the store failed after alice was bound to 10.0.0.10
	}{
		{"a known host discovers", discover(web), "OFFER D-1 10.0.0.5/24 static", ""},
		{"a known host selects", selecting(web, "10.0.0.5"), "ACK D-4 10.0.0.5/24 static", ""},
		{"a known host comes back", request(web, wants("10.0.0.5")), "ACK D-8 10.0.0.5/24 static", ""},
		{"a known host renews", renewing(web, "10.0.0.5"), "ACK D-12 10.0.0.5/24 static", ""},
		{"a known host rebinds", request(web, has("10.0.0.5")), "ACK D-12 10.0.0.5/24 static", ""},
		{"a known host asks for another address", request(web, wants("10.0.0.10")), "NAK D-9", ""},
		{"a known host was elsewhere", request(web, wants("192.0.2.5")), "NAK D-7", ""},
		{"INFORM of a known host", message(Inform, web, has("10.0.0.5"), unicast()), "ACK (inform) D-21", ""},
		{"INFORM of a stranger", message(Inform, bob, has("10.0.0.77"), unicast()), "ACK (inform) D-21", ""},
		{"BOOTP of a known host", message(BOOTP, web), "BOOTREPLY D-23", ""},
		{"DECLINE of a known host", message(Decline, nth(9), wants("10.0.0.5")), "silent D-18", ""},
		{"a stranger discovers", discover(bob), "silent H-5 store_failed", ""},
		{"the bound client discovers", discover(alice), "silent H-5 store_failed", ""},
		{"a stranger comes back", request(bob, wants("10.0.0.11")), "silent H-5 store_failed", ""},
		{"the bound client comes back", request(alice, wants("10.0.0.10")), "silent H-5 store_failed", "silent H-3 store_failed"},
		{"the bound client renews", renewing(alice, "10.0.0.10"), "silent H-5 store_failed", "ACK H-4 10.0.0.10/24 bound"},
		{"a recorded client renews", renewing(carol, "10.0.0.30"), "ACK H-4 10.0.0.30/24 bound", ""},
		{"a stranger renews", renewing(bob, "10.0.0.11"), "silent H-5 store_failed", ""},
		{"a stranger renews what is another's", renewing(bob, "10.0.0.10"), "silent H-5 store_failed", ""},
		{"a stranger was elsewhere", request(bob, wants("192.0.2.5")), "silent H-5 store_failed", ""},
		{"a stranger selects", selecting(bob, "10.0.0.11"), "silent H-3 store_failed", ""},
		{"a stranger selects what is another's", selecting(bob, "10.0.0.30"), "silent H-5 store_failed", ""},
		{"RELEASE of the bound client", message(Release, alice, has("10.0.0.10")), "silent D-20", "silent H-3 store_failed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			world := snapshot(t, worldOptions, append(office(), dynamic("10.0.0.30/24", record(carol, 20*time.Minute)))...)
			r := newRig(t, newMemStore(), world, func(config *Config) { config.Store = nil })
			r.SetAuthority(Authoritative)
			check := func(when, want string) {
				d, err := r.Handle(t.Context(), c.m, nil)
				if text := brief(d); text != want && !hasWord(text, want) {
					t.Errorf("%s: %s, %v; want %s", when, text, err, want)
				}
				if err != nil && !errors.Is(err, ErrNoStore) {
					t.Errorf("%s: %v", when, err)
				}
			}
			check("at the start", c.start)
			store := newMemStore(bound("10.0.0.10", alice, time.Hour))
			if err := r.Attach(t.Context(), store); err != nil {
				t.Fatal(err)
			}
			r.Detach()
			if c.later == "" {
				c.later = c.start
			}
			check("after the store failed", c.later)
			if n := store.written(); n != 0 {
				t.Errorf("%d writes", n)
			}
			if err := r.facts.Leases.verify(); err != nil {
				t.Error(err)
			}
		})
	}
}

// hasWord reports whether text begins with want and goes on with a blank.
func hasWord(text, want string) bool {
	return len(text) > len(want) && text[:len(want)+1] == want+" "
}

// H-5: what was acknowledged outlives a store that comes back without it, or
// with more than was known.
func TestAStoreThatComesBackAgreesWithWhatWasPromised(t *testing.T) {
	for _, c := range []struct {
		name string
		held []Lease // by the store that comes back, each written once
		want ClientID
	}{
		{"as it was", []Lease{bound("10.0.0.10", alice, time.Hour)}, alice},
		{"empty", nil, alice},
		{"with another lease", []Lease{bound("10.0.0.11", bob, time.Hour)}, alice},
		{"with an older lease of the address", []Lease{released("10.0.0.10", bob, time.Hour)}, alice},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, newMemStore(), small(t))
			r.SetAuthority(Authoritative)
			r.expect(selecting(alice, "10.0.0.10"), "ACK D-4")
			r.expect(renewing(alice, "10.0.0.10"), "ACK D-12") // revision 2
			r.Detach()
			back := newMemStore(c.held...)
			if err := r.Attach(t.Context(), back); err != nil {
				t.Fatal(err)
			}
			if got := back.get("10.0.0.10").Client; got != c.want {
				t.Errorf("the store says %s, want %s", got, c.want)
			}
			r.expect(renewing(alice, "10.0.0.10"), "ACK D-12")
			r.expect(request(nth(7), wants("10.0.0.10")), "NAK D-10")
			for _, l := range c.held {
				if l.Client == bob && l.State == Bound {
					r.expect(renewing(bob, "10.0.0.11"), "ACK D-12")
				}
			}
			if err := r.facts.Leases.verify(); err != nil {
				t.Error(err)
			}
		})
	}
}

// H-3, H-5: a write whose outcome was unknown counts as what the store says.
func TestAStoreThatComesBackKnowsMore(t *testing.T) {
	store := newMemStore()
	r := newRig(t, store, small(t))
	store.after, store.read = func(Lease) error { return errDisk }, errDisk
	if d, err := r.Handle(t.Context(), selecting(alice, "10.0.0.10"), nil); d.Verdict != Silent || err == nil {
		t.Fatalf("%s, %v", brief(d), err)
	}
	r.Detach()
	store.after, store.read = nil, nil
	if err := r.Attach(t.Context(), store); err != nil {
		t.Fatal(err)
	}
	r.expect(renewing(alice, "10.0.0.10"), "ACK D-12")
}

// H-5: a store that cannot take back what it lost is no store.
func TestAStoreThatCannotBeWrittenStaysAway(t *testing.T) {
	r := newRig(t, newMemStore(), small(t))
	r.expect(selecting(alice, "10.0.0.10"), "ACK D-4")
	r.Detach()
	back := newMemStore()
	back.before = func(Lease) error { return errDisk }
	if err := r.Attach(t.Context(), back); !errors.Is(err, errDisk) {
		t.Errorf("%v, want %v", err, errDisk)
	}
	if d, err := r.Handle(t.Context(), renewing(alice, "10.0.0.10"), nil); brief(d) != "ACK H-4 10.0.0.10/24 bound" || !errors.Is(err, ErrNoStore) {
		t.Errorf("%s, %v", brief(d), err)
	}
	if list := r.Unsynced(-1); list != nil {
		t.Errorf("NetBox is to be told of %v, which could not be noted", list)
	}
}

// H-4: from a snapshot that is too old, static hosts and running leases are
// served; nobody gets a new lease, nobody is refused.
func TestAStaleSnapshotServesWhatRuns(t *testing.T) {
	store := newMemStore(bound("10.0.0.10", alice, time.Hour), bound("10.0.0.11", bob, -time.Minute))
	r := newRig(t, store, snapshot(t, worldOptions, office()...))
	r.SetAuthority(Authoritative)
	r.Confirm(start.Add(-25*time.Hour), 0)
	for _, c := range []struct {
		m    ClientMessage
		want string
	}{
		{discover(web), "OFFER D-1 10.0.0.5/24 static"},
		{renewing(web, "10.0.0.10"), "silent H-4 stale"},
		{discover(alice), "OFFER D-1 10.0.0.10/24 bound"},
		{selecting(alice, "10.0.0.10"), "ACK D-4"},
		{request(alice, wants("10.0.0.10")), "ACK D-8"},
		{renewing(alice, "10.0.0.10"), "ACK D-12"},
		{request(alice, wants("10.9.0.5")), "silent H-4 stale"},
		{discover(bob), "silent H-4 stale"},
		{request(bob, wants("10.0.0.11")), "silent H-4 stale"},
		{renewing(bob, "10.0.0.11"), "silent H-4 stale"},
		{selecting(carol, "10.0.0.11"), "silent H-4 stale"},
		{discover(carol), "silent H-4 stale"},
		{renewing(carol, "10.0.0.10"), "silent H-4 stale"},
		{message(Release, alice, has("10.0.0.10")), "accepted, no reply D-19"},
	} {
		r.expect(c.m, c.want)
	}
}

// An engine without a store is ready at once.
func TestAnEngineStartsWithoutAStore(t *testing.T) {
	if _, err := NewEngine(context.Background(), Config{}); err != nil {
		t.Error(err)
	}
}
