package status

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"
	"golang.org/x/crypto/ssh"
	"golang.org/x/net/html"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/page/pagetest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/psu"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/settings"
)

const withURL = "status: {listen: \"127.0.0.1:8067\", url: \"https://dhcp-sync.example.org/mirror\"}"

// everything is one path of each kind.
func everything() []string {
	return []string{
		"/", "/ip/10.8.4.33", "/ip/nonsense", "/search?q=pc", "/runs", "/drift", "/api/status.json", "/api/leases.json",
		"/api/ip/10.8.4.33.json", "/metrics", "/healthz", "/readyz", "/nothing",
	}
}

func TestEveryAnswerKeepsBrowsersStrict(t *testing.T) {
	l := newLab(t, "", nil)
	l.run()
	for _, path := range everything() {
		h := l.get(path).Header()
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Cache-Control") != "no-store" || h.Get("Referrer-Policy") != "same-origin" ||
			!strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
			t.Errorf("%s: %v", path, h)
		}
		for _, word := range []string{"unsafe", "http:", "https:", "*"} {
			if strings.Contains(h.Get("Content-Security-Policy"), word) {
				t.Errorf("%s: its policy allows %s", path, word)
			}
		}
	}
	if p := l.get("/").Header().Get("Content-Security-Policy"); !strings.Contains(p, "default-src 'none'; style-src 'sha256-") || strings.Contains(p, "script-src") {
		t.Errorf("the policy of the first page: %s", p)
	}
}

// rule 9 row 24
func TestNoSecretIsShown(t *testing.T) {
	l := newLab(t, "sync_ips_from_dhcp: true\n"+withURL, nil)
	l.run()
	secrets := []string{l.Token(), l.Servers[0].Writer(), l.Servers[1].Writer(), "netbox.token", "dh1.token"}
	for _, fault := range []psutest.FaultKind{psutest.Unauthorized, psutest.Drop} {
		l.Servers[0].ClearFaults()
		l.Servers[0].Fail(psutest.Fault{Kind: fault})
		if _, err := l.m.Sync(t.Context(), mirror.Options{}); err != nil {
			t.Fatal(err)
		}
		for _, path := range everything() {
			body := l.get(path).Body.String()
			for _, secret := range secrets {
				if len(secret) < 8 {
					t.Fatalf("%q is no secret", secret)
				}
				if strings.Contains(body, secret) {
					t.Errorf("%s shows a secret or where it is", path)
				}
			}
		}
	}
}

func TestOnlyReadingIsAllowedElsewhere(t *testing.T) {
	l := newLab(t, "", nil)
	for _, path := range everything() {
		path, _, _ = strings.Cut(path, "?")
		if path == "/nothing" {
			continue
		}
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			if a := l.ask(method, path, ""); a.Code != http.StatusMethodNotAllowed {
				t.Errorf("%s %s: %d", method, path, a.Code)
			}
		}
		if get, head := l.get(path).Code, l.ask(http.MethodHead, path, "").Code; get != head {
			t.Errorf("%s: GET %d, HEAD %d", path, get, head)
		}
	}
	if a := l.get("/sync"); a.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET /sync: %d", a.Code)
	}
	if a := l.get("/nothing"); a.Code != http.StatusNotFound {
		t.Errorf("GET /nothing: %d", a.Code)
	}
	if l.m.Activity().Queued {
		t.Error("one of these requests asked for a run")
	}
}

// rule 9 row 19
func TestSyncNow(t *testing.T) {
	l := newLab(t, withURL, nil)
	button := pagetest.All(l.page("/"), func(n *html.Node) bool { return n.Data == "button" && pagetest.Attr(n, "disabled") == "" })
	if len(button) != 6 { // search, all, two servers, and the maintenance of both
		t.Errorf("%d buttons", len(button))
	}
	a := l.ask(http.MethodPost, "/sync", "server="+url.QueryEscape("DH2.corp.example"))
	if a.Code != http.StatusSeeOther || a.Header().Get("Location") != "./" || !l.m.Activity().Queued {
		t.Errorf("%d to %q, %+v", a.Code, a.Header().Get("Location"), l.m.Activity())
	}
	checkText(t, l.ask(http.MethodPost, "/sync", "").page(http.StatusConflict), "A run is asked for already.")
	page := l.page("/")
	checkText(t, page, "A run is asked for")
	disabled := pagetest.All(page, func(n *html.Node) bool {
		return n.Data == "button" && len(pagetest.All(n.Parent, func(n *html.Node) bool { _, ok := find1(n, "disabled"); return ok })) == 1
	})
	if len(disabled) != 3 {
		t.Errorf("%d buttons are off while a run is asked for, want 3", len(disabled))
	}
	if a := l.ask(http.MethodPost, "/sync", "server=nobody"); a.Code != http.StatusBadRequest {
		t.Errorf("an unknown server: %d", a.Code)
	}
	if a := l.ask(http.MethodPost, "/sync", "server="+strings.Repeat("x", 8<<10)); a.Code != http.StatusBadRequest {
		t.Errorf("a large form: %d", a.Code)
	}

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var over [][]string
	l.m.Loop(ctx, time.Hour, mirror.Options{}, func(r *mirror.Run, _ error) {
		if over = append(over, r.Servers); len(over) == 2 {
			cancel()
		}
	})
	if diff := cmp.Diff([][]string{nil, {l.Host(1)}}, over); diff != "" {
		t.Errorf("runs of the loop, -want +got:\n%s", diff)
	}
	if n := l.Servers[1].Connections(); n == 0 {
		t.Error("the server was not asked")
	}
}

