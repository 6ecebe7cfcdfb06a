package endpoint

import (
	"context"
	"errors"
	"fmt"
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
// server is still busy with the first one.
func (c *Client) read(ctx context.Context, k call) (rest.Answer, error) {
	k.method = http.MethodGet
	got, err := rest.Retry(ctx, rest.Retries{
		First: c.config.RetryPause, Tries: readTries, Total: 15 * time.Minute, Again: repeatable,
		Pausing: func(err error, wait time.Duration) {
			c.log.WithError(err).WithField("wait", wait).Debug("read from Windows server failed, repeating")
		},
	}, func() (rest.Answer, error) { return c.once(ctx, k) })
	if err != nil && ctx.Err() != nil {
		err = &Error{Kind: Canceled, Op: k.op, Err: err}
	}
	return got, err
}

func repeatable(err error) (bool, time.Duration) {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return false, 0
	}
	switch e.Status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true, 0
	}
	return e.Kind == Unreachable, 0
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
		return decoding(err, k, got)
	}
	return nil
}

// once sends one request and reads the whole answer, whose body it trims.
// Anything but 2xx is an *Error.
func (c *Client) once(ctx context.Context, k call) (rest.Answer, error) {
	if err := c.slots.Take(ctx); err != nil {
		return rest.Answer{}, &Error{Kind: Canceled, Op: k.op, Err: err}
	}
	defer c.slots.Free()
	request, err := c.request(ctx, k)
	if err != nil {
		return rest.Answer{}, err
	}
	got, err := rest.Send(c.http, request, c.config.Timeout)
	c.config.Observe(Attempt{Method: k.method, Path: k.class, Status: got.Status, Took: time.Since(got.Sent)})
	if err != nil {
		return got, transportError(ctx, err, k)
	}
	date, _ := http.ParseTime(got.Header.Get("Date"))
	c.date.Store(&date)
	got.Body = trim(got.Body)
	if got.Status < 200 || got.Status > 299 {
		failed := statusError(got, k)
		failed.lists = c.Lists()
		return got, failed
	}
	return got, nil
}

func (c *Client) request(ctx context.Context, k call) (*http.Request, error) {
	target := c.base
	target.Path += k.path
	target.RawQuery = k.query.Encode()
	request, err := rest.NewRequest(ctx, k.method, target.String(), k.body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", k.op, err)
	}
	if c.config.Token != nil {
		token, err := rest.Token(c.config.Token, "Bearer")
		if err != nil {
			return nil, &Error{Kind: BadToken, Op: k.op, method: k.method, Err: err}
		}
		request.Header.Set("Authorization", "Bearer "+token)
	}
	request.Header.Set("Content-Type", "application/json") // with GET too
	request.Header.Set("User-Agent", "netbox-dhcp-sync")
	return request, nil
}
