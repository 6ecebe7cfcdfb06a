package lease

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// startAt and againWith are Start and Again with room for the decision.
func startAt(e *Engine, m *ClientMessage, trace *Trace) (d Decision, promise *Promise, err error) {
	promise, err = e.Start(&d, m, trace)
	return d, promise, err
}

func againWith(before *Promise, m *ClientMessage, trace *Trace) (d Decision, promise *Promise, err error) {
	promise, err = before.Again(&d, m, trace)
	return d, promise, err
}

// B-14: what needs no commit and no probe is decided without a wait, and as Handle
// decides it.
func TestStartDecidesAsHandleDoes(t *testing.T) {
	s := tableNetwork(t)
	for _, row := range decisionTable {
		started, handled := row.rig(t, s, Authoritative), row.rig(t, s, Authoritative)
		writes := started.store.written()
		got, promise, err := startAt(started.Engine, &row.message, nil)
		if err != nil {
			t.Fatalf("%s: %v", row.name, err)
		}
		if started.store.written() != writes {
			t.Errorf("%s: Start has written to the store", row.name)
		}
		if promise != nil {
			again, other, err := startAt(started.Engine, &row.message, nil)
			if brief(again) != "silent D-28 busy" || other != nil || err != nil {
				t.Errorf("%s: the same once more, before the commit: %s, %v", row.name, brief(again), err)
			}
			if Keep([]*Promise{promise}); !promise.Kept() {
				t.Errorf("%s: the promise is not kept", row.name)
			}
		}
		want, err := handled.Engine.Handle(t.Context(), row.message, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(brief(want), brief(got)); diff != "" {
			t.Errorf("%s: Handle and Start (-want +got):\n%s", row.name, diff)
		}
		if diff := cmp.Diff(handled.store.all(), started.store.all(), compareStored); diff != "" {
			t.Errorf("%s: the stores after Handle and Start (-want +got):\n%s", row.name, diff)
		}
		if diff := cmp.Diff(len(handled.facts.Leases.holds), len(started.facts.Leases.holds)); diff != "" {
			t.Errorf("%s: holds after Handle and Start (-want +got):\n%s", row.name, diff)
		}
		if len(started.busy)+len(started.facts.Leases.inWork)+started.Disk.Waiting() != 0 {
			t.Errorf("%s: something is still in work", row.name)
		}
	}
}

// compareStored compares what stores hold.
var compareStored = cmp.Options{cmp.AllowUnexported(storedLease{}), cmpopts.EquateComparable(netip.Addr{})}

// H-5, B-14: while the disk hangs, machines that NetBox knows and OFFERs wait for
// nothing; a second message of a client whose first one waits is dropped (D-28).
func TestStartDoesNotWaitForADiskThatHangs(t *testing.T) {
	store := newMemStore()
	committing, commit := make(chan struct{}), make(chan struct{})
	store.before = func(Lease) error { close(committing); <-commit; return nil }
	r := newRig(t, store, snapshot(t, worldOptions, office()...))
	acked := make(chan Verdict)
	go func() {
		d, _ := r.Engine.Handle(t.Context(), selecting(alice, "10.0.0.10"), nil)
		acked <- d.Verdict
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
		if d, promise, err := startAt(r.Engine, &c.message, nil); promise != nil || err != nil || brief(d) != c.want {
			t.Errorf("%s of %s: %s, %v; want %s", c.message.Type, c.message.Client, brief(d), err, c.want)
		}
	}
	wanted := selecting(bob, "10.0.0.11")
	_, promise, _ := startAt(r.Engine, &wanted, nil)
	if promise == nil || promise.Kept() {
		t.Fatal("a lease is acknowledged that nothing has stored")
	}
	promise.Drop()
	close(commit)
	if verdict := <-acked; verdict != Ack {
		t.Errorf("got %s", verdict)
	}
}

// A-7, B-14: an address that is to be probed first is not offered without a wait.
func TestStartDoesNotProbe(t *testing.T) {
	r := newRig(t, newMemStore(bound("10.0.0.12", bob, time.Hour)), snapshot(t, worldOptions, office()...), func(c *Config) {
		c.Probe = func(context.Context, netip.Addr, time.Duration) (bool, error) { panic("an echo request") }
	})
	stranger, own := discover(alice), discover(bob)
	if d, _, err := startAt(r.Engine, &stranger, nil); !errors.Is(err, ErrWaits) || d.Verdict != Offer || len(r.facts.Leases.holds)+len(r.busy) != 0 {
		t.Errorf("an address is offered without a probe: %s, %v", brief(d), err)
	}
	if d, _, err := startAt(r.Engine, &own, nil); err != nil || d.Verdict != Offer {
		t.Errorf("the client's own address needs no probe: %s, %v", brief(d), err)
	}
}

// started decides about messages that each rest on a change.
func (r *rig) started(messages ...ClientMessage) []*Promise {
	r.t.Helper()
	group := make([]*Promise, len(messages))
	for i := range messages {
		var d Decision
		var err error
		if d, group[i], err = startAt(r.Engine, &messages[i], nil); group[i] == nil {
			r.t.Fatalf("%s from %s promises nothing: %s, %v", messages[i].Type, messages[i].Client, brief(d), err)
		}
	}
	return group
}

// B-16, S-2: the change of one message that has lost its comparison is decided anew,
// and costs the others of its group nothing.
func TestALostComparisonCostsNoOtherOfItsGroup(t *testing.T) {
	store := newMemStore()
	r := newRig(t, store, snapshot(t, worldOptions, office()...))
	r.SetAuthority(Authoritative)
	group := r.started(selecting(alice, "10.0.0.10"), selecting(bob, "10.0.0.11"), selecting(carol, "10.0.0.12"))
	store.put(bound("10.0.0.11", web, time.Hour)) // by another server
	Keep(group)
	for i, kept := range []bool{true, false, true} {
		if group[i].Kept() != kept {
			t.Errorf("message %d: kept %v", i, group[i].Kept())
		}
	}
	waiting := selecting(bob, "10.0.0.11")
	if d, _, _ := startAt(r.Engine, &waiting, nil); brief(d) != "silent D-28 busy" {
		t.Errorf("the client's message is not decided yet, and the next one is: %s", brief(d))
	}
	d, again, err := againWith(group[1], &waiting, nil)
	if brief(d) != "NAK D-5 taken" || again != nil || err != nil {
		t.Errorf("anew: %s, %v", brief(d), err)
	}
	if d, _ := r.Handle(t.Context(), selecting(bob, "10.0.0.13"), nil); d.Verdict != Ack {
		t.Errorf("the client asks for another address: %s", brief(d))
	}
	if got := store.get("10.0.0.11").Client; got != web {
		t.Errorf("the other server's lease is now of %s", got)
	}
	r.idle()
}

// idle checks that nothing is in work.
func (r *rig) idle() {
	r.t.Helper()
	if len(r.busy)+len(r.facts.Leases.inWork)+r.Disk.Waiting() != 0 {
		r.t.Errorf("%v, %v and %d places are still in work", r.busy, r.facts.Leases.inWork, r.Disk.Waiting())
	}
}

// S-2, H-5, I-14: a static host needs no store, and yet gives way to an identifier that
// another server has given its address to meanwhile; if the store only fails, it does
// not wait for it.
func TestAStaticHostWhoseChangeIsNotStored(t *testing.T) {
	store := newMemStore()
	r := newRig(t, store, snapshot(t, worldOptions, oneStatic()...), policy(byIdentifier))
	m, other := selecting(web, "10.0.0.5"), bound("10.0.0.5", "id:other", time.Hour)
	group := r.started(m)
	store.before = func(Lease) error { return errDisk }
	if Keep(group); !group[0].Kept() {
		t.Error("the host waits for a store that fails")
	}
	store.before = nil
	group = r.started(m)
	other.Hardware = web
	store.put(other)
	if Keep(group); group[0].Kept() {
		t.Fatal("the host is acknowledged what another server gave away")
	}
	if d, again, err := againWith(group[0], &m, nil); d.Verdict == Ack || again != nil || err != nil {
		t.Errorf("anew: %s, %v", brief(d), err)
	}
	r.idle()
}

// D-16: three comparisons that are lost are enough, and the client asks again.
func TestAMessageLosesThreeComparisons(t *testing.T) {
	store := newMemStore()
	r := newRig(t, store, snapshot(t, worldOptions, office()...))
	store.before = func(Lease) error { return ErrConflict }
	m := selecting(alice, "10.0.0.10")
	group := r.started(m)
	for range attempts - 1 {
		Keep(group)
		_, again, err := againWith(group[0], &m, nil)
		if again == nil || err != nil {
			t.Fatalf("it is given up early: %v", err)
		}
		group[0] = again
	}
	Keep(group)
	if d, again, err := againWith(group[0], &m, nil); brief(d) != "silent D-16 busy" || again != nil || err != nil {
		t.Errorf("%s, %v", brief(d), err)
	}
	r.idle()
}

// H-3, H-4: no reply of a group leaves that the store could not write: silence, or the
// time that is left for a client that renews; a static client is served all the same.
func TestAGroupThatIsNotStored(t *testing.T) {
	store := newMemStore(bound("10.0.0.12", carol, time.Hour), bound("10.0.0.13", bob, time.Hour))
	r := newRig(t, store, snapshot(t, worldOptions, office()...))
	messages := []ClientMessage{selecting(alice, "10.0.0.10"), renewing(carol, "10.0.0.12"), message(Release, bob, has("10.0.0.13"), unicast())}
	group := r.started(messages...)
	store.before = func(Lease) error { return errDisk }
	Keep(group)
	for i, want := range []string{"silent H-3 store_failed", "ACK H-4 10.0.0.12/24 bound", "silent H-3 store_failed"} {
		if group[i].Kept() {
			t.Fatalf("message %d is kept", i)
		}
		if d, again, err := againWith(group[i], &messages[i], nil); brief(d) != want || again != nil || !errors.Is(err, errDisk) {
			t.Errorf("message %d: %s, %v; want %s", i, brief(d), err, want)
		}
	}
	if d, _ := r.Handle(t.Context(), selecting(web, "10.0.0.5"), nil); d.Verdict != Ack {
		t.Errorf("a static client: %s", brief(d))
	}
	r.idle()
}

// A promise that is dropped leaves nothing behind, whether it was tried or not, and
// takes nothing from who came after it.
func TestADroppedPromiseLeavesNothing(t *testing.T) {
	store := newMemStore()
	r := newRig(t, store, snapshot(t, worldOptions, office()...))
	group := r.started(selecting(alice, "10.0.0.10"))
	group[0].Drop()
	r.idle()
	if store.written() != 0 {
		t.Errorf("it was stored: %v", store.all())
	}
	group = r.started(selecting(alice, "10.0.0.10"))
	store.before = func(Lease) error { return errDisk }
	Keep(group)
	store.before = nil
	next := r.started(selecting(bob, "10.0.0.10")) // whose address it is now
	group[0].Drop()
	if len(r.facts.Leases.inWork) != 1 || !r.busy[bob] || r.busy[alice] {
		t.Errorf("in work: %v, %v", r.facts.Leases.inWork, r.busy)
	}
	Keep(next)
	later := r.started(renewing(bob, "10.0.0.10"))
	if next[0].Drop(); !r.busy[bob] || r.Disk.Waiting() != 1 {
		t.Error("a promise that was kept ends the next one of its client")
	}
	later[0].Drop()
	r.idle()
}

// B-9: messages that rest on a change have 512 places; one more gets silence at once.
func TestPromisesHavePlaces(t *testing.T) {
	r := newRig(t, newMemStore(), crowd(t, DiskPlaces+1))
	var group []*Promise
	for i := range DiskPlaces {
		r.invite(nth(i))
		group = append(group, r.started(selecting(nth(i), hostOf(10, 1, 10+i).String(), onCrowd))...)
	}
	late := selecting(bob, hostOf(10, 1, 10+DiskPlaces).String(), onCrowd)
	r.invite(bob)
	if d, promise, err := startAt(r.Engine, &late, nil); brief(d) != "silent B-9 crowded" || promise != nil || !errors.Is(err, ErrCrowded) {
		t.Errorf("%s, %v", brief(d), err)
	}
	Keep(group)
	for i, p := range group {
		if !p.Kept() {
			t.Fatalf("message %d is not kept", i)
		}
	}
	r.idle()
}

// B-16: promises of several engines are kept together, each by its own store.
func TestPromisesOfSeveralEngines(t *testing.T) {
	var group []*Promise
	var stores []*memStore
	for i := range 3 {
		stores = append(stores, newMemStore())
		r := newRig(t, stores[i], snapshot(t, worldOptions, office()...))
		group = append(group, r.started(selecting(alice, fmt.Sprintf("10.0.0.1%d", i)), selecting(bob, fmt.Sprintf("10.0.0.1%d", 5+i)))...)
	}
	group[0], group[3] = group[3], group[0]
	Keep(group)
	for i, s := range stores {
		if s.written() != 2 || s.get(fmt.Sprintf("10.0.0.1%d", i)).Client != alice {
			t.Errorf("store %d holds %v", i, s.all())
		}
	}
	for i, p := range group {
		if !p.Kept() {
			t.Errorf("message %d is not kept", i)
		}
	}
}

// B-9, H-5, I-14: a static host that is told by its MAC needs no place either, whoever
// decides; an identifier of it does.
func TestWithoutAPlaceStartDecidesAsHandleDoes(t *testing.T) {
	for sent, want := range map[string]string{"": "ACK D-4 10.0.0.5/24 static", duid: "silent B-9 crowded"} {
		r := newRig(t, newMemStore(), snapshot(t, worldOptions, oneStatic()...), policy(byIdentifier))
		r.Disk = NewPlaces(0)
		m := selecting(web, "10.0.0.5", sends(sent))
		if d, promise, _ := startAt(r.Engine, &m, nil); brief(d) != want || promise != nil {
			t.Errorf("%q: Start: %s, want %s", sent, brief(d), want)
		}
		if d, _ := r.Engine.Handle(t.Context(), m, nil); brief(d) != want {
			t.Errorf("%q: Handle: %s, want %s", sent, brief(d), want)
		}
		r.idle()
	}
	for _, row := range decisionTable {
		started, handled := row.rig(t, tableNetwork(t), Authoritative), row.rig(t, tableNetwork(t), Authoritative)
		started.Disk, handled.Disk = NewPlaces(0), NewPlaces(0)
		got, _, _ := startAt(started.Engine, &row.message, nil)
		if want, _ := handled.Engine.Handle(t.Context(), row.message, nil); brief(got) != brief(want) {
			t.Errorf("%s: Start %s, Handle %s", row.name, brief(got), brief(want))
		}
		started.idle()
	}
}

// hung is a store whose disk hangs: a caller leaves when its time is up.
type hung struct{ *memStore }

func (s hung) CommitGroup(ctx context.Context, group []Change) []error {
	<-ctx.Done()
	return s.memStore.CommitGroup(ctx, group)
}

// H-3, H-4, B-16: a store that hangs holds a group for 3 seconds from its first
// decision on, and one that has waited as long already for half a second. No reply
// of theirs leaves, but what a client that renews has anyway.
func TestAStoreThatHangsHoldsAGroupNoLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemStore(bound("10.0.0.12", carol, time.Hour), bound("10.0.0.13", bob, time.Hour))
		r := newRig(t, store, snapshot(t, worldOptions, office()...), func(c *Config) { c.Store = hung{store} })
		messages := []ClientMessage{selecting(alice, "10.0.0.10"), renewing(carol, "10.0.0.12"), renewing(bob, "10.0.0.13")}
		want := []string{"silent H-3 store_failed", "ACK H-4 10.0.0.12/24 bound", "ACK H-4 10.0.0.13/24 bound"}
		group := r.started(messages...)
		began := time.Now()
		Keep(group[:2])
		if took := time.Since(began); took != promiseTime {
			t.Errorf("the first group is given up after %s", took)
		}
		if Keep(group[2:]); time.Since(began) != promiseTime+leastWait {
			t.Errorf("the second group is given up after %s", time.Since(began))
		}
		for i, p := range group {
			if p.Kept() {
				t.Errorf("message %d is kept", i)
				continue
			}
			if d, again, err := againWith(p, &messages[i], nil); brief(d) != want[i] || again != nil || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("message %d: %s, %v; want %s", i, brief(d), err, want[i])
			}
		}
		r.idle()
	})
}
