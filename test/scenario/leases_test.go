//go:build linux

package scenario

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/test/netns"
)

type program struct {
	name string
	run  func(*netns.Namespace, string, netns.Options) *netns.Client
}

func programs() []program {
	return []program{{"udhcpc", netns.Udhcpc}, {"dhclient", netns.Dhclient}, {"dhcpcd", netns.Dhcpcd}}
}

// docs/promises.md: dynamic lease by tag DHCP; pydhcp_mac and pydhcp_expire. N-5, A-1, A-3, A-6, S-4, S-10
func dynamicClients(t *testing.T, l *lab) {
	s := newSite(t, l)
	near, far := s.lan("eth0", netDirect), s.Segment("far")
	relay := s.Namespace("relay")
	near.Attach(relay, "up")
	far.Attach(relay, "down")
	relay.AddAddr("up", ip(netDirect, 2))
	relay.AddAddr("down", ip(netRelayed, 1))
	relay.Forward()
	s.server.AddRoute(network(netRelayed), host(netDirect, 2))
	s.keep("eth0", "direct-and-relayed")
	s.serve(plan{listen: `["%eth0"]`, nak: "authoritative", lease: "{time: 10m}"})
	if _, err := netns.Dhcrelay(t.Context(), relay, netns.Relay{Down: "down", Up: "up", Server: host(netDirect, 1)}); err != nil {
		t.Fatal(err)
	}
	type granted struct {
		addr     netip.Prefix
		mac      string
		from, to time.Time
	}
	var all []granted
	for i, segment := range []*netns.Segment{near, far} {
		n := []int{netDirect, netRelayed}[i]
		for j, p := range programs() {
			mac := l.mac(byte(macVisitor + 10 + 3*i + j))
			client := p.run(s.host(fmt.Sprintf("%s-%d", p.name, i), segment, mac), "eth0", patient())
			before := time.Now()
			lease := acquire(t, client)
			all = append(all, granted{lease.Addr, mac.String(), before.Add(lease.Time), time.Now().Add(lease.Time)})
			if want := []netip.Prefix{ip(n, 100), ip(n, 101), ip(n, 102)}; !slices.Contains(want, lease.Addr) {
				t.Errorf("%s on network %d: leased %v, want one of %v", p.name, n, lease.Addr, want)
			}
			if lease.ServerID != host(netDirect, 1) || lease.Time != 10*time.Minute {
				t.Errorf("%s on network %d: server %v, time %v", p.name, n, lease.ServerID, lease.Time)
			}
		}
	}
	for i, g := range all {
		if slices.ContainsFunc(all[:i], func(o granted) bool { return o.addr == g.addr }) {
			t.Errorf("%s was given twice", g.addr)
		}
		r := l.awaitRecord(t, g.addr, g.mac, between(g.from, g.to))
		if r.Writes != 1 {
			t.Errorf("%s: %d writes for one lease", g.addr, r.Writes)
		}
	}
}

// docs/promises.md: renew, release; pydhcp_mac is kept after RELEASE. D-12, D-14, D-19, A-4
func renewAndRelease(t *testing.T, l *lab) {
	s := newSite(t, l)
	lan := s.lan("eth0", netRenew)
	s.keep("eth0", "renewed-and-released")
	// dhclient renews by itself only, at half the time.
	s.serve(plan{listen: `["%eth0"]`, nak: "authoritative", lease: "{time: 12s, min: 12s}"})
	for i, p := range programs() {
		mac := l.mac(byte(macVisitor + 20 + i))
		client := p.run(s.host(p.name, lan, mac), "eth0", patient())
		first := acquire(t, client)
		before := time.Now()
		again, err := client.Renew(t.Context())
		if err != nil {
			t.Fatalf("%s: renew: %v", p.name, err)
		}
		if again.Addr != first.Addr {
			t.Errorf("%s: renewed %v, had %v", p.name, again.Addr, first.Addr)
		}
		l.awaitRecord(t, first.Addr, mac.String(), func(at time.Time) bool {
			return !at.Before(before.Add(again.Time - 2*time.Second)) // or later: it renews on
		})
		before = time.Now()
		if err := client.Release(t.Context()); err != nil {
			t.Fatalf("%s: release: %v", p.name, err)
		}
		l.awaitRecord(t, first.Addr, mac.String(), between(before, time.Now()))
	}
}

// trip is a laptop whose cable can be moved from the network home to the network away.
type trip struct {
	*site
	laptop *netns.Namespace
}

func newTrip(t *testing.T, l *lab, home, away int, mac byte) *trip {
	t.Helper()
	s := newSite(t, l)
	s.patch = s.Namespace("patch-panel")
	laptop := s.Namespace("laptop")
	s.Link(laptop, "eth0", s.patch, "laptop")
	laptop.SetMAC("eth0", l.mac(mac))
	for name, n := range map[string]int{"home": home, "away": away} {
		s.Link(s.server, name, s.patch, name)
		s.server.AddAddr(name, ip(n, 1))
		s.wire("add", "name", "br-"+name, "type", "bridge", "forward_delay", "0")
		s.wire("set", "dev", "br-"+name, "up")
		s.wire("set", "dev", name, "master", "br-"+name)
	}
	tr := &trip{site: s, laptop: laptop}
	tr.plug("home")
	return tr
}

func (tr *trip) plug(where string) { tr.wire("set", "dev", "laptop", "master", "br-"+where) }

// wire works at the patch panel.
func (s *site) wire(args ...string) {
	s.t.Helper()
	cmd := s.patch.Command(s.t.Context(), "ip", append([]string{"link"}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("ip link %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// docs/promises.md: authoritative: NAK. D-7
func movedClientIsRefused(t *testing.T, l *lab) {
	for i, p := range programs()[1:] { // udhcpc forgets its address when it ends
		tr := newTrip(t, l, netHome, netAway, byte(macVisitor+30+i))
		srv := tr.serve(plan{listen: `["%home", "%away"]`, nak: "authoritative"})
		client := p.run(tr.laptop, "eth0", patient())
		if lease := acquire(t, client); !network(netHome).Contains(lease.Addr.Addr()) {
			t.Fatalf("%s: leased %v at home", p.name, lease.Addr)
		}
		tr.plug("away")
		lease := acquire(t, client)
		if !network(netAway).Contains(lease.Addr.Addr()) {
			t.Errorf("%s: leased %v away", p.name, lease.Addr)
		}
		if out := client.Output(); !strings.Contains(out, "NAK") {
			t.Errorf("%s was not refused its old address:\n%s", p.name, out)
		}
		tr.stop(srv)
	}
}

// docs/promises.md: non-authoritative: ignore. D-7
func movedClientMeetsSilence(t *testing.T, l *lab) {
	tr := newTrip(t, l, netHome2, netAway2, macVisitor+35)
	tr.serve(plan{listen: `["%home", "%away"]`})
	client := netns.Dhclient(tr.laptop, "eth0", patient())
	acquire(t, client)
	tr.plug("away")
	lease := acquire(t, client)
	if !network(netAway2).Contains(lease.Addr.Addr()) {
		t.Errorf("leased %v away", lease.Addr)
	}
	out := client.Output()
	if !strings.Contains(out, "DHCPREQUEST for "+host(netHome2, 100).String()) {
		t.Errorf("the client did not ask for its old address:\n%s", out)
	}
	if strings.Contains(out, "NAK") {
		t.Errorf("refused without nak in the chain:\n%s", out)
	}
}
