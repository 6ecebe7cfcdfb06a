package status

import (
	"encoding/csv"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/page"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/page/pagetest"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
)

// checkText reports what a page lacks.
func checkText(t *testing.T, page *html.Node, want ...string) {
	t.Helper()
	text := pagetest.Content(page)
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("the page does not say %q:\n%s", w, text)
		}
	}
}

// rules 7, 9 row 9, 9 row 25 and 9 row 55
func TestTheFirstPageTellsWhatTheLastRunLeft(t *testing.T) {
	l := newLab(t, "sync_ips_from_dhcp: true\nread_only: true\noverrides: {push_scope_info: false}", map[string]string{"127.0.0.2": "maintenance: true"})
	checkText(t, l.page("/"), "No run has ended yet.", "no run of this process did yet")
	run := l.run()
	l.Create("ipam/ip-addresses", map[string]any{"address": "10.77.0.1/24", "status": "dhcp"})
	if _, err := l.m.Sync(t.Context(), mirror.Options{}); err != nil {
		t.Fatal(err)
	}
	page := l.page("/")
	checkText(t, page, "The last run went well, but there is something to look at.", "exit code 0: done, or nothing to do",
		"sync.push_scope_info: false this setting is forced by override config.yml", "sync.read_only: true nothing is written to Windows servers")
	servers := rows(page, "2 servers")
	if len(servers) != 2 || !strings.Contains(servers[0], "answered plain HTTP: the token travels in clear") || !strings.Contains(servers[0], "1.0.2") ||
		!strings.Contains(servers[1], "not asked in maintenance") || strings.Contains(servers[1], "Sync now") {
		t.Errorf("servers: %q", servers)
	}
	scopes := rows(page, "3 scopes")
	if len(scopes) != 3 || len(run.Plan.Scopes) != 3 {
		t.Errorf("%d scopes, want 3: %q", len(scopes), scopes)
	}
	if i := slices.IndexFunc(scopes, func(s string) bool {
		return strings.HasPrefix(s, "10.8.4.0/24 Office global 127.0.0.1 10.8.4.20 – 10.8.4.250") && strings.HasSuffix(s, "synced")
	}); i < 0 {
		t.Errorf("no scope 10.8.4.0/24 with its range: %q", scopes)
	}
	if v := rows(page, "to correct"); len(v) != 1 || !strings.Contains(v[0], "no DHCP scope contains it") {
		t.Errorf("violations: %q", v)
	}
	if runs := rows(page, "the newest first"); len(runs) != 3 {
		t.Errorf("runs: %q", runs)
	}
}

// rule 3.8
func TestAServerThatDoesNotAnswer(t *testing.T) {
	l := newLab(t, "sync_ips_from_dhcp: true", nil)
	l.run()
	l.Servers[0].Fail(psutest.Fault{Kind: psutest.Drop})
	if _, err := l.m.Sync(t.Context(), mirror.Options{}); err != nil {
		t.Fatal(err)
	}
	page := l.page("/")
	checkText(t, page, "The last run could not read every server.", "exit code 1: finished with errors", "The last good run ended", "1 of 2 servers answered")
	if s := rows(page, "2 servers")[0]; !strings.Contains(s, "no answer") || !strings.Contains(s, "last answer") {
		t.Errorf("server: %q", s)
	}
	if s := rows(page, "scopes"); len(s) == 0 || !strings.Contains(s[0], "as of") {
		t.Errorf("scopes of a server that is down: %q", s)
	}
	checkText(t, l.page("/ip/10.8.4.33"), "its scope was not synced in the last run")
}

func TestAFailoverScopeIsShownOnce(t *testing.T) {
	l := newLab(t, "sync_ips_from_dhcp: true", nil)
	psutest.Pair(l.Servers[0], l.Servers[1], psutest.Failover{Name: "east-pair", Mode: "HotStandby", Scopes: []string{"10.8.4.0"}, MaxClientLeadTime: 3600})
	l.run()
	var found []string
	for _, row := range rows(l.page("/"), "scopes") {
		if strings.HasPrefix(row, "10.8.4.0/24") {
			found = append(found, row)
		}
	}
	if len(found) != 1 || !strings.Contains(found[0], "failover east-pair") || !strings.Contains(found[0], "synced") {
		t.Errorf("%q", found)
	}
}

