package lease

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// C-4: by the operator's word a declined address is leased again, also after a
// restart.
func TestAQuarantineEndsByTheOperatorsWord(t *testing.T) {
	store := newMemStore()
	r := newRig(t, store, snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10/24")))
	end := func(addr, want string) {
		t.Helper()
		err := r.EndQuarantine(t.Context(), optionalAddr(addr))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("end the quarantine of %s: %v, want %q", addr, err, want)
		}
	}
	end("10.0.0.10", "not in quarantine")
	r.expect(discover(alice), "OFFER D-1 10.0.0.10/24")
	r.expect(selecting(alice, "10.0.0.10"), "ACK D-4")
	end("10.0.0.10", "not in quarantine")
	r.expect(message(Decline, alice, wants("10.0.0.10")), "accepted, no reply D-17")
	r.expect(discover(bob), "silent D-2 pool_empty")
	end("10.0.0.11", "not in quarantine")
	end("10.0.0.10", "")
	end("10.0.0.10", "not in quarantine")
	if l := store.get("10.0.0.10"); l.State != Released || !l.Unsynced {
		t.Errorf("stored %+v: NetBox is not told", l)
	}
	r.now = r.now.Add(time.Minute)
	r.expect(discover(bob), "OFFER D-1 10.0.0.10/24")
	r.expect(selecting(bob, "10.0.0.10"), "ACK D-4 10.0.0.10/24")
	end("10.0.0.10", "not in quarantine")
	if err := r.facts.Leases.verify(); err != nil {
		t.Error(err)
	}
}

func TestAQuarantineThatCannotBeEndedStays(t *testing.T) {
	store := newMemStore()
	r := newRig(t, store, snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10/24")))
	r.expect(discover(alice), "OFFER D-1 10.0.0.10/24")
	r.expect(message(Decline, alice, wants("10.0.0.10"), to(serverAddr)), "accepted, no reply D-17")
	broken := errors.New("disk is full")
	store.before = func(Lease) error { return broken }
	if err := r.EndQuarantine(t.Context(), optionalAddr("10.0.0.10")); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	store.before = nil
	r.expect(discover(bob), "silent D-2 pool_empty")
	if err := r.facts.Leases.verify(); err != nil {
		t.Error(err)
	}
}

// C-1
func TestARehearsalLeavesNothing(t *testing.T) {
	store := newMemStore()
	r := newRig(t, store, snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10-10.0.0.11/24")))
	r.SetAuthority(Authoritative)
	rehearse := func(m ClientMessage, want string) {
		t.Helper()
		if got := brief(r.Rehearse(m, nil)); !strings.HasPrefix(got, want) {
			t.Errorf("rehearsed: %s, want %s", got, want)
		}
	}
	rehearse(discover(alice), "OFFER D-1 10.0.0.10/24")
	rehearse(selecting(alice, "10.0.0.10"), "ACK D-4 10.0.0.10/24")
	if store.written() != 0 || len(r.Leases()) != 0 {
		t.Errorf("%d writes, leases %v", store.written(), r.Leases())
	}
	r.expect(discover(bob), "OFFER D-1 10.0.0.10/24") // nothing is held for alice
	rehearse(discover(alice), "OFFER D-1 10.0.0.11/24")
	r.expect(selecting(bob, "10.0.0.10"), "ACK D-4 10.0.0.10/24")
	rehearse(message(Release, bob, has("10.0.0.10")), "accepted, no reply D-19")
	rehearse(message(Decline, bob, wants("10.0.0.10")), "accepted, no reply D-17")
	r.expect(renewing(bob, "10.0.0.10"), "ACK D-12")
}
