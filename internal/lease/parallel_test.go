package lease

import (
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// B-6, S-7: a hundred clients at once, while snapshots of NetBox and the
// write-back come and go.
func TestManyClientsAtOnce(t *testing.T) {
	const clients, rounds = 100, 5
	store := newMemStore()
	gate := make(chan struct{})
	store.after = func(Lease) error { gate <- struct{}{}; return nil }
	s := snapshot(t, worldOptions, prefix("10.0.0.0/16"), dynamic("10.0.1.0-10.0.1.119/16"))
	r := newRig(t, store, s)

	var work sync.WaitGroup
	var owners sync.Map // address to client
	for i := range clients {
		work.Go(func() {
			for round := range rounds {
				if err := oneLease(r, &owners, nth(i), round); err != nil {
					t.Error(err)
				}
			}
		})
	}
	closed := make(chan struct{})
	go func() { // the gate opens for one commit at a time
		defer close(closed)
		for range gate {
		}
	}()
	stop := make(chan struct{})
	var others sync.WaitGroup
	others.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-r.UnsyncedC():
				for _, l := range r.Unsynced(10) {
					_ = r.Synced(t.Context(), l, start) // may be overtaken by its client
				}
			default:
				r.SetSnapshot(s)
				r.Explain(discover(web))
			}
		}
	})
	work.Wait()
	close(stop)
	others.Wait()
	close(gate)
	<-closed
	if err := r.facts.Leases.verify(); err != nil {
		t.Error(err)
	}
	if n := len(r.facts.Leases.inWork) + len(r.busy) + len(r.facts.Leases.holds); n != 0 {
		t.Errorf("%d marks and holds are left", n)
	}
}

// S-7: different clients wait for the store together, not for each other.
func TestDifferentClientsCommitTogether(t *testing.T) {
	const clients = 100
	store := newMemStore()
	var waiting atomic.Int64
	all := make(chan struct{})
	store.before = func(Lease) error {
		if waiting.Add(1) == clients {
			close(all)
		}
		<-all
		return nil
	}
	r := newRig(t, store, snapshot(t, worldOptions, prefix("10.0.0.0/16"), dynamic("10.0.1.0-10.0.1.99/16")))
	var work sync.WaitGroup
	for i := range clients {
		work.Go(func() {
			if verdict, err := r.verdict(selecting(nth(i), fmt.Sprintf("10.0.1.%d", i))); verdict != Ack || err != nil {
				t.Errorf("client %d: %s, %v", i, verdict, err)
			}
		})
	}
	work.Wait()
}

// oneLease goes through the life of a lease and leaves the client without one
// after every round but the last.
func oneLease(r *rig, owners *sync.Map, c ClientID, round int) error {
	var acked netip.Addr
	for acked == (netip.Addr{}) {
		offer, err := r.Handle(r.t.Context(), discover(c), nil)
		if err != nil || offer.Verdict != Offer {
			return fmt.Errorf("%s was offered %s, %w", c, brief(offer), err)
		}
		ack, err := r.Handle(r.t.Context(), selecting(c, offer.Addr.Addr().String()), nil)
		if err != nil {
			return err
		}
		if ack.Verdict == Ack {
			acked = ack.Addr.Addr()
		}
	}
	if other, taken := owners.LoadOrStore(acked, c); taken && other != c {
		return fmt.Errorf("%s was acknowledged to %s and %s", acked, other, c)
	}
	if l := r.store.get(acked.String()); l.Client != c {
		return fmt.Errorf("%s was acknowledged to %s, stored is %s", acked, c, l.Client)
	}
	for {
		d, err := r.Handle(r.t.Context(), renewing(c, acked.String()), nil)
		if err != nil {
			return err
		}
		if d.Verdict == Ack {
			break
		}
		if d.Reason != ReasonBusy { // overtaken by the write-back again and again
			return fmt.Errorf("%s renewed %s: %s", c, acked, brief(d))
		}
	}
	if round == 4 {
		return nil
	}
	owners.Delete(acked)
	for {
		d, err := r.Handle(r.t.Context(), message(Release, c, has(acked.String())), nil)
		if err != nil || d.Verdict == Taken {
			return err
		}
		if d.Reason != ReasonBusy {
			return fmt.Errorf("%s released %s: %s", c, acked, brief(d))
		}
	}
}

