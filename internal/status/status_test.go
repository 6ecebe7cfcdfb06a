package status

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/page"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/page/pagetest"
)

// WEB-1, WEB-2: who sees the page, by where it listens.
func TestWhoMaySeeThePage(t *testing.T) {
	for name, c := range map[string]struct {
		listen      string
		with, plain int
	}{
		"on loopback":         {"127.0.0.1:8067", 200, 200},
		"on the network":      {"0.0.0.0:8067", 200, 401},
		"at a proxy's socket": {"unix:/run/page.sock", 200, 200},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, "", c.listen)
			for _, path := range []string{"/", "/leases", "/ip/10.0.0.10", "/client/52:54:00:00:00:01", "/api/ip/10.0.0.10.json", "/api/status.json", "/api/messages.json", "/metrics"} {
				if w := l.ask(path); w.Code != c.plain {
					t.Errorf("%s without a token: %d", path, w.Code)
				}
				if w := l.ask(path, "Authorization", "Bearer "+pageToken); w.Code != c.with {
					t.Errorf("%s with it: %d", path, w.Code)
				}
				if w := l.ask(path+"?token="+pageToken, "X-Forwarded-User", "admin", "X-Forwarded-For", "127.0.0.1"); w.Code != c.plain {
					t.Errorf("%s with a token in the URL and words of a proxy: %d", path, w.Code)
				}
			}
		})
	}
}

// WEB-1: a page that anybody could read is not served; the program runs on.
func TestAPageThatAnybodyCouldReadIsNotServed(t *testing.T) {
	l := newLab(t, "", "0.0.0.0:0")
	Serve(t.Context(), Config{Instance: l.Instance, Log: l.site.Log, Probes: http.NotFoundHandler()})
	entry := l.logs.LastEntry()
	if entry == nil || entry.Message != "the status page is not served" || !strings.Contains(fmt.Sprint(entry.Data["error"]), "netbox.status.certificate_file") {
		t.Errorf("%+v", entry)
	}
	l = newLab(t, "", "unix:/nowhere/at/all")
	Serve(t.Context(), Config{Instance: l.Instance, Log: l.site.Log, Probes: http.NotFoundHandler()})
	if entry := l.logs.LastEntry(); !strings.Contains(fmt.Sprint(entry.Data["error"]), "/nowhere/at/all") {
		t.Errorf("%+v", entry)
	}
}

// WEB-3: nothing changes anything: no method but GET leads anywhere beside the login.
func TestThePageChangesNothing(t *testing.T) {
	l := newLab(t, "", "127.0.0.1:8067")
	for path := range l.site.answers() {
		r := httptest.NewRequest(http.MethodPost, strings.NewReplacer("{file}", "x.json").Replace(path), nil)
		r.Host = "localhost"
		r.Header.Set("Authorization", "Bearer "+pageToken)
		w := httptest.NewRecorder()
		if l.handler.ServeHTTP(w, r); w.Code != http.StatusMethodNotAllowed {
			t.Errorf("POST %s: %d", path, w.Code)
		}
	}
}

// full is a lab where something of everything is to be seen.
func full(t testing.TB) (*lab, netip.Addr) {
	l := newLab(t, "", "127.0.0.1:8067")
	addr := l.lease(1, hostile)
	l.lease(2, "printer-2")
	pool := netip.MustParsePrefix("10.2.0.0/29")
	subnet, err := l.Snapshot().Subnet(pool.Addr().Next())
	if err != nil {
		t.Fatal(err)
	}
	l.Answered(&lease.ClientMessage{Type: lease.Discover, Client: "02:00:00:00:09:09", Relay: netip.MustParseAddr("10.2.0.1"), Hostname: hostile},
		&lease.Decision{Reason: lease.ReasonPoolEmpty, Rule: "D-4", Subnet: subnet}, time.Now())
	l.Answered(&lease.ClientMessage{Type: lease.Request, Client: "02:00:00:00:09:0A", ServerID: netip.MustParseAddr("10.0.0.66")}, &lease.Decision{Reason: lease.ReasonOtherServer, Rule: "D-3"}, time.Now())
	l.seen(6)
	return l, addr
}

