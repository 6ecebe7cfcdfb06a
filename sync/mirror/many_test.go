package mirror_test

import (
	"fmt"
	"maps"
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
	if got, want := asked(l.Servers[0]), map[string]int{"health": 1, "scopes": 1, "failover": 1, "leases": 1, "reservations": 1, "exclusions": scopes, "options": scopes}; !cmp.Equal(got, want) {
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
	if got, want := asked(l.Servers[0]), map[string]int{"health": 1, "scopes": 1, "failover": 1, "leases": 1, "reservations": 1, "exclusions": 1, "options": 1}; !cmp.Equal(got, want) {
		t.Errorf("requests to a server with lists %v, want %v", got, want)
	}
}

// rules 3.7 guard n and 10: a partner that is asked for the leases of a relationship
// costs one more set of lists, however many scopes there are, and a partner that is not
// asked costs nothing. A lease it has keeps its address.
func TestAPartnerCostsOneMoreSetOfLists(t *testing.T) {
	const scopes = 6
	for _, c := range []struct {
		name, settings, partner string
		asked                   bool
	}{
		{"the pre-flight lets it be asked", "", "", true},
		{"it does not, and ask_partner is off", "", "sync_standalone_scopes: false\n", false},
		{"it does not, and ask_partner is on", "failover: {east: {ask_partner: true}}\n", "sync_standalone_scopes: false\n", true},
	} {
		for script, own := range map[string]map[string]int{
			"1.0.2":     {"exclusions": scopes, "options": scopes},
			psutest.Own: {"exclusions": 1, "options": 1},
		} {
			t.Run(c.name+", script "+script, func(t *testing.T) {
				l := mirrortest.New(t, mirrortest.StandIn(t, netboxtest.Config{}), netboxtest.World{})
				dh1, dh2 := l.Add(psutest.Campus("", scopes, 5, time.Now())), l.Add(psutest.Campus("", scopes, 5, time.Now()))
				east := psutest.Failover{Name: "east"}
				for s := range scopes {
					east.Scopes = append(east.Scopes, fmt.Sprintf("10.40.%d.0", s))
				}
				psutest.Pair(dh1, dh2, east)
				for _, s := range l.Servers {
					s.Configure(func(c *psutest.Config) { c.Script = script })
				}
				m := l.Open("sync_ips_from_dhcp: true\nguards: {confirm_after: 0s}\n"+c.settings, map[string]string{l.Host(1): c.partner})
				run(t, m, mirror.Options{Mode: plan.Import})
				run(t, m, mirror.Options{})
				dh1.Edit(func(w *psutest.World) { w.Scopes[0].Leases = w.Scopes[0].Leases[1:] })
				want := map[string]int{"health": 1, "scopes": 1, "failover": 1, "leases": 1, "reservations": 1}
				maps.Copy(want, own)
				partner := map[string]int{}
				if c.asked {
					partner = map[string]int{"health": 1, "scopes": 1, "failover": 1, "leases": 1}
					if script == psutest.Own { // its list of scopes has no routers
						partner["options"] = 1
					}
				}
				run(t, m, mirror.Options{AllowDeletes: true})
				for _, s := range l.Servers {
					s.ForgetRequests()
				}
				run(t, m, mirror.Options{})
				if got := asked(dh1); !cmp.Equal(got, want) {
					t.Errorf("requests to the server that speaks %v, want %v", got, want)
				}
				if got := asked(dh2); !cmp.Equal(got, partner) {
					t.Errorf("requests to its partner %v, want %v", got, partner)
				}
				if x := l.Address("10.40.0.1"); (x != nil) != c.asked {
					t.Errorf("the address of a lease that the partner alone has: %v", x)
				}
			})
		}
	}
}

// asked counts the requests to a server by the list they are about.
func asked(server *psutest.Server) map[string]int {
	counts := make(map[string]int)
	for _, r := range server.Requests() {
		list, _, _ := strings.Cut(strings.TrimPrefix(r.Path, "/api/dhcp/"), "/")
		counts[list]++
	}
	return counts
}
