package endpoint

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
)

// gate passes every request of a client: one that it refuses never reaches the
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

func (c *Client) tlsConfig() *tls.Config {
	out := &tls.Config{
		MinVersion: tls.VersionTLS12,
		ServerName: c.config.ServerName,
		Time:       c.config.Now,
		VerifyConnection: func(s tls.ConnectionState) error {
			return c.accept(s.PeerCertificates)
		},
	}
	// A trusted certificate replaces the standard check, which would always
	// compare names. Without verification the operator said so, and Warnings
	// repeats it.
	out.InsecureSkipVerify = !c.config.Verify || c.config.Pin != nil
	return out
}

// accept decides about the certificates a server showed, after the standard
// check if there was one.
func (c *Client) accept(shown []*x509.Certificate) error {
	if c.config.Verify && c.config.Pin != nil {
		if err := c.config.Pin.verify(shown, c.config.ServerName, c.config.Now()); err != nil {
			return err
		}
	}
	if len(shown) > 0 {
		c.seen.Store(shown[0])
	}
	return nil
}
