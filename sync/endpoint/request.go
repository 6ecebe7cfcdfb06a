package endpoint

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/rest"
)

// call is one request to make.
type call struct {
	op     string // for errors
	method string
	path   string // below api/dhcp/
	class  string // path without values
	query  url.Values
	body   any // nil: none
}

// read gets an answer and repeats what may help to be repeated: a broken
// connection and a gateway's errors. A time-out is not repeated, for the
// server is still busy with the first one; a session that was cut is opened again
// once.
func (c *Client) read(ctx context.Context, k call) (rest.Answer, error) {
	k.method = http.MethodGet
	cuts := 0
	got, err := rest.Retry(ctx, rest.Retries{
		First: c.config.RetryPause, Tries: readTries, Total: 15 * time.Minute,
		Again: func(err error) (bool, time.Duration) {
			if e, ok := errors.AsType[*Error](err); ok && e.Cut {
				cuts++
			}
			return repeatable(err) && cuts < 2, 0
		},
		Pausing: func(err error, wait time.Duration) {
			c.log.WithError(err).WithField("wait", wait).Debug("read from Windows server failed, repeating")
		},
	}, func() (rest.Answer, error) { return c.once(ctx, k) })
	if err != nil && ctx.Err() != nil {
		err = &Error{Kind: Canceled, Op: k.op, Err: err}
	}
	return got, err
}

func repeatable(err error) bool {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return false
	}
	switch e.Status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return e.Kind == Unreachable
}

// write sends a change once. It is never repeated here: without an answer the
// change may have been carried out.
func (c *Client) write(ctx context.Context, k call) error {
	got, err := c.once(ctx, k)
	if err != nil {
		return err
	}
	if got.Status == http.StatusNoContent && k.method == http.MethodDelete {
		return nil
	}
	if _, err := entries(got.Body, func(*record) bool { return true }); err != nil {
		return c.decoding(err, k, got)
	}
	return nil
}

// once sends one request and reads the whole answer, whose body it trims.
// Anything but 2xx is an *Error.
func (c *Client) once(ctx context.Context, k call) (rest.Answer, error) {
	if c.config.ReadOnly && k.method != http.MethodGet {
		return rest.Answer{}, &Error{Kind: ReadOnly, Op: k.op, method: k.method, Err: ErrReadOnly}
	}
	if err := c.slots.Take(ctx); err != nil {
		return rest.Answer{}, &Error{Kind: Canceled, Op: k.op, Err: err}
	}
	defer c.slots.Free()
	start := time.Now()
	got, err := c.door.Ask(ctx, Request{Method: k.method, Path: k.path, Query: k.query, Body: k.body})
	c.config.Observe(Attempt{Method: k.method, Path: k.class, Status: got.Status, Took: time.Since(start)})
	if err != nil {
		return got, c.unanswered(ctx, err, k)
	}
	date, _ := http.ParseTime(got.Header.Get("Date"))
	c.date.Store(&date)
	got.Body = trim(got.Body)
	if got.Status < 200 || got.Status > 299 {
		return got, c.statusError(got, k)
	}
	return got, nil
}
