//go:build linux

package netns

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Dhcpcd is Roy Marples' client (Debian package dhcpcd-base). It configures the interface itself.
func Dhcpcd(ns *Namespace, ifname string, opts Options) *Client {
	ns.t.Helper()
	if opts.Send != nil {
		ns.t.Fatalf("dhcpcd sends no options of a test's choice: %v", ErrUnsupported)
	}
	return newClient(ns, ifname, opts, dhcpcd{})
}

type dhcpcd struct{}

func (dhcpcd) prepare(c *Client) error {
	var conf strings.Builder
	fmt.Fprintf(&conf, "ipv4only\nnoipv4ll\nnodelay\nreboot 3\ntimeout %d\nscript %s\n", int(c.opts.Patience/time.Second), c.hook())
	if !c.opts.CheckAddress {
		conf.WriteString("noarp\n")
	}
	if c.opts.Hostname != "" {
		fmt.Fprintf(&conf, "hostname %s\n", c.opts.Hostname)
	}
	if c.opts.ClientID != nil {
		fmt.Fprintf(&conf, "clientid %s\n", colons(c.opts.ClientID))
	}
	if c.opts.VendorClass != "" {
		fmt.Fprintf(&conf, "vendorclassid %s\n", c.opts.VendorClass)
	}
	if c.opts.RequestAddr.IsValid() {
		fmt.Fprintf(&conf, "request %s\n", c.opts.RequestAddr)
	}
	for _, code := range slices.Concat(alwaysRequested, c.opts.Request) {
		fmt.Fprintf(&conf, "option %d\n", code)
	}
	if err := os.WriteFile(c.file("conf"), []byte(conf.String()), 0o644); err != nil {
		return err
	}
	return os.Mkdir(c.file("state"), 0o755)
}

// command mounts the client's own folders over those of the machine, which the program has built
// in; the namespace's view of mounts is its own. Likewise it hides the account the program would
// give its rights up for: the program then is one process, which a signal reaches.
func (dhcpcd) command(c *Client) *exec.Cmd {
	const script = `
		mount -t tmpfs tmpfs /run
		mkdir /run/dhcpcd
		grep -v '^_*dhcpcd:' /etc/passwd >/run/passwd
		mount --bind /run/passwd /etc/passwd
		mount --bind "$1" /var/lib/dhcpcd
		exec dhcpcd -B -f "$2" "$3"`
	return c.ns.Command(context.Background(), "sh", "-e", "-c", script, "sh", c.file("state"), c.file("conf"), c.ifname)
}

func (dhcpcd) settled() string { return "" }

func (dhcpcd) off() syscall.Signal { return syscall.SIGTERM }

func (dhcpcd) hook() string { return "hooks/dhcpcd.sh" }

func (dhcpcd) meaning(event string) meaning {
	switch event {
	case "BOUND", "RENEW", "REBIND", "REBOOT":
		return granted
	case "NAK", "EXPIRE":
		return lost
	case "TIMEOUT", "FAIL":
		return gaveUp
	case "RELEASE", "STOP":
		return idle
	}
	return uninteresting
}

func (dhcpcd) lease(env map[string]string) (Lease, error) {
	f := &fields{env: env}
	l := Lease{
		Addr:       f.prefix("new_ip_address", "new_subnet_cidr"),
		Routers:    f.addrs("new_routers"),
		DNS:        f.addrs("new_domain_name_servers"),
		Domain:     env["new_domain_name"],
		Search:     f.search("new_domain_search"),
		NTP:        f.addrs("new_ntp_servers"),
		Routes:     f.routes("new_classless_static_routes"),
		MTU:        f.number("new_interface_mtu"),
		Hostname:   env["new_host_name"],
		ServerID:   f.addr("new_dhcp_server_identifier"),
		Time:       f.seconds("new_dhcp_lease_time"),
		File:       env["new_filename"],
		TFTPServer: env["new_tftp_server_name"],
		BootFile:   env["new_bootfile_name"],
		Env:        env,
	}
	return l, f.err
}

// renew makes the program rebind: it has no signal for renewing by unicast.
func (dhcpcd) renew(_ context.Context, c *Client) error { return c.process.Signal(syscall.SIGHUP) }

func (dhcpcd) release(ctx context.Context, c *Client) error {
	if err := c.process.Signal(syscall.SIGALRM); err != nil {
		return err
	}
	select {
	case <-c.process.Done():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for dhcpcd to release: %w: %s", ctx.Err(), c.process.Output())
	}
}
