package writeback

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
)

// pass tells NetBox of all leases that are due. It returns how long to wait
// before the next pass; 0 means until a lease changes. hold means that a change
// does not shorten the wait.
func (w *Writer) pass(ctx context.Context) (again time.Duration, hold bool) {
	for {
		snapshot := w.config.Snapshot()
		if snapshot == nil {
			return gather, true
		}
		w.seen(snapshot)
		due := w.due()
		if len(due) == 0 {
			return w.nextDeferred(), false
		}
		w.backlog()
		if wait := w.tell(ctx, snapshot, due); wait > 0 {
			return wait, true
		}
		if len(due) < maxRows || ctx.Err() != nil {
			// Leases that changed meanwhile, if any, gather again.
			return gather, true
		}
	}
}

// backlog says how long NetBox takes, where many leases wait for objects.
func (w *Writer) backlog() {
	if !w.config.MakeObjects {
		return
	}
	if n := len(w.config.Unsynced(-1)); n > 10*MadeASecond {
		w.quiet.Warn("backlog", "many leases wait to be shown in NetBox, which makes some 50 IP addresses a second", logrus.Fields{
			"leases": n, "shown_after": (time.Duration(n/MadeASecond) * time.Second).String(),
		})
	}
}

// due returns the oldest leases that may be told now. Deferred ones stand in
// the same queue and must not hide those behind them.
func (w *Writer) due() []lease.Lease {
	now := time.Now()
	for addr, until := range w.deferred {
		if !until.After(now) {
			delete(w.deferred, addr)
		}
	}
	var due []lease.Lease
	for _, l := range w.config.Unsynced(w.rows + len(w.deferred)) {
		if _, wait := w.deferred[l.Addr]; !wait && len(due) < w.rows {
			due = append(due, l)
		}
	}
	return due
}

// nextDeferred is how long until the first deferred lease is due; 0: none is.
func (w *Writer) nextDeferred() time.Duration {
	var first time.Time
	for _, until := range w.deferred {
		if first.IsZero() || until.Before(first) {
			first = until
		}
	}
	if first.IsZero() {
		return 0
	}
	return max(time.Until(first), time.Nanosecond)
}

// tell makes one call of Write. It returns how long to leave NetBox alone; 0:
// all is well.
func (w *Writer) tell(ctx context.Context, s *ipam.Snapshot, due []lease.Lease) time.Duration {
	var told []lease.Lease
	var changes []RecordChange
	for _, l := range due {
		change, err := w.change(s, l)
		if err != nil {
			w.drop(ctx, l, err)
			continue
		}
		told, changes = append(told, l), append(changes, change)
	}
	if len(changes) == 0 {
		return 0
	}
	counts := make(map[netbox.Outcome]int)
	var trouble error
	for i, result := range w.config.Write(ctx, changes) {
		counts[result.Outcome]++
		if result.Outcome == netbox.Failed {
			trouble = result.Err
			continue
		}
		w.settle(ctx, told[i], changes[i], result)
	}
	w.config.Log.WithFields(logrus.Fields{
		"written": counts[netbox.Done], "unchanged": counts[netbox.Unchanged],
		"refused": counts[netbox.Refused], "gone": counts[netbox.Gone], "retry": counts[netbox.Failed],
	}).Debug("NetBox told of leases")
	return w.judge(ctx, counts, trouble)
}

// drop clears the mark of a lease that NetBox has no place for any more. There
// is no row that shows it, hence no time.
func (w *Writer) drop(ctx context.Context, l lease.Lease, why error) {
	if !errors.Is(why, errRange) {
		w.quiet.Warn("no place", "lease is not shown in NetBox", logrus.Fields{
			"addr": l.Addr, "mac": l.Client, logrus.ErrorKey: why,
		})
	}
	w.synced(ctx, l, time.Time{})
}

