package lease

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"
)

var errDisk = errors.New("disk is gone")

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
			r.answered(message(Decline, bob, wants("10.0.0.11")))
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
// for the time that is left; no client gets anything new.
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
	if d, err := r.Engine.Handle(ctx, selecting(alice, "10.0.0.10"), nil); d.Verdict != Silent || !errors.Is(err, context.Canceled) {
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
		{"another server gave it to another client", bound("10.0.0.10", bob, time.Hour), "NAK D-5"},
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

// A-7, H-3: a quarantine that cannot be stored is trouble like any other.
func TestProbeWithFailingStore(t *testing.T) {
	store := newMemStore()
	store.before = func(Lease) error { return errDisk }
	r := newRig(t, store, small(t), func(c *Config) {
		c.Probe = func(context.Context, netip.Addr, time.Duration) (bool, error) { return true, nil }
	})
	if d, err := r.Handle(t.Context(), discover(alice), nil); d.Verdict != Silent || !errors.Is(err, errDisk) {
		t.Errorf("%s, %v", brief(d), err)
	}
	if err := r.facts.Leases.verify(); err != nil {
		t.Error(err)
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
