// Command demo shows the server at work without NetBox, privileges or
// clients: it starts the given binary on an embedded inventory on the loopback
// interface, sends it what a relay would, and prints what each client got and
// why. It is for make demo and decides nothing itself.
package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/test/relay"
)

//go:embed config.yml
var settingsFile []byte

//go:embed inventory.yml
var inventoryFile []byte

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: demo PATH-OF-coredhcp-netbox   (DEMO=once ends after the exchanges)")
		os.Exit(64)
	}
	if err := run(ctx, os.Args[1], os.Getenv("DEMO") == "once", os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, binary string, once bool, out io.Writer) (err error) {
	folder, err := os.MkdirTemp("", "coredhcp-netbox-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	conf, err := writeFiles(folder)
	if err != nil {
		return err
	}
	server, err := start(ctx, binary, conf, filepath.Join(folder, "server.log"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.end()) }()

	agent, err := relay.New(server.addr, netip.MustParseAddr("10.77.0.1"))
	if err != nil {
		return err
	}
	defer func() { _ = agent.Close() }()
	fmt.Fprintf(out, "\ncoredhcp-netbox serves %s from an inventory that stands in for NetBox.\nA relay asks it for four clients:\n", server.addr)
	for _, s := range stories() {
		if err := s.tell(ctx, out, agent, binary, conf); err != nil {
			return fmt.Errorf("%s: %w", s.title, err)
		}
	}
	fmt.Fprintln(out, "\nAll four were answered as they should be.")
	if once {
		return nil
	}
	fmt.Fprintf(out, `
Still serving. In another terminal try:
  %[1]s explain -c %[2]s --mac 52:54:00:00:00:99 --relay 10.77.0.1
  %[1]s leases -c %[2]s
  $EDITOR %[3]s && kill -HUP %[4]d     # the server reads the inventory again
Ctrl-C ends the demo.
`, binary, conf, filepath.Join(folder, "inventory.yml"), server.cmd.Process.Pid)
	return server.wait(ctx)
}

func writeFiles(folder string) (conf string, err error) {
	conf = filepath.Join(folder, "config.yml")
	if err := os.WriteFile(conf, settingsFile, 0o600); err != nil {
		return "", err
	}
	return conf, os.WriteFile(filepath.Join(folder, "inventory.yml"), inventoryFile, 0o600)
}

// server is the running program.
type server struct {
	cmd  *exec.Cmd
	log  string
	addr string
	done chan error
}

// start runs the binary until it says that it serves.
func start(ctx context.Context, binary, conf, log string) (*server, error) {
	file, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	cmd := exec.Command(binary, "serve", "--conf", conf) // ended by end
	cmd.Stdout, cmd.Stderr = file, file
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &server{cmd: cmd, log: log, addr: "127.0.0.1:6767", done: make(chan error, 1)}
	go func() { s.done <- cmd.Wait() }()
	return s, s.ready(ctx)
}

// ready waits until the log says that packets are answered.
func (s *server) ready(ctx context.Context) error {
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for {
		text, err := os.ReadFile(s.log)
		if err != nil {
			return err
		}
		if strings.Contains(string(text), "serving DHCPv4") {
			return nil
		}
		select {
		case err := <-s.done:
			s.done <- err
			return fmt.Errorf("the server did not start (%w):\n%s", err, text)
		case <-ctx.Done():
			return ctx.Err()
		case <-poll.C:
		}
	}
}

// wait returns when the server or ctx ends.
func (s *server) wait(ctx context.Context) error {
	select {
	case err := <-s.done:
		s.done <- err
		return err
	case <-ctx.Done():
		return nil
	}
}

// end stops the server and reports whether it stopped in order.
func (s *server) end() error {
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // fails only if it has ended
	select {
	case err := <-s.done:
		return err
	case <-time.After(10 * time.Second):
		return errors.Join(errors.New("the server did not stop within 10 s"), s.cmd.Process.Kill())
	}
}
