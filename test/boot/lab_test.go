//go:build linux

package boot

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/test/integration"
	"github.com/coredhcp-netbox/coredhcp-netbox/test/netns"
)

// update writes what passed the network cards to plugins/pxe/testdata.
var update = flag.Bool("update", false, "write plugins/pxe/testdata/*.pcap anew")

const (
	// bootable bounds a boot, which takes 5 to 15 seconds on an idle machine.
	bootable = time.Minute
	webPort  = 8080
)

// lab is what all tests share: the binary, the NetBox and what it holds.
type lab struct {
	run    string // ends every name in NetBox
	bin    string
	netbox integration.NetBox
	seed   *netboxtest.Seeded
	token  string // file with the least-privilege token the server uses

	macBase [3]byte
}

// firmwareFiles are files of Debian packages that the stories need.
func firmwareFiles() []string {
	return []string{"/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/AAVMF/AAVMF_CODE.fd", "/usr/lib/ipxe/qemu/pxe-virtio.rom", "/usr/lib/ipxe/ipxe.efi", "/usr/lib/ipxe/undionly.kpxe"}
}

func newLab(t *testing.T) *lab {
	t.Helper()
	netns.Require(t, "qemu-system-x86_64", "qemu-system-aarch64", "dnsmasq", "dhcrelay", "grub-mknetdir")
	for _, file := range firmwareFiles() {
		if _, err := os.Stat(file); err != nil {
			t.Fatalf("%v: test/netns/install.sh installs it", err)
		}
	}
	var id [3]byte
	if _, err := rand.Read(id[:]); err != nil {
		t.Fatal(err)
	}
	l := &lab{run: hex.EncodeToString(id[:]), netbox: integration.RealNetBox(t), bin: integration.Program(t), macBase: id}
	limit := netboxtest.LimitByREST(l.netbox.URL, l.netbox.Token)
	l.token = filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(l.token, []byte(limit(t, false, integration.LeastPrivilege()...)), 0o600); err != nil {
		t.Fatal(err)
	}
	l.seed = netboxtest.Seed(t, l.netbox.URL, l.netbox.Token, l.world())
	t.Cleanup(func() { l.seed.Wipe(t) })
	return l
}

// name makes a name of this run, field that of a custom field.
func (l *lab) name(what string) string  { return what + " " + l.run }
func (l *lab) field(what string) string { return what + "_" + l.run }

// site is the network of one test: the DHCP server, from which NetBox can be reached, and the boot
// server beside it.
type site struct {
	*netns.Net
	t      *testing.T
	lab    *lab
	near   *netns.Segment
	server *netns.Namespace
	boot   *bootServer
}

func newSite(t *testing.T, l *lab) *site {
	t.Helper()
	s := &site{Net: netns.New(t), t: t, lab: l}
	s.server = s.Namespace("server")
	s.server.ForwardIn(l.netbox.Addr(t), l.netbox.Addr(t))
	s.near = s.Segment("near")
	s.near.Attach(s.server, "eth0")
	s.server.AddAddr("eth0", ip(near, serverHost))
	s.boot = startBootServer(s)
	return s
}

// reachable cuts the server off from NetBox, as if that had been stopped, or ends the outage.
func (s *site) reachable(yes bool) {
	s.t.Helper()
	s.server.SetUp("lo", yes)
}

// relayed makes the far network, whose messages a relay carries to the server.
func (s *site) relayed() *netns.Segment {
	s.t.Helper()
	lan, relay := s.Segment("far"), s.Namespace("relay")
	s.near.Attach(relay, "up")
	lan.Attach(relay, "down")
	relay.AddAddr("up", ip(near, relayHost))
	relay.AddAddr("down", ip(far, 1))
	relay.Forward()
	advertise(s.t, relay, "down", "fd00:60:2::")
	to := netip.PrefixFrom(host(far, 0), 24)
	s.server.AddRoute(to, host(near, relayHost))
	s.boot.host.AddRoute(to, host(near, relayHost))
	if _, err := netns.Dhcrelay(s.t.Context(), relay, netns.Relay{Down: "down", Up: "up", Server: host(near, serverHost)}); err != nil {
		s.t.Fatal(err)
	}
	return lan
}

// advertise makes a host the IPv6 router of a network: iPXE looks for one for 18 seconds before it
// goes on. More arguments are for dnsmasq.
func advertise(t *testing.T, ns *netns.Namespace, ifname, network string, args ...string) {
	t.Helper()
	ns.AddAddr(ifname, netip.MustParsePrefix(network+"5/64"))
	p, err := ns.Start("dnsmasq", append([]string{"--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--pid-file=", "--user=root", "--log-facility=-",
		"--interface=" + ifname, "--enable-ra", "--dhcp-range=" + network + ",ra-only,64"}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	await(t, p, "router advertisement enabled")
}

// serve starts the program and waits until it has a snapshot of NetBox and serves, DHCP and the boot
// files. pxe is the section of that name, in braces. It asks NetBox for news once an hour: what
// reaches a computer sooner was read for it.
func (s *site) serve(pxe string) *netns.Process {
	s.t.Helper()
	l := s.lab
	conf := filepath.Join(s.t.TempDir(), "config.yml")
	text := fmt.Sprintf(`server4:
  listen: ["%%eth0"]
  plugins:
    - netbox:
    - netbox_gateway:
    - netbox_dns:
    - netbox_pxe:
    - nak: authoritative
netbox:
  url: %s
  token_file: %q
  vrf: %s
  timeout: 30s
  poll: {interval: 1h}
  store: {path: %q}
  dynamic: {tag: %s}
  gateway: {tag: %s}
  pxe: %s
  boot_service: {folder: %q, http_listen: ":%d"}
`, l.netbox.URL, l.token, l.name("lab"), s.t.TempDir(), l.name("DHCP"), l.name("Gateway"), pxe, s.boot.folder, webPort)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	process, err := s.server.Start(l.bin, "serve", "--conf", conf, "--loglevel", "debug")
	if err != nil {
		s.t.Fatal(err)
	}
	await(s.t, process, "serving DHCPv4")
	await(s.t, process, "snapshot of NetBox replaced")
	return process
}

// await waits until a program prints a text.
func await(t *testing.T, p *netns.Process, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bootable)
	defer cancel()
	if err := p.WaitOutput(ctx, text); err != nil {
		t.Fatal(err)
	}
}

// powerOn switches a computer on.
func (l *lab) powerOn(t *testing.T, lan *netns.Segment, f netns.Firmware, c computer) *netns.Machine {
	t.Helper()
	m, err := lan.PowerOn(f, l.mac(c))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// unplug switches a computer off.
func unplug(t *testing.T, m *netns.Machine) {
	t.Helper()
	if err := m.Stop(); err != nil {
		t.Fatal(err)
	}
}
