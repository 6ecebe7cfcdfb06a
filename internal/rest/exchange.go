// Package rest is what the clients of NetBox and of PowerShell Universal have
// in common: how many requests are in flight, how large an answer may be, what
// is asked again and when, what a failed exchange is called, and that no token
// is in what is said about it. It must not know what an answer means: each
// client decides what a status says and what may be asked again.
//
// hashicorp/go-retryablehttp would replace Retries alone, and it knows only
// the status of an answer: these clients decide by what a failure means.
package rest

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// MaxBody is how many bytes an answer may have after decompression.
const MaxBody = 64 << 20

var errTooLarge = errors.New("the answer is larger than 64 MiB")

// NewHTTP makes a client that hands every redirect to its caller as the
// answer. Following one could turn a write into a read, or carry the token to
// another host.
func NewHTTP(transport http.RoundTripper) *http.Client {
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Transport connects directly, and keeps that many idle connections to a
// server. A client that may use the proxy of the environment sets Proxy.
func Transport(config *tls.Config, idle int) *http.Transport {
	return &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSClientConfig:     config,
		TLSHandshakeTimeout: 10 * time.Second,
		MaxIdleConnsPerHost: idle,
		IdleConnTimeout:     30 * time.Second,
		ForceAttemptHTTP2:   true,
	}
}

// Slots bound the requests in flight: its capacity is how many there may be.
type Slots chan struct{}

// Take waits for a slot. If ctx ends first, it returns the cause.
func (s Slots) Take(ctx context.Context) error {
	select {
	case s <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Free gives the slot of one Take back.
func (s Slots) Free() { <-s }

// Token calls read and makes its text fit for a header: it takes off the
// blanks around the token and any of the given words in front of it. A token
// that is empty or could not be sent is an error, which does not hold it.
func Token(read func() (string, error), words ...string) (string, error) {
	token, err := read()
	if err != nil {
		return "", err
	}
	token = strings.TrimSpace(token)
	for _, word := range words {
		token = strings.TrimSpace(strings.TrimPrefix(token, word+" "))
	}
	if token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", errors.New("the token is empty or holds blanks or control characters")
	}
	return token, nil
}

// NewRequest makes a request with body in JSON; nil: without a body.
func NewRequest(ctx context.Context, method, target string, body any) (*http.Request, error) {
	var content bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&content).Encode(body); err != nil {
			return nil, fmt.Errorf("encode: %w", err)
		}
	}
	r, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(content.Bytes()))
	if err != nil {
		return nil, WithoutURL(err)
	}
	r.Header.Set("Accept", "application/json")
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	return r, nil
}

// Answer is what came back. Status is 0 if nothing did.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
	Sent   time.Time     // when the request was sent
	Waited time.Duration // from then until the header was there

	token string // as sent
}

// Send sends a request and reads the whole answer, within timeout. With an
// error, which Classify explains, the Answer holds what came before it.
func Send(client *http.Client, r *http.Request, timeout time.Duration) (Answer, error) {
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	a := Answer{Sent: time.Now(), token: token}
	response, err := client.Do(r.WithContext(ctx)) //nolint:gosec // the operator names the server
	if err != nil {
		return a, err
	}
	defer func() { _ = response.Body.Close() }()
	a.Status, a.Header, a.Waited = response.StatusCode, response.Header, time.Since(a.Sent)
	var body bytes.Buffer
	n, err := body.ReadFrom(io.LimitReader(response.Body, MaxBody+1))
	if err == nil && n > MaxBody {
		err = errTooLarge
	}
	if err != nil {
		return a, err
	}
	a.Body = body.Bytes()
	return a, nil
}

// Words makes a text of the answer fit for one line of a log: see Clean. It
// takes out the token, which some servers repeat.
func (a Answer) Words(text string) string {
	if a.token != "" {
		text = strings.ReplaceAll(text, a.token, "[redacted]")
	}
	return Clean(text, MaxWords)
}
