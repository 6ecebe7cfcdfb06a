//go:build linux

package wire

import (
	"context"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/test/integration"
	"github.com/coredhcp-netbox/coredhcp-netbox/test/netns"
)

// ports are NetBox: a relay, whose ports are named as its interfaces are, and what is plugged in.
const ports = `prefixes: [{prefix: 10.9.0.0/24}, {prefix: 10.10.0.0/24}, {prefix: 10.20.0.0/24}]
ip_addresses:
  - {address: 10.10.0.100-10.10.0.103/24, tags: [DHCP]}
  - {address: 10.20.0.100-10.20.0.103/24, tags: [DHCP]}
devices:
  - name: access1
    interfaces:
      - {name: up, ip_addresses: [{address: 10.9.0.2/24}]}
      - {name: Vlan10, ip_addresses: [{address: 10.10.0.1/24}]}
      - {name: Vlan20, ip_addresses: [{address: 10.20.0.1/24}]}
      - {name: Ethernet5, connected_endpoint: {device: printer, name: eth0}}
      - {name: Ethernet6, connected_endpoint: {device: camera, name: eth0}}
  - {name: printer, interfaces: [{name: eth0, ip_addresses: [{address: 10.10.0.50/24}]}]}
  - {name: camera, interfaces: [{name: eth0, ip_addresses: [{address: 10.20.0.50/24}]}]}
`

// CL-13, CL-15, CL-16: behind a relay that is listed, a machine that NetBox does not know has the
// address of its port, also after it renewed past the relay; behind one that is not it gets what a
// stranger gets.
func TestAMachineHasTheAddressOfItsSwitchPort(t *testing.T) {
	netns.Require(t, "udhcpc", "dhcrelay")
	n := netns.New(t)
	server, router := n.Namespace("server"), n.Namespace("router")
	n.Link(server, "eth0", router, "up")
	server.AddAddr("eth0", netip.PrefixFrom(serverAddr, 24))
	router.AddAddr("up", netip.MustParsePrefix("10.9.0.2/24"))
	router.Forward()
	relay := netns.Relay{Down: "eth5", More: []string{"eth6"}, Up: "up", Server: serverAddr, AgentOption: true}
	hosts := make(map[string]*netns.Namespace)
	for i, port := range []string{"eth5", "eth6"} {
		hosts[port] = n.Namespace("host" + port)
		n.Link(hosts[port], "wire", router, port)
		hosts[port].Socket("wire", "eth0", net.HardwareAddr{2, 0, 0, 0, 1, byte(i)})
	}
	for port, network := range map[string]string{"eth5": "10.10.0.0/24", "eth6": "10.20.0.0/24"} {
		prefix := netip.MustParsePrefix(network)
		router.AddAddr(port, netip.PrefixFrom(prefix.Addr().Next(), 24))
		server.AddRoute(prefix, netip.MustParseAddr("10.9.0.2"))
	}
	serveWith(t, server, ports, "  lease: {time: 20s, min: 20s}\n  claims: {prefixes: [10.10.0.0/24, 10.20.0.0/24], port: true}\n  network: {circuits: {relays: [10.10.0.1]}}\n")
	if _, err := netns.Dhcrelay(t.Context(), router, relay); err != nil {
		t.Fatal(err)
	}
	for port, want := range map[string]string{"eth5": "10.10.0.50/24", "eth6": "10.20.0.100/24"} {
		client := netns.Udhcpc(hosts[port], "eth0", netns.Options{Patience: patience})
		if lease := acquire(t, client); lease.Addr != netip.MustParsePrefix(want) {
			t.Errorf("%s: leased %v, want %s", port, lease.Addr, want)
		}
		for range 2 {
			if lease, err := client.Renew(t.Context()); err != nil || lease.Addr != netip.MustParsePrefix(want) || lease.Time < 19*time.Second {
				t.Errorf("%s: renewed %+v, %v, want %s for its whole time", port, lease, err, want)
			}
		}
	}
}

// serveWith starts a server with an inventory, and further keys of the netbox: section.
func serveWith(t *testing.T, ns *netns.Namespace, inventory, more string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"inventory.yml": inventory,
		"config.yml":    "server4:\n  listen: [\"%eth0\"]\n  plugins:\n    - netbox:\n    - nak: authoritative\nnetbox:\n  inventory: inventory.yml\n  store: {path: state}\n" + more,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	process, err := ns.Start(integration.Program(t), "serve", "--conf", filepath.Join(dir, "config.yml"), "--loglevel", "debug")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := process.WaitOutput(ctx, "serving DHCPv4"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			lines := strings.Split(process.Output(), "\n")
			t.Log(strings.Join(lines[max(0, len(lines)-60):], "\n"))
		}
	})
}
