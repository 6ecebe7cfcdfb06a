package psu

import (
	"crypto/tls"
	"net"
	"net/http"
	"time"
)

// gate is the one way out of a client: what it refuses never reaches the
// network.
type gate struct {
	next   *http.Transport
	refuse func(*http.Request) error // nil error: let it through
}

// RoundTrip sends the request unless it is refused.
func (g *gate) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := g.refuse(r); err != nil {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, err
	}
	return g.next.RoundTrip(r)
}

// CloseIdleConnections lets http.Client.CloseIdleConnections through.
func (g *gate) CloseIdleConnections() { g.next.CloseIdleConnections() }

// refusal says why a request must not be sent: it would write and the client
// may only read, or the stored certificate is past its time.
func (c *Client) refusal(r *http.Request) error {
	if c.config.ReadOnly && r.Method != http.MethodGet {
		return ErrReadOnly
	}
	if pin := c.config.Pin; pin != nil && c.config.HTTPS && c.config.Verify {
		return pin.current(c.config.Now())
	}
	return nil
}

// transport connects directly, never through a proxy of the environment: a
// proxy would see the token on plain HTTP, and the certificate that cert fetch
// shows must be the one that requests meet.
func (c *Client) transport() *http.Transport {
	return &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSClientConfig:     c.tlsConfig(),
		TLSHandshakeTimeout: 10 * time.Second,
		MaxIdleConnsPerHost: c.config.Parallel,
		IdleConnTimeout:     30 * time.Second,
		ForceAttemptHTTP2:   true,
	}
}

func (c *Client) tlsConfig() *tls.Config {
	out := &tls.Config{
		MinVersion: tls.VersionTLS12,
		ServerName: c.config.ServerName,
		Time:       c.config.Now,
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) > 0 {
				c.seen.Store(s.PeerCertificates[0])
			}
			return nil
		},
	}
	switch {
	case !c.config.Verify:
		out.InsecureSkipVerify = true // the operator said so, and Warnings repeats it
	case c.config.Pin != nil:
		// The stored certificate replaces the standard check, which knows no
		// certificate that is trusted whatever its names are.
		out.InsecureSkipVerify = true
		out.VerifyConnection = func(s tls.ConnectionState) error {
			return c.config.Pin.verify(s.PeerCertificates, c.config.ServerName, c.config.Now())
		}
	}
	return out
}