// rule 9 row 34
func TestThePageOfAnAddress(t *testing.T) {
	l := newLab(t, "sync_ips_from_dhcp: true", nil)
	checkText(t, l.page("/ip/10.8.4.33"), "No lease on this address is remembered.", "No run of this process made a plan yet.")
	l.run()
	memory, err := l.m.Memory()
	if err != nil {
		t.Fatal(err)
	}
	for place, lease := range memory.Leases {
		if lease.Hostname == "" || lease.Expires.IsZero() {
			continue
		}
		shown := l.page("/ip/" + place.Addr.String())
		checkText(t, shown, lease.Hostname, string(lease.ClientID), "active", page.Stamp(lease.Expires), lease.Server, lease.Scope.String(), page.Stamp(lease.Seen),
			"done create IP address "+place.Addr.String())
		link := pagetest.All(shown, func(n *html.Node) bool {
			return pagetest.Attr(n, "href") == l.m.File.NetBox.URL+"/ipam/ip-addresses/?q="+place.Addr.String()
		})
		if len(link) != 1 {
			t.Error("no link to the address in NetBox")
		}
		if _, err := l.m.Sync(t.Context(), mirror.Options{}); err != nil {
			t.Fatal(err)
		}
		checkText(t, l.page("/ip/"+place.Addr.String()), "what NetBox shows is in order")
		return
	}
	t.Fatalf("no lease with all facts: %v", memory.Leases)
}

func TestAnAddressInSeveralVRFs(t *testing.T) {
	l := newLab(t, "", nil)
	addr := netip.MustParseAddr("10.8.4.33")
	l.remember(map[plan.Place]plan.LeaseInfo{
		{Addr: addr}:         {Hostname: "in-global", Server: "dh1"},
		{VRF: 7, Addr: addr}: {Hostname: "in-seven", Server: "dh1"},
	})
	for query, want := range map[string][2]bool{"": {true, true}, "?vrf=7": {false, true}, "?vrf=global": {true, false}, "?vrf=nonsense": {false, false}} {
		text := pagetest.Content(l.page("/ip/10.8.4.33" + query))
		if got := [2]bool{strings.Contains(text, "in-global"), strings.Contains(text, "in-seven")}; got != want {
			t.Errorf("%q shows %v, want %v", query, got, want)
		}
	}
}

func TestNotAnAddress(t *testing.T) {
	l := newLab(t, "", nil)
	for _, path := range []string{"/ip/nonsense", "/ip/10.0.0.256", "/ip/fe80::1%25eth0", "/ip/" + url.PathEscape(hostile)} {
		if a := l.get(path); a.Code != http.StatusBadRequest || strings.Contains(a.Body.String(), "nonsense") {
			t.Errorf("%s: %d %s", path, a.Code, a.Body)
		}
	}
}

