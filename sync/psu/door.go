// Package psu is the door to a server's endpoint script through PowerShell
// Universal: its REST API, with an app token, over HTTPS with a certificate that
// is pinned, signed by an authority, or not looked at (rules 1.1 and 6). It must
// not know what a request means or whether to repeat it.
package psu

import (
	"context"
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

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/rest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/endpoint"
)

const (
	defaultIdle     = 2
	defaultWarnDays = 90
	tokenWarnDays   = 30
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
	// Timeout bounds each request; 0 means 60 s.
	Timeout time.Duration
	// Idle is how many connections are kept; 0 means 2.
	Idle int
	// WarnDays is how long before the end of a certificate Warnings tells of
	// it; 0 means 90.
	WarnDays int
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Door leads to the endpoints of one server. It implements endpoint.Door.
type Door struct {
	config Config
	base   url.URL
	http   *http.Client
	seen   atomic.Pointer[x509.Certificate] // the server's, at the last handshake
}

// New checks c and prepares a door. It sends nothing.
func New(c Config) (*Door, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	c.fill()
	scheme := "http"
	if c.HTTPS {
		scheme = "https"
	}
	d := &Door{config: c, base: url.URL{Scheme: scheme, Host: net.JoinHostPort(c.Host, strconv.Itoa(c.Port)), Path: "/api/dhcp/"}}
	// The connection is direct, never through a proxy of the environment: a
	// proxy would see the token on plain HTTP, and the certificate that cert
	// fetch shows must be the one that requests meet.
	d.http = rest.NewHTTP(rest.Transport(d.tlsConfig(), c.Idle))
	return d, nil
}

func (c *Config) check() error {
	switch {
	case c.Host == "", strings.ContainsAny(c.Host, "/@?#[] \t\r\n\\"):
		return fmt.Errorf("psu host %.100q: want a host name or an address", c.Host)
	case c.Port < 1 || c.Port > 65535:
		return fmt.Errorf("psu port %d: want 1 to 65535", c.Port)
	case c.Timeout < 0, c.Idle < 0, c.WarnDays < 0:
		return errors.New("psu: a timeout, count or number of days is negative")
	case c.Pin != nil && c.Pin.parsed == nil:
		return errors.New("psu: the trusted certificate is empty")
	}
	return nil
}

func (c *Config) fill() {
	if c.Timeout == 0 {
		c.Timeout = endpoint.DefaultTimeout
	}
	if c.Idle == 0 {
		c.Idle = defaultIdle
	}
	if c.WarnDays == 0 {
		c.WarnDays = defaultWarnDays
	}
	if c.ServerName == "" {
		c.ServerName = c.Host
	}
	if c.Now == nil {
		c.Now = time.Now
	}
}

// Close drops idle connections.
func (d *Door) Close() { d.http.CloseIdleConnections() }

// URL is where the endpoints are.
func (d *Door) URL() string { return d.base.String() }

// Facts are none: whatever PowerShell Universal tells is the script's.
func (d *Door) Facts() []string { return nil }

// Ask sends a request and reads the whole answer. A stored certificate past its
// time stops it before anything is sent.
func (d *Door) Ask(ctx context.Context, r endpoint.Request) (rest.Answer, error) {
	if pin := d.config.Pin; pin != nil && d.config.HTTPS && d.config.Verify {
		if err := pin.current(d.config.Now()); err != nil {
			return rest.Answer{}, failed(ctx, "", err)
		}
	}
	request, err := d.request(ctx, r)
	if err != nil {
		return rest.Answer{}, err
	}
	got, err := rest.Send(d.http, request, d.config.Timeout)
	if err != nil {
		return got, failed(ctx, "", err)
	}
	return got, nil
}

func (d *Door) request(ctx context.Context, r endpoint.Request) (*http.Request, error) {
	target := d.base
	target.Path += r.Path
	target.RawQuery = r.Query.Encode()
	request, err := rest.NewRequest(ctx, r.Method, target.String(), r.Body)
	if err != nil {
		return nil, &endpoint.Error{Kind: endpoint.Invalid, Err: err}
	}
	if d.config.Token != nil {
		token, err := rest.Token(d.config.Token, "Bearer")
		if err != nil {
			return nil, &endpoint.Error{Kind: endpoint.BadToken, Err: err}
		}
		request.Header.Set("Authorization", "Bearer "+token)
	}
	request.Header.Set("Content-Type", "application/json") // with GET too
	request.Header.Set("User-Agent", "netbox-dhcp-sync")
	return request, nil
}
