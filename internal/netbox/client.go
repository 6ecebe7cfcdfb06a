// Package netbox is a client of NetBox's REST API: it reads lists whole and
// makes sure that they are, reads objects by id, makes objects in bulk, and
// changes or deletes objects on the condition of what they show. Every error
// says what an operator can do. It is the only importer of go-netbox, whose
// types never leave it. It must not know what the objects are used for: it
// knows no lease, no mirror and no settings. DESIGN.md tells the whole surface.
package netbox

import (
	"cmp"
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

	defaultFirstRetry = 500 * time.Millisecond
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
	// FirstRetry is the pause before a read is tried the second time; it
	// doubles from try to try. 0 means 500 ms.
	FirstRetry time.Duration
}

// Client talks to one NetBox. It is safe for concurrent use.
type Client struct {
	base    *url.URL // without trailing slash
	token   func() (string, error)
	timeout time.Duration
	http    *http.Client
	log     logrus.FieldLogger

	slots      rest.Slots // background reads in flight
	firstRetry time.Duration
	version    atomic.Pointer[Version]
	skew       atomic.Int64 // nanoseconds NetBox's clock is ahead of ours
	dated      atomic.Bool  // skew is known
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
		http:       rest.NewHTTP(transport),
		log:        log,
		slots:      make(rest.Slots, readsInFlight),
		firstRetry: cmp.Or(c.FirstRetry, defaultFirstRetry),
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

// Dated reports whether an answer of NetBox has told the time, so that Skew says
// something.
func (c *Client) Dated() bool { return c.dated.Load() }

// FirstRetry is the pause before the first repeat, for callers that repeat
// writes by rules of their own.
func (c *Client) FirstRetry() time.Duration { return c.firstRetry }

// BaseURL is the URL of Client.URL for what people wrote as the address.
func BaseURL(address string) (string, error) {
	base, err := parseBase(address)
	if err != nil {
		return "", err
	}
	return base.String(), nil
}

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
