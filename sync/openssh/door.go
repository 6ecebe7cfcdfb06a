// Package openssh is the door to a server's endpoint script through OpenSSH: it
// logs in with a key, lets PowerShell run the script that it sends, or finds the
// one that is bound to the key, and asks it line by line (rule 13). Host keys are
// never accepted unseen. It must not know what a request means or whether to
// repeat it, and puts no file on the server.
package openssh

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/rest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/endpoint"
)

const (
	defaultPort      = 22
	defaultKeepAlive = 15 * time.Second

	// skewed is how far the clock of a server may be off before it is told.
	skewed = time.Minute
)

// Config says which server to talk to, and as whom.
type Config struct {
	// Host is a name or address; an IPv6 address has no brackets.
	Host string
	// Port is 1 to 65535; 0 means 22.
	Port int
	// User is the account on the server, such as netbox-dhcp or CORP\netbox-dhcp.
	User string
	// Key says what to log in with.
	Key Key
	// HostKeys are those that are trusted.
	HostKeys HostKeys
	// Jump is a host to go through; nil: the connection is direct.
	Jump *Jump
	// Command starts PowerShell: powershell, pwsh, or a path without blanks; empty: powershell.
	Command string
	// Bound says that the key is bound to the installed script: another answer is
	// warned of.
	Bound bool
	// ReadOnly sends the script without the routes that write.
	ReadOnly bool
	// Timeout bounds the opening of a session, and each request; 0 means 60 s.
	Timeout time.Duration
	// KeepAlive is how often a connection is asked whether it lives, and how long
	// it may take to say so; 0 means 15 s.
	KeepAlive time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Jump is a host on the way (ProxyJump of ssh). It is logged in to with the same key.
type Jump struct {
	User, Host string
	Port       int // 0 means 22
}

var _ endpoint.Door = (*Door)(nil)

// Door leads to the endpoint script of one server. It opens as many sessions as there are
// requests at once.
type Door struct {
	config  Config
	command string
	script  string
	log     logrus.FieldLogger

	opening chan struct{} // holds one while a connection is made
	mu      sync.Mutex    // guards what follows; never held while waiting
	conn    *connection
	idle    []*session
	busy    int           // sessions in use, and those being opened
	freed   chan struct{} // closed when one of these is free or gone
	last    *hello
	skew    time.Duration // of the server's clock at its greeting
}

// New checks c and prepares a door. It sends nothing and reads no key.
func New(c Config, log logrus.FieldLogger) (*Door, error) {
	c.fill()
	if err := c.check(); err != nil {
		return nil, err
	}
	return &Door{config: c, command: command(c.Command), script: Script(!c.ReadOnly, false), log: log, opening: make(chan struct{}, 1), freed: make(chan struct{})}, nil
}

// plainPath is a command that cmd.exe and PowerShell understand without quotes.
var plainPath = regexp.MustCompile(`^[A-Za-z0-9:\\/._~-]{1,260}$`)

func (c *Config) check() error {
	foreign := func(host string) bool { return host == "" || strings.ContainsAny(host, "/@?#[] \t\r\n\\") }
	switch {
	case foreign(c.Host):
		return fmt.Errorf("ssh host %.100q: want a host name or an address", c.Host)
	case c.Jump != nil && foreign(c.Jump.Host):
		return fmt.Errorf("ssh jump host %.100q: want a host name or an address", c.Jump.Host)
	case c.Port < 1 || c.Port > 65535 || c.Jump != nil && (c.Jump.Port < 1 || c.Jump.Port > 65535):
		return errors.New("ssh port: want 1 to 65535")
	case c.User == "" || c.Jump != nil && c.Jump.User == "":
		return errors.New("ssh: want a user")
	case !plainPath.MatchString(c.Command):
		return fmt.Errorf("ssh command %.100q: want powershell, pwsh, or a path without blanks", c.Command)
	case (c.Key.File == "") == !c.Key.Agent:
		return errors.New("ssh: want a key file or the agent, and not both")
	case c.Timeout < 0, c.KeepAlive < 0:
		return errors.New("ssh: a timeout is negative")
	}
	return nil
}

func (c *Config) fill() {
	if c.Port == 0 {
		c.Port = defaultPort
	}
	if c.Jump != nil {
		jump := *c.Jump
		if jump.Port == 0 {
			jump.Port = defaultPort
		}
		if jump.User == "" {
			jump.User = c.User
		}
		c.Jump = &jump
	}
	if c.Command == "" {
		c.Command = "powershell"
	}
	if c.Timeout == 0 {
		c.Timeout = endpoint.DefaultTimeout
	}
	if c.KeepAlive == 0 {
		c.KeepAlive = defaultKeepAlive
	}
	if c.Now == nil {
		c.Now = time.Now
	}
}

// URL is where requests go.
func (d *Door) URL() string {
	u := url.URL{Scheme: "ssh", User: url.User(d.config.User), Host: joined(d.config.Host, d.config.Port)}
	return u.String()
}

// Facts tell of the greeting of the last session; nil: there was none yet.
func (d *Door) Facts() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.last == nil {
		return nil
	}
	return d.last.facts()
}

