package netboxio

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

const (
	writeTries     = 8               // of one batch, which a failing one halves each time
	longestWait    = 5 * time.Minute // that NetBox may ask for with Retry-After
	mostExceptions = 3               // single rows in a row that NetBox answers with 500; then it is taken to be down
)

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