// settle does what the outcome for one lease asks for.
func (w *Writer) settle(ctx context.Context, l lease.Lease, c RecordChange, result RecordResult) {
	switch result.Outcome {
	case netbox.Done, netbox.Unchanged:
		w.taken(l.Addr)
		if id := cmp.Or(result.Made, c.ID); c.Make != nil {
			w.made[l.Addr] = id
		}
		w.synced(ctx, l, result.LastUpdated)
	case netbox.Changed:
		w.deferred[l.Addr] = time.Now().Add(later)
		w.quiet.Error("foreign "+l.Addr.String(), "NetBox shows a running lease that another program wrote; it is kept. Does another DHCP server lease this pool?", logrus.Fields{
			"addr": l.Addr, "mac": l.Client, "id": c.ID,
		})
	case netbox.Gone:
		delete(w.made, l.Addr)
		// A newer snapshot will show whether another object took its place.
		w.deferred[l.Addr] = time.Now().Add(later)
		w.quiet.Warn("gone", "NetBox does not show the IP address of a lease as it did before: it was deleted or renumbered, or the token may not see it any more", logrus.Fields{
			"addr": l.Addr, "mac": l.Client, "id": c.ID,
		})
	default:
		w.deferred[l.Addr], w.refused[l.Addr] = time.Now().Add(later), true
		w.quiet.Error("refused", "NetBox refuses the record of a lease; it is tried again every few minutes", logrus.Fields{
			"addr": l.Addr, "mac": l.Client, "id": c.ID, logrus.ErrorKey: result.Err,
		})
	}
}

// taken says that NetBox took the record of an address. If it had refused it, the
// cause is gone, and the others that it refused are due at once.
func (w *Writer) taken(addr netip.Addr) {
	if !w.refused[addr] {
		return
	}
	for other := range w.refused {
		delete(w.deferred, other)
	}
	clear(w.refused)
}

// tryOneSoon brings forward the first of the leases that NetBox refused.
func (w *Writer) tryOneSoon() {
	var first netip.Addr
	for addr := range w.refused {
		if until, waits := w.deferred[addr]; waits && (!first.IsValid() || until.Before(w.deferred[first])) {
			first = addr
		}
	}
	if at := time.Now().Add(soon); first.IsValid() && w.deferred[first].After(at) {
		w.deferred[first] = at
	}
}

// synced clears a mark. If the store is in the way the lease stays in the
// queue, and NetBox will be found to show it already.
func (w *Writer) synced(ctx context.Context, l lease.Lease, at time.Time) {
	if err := w.config.Synced(ctx, l, at); err != nil {
		w.deferred[l.Addr] = time.Now().Add(later)
		w.quiet.Error("store", "lease cannot be marked as shown in NetBox", logrus.Fields{
			"addr": l.Addr, logrus.ErrorKey: err,
		})
	}
}

// judge decides from one call of Write how to go on. If NetBox refuses all rows
// of a call, the cause may be one for all of them, such as a missing custom
// field. Then single rows are tried until one passes: those that are due, and else one
// of those that were refused.
func (w *Writer) judge(ctx context.Context, counts map[netbox.Outcome]int, trouble error) time.Duration {
	taken := counts[netbox.Done] + counts[netbox.Unchanged]
	switch {
	case trouble != nil:
		return w.backOff(ctx, trouble)
	case taken == 0 && counts[netbox.Refused] > 0:
		w.rows = 1
		if len(w.due()) > 0 {
			return w.waits.NextBackOff()
		}
		w.tryOneSoon()
		return 0
	}
	if w.down {
		w.config.Log.Info("NetBox is told of leases again")
	}
	w.down, w.rows = false, maxRows
	w.waits.Reset()
	return 0
}

// backOff leaves NetBox alone for a while.
func (w *Writer) backOff(ctx context.Context, trouble error) time.Duration {
	w.down = true
	wait := w.waits.NextBackOff()
	if e, ok := errors.AsType[*netbox.Error](trouble); ok && e.RetryAfter > wait {
		wait = min(e.RetryAfter, maxRetryAfter)
	}
	if ctx.Err() == nil {
		w.quiet.Warn("trouble", "NetBox cannot be told of leases; they are kept and told later", logrus.Fields{
			"leases": len(w.config.Unsynced(-1)), logrus.ErrorKey: trouble,
		})
	}
	return wait
}
