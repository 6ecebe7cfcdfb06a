package lease

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

var errDisk = errors.New("disk is gone")

// small is a network with two dynamic addresses.
func small(t testing.TB) *ipam.Snapshot {
	return snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10-10.0.0.11/24"),
		device("web1", port("eth0", string(web), on("10.0.0.5/24"))))
}

// verdict handles a message that may cause trouble.
func (r *rig) verdict(m ClientMessage) (Verdict, error) {
	d, err := r.Handle(r.t.Context(), m, nil)
	return d.Verdict, err
}

// S-1, A-3: the ACK of a dynamic address comes after the commit.
func TestAckWaitsForTheStore(t *testing.T) {
	store := newMemStore()
	committing, commit := make(chan Lease), make(chan struct{})
	store.before = func(l Lease) error { committing <- l; <-commit; return nil }
	r := newRig(t, store, small(t))
	answers := make(chan Verdict, 1)
	go func() {
		verdict, _ := r.verdict(selecting(alice, "10.0.0.10"))
		answers <- verdict
	}()
	if l := <-committing; l.Client != alice || l.State != Bound {
		t.Errorf("commits %+v", l)
	}
	select {
	case verdict := <-answers:
		t.Fatalf("%s before the commit", verdict)
	default:
	}
	// D-28: a retransmission meanwhile is dropped; no lock is held, so
	// others are served (S-7).
	if d, err := r.Handle(t.Context(), selecting(alice, "10.0.0.10"), nil); brief(d) != "silent D-28 busy" || err != nil {
		t.Errorf("retransmission: %s, %v", brief(d), err)
	}
	r.expect(discover(bob), "OFFER D-1 10.0.0.11/24") // .10 is in work
	r.expect(selecting(carol, "10.0.0.10"), "silent D-16 busy")
	r.expect(selecting(web, "10.0.0.5"), "ACK D-4")
	r.SetSnapshot(small(t))
	r.expect(discover(carol), "silent D-2 pool_empty")
	close(commit)
	if verdict := <-answers; verdict != Ack {
		t.Errorf("%s, want ACK", verdict)
	}
	store.before = nil
	r.expect(selecting(alice, "10.0.0.10"), "ACK D-4 10.0.0.10/24 bound") // the same answer afterwards
	if err := r.facts.Leases.verify(); err != nil {
		t.Error(err)
	}
}

// H-3: a store that fails means silence and an error, never a NAK; afterwards
// everything works.
func TestStoreFailureIsSilence(t *testing.T) {
	for _, c := range []struct {
		name    string
		trouble func(*memStore)
		stored  bool // the change is there although it failed
	}{
		{"the write fails", func(s *memStore) { s.before = func(Lease) error { return errDisk } }, false},
		{"the outcome is unknown, it was written", func(s *memStore) { s.after = func(Lease) error { return errDisk } }, true},
		{"write and read fail", func(s *memStore) { s.before, s.read = func(Lease) error { return errDisk }, errDisk }, false},
		{"it was written and cannot be read", func(s *memStore) { s.after, s.read = func(Lease) error { return errDisk }, errDisk }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := newMemStore(bound("10.0.0.11", bob, time.Hour))
			r := newRig(t, store, small(t))
			r.SetAuthority(Authoritative)
			r.expect(discover(alice), "OFFER D-1 10.0.0.10/24")
			c.trouble(store)
			for _, m := range []ClientMessage{selecting(alice, "10.0.0.10"), message(Release, bob, has("10.0.0.11")), message(Decline, bob, wants("10.0.0.11"))} {
				d, err := r.Handle(t.Context(), m, nil)
				if d.Verdict != Silent || d.Rule != "H-3" || !errors.Is(err, errDisk) {
					t.Errorf("%s: %s, %v; want silence and %v", m.Type, brief(d), err, errDisk)
				}
				if c.stored {
					break // the first one went through
				}
			}
			r.expect(selecting(web, "10.0.0.5"), "ACK D-4") // static clients need no store
			if got := store.get("10.0.0.10").Client == alice; got != c.stored {
				t.Errorf("stored: %v, want %v", got, c.stored)
			}
			if err := r.facts.Leases.verify(); err != nil {
				t.Error(err)
			}
			store.before, store.after, store.read = nil, nil, nil
			if verdict, err := r.verdict(selecting(alice, "10.0.0.10")); verdict != Ack || err != nil {
				t.Errorf("after recovery: %s, %v", verdict, err)
			}
			if verdict, err := r.verdict(renewing(bob, "10.0.0.11")); verdict != Ack || err != nil {
				t.Errorf("after recovery: %s, %v", verdict, err)
			}
			if l := store.get("10.0.0.10"); l.Client != alice || l.State != Bound {
				t.Errorf("stored %+v", l)
			}
			if err := r.facts.Leases.verify(); err != nil {
				t.Error(err)
			}
		})
	}
}

