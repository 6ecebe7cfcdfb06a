//go:build linux

package netns

import (
	"bufio"
	"context"
	"embed"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

//go:embed hooks
var hooks embed.FS

var (
	// ErrNoLease says that the client gave up without a lease.
	ErrNoLease = errors.New("no lease")
	// ErrLost says that the client had a lease and no longer has: the server refused (NAK), or the
	// lease ran out.
	ErrLost = errors.New("lease lost")
	// ErrUnsupported says that this program cannot do what was asked.
	ErrUnsupported = errors.New("not supported by this program")
)

// Options say what a client sends and how it behaves. What they leave out is the program's own
// choice, as it would be on a real host.
type Options struct {
	Hostname     string           // option 12
	ClientID     []byte           // option 61, its type byte first; not networkd
	VendorClass  string           // option 60
	Send         map[uint8][]byte // further options, raw; not dhcpcd
	Request      []uint8          // codes asked for beside the program's own list
	RequestAddr  netip.Addr       // option 50 of the first DISCOVER; not networkd
	CheckAddress bool             // ask by ARP and DECLINE an address in use; not dhclient, not networkd
	Patience     time.Duration    // how long to try before giving up, whole seconds; zero: 15 s
}

const (
	// grace is what a program gets beyond its patience to say that it gives up.
	grace = 2 * time.Second
	// answerWait bounds a renewal (dhclient's comes at T1) and a release.
	answerWait = 30 * time.Second
)

// The options every client asks for beside its own list, so that Lease tells the same from all.
var alwaysRequested = []uint8{1, 3, 6, 12, 15, 26, 42, 66, 67, 119, 121}

// Client is one DHCP client program on one interface. Its state (leases, identifiers) lives in the
// test's own folder and lasts from one Acquire to the next, like a host's disk over a reboot.
type Client struct {
	ns      *Namespace
	ifname  string
	opts    Options
	program program
	dir     string
	heard   chan event
	process *Process
}

// program is one client program.
type program interface {
	// prepare writes the program's files into the client's folder.
	prepare(c *Client) error
	// command is the program in the foreground, trying to get a lease.
	command(c *Client) *exec.Cmd
	// settled is what the program prints after its first lease, once it has stored that; empty if
	// it stores the lease before it calls its script, or never.
	settled() string
	// hook is the name of the program's script among the embedded ones.
	hook() string
	// meaning of a name the program calls its script with.
	meaning(event string) meaning
	// lease reads what a lease's event told.
	lease(env map[string]string) (Lease, error)
	// off is the signal that ends the program without a RELEASE.
	off() syscall.Signal
	// renew makes the program renew; nil error only means that it was told.
	renew(ctx context.Context, c *Client) error
	// release makes the program give its lease back and waits until it has.
	release(ctx context.Context, c *Client) error
}

type meaning int

const (
	uninteresting meaning = iota
	granted               // a new or renewed lease
	lost                  // refused or run out
	gaveUp                // no lease to be had
	idle                  // the interface has no lease (yet, or any more)
)

type event struct {
	meaning meaning
	env     map[string]string
}

func newClient(ns *Namespace, ifname string, opts Options, p program) *Client {
	ns.t.Helper()
	if opts.Patience == 0 {
		opts.Patience = 15 * time.Second
	}
	c := &Client{ns: ns, ifname: ifname, opts: opts, program: p, dir: ns.t.TempDir(), heard: make(chan event, 256)}
	if err := c.setUp(); err != nil {
		ns.t.Fatalf("prepare DHCP client on %s in %s: %v", ifname, ns.name, err)
	}
	return c
}

// setUp writes the files and begins to listen on the pipe the hook script writes to.
func (c *Client) setUp() error {
	script, err := hooks.ReadFile(c.program.hook())
	if err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Dir(c.hook()), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(c.hook(), script, 0o755); err != nil {
		return err
	}
	pipe := filepath.Join(filepath.Dir(c.hook()), "events")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		return fmt.Errorf("make pipe %s: %w", pipe, err)
	}
	// Open for both, so that there is no end of file between two runs of the script.
	f, err := os.OpenFile(pipe, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	listening := make(chan struct{})
	go func() {
		defer close(listening)
		c.listen(bufio.NewReader(f))
	}()
	c.ns.t.Cleanup(func() {
		f.Close()
		<-listening
	})
	return c.program.prepare(c)
}

// hook is the path of the script; its pipe is the file "events" in the same folder.
func (c *Client) hook() string { return filepath.Join(c.dir, "hook", "script") }

// file is the path of one of the program's own files.
func (c *Client) file(name string) string { return filepath.Join(c.dir, name) }

// listen turns the script's output into events: variables ended by NUL, an empty one at the end.
func (c *Client) listen(r *bufio.Reader) {
	env := map[string]string{}
	for {
		variable, err := r.ReadString(0)
		if err != nil {
			return // the pipe was closed: the test is over
		}
		if variable = strings.TrimSuffix(variable, "\x00"); variable != "" {
			key, value, _ := strings.Cut(variable, "=")
			env[key] = value
			continue
		}
		select {
		case c.heard <- event{meaning: c.program.meaning(env["event"]), env: env}:
		default: // 256 events wait to be read: keep the oldest
		}
		env = map[string]string{}
	}
}

// Acquire starts the program and waits until it has a lease, which it then keeps in use. The error
// is ErrNoLease if it gave up. A client that was stopped while it had a lease first asks for that
// one again (INIT-REBOOT), except udhcpc and systemd-networkd, which have no memory.
func (c *Client) Acquire(ctx context.Context) (Lease, error) {
	if err := c.Stop(); err != nil {
		return Lease{}, err
	}
	c.Forget()
	cmd := c.program.command(c)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"}
	cmd.Dir = c.dir
	process, err := c.ns.start(cmd)
	if err != nil {
		return Lease{}, err
	}
	c.process = process
	patience, cancel := context.WithTimeout(ctx, c.opts.Patience+grace)
	defer cancel()
	// A lease lost while rebooting is not the end: the program goes on with DISCOVER.
	e, err := c.next(patience, granted, gaveUp)
	switch {
	case err != nil && patience.Err() != nil && ctx.Err() == nil:
		// Not every program gives up by itself.
		return Lease{}, fmt.Errorf("%w in %v: %s", ErrNoLease, c.opts.Patience, process.Output())
	case err != nil:
		return Lease{}, err
	case e.meaning == gaveUp:
		return Lease{}, fmt.Errorf("%w: %s", ErrNoLease, process.Output())
	}
	if err := process.WaitOutput(patience, c.program.settled()); err != nil {
		return Lease{}, err
	}
	return c.program.lease(e.env)
}

// Renew makes the program renew its lease and waits for the outcome; the error is ErrLost if the
// server refused. udhcpc renews by unicast (RENEWING); dhcpcd asks by broadcast (REBINDING);
// dhclient and systemd-networkd have no such command: Renew waits until they renew by themselves, at T1.
func (c *Client) Renew(ctx context.Context) (Lease, error) {
	ctx, cancel := context.WithTimeout(ctx, answerWait)
	defer cancel()
	c.Forget()
	if err := c.program.renew(ctx, c); err != nil {
		return Lease{}, err
	}
	e, err := c.next(ctx, granted, lost, gaveUp)
	if err != nil {
		return Lease{}, err
	}
	if e.meaning != granted {
		return Lease{}, fmt.Errorf("%w: %s", ErrLost, c.process.Output())
	}
	return c.program.lease(e.env)
}

// Release makes the program send RELEASE and end.
func (c *Client) Release(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, answerWait)
	defer cancel()
	c.Forget()
	if err := c.program.release(ctx, c); err != nil {
		return err
	}
	return c.Stop()
}

