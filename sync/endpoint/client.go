// Package endpoint talks to the DHCP endpoints that the script of deploy/psu adds
// to PowerShell Universal on a Windows DHCP server (rule 1, rule 6): reads lists, writes single objects, and pins certificates. It
// reports what the server says and must not decide what follows from it; a
// list it cannot read is an error, never an empty list.
package endpoint

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/rest"
)

const (
	defaultTimeout  = 60 * time.Second // a list runs several cmdlets per scope
	defaultParallel = 2                // each request starts a runspace and loads a module there
	defaultPause    = 500 * time.Millisecond
	defaultWarnDays = 90
	tokenWarnDays   = 30
	readTries       = 3
)

// Config says which server to talk to, and as whom.
type Config struct {
	// Host is a name or address; an IPv6 address has no brackets.
	Host string
	// Port is 1 to 65535.
	Port  int
	HTTPS bool
	// Verify checks the server's certificate: against Pin if there is one,
	// else against the system's authorities.
	Verify bool
	// ServerName replaces Host in the check of the certificate's names.
	ServerName string
	// Pin is the certificate an operator trusted; nil: none stored.
	Pin *Certificate
	// Token returns the app token. It is called for every request, so that a
	// replaced token file takes effect; nil: no token is sent.
	Token func() (string, error)
	// Timeout bounds each attempt; 0 means 60 s.
	Timeout time.Duration
	// Parallel is how many requests may be in flight; 0 means 2.
	Parallel int
	// ReadOnly refuses every request but GET with ErrReadOnly.
	ReadOnly bool
	// WarnDays is how long before the end of a certificate Warnings tells of
	// it; 0 means 90.
	WarnDays int
	// RetryPause is the first wait before a read is repeated; 0 means 500 ms.
	RetryPause time.Duration
	// Observe is told every attempt; nil: there is no observer.
	Observe func(Attempt)
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Attempt is one request as Config.Observe sees it.
type Attempt struct {
	Method string
	Path   string // with :scope_id and :client_id in place of values: a metric label
	Status int    // 0: no answer
	Took   time.Duration
}

// Client talks to one server. It is safe for concurrent use.
type Client struct {
	config Config
	base   url.URL
	http   *http.Client
	slots  rest.Slots
	log    logrus.FieldLogger
	seen   atomic.Pointer[x509.Certificate] // the server's, at the last handshake
	said   atomic.Pointer[Health]           // what health said last; nil: nothing yet
	date   atomic.Pointer[time.Time]        // of its last answer
}

// New checks c and prepares a client. It sends nothing.
func New(c Config, log logrus.FieldLogger) (*Client, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	c.fill()
	scheme := "http"
	if c.HTTPS {
		scheme = "https"
	}
	client := &Client{
		config: c,
		base:   url.URL{Scheme: scheme, Host: net.JoinHostPort(c.Host, strconv.Itoa(c.Port)), Path: "/api/dhcp/"},
		slots:  make(rest.Slots, c.Parallel),
		log:    log,
	}
	// The connection is direct, never through a proxy of the environment: a
	// proxy would see the token on plain HTTP, and the certificate that cert
	// fetch shows must be the one that requests meet.
	client.http = rest.NewHTTP(&gate{next: rest.Transport(client.tlsConfig(), c.Parallel), refuse: client.refusal})
	return client, nil
}

func (c *Config) check() error {
	switch {
	case c.Host == "", strings.ContainsAny(c.Host, "/@?#[] \t\r\n\\"):
		return fmt.Errorf("psu host %.100q: want a host name or an address", c.Host)
	case c.Port < 1 || c.Port > 65535:
		return fmt.Errorf("psu port %d: want 1 to 65535", c.Port)
	case c.Timeout < 0, c.Parallel < 0, c.WarnDays < 0, c.RetryPause < 0:
		return errors.New("psu client: a timeout, count or number of days is negative")
	case c.Pin != nil && c.Pin.parsed == nil:
		return errors.New("psu client: the trusted certificate is empty")
	}
	return nil
}

func (c *Config) fill() {
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.Parallel == 0 {
		c.Parallel = defaultParallel
	}
	if c.WarnDays == 0 {
		c.WarnDays = defaultWarnDays
	}
	if c.RetryPause == 0 {
		c.RetryPause = defaultPause
	}
	if c.ServerName == "" {
		c.ServerName = c.Host
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Observe == nil {
		c.Observe = func(Attempt) {}
	}
}

// Close drops idle connections. Requests under way are not ended: cancel their
// contexts.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// URL is where the endpoints are. It holds no secret.
func (c *Client) URL() string { return c.base.String() }

// Date is the time by the server's own clock, in whole seconds, when it gave its
// last answer; zero if that answer did not tell it.
func (c *Client) Date() time.Time {
	if date := c.date.Load(); date != nil {
		return *date
	}
	return time.Time{}
}

// Warnings are the facts that an operator must see in every run: an unverified or
// unencrypted connection, and certificates and tokens about to end. The
// server's own certificate is known after the first connection.
func (c *Client) Warnings() []string {
	var out []string
	switch {
	case !c.config.HTTPS:
		out = append(out, "plain HTTP: the token travels in clear")
	case !c.config.Verify:
		out = append(out, "the server's certificate is not verified: a machine in between can read the token")
	}
	out = c.warnCertificates(out)
	if c.config.Token == nil {
		return append(out, "no token is sent")
	}
	if token, err := c.config.Token(); err == nil {
		if ends, ok := TokenExpiry(token); ok {
			out = c.warnEnd(out, "the token", ends, tokenWarnDays)
		}
	}
	return out
}

// warnCertificates looks at the trusted certificate and at the one the server
// showed last.
func (c *Client) warnCertificates(out []string) []string {
	if !c.config.HTTPS || !c.config.Verify {
		return out
	}
	pin, seen := c.config.Pin, c.seen.Load()
	if pin != nil {
		out = c.warnEnd(out, "the trusted certificate", pin.NotAfter, c.config.WarnDays)
	}
	if seen != nil && (pin == nil || !pin.parsed.Equal(seen)) {
		out = c.warnEnd(out, "the server's certificate", seen.NotAfter, c.config.WarnDays)
	}
	return out
}

func (c *Client) warnEnd(out []string, what string, at time.Time, days int) []string {
	switch left := at.Sub(c.config.Now()); {
	case end(at).IsZero():
	case left <= 0:
		return append(out, fmt.Sprintf("%s expired on %s", what, at.UTC().Format(time.DateOnly)))
	case left <= time.Duration(days)*24*time.Hour:
		return append(out, fmt.Sprintf("%s expires on %s", what, at.UTC().Format(time.DateOnly)))
	}
	return out
}
