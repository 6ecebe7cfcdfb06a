package mirror_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox/netboxtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror/mirrortest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/psu/psutest"
)

// campus is a server with 40 scopes of 250 leases.
func campus() psutest.World {
	var w psutest.World
	for s := range 40 {
		net := fmt.Sprintf("10.40.%d.", s)
		scope := &psutest.Scope{ID: net + "0", Mask: "255.255.255.0", Name: fmt.Sprintf("Floor %d", s), Start: net + "1", End: net + "250", LeaseSeconds: 28800}
		for n := range 250 {
			scope.Leases = append(scope.Leases, &psutest.Lease{IP: fmt.Sprint(net, n+1), ClientID: fmt.Sprintf("02-00-00-00-%02x-%02x", s, n),
				Hostname: fmt.Sprintf("PC-%d-%d.corp.example", s, n), Expiry: time.Now().Add(8 * time.Hour).UTC().Format(time.RFC3339)})
		}
		w.Scopes = append(w.Scopes, scope)
	}
	return w
}

func TestTenThousandLeases(t *testing.T) {
	tenThousand(t, mirrortest.StandIn(t, netboxtest.Config{}))
}

func TestTenThousandLeasesOnARealNetBox(t *testing.T) {
	tenThousand(t, mirrortest.Real(t))
}

// tenThousand checks the counts of decisions.md 8: a second run over unchanged
// leases writes nothing and reads each list in as few pages as there are.
func tenThousand(t *testing.T, target mirrortest.Target) {
	l := mirrortest.New(t, target, netboxtest.World{})
	l.Add(campus())
	m := l.Open("sync_ips_from_dhcp: true\n", nil)
	run(t, m, mirror.Options{Mode: plan.Import})
	last, most := 0, 0
	r := run(t, m, mirror.Options{Progress: func(stage string, done, total int) {
		if stage == "writing" {
			if done < last || done > total {
				t.Errorf("progress went from %d to %d of %d", last, done, total)
			}
			last, most = done, total
		}
	}})
	if n := r.Report.Count(plan.NetBox, "done"); n < 10000 || last != most {
		t.Fatalf("%s; progress ended at %d of %d", r.Summary, last, most)
	}
	t.Logf("first run: %s in %s, %d requests", r.Summary, r.Took.Round(time.Millisecond), len(l.Front.Requests()))
	l.Front.Forget()
	l.Servers[0].ForgetRequests()
	r = run(t, m, mirror.Options{})
	if !r.Plan.Empty() || len(l.Front.Writes()) > 0 {
		t.Errorf("the second run writes: %s", r.Summary)
	}
	pages := make(map[string]int)
	for _, request := range l.Front.Requests() {
		if request.Method == http.MethodGet {
			pages[strings.TrimSuffix(request.Path, "/")]++
		}
	}
	t.Logf("second run: %s, %d requests to NetBox, %d to the server; pages %v", r.Took.Round(time.Millisecond), len(l.Front.Requests()), len(l.Servers[0].Requests()), pages)
	// One more for addresses outside of all scopes, and one for tagged ones.
	for path, allowed := range map[string]int{"ipam/ip-addresses": 11 + 2, "ipam/ip-ranges": 2, "ipam/prefixes": 2, "ipam/vrfs": 2, "extras/config-contexts": 2} {
		if pages[path] > allowed {
			t.Errorf("%s: %d pages read, %d are allowed", path, pages[path], allowed)
		}
	}
	// health, scopes, failover, leases, reservations; exclusions and options per scope
	if n := len(l.Servers[0].Requests()); n > 5+2*40 {
		t.Errorf("%d requests to the server", n)
	}
}