func paths(addr netip.Addr) []string {
	return []string{
		"/", "/leases", "/leases?q=printer", "/leases?q=" + addr.String(), "/leases?state=ended", "/ip/" + addr.String(), "/ip/10.0.0.10", "/ip/10.0.0.149", "/ip/192.0.2.1",
		"/client/02:00:00:00:00:01", "/client/5254.0000.0001", "/client/id%2F0102", "/live", "/live?q=10.2.0.0/29", "/live?verdict=silent", "/network", "/unserved", "/explain",
		"/explain?mac=02:00:00:00:00:01&message=discover", "/explain?message=discover", "/rules/WEB-1", "/login",
	}
}

// WEB-4: pages are readable for everybody, and names from the network are only text.
func TestPagesAreReadableAndHarmless(t *testing.T) {
	l, addr := full(t)
	for _, path := range paths(addr) {
		t.Run(path, func(t *testing.T) {
			w := l.ask(path)
			n := l.page(path)
			pagetest.Readable(t, n)
			pagetest.Rules(t, n)
			for _, script := range pagetest.All(n, pagetest.Element("script")) {
				if pagetest.Attr(script, "src") != "./live.js" || script.FirstChild != nil {
					t.Errorf("a script: %v", script.Attr)
				}
				script.Parent.RemoveChild(script)
			}
			pagetest.Harmless(t, n, "form")
			for _, bad := range []string{"\u202e", "\x1b"} {
				if strings.Contains(w.Body.String(), bad) {
					t.Errorf("it contains %q", bad)
				}
			}
			policy := w.Header().Get("Content-Security-Policy")
			if !strings.HasPrefix(policy, "default-src 'none'; style-src 'sha256-") || !strings.Contains(policy, "script-src 'self'; connect-src 'self'") || strings.Contains(policy, "unsafe") {
				t.Errorf("policy %s", policy)
			}
		})
	}
}

// Links stay below the path that a proxy serves the page at, and lead somewhere.
func TestLinksLeadSomewhere(t *testing.T) {
	l, addr := full(t)
	for _, path := range paths(addr) {
		base := &url.URL{Path: strings.SplitN(path, "?", 2)[0]}
		for _, a := range pagetest.All(l.page(path), func(n *html.Node) bool { return n.Data == "a" }) {
			target, err := url.Parse(pagetest.Attr(a, "href"))
			if err != nil || target.IsAbs() || strings.HasPrefix(target.Path, "/") {
				t.Errorf("%s: a link to %s", path, pagetest.Attr(a, "href"))
				continue
			}
			if full := base.ResolveReference(target); full.Path != base.Path {
				if w := l.ask(full.RequestURI()); w.Code != http.StatusOK {
					t.Errorf("%s leads to %s: %d", path, full, w.Code)
				}
			}
		}
	}
}

