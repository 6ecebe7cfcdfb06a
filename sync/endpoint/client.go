// Package endpoint speaks with the endpoint script of a Windows DHCP server,
// through whichever Door leads to it (rule 1): it reads lists and writes single
// objects. It has what both doors share: retries, kinds of errors, the dialects of
// scripts, and how many requests one server gets at once. It reports what the
// server says and must not decide what follows from it; a list it cannot read is
// an error, never an empty list.
package endpoint

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/rest"
)

const (
	// DefaultTimeout of one request: a list runs several cmdlets per scope.
	DefaultTimeout = 60 * time.Second

	defaultParallel = 2 // each request takes a runspace there
	defaultPause    = 500 * time.Millisecond
	readTries       = 3
)

// Config says how a server is asked.
type Config struct {
	// Parallel is how many requests may be in flight; 0 means 2.
	Parallel int
	// ReadOnly refuses every request but GET with ErrReadOnly.
	ReadOnly bool
	// RetryPause is the first wait before a read is repeated; 0 means 500 ms.
	RetryPause time.Duration
	// Observe is told every attempt; nil: there is no observer.
	Observe func(Attempt)
}

// Attempt is one request as Config.Observe sees it.
type Attempt struct {
	Method string
	Path   string // with :scope_id and :client_id in place of values: a metric label
	Status int    // 0: no answer
	Took   time.Duration
}

// Client asks one server. It is safe for concurrent use.
type Client struct {
	config Config
	door   Door
	slots  rest.Slots
	log    logrus.FieldLogger
	said   atomic.Pointer[Health]    // what health said last; nil: nothing yet
	date   atomic.Pointer[time.Time] // of its last answer
}

// New checks c and prepares a client. It sends nothing.
func New(door Door, c Config, log logrus.FieldLogger) (*Client, error) {
	if c.Parallel < 0 || c.RetryPause < 0 {
		return nil, errors.New("endpoint client: a count or pause is negative")
	}
	if c.Parallel == 0 {
		c.Parallel = defaultParallel
	}
	if c.RetryPause == 0 {
		c.RetryPause = defaultPause
	}
	if c.Observe == nil {
		c.Observe = func(Attempt) {}
	}
	return &Client{config: c, door: door, slots: make(rest.Slots, c.Parallel), log: log}, nil
}

// Close ends idle connections. Requests under way are not ended: cancel their
// contexts. A later request connects again.
func (c *Client) Close() { c.door.Close() }

// URL is where the endpoints are. It holds no secret.
func (c *Client) URL() string { return c.door.URL() }

// Facts are what is known of how the server is reached; nil: nothing.
func (c *Client) Facts() []string { return c.door.Facts() }

// Warnings are the facts that an operator must see in every run, such as an
// unverified connection, a certificate or token about to end, or an unbound key.
func (c *Client) Warnings() []string { return c.door.Warnings() }

// Date is the time by the server's own clock, in whole seconds, when it gave its
// last answer; zero if that answer did not tell it.
func (c *Client) Date() time.Time {
	if date := c.date.Load(); date != nil {
		return *date
	}
	return time.Time{}
}
