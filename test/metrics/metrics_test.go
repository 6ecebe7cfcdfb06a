// Package metrics holds what operators see of both programs to what the programs
// tell: the page of metrics, the rules of alarms and the dashboards. It must not test
// what a metric counts: that is for the packages that count.
package metrics

import (
	"bytes"
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror/mirrortest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/psu"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/status"
	"github.com/coredhcp-netbox/coredhcp-netbox/test/integration"
	"github.com/coredhcp-netbox/coredhcp-netbox/test/relay"
)

const root = "../.."

// families are the metrics of one program, by name.
type families map[string]*dto.MetricFamily

// scrape reads a page of metrics.
func scrape(t *testing.T, address string) families {
	t.Helper()
	answer, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	read, err := parser.TextToMetricFamilies(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("status %d, %v", answer.StatusCode, err)
	}
	return read
}

// server is the built server, at work on loopback.
type server struct{ dhcp, metrics, tftp, http string }

const inventory = `prefixes: [{prefix: 10.77.0.0/24}, {prefix: 10.78.0.0/24, vrf: blue}]
vrfs: [{name: blue}]
ip_addresses:
  - {address: 10.77.0.1/24, tags: [Gateway]}
  - {address: 10.77.0.100-10.77.0.149/24, tags: [DHCP]}
  - {address: 10.78.0.100/24, vrf: blue, tags: [DHCP]}
`

func startServer(t *testing.T) server {
	t.Helper()
	dir := t.TempDir()
	binary := filepath.Join(dir, "coredhcp-netbox")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, root+"/cmd/coredhcp-netbox")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s := server{integration.FreePort(t), integration.FreePort(t), integration.FreePort(t), integration.FreePort(t)}
	settings := fmt.Sprintf(`server4:
  listen: %q
  plugins: [{netbox: ""}, {netbox_gateway: ""}, {netbox_dns: ""}, {netbox_pxe: ""}, {nak: authoritative}]
netbox:
  inventory: inventory.yml
  network: {relays: [127.0.0.2, 127.0.0.1, 10.77.0.0/20]}
  store: {path: state}
  control: {folder: run}
  metrics: {listen: %q}
  events: {file: events.jsonl}
  ddns: {keys: [{name: k, secret_file: k}], zones: [{name: dhcp.example.org, server: "127.0.0.1:9", key: k}]}
  boot_service: {folder: boot, tftp_listen: %q, http_listen: %q}
`, s.dhcp, s.metrics, s.tftp, s.http)
	for name, text := range map[string]string{"config.yml": settings, "inventory.yml": inventory, "boot/ipxe.efi": "boot"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	log := &lines{}
	cmd := exec.Command(binary, "serve", "--conf", filepath.Join(dir, "config.yml"))
	cmd.Env, cmd.Stdout, cmd.Stderr = []string{"HOME=" + dir}, log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for end := time.Now().Add(30 * time.Second); !log.has("serving DHCPv4"); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the server does not serve:\n%s", log.text.String())
		}
	}
	return s
}

// lines is a log that can be read while it is written.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.text.String(), text)
}

