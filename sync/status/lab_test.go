package status

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/net/html"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/page/pagetest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror/mirrortest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// hostile is a name as a client may tell it.
const hostile = "</td><script>alert(1)</script>\u202e\x1b[31m\"'{{.}}"

// lab is a mirror with its pages.
type lab struct {
	*mirrortest.Lab
	m       *mirror.Mirror
	handler http.Handler
	t       *testing.T
	anonym  bool // requests do not bring the token of the page
}

// pageToken is what the pages of a lab are logged in to with.
const pageToken = "page-token-0123456789"

// newLab has two servers: one of the example, and one without scopes.
func newLab(t *testing.T, settings string, perServer map[string]string) *lab {
	t.Helper()
	l := mirrortest.New(t, mirrortest.StandIn(t, netboxtest.Config{}), netboxtest.World{})
	l.Add(psutest.Example("dh1.corp.example"))
	l.Add(psutest.World{})
	return withPages(t, l, settings, perServer)
}

func withPages(t *testing.T, l *mirrortest.Lab, settings string, perServer map[string]string) *lab {
	t.Helper()
	m := l.Open(settings, perServer)
	m.File.Sync.Status.TokenFile = l.File("page.token", pageToken)
	log := logrus.New()
	log.SetOutput(l.Log)
	handler, err := newHandler(m, m.File.Sync.Status.Listen, log)
	if err != nil {
		t.Fatal(err)
	}
	return &lab{Lab: l, m: m, handler: handler, t: t}
}

// run imports what the servers have and syncs it.
func (l *lab) run() *mirror.Run {
	l.t.Helper()
	if _, err := l.m.Sync(l.t.Context(), mirror.Options{Mode: plan.Import}); err != nil {
		l.t.Fatal(err)
	}
	r, err := l.m.Sync(l.t.Context(), mirror.Options{})
	if err != nil {
		l.t.Fatal(err)
	}
	return r
}

// remember puts leases into the state folder, as a run of another process does.
func (l *lab) remember(leases map[plan.Place]plan.LeaseInfo) {
	l.t.Helper()
	data, err := json.Marshal(plan.Memory{Leases: leases})
	if err != nil {
		l.t.Fatal(err)
	}
	path := filepath.Join(l.m.File.Sync.StateDir, "memory.json")
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		l.t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		l.t.Fatal(err)
	}
	// Two writes within one tick of the file system's clock look like one.
	later := time.Now().Add(time.Second)
	if err := os.Chtimes(path, later, later); err != nil {
		l.t.Fatal(err)
	}
}

// many makes n leases in networks of 250.
func many(n int) map[plan.Place]plan.LeaseInfo {
	leases := make(map[plan.Place]plan.LeaseInfo)
	for i := range n {
		addr := netip.AddrFrom4([4]byte{10, 20, byte(i / 250), byte(i%250 + 1)})
		leases[plan.Place{Addr: addr}] = plan.LeaseInfo{
			Hostname: fmt.Sprintf("PC-%05d.corp.example", i), ClientID: windhcp.ParseClientID(fmt.Sprintf("3c:52:82:%02x:%02x:%02x", i>>16, i>>8&255, i&255)),
			Active: i%10 != 0, Expires: time.Date(2031, 1, 2, 3, 4, 5, 0, time.UTC), Server: "127.0.0.1",
			Scope: netip.PrefixFrom(addr, 24).Masked(), Seen: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC),
		}
	}
	return leases
}

// answer is what came back for a request.
type answer struct {
	*httptest.ResponseRecorder
	t *testing.T
}

func (l *lab) do(r *http.Request) answer {
	l.t.Helper()
	if r.Method == http.MethodPost && !l.anonym {
		r.Header.Set("Authorization", "Bearer "+pageToken)
	}
	w := httptest.NewRecorder()
	l.handler.ServeHTTP(w, r)
	return answer{w, l.t}
}

// ask requests a page as a browser on this machine does.
func (l *lab) ask(method, path, form string) answer {
	l.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(form))
	r.Host = "127.0.0.1:8067"
	if form != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return l.do(r)
}

func (l *lab) get(path string) answer {
	l.t.Helper()
	return l.ask(http.MethodGet, path, "")
}

// page parses a page that has to be there.
func (l *lab) page(path string) *html.Node {
	l.t.Helper()
	return l.get(path).page(http.StatusOK)
}

func (a answer) page(code int) *html.Node {
	a.t.Helper()
	if a.Code != code || a.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		a.t.Fatalf("status %d, want %d: %s %.300s", a.Code, code, a.Header().Get("Content-Type"), a.Body)
	}
	return pagetest.Parse(a.t, a.Body.String())
}

func (a answer) json(code int, out any) {
	a.t.Helper()
	if a.Code != code || a.Header().Get("Content-Type") != "application/json" {
		a.t.Fatalf("status %d, want %d: %s %.300s", a.Code, code, a.Header().Get("Content-Type"), a.Body)
	}
	d := json.NewDecoder(strings.NewReader(a.Body.String()))
	if err := d.Decode(out); err != nil {
		a.t.Fatal(err)
	}
	if _, err := d.Token(); err != io.EOF {
		a.t.Errorf("something follows the document: %v", err)
	}
}

// rows are the texts of the rows of the table whose caption contains this.
func rows(n *html.Node, caption string) (out []string) {
	for _, table := range pagetest.All(n, pagetest.Element("table")) {
		if c := pagetest.All(table, pagetest.Element("caption")); len(c) == 0 || !strings.Contains(pagetest.Content(c[0]), caption) {
			continue
		}
		for _, body := range pagetest.All(table, pagetest.Element("tbody")) {
			for _, row := range pagetest.All(body, pagetest.Element("tr")) {
				out = append(out, pagetest.Content(row))
			}
		}
	}
	return out
}

// once does something at the first request to NetBox.
func (l *lab) once(do func()) func(mirrortest.Request) mirrortest.Break {
	var first sync.Once
	return func(mirrortest.Request) mirrortest.Break {
		first.Do(do)
		return mirrortest.None
	}
}
