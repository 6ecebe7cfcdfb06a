//go:build linux

package wire

import (
	"context"
	"errors"
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

// facts are NetBox: an office VLAN with two subnets, and the lab network, which is another wire.
const facts = `sites: [{name: s1}]
prefixes:
  - {prefix: 10.9.0.0/24, site: s1}
  - {prefix: 10.10.0.0/24, site: s1, vlan: office}
  - {prefix: 10.20.0.0/24, site: s1, vlan: office}
  - {prefix: 10.30.0.0/24, site: s1, vlan: lab}
ip_addresses:
  - {address: 10.10.0.1/24, tags: [Gateway]}
  - {address: 10.20.0.1/24, tags: [Gateway]}
  - {address: 10.30.0.1/24, tags: [Gateway]}
  - {address: 10.10.0.100-10.10.0.103/24, tags: [DHCP]}
  - {address: 10.30.0.100-10.30.0.103/24, tags: [DHCP]}
devices:
  - {name: first, site: s1, interfaces: [{name: eth0, mac_address: "02:00:00:00:00:0a", ip_addresses: [{address: 10.10.0.10/24}]}]}
  - {name: second, site: s1, interfaces: [{name: eth0, mac_address: "02:00:00:00:00:14", ip_addresses: [{address: 10.20.0.10/24}]}]}
`

// patience is how long a client tries on an overloaded machine.
const patience = time.Minute

var (
	serverAddr = netip.MustParseAddr("10.9.0.1")
	office     = netip.MustParsePrefix("10.10.0.0/24")
	lab        = netip.MustParsePrefix("10.30.0.0/24")
)

// program is one client program. replug says that it remembers its address over a loss of the
// carrier and not over its own end; noMemory, over neither.
type program struct {
	name             string
	run              func(*netns.Namespace, string, netns.Options) *netns.Client
	replug, noMemory bool
}

func programs() []program {
	return []program{
		{name: "udhcpc", run: netns.Udhcpc, noMemory: true},
		{name: "dhclient", run: netns.Dhclient},
		{name: "dhcpcd", run: netns.Dhcpcd},
		{name: "systemd-networkd", run: netns.Networkd, replug: true},
	}
}

// site is a server, a router with a relay that sends from its interface towards the server, and
// one client's host whose cable can be moved.
type site struct {
	t             *testing.T
	server, patch *netns.Namespace
	host          *netns.Namespace
}

// newSite makes the networks and starts server and relay. The lease settings are in braces.
func newSite(t *testing.T, bin, lease string, mac byte) *site {
	t.Helper()
	n := netns.New(t)
	s := &site{t: t, server: n.Namespace("server"), patch: n.Namespace("patch"), host: n.Namespace("host")}
	router := n.Namespace("router")
	n.Link(s.server, "eth0", router, "up")
	n.Link(s.host, "wire", s.patch, "host")
	s.host.Socket("wire", "eth0", net.HardwareAddr{2, 0, 0, 0, 0, mac})
	for _, wire := range []string{"office", "lab"} {
		n.Link(router, wire, s.patch, wire)
		s.cable("add", "name", "br-"+wire, "type", "bridge", "forward_delay", "0")
		s.cable("set", "dev", "br-"+wire, "up")
		s.cable("set", "dev", wire, "master", "br-"+wire)
	}
	s.server.AddAddr("eth0", netip.PrefixFrom(serverAddr, 24))
	router.AddAddr("up", netip.MustParsePrefix("10.9.0.2/24"))
	router.AddAddr("office", netip.MustParsePrefix("10.10.0.1/24"))
	router.AddAddr("office", netip.MustParsePrefix("10.20.0.1/24")) // secondary: giaddr is the first
	router.AddAddr("lab", netip.MustParsePrefix("10.30.0.1/24"))
	router.Forward()
	for _, to := range []string{"10.10.0.0/24", "10.20.0.0/24", "10.30.0.0/24"} {
		s.server.AddRoute(netip.MustParsePrefix(to), netip.MustParseAddr("10.9.0.2"))
	}
	s.serve(bin, lease)
	relay := netns.Relay{Down: "office", More: []string{"lab"}, Up: "up", Server: serverAddr, AgentOption: true}
	if _, err := netns.Dhcrelay(t.Context(), router, relay); err != nil {
		t.Fatal(err)
	}
	s.cable("set", "dev", "host", "master", "br-office")
	return s
}

func (s *site) serve(bin, lease string) {
	s.t.Helper()
	dir := s.t.TempDir()
	for name, text := range map[string]string{
		"inventory.yml": facts,
		"config.yml": "server4:\n  listen: [\"%eth0\"]\n  plugins:\n    - netbox:\n    - netbox_gateway:\n    - netbox_dns:\n    - nak: authoritative\n" +
			"netbox:\n  inventory: inventory.yml\n  store: {path: state}\n  lease: " + lease + "\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	process, err := s.server.Start(bin, "serve", "--conf", filepath.Join(dir, "config.yml"), "--loglevel", "debug")
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	if err := process.WaitOutput(ctx, "serving DHCPv4"); err != nil {
		s.t.Fatal(err)
	}
}

// cable works at the patch panel.
func (s *site) cable(args ...string) {
	s.t.Helper()
	if out, err := s.patch.Command(s.t.Context(), "ip", append([]string{"link"}, args...)...).CombinedOutput(); err != nil {
		s.t.Fatalf("ip link %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// again lets the host ask for its address of before, on the wire given: by INIT-REBOOT.
func (s *site) again(p program, c *netns.Client, wire string) (netns.Lease, error) {
	s.t.Helper()
	if !p.replug {
		s.cable("set", "dev", "host", "master", "br-"+wire)
		return c.Acquire(s.t.Context())
	}
	s.host.Unplug("eth0", true)
	s.cable("set", "dev", "host", "master", "br-"+wire)
	c.Forget()
	s.host.Unplug("eth0", false)
	lease, err := c.Next(s.t.Context())
	if errors.Is(err, netns.ErrLost) { // it goes on by itself
		return c.Next(s.t.Context())
	}
	return lease, err
}

func acquire(t *testing.T, c *netns.Client) netns.Lease {
	t.Helper()
	lease, err := c.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return lease
}

// each tells one story of each program, one after another: a machine with few cores is slow.
func each(t *testing.T, tell func(t *testing.T, bin string, p program)) {
	netns.Require(t, "udhcpc", "dhclient", "dhcpcd", "/lib/systemd/systemd-networkd", "dhcrelay")
	bin := integration.Program(t)
	for _, p := range programs() {
		t.Run(p.name, func(t *testing.T) { tell(t, bin, p) })
	}
}

// N-8, D-29: the relay names the wire by its first address; the client's static address is in the
// second subnet, and is offered, confirmed after a reboot, and renewed.
func TestAStaticAddressInTheSecondSubnetOfTheVLANIsTheClients(t *testing.T) {
	each(t, func(t *testing.T, bin string, p program) {
		s := newSite(t, bin, "{time: 12s, min: 12s}", 0x14)
		client := p.run(s.host, "eth0", netns.Options{Patience: patience})
		want := netip.MustParsePrefix("10.20.0.10/24")
		lease := acquire(t, client)
		if lease.Addr != want || len(lease.Routers) != 1 || lease.Routers[0] != netip.MustParseAddr("10.20.0.1") {
			t.Errorf("leased %v with routers %v, want %v with that subnet's", lease.Addr, lease.Routers, want)
		}
		if lease.ServerID != serverAddr {
			t.Errorf("leased from %v", lease.ServerID)
		}
		if renewed, err := client.Renew(t.Context()); err != nil || renewed.Addr != want {
			t.Errorf("renewed %v, %v", renewed.Addr, err)
		}
		if p.noMemory {
			return
		}
		if lease, err := s.again(p, client, "office"); err != nil || lease.Addr != want {
			t.Errorf("after a reboot: %v, %v", lease.Addr, err)
		}
		if out := client.Output(); strings.Contains(out, "NAK") {
			t.Errorf("refused:\n%s", out)
		}
	})
}

// D-7, D-29: a client that moved to another wire is refused its address and gets one of the wire
// it is on; back home its address of before is confirmed or another one of home is given.
func TestAClientThatMovedToAnotherWireIsRefusedItsOldAddress(t *testing.T) {
	each(t, func(t *testing.T, bin string, p program) {
		s := newSite(t, bin, "{time: 10m}", 0x77)
		client := p.run(s.host, "eth0", netns.Options{Patience: patience})
		if lease := acquire(t, client); !office.Contains(lease.Addr.Addr()) {
			t.Fatalf("leased %v in the office", lease.Addr)
		}
		lease, err := s.again(p, client, "lab")
		if err != nil || !lab.Contains(lease.Addr.Addr()) {
			t.Fatalf("in the lab: %v, %v", lease.Addr, err)
		}
		if out := client.Output(); !p.noMemory && !strings.Contains(out, "NAK") {
			t.Errorf("was not refused its old address:\n%s", out)
		}
		if lease, err := s.again(p, client, "office"); err != nil || !office.Contains(lease.Addr.Addr()) {
			t.Errorf("back in the office: %v, %v", lease.Addr, err)
		}
	})
}

// D-1, A-3: known and unknown machines of the first subnet get its addresses.
func TestTheFirstSubnetIsServedAsEver(t *testing.T) {
	each(t, func(t *testing.T, bin string, p program) {
		s := newSite(t, bin, "{time: 10m}", 0x0a)
		client := p.run(s.host, "eth0", netns.Options{Patience: patience})
		if lease := acquire(t, client); lease.Addr != netip.MustParsePrefix("10.10.0.10/24") {
			t.Errorf("leased %v, want the static address", lease.Addr)
		}
		if err := client.Release(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
