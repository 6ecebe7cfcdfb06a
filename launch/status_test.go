package launch

import (
	"io"
	"net"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/bootfiles"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance/instancetest"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/receive"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

// B-8
func TestStatusSaysWhatAnOperatorRaisesAlarmsOn(t *testing.T) {
	const ddns = "ddns: {zones: [{name: example.org, server: 127.0.0.1, key: k}], keys: [{name: k, algorithm: hmac-sha256, secret_file: key}]}"
	opened := instancetest.Open(t, ddns, "prefixes: [{prefix: 10.0.0.0/24}]\n")
	if err := addProcessMetrics(opened.Registry); err != nil {
		t.Fatal(err)
	}
	reasons := opened.NotReady
	get := func(path string) (int, string) {
		w := httptest.NewRecorder()
		statusHandler(opened.Registry, func() []string { return reasons() }).ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		return w.Code, w.Body.String()
	}
	if code, body := get("/readyz"); code != 200 || body != "ready\n" {
		t.Errorf("/readyz with an inventory: %d %q", code, body)
	}
	reasons = func() []string { return []string{"the lease store failed", "NetBox does not answer"} }
	if code, body := get("/readyz"); code != 503 || body != "the lease store failed\nNetBox does not answer\n" {
		t.Errorf("/readyz in trouble: %d %q", code, body)
	}
	if code, _ := get("/healthz"); code != 200 {
		t.Errorf("/healthz follows readiness: %d", code)
	}
	if code, _ := get("/"); code != 404 {
		t.Errorf("/: %d", code)
	}
	_, metrics := get("/metrics")
	for _, want := range []string{
		"coredhcp_netbox_snapshot_age_seconds 0", "coredhcp_netbox_netbox_reachable 1", "coredhcp_netbox_netbox_clock_skew_seconds 0", "coredhcp_netbox_reclaim_pause_seconds 0",
		"coredhcp_netbox_store_failed 0", "coredhcp_netbox_store_free_bytes ", "coredhcp_netbox_ready 1", "coredhcp_netbox_build_info{", "go_goroutines ", "process_open_fds ",
	} {
		if !strings.Contains(metrics, "\n"+want) {
			t.Errorf("no %q in the metrics", want)
		}
	}
	if strings.Contains(metrics, "store_free_bytes -1") {
		t.Error("free space of the store is unknown")
	}
}

// slowMetrics is a collector that says when it is asked, and waits.
type slowMetrics struct{ asked, free chan struct{} }

func (slowMetrics) Describe(chan<- *prometheus.Desc) {}

func (s slowMetrics) Collect(chan<- prometheus.Metric) {
	s.asked <- struct{}{}
	<-s.free
}

// B-8: who asks for metrics again and again, while they are counted, takes a known part
// of the machine, and health is told meanwhile.
func TestFewRequestsForMetricsAreInFlight(t *testing.T) {
	const most = 4
	slow := slowMetrics{make(chan struct{}), make(chan struct{})}
	registry := prometheus.NewRegistry()
	registry.MustRegister(slow)
	handler := statusHandler(registry, func() []string { return nil })
	get := func(path string) int {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		return w.Code
	}
	codes := make(chan int, most)
	for range most {
		go func() { codes <- get("/metrics") }()
		<-slow.asked
	}
	if code := get("/metrics"); code != 503 {
		t.Errorf("one more: %d", code)
	}
	if ready, alive := get("/readyz"), get("/healthz"); ready != 200 || alive != 200 {
		t.Errorf("/readyz %d, /healthz %d", ready, alive)
	}
	close(slow.free)
	for range most {
		<-codes // 503 where a busy machine took longer than a request may
	}
	go func() {
		for range slow.asked {
		}
	}()
	for get("/metrics") != 200 { // until the last of them has given its place back
		if t.Context().Err() != nil {
			t.Fatal("metrics are not served again")
		}
	}
	close(slow.asked)
}

// C-42: the page of metrics has each metric that is registered, with its labels.
func TestThePageOfMetricsHasAllThatAreRegistered(t *testing.T) {
	page, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := make(map[string]string)
	for _, row := range regexp.MustCompile("(?m)^\\| `(coredhcp_netbox_\\w+)` \\| \\w+ \\| (.*?) \\| ").FindAllStringSubmatch(string(page), -1) {
		var labels []string
		for _, l := range regexp.MustCompile("(?:^|<br>)`(\\w+)`").FindAllStringSubmatch(row[2], -1) {
			labels = append(labels, l[1])
		}
		listed[row[1]] = strings.Join(labels, ",")
	}
	there := metricsThatExist(t)
	for name, labels := range there {
		sorted := strings.Split(labels, ",")
		slices.Sort(sorted)
		if have, ok := listed[name]; !ok || have != strings.Join(sorted, ",") {
			t.Errorf("the page has %s: %v, with labels %q, want %q", name, ok, have, sorted)
		}
	}
	if len(there) < 20 || len(listed) != len(there) {
		t.Errorf("%d metrics are registered, %d listed", len(there), len(listed))
	}
}

// metricsThatExist registers all there are and returns their labels by name.
func metricsThatExist(t *testing.T) map[string]string {
	t.Helper()
	const ddns = "ddns: {zones: [{name: example.org, server: 127.0.0.1, key: k}], keys: [{name: k, algorithm: hmac-sha256, secret_file: key}]}"
	opened := instancetest.Open(t, ddns, "prefixes: [{prefix: 10.0.0.0/24}]\n")
	if err := addProcessMetrics(opened.Registry); err != nil {
		t.Fatal(err)
	}
	log := logrus.New()
	log.SetOutput(io.Discard)
	queue, end := queueLog(log.WithFields(nil))
	defer end()
	opened.Registry.MustRegister(lostLines(queue))
	loop, err := receive.Listen([]net.UDPAddr{{IP: net.IPv4(127, 0, 0, 1)}}, receive.Chain{Exchanges: &opened.Pool.Exchanges}, receive.Options{Log: log, Registerer: opened.Registry})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = loop.Close() }()
	files, err := bootfiles.Listen(bootConfig(settings.BootService{Folder: t.TempDir()}, opened.Registry, log))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = files.Close() }()
	descriptions := make(chan *prometheus.Desc, 1000)
	opened.Registry.Describe(descriptions)
	close(descriptions)
	there := make(map[string]string)
	for d := range descriptions {
		m := regexp.MustCompile(`fqName: "(coredhcp_netbox_\w+)".*variableLabels: \{([\w,]*)\}`).FindStringSubmatch(d.String())
		if m != nil {
			there[m[1]] = m[2]
		}
	}
	// Constant labels.
	there["coredhcp_netbox_build_info"] = "version"
	there["coredhcp_netbox_waiting"], there["coredhcp_netbox_crowded_total"] = "for", "for"
	return there
}