// rule 9 row 52
func TestSearch(t *testing.T) {
	l := newLab(t, "", nil)
	leases := many(1000)
	printer := netip.MustParseAddr("10.30.0.9")
	leases[plan.Place{Addr: printer}] = plan.LeaseInfo{Hostname: "PRINTER", ClientID: "00-aa-bb-cc-dd-ee", Active: true}
	leases[plan.Place{Addr: netip.MustParseAddr("10.30.0.1")}] = plan.LeaseInfo{Hostname: "old-printer.corp.example"}
	l.remember(leases)
	for _, c := range []struct {
		query string
		count string
		first string
	}{
		{"printer", "2 leases", "10.30.0.9"},
		{"PRINTER", "2 leases", "10.30.0.9"},
		{"10.30.0.1", "1 lease for", "10.30.0.1"},
		{"10.20.1.1", "111 leases", "10.20.1.1 "},
		{"10.20.1.0/24", "250 leases", "10.20.1.1 "},
		{"00:AA:bb:cc:dd:ee", "1 lease for", "10.30.0.9"},
		{"00aa.bbcc", "1 lease for", "10.30.0.9"},
		{"aa-bb", "1 lease for", "10.30.0.9"},
		{"  pc-00999  ", "1 lease for", "10.20.3.250"},
		{"nobody", "No lease for", ""},
	} {
		page := l.page("/search?q=" + url.QueryEscape(c.query))
		heading := pagetest.Content(pagetest.All(page, pagetest.Element("h1"))[0])
		hits := rows(page, "match")
		if !strings.HasPrefix(heading, c.count) || c.first != "" && (len(hits) == 0 || !strings.HasPrefix(hits[0], c.first)) || c.first == "" && len(hits) > 0 {
			t.Errorf("%q: %s, %.60q", c.query, heading, hits)
		}
	}
	page := l.page("/search?q=corp")
	if n := len(rows(page, "match")); n != hitsShown {
		t.Errorf("%d hits shown, want %d", n, hitsShown)
	}
	checkText(t, page, "The first 200 are shown")
	checkText(t, l.page("/search"), "1 002 leases are remembered", "sync_ips_from_dhcp is off")
	if a := l.get("/search?q=" + strings.Repeat("x", 201)); a.Code != http.StatusBadRequest {
		t.Errorf("a long query: %d", a.Code)
	}
	if a := l.get("/search?q=" + strings.Repeat("x", 5000)); a.Code != http.StatusRequestURITooLong {
		t.Errorf("a very long query: %d", a.Code)
	}
}

