package status

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus/hooks/test"
	"golang.org/x/net/html"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance/instancetest"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/page"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/page/pagetest"
)

// hostile is a name as a client may tell it.
const hostile = "</td><script>alert(1)</script>\u202e\x1b[31m\"'{{.}}"

const pageToken = "page-token-0123456789"

const inventory = `
prefixes:
  - {prefix: 10.0.0.0/24}
  - {prefix: 10.2.0.0/29}
ip_addresses:
  - {address: 10.0.0.1/24, tags: [Gateway]}
  - {address: 10.0.0.100-10.0.0.149/24, tags: [DHCP]}
  - {address: 10.2.0.2/29, tags: [DHCP]}
devices:
  - name: web1
    interfaces:
      - {name: eth0, mac_address: "52:54:00:00:00:01", ip_addresses: [{address: 10.0.0.10/24}]}
  - name: web2
    interfaces:
      - {name: eth0, mac_address: "52:54:00:00:00:01"}
`

// lab is a server with its page.
type lab struct {
	instancetest.Opened
	t       testing.TB
	site    *site
	handler http.Handler
	logs    *test.Hook
}

func newLab(t testing.TB, settings, listen string) *lab {
	t.Helper()
	file := filepath.Join(t.TempDir(), "page.token")
	if err := os.WriteFile(file, []byte(pageToken), 0o600); err != nil {
		t.Fatal(err)
	}
	o := instancetest.Open(t, fmt.Sprintf("%s\nstatus: {listen: %q, token_file: %q}", settings, listen, file), inventory)
	log, hook := test.NewNullLogger()
	config := Config{
		Instance: o.Instance, Log: log,
		Plugins: func() []Plugin { return []Plugin{{Name: "netbox", Calls: 12, Ends: 1, Panics: 0}} },
		Explain: explained,
		Probes:  http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { page.Line(w, http.StatusOK, "ok") }),
	}
	s, err := newSite(t.Context(), config, listen)
	if err != nil {
		t.Fatal(err)
	}
	handler, err := page.Guarded(s.Guard(s.routes()), section, strings.TrimPrefix(listen, "unix:/run/page.sock"), "")
	if err != nil {
		t.Fatal(err)
	}
	return &lab{Opened: o, t: t, site: s, handler: handler, logs: hook}
}

func explained(form url.Values) (*Explanation, error) {
	if form.Get("mac") == "" {
		return nil, fmt.Errorf("mac: want a hardware address such as 52:54:00:12:34:56, not %q", "")
	}
	return &Explanation{
		Answer:  map[string]any{"message": "DHCPDISCOVER", "verdict": "OFFER", "rule": "D-4", "reason": "new", "why": []lease.Step{{Rule: "D-4", Text: "because"}}},
		Message: "DHCPDISCOVER", Verdict: "OFFER", Rule: "D-4", Reason: "new", Client: hostile, Why: []lease.Step{{Rule: "D-4", Text: hostile}}, Reply: []Named{{"yiaddr", hostile}},
	}, nil
}

func mac(n int) ipam.MAC { return ipam.MAC{2, 0, 0, 0, byte(n >> 8), byte(n)} }

// lease lets a client take an address of the pool.
func (l *lab) lease(n int, name string) netip.Addr {
	l.t.Helper()
	m := lease.ClientMessage{
		Type: lease.Discover, Client: lease.ClientID(mac(n).String()), MAC: mac(n), HasMAC: true, Relay: netip.MustParseAddr("10.0.0.1"), Identifier: netip.MustParseAddr("10.0.0.2"), Hostname: name,
		Source: netip.MustParseAddr("10.0.0.1"),
	}
	d, err := l.Engine.Handle(l.t.Context(), m, nil)
	if err != nil || d.Verdict != lease.Offer {
		l.t.Fatalf("%s for %v, %v", d.Verdict, d.Reason, err)
	}
	l.Answered(&m, &d, time.Now())
	m.Type, m.RequestedAddr, m.ServerID = lease.Request, d.Addr.Addr(), m.Identifier
	d, err = l.Engine.Handle(l.t.Context(), m, nil)
	if err != nil || d.Verdict != lease.Ack {
		l.t.Fatalf("%s for %v, %v", d.Verdict, d.Reason, err)
	}
	l.Answered(&m, &d, time.Now())
	l.site.cache.leases = nil
	return d.Addr.Addr()
}

// seen waits until the feed remembers n messages.
func (l *lab) seen(n int) {
	l.t.Helper()
	for end := time.Now().Add(10 * time.Second); len(l.site.feed.last(filter{}, keptMessages)) < n; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			l.t.Fatalf("%d messages are remembered, want %d", len(l.site.feed.last(filter{}, keptMessages)), n)
		}
	}
}

func (l *lab) ask(path string, header ...string) *httptest.ResponseRecorder {
	l.t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Host = "127.0.0.1:8067"
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	l.handler.ServeHTTP(w, r)
	return w
}

// page parses a page that has to be there.
func (l *lab) page(path string) *html.Node {
	l.t.Helper()
	w := l.ask(path)
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		l.t.Fatalf("%s: %d %s %.300s", path, w.Code, w.Header().Get("Content-Type"), w.Body)
	}
	return pagetest.Parse(l.t.(*testing.T), w.Body.String())
}

func (l *lab) contains(path string, texts ...string) {
	l.t.Helper()
	got := pagetest.Content(l.page(path))
	for _, text := range texts {
		if !strings.Contains(got, text) {
			l.t.Errorf("%s lacks %q: %.1500s", path, text, got)
		}
	}
}
