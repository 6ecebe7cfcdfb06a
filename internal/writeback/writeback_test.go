package writeback

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
)

// inBubble runs a test on a clock of its own. The test reports through its rig.
func inBubble(t *testing.T, test func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(newRig(t)) })
}

// the record shows the lease within 10 s. S-10: several changes of one
// lease are one write.
func TestABurstIsOneCallWithTheLatestOfEachLease(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.run()
		first := bound(1)
		r.engine.change(first, bound(2))
		r.after(time.Second)
		renewed := first
		renewed.Expires = renewed.Expires.Add(time.Minute)
		r.engine.change(renewed, bound(3))
		r.after(time.Minute)
		calls := r.written()
		if len(calls) != 1 || len(calls[0].changes) != 3 {
			r.Fatalf("calls %+v, want one with three changes", calls)
		}
		if calls[0].at > 10*time.Second {
			r.Errorf("told after %s", calls[0].at)
		}
		if got := calls[0].changes[0]; got.ID != 1001 || !got.Record.Expires.Equal(renewed.Expires) {
			r.Errorf("told %+v, want the renewed lease", got)
		}
		if n := r.engine.left(); n != 0 {
			r.Errorf("%d leases still marked", n)
		}
	})
}

// S-10: nothing is sent when nothing changes.
func TestAQuietServerSendsNothing(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.run()
		r.engine.change(bound(1))
		r.after(time.Minute)
		r.written()
		r.after(24 * time.Hour)
		if calls := r.written(); len(calls) != 0 {
			r.Errorf("calls %+v without a change", calls)
		}
	})
}

func TestALeaseThatChangesWhileItIsToldIsToldAgain(t *testing.T) {
	inBubble(t, func(r *rig) {
		renewed := bound(1)
		renewed.Expires = renewed.Expires.Add(time.Minute)
		first := true
		r.answerWith(func(RecordChange) RecordResult {
			if first {
				first = false
				r.engine.change(renewed)
			}
			return RecordResult{Outcome: netbox.Done, LastUpdated: time.Now()}
		})
		r.run()
		r.engine.change(bound(1))
		r.after(time.Minute)
		calls := r.written()
		if len(calls) != 2 || !calls[1].changes[0].Record.Expires.Equal(renewed.Expires) {
			r.Fatalf("calls %+v, want a second one with the renewed lease", calls)
		}
		if n := r.engine.left(); n != 0 {
			r.Errorf("%d leases still marked", n)
		}
	})
}

// S-5 needs the time at which the row agreed with the lease.
func TestTheMarkGoesWithTheTimeOfTheRow(t *testing.T) {
	inBubble(t, func(r *rig) {
		at := time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC)
		r.answerWith(func(c RecordChange) RecordResult {
			if c.ID == 1001 {
				return RecordResult{Outcome: netbox.Unchanged, LastUpdated: at}
			}
			return RecordResult{Outcome: netbox.Done, LastUpdated: at.Add(time.Hour)}
		})
		r.run()
		r.engine.change(bound(1), bound(2))
		r.after(time.Minute)
		if got := r.engine.synced[host(1)]; !got.Equal(at) {
			r.Errorf("unchanged row: synced at %s, want %s", got, at)
		}
		if got := r.engine.synced[host(2)]; !got.Equal(at.Add(time.Hour)) {
			r.Errorf("written row: synced at %s, want %s", got, at.Add(time.Hour))
		}
	})
}

// S-4: marks that were in the store at the start are told.
func TestWhatWasLeftByTheLastRunIsTold(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.engine.change(bound(1), bound(2))
		r.run()
		r.after(10 * time.Second)
		if calls := r.written(); len(calls) != 1 || len(calls[0].changes) != 2 {
			r.Errorf("calls %+v, want one with both leases", calls)
		}
	})
}

// H-1: without a snapshot of NetBox there is no address object to write to.
func TestLeasesWaitForTheFirstSnapshot(t *testing.T) {
	inBubble(t, func(r *rig) {
		s := r.snapshot
		r.show(nil)
		r.run()
		r.engine.change(bound(1))
		r.after(time.Hour)
		if calls := r.written(); len(calls) != 0 || r.engine.left() != 1 {
			r.Fatalf("calls %+v and %d marks without a snapshot", calls, r.engine.left())
		}
		r.show(s)
		r.after(10 * time.Second)
		if calls := r.written(); len(calls) != 1 {
			r.Errorf("calls %+v, want one", calls)
		}
	})
}

