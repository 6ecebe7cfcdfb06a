// Package program tests the programs as their users meet them: the built binaries,
// their exit codes, signals and files. What goes on inside is for the packages'
// own tests.
package program

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/test/integration"
	"github.com/coredhcp-netbox/coredhcp-netbox/test/relay"
)

var (
	binaries string // the folder of what is built
	binary   string // coredhcp-netbox, built once for all tests
)

func TestMain(m *testing.M) {
	var err error
	if binaries, err = os.MkdirTemp("", "coredhcp-netbox-program-"); err != nil {
		panic(err)
	}
	if binary, err = build("coredhcp-netbox"); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(binaries)
	os.Exit(code)
}

// build builds a program and returns its path.
func build(name string) (string, error) {
	path := filepath.Join(binaries, name)
	cmd := exec.Command("go", "build", "-o", path, "../../cmd/"+name)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", name, err, out)
	}
	return path, nil
}

// run runs a command to its end and returns what it printed and its exit code.
func run(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.Env = []string{"HOME=" + t.TempDir()}
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// lab writes settings and an inventory with a free port and returns the
// settings file.
func lab(t *testing.T, inventory string, plugins ...string) (conf, addr string) {
	t.Helper()
	dir := t.TempDir()
	addr = integration.FreePort(t)
	conf = filepath.Join(dir, "config.yml")
	if plugins == nil {
		plugins = []string{"netbox:", "netbox_gateway:", "netbox_dns:", "netbox_pxe:", "nak: authoritative"}
	}
	settings := "server4:\n  listen: \"" + addr + "\"\n  plugins:\n    - " + strings.Join(plugins, "\n    - ") +
		"\nnetbox:\n  inventory: inventory.yml\n  network: {relays: [127.0.0.2, 10.77.0.0/20]}\n  store:\n    path: state\n  control:\n    folder: run\n"
	write(t, conf, settings)
	write(t, filepath.Join(dir, "inventory.yml"), inventory)
	return conf, addr
}

func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// serve starts the server and waits until it says that it serves.
func serve(t *testing.T, conf string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(binary, "serve", "--conf", conf)
	cmd.Env = []string{"HOME=" + t.TempDir()}
	lines, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // fails if it has ended
	ready := make(chan string, 1)
	go watch(lines, ready)
	select {
	case <-ready:
	case <-time.After(30 * time.Second):
		t.Fatal("the server did not say that it serves")
	}
	return cmd
}

// watch reads the log to its end and tells once that packets are answered.
func watch(lines io.Reader, ready chan<- string) {
	var seen bytes.Buffer
	buf := make([]byte, 4096)
	told := false
	for {
		n, err := lines.Read(buf)
		if err != nil {
			return
		}
		if !told {
			seen.Write(buf[:n])
			if told = strings.Contains(seen.String(), "serving DHCPv4"); told {
				ready <- seen.String()
			}
		}
	}
}

func agent(t *testing.T, addr string) *relay.Agent {
	t.Helper()
	a, err := relay.New(addr, netip.MustParseAddr("10.77.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	return a
}

func mac(n int) net.HardwareAddr {
	return net.HardwareAddr{0x52, 0x54, 0, byte(n >> 16), byte(n >> 8), byte(n)}
}

const pool = `prefixes:
  - {prefix: 10.77.0.0/20}
ip_addresses:
  - {address: 10.77.0.1/20, tags: [Gateway]}
  - {address: 10.77.1.0-10.77.3.255/20, tags: [DHCP]}
devices:
  - name: web1
    interfaces:
      - {name: eth0, mac_address: "52:54:00:aa:00:01", ip_addresses: [{address: 10.77.0.10/20}]}
`

func TestSigtermEndsTheServerInOrderWithCodeZero(t *testing.T) { // REC-3
	conf, addr := lab(t, pool)
	server := serve(t, conf)
	if _, err := agent(t, addr).Acquire(mac(1)); err != nil {
		t.Fatal(err)
	}
	if err := server.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := server.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v, want exit code 0", err)
	}
}

func TestASecondServerOnTheSameStoreRefusesToStart(t *testing.T) {
	conf, _ := lab(t, pool)
	serve(t, conf)
	_, stderr, code := run(t, "serve", "--conf", conf)
	if code != 3 || !strings.Contains(stderr, "another server") || !strings.Contains(stderr, "leases") {
		t.Errorf("exit code %d, stderr %q: want 3 and a refusal that names the folder", code, stderr)
	}
}

func TestFiveMistakesAreFiveErrorsWithLines(t *testing.T) { // F-6, SET-1
	conf := filepath.Join(t.TempDir(), "config.yml")
	write(t, conf, `server4:
  plugins:
    - netbox:
    - nak: allways
netbox:
  url: https://netbox.example.org
  timeoutt: 3s
  lease:
    time: soon
  poll:
    interval: 5
  clients:
    lag: sometimes
`)
	for _, command := range []string{"serve", "check", "explain", "bootstrap"} {
		args := []string{command, "--conf", conf}
		if command == "explain" {
			args = append(args, "--mac", "52:54:00:00:00:01", "--local", "10.0.0.2")
		}
		_, stderr, code := run(t, args...)
		if code != 64 {
			t.Errorf("%s: exit code %d, want 64", command, code)
		}
		for _, want := range []string{"config.yml:4:", "config.yml:7: netbox.timeoutt", "config.yml:9: netbox.lease.time", "config.yml:11: netbox.poll.interval", "config.yml:13: netbox.clients.lag"} {
			if !strings.Contains(stderr, want) {
				t.Errorf("%s: no %q in\n%s", command, want, stderr)
			}
		}
		if lines := strings.Count(strings.TrimSpace(stderr), "\n") + 1; lines != 5 {
			t.Errorf("%s: %d lines of errors, want 5:\n%s", command, lines, stderr)
		}
	}
}

func TestCommandsSayWhatTheyDo(t *testing.T) {
	conf, _ := lab(t, pool)
	for name, test := range map[string]struct {
		args []string
		code int
		want string // in either stream
	}{
		"help teaches":               {[]string{"--help"}, 0, "explain"},
		"version names CoreDHCP":     {[]string{"version"}, 0, "github.com/coredhcp/coredhcp v0.0.0-2026"},
		"plugins are listed":         {[]string{"--plugins"}, 0, "netbox_gateway"},
		"unknown command":            {[]string{"sevre"}, 64, "sevre"},
		"unknown flag":               {[]string{"serve", "--cofn", conf}, 64, "cofn"},
		"missing file":               {[]string{"check", "--conf", "/nonexistent/config.yml"}, 64, "/nonexistent/config.yml"},
		"no file at all":             {[]string{"check"}, 64, "--conf"},
		"a good inventory":           {[]string{"check", "--conf", conf}, 0, "1 prefix, "},
		"explain a known host":       {[]string{"explain", "--conf", conf, "--mac", "52:54:00:aa:00:01", "--local", "10.77.0.2"}, 0, "device web1 interface eth0"},
		"explain as JSON":            {[]string{"explain", "--conf", conf, "--mac", "52:54:00:aa:00:01", "--local", "10.77.0.2", "--json"}, 0, `"rule": "D-1"`},
		"explain without a place":    {[]string{"explain", "--conf", conf, "--mac", "52:54:00:aa:00:01", "--server-id", "10.77.0.2"}, 64, "--relay"},
		"explain a bad MAC":          {[]string{"explain", "--conf", conf, "--mac", "52", "--local", "10.77.0.2"}, 64, "--mac"},
		"explain a refusal":          {[]string{"explain", "--conf", conf, "--mac", "52:54:00:aa:00:01", "--local", "10.77.0.2", "--message", "init-reboot", "--request", "192.0.2.7"}, 0, "D-7"},
		"a rule":                     {[]string{"rule", "REC-1"}, 0, "rule REC-1"},
		"a rule in small letters":    {[]string{"rule", "nb", "1.4"}, 0, "rule NB-1.4"},
		"all rules":                  {[]string{"rule"}, 0, "REC-3"},
		"a rule as JSON":             {[]string{"rule", "rec-2", "--json"}, 0, `"id": "REC-2"`},
		"no such rule":               {[]string{"rule", "REC-"}, 64, "REC-1, REC-2, REC-3"},
		"bootstrap of no NetBox":     {[]string{"bootstrap", "--conf", conf}, 64, "inventory"},
		"bootstrap has an example":   {[]string{"bootstrap", "--help"}, 0, "--example"},
		"metrics at a wrong address": {[]string{"serve", "--conf", conf, "--metrics", "nowhere"}, 64, "--metrics"},
	} {
		t.Run(name, func(t *testing.T) {
			stdout, stderr, code := run(t, test.args...)
			if code != test.code || !strings.Contains(stdout+stderr, test.want) {
				t.Errorf("%v: exit code %d, want %d; want %q in\n%s%s", test.args, code, test.code, test.want, stdout, stderr)
			}
		})
	}
}

func TestExplainStoresNothing(t *testing.T) {
	conf, _ := lab(t, pool)
	run(t, "explain", "--conf", conf, "--mac", "52:54:00:00:00:01", "--local", "10.77.0.2")
	if _, err := os.Stat(filepath.Join(filepath.Dir(conf), "state")); !os.IsNotExist(err) {
		t.Errorf("explain made the store's folder: %v", err)
	}
}
