//go:build linux

package scenario

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/test/integration"
	"github.com/coredhcp-netbox/coredhcp-netbox/test/netns"
)

// voice is the data of a context for phones.
func voice(tftp, lease string) map[string]any {
	return map[string]any{"pydhcp_configuration": map[string]any{
		"options": map[string]any{"tftp-server-name": tftp}, "lease_time": lease,
	}}
}

// Prefix tags and weights of contexts, and an edit that reaches the next answer. CTX-1,
// CTX-4, OPT-7, OPT-8, H-2
func contextsReachTheClient(t *testing.T, l *lab) {
	s := newSite(t, l)
	lan := s.lan("eth0", netContext)
	srv := s.serve(plan{listen: `["%eth0"]`, poll: "1s"})
	phone := netns.Udhcpc(s.host("phone", lan, l.mac(macVisitor+60)), "eth0", netns.Options{Patience: bearable, Request: []uint8{66}})
	lease := acquire(t, phone)
	if lease.TFTPServer != "10.50.22.6" || lease.Time != 20*time.Minute {
		t.Errorf("told %q for %v, want what the heavier context says", lease.TFTPServer, lease.Time)
	}
	l.expect(t, nil, 0, []string{"explain", "--conf", srv.conf, "--mac", l.mac(macVisitor + 61).String(), "--local", host(netContext, 1).String(), "--option", "55=66"},
		"10.50.22.6", l.name("phones"), l.name("voice"))

	light := l.seed.ID(t, "extras/config-contexts", l.name("voice"))
	heavy := l.seed.ID(t, "extras/config-contexts", l.name("phones"))
	patch := func(path string, id int64, fields map[string]any) {
		t.Helper()
		l.netbox.Call(t, http.MethodPatch, fmt.Sprintf("%s/%d/", path, id), fields, nil)
	}
	becomes := func(when, tftp string, lasts time.Duration) {
		t.Helper()
		await(t, bearable, func() error {
			lease, err := phone.Renew(t.Context())
			if err != nil || lease.TFTPServer != tftp || lease.Time != lasts {
				return fmt.Errorf("%s: told %q for %v, %w", when, lease.TFTPServer, lease.Time, err)
			}
			return nil
		})
	}
	patch("extras/config-contexts", light, map[string]any{"weight": 3000})
	becomes("the other context is the heavier one", "10.50.22.5", 10*time.Minute)
	patch("extras/config-contexts", light, map[string]any{"is_active": false})
	becomes("it is not active", "10.50.22.6", 20*time.Minute)
	patch("extras/config-contexts", heavy, map[string]any{"data": voice("10.50.22.7", "30m")})
	becomes("the data of a context changed", "10.50.22.7", 30*time.Minute)
	patch("ipam/prefixes", l.seed.ID(t, "ipam/prefixes", l.name("lab")+" "+network(netContext).String()), map[string]any{"tags": []int64{}})
	becomes("the prefix has no tag", "", time.Hour)
}

// The three ways in which leases of a range are shown in NetBox. N-14, S-17, S-18
func rangesArePools(t *testing.T, l *lab) {
	admin := l.netbox
	field := map[string]any{"name": "dhcp_made_for_lease", "type": "text", "object_types": []string{"ipam.ipaddress"}}
	if admin.find(t, "extras/custom-fields", "dhcp_made_for_lease") == 0 {
		admin.Call(t, http.MethodPost, "extras/custom-fields/", field, nil)
		t.Cleanup(func() { admin.remove(t, "extras/custom-fields", "dhcp_made_for_lease") })
	}
	token := filepath.Join(t.TempDir(), "token")
	may := append(integration.LeastPrivilege(), netboxtest.Grant{Object: "ipam.ipaddress", Actions: []string{"add", "delete"}})
	if err := os.WriteFile(token, []byte(l.limit(t, false, may...)), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newSite(t, l)
	lan := s.lan("eth0", netRange)
	objects := func(h int) int {
		t.Helper()
		return admin.count(t, fmt.Sprintf("ipam/ip-addresses/?address=%s&vrf_id=%d", host(netRange, h), l.seed.ID(t, "ipam/vrfs", l.name("lab"))))
	}
	become := func(h, want int) {
		t.Helper()
		await(t, bearable, func() error {
			if got := objects(h); got != want {
				return fmt.Errorf("%d objects of %v, want %d", got, host(netRange, h), want)
			}
			return nil
		})
	}
	first := s.serve(plan{listen: `["%eth0"]`, poll: "1s", token: token, dynamic: "write_back: leased", lease: "{reclaim_grace: 1s}"})
	guest := netns.Udhcpc(s.host("guest", lan, l.mac(macVisitor+62)), "eth0", patient())
	if lease := acquire(t, guest); lease.Addr != ip(netRange, 100) {
		t.Fatalf("leased %v, want the first of the range", lease.Addr)
	}
	become(100, 1)
	if err := guest.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	become(100, 0)
	s.stop(first)

	// What exists is kept up to date, and nothing is made.
	second := s.serve(plan{listen: `["%eth0"]`, poll: "1s"})
	for h := 100; h <= 101; h++ {
		c := netns.Udhcpc(s.host(fmt.Sprintf("exists%d", h), lan, l.mac(byte(macVisitor+63-100+h))), "eth0", patient())
		if lease := acquire(t, c); lease.Addr != ip(netRange, h) {
			t.Errorf("leased %v, want %v", lease.Addr, ip(netRange, h))
		}
	}
	l.awaitRecord(t, ip(netRange, 101), l.mac(macVisitor+64).String(), func(at time.Time) bool { return !at.IsZero() })
	s.stop(second)
	if n := objects(100); n != 0 {
		t.Errorf("%d objects were made", n)
	}

	// Nothing is told.
	third := s.serve(plan{listen: `["%eth0"]`, poll: "1s", dynamic: "write_back: none"})
	before := l.record(t, ip(netRange, 101))
	none := netns.Udhcpc(s.host("none", lan, l.mac(macVisitor+65)), "eth0", patient())
	lease := acquire(t, none)
	s.stop(third)
	if h := int(lease.Addr.Addr().As4()[3]); h < 100 || h > 109 || objects(h) != 0 {
		t.Errorf("leased %v, and NetBox has %d objects of it", lease.Addr, objects(h))
	}
	if after := l.record(t, ip(netRange, 101)); after != before {
		t.Errorf("the record became %+v, from %+v", after, before)
	}
}

// A replaced switch gets the address of its place by its serial number. Its server has a
// new store, so it runs before NetBox shows any lease (H-6, CL-8). CL-5, CL-6
func aReplacedSwitchFindsItsPlace(t *testing.T, l *lab) {
	s := newSite(t, l)
	lan := s.lan("eth0", netClaim)
	s.serve(plan{listen: `["%eth0"]`, poll: "1s", more: "  claims: {prefixes: [10.50.24.0/24], serial: true}\n"})
	l.netbox.Call(t, http.MethodPatch, fmt.Sprintf("dcim/devices/%d/", l.seed.ID(t, "dcim/devices", l.name("switch"))), map[string]any{"serial": "JPE" + l.run}, nil)
	class := "Arista;DCS-7050S-64;01.23;JPE" + l.run
	box := netns.Udhcpc(s.host("switch", lan, l.mac(macVisitor+66)), "eth0", netns.Options{Patience: bearable, VendorClass: class})
	await(t, bearable, func() error {
		lease, err := box.Acquire(t.Context())
		if err != nil || lease.Addr != ip(netClaim, 10) {
			return fmt.Errorf("leased %v, %w", lease.Addr, err)
		}
		return nil
	})
}
