package status

import (
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/page"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/page/pagetest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror"
)

// rule 9 row 20
func TestJSON(t *testing.T) {
	l := newLab(t, "sync_ips_from_dhcp: true", nil)
	l.run()
	var status struct {
		Format  string
		LastRun struct {
			ExitCode int             `json:"exit_code"`
			Plan     json.RawMessage `json:"plan"`
		} `json:"last_run"`
		Servers []struct{ Host, State string }
		Scopes  []struct {
			Scope, Start string
			Synced       bool
			Leases       int
		}
	}
	l.get("/api/status.json").json(http.StatusOK, &status)
	if status.Format != overviewFormat || status.LastRun.Plan != nil || len(status.Servers) != 2 || status.Servers[0].State != answered ||
		status.Scopes[0].Scope != "10.8.4.0/24" || status.Scopes[0].Start != "10.8.4.20" || !status.Scopes[0].Synced || status.Scopes[0].Leases == 0 {
		t.Errorf("%+v", status)
	}

	l.remember(many(1000))
	var leases struct {
		Count, Offset int
		Results       []struct {
			Address, Hostname string
			ClientID          string `json:"client_id"`
			Active            bool
		}
	}
	for query, want := range map[string][3]any{
		"":                              {1000, 100, "10.20.0.1"},
		"?limit=1000":                   {1000, 1000, "10.20.0.1"},
		"?offset=990":                   {1000, 10, "10.20.3.241"},
		"?offset=5000":                  {1000, 0, ""},
		"?scope=10.20.1.0/24&limit=1":   {250, 1, "10.20.1.1"},
		"?scope=10.20.1.0/24&q=pc-0030": {10, 10, "10.20.1.51"},
	} {
		l.get("/api/leases.json"+query).json(http.StatusOK, &leases)
		first := ""
		if len(leases.Results) > 0 {
			first = leases.Results[0].Address
		}
		if got := [3]any{leases.Count, len(leases.Results), first}; got != want {
			t.Errorf("leases%s: %v, want %v", query, got, want)
		}
	}

	var host struct {
		Address string
		Leases  []struct{ Hostname, Seen string }
		Scopes  []struct{ Scope string }
		NetBox  string
	}
	l.get("/api/ip/10.20.0.7.json").json(http.StatusOK, &host)
	if host.Address != "10.20.0.7" || len(host.Leases) != 1 || host.Leases[0].Hostname != "PC-00006.corp.example" || host.Leases[0].Seen != "2030-01-02T03:04:05Z" {
		t.Errorf("%+v", host)
	}
	for _, path := range []string{
		"/api/ip/10.20.0.7", "/api/ip/x.json", "/api/leases.json?limit=0", "/api/leases.json?limit=1001", "/api/leases.json?limit=x",
		"/api/leases.json?offset=-1", "/api/leases.json?scope=x", "/api/leases.json?q=" + strings.Repeat("x", 201), "/api/leases.json?q=%ff",
	} {
		var refusal struct{ Error string }
		l.get(path).json(http.StatusBadRequest, &refusal)
		if refusal.Error == "" {
			t.Errorf("%s: no reason", path)
		}
	}
}

// WEB-14: each answer for programs is described, and is as described: before the first
// run, after one, with servers that are silent or in maintenance, and for wrong questions.
func TestAnswersAreAsDescribed(t *testing.T) {
	l := newLab(t, "sync_ips_from_dhcp: true", nil)
	api := pagetest.OpenAPI(t, openAPI)
	described := append(slices.Collect(maps.Keys((&site{}).answers())), "/healthz", "/metrics", "/readyz")
	slices.Sort(described)
	if !slices.Equal(described, api.Paths()) {
		t.Errorf("described %v, served %v", api.Paths(), described)
	}
	check := func() {
		t.Helper()
		for path, asked := range map[string][]string{
			"/api/status.json": {""}, "/api/openapi.json": {""}, "/healthz": {""}, "/readyz": {""}, "/metrics": {""},
			"/api/leases.json": {"", "?q=pc&scope=10.8.4.0/24&state=active&limit=1", "?limit=0", "?scope=x"},
			"/api/leases.csv":  {"", "?scope=x"},
			"/api/ip/{file}":   {"10.8.4.33.json", "10.8.4.50.json", "192.0.2.1.json", "x.json"},
		} {
			for _, one := range asked {
				a := l.get(strings.TrimSuffix(path, "{file}") + one)
				api.Check(t, path, a.Code, a.Header(), a.Body.Bytes())
			}
		}
	}
	check()
	l.run()
	check()
	l.Servers[1].Fail(psutest.Fault{Kind: psutest.Drop})
	if _, err := l.m.Sync(t.Context(), mirror.Options{}); err != nil {
		t.Fatal(err)
	}
	l.remember(many(100))
	check()
}

func TestMetrics(t *testing.T) {
	l := newLab(t, "sync_ips_from_dhcp: true", nil)
	l.run()
	l.Servers[1].Fail(psutest.Fault{Kind: psutest.Drop})
	if _, err := l.m.Sync(t.Context(), mirror.Options{}); err != nil {
		t.Fatal(err)
	}
	a := l.get("/metrics")
	for _, line := range []string{
		`netbox_dhcp_sync_server_up{server="127.0.0.1"} 1`, `netbox_dhcp_sync_server_up{server="127.0.0.2"} 0`, `netbox_dhcp_sync_scopes{state="synced"} 3`,
		`netbox_dhcp_sync_runs_total{code="0"} 2`, `netbox_dhcp_sync_status_violations 0`, "go_goroutines ", "process_start_time_seconds ",
	} {
		if !strings.Contains(a.Body.String(), "\n"+line) {
			t.Errorf("no %s in\n%s", line, a.Body)
		}
	}
	registry := prometheus.NewPedanticRegistry()
	site := &site{m: l.m, Site: page.Site{Log: logrus.New(), Now: time.Now}}
	registry.MustRegister(l.m.Metrics(), newGauges(site))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// C-42
func TestThePageOfMetricsHasAllThatAreRegistered(t *testing.T) {
	guide, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	l := newLab(t, "", nil)
	described := make(chan *prometheus.Desc, 100)
	l.m.Metrics().Describe(described)
	newGauges(&site{m: l.m}).Describe(described)
	close(described)
	var exist, listed []string
	for d := range described {
		exist = append(exist, regexp.MustCompile(`fqName: "([a-z_]+)"`).FindStringSubmatch(d.String())[1])
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `(netbox_dhcp_sync_[a-z_]+)`").FindAllStringSubmatch(string(guide), -1) {
		listed = append(listed, m[1])
	}
	slices.Sort(exist)
	slices.Sort(listed)
	if diff := cmp.Diff(exist, listed); diff != "" {
		t.Errorf("-exist +listed:\n%s", diff)
	}
}