// WEB-5: the first page says in one sentence how it is.
func TestTheFirstPageAnswersInOneSentence(t *testing.T) {
	l := newLab(t, "", "127.0.0.1:8067")
	l.contains("/", "All is well: no client needed an address in the last hour.", "netbox", "MAC address 52:54:00:00:00:01", "on several machines: web1, web2")
	l.lease(1, "a")
	l.contains("/", "All is well: 1 client served in the last hour.", "1 client served", "1 running lease")
	l.Answered(&lease.ClientMessage{Type: lease.Discover, Client: "A"}, &lease.Decision{Reason: lease.ReasonUnknownClient}, time.Now())
	l.contains("/", "1 client was not served within the last hour.")
	for name, c := range map[string]struct {
		o        overview
		health   instance.Health
		unserved []instance.Unserved
		want     string
		mood     page.Mood
	}{
		"nothing known": {overview{}, instance.Health{}, nil, "No client is served: nothing is known of NetBox yet.", page.Bad},
		"no store":      {overview{}, instance.Health{Known: true, Answers: true}, nil, "New clients get nothing: there is no lease store.", page.Bad},
		"turned away": {overview{}, instance.Health{Known: true, Store: true, Answers: true}, []instance.Unserved{{Reason: lease.ReasonRandomMAC}, {Reason: lease.ReasonPoolEmpty, Network: netip.MustParsePrefix("10.2.0.0/16")}},
			"New clients in 10.2.0.0/16 get nothing: the pool is full.", page.Bad},
		"stale":       {overview{}, instance.Health{Known: true, Store: true, Stale: true}, nil, "Some clients get nothing: what is known of NetBox is too old.", page.Bad},
		"no answer":   {overview{Made: time.Unix(7200, 0)}, instance.Health{Known: true, Store: true, Fresh: time.Unix(3600, 0)}, nil, "NetBox does not answer: clients are served as it was 1 h ago.", page.Drift},
		"a full pool": {overview{Pools: []network{{Prefix: netip.MustParsePrefix("10.2.0.0/16"), Dynamic: 3}}}, instance.Health{Known: true, Store: true, Answers: true}, nil, "The pool in 10.2.0.0/16 is full: a new client would get nothing.", page.Drift},
		"very many":   {overview{Served: 1204, ServedAtLeast: true}, instance.Health{Known: true, Store: true, Answers: true}, nil, "All is well: more than 1\u202f204 clients served in the last hour.", page.Good},
	} {
		if v := verdict(&c.o, c.health, c.unserved); v.Sentence != c.want || v.Mood != c.mood {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

// WEB-14: each path for programs is described, and each answer is as described.
func TestAnswersAreAsDescribed(t *testing.T) {
	l, addr := full(t)
	api := pagetest.OpenAPI(t, openAPI)
	described := []string{"/healthz", "/metrics", "/readyz"}
	described = append(described, slices.Collect(maps.Keys(l.site.answers()))...)
	slices.Sort(described)
	if !slices.Equal(described, api.Paths()) {
		t.Errorf("described %v, served %v", api.Paths(), described)
	}
	for path, asked := range map[string][]string{
		"/api/status.json":   {""},
		"/api/leases.json":   {"", "?q=printer", "?prefix=10.0.0.0/24&state=running&limit=1", "?limit=0", "?state=gone", "?prefix=x"},
		"/api/leases.csv":    {"", "?state=gone"},
		"/api/ip/{file}":     {addr.String() + ".json", "10.0.0.10.json", "192.0.2.1.json", "x.json"},
		"/api/client/{file}": {"02:00:00:00:00:01.json", "52-54-00-00-00-01.json", "02:00:00:00:09:09.json", "x.json"},
		"/api/messages.json": {"", "?verdict=ack", "?verdict=x", "?limit=501"},
		"/api/network.json":  {""}, "/api/unserved.json": {""}, "/api/openapi.json": {""},
		"/api/explain.json": {"?mac=02:00:00:00:00:01", ""},
		"/healthz":          {""}, "/readyz": {""}, "/metrics": {""},
	} {
		for _, one := range asked {
			w := l.ask(strings.TrimSuffix(path, "{file}") + one)
			api.Check(t, path, w.Code, w.Header(), w.Body.Bytes())
		}
	}
	guarded := newLab(t, "", "0.0.0.0:8067")
	w := guarded.ask("/api/status.json")
	api.Check(t, "/api/status.json", w.Code, w.Header(), w.Body.Bytes())
}

// DNS-20: what is wrong with names in DNS is a finding, with what to do.
func TestTroubleWithNamesInDNSIsAFinding(t *testing.T) {
	l := newLab(t, "ddns: {keys: [{name: k, secret_file: missing}], zones: [{name: dhcp.example.org, server: '127.0.0.1:9', key: k}]}", "127.0.0.1:8067")
	l.lease(1, "pc")
	for end := time.Now().Add(20 * time.Second); len(l.DNSFindings()) == 0; time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no finding")
		}
	}
	list := l.site.findings(nil, time.Now())
	if last := list[len(list)-1]; last.Kind != kindName || last.Object != "zone dhcp.example.org" || !strings.Contains(last.Text, "secret") || !strings.Contains(last.Text, "to do: ") {
		t.Errorf("%+v", list)
	}
	l.contains("/", "zone dhcp.example.org")
}

func TestLeasesAreFound(t *testing.T) {
	l := newLab(t, "", "127.0.0.1:8067")
	first := l.lease(1, "PC-1.corp.example")
	l.lease(2, "printer")
	for query, want := range map[string][2]any{
		"":                         {2, ""},
		"?q=pc-1":                  {1, first.String()},
		"?q=" + first.String():     {1, first.String()},
		"?q=0200.0000.0001":        {1, first.String()},
		"?q=02-00-00-00-00-01":     {1, first.String()},
		"?q=10.0.0.0/24":           {2, ""},
		"?q=nobody":                {0, ""},
		"?prefix=10.2.0.0/29":      {0, ""},
		"?state=ended":             {0, ""},
		"?limit=1&offset=1":        {2, ""},
		"?q=printer&state=running": {1, ""},
	} {
		var answer leaseList
		if err := json.Unmarshal(l.ask("/api/leases.json"+query).Body.Bytes(), &answer); err != nil || answer.Count != want[0] || want[1] != "" && answer.Results[0].Address.String() != want[1] {
			t.Errorf("%q: %+v, %v", query, answer, err)
		}
	}
	l.contains("/leases?q=0200.0000.0001", "1 lease for 0200.0000.0001", "Everything about the client 02:00:00:00:00:01", "PC-1.corp.example")
	l.contains("/ip/"+first.String(), "It is for its client 02:00:00:00:00:01", "PC-1.corp.example", "10.0.0.0/24", "DHCPREQUEST", "ACK")
	l.contains("/ip/10.0.0.10", "It is for device web1, interface eth0", "coredhcp-netbox who 10.0.0.10")
	l.contains("/client/52:54:00:00:00:01", "NetBox knows this client", "web1", "web2")
}

// The table for spreadsheets has no formulas of clients.
func TestTheTableOfLeasesIsHarmless(t *testing.T) {
	l := newLab(t, "", "127.0.0.1:8067")
	l.lease(1, "=HYPERLINK(1)")
	rows, err := csv.NewReader(l.ask("/api/leases.csv").Body).ReadAll()
	if err != nil || len(rows) != 2 || rows[1][5] != "'=HYPERLINK(1)" || rows[1][3] != "running" {
		t.Errorf("%v, %v", rows, err)
	}
}

// WEB-6: one page has a bounded number of rows, however many leases there are.
func TestPagesOfManyLeases(t *testing.T) {
	l := newLab(t, "", "127.0.0.1:8067")
	l.site.cache.leases, l.site.cache.leased = manyLeases(50_000), time.Now().Add(time.Hour)
	l.site.Now = func() time.Time { return l.site.cache.leased }
	n := l.page("/leases?offset=49950")
	if rows := pagetest.All(n, func(n *html.Node) bool { return n.Data == "tr" && n.Parent.Data == "tbody" }); len(rows) != 100 {
		t.Errorf("%d rows", len(rows))
	}
	l.contains("/leases?offset=49950", "49 901 to 50 000 of 50 000", "Before")
	l.contains("/leases?offset=999999999", "50 000 leases")
	l.contains("/leases?q=pc-4999&offset=0", "11 leases")
}

func manyLeases(n int) (list []lease.Lease) {
	for i := range n {
		list = append(list, lease.Lease{
			Addr: netip.AddrFrom4([4]byte{10, 20 + byte(i>>16), byte(i >> 8), byte(i)}), Client: lease.ClientID(fmt.Sprintf("3C:52:82:%02X:%02X:%02X", i>>16, i>>8&255, i&255)),
			State: lease.Bound, Expires: time.Now().Add(24 * time.Hour), Hostname: fmt.Sprintf("PC-%d.corp.example", i),
		})
	}
	return list
}

// A search finds what a plain comparison of texts finds, in the order of addresses with
// what was meant first.
func TestASearchFindsWhatContainsTheText(t *testing.T) {
	list := manyLeases(3000)
	list[7].Hostname, list[8].Hostname, list[9].Hostname, list[10].Hostname = "", "10.20.0.9", "\u00c4RGER-9", "\u212aELVIN"
	list[11].Addr, list[12].Hardware = netip.MustParseAddr("2001:db8::abcd"), "52:54:00:12:34:56"
	for _, q := range []string{"10.20", ".0.9", "10.20.0.9", "abcd", "db8::", "pc-29", "PC-2999.corp.example", "\u00e4rger", "kelvin", "3c:52:82", "c3:4", "5254.0012.3456", "9", "no such"} {
		want, err := newWanted(url.Values{"q": {q}})
		if err != nil {
			t.Fatal(err)
		}
		var exact, part []*lease.Lease
		for i := range list {
			l := &list[i]
			switch is, has := plainly(l, &want); {
			case is:
				exact = append(exact, l)
			case has:
				part = append(part, l)
			}
		}
		if got := find(list, want, time.Now()); !slices.Equal(got, append(exact, part...)) {
			t.Errorf("%q: %d leases, want %d", q, len(got), len(exact)+len(part))
		}
	}
}

// plainly reports whether a lease is what is wanted, and whether it contains it. The first
// of address, name and client that fits counts.
func plainly(l *lease.Lease, w *wanted) (is, has bool) {
	for _, group := range []struct {
		texts []string
		want  []byte
	}{
		{[]string{l.Addr.String()}, w.text}, {[]string{strings.ToLower(l.Hostname)}, w.text}, {[]string{string(digits(nil, string(l.Client))), string(digits(nil, string(l.Hardware)))}, w.digits},
	} {
		for _, text := range group.texts {
			if len(group.want) > 0 {
				is, has = is || text == string(group.want), has || strings.Contains(text, string(group.want))
			}
		}
		if has {
			return is, has
		}
	}
	return false, false
}

// BenchmarkSearch is one search among 50 000 leases, for a name, a MAC, and something
// that no lease has.
func BenchmarkSearch(b *testing.B) {
	list := manyLeases(50_000)
	for name, q := range map[string]string{"name": "pc-49999", "mac": "3c52.8200.c34f", "nothing": "no such thing", "everything": ""} {
		b.Run(name, func(b *testing.B) {
			want, err := newWanted(url.Values{"q": {q}})
			if err != nil {
				b.Fatal(err)
			}
			now := time.Now()
			for b.Loop() {
				find(list, want, now)
			}
		})
	}
}

// WEB-10: messages come as they are decided about, only those that are wanted.
func TestMessagesComeLive(t *testing.T) {
	l := newLab(t, "", "127.0.0.1:8067")
	server := httptest.NewServer(l.handler)
	defer server.Close()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/api/messages.stream?q=02:00:00:00:00:02", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%d %s", answer.StatusCode, answer.Header)
	}
	l.lease(1, "other")
	addr := l.lease(2, hostile)
	lines := bufio.NewScanner(answer.Body)
	var got []messageView
	for len(got) < 2 && lines.Scan() {
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			var m messageView
			if err := json.Unmarshal([]byte(data), &m); err != nil {
				t.Fatal(err)
			}
			got = append(got, m)
		}
	}
	if len(got) != 2 || got[0].Message != "DHCPDISCOVER" || got[1].Verdict != "ACK" || got[1].Address != addr || got[1].Client != "02:00:00:00:00:02" || strings.ContainsAny(got[1].Name, "\u202e\x1b") {
		t.Errorf("%+v", got)
	}
	if want := "mac=02%3A00%3A00%3A00%3A00%3A02&message=request&option=54%3D10.0.0.2&relay=10.0.0.1&request=" + addr.String(); got[1].Explain != want {
		t.Errorf("explain %s, want %s", got[1].Explain, want)
	}
}