// find1 is an attribute that may be empty.
func find1(n *html.Node, name string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

func TestAForeignPageCannotStartARun(t *testing.T) {
	for _, c := range []struct {
		name   string
		header map[string]string
		want   int
	}{
		{"a form of another site", map[string]string{"Sec-Fetch-Site": "cross-site"}, http.StatusForbidden},
		{"a form of a neighbour", map[string]string{"Sec-Fetch-Site": "same-site"}, http.StatusForbidden},
		{"an old browser, another site", map[string]string{"Origin": "https://evil.example"}, http.StatusForbidden},
		{"a page without an origin", map[string]string{"Origin": "null"}, http.StatusForbidden},
		{"our own form", map[string]string{"Sec-Fetch-Site": "same-origin"}, http.StatusSeeOther},
		{"our own form in an old browser", map[string]string{"Origin": "http://127.0.0.1:8067"}, http.StatusSeeOther},
		{"our own form through a proxy", map[string]string{"Origin": "https://dhcp-sync.example.org"}, http.StatusSeeOther},
		{"a script", nil, http.StatusSeeOther},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t, withURL, nil)
			r := httptest.NewRequest(http.MethodPost, "/sync", nil)
			r.Host = "127.0.0.1:8067"
			for k, v := range c.header {
				r.Header.Set(k, v)
			}
			if a := l.do(r); a.Code != c.want || l.m.Activity().Queued != (c.want == http.StatusSeeOther) {
				t.Errorf("%d, want %d; %+v", a.Code, c.want, l.m.Activity())
			}
		})
	}
}

func TestProbes(t *testing.T) {
	l := newLab(t, "", nil)
	if a := l.get("/healthz"); a.Code != http.StatusOK || a.Body.String() != "ok\n" {
		t.Errorf("healthz: %d %s", a.Code, a.Body)
	}
	if a := l.get("/readyz"); a.Code != http.StatusServiceUnavailable || a.Body.String() != "not ready: the first run has not begun\n" {
		t.Errorf("readyz: %d %s", a.Code, a.Body)
	}
	var during answer
	l.Front.Before(l.once(func() { during = l.get("/readyz") }))
	l.run()
	if during.Code != http.StatusServiceUnavailable || !strings.HasPrefix(during.Body.String(), "not ready: the first run has not ended; it began at ") {
		t.Errorf("readyz in the first run: %d %s", during.Code, during.Body)
	}
	if a := l.get("/readyz"); a.Code != http.StatusOK || a.Body.String() != "ready\n" {
		t.Errorf("readyz: %d %s", a.Code, a.Body)
	}
	l.Servers[0].Fail(psutest.Fault{Kind: psutest.Drop})
	if _, err := l.m.Sync(t.Context(), mirror.Options{}); err != nil {
		t.Fatal(err)
	}
	if a := l.get("/readyz"); a.Code != http.StatusOK || a.Body.String() != "ready; the last run ended with exit code 1: finished with errors\n" {
		t.Errorf("readyz: %d %s", a.Code, a.Body)
	}
}

func TestStateThatCannotBeRead(t *testing.T) {
	l := newLab(t, "", nil)
	l.remember(nil)
	l.File("state/memory.json", "{")
	for _, path := range []string{"/", "/search?q=x", "/ip/10.8.4.33"} {
		checkText(t, l.get(path).page(http.StatusInternalServerError), "What is remembered cannot be read: ", "memory.json is damaged")
	}
	var refusal struct{ Error string }
	l.get("/api/leases.json").json(http.StatusInternalServerError, &refusal)
	if a := l.get("/metrics"); a.Code != http.StatusInternalServerError {
		t.Errorf("metrics: %d", a.Code)
	}
}

