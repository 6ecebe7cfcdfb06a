//go:build linux

package netns_test

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/rfc1035label"

	"github.com/coredhcp-netbox/coredhcp-netbox/test/netns"
)

type client struct {
	program string
	start   func(*netns.Namespace, string, netns.Options) *netns.Client
	// the header field siaddr, or nothing about booting, is told by the program
	noSiaddr, noBoot bool
}

// clients lists all client programs; it ends the test if they may not be run.
func clients(t *testing.T) []client {
	t.Helper()
	netns.Require(t, "udhcpc", "dhclient", "dhcpcd", "/lib/systemd/systemd-networkd")
	return []client{
		{program: "udhcpc", start: netns.Udhcpc},
		{program: "dhclient", start: netns.Dhclient},
		{program: "dhcpcd", start: netns.Dhcpcd, noSiaddr: true},
		{program: "networkd", start: netns.Networkd, noBoot: true},
	}
}

var mac = net.HardwareAddr{0x02, 0, 0, 0, 0, 0x42}

// direct is a client and a responder on one cable.
func direct(t *testing.T, program string, options ...dhcpv4.Modifier) (*netns.Namespace, *responder) {
	t.Helper()
	network := netns.New(t)
	srv, cli := network.Namespace("server"), network.Namespace("client")
	network.Link(srv, "eth0", cli, "eth0")
	srv.AddAddr("eth0", netip.MustParsePrefix("10.1.0.1/24"))
	cli.SetMAC("eth0", mac)
	r := &responder{
		addr: netip.MustParsePrefix("10.1.0.42/24"), self: netip.MustParseAddr("10.1.0.1"),
		options: append([]dhcpv4.Modifier{dhcpv4.WithRouter(net.IPv4(10, 1, 0, 1))}, options...),
	}
	r.listen(t, srv, "eth0")
	return cli, r
}

var diffOptions = []cmp.Option{
	cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}),
	cmpopts.IgnoreFields(netns.Lease{}, "Env"),
}

func TestClientTellsTheWholeLease(t *testing.T) {
	for _, c := range clients(t) {
		t.Run(c.program, func(t *testing.T) {
			cli, r := direct(t, c.program,
				dhcpv4.WithDNS(net.IPv4(10, 1, 0, 2), net.IPv4(10, 1, 0, 3)),
				dhcpv4.WithOption(dhcpv4.OptDomainName("example.test")),
				dhcpv4.WithOption(dhcpv4.OptDomainSearch(&rfc1035label.Labels{Labels: []string{"a.test", "b.test"}})),
				dhcpv4.WithOption(dhcpv4.OptNTPServers(net.IPv4(10, 1, 0, 4))),
				dhcpv4.WithOption(dhcpv4.OptHostName("host-42")),
				dhcpv4.WithOption(dhcpv4.OptTFTPServerName("tftp.example.test")),
				dhcpv4.WithOption(dhcpv4.OptBootFileName("option-67.efi")),
				dhcpv4.WithGeneric(dhcpv4.OptionInterfaceMTU, []byte{1400 >> 8, 1400 & 255}),
				dhcpv4.WithGeneric(dhcpv4.OptionClasslessStaticRoute, []byte{0, 10, 1, 0, 1, 24, 192, 168, 9, 10, 1, 0, 254}),
				dhcpv4.WithServerIP(net.IPv4(10, 1, 0, 77)),
				func(d *dhcpv4.DHCPv4) { d.BootFileName = "header.efi" },
			)
			want := netns.Lease{
				Addr:       netip.MustParsePrefix("10.1.0.42/24"),
				Routers:    []netip.Addr{netip.MustParseAddr("10.1.0.1")},
				DNS:        []netip.Addr{netip.MustParseAddr("10.1.0.2"), netip.MustParseAddr("10.1.0.3")},
				Domain:     "example.test",
				Search:     []string{"a.test", "b.test"},
				NTP:        []netip.Addr{netip.MustParseAddr("10.1.0.4")},
				MTU:        1400,
				Hostname:   "host-42",
				ServerID:   netip.MustParseAddr("10.1.0.1"),
				Time:       time.Hour,
				Siaddr:     netip.MustParseAddr("10.1.0.77"),
				File:       "header.efi",
				TFTPServer: "tftp.example.test",
				BootFile:   "option-67.efi",
				Routes: []netns.Route{
					{To: netip.MustParsePrefix("0.0.0.0/0"), Via: netip.MustParseAddr("10.1.0.1")},
					{To: netip.MustParsePrefix("192.168.9.0/24"), Via: netip.MustParseAddr("10.1.0.254")},
				},
			}
			if c.noSiaddr {
				want.Siaddr = netip.Addr{}
			}
			if c.noBoot {
				want.File, want.TFTPServer, want.BootFile = "", "", ""
			}
			lease, err := c.start(cli, "eth0", netns.Options{}).Acquire(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, lease, diffOptions...); diff != "" {
				t.Errorf("lease (-want +got):\n%s\nvariables: %v", diff, lease.Env)
			}
			if got := r.wait(t, 0, dhcpv4.MessageTypeRequest).ClientHWAddr.String(); got != mac.String() {
				t.Errorf("chaddr %s, want %s", got, mac)
			}
			addrs, err := cli.Addrs("eth0")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]netip.Prefix{want.Addr}, addrs, diffOptions...); diff != "" {
				t.Errorf("addresses of the interface (-want +got):\n%s", diff)
			}
		})
	}
}

