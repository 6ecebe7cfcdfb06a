//go:build linux

package netns

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Dhclient is ISC's client (Debian package isc-dhcp-client). It sends no option 61 by itself.
func Dhclient(ns *Namespace, ifname string, opts Options) *Client {
	ns.t.Helper()
	if opts.CheckAddress {
		ns.t.Fatalf("dhclient checks no addresses: %v", ErrUnsupported)
	}
	return newClient(ns, ifname, opts, dhclient{})
}

type dhclient struct{}

// optionNames are dhclient's names of options that a test may ask for. Others get a name of their
// own, and are told to the script as raw bytes.
var optionNames = map[uint8]string{
	1: "subnet-mask", 3: "routers", 6: "domain-name-servers", 12: "host-name", 15: "domain-name",
	26: "interface-mtu", 28: "broadcast-address", 42: "ntp-servers", 43: "vendor-encapsulated-options",
	51: "dhcp-lease-time", 58: "dhcp-renewal-time", 59: "dhcp-rebinding-time",
	60: "vendor-class-identifier", 66: "tftp-server-name", 67: "bootfile-name", 119: "domain-search",
	121: "classless-routes",
}

func (dhclient) prepare(c *Client) error {
	var conf strings.Builder
	fmt.Fprintf(&conf, "timeout %d;\nretry 1;\nselect-timeout 0;\ninitial-interval 1;\nbackoff-cutoff 2;\nreboot 3;\n", int(c.opts.Patience/time.Second))
	// The program knows no type for option 121.
	conf.WriteString("option classless-routes code 121 = array of unsigned integer 8;\n")
	own := map[uint8]string{}
	name := func(code uint8) string {
		if known, found := optionNames[code]; found {
			return known
		}
		if own[code] == "" {
			own[code] = fmt.Sprintf("option-%d", code)
			fmt.Fprintf(&conf, "option %s code %d = string;\n", own[code], code)
		}
		return own[code]
	}
	if c.opts.Hostname != "" {
		fmt.Fprintf(&conf, "send host-name %q;\n", c.opts.Hostname)
	}
	if c.opts.ClientID != nil {
		fmt.Fprintf(&conf, "send dhcp-client-identifier %s;\n", colons(c.opts.ClientID))
	}
	if c.opts.VendorClass != "" {
		fmt.Fprintf(&conf, "send vendor-class-identifier %q;\n", c.opts.VendorClass)
	}
	if c.opts.RequestAddr.IsValid() {
		fmt.Fprintf(&conf, "send dhcp-requested-address %s;\n", c.opts.RequestAddr)
	}
	for _, code := range slices.Sorted(maps.Keys(c.opts.Send)) {
		option := name(code) // first, since it may write a definition
		fmt.Fprintf(&conf, "send %s %s;\n", option, colons(c.opts.Send[code]))
	}
	for _, code := range slices.Concat(alwaysRequested, c.opts.Request) {
		option := name(code)
		fmt.Fprintf(&conf, "also request %s;\n", option)
	}
	if err := os.WriteFile(c.file("conf"), []byte(conf.String()), 0o644); err != nil {
		return err
	}
	return os.WriteFile(c.file("leases"), nil, 0o644)
}

// colons writes bytes as dhclient's raw data: 01:02:ff.
func colons(raw []byte) string {
	return strings.ReplaceAll(fmt.Sprintf("% x", raw), " ", ":")
}

// arguments common to getting and releasing a lease.
func (dhclient) arguments(c *Client, first ...string) []string {
	return append(first, "-4", "-v", "-cf", c.file("conf"), "-lf", c.file("leases"), "-pf", c.file("pid"),
		"-sf", c.hook(), c.ifname)
}

func (d dhclient) command(c *Client) *exec.Cmd {
	return c.ns.Command(context.Background(), "dhclient", d.arguments(c, "-d", "-1")...)
}

// The script is called before the lease file is written.
func (dhclient) settled() string { return "bound to " }

func (dhclient) off() syscall.Signal { return syscall.SIGTERM }

func (dhclient) hook() string { return "hooks/dhclient.sh" }

func (dhclient) meaning(event string) meaning {
	switch event {
	case "BOUND", "RENEW", "REBIND", "REBOOT":
		return granted
	case "EXPIRE":
		return lost
	case "FAIL":
		return gaveUp
	case "RELEASE", "STOP":
		return idle
	}
	return uninteresting
}

func (dhclient) lease(env map[string]string) (Lease, error) {
	f := &fields{env: env}
	l := Lease{
		Addr:       f.prefix("new_ip_address", "new_subnet_mask"),
		Routers:    f.addrs("new_routers"),
		DNS:        f.addrs("new_domain_name_servers"),
		Domain:     env["new_domain_name"],
		Search:     f.search("new_domain_search"),
		NTP:        f.addrs("new_ntp_servers"),
		Routes:     f.encodedRoutes("new_classless_routes"),
		MTU:        f.number("new_interface_mtu"),
		Hostname:   env["new_host_name"],
		ServerID:   f.addr("new_dhcp_server_identifier"),
		Time:       f.seconds("new_dhcp_lease_time"),
		Siaddr:     f.addr("new_next_server"),
		File:       env["new_filename"],
		TFTPServer: env["new_tftp_server_name"],
		BootFile:   env["new_bootfile_name"],
		Env:        env,
	}
	return l, f.err
}

// renew does nothing: the program renews at T1 only.
func (dhclient) renew(context.Context, *Client) error { return nil }

func (d dhclient) release(ctx context.Context, c *Client) error {
	// A second process sends the RELEASE, from the lease file.
	if err := c.Stop(); err != nil {
		return err
	}
	cmd := c.ns.Command(ctx, "dhclient", d.arguments(c, "-r")...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("release with dhclient: %w: %s", err, out)
	}
	return nil
}
