//go:build linux

package scenario

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/test/netns"
)

// site is the network of one story: a host for the server, from which NetBox can be reached.
type site struct {
	*netns.Net
	t      *testing.T
	lab    *lab
	server *netns.Namespace
	patch  *netns.Namespace // where cables end that are to be moved
}

func newSite(t *testing.T, l *lab) *site {
	t.Helper()
	s := &site{Net: netns.New(t), t: t, lab: l}
	s.server = s.Namespace("server")
	s.server.ForwardIn(l.netbox.Addr(t), l.netbox.Addr(t))
	return s
}

// lan makes a segment with the server on it, at its first address.
func (s *site) lan(ifname string, n int) *netns.Segment {
	s.t.Helper()
	lan := s.Segment(ifname)
	lan.Attach(s.server, ifname)
	s.server.AddAddr(ifname, ip(n, 1))
	return lan
}

// host plugs a host's eth0 into a segment.
func (s *site) host(name string, lan *netns.Segment, mac net.HardwareAddr) *netns.Namespace {
	s.t.Helper()
	ns := s.Namespace(name)
	lan.Attach(ns, "eth0")
	ns.SetMAC("eth0", mac)
	return ns
}

// reachable cuts the server off from NetBox, as if that had been stopped, or ends the outage.
func (s *site) reachable(yes bool) {
	s.t.Helper()
	s.server.SetUp("lo", yes)
}

// plan says what a server's settings differ in.
type plan struct {
	listen string // the line; empty: none
	nak    string // argument of nak; empty: not loaded
	lease  string // settings of the lease section, in braces
	state  string // folder; empty: a new one
	poll   string // interval; empty: 5s
	token  string // file; empty: that of the lab
	// dynamic is one more setting of that section, and more are lines below netbox.
	dynamic, more string
	// metrics has the server show them at metricsAt.
	metrics bool
}

// server is a running program under test.
type server struct {
	*netns.Process
	conf string
}

// settings writes a settings file and returns its path.
func (s *site) settings(p plan) string {
	s.t.Helper()
	l := s.lab
	if p.state == "" {
		p.state = s.t.TempDir()
	}
	interval := cmp.Or(p.poll, "5s")
	var text strings.Builder
	text.WriteString("server4:\n")
	if p.listen != "" {
		fmt.Fprintf(&text, "  listen: %s\n", p.listen)
	}
	text.WriteString("  plugins:\n    - netbox:\n    - netbox_gateway:\n    - netbox_dns:\n    - netbox_pxe:\n")
	if p.nak != "" {
		fmt.Fprintf(&text, "    - nak: %s\n", p.nak)
	}
	fmt.Fprintf(&text, "netbox:\n  url: %s\n  token_file: %q\n  vrf: %s\n", l.netbox.URL, cmp.Or(p.token, l.token), l.name("lab"))
	fmt.Fprintf(&text, "  timeout: 30s\n  poll: {interval: %s}\n  store: {path: %q}\n", interval, p.state)
	if p.metrics {
		fmt.Fprintf(&text, "  metrics: {listen: %q}\n", metricsAt)
	}
	if p.lease != "" {
		fmt.Fprintf(&text, "  lease: %s\n", p.lease)
	}
	fmt.Fprintf(&text, "  dynamic: {tag: %s, %s}\n  gateway: {tag: %s}\n", l.name("DHCP"), cmp.Or(p.dynamic, "write_back: existing"), l.name("Gateway"))
	text.WriteString(p.more)
	fmt.Fprintf(&text, "  fields: {mac: %s, expire: %s}\n", l.field("pydhcp_mac"), l.field("pydhcp_expire"))
	path := filepath.Join(s.t.TempDir(), "config.yml")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// serve starts the program and waits until it has a snapshot of NetBox and serves.
func (s *site) serve(p plan) *server {
	s.t.Helper()
	return s.start(s.settings(p), "snapshot of NetBox replaced")
}

// start runs the program on a settings file until it serves and has said sign.
func (s *site) start(conf, sign string) *server {
	s.t.Helper()
	process, err := s.server.Start(s.lab.bin, "serve", "--conf", conf, "--loglevel", "debug")
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), bearable)
	defer cancel()
	for _, text := range []string{"serving DHCPv4", sign} {
		if err := process.WaitOutput(ctx, text); err != nil {
			s.t.Fatal(err)
		}
	}
	return &server{Process: process, conf: conf}
}

// stop ends the server in order and checks that it closed everything.
func (s *site) stop(srv *server) {
	s.t.Helper()
	if err := srv.Stop(); err != nil {
		s.t.Fatal(err)
	}
}

// kill ends the server as a power cut would.
func (s *site) kill(srv *server) {
	s.t.Helper()
	if err := srv.Signal(syscall.SIGKILL); err != nil {
		s.t.Fatal(err)
	}
	<-srv.Done()
}

// patient clients retry for as long as an overloaded machine may need.
func patient() netns.Options { return netns.Options{Patience: bearable} }

// acquire gets a lease or fails.
func acquire(t *testing.T, c *netns.Client) netns.Lease {
	t.Helper()
	lease, err := c.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return lease
}

// getsNothing runs a client for a few seconds that no server may answer.
func getsNothing(t *testing.T, ns *netns.Namespace, ifname string) {
	t.Helper()
	lease, err := netns.Udhcpc(ns, ifname, netns.Options{Patience: 3 * time.Second}).Acquire(t.Context())
	if !errors.Is(err, netns.ErrNoLease) {
		t.Errorf("got %v, %v, want no lease", lease.Addr, err)
	}
}
