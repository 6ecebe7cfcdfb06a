package lease

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// B-14: what needs no commit and no probe is decided without a wait, and as Handle
// decides it.
func TestTryDecidesWhatWaitsForNothing(t *testing.T) {
	s := tableNetwork(t)
	for _, row := range decisionTable {
		tried, handled := row.rig(t, s, Authoritative), row.rig(t, s, Authoritative)
		writes, holds := tried.store.written(), len(tried.facts.Leases.holds)
		got, done := tried.Try(&row.message, nil)
		if !done {
			if got != (Decision{}) || tried.store.written() != writes || len(tried.facts.Leases.holds) != holds || len(tried.busy)+len(tried.facts.Leases.inWork) != 0 {
				t.Errorf("%s: Try has done something", row.name)
			}
			if got, err := tried.Handle(t.Context(), row.message, nil); err != nil || tried.store.written() == writes {
				t.Errorf("%s: Try would not wait, and Handle had nothing to wait for: %s, %v", row.name, brief(got), err)
			}
			continue
		}
		want, err := handled.Handle(t.Context(), row.message, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(brief(want), brief(got)); diff != "" {
			t.Errorf("%s: Handle and Try (-want +got):\n%s", row.name, diff)
		}
		if tried.store.written() != writes {
			t.Errorf("%s: Try has written to the store", row.name)
		}
		if diff := cmp.Diff(len(handled.facts.Leases.holds), len(tried.facts.Leases.holds)); diff != "" {
			t.Errorf("%s: holds after Handle and Try (-want +got):\n%s", row.name, diff)
		}
	}
}

// H-5, B-14: while the disk hangs, machines that NetBox knows and OFFERs wait for
// nothing; a second message of a client whose first one waits is dropped (D-28).
func TestTryDoesNotWaitForADiskThatHangs(t *testing.T) {
	store := newMemStore()
	committing, commit := make(chan struct{}), make(chan struct{})
	store.before = func(Lease) error { close(committing); <-commit; return nil }
	r := newRig(t, store, snapshot(t, worldOptions, office()...))
	acked := make(chan Verdict)
	go func() {
		verdict, _ := r.verdict(selecting(alice, "10.0.0.10"))
		acked <- verdict
	}()
	<-committing
	for _, c := range []struct {
		message ClientMessage
		want    string
	}{
		{discover(web), "OFFER D-1 10.0.0.5/24 static"},
		{selecting(web, "10.0.0.5"), "ACK D-4 10.0.0.5/24 static"},
		{discover(bob), "OFFER D-1 10.0.0.11/24 new"},
		{discover(alice), "silent D-28 busy"},
	} {
		if d, done := r.Try(&c.message, nil); !done || brief(d) != c.want {
			t.Errorf("%s of %s: %s, done %v; want %s", c.message.Type, c.message.Client, brief(d), done, c.want)
		}
	}
	wanted := selecting(bob, "10.0.0.11")
	if _, done := r.Try(&wanted, nil); done {
		t.Error("a lease is acknowledged that nothing has stored")
	}
	close(commit)
	if verdict := <-acked; verdict != Ack {
		t.Errorf("got %s", verdict)
	}
}

// A-7, B-14: an address that is to be probed first is not offered without a wait.
func TestTryDoesNotProbe(t *testing.T) {
	r := newRig(t, newMemStore(bound("10.0.0.12", bob, time.Hour)), snapshot(t, worldOptions, office()...), func(c *Config) {
		c.Probe = func(context.Context, netip.Addr, time.Duration) (bool, error) { panic("an echo request") }
	})
	stranger, own := discover(alice), discover(bob)
	if d, done := r.Try(&stranger, nil); done || len(r.facts.Leases.holds) != 0 {
		t.Errorf("an address is offered without a probe: %s", brief(d))
	}
	if d, done := r.Try(&own, nil); !done || d.Verdict != Offer {
		t.Errorf("the client's own address needs no probe: %s, done %v", brief(d), done)
	}
}
