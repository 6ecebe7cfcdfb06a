package launch

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance/instancetest"
)

// B-8
func TestStatusSaysWhatAnOperatorRaisesAlarmsOn(t *testing.T) {
	opened := instancetest.Open(t, "", "prefixes: [{prefix: 10.0.0.0/24}]\n")
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
