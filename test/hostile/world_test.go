//go:build linux

package hostile

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/test/integration"
	"github.com/coredhcp-netbox/coredhcp-netbox/test/netns"
)

// Clients at each door, and addresses in each pool.
const (
	hosts   = 50
	leasers = 50
	pool    = 200
)

// world is a server with two networks: 10.10.0.0/22 on its wire and 10.20.0.0/22
// behind a relay. In both .0.1 is the gateway, known hosts begin at .0.10, and
// the pool is .1.1 and what follows.
type world struct {
	t       *testing.T
	netbox  *netboxtest.Server
	seed    *netboxtest.Seeded
	token   string // of the server, with the least rights
	server  *netns.Namespace
	outside *netns.Namespace
	clients *netns.Namespace
	image   string // of the disk of the lease store
	disk    string // where the server has it mounted
	clock   string // file with how far the server's clock is ahead
	log     string
	process *netns.Process
}

var (
	near      = netip.MustParseAddr("10.10.0.2") // of the server
	uplink    = netip.MustParseAddr("10.30.0.1") // of the server, towards the relay
	relayAddr = netip.MustParseAddr("10.20.0.1")
	forger    = netip.MustParseAddr("10.30.0.66") // routed, and no relay
	apiAddr   = netip.MustParseAddrPort("127.0.0.1:8000")
)

func newWorld(t *testing.T) *world {
	t.Helper()
	network := netns.New(t, "mkfs.ext4", "mount", "fsfreeze")
	folder := t.TempDir()
	w := &world{
		t: t, token: "9123456789abcdef0123456789abcdef01234567",
		log: filepath.Join(folder, "server.log"), clock: filepath.Join(folder, "clock"),
	}
	w.server, w.clients, w.outside = network.Namespace("server"), network.Namespace("clients"), network.Namespace("outside")
	network.Link(w.server, "eth0", w.clients, "eth0")
	network.Link(w.server, "eth1", w.outside, "eth0")
	w.server.AddAddr("eth0", netip.PrefixFrom(near, 22))
	w.server.AddAddr("eth1", netip.PrefixFrom(uplink, 24))
	w.outside.AddAddr("eth0", netip.MustParsePrefix("10.30.0.2/24"))
	w.outside.AddAddr("eth0", netip.PrefixFrom(forger, 24))
	w.outside.AddAddr("lo", netip.PrefixFrom(relayAddr, 32))
	w.server.AddRoute(netip.MustParsePrefix("10.20.0.0/22"), netip.MustParseAddr("10.30.0.2"))
	w.netbox = netboxtest.New(t, netboxtest.Config{})
	w.seed = netboxtest.Seed(t, w.netbox.URL(), w.netbox.TokenV1(), contents())
	w.permit(nil)
	at, err := url.Parse(w.netbox.URL())
	if err != nil {
		t.Fatal(err)
	}
	w.server.ForwardIn(apiAddr, netip.MustParseAddrPort(at.Host))
	w.image, w.disk = newDisk(t)
	w.start(integration.SteppingProgram(t))
	return w
}

// permit gives the server's token the rights of the README, but for those that
// change takes away.
func (w *world) permit(change func(*netboxtest.Grant) bool) {
	var grants []netboxtest.Grant
	for _, g := range integration.LeastPrivilege() {
		if change == nil || change(&g) {
			grants = append(grants, g)
		}
	}
	w.netbox.Permit(w.token, grants...)
}