// S-2, S-6: two clients race for one address; exactly one is acknowledged, in
// one server or in two.
func TestTwoClientsRaceForOneAddress(t *testing.T) {
	s := snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10/24"))
	for _, servers := range []int{1, 2} {
		t.Run(fmt.Sprintf("%d servers", servers), func(t *testing.T) {
			for range 200 {
				store := newMemStore()
				rigs := []*rig{newRig(t, store, s), newRig(t, store, s)}
				var acked atomic.Int64
				var winner atomic.Value
				var racing sync.WaitGroup
				for i, c := range []ClientID{alice, bob} {
					racing.Go(func() {
						d, err := rigs[i%servers].Handle(t.Context(), selecting(c, "10.0.0.10"), nil)
						if err != nil {
							t.Error(err)
						}
						if d.Verdict == Ack {
							acked.Add(1)
							winner.Store(c)
						}
					})
				}
				racing.Wait()
				if n := acked.Load(); n != 1 {
					t.Fatalf("%d ACKs for one address", n)
				}
				if l := store.get("10.0.0.10"); l.Client != winner.Load() {
					t.Fatalf("acknowledged to %s, stored for %s", winner.Load(), l.Client)
				}
			}
		})
	}
}

// S-7: work on one client goes one after another, for all its messages.
func TestOneMessageOfAClientAtATime(t *testing.T) {
	store := newMemStore()
	committing, commit := make(chan struct{}), make(chan struct{})
	store.before = func(Lease) error { committing <- struct{}{}; <-commit; return nil }
	r := newRig(t, store, small(t))
	var work sync.WaitGroup
	work.Go(func() { _, _ = r.verdict(selecting(alice, "10.0.0.10")) })
	<-committing
	for _, m := range []ClientMessage{
		discover(alice), selecting(alice, "10.0.0.11"), message(Decline, alice, wants("10.0.0.10")), message(Release, alice, has("10.0.0.10")),
	} {
		if d, err := r.Handle(t.Context(), m, nil); brief(d) != "silent D-28 busy" || err != nil {
			t.Errorf("%s meanwhile: %s, %v", m.Type, brief(d), err)
		}
	}
	close(commit)
	work.Wait()
	if n := store.written(); n != 1 {
		t.Errorf("%d writes, want one", n)
	}
}

// The index over a new snapshot is built while packets change leases.
func TestSnapshotSwapsUnderLoad(t *testing.T) {
	s := snapshot(t, worldOptions, prefix("10.0.0.0/16"), dynamic("10.0.0.1-10.0.15.250/16"))
	r := newRig(t, newMemStore(), s)
	stop := make(chan struct{})
	var swapping sync.WaitGroup
	for range 2 {
		swapping.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					r.SetSnapshot(s)
				}
			}
		})
	}
	defer swapping.Wait()
	defer close(stop)
	given := make(map[netip.Addr]bool)
	for i := range 300 {
		d, err := r.Handle(t.Context(), discover(nth(i)), nil)
		if err != nil || d.Verdict != Offer || given[d.Addr.Addr()] {
			t.Fatalf("client %d: %s, %v", i, brief(d), err)
		}
		given[d.Addr.Addr()] = true
		if d, err := r.Handle(t.Context(), selecting(nth(i), d.Addr.Addr().String()), nil); err != nil || d.Verdict != Ack {
			t.Fatalf("client %d: %s, %v", i, brief(d), err)
		}
		r.locked(func() { err = r.facts.Leases.verify() })
		if err != nil {
			t.Fatalf("after client %d: %v", i, err)
		}
	}
}
