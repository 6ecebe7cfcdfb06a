package psu

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
)

var errBodyTooLarge = errors.New("the answer is larger than 64 MiB")

// call is one request to make.
type call struct {
	op     string // for errors
	method string
	path   string // below api/dhcp/
	class  string // path without values
	query  url.Values
	body   any // nil: none
}

// answer is what came back with a status of 2xx.
type answer struct {
	status int
	body   []byte // without byte order mark and blanks around
	token  string // as sent: never quoted, even if the server repeats it
}

// read gets an answer and repeats what may help to be repeated: a broken
// connection and a gateway's errors. A time-out is not repeated, for the
// server is still busy with the first one.
func (c *Client) read(ctx context.Context, k call) (answer, error) {
	k.method = http.MethodGet
	waits := backoff.NewExponentialBackOff()
	waits.InitialInterval, waits.Multiplier = c.config.RetryPause, 2
	var last error
	got, err := backoff.Retry(ctx, func() (answer, error) {
		got, err := c.once(ctx, k)
		if last = err; err != nil && !repeatable(err) {
			return got, backoff.Permanent(err)
		}
		return got, err
	}, backoff.WithBackOff(waits), backoff.WithMaxTries(readTries), backoff.WithNotify(func(err error, wait time.Duration) {
		c.log.WithError(err).WithField("wait", wait).Debug("read from Windows server failed, repeating")
	}))
	switch {
	case err == nil:
		return got, nil
	case ctx.Err() != nil:
		return got, &Error{Kind: Canceled, Op: k.op, Err: context.Cause(ctx)}
	}
	return got, last
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

// write sends a change once: it is never repeated here, since nobody knows
// whether a lost answer was a yes.
func (c *Client) write(ctx context.Context, k call) error {
	got, err := c.once(ctx, k)
	if err != nil {
		return err
	}
	if got.status == http.StatusNoContent && k.method == http.MethodDelete {
		return nil
	}
	if _, err := entries(got.body, func(*record) bool { return true }); err != nil {
		return decoding(err, k, got)
	}
	return nil
}

// once sends one request and reads the whole answer. Anything but 2xx is an
// *Error.
func (c *Client) once(ctx context.Context, k call) (answer, error) {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return answer{}, &Error{Kind: Canceled, Op: k.op, Err: context.Cause(ctx)}
	}
	limited, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	request, token, err := c.request(limited, k)
	if err != nil {
		return answer{}, err
	}
	began, status := time.Now(), 0
	defer func() {
		c.config.Observe(Attempt{Method: k.method, Path: k.class, Status: status, Took: time.Since(began)})
	}()
	response, err := c.http.Do(request)
	if err != nil {
		return answer{}, transportError(ctx, err, k)
	}
	defer func() { _ = response.Body.Close() }()
	status = response.StatusCode
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody+1))
	if err == nil && len(body) > maxBody {
		err = errBodyTooLarge
	}
	if err != nil {
		return answer{}, transportError(ctx, err, k)
	}
	got := answer{status: status, body: trim(body), token: token}
	if status < 200 || status > 299 {
		return got, statusError(got, response.Header, k)
	}
	return got, nil
}

func (c *Client) request(ctx context.Context, k call) (*http.Request, string, error) {
	target := c.base
	target.Path += k.path
	target.RawQuery = k.query.Encode()
	var content bytes.Buffer
	if k.body != nil {
		if err := json.NewEncoder(&content).Encode(k.body); err != nil {
			return nil, "", fmt.Errorf("%s: encode: %w", k.op, err)
		}
	}
	request, err := http.NewRequestWithContext(ctx, k.method, target.String(), bytes.NewReader(content.Bytes()))
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", k.op, err)
	}
	token, err := c.token(k)
	if err != nil {
		return nil, "", err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "netbox-dhcp-sync")
	return request, token, nil
}

// token reads the token; "" if the client has none to send.
func (c *Client) token(k call) (string, error) {
	if c.config.Token == nil {
		return "", nil
	}
	token, err := c.config.Token()
	if err != nil {
		return "", &Error{Kind: BadToken, Op: k.op, method: k.method, Err: err}
	}
	token = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(token), "Bearer "))
	if token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", &Error{Kind: BadToken, Op: k.op, method: k.method, Message: "the token is empty or holds blanks or control characters"}
	}
	return token, nil
}
