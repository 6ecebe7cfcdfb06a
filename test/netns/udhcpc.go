//go:build linux

package netns

import (
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// Udhcpc is BusyBox's client (Debian package udhcpc). It asks once a second and sends option 61
// from the hardware address.
func Udhcpc(ns *Namespace, ifname string, opts Options) *Client {
	ns.t.Helper()
	return newClient(ns, ifname, opts, udhcpc{})
}

type udhcpc struct{}

func (udhcpc) prepare(*Client) error { return nil }

func (udhcpc) command(c *Client) *exec.Cmd {
	tries := strconv.Itoa(int(c.opts.Patience / time.Second))
	args := []string{"-f", "-n", "-t", tries, "-T", "1", "-i", c.ifname, "-s", c.hook(), "-p", c.file("pid")}
	if c.opts.Hostname != "" {
		args = append(args, "-x", "hostname:"+c.opts.Hostname)
	}
	if c.opts.ClientID != nil {
		args = append(args, "-C", "-x", "0x3d:"+hex.EncodeToString(c.opts.ClientID))
	}
	if c.opts.VendorClass != "" {
		args = append(args, "-V", c.opts.VendorClass)
	}
	for _, code := range slices.Sorted(maps.Keys(c.opts.Send)) {
		args = append(args, "-x", fmt.Sprintf("0x%02x:%x", code, c.opts.Send[code]))
	}
	for _, code := range slices.Concat(alwaysRequested, c.opts.Request) {
		args = append(args, "-O", strconv.Itoa(int(code)))
	}
	if c.opts.RequestAddr.IsValid() {
		args = append(args, "-r", c.opts.RequestAddr.String())
	}
	if c.opts.CheckAddress {
		args = append(args, "-a")
	}
	return c.ns.Command(context.Background(), "udhcpc", args...)
}

func (udhcpc) settled() string { return "" }

func (udhcpc) off() syscall.Signal { return syscall.SIGTERM }

func (udhcpc) hook() string { return "hooks/udhcpc.sh" }

func (udhcpc) meaning(event string) meaning {
	switch event {
	case "bound", "renew":
		return granted
	case "nak":
		return lost
	case "leasefail":
		return gaveUp
	case "deconfig":
		return idle
	}
	return uninteresting
}

func (udhcpc) lease(env map[string]string) (Lease, error) {
	f := &fields{env: env}
	l := Lease{
		Addr:       f.prefix("ip", "mask"),
		Routers:    f.addrs("router"),
		DNS:        f.addrs("dns"),
		Domain:     env["domain"],
		Search:     f.search("search"),
		NTP:        f.addrs("ntpsrv"),
		Routes:     f.routes("staticroutes"),
		MTU:        f.number("mtu"),
		Hostname:   env["hostname"],
		ServerID:   f.addr("serverid"),
		Time:       f.seconds("lease"),
		Siaddr:     f.addr("siaddr"),
		File:       env["boot_file"],
		TFTPServer: env["tftp"],
		BootFile:   env["bootfile"],
		Env:        env,
	}
	return l, f.err
}

func (udhcpc) renew(_ context.Context, c *Client) error { return c.process.Signal(syscall.SIGUSR1) }

func (udhcpc) release(ctx context.Context, c *Client) error {
	if err := c.process.Signal(syscall.SIGUSR2); err != nil {
		return err
	}
	// The script is called after the RELEASE has been sent.
	_, err := c.next(ctx, idle)
	return err
}