// WEB-10: who reads too slowly is cut off, and only so many may watch.
func TestSlowViewersAreCutOff(t *testing.T) {
	l := newLab(t, "", "127.0.0.1:8067")
	slow := l.site.feed.join(filter{}, 0)
	for range viewerRoom + keptMessages + 1 {
		l.site.feed.tell(instance.Seen{Type: lease.Discover, Client: "A"})
	}
	n := 0
	for range slow.room {
		n++
	}
	if n != viewerRoom+keptMessages {
		t.Errorf("%d messages before it was cut off", n)
	}
	for range mostViewers {
		if l.site.feed.join(filter{}, 0) == nil {
			t.Fatal("there is no room")
		}
	}
	w := l.ask("/api/messages.stream")
	if w.Code != http.StatusServiceUnavailable {
		t.Errorf("one more: %d", w.Code)
	}
	pagetest.OpenAPI(t, openAPI).Check(t, "/api/messages.stream", w.Code, w.Header(), w.Body.Bytes())
}

// WEB-10: a flood takes a bounded share; who watches one client sees it all the same.
func TestAFloodIsNotRemembered(t *testing.T) {
	l := newLab(t, "", "127.0.0.1:8067")
	f := l.site.feed
	viewer := f.join(filter{client: "B"}, 0)
	defer f.leave(viewer)
	now := time.Now()
	for range mostMessages {
		f.budget.take(now)
	}
	if f.budget.take(now) {
		t.Error("the budget has no end")
	}
	if !f.budget.take(now.Add(time.Second)) {
		t.Error("the next second has none")
	}
	if (filter{client: "B"}).about(&lease.ClientMessage{Client: "A"}, &lease.Decision{}) || !(filter{client: "B"}).about(&lease.ClientMessage{Client: "B"}, &lease.Decision{}) {
		t.Error("the wrong client is told of")
	}
	if narrow := *f.narrow.Load(); len(narrow) != 1 || narrow[0].client != "B" {
		t.Errorf("%+v", narrow)
	}
}