// listening tells where a page is served.
type listening chan string

func (listening) Levels() []logrus.Level { return logrus.AllLevels }

func (l listening) Fire(e *logrus.Entry) error {
	if address, ok := e.Data["address"].(string); ok {
		l <- address
	}
	return nil
}

func TestServe(t *testing.T) {
	l := newLab(t, "", nil)
	log, at := logrus.New(), make(listening, 1)
	log.SetOutput(io.Discard)
	log.AddHook(at)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	l.m.File.Sync.Status.Listen = "127.0.0.1:0"
	go func() { ended <- Serve(ctx, l.m, log) }()
	address := <-at
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	response, err := client.Get("http://" + address + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Error(response.Status)
	}
	l.m.File.Sync.Status.Listen = address
	if err := Serve(t.Context(), l.m, log); !errors.As(err, new(*net.OpError)) || !strings.HasPrefix(err.Error(), "status page: ") {
		t.Errorf("a second one at the same address: %v", err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", address); err == nil {
		t.Error("it still listens")
	}
}

func selfSigned(t *testing.T, end time.Time) psu.Certificate {
	t.Helper()
	made, err := psutest.NewCertificate(psutest.CertificateConfig{Names: []string{"localhost"}, NotAfter: end})
	if err != nil {
		t.Fatal(err)
	}
	cert, err := psu.ParseCertificate(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: made.Certificate[0]}))
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// rules 6 point 4 and 9 row 25
func TestTheTrustedCertificateIsShown(t *testing.T) {
	l := newLab(t, "", nil)
	cert := selfSigned(t, time.Now().AddDate(1, 0, 0))
	l.m.File.Sync.Servers[0].HTTPS = true
	if s := rows(l.page("/"), "2 servers")[0]; !strings.Contains(s, "by the authorities of this machine") {
		t.Errorf("nothing stored: %q", s)
	}
	if err := l.m.Trust.Put(l.Host(0), cert); err != nil {
		t.Fatal(err)
	}
	s := rows(l.page("/"), "2 servers")[0]
	for _, want := range []string{"ends " + cert.NotAfter.UTC().Format(time.DateOnly), cert.Fingerprint(), "trusted: only this certificate"} {
		if !strings.Contains(s, want) {
			t.Errorf("%q does not say %q", s, want)
		}
	}
	endless := selfSigned(t, time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC))
	if err := l.m.Trust.Put(l.Host(0), endless); err != nil {
		t.Fatal(err)
	}
	if s := rows(l.page("/"), "2 servers")[0]; !strings.Contains(s, "never ends") {
		t.Errorf("without an end: %q", s)
	}
	if got := l.get("/metrics").Body.String(); strings.Contains(got, "certificate_expiry_timestamp_seconds{") {
		t.Errorf("a certificate without an end has one in the metrics:\n%s", got)
	}
	l.m.File.Sync.Servers[0].Verify = false
	if s := rows(l.page("/"), "2 servers")[0]; !strings.Contains(s, "not verified") || strings.Contains(s, endless.Fingerprint()) {
		t.Errorf("not verified: %q", s)
	}
}

// rule 13.7: a server by SSH shows which host key is trusted, and no certificate.
func TestTheTrustedHostKeyIsShown(t *testing.T) {
	l := newLab(t, "", nil)
	s := &l.m.File.Sync.Servers[0]
	s.Transport, s.SSH.Port = settings.TransportSSH, 2222
	if err := l.m.Trust.Put(l.Host(0), selfSigned(t, time.Now().AddDate(1, 0, 0))); err != nil {
		t.Fatal(err)
	}
	if row := rows(l.page("/"), "2 servers")[0]; !strings.Contains(row, "no host key") {
		t.Errorf("none is trusted: %q", row)
	}
	pub, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	s.SSH.KnownHosts = l.File("known_hosts", fmt.Sprintf("[%s]:2222 %s", s.Host, ssh.MarshalAuthorizedKey(key)))
	row := rows(l.page("/"), "2 servers")[0]
	if !strings.Contains(row, "only host key ssh-ed25519 "+ssh.FingerprintSHA256(key)) || strings.Contains(row, "trusted: ") || strings.Contains(row, "ends ") {
		t.Errorf("shown as %q", row)
	}
}
