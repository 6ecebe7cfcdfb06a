package netbox

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/rest"
)

// get reads a list, or one object of it where object is its id followed by a
// slash. It takes a slot for background reads and repeats what may help to be
// repeated.
func (c *Client) get(ctx context.Context, t Table, object string, query url.Values) (*answer, error) {
	return c.read(ctx, http.MethodGet, t, object, query)
}

// read is get for any method that changes nothing.
func (c *Client) read(ctx context.Context, method string, t Table, object string, query url.Values) (*answer, error) {
	if err := c.slots.Take(ctx); err != nil {
		return nil, err
	}
	defer c.slots.Free()
	retries := rest.Retries{First: c.firstRetry, Tries: readTries, Total: 5 * time.Minute, Again: repeatable}
	return rest.Retry(ctx, retries, func() (*answer, error) {
		return c.once(ctx, method, t, object, query, nil, nil)
	})
}

// repeatable reports whether another try may help, and how long NetBox asks to
// wait for it.
func repeatable(err error) (bool, time.Duration) {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return false, 0
	}
	switch e.Kind {
	case Unreachable, TimedOut, Throttled:
		return true, e.RetryAfter
	case Unavailable:
		// 500 is NetBox's own: an exception or maintenance, which no retry
		// within seconds will heal.
		return e.Status != http.StatusInternalServerError, e.RetryAfter
	}
	return false, 0
}

// once sends one request and reads the whole answer. Anything but a 2xx answer
// in JSON (or without body) is an *Error.
func (c *Client) once(ctx context.Context, method string, t Table, object string, query url.Values, body any, header http.Header) (*answer, error) {
	request, err := c.request(ctx, method, t, object, query, body)
	if err != nil {
		return nil, err
	}
	for key, values := range header {
		request.Header[key] = values
	}
	came, err := rest.Send(c.http, request, c.timeout)
	c.noteVersion(came.Header)
	c.noteClock(came)
	if err != nil {
		return nil, transportError(ctx, err, method, t)
	}
	got := &answer{status: came.Status, header: came.Header, body: came.Body, sent: came}
	if got.status < 200 || got.status > 299 {
		return nil, statusError(got, method, t)
	}
	if len(got.body) > 0 && !got.json() {
		return nil, notNetBox(got, method, t)
	}
	return got, nil
}

func (c *Client) request(ctx context.Context, method string, t Table, object string, query url.Values, body any) (*http.Request, error) {
	authorization, err := c.authorization()
	if err != nil {
		return nil, err
	}
	target := *c.base
	target.Path += "/api/" + string(t) + "/" + object
	// Never a query on a write: fields= and omit= shape the input serializer
	// too, and the write would change nothing.
	if method == http.MethodGet {
		target.RawQuery = query.Encode()
	}
	request, err := rest.NewRequest(ctx, method, target.String(), body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", operation(method, t), err)
	}
	request.Header.Set("Authorization", authorization)
	request.Header.Set("Accept-Language", "en-US") // labels and messages are translated
	request.Header.Set("User-Agent", "coredhcp-netbox")
	return request, nil
}

// noteClock keeps how far the server's clock is ahead: its Date has whole
// seconds, and was taken somewhere between sending and receiving.
func (c *Client) noteClock(a rest.Answer) {
	date, err := http.ParseTime(a.Header.Get("Date"))
	if err != nil {
		return
	}
	middle := a.Sent.Add(a.Waited / 2)
	c.skew.Store(int64(date.Add(500 * time.Millisecond).Sub(middle)))
	c.dated.Store(true)
}
