//go:build linux

package netns

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// networkdPath is where Debian has the program, outside of everybody's PATH.
const networkdPath = "/lib/systemd/systemd-networkd"

// Networkd is the client of systemd-networkd (Debian package systemd), as a plain process without
// a bus. It never gives up, renews at T1 only, and forgets its address when it ends; an interface
// that lost its carrier and has it again asks for the address of before (INIT-REBOOT).
func Networkd(ns *Namespace, ifname string, opts Options) *Client {
	ns.t.Helper()
	if opts.ClientID != nil || opts.RequestAddr.IsValid() || opts.CheckAddress {
		// Version 252 finds an address in use and then has no route for its DECLINE.
		ns.t.Fatalf("systemd-networkd sends no client identifier, no address of a test's choice and no DECLINE: %v", ErrUnsupported)
	}
	return newClient(ns, ifname, opts, networkd{})
}

type networkd struct{}

func (networkd) prepare(c *Client) error {
	var conf strings.Builder
	fmt.Fprintf(&conf, "[Match]\nName=%s\n[Network]\nDHCP=ipv4\nLinkLocalAddressing=no\nIPv6AcceptRA=no\nLLDP=no\n", c.ifname)
	conf.WriteString("[DHCPv4]\nClientIdentifier=mac\nUseHostname=no\nUseTimezone=no\nUseMTU=yes\nUseDomains=yes\n")
	if c.opts.Hostname == "" {
		conf.WriteString("SendHostname=no\n")
	} else {
		fmt.Fprintf(&conf, "Hostname=%s\n", c.opts.Hostname)
	}
	if c.opts.VendorClass != "" {
		fmt.Fprintf(&conf, "VendorClassIdentifier=%s\n", c.opts.VendorClass)
	}
	for code, value := range c.opts.Send {
		var escaped strings.Builder
		for _, b := range value {
			fmt.Fprintf(&escaped, `\x%02x`, b)
		}
		fmt.Fprintf(&conf, "SendOption=%d:string:%s\n", code, escaped.String())
	}
	for _, code := range slices.Concat(alwaysRequested, c.opts.Request) {
		fmt.Fprintf(&conf, "RequestOptions=%d\n", code)
	}
	if err := os.WriteFile(c.file("dhcp.network"), []byte(conf.String()), 0o644); err != nil {
		return err
	}
	// It gives its rights up for this account, and then writes here.
	account, err := user.Lookup("systemd-network")
	if err != nil {
		return err
	}
	uid, err := strconv.Atoi(account.Uid)
	if err != nil {
		return err
	}
	gid, err := strconv.Atoi(account.Gid)
	if err != nil {
		return err
	}
	if err := os.Mkdir(c.file("state"), 0o755); err != nil {
		return err
	}
	return os.Chown(c.file("state"), uid, gid)
}

// command gives the program a /run of its own: no bus, no udev, no files of the machine's own
// networkd. Interfaces count as ready where /sys is read-only, as in a container.
func (networkd) command(c *Client) *exec.Cmd {
	const script = `
		mount -t tmpfs tmpfs /run
		mkdir -p /run/systemd/network /run/systemd/netif
		cp "$1/dhcp.network" /run/systemd/network/dhcp.network
		mount --bind "$1/state" /run/systemd/netif
		mount -o remount,ro /sys
		mkfifo /run/log
		"$2" </run/log &
		exec >/run/log 2>&1
		export SYSTEMD_LOG_LEVEL=debug SYSTEMD_LOG_TARGET=console SYSTEMD_LOG_COLOR=0
		exec ` + networkdPath
	return c.ns.Command(context.Background(), "sh", "-e", "-c", script, "sh", c.dir, c.hook())
}

func (networkd) settled() string { return "" }

func (networkd) hook() string { return "hooks/networkd.sh" }

func (networkd) meaning(event string) meaning {
	switch event {
	case "BOUND":
		return granted
	case "NAK", "EXPIRE":
		return lost
	case "RELEASE":
		return idle
	}
	return uninteresting
}

func (networkd) lease(env map[string]string) (Lease, error) {
	f := &fields{env: env}
	l := Lease{
		Addr:     f.prefix("lease_ADDRESS", "lease_NETMASK"),
		Routers:  f.addrs("lease_ROUTER"),
		DNS:      f.addrs("lease_DNS"),
		Domain:   env["lease_DOMAINNAME"],
		Search:   f.search("lease_DOMAIN_SEARCH_LIST"),
		NTP:      f.addrs("lease_NTP"),
		MTU:      f.number("lease_MTU"),
		Hostname: env["lease_HOSTNAME"],
		ServerID: f.addr("lease_SERVER_ADDRESS"),
		Time:     f.seconds("lease_LIFETIME"),
		Siaddr:   f.addr("lease_NEXT_SERVER"),
		Env:      env,
	}
	for word := range strings.FieldsSeq(env["lease_CLASSLESS_ROUTES"]) {
		f.env = map[string]string{"route": strings.Replace(word, ",", " ", 1)}
		l.Routes = append(l.Routes, f.routes("route")...)
	}
	return l, f.err
}

// renew does nothing: without a bus the program renews at T1 only.
func (networkd) renew(context.Context, *Client) error { return nil }

// off is no SIGTERM, which would give the lease back.
func (networkd) off() syscall.Signal { return syscall.SIGKILL }

func (networkd) release(ctx context.Context, c *Client) error {
	if err := c.process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-c.process.Done():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for systemd-networkd to release: %w: %s", ctx.Err(), c.process.Output())
	}
}
