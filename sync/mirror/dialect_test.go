package mirror_test

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror/mirrortest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
)

// rules 1.2, 1.9 and 9 row 49: the same servers give the same NetBox, and the same
// edits in NetBox the same servers, whichever script they run.
func TestTheSameServersGiveTheSameNetBoxInEachDialect(t *testing.T) {
	var want []string
	for _, script := range []string{"1.0.2", psutest.Lists, psutest.Own} {
		t.Run(script, func(t *testing.T) {
			got := dialectStory(t, mirrortest.StandIn(t, netboxtest.Config{}), script, overHTTP)
			if want == nil {
				want = got
			}
			for i, chapter := range []string{"imported", "followed", "pushed", "servers"} {
				if diff := cmp.Diff(want[i], got[i]); diff != "" {
					t.Errorf("%s (-1.0.2 +%s):\n%s", chapter, script, diff)
				}
			}
		})
	}
}

// Needs NETBOX_URL and NETBOX_TOKEN_FILE: an instance this test may wipe.
func TestTheSameServersGiveTheSameRealNetBoxInEachDialect(t *testing.T) {
	target := mirrortest.Real(t)
	var want []string
	for _, script := range []string{"1.0.2", psutest.Lists} { // what ours adds to the lists differs on the servers alone
		got := dialectStory(t, target, script, overHTTP)
		if want == nil {
			want = got
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-1.0.2 +%s):\n%s", script, diff)
		}
	}
}

// dialectStory tells what NetBox holds after an import, after changes on the
// servers and after edits in NetBox, and what the servers hold at the end.
func dialectStory(t *testing.T, target mirrortest.Target, script string, door doorOf) []string {
	l := mirrortest.New(t, target, netboxtest.World{})
	first, second := l.Add(psutest.Example("dh1.corp.example")), l.Add(psutest.World{Scopes: []*psutest.Scope{
		{ID: "10.20.0.0", Mask: "255.255.255.0", Name: "Hall", Start: "10.20.0.10", End: "10.20.0.99", LeaseSeconds: 3600},
	}})
	psutest.Pair(first, second, psutest.Failover{Name: "east-pair", Scopes: []string{"10.8.6.0"}})
	for _, s := range l.Servers {
		s.Configure(func(c *psutest.Config) { c.Script = script })
	}
	first.Edit(func(w *psutest.World) {
		office := w.Scope("10.8.4.0")
		office.Options = append(office.Options, &psutest.Option{Code: 6, Values: []string{"10.1.1.99"}, Type: "IPv4Address", UserClass: "lab"},
			&psutest.Option{Code: 3, Values: []string{"10.8.4.99"}, Type: "IPv4Address", Policy: "phones"})
	})
	way := door(l)
	m := l.Open("sync_ips_from_dhcp: true\nguards: {confirm_after: 0s}\n", way)
	runs := func(n int, o mirror.Options) {
		t.Helper()
		for range n {
			if _, err := m.Sync(t.Context(), o); err != nil {
				t.Fatal(err)
			}
		}
	}
	runs(1, mirror.Options{Mode: plan.Import})
	runs(2, mirror.Options{})
	chapters := []string{held(t, l)}

	first.Edit(func(w *psutest.World) {
		office := w.Scope("10.8.4.0")
		dropLease(office, "10.8.4.105")
		office.Reservations = append(office.Reservations[:1:1], &psutest.Reservation{IP: "10.8.4.106", ClientID: "3c-52-82-0a-1c-06", Name: "kiosk"})
		office.Exclusions = append(office.Exclusions, psutest.Exclusion{Start: "10.8.4.200", End: "10.8.4.209"})
		office.Options[0].Values = []string{"10.1.1.7"}
		office.Name, office.Routers = "Head office", []string{"10.8.4.254"}
		w.Scope("10.8.6.0").Exclusions = nil
	})
	runs(4, mirror.Options{})
	chapters = append(chapters, held(t, l))

	m = l.OpenUnprepared(everything, way)
	runs(1, mirror.Options{})
	l.Create("ipam/ip-addresses", map[string]any{"address": "10.8.4.70/24", "status": "reserved", "dns_name": "door-1",
		"custom_fields": map[string]any{"dhcp_client_id": "3C:52:82:0A:30:00"}})
	l.Patch("ipam/ip-addresses", l.Address("10.8.4.60")["id"], map[string]any{"dns_name": "mfp-9"})
	office := l.Get("ipam/ip-ranges", "start_address=10.8.4.20")[0]
	l.Patch("ipam/ip-ranges", office["id"], map[string]any{"custom_fields": map[string]any{"dhcp_lease_display": "2d", "dhcp_scope_name": "Office 2"}})
	l.Create("ipam/prefixes", map[string]any{"prefix": "10.8.9.0/24"})
	l.Create("ipam/ip-ranges", map[string]any{"start_address": "10.8.9.10/24", "end_address": "10.8.9.99/24", "role": map[string]any{"slug": "dhcp-scope"},
		"custom_fields": map[string]any{"dhcp_server": first.Host(), "dhcp_scope_name": "Labs", "dhcp_lease_seconds": 3600, "dhcp_router": "10.8.9.1"}})
	runs(3, mirror.Options{})
	chapters = append(chapters, held(t, l))

	var servers []psutest.World
	for _, s := range l.Servers {
		s.Edit(func(w *psutest.World) { servers = append(servers, *w) })
	}
	first.Edit(func(w *psutest.World) {
		office := w.Scope("10.8.4.0")
		if office.LeaseSeconds != 2*86400 || len(office.Reservations) != 3 || office.Reservations[0].Name != "mfp-9" || w.Scope("10.8.9.0") == nil {
			t.Errorf("the edits did not reach the server: %+v, %+v", office, office.Reservations[0])
		}
	})
	return append(chapters, indented(t, servers))
}

