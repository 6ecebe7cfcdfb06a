package events

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/google/uuid"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/rest"
)

// Webhook is a receiver of events by HTTPS.
type Webhook struct {
	URL    string
	Secret func() (string, error) // what is signed with; asked for each delivery
	CAFile string                 // PEM certificates to trust besides the system's; empty: none
	// Timeout bounds one delivery.
	Timeout time.Duration
}

// Headers of a delivery. The signature is the HMAC-SHA512 with the secret, in hex, of time,
// a dot, id, a dot and the body (HI-9). NetBox signs its webhooks in a header of this name,
// too, but the body alone.
const (
	HeaderTime      = "X-Hook-Time" // seconds since 1970
	HeaderID        = "X-Hook-Id"   // of this attempt
	HeaderSignature = "X-Hook-Signature"
)

// Sign is the signature of a delivery.
func Sign(secret, at, id string, body []byte) string {
	mac := hmac.New(sha512.New, []byte(secret))
	fmt.Fprintf(mac, "%s.%s.%s", at, id, body) // a hash takes all
	return hex.EncodeToString(mac.Sum(nil))
}

// nameOf is the receiver for people: its host, since the rest of the address may be
// secret.
func (f *Feed) nameOf(w Webhook) string {
	host := "webhook"
	if u, err := url.Parse(w.URL); err == nil {
		host = u.Host
	}
	for n, name := 2, host; ; n++ {
		taken := false
		for _, s := range f.sinks {
			taken = taken || s.name == name
		}
		if !taken {
			return name
		}
		name = fmt.Sprintf("%s#%d", host, n)
	}
}

// hook delivers to one webhook.
type hook struct {
	Webhook
	client *http.Client // nil before the first delivery
	now    func() time.Time
}

// open makes the client, at the first delivery: a receiver that cannot be reached as the
// settings have it costs no start.
func (h *hook) open() error {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if h.CAFile != "" {
		pem, err := os.ReadFile(h.CAFile)
		if err != nil {
			return fmt.Errorf("read CA certificates: %w", err)
		}
		if config.RootCAs, err = x509.SystemCertPool(); err != nil {
			config.RootCAs = x509.NewCertPool()
		}
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return fmt.Errorf("read CA certificates from %s: no PEM certificate in it", h.CAFile)
		}
	}
	h.client = &http.Client{
		Timeout: h.Timeout, Transport: rest.Transport(config, 1),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return nil
}

// deliver sends events in one request. An error that no later attempt can heal is
// permanent.
func (h *hook) deliver(ctx context.Context, batch []item) error {
	secret, err := h.Secret()
	if err == nil && h.client == nil {
		err = h.open()
	}
	if err != nil {
		return err
	}
	body := []byte(`{"version":` + strconv.Itoa(Version) + `,"events":[`)
	for n, i := range batch {
		if n > 0 {
			body = append(body, ',')
		}
		body = append(body, i.text...)
	}
	body = append(body, "]}"...)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL, bytes.NewReader(body))
	if err != nil {
		return backoff.Permanent(h.plain(err))
	}
	at, id := strconv.FormatInt(h.now().Unix(), 10), uuid.NewString()
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "coredhcp-netbox")
	request.Header.Set(HeaderTime, at)
	request.Header.Set(HeaderID, id)
	request.Header.Set(HeaderSignature, Sign(secret, at, id, body))
	response, err := h.client.Do(request)
	if err != nil {
		return h.plain(err)
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10)) // so that the connection is used again
	if err := response.Body.Close(); err != nil {
		return h.plain(err)
	}
	switch code := response.StatusCode; {
	case code < 300:
		return nil
	case code == http.StatusRequestTimeout, code == http.StatusTooManyRequests, code >= 500:
		return fmt.Errorf("it answers %s", response.Status)
	case code < 400:
		return backoff.Permanent(fmt.Errorf("it answers %s, and redirects are not followed: write the right address into the settings", response.Status))
	default:
		return backoff.Permanent(fmt.Errorf("it answers %s", response.Status))
	}
}

// plain is an error without the address, which may hold a secret.
func (h *hook) plain(err error) error {
	if failed, ok := err.(*url.Error); ok { //nolint:errorlint // it is what the client returns
		return failed.Err
	}
	return err
}