func TestClientSendsWhatItIsTold(t *testing.T) {
	for _, c := range clients(t) {
		t.Run(c.program, func(t *testing.T) {
			cli, r := direct(t, c.program)
			opts := netns.Options{
				Hostname: "asked-42", ClientID: []byte{0, 'i', 'd', 7}, VendorClass: "netns-test",
				Request: []uint8{60}, RequestAddr: netip.MustParseAddr("10.1.0.42"),
			}
			want := map[uint8][]byte{
				12: []byte("asked-42"), 61: {0, 'i', 'd', 7}, 60: []byte("netns-test"), 50: {10, 1, 0, 42},
			}
			if c.program == "networkd" { // it refuses these two
				opts.ClientID, opts.RequestAddr = nil, netip.Addr{}
				want[61], want[50] = append([]byte{1}, mac...), nil
			}
			if c.program != "dhcpcd" { // it refuses Send
				opts.Send = map[uint8][]byte{93: {0, 7}, 97: append([]byte{0}, make([]byte, 16)...)}
			}
			if _, err := c.start(cli, "eth0", opts).Acquire(t.Context()); err != nil {
				t.Fatal(err)
			}
			discover := r.wait(t, 0, dhcpv4.MessageTypeDiscover)
			for code, value := range opts.Send {
				want[code] = value
			}
			got := map[uint8][]byte{}
			for code := range want {
				got[code] = discover.Options.Get(dhcpv4.GenericOptionCode(code))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("options of the DISCOVER (-want +got):\n%s", diff)
			}
			if !discover.IsOptionRequested(dhcpv4.OptionClassIdentifier) {
				t.Errorf("option 60 is not asked for: %v", discover.ParameterRequestList())
			}
		})
	}
}

