package netboxio

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

const (
	writeTries  = 8               // of one batch, which a failing one halves each time
	longestWait = 5 * time.Minute // that NetBox may ask for with Retry-After
)

// MostExceptions is how many single rows in a row NetBox may answer with status 500
// before it is taken to be in trouble as a whole.
const MostExceptions = 10

// aboutContent reports whether one of the rows sent may be the cause: NetBox
// answers some rows with an exception (500) that it should refuse.
func aboutContent(e *netbox.Error) bool {
	return e.Status == http.StatusInternalServerError || e.Kind == netbox.TooLarge
}

// trouble decides what an error means for the writes that are left. Trouble that
// may pass is returned, to be waited for. A missing permission ends one kind and
// action: its other writes fail without being sent. nil: the error ends all
// writes.
func (w *writer) trouble(ctx context.Context, k kindAction, err error) *netbox.Error {
	if _, reading := errors.AsType[*netbox.ReadError](err); reading || ctx.Err() != nil {
		return nil
	}
	e, ok := errors.AsType[*netbox.Error](err)
	if !ok {
		return nil
	}
	switch e.Kind {
	case netbox.Forbidden:
		w.denied[k] = err
		return e
	case netbox.Unreachable, netbox.TimedOut, netbox.Throttled, netbox.Unavailable, netbox.TooLarge:
		// A journal entry cannot be found again, so it is sent again only if
		// NetBox did not work on it.
		if unseen := e.Kind == netbox.Throttled || e.Status == http.StatusServiceUnavailable; k.kind == state.JournalEntry && !unseen {
			w.denied[k] = err
		}
		return e
	}
	return nil
}

// pause waits as long as NetBox asks for, or wait. After a time-out NetBox may
// still be at work on what was sent, so that takes longer.
func pause(ctx context.Context, e *netbox.Error, wait, unit time.Duration) error {
	if e.RetryAfter > longestWait {
		return e
	}
	if e.Kind == netbox.TimedOut || e.Status == http.StatusGatewayTimeout {
		wait = max(wait, 20*unit)
	}
	timer := time.NewTimer(max(wait, e.RetryAfter))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// inBetween reports whether something in front of NetBox dislikes what one of the
// writes says, while NetBox itself can be reached: a proxy or a web application
// firewall answers with a page, or leads to one.
func (w *writer) inBetween(ctx context.Context, k kindAction, err error) bool {
	e, ok := errors.AsType[*netbox.Error](err)
	if _, reading := errors.AsType[*netbox.ReadError](err); !ok || reading || !ofProxy(e) {
		return false
	}
	// NetBox may have worked on a journal entry behind a page with a status of
	// success, and it cannot be found again.
	if k.kind == state.JournalEntry && e.Status < http.StatusBadRequest {
		return false
	}
	return w.answers(ctx, k)
}

// ofProxy reports whether NetBox itself never answers so.
func ofProxy(e *netbox.Error) bool {
	return e.Kind == netbox.NotNetBox || e.Kind == netbox.Redirected || e.Status == http.StatusUnauthorized
}

// answers asks NetBox for next to nothing. That the token may not see it is an
// answer, too.
func (w *writer) answers(ctx context.Context, k kindAction) bool {
	_, err := w.client.Count(ctx, tableFor(k.kind), nil)
	return err == nil || netbox.KindOf(err) == netbox.Forbidden
}

// isolate halves a batch that got a page down to the write that it is about,
// which is refused (rule 3.8 point 21). The other half is written. What is written is
// looked at first each time, since NetBox may have worked on it behind the page.
func (w *writer) isolate(ctx context.Context, k kindAction, batch []int) error {
	var left []int
	for _, i := range batch {
		if w.results[i].Outcome == "" {
			left = append(left, i)
		}
	}
	for _, part := range [][]int{left[:len(left)/2], left[len(left)/2:]} {
		if len(part) == 0 {
			continue
		}
		err := w.step(ctx, k, part)
		e, ok := errors.AsType[*netbox.Error](err)
		switch _, reading := errors.AsType[*netbox.ReadError](err); {
		case err == nil:
			continue
		case !ok || reading || !ofProxy(e):
			return err
		case len(part) == 1:
			w.giveUp(part[0], e)
			continue
		}
		if err := w.isolate(ctx, k, part); err != nil {
			return err
		}
	}
	return nil
}

// giveUp refuses a write that does not get through, while NetBox can be reached.
func (w *writer) giveUp(i int, err *netbox.Error) {
	w.results[i] = Result{Outcome: Refused, ID: w.writes[i].ID,
		Err: fmt.Errorf("%s: NetBox can be read, but this write does not get through: look at what stands in front of NetBox (a proxy, a web application firewall): %w", w.what(i), err)}
}

// takeBack makes a write that was given up one that failed: the next one did not
// get through either, so the trouble is not its own.
func (w *writer) takeBack() {
	if w.alone != none {
		w.results[w.alone].Outcome = Failed
		w.alone = none
	}
}