// Warnings are what an operator must see in every run: an unbound key where the
// settings want a bound one, and a clock that is off.
func (d *Door) Warnings() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.last == nil {
		return nil
	}
	var out []string
	if d.config.Bound && !d.last.Bound {
		out = append(out, "ssh.bound is true, and the key is not bound to the installed script: it gives a shell")
	}
	if d.skew.Abs() > skewed {
		out = append(out, fmt.Sprintf("the clock of the server is off by %s", d.skew.Round(time.Second)))
	}
	return out
}

// Close ends all sessions and the connection. A later Ask opens them again.
func (d *Door) Close() {
	d.mu.Lock()
	idle, conn := d.idle, d.conn
	d.idle, d.conn = nil, nil
	d.mu.Unlock()
	var group sync.WaitGroup
	for _, s := range idle {
		group.Go(s.end)
	}
	group.Wait()
	if conn != nil {
		conn.end()
	}
}

// Ask sends a request and reads the whole answer. A session that ended before is
// opened again, since nothing was sent on it.
func (d *Door) Ask(ctx context.Context, r endpoint.Request) (rest.Answer, error) {
	line := request{Method: r.Method, Path: r.Path, Query: map[string]string{}}
	for name := range r.Query {
		line.Query[name] = r.Query.Get(name)
	}
	if r.Body != nil {
		body, err := json.Marshal(r.Body)
		if err != nil {
			return rest.Answer{}, &endpoint.Error{Kind: endpoint.Invalid, Unsent: true, Err: err}
		}
		line.Body = string(body)
	}
	s, err := d.take(ctx)
	if err != nil {
		return rest.Answer{}, err
	}
	limited, cancel := context.WithTimeoutCause(ctx, d.config.Timeout, errTimeout)
	defer cancel()
	answer := rest.Answer{Sent: time.Now()}
	got, err := s.ask(limited, line)
	d.give(s, err == nil)
	if err != nil {
		return answer, broken(ctx, err)
	}
	answer.Status, answer.Body, answer.Waited = got.status, got.body, time.Since(answer.Sent)
	answer.Header = http.Header{}
	if !got.date.IsZero() {
		answer.Header.Set("Date", got.date.UTC().Format(http.TimeFormat))
	}
	return answer, nil
}

// take gives a session that greeted: an idle one, else a new one, else, where the
// server opens no more, the next that is given back.
func (d *Door) take(ctx context.Context) (*session, error) {
	for {
		s := d.free()
		if s != nil {
			return s, nil
		}
		s, err := d.open(ctx)
		if err == nil {
			return s, nil
		}
		freed, others := d.drop()
		if !refusedChannel(err) || !others {
			return nil, failed(ctx, "", err)
		}
		d.log.Debug("the server opens no further session: waiting for one")
		select {
		case <-freed:
		case <-ctx.Done():
			return nil, failed(ctx, "", context.Cause(ctx))
		}
	}
}

// free gives an idle session that lives; nil: there is none, and one is counted that
// the caller opens.
func (d *Door) free() *session {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.busy++
	for len(d.idle) > 0 {
		s := d.idle[len(d.idle)-1]
		d.idle = d.idle[:len(d.idle)-1]
		if !over(s.done) {
			return s
		}
	}
	return nil
}

// drop counts one less that could not be opened. It tells whether there are others, in use,
// being opened or idle by now, and what is closed when one of those is free: it is already
// where one is idle.
func (d *Door) drop() (freed <-chan struct{}, others bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	freed = d.freed
	d.busy--
	if len(d.idle) > 0 {
		free := make(chan struct{})
		close(free)
		return free, true
	}
	if d.busy == 0 {
		d.tell()
	}
	return freed, d.busy > 0
}

// tell wakes all that wait for a session. d.mu is held.
func (d *Door) tell() {
	close(d.freed)
	d.freed = make(chan struct{})
}

// give takes a session back; one that is of no use any more is ended.
func (d *Door) give(s *session, useful bool) {
	if !useful {
		s.kill()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.busy--
	if useful {
		d.idle = append(d.idle, s)
	}
	d.tell()
}

// open makes a session up to its greeting, on the connection there is or on a new one.
func (d *Door) open(ctx context.Context) (*session, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, d.config.Timeout, errTimeout)
	defer cancel()
	conn, err := d.connection(ctx)
	if err != nil {
		return nil, err
	}
	s, err := start(ctx, conn, d.command, d.log)
	if err != nil {
		return nil, err
	}
	if err := s.greet(ctx, d.script); err != nil {
		s.kill()
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last, d.skew = &s.hello, s.hello.UTC.Sub(d.config.Now())
	return s, nil
}

// connection gives the connection to the server, made anew where it has ended.
func (d *Door) connection(ctx context.Context) (*connection, error) {
	select {
	case d.opening <- struct{}{}:
		defer func() { <-d.opening }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	d.mu.Lock()
	conn := d.conn
	d.mu.Unlock()
	if conn != nil && !over(conn.done) {
		return conn, nil
	}
	conn, err := d.config.connect(ctx)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.conn = conn
	return conn, nil
}
