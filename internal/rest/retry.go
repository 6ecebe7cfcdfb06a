package rest

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/cenkalti/backoff/v5"
)

const longestPause = 30 * time.Second

// Retries says when to try again.
type Retries struct {
	First time.Duration // pause before the second try; each one after is about twice as long, up to 30 s
	Tries uint          // at most, the first included
	Total time.Duration // no try begins later than this after the first
	// Again decides about an error of a try: whether another one may help, and
	// how long the server asks to wait for it, 0 if it does not say.
	Again func(error) (again bool, wait time.Duration)
	// Pausing is told of every pause; nil: there is no need.
	Pausing func(error, time.Duration)
}

// Retry calls try until it succeeds or r says that it is enough. It returns
// the error of the last try, or the cause if ctx ended.
func Retry[T any](ctx context.Context, r Retries, try func() (T, error)) (T, error) {
	pauses := backoff.NewExponentialBackOff() // with jitter
	pauses.InitialInterval, pauses.Multiplier, pauses.MaxInterval = r.First, 2, longestPause
	var last error
	got, err := backoff.Retry(ctx, func() (T, error) {
		var got T
		if got, last = try(); last == nil {
			return got, nil
		}
		switch again, wait := r.Again(last); {
		case !again:
			return got, backoff.Permanent(last)
		case wait > 0:
			return got, &backoff.RetryAfterError{Duration: wait}
		}
		return got, last
	}, backoff.WithBackOff(pauses), backoff.WithMaxTries(r.Tries), backoff.WithMaxElapsedTime(r.Total), backoff.WithNotify(func(_ error, pause time.Duration) {
		if r.Pausing != nil {
			r.Pausing(last, pause)
		}
	}))
	switch {
	case err == nil:
		return got, nil
	case ctx.Err() != nil:
		return got, context.Cause(ctx)
	}
	return got, last
}

// RetryAfter reads the header Retry-After, which holds seconds or a date
// (RFC 9110 section 10.2.3); 0: it is absent or unreadable. A date is compared
// with the server's own, so that a wrong clock here does not matter.
func RetryAfter(h http.Header) time.Duration {
	value := h.Get("Retry-After")
	var secs uint32
	if n, err := fmt.Sscanf(value, "%d", &secs); n == 1 && err == nil {
		return time.Duration(secs) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return 0
	}
	return max(0, at.Sub(now))
}
