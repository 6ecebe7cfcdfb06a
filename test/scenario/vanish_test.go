//go:build linux

package scenario

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/test/integration"
	"github.com/coredhcp-netbox/coredhcp-netbox/test/netns"
)

// metricsAt is where a server with metrics shows them.
var metricsAt = netip.MustParseAddrPort("127.0.0.1:9767")

// guests are leased clients of a story with a machine that has a static address.
type guests struct {
	*testing.T
	server *server
	all    map[*netns.Client]netip.Prefix
}

// newGuests starts a machine and two visitors on network n.
func newGuests(t *testing.T, l *lab, s *site, n int, p plan, known, visitor byte) *guests {
	t.Helper()
	lan := s.lan("eth0", n)
	g := &guests{t, s.serve(p), make(map[*netns.Client]netip.Prefix)}
	for i, mac := range []net.HardwareAddr{l.mac(known), l.mac(visitor), l.mac(visitor + 1)} {
		c := netns.Udhcpc(s.host(fmt.Sprintf("guest%d", i), lan, mac), "eth0", patient())
		g.all[c] = acquire(t, c).Addr
	}
	return g
}

// renew has each keep its address.
func (g *guests) renew(when string) {
	g.Helper()
	for c, addr := range g.all {
		if lease, err := c.Renew(g.Context()); err != nil || lease.Addr != addr {
			g.Errorf("%s: renewal of %v gave %v, %v\n%s", when, addr, lease.Addr, err, c.Output())
		}
	}
	if out := g.server.Output(); strings.Contains(out, "request refused") {
		g.Errorf("%s: a request was refused:\n%s", when, out)
	}
}

// says waits until the log says text.
func (g *guests) says(text string) {
	g.Helper()
	await(g.T, bearable, func() error {
		if out := g.server.Output(); !strings.Contains(out, text) {
			return fmt.Errorf("the log does not say %q:\n%s", text, out)
		}
		return nil
	})
}

// lost reads from the metrics how many IP addresses vanished.
func (s *site) lost(t *testing.T, want string) {
	t.Helper()
	await(t, bearable, func() error {
		page := s.page(t, metricsAt, "/metrics")
		if line := "coredhcp_netbox_rows_lost{table=\"IP addresses\"} " + want + "\n"; !strings.Contains(page, line) {
			return fmt.Errorf("no %s", line)
		}
		return nil
	})
}

// T-1, T-3: the token's view is narrowed while clients are served, and widened again.
func viewIsNarrowed(t *testing.T, l *lab) {
	s := newSite(t, l)
	// A token of its own, whose permission on addresses is narrowed.
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte(l.limit(t, false, integration.LeastPrivilege()...)), 0o600); err != nil {
		t.Fatal(err)
	}
	var found struct {
		Results []struct{ ID int64 }
	}
	l.netbox.get(t, "users/permissions/?object_type=ipam.ipaddress&ordering=-id&limit=1", &found)
	if len(found.Results) != 1 {
		t.Fatalf("permissions: %v", found)
	}
	see := func(constraints any) {
		t.Helper()
		l.netbox.Call(t, http.MethodPatch, fmt.Sprintf("users/permissions/%d/", found.Results[0].ID), map[string]any{"constraints": constraints}, nil)
	}
	p := plan{listen: `["%eth0"]`, nak: "authoritative", poll: "1s", token: token, metrics: true, state: t.TempDir()}
	g := newGuests(t, l, s, netNarrow, p, macNarrow, macVisitor+60)
	s.lost(t, "0")

	see(map[string]any{"id": l.addressID(t, ip(netStatic, 10))})
	s.stop(g.server) // the next server reads all that is shown
	g.server = s.start(g.server.conf, "NetBox read")
	g.says("objects vanished from NetBox without being deleted")
	g.renew("narrowed")
	if page := s.page(t, metricsAt, "/metrics"); strings.Contains(page, `rows_lost{table="IP addresses"} 0`) {
		t.Error("the metric says that nothing is lost")
	}

	see(nil)
	s.stop(g.server)
	g.server = s.start(g.server.conf, "NetBox read")
	s.lost(t, "0")
	g.renew("widened again")
}

// T-1, T-2, T-4: all addresses of a prefix are deleted in bulk and made anew.
func addressesAreMadeAnew(t *testing.T, l *lab) {
	s := newSite(t, l)
	p := plan{listen: `["%eth0"]`, nak: "authoritative", poll: "1s", metrics: true}
	g := newGuests(t, l, s, netBulk, p, macBulk, macVisitor+62)
	var list []map[string]any
	for _, h := range []int{10, 11, 12, 13, 100, 101} {
		list = append(list, map[string]any{"id": l.addressID(t, ip(netBulk, h))})
	}
	l.netbox.Call(t, http.MethodDelete, "ipam/ip-addresses/", list, nil)
	g.says("NetBox changed so much")
	s.lost(t, fmt.Sprint(len(list)))
	g.renew("deleted")

	for h, port := range map[int]string{10: "bulk", 11: "bulk1", 12: "bulk2", 13: "bulk3", 100: "", 101: ""} {
		fields := map[string]any{"address": ip(netBulk, h).String(), "vrf": l.seed.ID(t, "ipam/vrfs", l.name("lab"))}
		if port == "" {
			fields["tags"] = []int64{l.seed.ID(t, "extras/tags", l.name("DHCP"))}
		} else {
			fields["assigned_object_type"] = "dcim.interface"
			fields["assigned_object_id"] = l.seed.ID(t, "dcim/interfaces", l.name(port)+" eth0")
		}
		var made struct{ ID int64 }
		l.netbox.Call(t, http.MethodPost, "ipam/ip-addresses/", fields, &made)
		t.Cleanup(func() {
			l.netbox.Call(t, http.MethodDelete, "ipam/ip-addresses/", []map[string]any{{"id": made.ID}}, nil)
		})
	}
	s.lost(t, "0")
	g.renew("made anew")
}

// page reads a page of the server's own host.
func (s *site) page(t *testing.T, address netip.AddrPort, path string) (body string) {
	t.Helper()
	err := s.server.Do(func() error {
		conn, err := net.DialTCP("tcp4", nil, net.TCPAddrFromAddrPort(address))
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.0\r\n\r\n", path); err != nil {
			return err
		}
		all, err := io.ReadAll(conn)
		body = string(all)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return body
}
