// Package netbox is the only package that talks to NetBox: it reads the tables
// of package ipam, keeps a picture of them fresh, writes lease records back,
// and checks or prepares a NetBox for this program. It is the only importer of
// go-netbox, whose types never leave it. It decides nothing about leases and
// is never on the packet path, the live read of the redeploy switch excepted
//
package netbox

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/rest"
)

// Limits of one client. NetBox's shipped example has 15 request slots for all
// its users, so few of them are ours.
const (
	defaultTimeout = 60 * time.Second
	readsInFlight  = 3
	readTries      = 5
)

// Config says which NetBox to talk to, and as whom.
type Config struct {
	// URL is NetBox's base URL, with the base path if it has one. A trailing
	// /api is taken off.
	URL string
	// Token returns the API token of either generation. It is called for every
	// request, so that a replaced token file takes effect without a restart;
	// the token is kept nowhere else.
	Token func() (string, error)
	// Timeout bounds each attempt of a background request; 0 means 60 s.
	Timeout time.Duration
	// CAFile names a PEM file of certificates to trust besides the system's;
	// empty: the system's only.
	CAFile string
	// Fields names the custom fields of IP addresses that hold the record.
	Fields Fields
}

// Fields are names of custom fields on IP addresses. An empty name is neither
// read nor written.
type Fields struct {
	MAC, Expire, Hostname string
}

func (f Fields) names() []string {
	var names []string
	for _, name := range []string{f.MAC, f.Expire, f.Hostname} {
		if name != "" {
			names = append(names, name)
		}
	}
	return names
}

// Client talks to one NetBox. It is safe for concurrent use.
type Client struct {
	base    *url.URL // without trailing slash
	token   func() (string, error)
	timeout time.Duration
	fields  Fields
	http    *http.Client
	log     logrus.FieldLogger

	slots      rest.Slots // background reads in flight
	firstRetry time.Duration
	version    atomic.Pointer[Version]
	skew       atomic.Int64 // nanoseconds NetBox's clock is ahead of ours
	noCursor   atomic.Bool  // the server ignored start= although it should know it
	pageLimit  atomic.Int64 // smallest page size NetBox was seen to impose; 0: none

	batchMu sync.Mutex
	batch   int // rows of the next bulk write
}

// NewClient checks c and prepares a client. It sends nothing: trouble of the
// network is never an error here (H-1).
func NewClient(c Config, log logrus.FieldLogger) (*Client, error) {
	base, err := parseBase(c.URL)
	if err != nil {
		return nil, err
	}
	if c.Token == nil {
		return nil, errors.New("netbox client: no token given")
	}
	roots, err := trustedRoots(c.CAFile)
	if err != nil {
		return nil, err
	}
	if c.Timeout <= 0 {
		c.Timeout = defaultTimeout
	}
	transport := rest.Transport(&tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, readsInFlight+1)
	transport.Proxy = http.ProxyFromEnvironment
	return &Client{
		base:       base,
		token:      c.Token,
		timeout:    c.Timeout,
		fields:     c.Fields,
		http:       rest.NewHTTP(transport),
		log:        log,
		slots:      make(rest.Slots, readsInFlight),
		firstRetry: 500 * time.Millisecond,
		batch:      firstBatch,
	}, nil
}

// Close drops idle connections. Requests under way are not ended: cancel their
// contexts.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// URL is the base URL without a trailing slash. It holds no secret.
func (c *Client) URL() string { return c.base.String() }

// Skew tells how far NetBox's clock was ahead of ours in its last answer, to
// about a second (S-9). It is 0 before the first answer.
func (c *Client) Skew() time.Duration { return time.Duration(c.skew.Load()) }

// parseBase accepts what people paste: with or without trailing slash and /api.
func parseBase(text string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil {
		return nil, fmt.Errorf("netbox url: %w", rest.WithoutURL(err))
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return nil, fmt.Errorf("netbox url %.100q: want http://HOST or https://HOST", u.Redacted())
	case u.User != nil:
		return nil, errors.New("netbox url: must hold no user name or password")
	case u.RawQuery != "", u.Fragment != "":
		return nil, fmt.Errorf("netbox url %.100q: must hold no query or fragment", u.Redacted())
	}
	path := strings.TrimRight(u.Path, "/")
	path = strings.TrimRight(strings.TrimSuffix(path, "/api"), "/")
	return &url.URL{Scheme: u.Scheme, Host: u.Host, Path: path}, nil
}

func trustedRoots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("read CA certificates: %w", err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read CA certificates from %s: no PEM certificate in it", file)
	}
	return roots, nil
}

// authorization is the header value for a token. NetBox decides by the prefix
// of the token, not by the word; the documented word is sent all the same.
func (c *Client) authorization() (string, error) {
	token, err := rest.Token(c.token, "Token", "Bearer")
	if err != nil {
		return "", &Error{Kind: BadToken, Op: "read the token", Err: err}
	}
	if strings.HasPrefix(token, "nbt_") {
		return "Bearer " + token, nil
	}
	return "Token " + token, nil
}
