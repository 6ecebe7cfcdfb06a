package state

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
)

const (
	writeTries     = 8               // of one batch, which a failing one halves each time
	longestWait    = 5 * time.Minute // that NetBox may ask for with Retry-After
	mostExceptions = 3               // batches in a row that NetBox has an exception for, before it is believed to be down
)

// aboutContent reports whether trouble may be about the rows sent alone:
// NetBox has exceptions for some that it should refuse.
func aboutContent(e *netbox.Error) bool {
	return e.Status == http.StatusInternalServerError || e.Kind == netbox.TooLarge
}

// trouble says what an error means: a lane that is closed, or trouble that may
// pass, which it returns; nil for what ends everything.
func (w *writer) trouble(ctx context.Context, l lane, err error) *netbox.Error {
	if _, reading := errors.AsType[*netbox.ReadError](err); reading || ctx.Err() != nil {
		return nil
	}
	e, ok := errors.AsType[*netbox.Error](err)
	if !ok {
		return nil
	}
	switch e.Kind {
	case netbox.Forbidden:
		w.denied[l] = err
		return e
	case netbox.Unreachable, netbox.TimedOut, netbox.Throttled, netbox.Unavailable, netbox.TooLarge:
		// A journal entry has nothing to be found again by.
		if unseen := e.Kind == netbox.Throttled || e.Status == http.StatusServiceUnavailable; l.kind == JournalEntry && !unseen {
			w.denied[l] = err
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
