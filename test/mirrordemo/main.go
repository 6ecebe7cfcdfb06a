// Command mirrordemo shows netbox-dhcp-sync at work without NetBox and
// Windows: it starts stand-ins of both on the loopback interface, runs the
// given binary as an administrator would, and prints what it says. With -bench
// it measures what a run over 10 000 unchanged leases costs. It is for make
// demo-sync and make bench and decides nothing itself.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	bench := flag.Bool("bench", false, "measure a run over 10 000 unchanged leases")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: mirrordemo [-bench] PATH-OF-netbox-dhcp-sync   (DEMO=once ends after the tour)")
		os.Exit(64)
	}
	tour := show
	if *bench {
		tour = measure
	}
	if err := run(ctx, flag.Arg(0), os.Stdout, tour); err != nil {
		fmt.Fprintln(os.Stderr, "mirrordemo:", err)
		os.Exit(1)
	}
}

// lab is a NetBox, a Windows server and a settings file that names both.
type lab struct {
	binary, conf string
	out          io.Writer
	windows      *psutest.Server
}

func run(ctx context.Context, binary string, out io.Writer, tour func(context.Context, *lab) error) (err error) {
	folder, err := os.MkdirTemp("", "netbox-dhcp-sync-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	netbox, err := netboxtest.Start(netboxtest.Config{})
	if err != nil {
		return err
	}
	defer netbox.Close()
	windows, err := psutest.Start(psutest.Config{World: psutest.Example("dh1.corp.example")})
	if err != nil {
		return err
	}
	defer windows.Close()
	l := &lab{binary: binary, conf: filepath.Join(folder, "config.yml"), out: out, windows: windows}
	files := map[string]string{
		"netbox.token": netbox.TokenV2(),
		"dh1.token":    windows.Writer(),
		"config.yml": fmt.Sprintf("netbox:\n  url: %s\n  token_file: netbox.token\nsync:\n  state_dir: state\n  sync_ips_from_dhcp: true\n"+
			"  status: {listen: '127.0.0.1:8067', url: 'http://127.0.0.1:8067'}\n"+
			"  servers:\n    - host: %s\n      port: %d\n      https: false\n      aliases: [dh1.corp.example]\n      token_file: dh1.token\n",
			netbox.URL(), windows.Host(), windows.Port()),
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	return tour(ctx, l)
}

// command runs the program and shows what it prints.
func (l *lab) command(ctx context.Context, args ...string) error {
	fmt.Fprintf(l.out, "\n$ netbox-dhcp-sync %s\n", strings.Join(args, " "))
	c := l.process(ctx, args...)
	c.Stdout, c.Stderr = l.out, l.out
	return c.Run()
}

func (l *lab) process(ctx context.Context, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, l.binary, append([]string{"--conf", l.conf}, args...)...)
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	c.WaitDelay = 10 * time.Second
	return c
}

// show is the tour.
func show(ctx context.Context, l *lab) error {
	steps := [][]string{{"bootstrap", "--yes"}, {"doctor"}, {"import"}, {"plan"}, {"sync"}, {"sync"}}
	for _, args := range steps {
		if err := l.command(ctx, args...); err != nil {
			return fmt.Errorf("netbox-dhcp-sync %s: %w", strings.Join(args, " "), err)
		}
	}
	fmt.Fprint(l.out, "\n(on the Windows server: one lease ends, a new client comes, a reservation is renamed)\n")
	l.windows.Edit(func(w *psutest.World) {
		office := w.Scope("10.8.4.0")
		office.Leases = office.Leases[:len(office.Leases)-1]
		office.Leases = append(office.Leases, &psutest.Lease{IP: "10.8.4.180", ClientID: "3c-52-82-0a-77-01", Hostname: "Besprechung Süd"})
		office.Reservations[0].Name = "mfp-2-west"
	})
	for _, args := range [][]string{{"plan"}, {"sync"}, {"drift"}} {
		if err := l.command(ctx, args...); err != nil {
			return fmt.Errorf("netbox-dhcp-sync %s: %w", strings.Join(args, " "), err)
		}
	}
	if os.Getenv("DEMO") == "once" {
		return nil
	}
	fmt.Fprint(l.out, "\nThe status page is at http://127.0.0.1:8067 until Ctrl-C.\n")
	err := l.command(ctx, "sync", "--service")
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// measure prints what runs over 10 000 leases cost the program itself. The
// stand-ins answer quickly, so times are not those of a real NetBox.
func measure(ctx context.Context, l *lab) error {
	l.windows.Edit(func(w *psutest.World) { *w = psutest.Campus("dh1.corp.example", 40, 250, time.Now()) })
	for _, args := range [][]string{{"bootstrap", "--yes"}, {"import"}} {
		if out, err := l.process(ctx, args...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", args[0], err, out)
		}
	}
	for _, name := range []string{"first run, 10 000 new leases", "second run, nothing changed", "third run, nothing changed"} {
		c := l.process(ctx, "sync")
		start := time.Now()
		out, err := c.CombinedOutput()
		if err != nil {
			return fmt.Errorf("sync: %w\n%s", err, out)
		}
		cpu := c.ProcessState.UserTime() + c.ProcessState.SystemTime()
		fmt.Fprintf(l.out, "%-30s %6.2f s CPU, %6.2f s in all, %4d MB: %s", name, cpu.Seconds(), time.Since(start).Seconds(),
			c.ProcessState.SysUsage().(*syscall.Rusage).Maxrss/1024, out)
	}
	return nil
}