// H-4: while the store is out of reach, renewing clients keep what they have
// for the time that is left; nobody gets anything new.
func TestStoreFailureLeavesRunningLeasesTheirTime(t *testing.T) {
	for _, c := range []struct {
		name    string
		message ClientMessage
		want    string
		left    time.Duration
	}{
		{"RENEWING", renewing(alice, "10.0.0.10"), "ACK H-4 10.0.0.10/24 bound", 30*time.Minute - time.Second},
		{"REBINDING", request(alice, has("10.0.0.10")), "ACK H-4 10.0.0.10/24 bound", 30*time.Minute - time.Second},
		{"RENEWING for less time", renewing(alice, "10.0.0.10", asking(5*time.Minute)), "ACK H-4 10.0.0.10/24 bound", 5 * time.Minute},
		{"RENEWING what is known from the record only", renewing(carol, "10.0.0.12"), "ACK H-4 10.0.0.12/24 bound", 20*time.Minute - time.Second},
		{"RENEWING in the last minute", renewing(bob, "10.0.0.11"), "silent H-3 store_failed", 0},
		{"RENEWING what has ended", renewing(nth(1), "10.0.0.13"), "silent H-3 store_failed", 0},
		{"INIT-REBOOT", request(alice, wants("10.0.0.10")), "silent H-3 store_failed", 0},
		{"SELECTING", selecting(alice, "10.0.0.10"), "silent H-3 store_failed", 0},
		{"RELEASE", message(Release, alice, has("10.0.0.10")), "silent H-3 store_failed", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := newMemStore(bound("10.0.0.10", alice, 30*time.Minute), bound("10.0.0.11", bob, time.Minute), bound("10.0.0.13", nth(1), -time.Minute))
			store.before, store.read = func(Lease) error { return errDisk }, errDisk
			r := newRig(t, store, snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10-10.0.0.11/24"),
				dynamic("10.0.0.12/24", record(carol, 20*time.Minute)), dynamic("10.0.0.13/24")))
			d, err := r.Handle(t.Context(), c.message, nil)
			if brief(d) != c.want || d.Time != c.left || !errors.Is(err, errDisk) {
				t.Errorf("%s for %s, %v; want %s for %s", brief(d), d.Time, err, c.want, c.left)
			}
			if n := store.written(); n != 0 {
				t.Errorf("%d writes", n)
			}
		})
	}
}

// A packet whose time is up gets nothing, and its client can come again.
func TestCancelledPacketIsSilence(t *testing.T) {
	r := newRig(t, newMemStore(), small(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if d, err := r.Handle(ctx, selecting(alice, "10.0.0.10"), nil); d.Verdict != Silent || !errors.Is(err, context.Canceled) {
		t.Errorf("%s, %v", brief(d), err)
	}
	r.expect(selecting(alice, "10.0.0.10"), "ACK D-4")
}

// S-2: a lost comparison at REQUEST is decided anew from what the store holds.
func TestLostComparisonIsDecidedAnew(t *testing.T) {
	for _, c := range []struct {
		name      string
		elsewhere Lease
		want      string
	}{
		{"another server gave it to somebody else", bound("10.0.0.10", bob, time.Hour), "NAK D-5"},
		{"another server gave it to the same client", bound("10.0.0.10", alice, time.Minute), "ACK D-4"},
		{"another server freed it", released("10.0.0.10", bob, time.Hour), "ACK D-4"},
		{"another server quarantined it", quarantined("10.0.0.10", time.Hour), "NAK D-5"},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := newMemStore()
			r := newRig(t, store, small(t))
			r.SetAuthority(Authoritative)
			r.expect(discover(alice), "OFFER D-1 10.0.0.10/24")
			store.put(c.elsewhere)
			trace := new(Trace)
			d, err := r.Handle(t.Context(), selecting(alice, "10.0.0.10"), trace)
			if err != nil || d.Verdict.String()+" "+d.Rule != c.want {
				t.Errorf("%s, %v; want %s\n%s", brief(d), err, c.want, trace)
			}
			if !hasStep(trace, "S-2") {
				t.Errorf("no word of the lost comparison in\n%s", trace)
			}
			if d.Verdict == Ack && store.get("10.0.0.10").Client != alice {
				t.Errorf("acknowledged, but stored %+v", store.get("10.0.0.10"))
			}
		})
	}
}

