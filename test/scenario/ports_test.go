//go:build linux

package scenario

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/test/netns"
)

// Machines that NetBox does not know come by port Ethernet5 of a relay that is listed: each gets
// the address of the device that NetBox has at the end of the cable then, and the one that has the
// address of the place before keeps it for its lease only. CL-13, CL-15, CL-16, CL-20, CL-22
func aSwitchPortIsAPlace(t *testing.T, l *lab) {
	s := newSite(t, l)
	near, port := s.lan("eth0", netUplink), s.Segment("port")
	access := s.Namespace("access")
	near.Attach(access, "up")
	port.Attach(access, "eth5")
	access.AddAddr("up", ip(netUplink, 2))
	access.AddAddr("eth5", ip(netPorts, 1))
	access.Forward()
	s.server.AddRoute(network(netPorts), host(netUplink, 2))
	srv := s.serve(plan{listen: `["%eth0"]`, poll: "1s", lease: "{time: 5m}",
		more: fmt.Sprintf("  claims: {prefixes: [%s], port: true}\n  network: {circuits: {relays: [%s]}}\n", network(netPorts), host(netPorts, 1))})
	if _, err := netns.Dhcrelay(t.Context(), access, netns.Relay{Down: "eth5", Up: "up", Server: host(netUplink, 1), AgentOption: true}); err != nil {
		t.Fatal(err)
	}
	// What a pool gave would show leases in NetBox, where later stories need none.
	leadsTo := func(mac byte, h int) {
		t.Helper()
		await(t, bearable, func() error {
			out, _ := l.command(t, nil, "explain", "--conf", srv.conf, "--mac", l.mac(mac).String(), "--relay", host(netPorts, 1).String(), "--circuit-id", "eth5")
			if !strings.Contains(out, ip(netPorts, h).String()) {
				return fmt.Errorf("the port does not lead to %v:\n%s", ip(netPorts, h), out)
			}
			return nil
		})
	}
	gets := func(name string, mac byte, h int) *netns.Client {
		t.Helper()
		leadsTo(mac, h)
		client := netns.Udhcpc(s.host(name, port, l.mac(mac)), "eth0", patient())
		if lease := acquire(t, client); lease.Addr != ip(netPorts, h) {
			t.Fatalf("%s: leased %v, want %v", name, lease.Addr, ip(netPorts, h))
		}
		return client
	}
	before := gets("before", macVisitor+67, 50)
	if lease, err := before.Renew(t.Context()); err != nil || lease.Addr != ip(netPorts, 50) || lease.Time != 5*time.Minute {
		t.Errorf("renewed past the relay: %+v, %v, want the address of the port for the whole time", lease, err)
	}

	cable := l.seed.ID(t, "dcim/cables", l.name("access")+" Ethernet5 - "+l.name("printer")+" eth0")
	camera := l.seed.ID(t, "dcim/interfaces", l.name("camera")+" eth0")
	l.netbox.Call(t, http.MethodPatch, fmt.Sprintf("dcim/cables/%d/", cable), map[string]any{
		"b_terminations": []map[string]any{{"object_type": "dcim.interface", "object_id": camera}}}, nil)
	gets("after", macVisitor+68, 60)
	if lease, err := before.Renew(t.Context()); err != nil || lease.Addr != ip(netPorts, 50) || lease.Time >= 5*time.Minute {
		t.Errorf("renewed after the cable was moved: %+v, %v, want what is left of the lease", lease, err)
	}
}
