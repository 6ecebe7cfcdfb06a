package netbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// get reads a list, or one object of it where object is its id followed by a
// slash. It takes a slot for background reads and repeats what may help to be
// repeated.
func (c *Client) get(ctx context.Context, e endpoint, object string, query url.Values) (*answer, error) {
	return c.read(ctx, http.MethodGet, e, object, query)
}

// read is get for any method that changes nothing.
func (c *Client) read(ctx context.Context, method string, e endpoint, object string, query url.Values) (*answer, error) {
	if err := c.acquire(ctx); err != nil {
		return nil, err
	}
	defer c.release()
	waits := backoff.NewExponentialBackOff()
	waits.InitialInterval, waits.Multiplier, waits.MaxInterval = c.firstRetry, 2, 30*time.Second
	var last error
	got, err := backoff.Retry(ctx, func() (*answer, error) {
		var got *answer
		got, last = c.once(ctx, method, e, object, query, nil, nil)
		return got, retryable(last)
	}, backoff.WithBackOff(waits), backoff.WithMaxTries(readTries), backoff.WithMaxElapsedTime(5*time.Minute))
	if err == nil {
		return got, nil
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return nil, last
}

// retryable marks an error for backoff.Retry: permanent, to be repeated after
// the time the server asks for, or simply to be repeated.
func retryable(err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return err
	}
	switch e.Kind {
	case Unreachable, TimedOut, Throttled:
	case Unavailable:
		// 500 is NetBox's own: an exception or maintenance, which no retry
		// within seconds will heal.
		if e.Status == http.StatusInternalServerError {
			return backoff.Permanent(err)
		}
	default:
		return backoff.Permanent(err)
	}
	if e.RetryAfter > 0 {
		return &backoff.RetryAfterError{Duration: e.RetryAfter}
	}
	return err
}

// once sends one request and reads the whole answer. Anything but a 2xx answer
// in JSON (or without body) is an *Error.
func (c *Client) once(ctx context.Context, method string, e endpoint, object string, query url.Values, body any, header http.Header) (*answer, error) {
	request, err := c.request(ctx, method, e, object, query, body)
	if err != nil {
		return nil, err
	}
	for key, values := range header {
		request.Header[key] = values
	}
	limited, cancel := context.WithTimeout(request.Context(), c.timeout)
	defer cancel()
	began := time.Now()
	response, err := c.http.Do(request.WithContext(limited))
	if err != nil {
		if ctx.Err() != nil {
			return nil, &Error{Kind: TimedOut, Op: operation(method, e), Err: context.Cause(ctx)}
		}
		return nil, transportError(err, method, e)
	}
	defer func() { _ = response.Body.Close() }()
	c.noteVersion(response.Header)
	c.noteClock(response.Header, began, time.Now())
	got := &answer{status: response.StatusCode, header: response.Header}
	if got.body, err = readBody(response.Body); err != nil {
		return nil, transportError(err, method, e)
	}
	if got.status < 200 || got.status > 299 {
		return nil, statusError(got, method, e)
	}
	if len(got.body) > 0 && !got.json() {
		return nil, notNetBox(got, method, e)
	}
	return got, nil
}

func (c *Client) request(ctx context.Context, method string, e endpoint, object string, query url.Values, body any) (*http.Request, error) {
	authorization, err := c.authorization()
	if err != nil {
		return nil, err
	}
	target := *c.base
	target.Path += "/api/" + string(e) + "/" + object
	// Never a query on a write: fields= and omit= shape the input serializer
	// too, and the write would change nothing.
	if method == http.MethodGet {
		target.RawQuery = query.Encode()
	}
	var content bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&content).Encode(body); err != nil {
			return nil, fmt.Errorf("%s: encode: %w", operation(method, e), err)
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, target.String(), bytes.NewReader(content.Bytes()))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", operation(method, e), err)
	}
	request.Header.Set("Authorization", authorization)
	request.Header.Set("Accept", "application/json")
	request.Header.Set("Accept-Language", "en-US") // labels and messages are translated
	request.Header.Set("User-Agent", "coredhcp-netbox")
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	return request, nil
}

// noteClock keeps how far the server's clock is ahead: its Date has whole
// seconds, and was taken somewhere between sending and receiving.
func (c *Client) noteClock(header http.Header, began, ended time.Time) {
	date, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		return
	}
	middle := began.Add(ended.Sub(began) / 2)
	c.skew.Store(int64(date.Add(500 * time.Millisecond).Sub(middle)))
}