func TestClientRenewsAndReleases(t *testing.T) {
	for _, c := range clients(t) {
		t.Run(c.program, func(t *testing.T) {
			// T1 is short since dhclient renews at T1 only.
			cli, r := direct(t, c.program,
				dhcpv4.WithGeneric(dhcpv4.OptionRenewTimeValue, []byte{0, 0, 0, 4}),
				dhcpv4.WithGeneric(dhcpv4.OptionRebindingTimeValue, []byte{0, 0, 0, 100}))
			cl := c.start(cli, "eth0", netns.Options{})
			first, err := cl.Acquire(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			before := r.seen()
			again, err := cl.Renew(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if again.Addr != first.Addr {
				t.Errorf("renewed %s, had %s", again.Addr, first.Addr)
			}
			request := r.wait(t, before, dhcpv4.MessageTypeRequest)
			if got := request.ClientIPAddr.String(); got != "10.1.0.42" {
				t.Errorf("ciaddr of the renewal is %s", got)
			}
			before = r.seen()
			if err := cl.Release(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := r.wait(t, before, dhcpv4.MessageTypeRelease).ClientIPAddr.String(); got != "10.1.0.42" {
				t.Errorf("ciaddr of the RELEASE is %s", got)
			}
		})
	}
}

func TestClientWithMemoryRebootsIntoItsLease(t *testing.T) {
	for _, c := range clients(t) {
		if c.program == "udhcpc" || c.program == "networkd" {
			continue // it has no memory
		}
		t.Run(c.program, func(t *testing.T) {
			cli, r := direct(t, c.program)
			cl := c.start(cli, "eth0", netns.Options{})
			if _, err := cl.Acquire(t.Context()); err != nil {
				t.Fatal(err)
			}
			before := r.seen()
			lease, err := cl.Acquire(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if lease.Addr.String() != "10.1.0.42/24" {
				t.Errorf("got %s after the reboot", lease.Addr)
			}
			request := r.wait(t, before, dhcpv4.MessageTypeRequest)
			if request.Options.Has(dhcpv4.OptionServerIdentifier) || request.RequestedIPAddress().String() != "10.1.0.42" {
				t.Errorf("not an INIT-REBOOT: %s", request.Summary())
			}
		})
	}
}

func TestRefusedRenewalIsALostLease(t *testing.T) {
	for _, c := range clients(t) {
		t.Run(c.program, func(t *testing.T) {
			cli, r := direct(t, c.program, dhcpv4.WithGeneric(dhcpv4.OptionRenewTimeValue, []byte{0, 0, 0, 4}),
				dhcpv4.WithGeneric(dhcpv4.OptionRebindingTimeValue, []byte{0, 0, 0, 100}))
			cl := c.start(cli, "eth0", netns.Options{})
			if _, err := cl.Acquire(t.Context()); err != nil {
				t.Fatal(err)
			}
			r.setRefuse(true)
			if _, err := cl.Renew(t.Context()); !errors.Is(err, netns.ErrLost) {
				t.Fatalf("renewal after NAK: %v", err)
			}
		})
	}
}

func TestClientWithoutServerGivesUp(t *testing.T) {
	for _, c := range clients(t) {
		t.Run(c.program, func(t *testing.T) {
			network := netns.New(t)
			srv, cli := network.Namespace("server"), network.Namespace("client")
			network.Link(srv, "eth0", cli, "eth0")
			cl := c.start(cli, "eth0", netns.Options{Patience: 2 * time.Second})
			if lease, err := cl.Acquire(t.Context()); !errors.Is(err, netns.ErrNoLease) {
				t.Fatalf("got %+v, %v", lease, err)
			}
		})
	}
}

func TestClientDeclinesAnAddressInUse(t *testing.T) {
	for _, c := range clients(t) {
		if c.program == "dhclient" || c.program == "networkd" {
			continue // one leaves the check to its script, the other cannot send what it decides
		}
		t.Run(c.program, func(t *testing.T) {
			network := netns.New(t)
			srv, cli, other := network.Namespace("server"), network.Namespace("client"), network.Namespace("other")
			lan := network.Segment("lan")
			lan.Attach(srv, "eth0")
			lan.Attach(cli, "eth0")
			lan.Attach(other, "eth0")
			srv.AddAddr("eth0", netip.MustParsePrefix("10.1.0.1/24"))
			other.AddAddr("eth0", netip.MustParsePrefix("10.1.0.42/24"))
			r := &responder{addr: netip.MustParsePrefix("10.1.0.42/24"), self: netip.MustParseAddr("10.1.0.1")}
			r.listen(t, srv, "eth0")
			cl := c.start(cli, "eth0", netns.Options{CheckAddress: true, Patience: 3 * time.Second})
			if lease, err := cl.Acquire(t.Context()); !errors.Is(err, netns.ErrNoLease) {
				t.Fatalf("got %+v, %v", lease, err)
			}
			if got := r.wait(t, 0, dhcpv4.MessageTypeDecline).RequestedIPAddress().String(); got != "10.1.0.42" {
				t.Errorf("declined %s", got)
			}
		})
	}
}

func TestRelayCarriesEveryClient(t *testing.T) {
	relays := []struct {
		program string
		start   func(*testing.T, *netns.Namespace, netns.Relay) error
		circuit bool // can add option 82
	}{
		{"dhcrelay", func(t *testing.T, ns *netns.Namespace, r netns.Relay) error {
			_, err := netns.Dhcrelay(t.Context(), ns, r)
			return err
		}, true},
		{"dnsmasq", func(t *testing.T, ns *netns.Namespace, r netns.Relay) error {
			_, err := netns.DnsmasqRelay(t.Context(), ns, r)
			return err
		}, false},
	}
	for _, relay := range relays {
		for _, c := range clients(t) {
			t.Run(relay.program+" and "+c.program, func(t *testing.T) {
				network := netns.New(t, relay.program)
				srv, mid, cli := network.Namespace("server"), network.Namespace("relay"), network.Namespace("client")
				network.Link(srv, "eth0", mid, "up")
				network.Link(mid, "down", cli, "eth0")
				srv.AddAddr("eth0", netip.MustParsePrefix("10.9.0.1/24"))
				mid.AddAddr("up", netip.MustParsePrefix("10.9.0.2/24"))
				mid.AddAddr("down", netip.MustParsePrefix("10.1.0.1/24"))
				mid.Forward()
				srv.AddRoute(netip.MustParsePrefix("10.1.0.0/24"), netip.MustParseAddr("10.9.0.2"))
				r := &responder{
					addr: netip.MustParsePrefix("10.1.0.42/24"), self: netip.MustParseAddr("10.9.0.1"),
					options: []dhcpv4.Modifier{dhcpv4.WithRouter(net.IPv4(10, 1, 0, 1))},
				}
				r.listen(t, srv, "eth0")
				err := relay.start(t, mid, netns.Relay{
					Down: "down", Up: "up", Server: netip.MustParseAddr("10.9.0.1"),
					DownAddr: netip.MustParseAddr("10.1.0.1"), AgentOption: relay.circuit,
				})
				if err != nil {
					t.Fatal(err)
				}
				cl := c.start(cli, "eth0", netns.Options{})
				lease, err := cl.Acquire(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if lease.Addr.String() != "10.1.0.42/24" || lease.ServerID.String() != "10.9.0.1" {
					t.Errorf("lease of %s from %s", lease.Addr, lease.ServerID)
				}
				discover := r.wait(t, 0, dhcpv4.MessageTypeDiscover)
				if got := discover.GatewayIPAddr.String(); got != "10.1.0.1" {
					t.Errorf("giaddr %s", got)
				}
				if has := discover.RelayAgentInfo() != nil; has != relay.circuit {
					t.Errorf("option 82 present: %v", has)
				}
				// The RELEASE goes by unicast, past the relay program, through the router.
				before := r.seen()
				if err := cl.Release(t.Context()); err != nil {
					t.Fatal(err)
				}
				release := r.wait(t, before, dhcpv4.MessageTypeRelease)
				if !release.GatewayIPAddr.IsUnspecified() {
					t.Errorf("RELEASE was relayed by %s", release.GatewayIPAddr)
				}
			})
		}
	}
}

func TestClientsLeaveTheMachineAlone(t *testing.T) {
	look := func() map[string]string {
		state := map[string]string{}
		for _, path := range []string{"/etc/resolv.conf", "/proc/net/route"} {
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			state[path] = string(content)
		}
		// Where the programs keep leases, identifiers and process ids unless told otherwise.
		for _, pattern := range []string{"/var/lib/dhcp/*", "/var/lib/dhcpcd/*", "/run/*dhc*", "/run/dhcpcd/*"} {
			paths, err := filepath.Glob(pattern)
			if err != nil {
				t.Fatal(err)
			}
			state[pattern] = strings.Join(paths, " ")
		}
		return state
	}
	before := look()
	for _, c := range clients(t) {
		t.Run(c.program, func(t *testing.T) {
			cli, _ := direct(t, c.program, dhcpv4.WithDNS(net.IPv4(10, 1, 0, 2)), dhcpv4.WithOption(dhcpv4.OptDomainName("example.test")))
			cl := c.start(cli, "eth0", netns.Options{})
			if _, err := cl.Acquire(t.Context()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, look()); diff != "" {
				t.Errorf("while leased (-before +now):\n%s", diff)
			}
			if err := cl.Release(t.Context()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, look()); diff != "" {
				t.Errorf("after the release (-before +now):\n%s", diff)
			}
		})
	}
}