// Stop ends the program without RELEASE, as switching the host off would. The interface may keep
// its address.
func (c *Client) Stop() error {
	if c.process == nil {
		return nil
	}
	return c.process.end(c.program.off())
}

// Next waits for what happens next without being asked for, such as after the carrier came back;
// the error is ErrLost if the server refused. Events since the last wait or Forget count, too.
func (c *Client) Next(ctx context.Context) (Lease, error) {
	ctx, cancel := context.WithTimeout(ctx, c.opts.Patience+grace)
	defer cancel()
	e, err := c.next(ctx, granted, lost)
	if err != nil {
		return Lease{}, err
	}
	if e.meaning == lost {
		return Lease{}, fmt.Errorf("%w: %s", ErrLost, c.process.Output())
	}
	return c.program.lease(e.env)
}

// Output is what the program has printed since the last Acquire.
func (c *Client) Output() string {
	if c.process == nil {
		return ""
	}
	return c.process.Output()
}

// Forget drops the events that were not waited for.
func (c *Client) Forget() {
	for {
		select {
		case <-c.heard:
		default:
			return
		}
	}
}

// next waits for an event of one of the kinds.
func (c *Client) next(ctx context.Context, kinds ...meaning) (event, error) {
	for {
		select {
		case e := <-c.heard:
			for _, kind := range kinds {
				if e.meaning == kind {
					return e, nil
				}
			}
		case <-c.process.Done():
			return event{}, fmt.Errorf("%w: the program ended: %s", ErrNoLease, c.process.Output())
		case <-ctx.Done():
			return event{}, fmt.Errorf("wait for DHCP client: %w: %s", ctx.Err(), c.process.Output())
		}
	}
}
