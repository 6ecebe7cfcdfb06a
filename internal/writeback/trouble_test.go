package writeback

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
)

func refused(RecordChange) RecordResult {
	return RecordResult{Outcome: netbox.Refused, Err: errors.New("400 Bad Request: no such field")}
}

func done(RecordChange) RecordResult {
	return RecordResult{Outcome: netbox.Done, LastUpdated: time.Now()}
}

// H-1, H-4: an outage costs nothing but time.
func TestAnOutageIsWaitedOutWithGrowingPauses(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.answerWith(down)
		r.run()
		r.engine.change(bound(1))
		r.after(30 * time.Minute)
		r.engine.change(bound(2)) // no reason to hurry
		r.after(30 * time.Minute)
		calls := r.written()
		var pauses []time.Duration
		for i := range calls[1:] {
			pauses = append(pauses, calls[i+1].at-calls[i].at)
		}
		if low, high := slices.Min(pauses), slices.Max(pauses); low < time.Second || high > time.Minute || pauses[0] != low {
			r.Errorf("pauses from %s to %s, the first %s", low, high, pauses[0])
		}
		if n := len(calls); n < 60 || n > 90 {
			r.Errorf("%d calls in an hour", n)
		}
		if n := r.lines("NetBox cannot be told of leases; they are kept and told later"); n < 2 || n > 60 {
			r.Errorf("%d log lines in an hour, want one a minute at most", n)
		}
		r.answerWith(nil)
		r.after(time.Minute)
		if calls := r.written(); len(calls) != 1 || len(calls[0].changes) != 2 || r.engine.left() != 0 {
			r.Errorf("calls %+v and %d marks after the outage", calls, r.engine.left())
		}
		if r.lines("NetBox is told of leases again") != 1 {
			r.Error("the end of the outage is not logged")
		}
		r.engine.change(bound(3))
		r.after(10 * time.Second)
		if calls := r.written(); len(calls) != 1 {
			r.Errorf("calls %+v, want the usual pace again", calls)
		}
	})
}

func TestNetBoxSaysHowLongToWait(t *testing.T) {
	for _, c := range []struct{ asked, atLeast time.Duration }{
		{3 * time.Minute, 3 * time.Minute},
		{24 * time.Hour, maxRetryAfter},
	} {
		t.Run(c.asked.String(), func(t *testing.T) {
			inBubble(t, func(r *rig) {
				r.answerWith(func(RecordChange) RecordResult {
					return RecordResult{Outcome: netbox.Failed, Err: &netbox.Error{Kind: netbox.Throttled, RetryAfter: c.asked}}
				})
				r.run()
				r.engine.change(bound(1))
				r.after(5 * time.Second)
				r.answerWith(nil)
				first := r.written()
				r.after(c.atLeast + time.Minute)
				second := r.written()
				if len(first) != 1 || len(second) != 1 {
					r.Fatalf("%d and %d calls, want one each", len(first), len(second))
				}
				if pause := second[0].at - first[0].at; pause < c.atLeast {
					r.Errorf("asked again after %s, want %s", pause, c.atLeast)
				}
			})
		})
	}
}

func TestARefusedRowDoesNotBlockOthers(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.answerWith(func(c RecordChange) RecordResult {
			if c.ID == 1002 {
				return refused(c)
			}
			return done(c)
		})
		r.run()
		r.engine.change(bound(1), bound(2), bound(3))
		r.after(10 * time.Second)
		if calls := r.written(); len(calls) != 1 || r.engine.left() != 1 {
			r.Fatalf("calls %+v, %d marks, want one call and one mark", calls, r.engine.left())
		}
		r.engine.change(bound(4))
		r.after(10 * time.Second)
		if calls := r.written(); len(calls) != 1 || len(calls[0].changes) != 1 || calls[0].changes[0].ID != 1004 {
			r.Errorf("calls %+v, want one for the new lease alone", calls)
		}
		e := r.logged.LastEntry()
		if e == nil || e.Data["addr"] != host(2) || e.Data["error"] == nil {
			r.Errorf("log entry %v does not name the address and the reason", e)
		}
		r.answerWith(nil)
		r.after(later)
		if calls := r.written(); len(calls) != 1 || calls[0].changes[0].ID != 1002 || r.engine.left() != 0 {
			r.Errorf("calls %+v, %d marks, want the refused row again", calls, r.engine.left())
		}
	})
}

// Rows that wait stand at the head of the queue: there may be more of them
// than one call takes.
func TestManyRefusedRowsDoNotHideOthers(t *testing.T) {
	inBubble(t, func(r *rig) {
		const bad = 2 * maxRows
		r.show(oneNetwork(r.T, bad+1, nil))
		var leases []lease.Lease
		for n := 1; n <= bad; n++ {
			leases = append(leases, bound(n))
		}
		good := int64(1000 + bad + 1)
		r.answerWith(func(c RecordChange) RecordResult {
			if c.ID%2 == 1 && c.ID != good {
				return refused(c)
			}
			return done(c)
		})
		r.engine.change(leases...)
		r.run()
		r.after(10 * time.Second)
		r.engine.change(bound(bad + 1))
		r.after(10 * time.Second)
		if _, ok := r.engine.synced[host(bad+1)]; !ok || r.engine.left() != bad/2 {
			r.Errorf("told: %v, %d marks left, want %d", ok, r.engine.left(), bad/2)
		}
		if n := r.lines("NetBox refuses the record of a lease; it is tried again every few minutes"); n != 1 {
			r.Errorf("%d log lines, want one a minute", n)
		}
	})
}