func TestABacklogIsTakenInPartsWithoutPause(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.show(oneNetwork(r.T, 1000, nil))
		for n := 1; n <= 1000; n++ {
			r.engine.change(bound(n))
		}
		r.run()
		r.after(10 * time.Second)
		calls := r.written()
		if len(calls) != 1000/maxRows {
			r.Fatalf("%d calls, want %d", len(calls), 1000/maxRows)
		}
		for _, c := range calls {
			if c.at != calls[0].at {
				r.Errorf("calls at %s and %s: a backlog does not gather", calls[0].at, c.at)
			}
		}
		if n := r.engine.left(); n != 0 {
			r.Errorf("%d leases still marked", n)
		}
	})
}

func TestShutdownTellsWhatWaits(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.run()
		r.engine.change(bound(1))
		r.after(time.Second) // still gathering
		r.stop()
		<-r.done
		if calls := r.written(); len(calls) != 1 || calls[0].at != time.Second {
			r.Errorf("calls %+v, want one at once", calls)
		}
	})
}

func TestShutdownDoesNotWaitForASlowNetBox(t *testing.T) {
	inBubble(t, func(r *rig) {
		hangs := make(chan struct{})
		r.config.Write = func(ctx context.Context, _ []RecordChange) []RecordResult {
			close(hangs)
			<-ctx.Done()
			return []RecordResult{{Outcome: netbox.Failed, Err: ctx.Err()}}
		}
		r.run()
		r.engine.change(bound(1))
		<-hangs
		told := time.Now()
		r.stop()
		<-r.done
		if took := time.Since(told); took != flushTime {
			r.Errorf("ended after %s, want %s", took, flushTime)
		}
		if n := r.engine.left(); n != 1 {
			r.Errorf("%d leases marked, want 1 for the next start", n)
		}
		if r.lines("NetBox is told of the remaining leases after the next start") != 1 {
			r.Error("nothing logged about what is left")
		}
	})
}

func TestShutdownDoesNotAskANetBoxThatIsDown(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.answerWith(down)
		r.run()
		r.engine.change(bound(1))
		r.after(time.Minute)
		r.written()
		r.stop()
		<-r.done
		if calls := r.written(); len(calls) != 0 {
			r.Errorf("calls %+v during shutdown", calls)
		}
	})
}

// down is the answer of a NetBox that cannot be reached.
func down(RecordChange) RecordResult {
	return RecordResult{Outcome: netbox.Failed, Err: errors.New("connection refused")}
}

func TestAStoreThatCannotTakeTheMarkAwayIsTriedAgain(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.engine.broken = errors.New("disk full")
		r.run()
		r.engine.change(bound(1))
		r.after(later - time.Second)
		if calls := r.written(); len(calls) != 1 {
			r.Fatalf("%d calls, want 1 while the store is broken", len(calls))
		}
		if r.lines("lease cannot be marked as shown in NetBox") != 1 {
			r.Error("nothing logged about the store")
		}
		r.engine.mu.Lock()
		r.engine.broken = nil
		r.engine.mu.Unlock()
		r.after(time.Minute)
		if calls := r.written(); len(calls) != 1 || r.engine.left() != 0 {
			r.Errorf("%d calls and %d marks, want 1 and none", len(calls), r.engine.left())
		}
	})
}

func TestALeaseWithoutAPlaceInNetBoxIsDropped(t *testing.T) {
	for name, edit := range map[string]func(*ipam.Objects){
		"the address was deleted":           func(o *ipam.Objects) { delete(o.Addresses, 1001) },
		"the address is not dynamic now":    func(o *ipam.Objects) { o.Addresses[1001].Tags = nil },
		"the address moved to another VRF":  func(o *ipam.Objects) { o.Addresses[1001].VRF = 7 },
		"network and address both are gone": func(o *ipam.Objects) { delete(o.Addresses, 1001); delete(o.Prefixes, 1) },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				r.show(oneNetwork(r.T, 2, edit))
				r.run()
				r.engine.change(bound(1))
				r.after(time.Minute)
				if calls := r.written(); len(calls) != 0 {
					r.Errorf("calls %+v, want none", calls)
				}
				if at, ok := r.engine.synced[host(1)]; !ok || !at.IsZero() {
					r.Errorf("mark gone: %v, with %s, want it gone without a time", ok, at)
				}
				if r.lines("lease is not shown in NetBox") != 1 {
					r.Error("no warning")
				}
			})
		})
	}
}