func TestLeasesAreFilteredAndExported(t *testing.T) {
	l := newLab(t, "", nil)
	leases := many(1000)
	since := time.Date(2029, 5, 6, 7, 8, 9, 0, time.UTC)
	leases[plan.Place{Addr: netip.MustParseAddr("10.30.0.9")}] = plan.LeaseInfo{Hostname: "=cmd|' /C calc'!A0", ClientID: "00-aa", Active: true, Server: "dh2", Since: since,
		Scope: netip.MustParsePrefix("10.30.0.0/24")}
	leases[plan.Place{Addr: netip.MustParseAddr("10.30.0.10")}] = plan.LeaseInfo{Hostname: hostile, Server: "dh2", Scope: netip.MustParsePrefix("10.30.0.0/24")}
	l.remember(leases)
	for query, want := range map[string]int{
		"": 1002, "state=active": 901, "state=ended": 101, "scope=10.20.1.0/24": 250, "server=DH2": 2, "server=dh2&state=active": 1,
		"q=pc-000&state=ended": 10, "q=nobody&scope=10.20.1.0/24": 0,
	} {
		records, err := csv.NewReader(strings.NewReader(l.get("/api/leases.csv?" + query).Body.String())).ReadAll()
		if err != nil || len(records)-1 != want {
			t.Errorf("%q: %d leases as CSV, want %d: %v", query, len(records)-1, want, err)
		}
		var answer struct{ Count int }
		if l.get("/api/leases.json?"+query).json(http.StatusOK, &answer); answer.Count != want {
			t.Errorf("%q: %d leases as JSON, want %d", query, answer.Count, want)
		}
		page := l.page("/search?" + query)
		if n := len(rows(page, "match")); n != min(want, hitsShown) && query != "" {
			t.Errorf("%q: %d leases on the page", query, n)
		}
		links := pagetest.All(page, func(n *html.Node) bool { return strings.Contains(pagetest.Attr(n, "href"), "api/leases.csv?") })
		if len(links) != 1 {
			t.Fatalf("%q: %d links to the export", query, len(links))
		}
		if got := strings.Count(l.get("/"+strings.TrimPrefix(pagetest.Attr(links[0], "href"), "./")).Body.String(), "\n") - 1; got != want {
			t.Errorf("%q: %d leases behind the link of the page", query, got)
		}
	}
	text := l.get("/api/leases.csv?server=dh2").Body.String()
	for _, want := range []string{"'=cmd|", since.Format(time.RFC3339), "active", "10.30.0.0/24"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.ContainsAny(text, "\x1b\u202e") || strings.Contains(text, ",=") {
		t.Errorf("not harmless: %q", text)
	}
	checkText(t, l.page("/search?server=dh2&state=active"), "2029-05-06 07:08")
	checkText(t, l.page("/ip/10.30.0.9"), "Active since", "2029-05-06 07:08:09")
	for _, query := range []string{"scope=nonsense", "state=running", "server=" + strings.Repeat("x", 201)} {
		for path, code := range map[string]int{"/search?": http.StatusBadRequest, "/api/leases.csv?": http.StatusBadRequest, "/api/leases.json?": http.StatusBadRequest} {
			if a := l.get(path + query); a.Code != code {
				t.Errorf("%s%s: %d", path, query, a.Code)
			}
		}
	}
}

// On a phone a table of many columns becomes a list with the names of the columns.
func TestTablesOfManyColumnsStackOnAPhone(t *testing.T) {
	l := newLab(t, "sync_ips_from_dhcp: true", nil)
	l.run()
	l.m.File.Sync.DryRun = true
	l.Servers[0].Edit(func(w *psutest.World) { w.Scope("10.8.4.0").Leases[0].Hostname = "renamed" })
	if _, err := l.m.Sync(t.Context(), mirror.Options{}); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, path := range []string{"/", "/runs", "/drift", "/search?state=active", "/ip/10.8.4.100"} {
		for _, table := range pagetest.All(l.page(path), pagetest.Element("table")) {
			heads := pagetest.All(table, pagetest.Element("th"))
			columns := 0
			for _, h := range heads {
				if pagetest.Attr(h, "scope") == "col" {
					columns++
				}
			}
			if columns <= 4 {
				continue
			}
			seen++
			if !strings.Contains(pagetest.Attr(table, "class"), "stack") {
				t.Errorf("%s: a table of %d columns does not stack", path, columns)
			}
			for _, cell := range pagetest.All(table, pagetest.Element("td")) {
				if pagetest.Attr(cell, "data-label") == "" {
					t.Errorf("%s: a cell without the name of its column: %s", path, pagetest.Content(cell))
				}
			}
		}
	}
	if seen < 6 {
		t.Errorf("%d tables", seen)
	}
}

func TestTheReportShowsWhatIsLeft(t *testing.T) {
	l := newLab(t, "sync_ips_from_dhcp: true", nil)
	checkText(t, l.get("/drift").page(http.StatusNotFound), "No run of this process made a plan yet.")
	l.run()
	checkText(t, l.page("/drift"), "0 to create 0 to change 0 to delete")
	l.m.File.Sync.DryRun = true
	l.Servers[0].Edit(func(w *psutest.World) { w.Scope("10.8.4.0").Leases[0].Hostname = "renamed" })
	if _, err := l.m.Sync(t.Context(), mirror.Options{}); err != nil {
		t.Fatal(err)
	}
	page := l.page("/drift")
	checkText(t, page, "1 to change", "renamed", "Back to the status page")
	if back := pagetest.All(page, func(n *html.Node) bool { return pagetest.Attr(n, "href") == "./" }); len(back) != 1 {
		t.Errorf("%d ways back", len(back))
	}
	checkText(t, l.page("/"), "The last run was a rehearsal.", "1 difference left", "nothing is written anywhere")
}

// hostileLab has hostile names everywhere; the paths are pages that show them.
func hostileLab(t *testing.T) (*lab, []string) {
	t.Helper()
	l := newLab(t, "sync_ips_from_dhcp: true", nil)
	var leased string
	l.Servers[0].Edit(func(w *psutest.World) {
		leased = w.Scopes[0].Leases[0].IP
		w.Scopes[0].Name = hostile
		w.Scopes[0].Leases[0].Hostname = hostile
		w.Scopes[0].Leases[0].ClientID = hostile
		w.Scopes[0].Leases = append(w.Scopes[0].Leases, &psutest.Lease{IP: hostile, ClientID: "00-11-22-33-44-55"})
	})
	l.run()
	q := url.QueryEscape(hostile)
	return l, []string{"/", "/ip/" + leased, "/search?q=" + q, "/search?q=script", "/runs", "/ip/10.8.4.33?vrf=" + q}
}

func TestHostileNamesAreOnlyText(t *testing.T) {
	l, paths := hostileLab(t)
	shown := 0
	for _, path := range paths {
		a := l.get(path)
		page := a.page(http.StatusOK)
		pagetest.Harmless(t, page, "form")
		if body := a.Body.String(); strings.ContainsAny(body, "\u202e\x1b") {
			t.Errorf("%s contains characters that steer", path)
		}
		shown += strings.Count(pagetest.Content(page), printable.Text(hostile))
	}
	for _, path := range []string{"/api/status.json", "/api/leases.json?q=script", "/api/ip/" + strings.TrimPrefix(paths[1], "/ip/") + ".json"} {
		var document any
		a := l.get(path)
		a.json(http.StatusOK, &document)
		if body := a.Body.String(); strings.ContainsAny(body, "<\u202e\x1b") {
			t.Errorf("%s contains characters that steer", path)
		}
	}
	if shown < 4 {
		t.Errorf("the name is shown %d times as it is", shown)
	}
}

func TestPagesCanBeReadByEverybody(t *testing.T) {
	l, paths := hostileLab(t)
	l.Create("ipam/ip-addresses", map[string]any{"address": "10.77.0.1/24", "status": "dhcp"})
	if _, err := l.m.Sync(t.Context(), mirror.Options{}); err != nil {
		t.Fatal(err)
	}
	for _, path := range append(paths, "/search", "/ip/10.77.0.1", "/ip/1.2.3.4") {
		page := l.page(path)
		t.Run(path, func(t *testing.T) { pagetest.Readable(t, page) })
	}
}

// Each id that a page shows leads to the rule.
func TestRulesAreShown(t *testing.T) {
	l, paths := hostileLab(t)
	shown := 0
	for _, path := range paths {
		for _, link := range pagetest.Rules(t, l.page(path)) {
			shown++
			at, err := url.Parse("http://status.example" + path)
			if err != nil {
				t.Fatal(err)
			}
			to, err := at.Parse(link)
			if err != nil {
				t.Fatal(err)
			}
			l.page(to.EscapedPath())
		}
	}
	if shown < 2 {
		t.Errorf("%d rules are named", shown)
	}
	page := l.page("/rules/3.5%20row%204")
	checkText(t, page, "A lease without an address in NetBox", "Rule 3.5 row 4 of docs/spec/mirror.md", "The address is created with the lease status")
	pagetest.Harmless(t, page, "form")
	section := l.page("/rules/3.5")
	checkText(t, section, "A protected prefix takes no new address")
	pagetest.Readable(t, section)
	checkText(t, l.get("/rules/99.9").page(http.StatusNotFound), "There is no rule with this id.")
}

func TestLinksStayBelowAProxysPath(t *testing.T) {
	l, paths := hostileLab(t)
	for _, path := range paths {
		root := map[bool]string{true: "../", false: "./"}[strings.HasPrefix(path, "/ip/")]
		for _, n := range pagetest.All(l.page(path), func(n *html.Node) bool { return pagetest.Attr(n, "href") != "" || pagetest.Attr(n, "action") != "" }) {
			target := pagetest.Attr(n, "href") + pagetest.Attr(n, "action")
			below := strings.HasPrefix(target, root) || strings.HasPrefix(target, "#") || strings.HasPrefix(target, l.m.File.NetBox.URL+"/")
			if !below {
				t.Errorf("%s leads to %s", path, target)
			}
		}
	}
}