// A missing custom field refuses every row, and before NetBox 4.7 it takes a
// request for each row to learn it.
func TestWhereAllRowsAreRefusedSingleOnesAreTried(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.show(oneNetwork(r.T, 600, nil))
		for n := 1; n <= 600; n++ {
			r.engine.change(bound(n))
		}
		r.answerWith(refused)
		r.run()
		r.after(10 * time.Minute)
		calls := r.written()
		rows := 0
		for _, c := range calls[1:] {
			rows += len(c.changes)
		}
		if rows != len(calls)-1 || rows > 20 {
			r.Errorf("%d rows in %d calls after the first, want single ones, and few", rows, len(calls)-1)
		}
		r.answerWith(nil)
		r.after(later + time.Minute)
		if n := r.engine.left(); n != 0 {
			r.Errorf("%d marks after the repair", n)
		}
	})
}

// S-4: what refused all leases, such as custom fields that were deleted, is noticed
// soon after it was repaired, and one lease at a time asks for it.
func TestRecordsAreToldSoonAfterTheRepair(t *testing.T) {
	inBubble(t, func(r *rig) {
		const leases = 40
		r.show(oneNetwork(r.T, leases+1, nil))
		for n := 1; n <= leases; n++ {
			r.engine.change(bound(n))
		}
		r.answerWith(refused)
		r.run()
		r.after(10 * time.Second) // all are refused, in one call
		if calls := r.written(); len(calls) != 1 || len(calls[0].changes) != leases {
			r.Fatalf("calls %+v", calls)
		}
		r.after(later - 30*time.Second) // before they are due
		for _, c := range r.written() {
			if len(c.changes) != 1 {
				r.Errorf("%d rows at a time ask whether it is repaired", len(c.changes))
			}
		}
		r.answerWith(nil)
		r.after(soon + 2*gather)
		calls := r.written()
		if n := r.engine.left(); n != 0 || len(calls) != 2 {
			r.Errorf("%d marks and %d calls %s after the repair, want all told after one asked", n, len(calls), soon+2*gather)
		}
		r.after(2 * later)
		if calls := r.written(); len(calls) != 0 {
			r.Errorf("%d calls when all is well", len(calls))
		}
	})
}

// S-10: one lease that NetBox refuses, beside others that it takes, is not asked for
// more often.
func TestARefusedRowBesideOthersWaits(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.answerWith(func(c RecordChange) RecordResult {
			if c.ID == 1002 {
				return refused(c)
			}
			return done(c)
		})
		r.run()
		r.engine.change(bound(1), bound(2))
		r.after(later - 10*time.Second)
		if calls := r.written(); len(calls) != 1 {
			r.Errorf("%d calls, want one", len(calls))
		}
	})
}

func TestOneRefusedLeaseDoesNotDelayTheNext(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.answerWith(refused)
		r.run()
		r.engine.change(bound(1))
		r.after(20 * time.Second)
		r.answerWith(nil)
		r.engine.change(bound(2))
		r.after(10 * time.Second)
		if _, ok := r.engine.synced[host(2)]; !ok {
			r.Error("the second lease is not told within 10 s")
		}
	})
}

// S-4: a row that is not shown may have been hidden from the token, so the line does
// not say that it was deleted.
func TestARowThatIsNotShownIsNotCalledDeleted(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.answerWith(func(RecordChange) RecordResult { return RecordResult{Outcome: netbox.Gone} })
		r.run()
		r.engine.change(bound(1))
		r.after(10 * time.Second)
		e := r.logged.LastEntry()
		if e == nil || !strings.Contains(e.Message, "deleted or renumbered, or the token may not see it") || e.Data["addr"] != host(1) {
			r.Errorf("log entry %v", e)
		}
	})
}

func TestARenumberedAddressIsFoundInTheNextPicture(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.answerWith(func(c RecordChange) RecordResult {
			if c.ID == 1001 {
				return RecordResult{Outcome: netbox.Gone}
			}
			return done(c)
		})
		r.run()
		r.engine.change(bound(1))
		r.after(time.Minute)
		if n := r.engine.left(); n != 1 {
			r.Fatalf("%d marks, want the lease kept", n)
		}
		r.show(oneNetwork(r.T, 2, renumber(1001, 2001)))
		r.after(later)
		calls := r.written()
		if last := calls[len(calls)-1]; len(calls) != 2 || last.changes[0].ID != 2001 || r.engine.left() != 0 {
			r.Errorf("calls %+v, %d marks, want the new object written", calls, r.engine.left())
		}
	})
}
