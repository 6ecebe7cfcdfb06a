package cli

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/exit"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror/mirrortest"
)

// rule 9 row 20: every query that docs/sync/reference.md
// shows is understood by NetBox and finds something.
func TestDocumentedQueriesWork(t *testing.T) {
	page, err := os.ReadFile("../../docs/sync/reference.md")
	if err != nil {
		t.Fatal(err)
	}
	noEnvironment(t)
	netbox := netboxtest.New(t, netboxtest.Config{})
	l := mirrortest.New(t, mirrortest.Target{URL: netbox.URL(), Token: netbox.TokenV1()}, netboxtest.World{})
	s := &shell{Lab: l, t: t, dh1: l.Add(psutest.Example("dh1.corp.example")), conf: filepath.Join(l.Folder, "config.yml")}
	dh2 := l.Add(psutest.World{})
	psutest.Pair(s.dh1, dh2, psutest.Failover{Name: "east-pair", Mode: "HotStandby", Scopes: []string{"10.8.6.0"}})
	l.Open(syncs, nil)
	s.expect(exit.OK, "import", "--quiet")
	s.expect(exit.OK, "sync", "--quiet")
	s.Create("ipam/ip-addresses", map[string]any{"address": "10.99.0.1/24", "status": "dhcp", "tags": []any{map[string]any{"slug": "dhcp-status-invalid"}}})

	queries := regexp.MustCompile("`GET /api/([^?`]+)/\\?([^`]+)`").FindAllStringSubmatch(string(page), -1)
	if len(queries) < 15 {
		t.Errorf("only %d queries on the page", len(queries))
	}
	for _, q := range queries {
		// The laboratory's servers are called by their address.
		query := strings.ReplaceAll(q[2], "dh1.corp.example", url.QueryEscape(l.Host(0)))
		netbox.ForgetRequests()
		rows := l.Get(q[1], query)
		if len(rows) == 0 {
			t.Errorf("%s?%s finds nothing", q[1], query)
		}
		for _, r := range netbox.Requests() {
			if len(r.Ignored) > 0 || r.Status != http.StatusOK {
				t.Errorf("%s?%s: status %d, not understood: %v", q[1], query, r.Status, r.Ignored)
			}
		}
	}
}