func contents() netboxtest.World {
	w := netboxtest.World{
		Sites: []netboxtest.Site{{Name: "Here"}},
		Tags:  []netboxtest.Tag{{Name: "DHCP"}, {Name: "Gateway"}},
		CustomFields: []netboxtest.CustomField{
			{Name: "pydhcp_mac", Type: "text", ObjectTypes: []string{"ipam.ipaddress"}},
			{Name: "pydhcp_expire", Type: "text", ObjectTypes: []string{"ipam.ipaddress"}},
		},
	}
	for network := 1; network <= 2; network++ {
		w.Prefixes = append(w.Prefixes, netboxtest.Prefix{Prefix: fmt.Sprintf("10.%d.0.0/22", 10*network), Site: "Here"})
		w.IPs = append(w.IPs, netboxtest.IP{Address: fmt.Sprintf("10.%d.0.1/22", 10*network), Tags: []string{"Gateway"}})
		for n := range pool {
			w.IPs = append(w.IPs, netboxtest.IP{Address: poolAddr(network, n), Tags: []string{"DHCP"}})
		}
		for n := range hosts {
			w.Devices = append(w.Devices, netboxtest.Device{
				Name: fmt.Sprintf("host-%d-%d", network, n), Site: "Here",
				Interfaces: []netboxtest.Interface{{
					Name: "eth0", MACs: []string{hostMAC(network, n).String()},
					IPs: []netboxtest.IP{{Address: hostAddr(network, n).String() + "/22"}},
				}},
			})
		}
	}
	return w
}

func hostMAC(network, n int) net.HardwareAddr {
	return net.HardwareAddr{0x52, 0x54, 0, 0, byte(network), byte(n)}
}

func leaserMAC(network, n int) net.HardwareAddr {
	return net.HardwareAddr{0x52, 0x54, 1, 0, byte(network), byte(n)}
}

func hostAddr(network, n int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(10 * network), 0, byte(10 + n)})
}

// newDisk makes a small disk for the lease store, which can be filled and frozen.
func newDisk(t *testing.T) (image, at string) {
	t.Helper()
	folder := t.TempDir()
	image, at = filepath.Join(folder, "disk.img"), filepath.Join(folder, "disk")
	if err := errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, 128<<20), os.Mkdir(at, 0o700)); err != nil {
		t.Fatal(err)
	}
	command(t, "mkfs.ext4", "-q", "-F", "-m", "0", image)
	return image, at
}

// onDisk is the path of the disk for the test. Only the server's view of mounts
// has it, so that it goes with the server.
func (w *world) onDisk(name string) string {
	return filepath.Join("/proc", strconv.Itoa(w.process.PID()), "root", w.disk, name)
}

func command(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(context.WithoutCancel(t.Context()), name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

const settings = `server4:
  listen: ["%%eth0", "%%eth1"]
  plugins:
    - netbox:
    - netbox_gateway:
    - netbox_dns: 10.10.0.53
    - netbox_pxe:
    - nak: authoritative
netbox:
  url: http://%s
  token_file: %s
  poll: {interval: 1s}
  store: {path: %s}
  lease: {time: 10m, max: 10m}
  boot_service: {folder: %s}
`

// start runs the server until it answers from a snapshot of NetBox.
func (w *world) start(program string) {
	w.t.Helper()
	folder := w.t.TempDir()
	conf, token := filepath.Join(folder, "config.yml"), filepath.Join(folder, "token")
	for path, text := range map[string]string{
		token: w.token,
		conf:  fmt.Sprintf(settings, apiAddr, token, filepath.Join(w.disk, "store"), folder),
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
	process, err := w.server.Start("sh", "-c", `mount -o loop "$1" "$2" && shift 2 && exec env "$@"`, "sh", w.image, w.disk,
		"COREDHCP_NETBOX_CLOCK_STEP="+w.clock, program, "serve", "--conf", conf, "--logfile", w.log)
	if err != nil {
		w.t.Fatal(err)
	}
	w.process = process
	if err := process.WaitOutput(w.t.Context(), "snapshot of NetBox replaced"); err != nil {
		w.t.Fatal(err)
	}
}

// lines are what the server has logged.
func (w *world) lines() []string {
	w.t.Helper()
	text, err := os.ReadFile(w.log)
	if err != nil {
		w.t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

// logged reports whether a line has the text.
func (w *world) logged(text string) bool {
	return slices.ContainsFunc(w.lines(), func(line string) bool { return strings.Contains(line, text) })
}

func poolAddr(network, n int) string { return fmt.Sprintf("10.%d.1.%d/22", 10*network, n+1) }

func addrPort(a netip.Addr, port uint16) netip.AddrPort { return netip.AddrPortFrom(a, port) }