// held is what NetBox holds, without what differs from one NetBox to the next.
func held(t *testing.T, l *mirrortest.Lab) string {
	t.Helper()
	all := make(map[string]any)
	for _, path := range []string{"ipam/prefixes", "ipam/ip-ranges", "ipam/ip-addresses", "extras/config-contexts"} {
		var rows []any
		for _, row := range l.Get(path, "") {
			if row["name"] == plan.MemoryContext { // of this NetBox and this state folder
				continue
			}
			rows = append(rows, anonymous(map[string]any(row)))
		}
		all[path] = rows
	}
	return indented(t, all)
}

// anonymous leaves out ids, addresses of objects and times.
func anonymous(v any) any {
	switch x := v.(type) {
	case map[string]any:
		out := make(map[string]any)
		for _, key := range slices.Sorted(maps.Keys(x)) {
			switch key {
			case "id", "url", "display_url", "created", "last_updated":
			default:
				out[key] = anonymous(x[key])
			}
		}
		return out
	case []any:
		var out []any
		for _, one := range x {
			out = append(out, anonymous(one))
		}
		return out
	}
	return v
}

func indented(t *testing.T, v any) string {
	t.Helper()
	text, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// rules 1.9 and 3.8: what a server with lists cannot tell at once is asked scope by
// scope, and what it cannot tell at all changes nothing.
func TestAListOfAllScopesThatFailsChangesNothing(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault psutest.Fault
		code  int
	}{
		{"500 for all options", psutest.Fault{Path: "options", Kind: psutest.Error500}, 0},
		{"401 for all options", psutest.Fault{Path: "options", Kind: psutest.Unauthorized}, 0},
		{"a page for all options", psutest.Fault{Path: "options", Kind: psutest.HTML200}, 0},
		{"blank for all options", psutest.Fault{Path: "options", Kind: psutest.Blank200}, 0},
		{"500 for any options", psutest.Fault{Path: "options*", Kind: psutest.Error500}, 1},
		{"500 for all exclusions", psutest.Fault{Path: "exclusions", Times: 1, Kind: psutest.Error500}, 0},
		{"null for all exclusions", psutest.Fault{Path: "exclusions", Times: 1, Kind: psutest.Null200}, 0},
		{"500 for any exclusions", psutest.Fault{Path: "exclusions", Kind: psutest.Error500}, 1},
		{"an exclusion without an address", psutest.Fault{Path: "exclusions", Kind: psutest.MalformedEntry}, -1},
	} {
		for _, script := range []string{psutest.Lists, psutest.Own} {
			t.Run(c.name+", "+script, func(t *testing.T) {
				t.Parallel()
				l := mirrortest.New(t, mirrortest.StandIn(t, netboxtest.Config{}), netboxtest.World{})
				l.Add(psutest.Example("dh1.corp.example")).Configure(func(c *psutest.Config) { c.Script = script })
				m := l.Open("sync_ips_from_dhcp: true\n", nil)
				run(t, m, mirror.Options{Mode: plan.Import})
				run(t, m, mirror.Options{})
				l.Front.Forget()
				l.Servers[0].Fail(c.fault)
				r, err := m.Sync(t.Context(), mirror.Options{})
				if err != nil {
					t.Fatal(err)
				}
				if c.code >= 0 && r.Outcome.ExitCode() != c.code || !r.Plan.Empty() || len(l.Front.Writes()) > 0 {
					t.Errorf("exit code %d, want %d: %s, %+v", r.Outcome.ExitCode(), c.code, r.Summary, r.Plan.Steps)
				}
			})
		}
	}
}