// D-16: an address that changes under our hands every time is left alone.
func TestContestedAddressIsSilent(t *testing.T) {
	store := newMemStore()
	r := newRig(t, store, small(t))
	tries := 0
	store.before = func(Lease) error {
		tries++
		store.put(bound("10.0.0.10", alice, time.Duration(tries)*time.Minute))
		return nil
	}
	trace := new(Trace)
	d, err := r.Handle(t.Context(), selecting(alice, "10.0.0.10"), trace)
	if d.Verdict != Silent || d.Rule != "D-16" || err != nil || tries != 3 {
		t.Errorf("%s, %v after %d tries; want silence after 3\n%s", brief(d), err, tries, trace)
	}
}

// what answers an echo request is quarantined and the next one tried.
func TestProbeBeforeOffering(t *testing.T) {
	s := snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10-10.0.0.19/24"),
		device("web1", port("eth0", string(web), on("10.0.0.5/24"))))
	var probed []string
	used := make(map[string]bool)
	probing := func(c *Config) {
		c.ProbeWait = time.Second
		c.Probe = func(_ context.Context, addr netip.Addr, wait time.Duration) bool {
			if wait != time.Second {
				t.Errorf("probe waits %s", wait)
			}
			probed = append(probed, addr.String())
			return used[addr.String()]
		}
	}
	for _, c := range []struct {
		name    string
		used    []string
		message ClientMessage
		want    string
		probed  []string
	}{
		{"nobody answers", nil, discover(alice), "OFFER D-1 10.0.0.10/24", []string{"10.0.0.10"}},
		{"the first one answers", []string{"10.0.0.10"}, discover(alice), "OFFER D-1 10.0.0.11/24", []string{"10.0.0.10", "10.0.0.11"}},
		{"two answer", []string{"10.0.0.10", "10.0.0.11"}, discover(alice), "OFFER D-1 10.0.0.12/24", []string{"10.0.0.10", "10.0.0.11", "10.0.0.12"}},
		{"three answer", []string{"10.0.0.10", "10.0.0.11", "10.0.0.12"}, discover(alice), "silent D-16", []string{"10.0.0.10", "10.0.0.11", "10.0.0.12"}},
		{"the client's own binding is not probed", []string{"10.0.0.15"}, discover(bob), "OFFER D-1 10.0.0.15/24", nil},
		{"static addresses are not probed", []string{"10.0.0.5"}, discover(web), "OFFER D-1 10.0.0.5/24 static", nil},
		{"requests are not probed", []string{"10.0.0.10"}, selecting(alice, "10.0.0.10"), "ACK D-4", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			probed, used = nil, make(map[string]bool)
			for _, a := range c.used {
				used[a] = true
			}
			store := newMemStore(bound("10.0.0.15", bob, time.Hour))
			r := newRig(t, store, s, probing)
			d, err := r.Handle(t.Context(), c.message, nil)
			if got := brief(d); err != nil || len(got) < len(c.want) || got[:len(c.want)] != c.want {
				t.Errorf("%s, %v; want %s", got, err, c.want)
			}
			if !slices.Equal(probed, c.probed) {
				t.Errorf("probed %v, want %v", probed, c.probed)
			}
			for _, a := range probed {
				if l := store.get(a); used[a] != (l.State == Quarantined && l.Client == Declined && l.Unsynced) {
					t.Errorf("%s is in use: %v, stored %+v", a, used[a], l)
				}
			}
			for addr := range r.facts.Leases.holds {
				if used[addr.String()] && addr.String() != "10.0.0.15" {
					t.Errorf("%s is still held", addr)
				}
			}
			if err := r.facts.Leases.verify(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A-7, H-3: a quarantine that cannot be stored is trouble like any other.
func TestProbeWithFailingStore(t *testing.T) {
	store := newMemStore()
	store.before = func(Lease) error { return errDisk }
	r := newRig(t, store, small(t), func(c *Config) {
		c.Probe = func(context.Context, netip.Addr, time.Duration) bool { return true }
	})
	if d, err := r.Handle(t.Context(), discover(alice), nil); d.Verdict != Silent || !errors.Is(err, errDisk) {
		t.Errorf("%s, %v", brief(d), err)
	}
	if err := r.facts.Leases.verify(); err != nil {
		t.Error(err)
	}
}

// S-1: everything acknowledged is there after a crash; holds are not.
func TestRestart(t *testing.T) {
	store := newMemStore()
	r := newRig(t, store, small(t))
	r.expect(selecting(alice, "10.0.0.10"), "ACK D-4")
	r.expect(discover(bob), "OFFER D-1 10.0.0.11/24")
	r = newRig(t, store, small(t))
	r.expect(discover(carol), "OFFER D-1 10.0.0.11/24")
	r.expect(request(alice, wants("10.0.0.10")), "ACK D-8 10.0.0.10/24 bound")
	r.expect(selecting(bob, "10.0.0.10"), "silent D-5 taken")
	if got := r.Unsynced(10); len(got) != 1 || got[0].Client != alice {
		t.Errorf("to be written back: %v", got)
	}
}

func TestStoreThatCannotBeReadStopsTheStart(t *testing.T) {
	_, err := NewEngine(t.Context(), Config{Store: brokenStore{newMemStore()}})
	if !errors.Is(err, errDisk) {
		t.Errorf("%v, want %v", err, errDisk)
	}
}

// brokenStore cannot be listed.
type brokenStore struct{ *memStore }

func (brokenStore) Each(context.Context, func(Lease, Revision) error) error { return errDisk }

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
	if got, want := r.facts.Leases.stored[optionalAddr("10.0.0.10")].Lease, store.get("10.0.0.10"); got != want {
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
	r.expect(discover(bob), "silent D-2 pool_empty")
}

// Explain has no effect, whatever is asked (the status page lets people ask).
func TestExplainHasNoEffect(t *testing.T) {
	r := newRig(t, newMemStore(bound("10.0.0.11", bob, time.Hour)), small(t))
	before := r.store.written()
	for _, m := range []ClientMessage{
		discover(alice), selecting(alice, "10.0.0.10"), message(Release, bob, has("10.0.0.11")), message(Decline, bob, wants("10.0.0.11")),
		message(Decline, web, wants("10.0.0.5")), discover(alice, identified("10.0.0.10")), discover(alice, at("eth0", "10.0.0.10")),
	} {
		r.Explain(m)
	}
	l := r.facts.Leases
	if r.store.written() != before || len(l.holds)+len(l.backoff)+len(l.infrastructure)+len(l.inWork) != 0 {
		t.Errorf("written %d, leases %+v", r.store.written(), l)
	}
	r.expect(discover(alice), "OFFER D-1 10.0.0.10/24")
	r.expect(renewing(bob, "10.0.0.11"), "ACK")
	r.expect(discover(web), "OFFER D-1")
}

// A change of the picture keeps holds and leases; addresses come and go.
func TestSnapshotChanges(t *testing.T) {
	r := newRig(t, newMemStore(bound("10.0.0.11", bob, time.Hour)), small(t))
	r.expect(discover(alice), "OFFER D-1 10.0.0.10/24")
	r.SetSnapshot(snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.9-10.0.0.11/24")))
	r.expect(discover(alice), "OFFER D-1 10.0.0.10/24")
	r.expect(discover(carol), "OFFER D-1 10.0.0.9/24")
	r.expect(discover(nth(1)), "silent D-2 pool_empty")
	r.SetSnapshot(snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.11/24")))
	r.expect(selecting(alice, "10.0.0.10"), "silent D-5 not_dynamic")
	r.expect(discover(alice), "silent D-2 pool_empty")
	r.SetSnapshot(snapshot(t, worldOptions))
	r.expect(discover(alice), "silent D-2 no_subnet")
}

// Leases returns what the store holds.
func TestLeasesListsTheStore(t *testing.T) {
	want := []Lease{bound("10.0.0.10", alice, time.Hour), quarantined("10.0.0.11", time.Hour)}
	r := newRig(t, newMemStore(want...), nil)
	got := r.Leases()
	slices.SortFunc(got, func(a, b Lease) int { return a.Addr.Compare(b.Addr) })
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
