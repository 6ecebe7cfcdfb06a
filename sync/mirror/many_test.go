package mirror_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror/mirrortest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
)

func TestManyLeases(t *testing.T) {
	manyLeases(t, mirrortest.StandIn(t, netboxtest.Config{}), 10)
}

func TestTenThousandLeasesOnARealNetBox(t *testing.T) {
	manyLeases(t, mirrortest.Real(t), 40)
}

// manyLeases checks the counts of NB-4 and of rule 10: a second run over unchanged
// leases writes nothing, reads each list of NetBox in as few pages as there are, and
// asks the server for each of its lists once, or once a scope where it has no list.
func manyLeases(t *testing.T, target mirrortest.Target, scopes int) {
	t.Helper()
	leases := 250 * scopes
	l := mirrortest.New(t, target, netboxtest.World{})
	l.Add(psutest.Campus("dh1.corp.example", scopes, 250, time.Now()))
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
	if n := r.Report.Count(plan.NetBox, "done"); n < leases || last != most {
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
	for path, allowed := range map[string]int{"ipam/ip-addresses": 1 + (leases+999)/1000, "ipam/ip-ranges": 2, "ipam/prefixes": 2, "ipam/vrfs": 2, "extras/config-contexts": 2} {
		if pages[path] > allowed {
			t.Errorf("%s: %d pages read, %d are allowed", path, pages[path], allowed)
		}
	}
	if got, want := asked(l), map[string]int{"health": 1, "scopes": 1, "failover": 1, "leases": 1, "reservations": 1, "exclusions": scopes, "options": scopes}; !cmp.Equal(got, want) {
		t.Errorf("requests to the server %v, want %v", got, want)
	}
	// One for all exclusions and one for all options, where the script has them
	// (rule 1.9).
	l.Servers[0].Configure(func(c *psutest.Config) { c.Script = psutest.Own })
	l.Servers[0].ForgetRequests()
	l.Front.Forget()
	r = run(t, m, mirror.Options{})
	if !r.Plan.Empty() || len(l.Front.Writes()) > 0 {
		t.Errorf("a third run, with lists, writes: %s", r.Summary)
	}
	if got, want := asked(l), map[string]int{"health": 1, "scopes": 1, "failover": 1, "leases": 1, "reservations": 1, "exclusions": 1, "options": 1}; !cmp.Equal(got, want) {
		t.Errorf("requests to a server with lists %v, want %v", got, want)
	}
}

// asked counts the requests to the first server by the list they are about.
func asked(l *mirrortest.Lab) map[string]int {
	counts := make(map[string]int)
	for _, r := range l.Servers[0].Requests() {
		list, _, _ := strings.Cut(strings.TrimPrefix(r.Path, "/api/dhcp/"), "/")
		counts[list]++
	}
	return counts
}