// WEB-5: clients that were served are counted once, for an hour, in bounded memory.
func TestClientsThatWereServedAreCounted(t *testing.T) {
	l := newLab(t, "", "127.0.0.1:8067")
	s := &l.site.feed.served
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for i := range 1000 {
		s.note(lease.ClientID(mac(i).String()), now)
		s.note(lease.ClientID(mac(i).String()), now.Add(time.Minute))
	}
	if n, more := s.count(now.Add(time.Minute)); n != 1000 || more {
		t.Errorf("%d %v", n, more)
	}
	if n, _ := s.count(now.Add(62 * time.Minute)); n != 0 {
		t.Errorf("after an hour: %d", n)
	}
	for i := range 16 * mostServed * 2 {
		s.note(lease.ClientID(fmt.Sprint(i)), now)
	}
	if n, more := s.count(now); n > 16*mostServed || !more {
		t.Errorf("of very many: %d %v", n, more)
	}
}

func TestClientsAreReadInEachForm(t *testing.T) {
	for text, want := range map[string]lease.ClientID{
		"52:54:00:aa:00:01": "52:54:00:AA:00:01", "5254.00aa.0001": "52:54:00:AA:00:01", "52-54-00-AA-00-01": "52:54:00:AA:00:01", "id/0102": "id/01:02", "ID/01:02": "id/01:02",
		"": "", "printer": "", "10.0.0.1": "", "5254": "", "52:54:00:aa:00:0": "",
	} {
		if got, ok := clientOf(text); got != want || ok != (want != "") {
			t.Errorf("%q: %q", text, got)
		}
	}
}

// FuzzQueries gives searches and filters anything.
func FuzzQueries(f *testing.F) {
	for _, q := range []string{"", "10.0.0.1", "10.0.0.0/8", "52:54:00:00:00:01", "pc", "\xff", "id/0102"} {
		f.Add(q, "running", "10.0.0.0/8")
	}
	list := manyLeases(50)
	f.Fuzz(func(t *testing.T, q, state, prefix string) {
		v := url.Values{"q": {q}, "state": {state}, "prefix": {prefix}, "verdict": {state}}
		if w, err := newWanted(v); err == nil && len(find(list, w, time.Now())) > len(list) {
			t.Error("more than there are")
		}
		if want, err := newFilter(v); err == nil {
			want.matches(&instance.Seen{Client: "02:00:00:00:00:01", Hostname: q})
		}
		if id, ok := clientOf(q); ok {
			if again, ok := clientOf(string(id)); !ok || again != id {
				t.Errorf("%q: %q, then %q", q, id, again)
			}
		}
	})
}