// lease gives a client a lease, so that each metric has a series.
func (s server) lease(t *testing.T) {
	t.Helper()
	agent, err := relay.New(s.dhcp, netip.MustParseAddr("10.77.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = agent.Close() }()
	if _, err := agent.Acquire(net.HardwareAddr{0x52, 0x54, 0, 0, 0, 1}); err != nil {
		t.Fatal(err)
	}
}

// attack sends what a client can make up: message types, option 53 of any length, names
// of files, methods of HTTP.
func (s server) attack(t *testing.T) {
	t.Helper()
	send := func(to string, packets int, make func(n int) []byte) {
		conn, err := net.Dial("udp4", to)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		for n := range packets {
			_, _ = conn.Write(make(n)) // the kernel may tell that a packet before was refused
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	send(s.dhcp, 600, func(n int) []byte {
		kind := make([]byte, n%3)
		for i := range kind {
			kind[i] = byte(random.Uint32())
		}
		if n%3 == 1 {
			kind[0] = byte(n / 3)
		}
		m, err := dhcpv4.New(dhcpv4.WithHwAddr(net.HardwareAddr{2, 0, 0, 0, byte(n >> 8), byte(n)}), dhcpv4.WithRelay(net.IPv4(10, 77, 0, 1)),
			dhcpv4.WithGeneric(dhcpv4.OptionDHCPMessageType, kind), dhcpv4.WithOption(dhcpv4.OptHostName(fmt.Sprintf("evil\"}\n%d", n))))
		if err != nil {
			t.Fatal(err)
		}
		data := m.ToBytes()
		switch n % 10 {
		case 8:
			data[0] = byte(random.Uint32()) // op
		case 9:
			data = data[:random.IntN(len(data))]
		}
		return data
	})
	send(s.tftp, 100, func(n int) []byte {
		return fmt.Appendf(nil, "\x00%c../evil\"%d\x00mode%d\x00", rune(n%7), n, n)
	})
	for n, method := range []string{"GET", "PUT", "EVIL", "HEAD", "DELETE"} {
		r, err := http.NewRequestWithContext(t.Context(), method, fmt.Sprintf("http://%s/evil%%22%d", s.http, n), nil)
		if err != nil {
			t.Fatal(err)
		}
		if answer, err := http.DefaultClient.Do(r); err == nil {
			_, _ = io.Copy(io.Discard, answer.Body)
			_ = answer.Body.Close()
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

// startMirror is a mirror after its runs, with its page on loopback.
func startMirror(t *testing.T) string {
	t.Helper()
	l := mirrortest.New(t, mirrortest.StandIn(t, netboxtest.Config{}), netboxtest.World{})
	l.Add(psutest.Example("dh1.corp.example"))
	l.Add(psutest.World{})
	m := l.Open("sync_ips_from_dhcp: true", nil)
	if _, err := m.Sync(t.Context(), mirror.Options{Mode: plan.Import}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ran, ended := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(ended)
		m.Loop(ctx, time.Hour, mirror.Options{}, func(_ *mirror.Run, err error) { ran <- err })
	}()
	if err := <-ran; err != nil {
		t.Fatal(err)
	}
	made, err := psutest.NewCertificate(psutest.CertificateConfig{Names: []string{"localhost"}, NotAfter: time.Now().AddDate(1, 0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	cert, err := psu.ParseCertificate(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: made.Certificate[0]}))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Trust.Put(l.Host(0), cert); err != nil {
		t.Fatal(err)
	}
	m.File.Sync.Servers[0].HTTPS = true
	m.File.Sync.Status.Listen, m.File.Sync.Status.TokenFile = integration.FreePort(t), l.File("page.token", "page-token-0123456789")
	log := logrus.New()
	log.SetOutput(io.Discard)
	served := make(chan error, 1)
	go func() { served <- status.Serve(ctx, m, log) }()
	t.Cleanup(func() {
		stop()
		<-ended
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	address := m.File.Sync.Status.Listen
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		conn, err := net.Dial("tcp4", address)
		if err == nil {
			_ = conn.Close()
			return address
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

// lint holds names, types and help to the conventions of Prometheus.
func lint(t *testing.T, f families) {
	t.Helper()
	var list []*dto.MetricFamily
	for name, family := range f {
		if strings.HasPrefix(name, "go_") || strings.HasPrefix(name, "process_") || strings.HasPrefix(name, "promhttp_") {
			continue
		}
		list = append(list, family)
		if help := family.GetHelp(); !strings.HasSuffix(help, ".") || len(help) < 20 {
			t.Errorf("%s: help is no sentence: %q", name, help)
		}
		for _, word := range []string{"_seconds", "_bytes"} {
			if strings.Contains(name, word) && family.GetType() == dto.MetricType_COUNTER && !strings.HasSuffix(name, "_total") {
				t.Errorf("%s: a counter without _total", name)
			}
		}
		for _, m := range family.GetMetric() {
			for _, l := range m.GetLabel() {
				if slices.Contains([]string{"mac", "address", "client", "hostname", "ip"}, l.GetName()) {
					t.Errorf("%s: label %s names a client", name, l.GetName())
				}
			}
		}
	}
	problems, err := promlint.NewWithMetricFamilies(list).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// C-42: names, types, units and help are by convention, every metric stands on the
// page, and no client can make up the value of a label.
func TestThePageOfMetricsIsWhatBothProgramsTell(t *testing.T) {
	s := startServer(t)
	s.lease(t)
	server, mirrored := scrape(t, s.metrics), scrape(t, startMirror(t))
	for _, f := range []families{server, mirrored} {
		lint(t, f)
		checkValues(t, f)
	}
	comparePage(t, server, mirrored)
	series := func(f families) (n int) {
		for _, family := range f {
			n += len(family.GetMetric())
		}
		return n
	}
	before := series(server)
	s.attack(t)
	s.lease(t) // what came before is read
	after := scrape(t, s.metrics)
	checkValues(t, after)
	for name, label := range map[string]string{"coredhcp_netbox_dhcp4_received_total": "other", "coredhcp_netbox_dhcp4_dropped_total": "malformed", "coredhcp_netbox_boot_transfers_total": "not_found"} {
		if value(after[name], label) == 0 {
			t.Errorf("%s has no %s: the attack did not arrive", name, label)
		}
	}
	if grown := series(after) - before; grown > 60 {
		t.Errorf("the attack made %d series", grown)
	}
}

// value is the sum of the counters that have a label of that value.
func value(f *dto.MetricFamily, label string) (sum float64) {
	for _, m := range f.GetMetric() {
		if slices.ContainsFunc(m.GetLabel(), func(l *dto.LabelPair) bool { return l.GetValue() == label }) {
			sum += m.GetCounter().GetValue()
		}
	}
	return sum
}
