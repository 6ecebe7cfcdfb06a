package status

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/page"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror/mirrortest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
)

// rule 9 row 56: who may do what, by where the page listens.
func TestWhoMaySeeThePageAndPressItsButtons(t *testing.T) {
	for _, c := range []struct {
		name, listen string
		token        bool
		get, post    int // without the token
		with         int // POST with it
	}{
		{"on loopback", "127.0.0.1:8067", true, 200, 401, 303},
		{"on loopback by name", "localhost:8067", true, 200, 401, 303},
		{"on loopback of IPv6", "[::1]:8067", true, 200, 401, 303},
		{"on loopback without a token", "127.0.0.1:8067", false, 200, 403, 401},
		{"on the network", "0.0.0.0:8067", true, 401, 401, 303},
		{"at any address", ":8067", true, 401, 401, 303},
		{"at a name", "mirror.corp.example:8067", true, 401, 401, 303},
		{"at a socket of a web server", "unix:/run/dhcp.sock", true, 200, 303, 303},
		{"at a socket without a token", "unix:/run/dhcp.sock", false, 200, 303, 303},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := mirrortest.New(t, mirrortest.StandIn(t, netboxtest.Config{}), netboxtest.World{})
			l.Add(psutest.World{})
			m := l.Open("", nil)
			m.File.Sync.Status.Listen = c.listen
			if c.token {
				m.File.Sync.Status.TokenFile = l.File("page.token", pageToken)
			}
			handler, err := newHandler(m, c.listen, silent())
			if err != nil {
				t.Fatal(err)
			}
			do := func(method, path string, header map[string]string) *httptest.ResponseRecorder {
				r := httptest.NewRequest(method, path, nil)
				r.Host = "127.0.0.1:8067"
				for k, v := range header {
					r.Header.Set(k, v)
				}
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, r)
				return w
			}
			for _, path := range []string{"/", "/search", "/runs", "/ip/10.8.4.33", "/api/status.json", "/api/leases.csv", "/metrics"} {
				if a := do(http.MethodGet, path, nil); a.Code != c.get {
					t.Errorf("GET %s: %d, want %d", path, a.Code, c.get)
				} else if a.Code != http.StatusOK && (strings.Contains(a.Body.String(), "127.0.0.1") || strings.Contains(a.Body.String(), pageToken)) {
					t.Errorf("GET %s tells something: %s", path, a.Body)
				}
			}
			header := map[string]string{"Authorization": "Bearer " + pageToken}
			if a := do(http.MethodGet, "/", header); a.Code != http.StatusOK && c.token {
				t.Errorf("GET with the token: %d", a.Code)
			}
			wrongs := []string{"Bearer x", "Bearer ", "Basic " + pageToken, pageToken}
			if c.post == 303 {
				wrongs = nil // nothing is asked for
			}
			for _, wrong := range wrongs {
				if a := do(http.MethodPost, "/sync", map[string]string{"Authorization": wrong}); a.Code != 401 && a.Code != 403 {
					t.Errorf("%q: %d", wrong, a.Code)
				}
			}
			for _, path := range []string{"/sync", "/maintenance"} {
				if a := do(http.MethodPost, path, nil); a.Code != c.post && (path != "/maintenance" || c.post != 303 || a.Code != 400) {
					t.Errorf("POST %s: %d, want %d", path, a.Code, c.post)
				}
			}
			if m.Activity().Queued != (c.post == 303) {
				t.Errorf("asked for a run: %t", m.Activity().Queued)
			}
			if a := do(http.MethodPost, "/sync", header); a.Code != c.with && (c.post != 303 || a.Code != 409) {
				t.Errorf("POST with the token: %d, want %d", a.Code, c.with)
			}
			if a := do(http.MethodPost, "/sync?token="+pageToken, nil); c.post != 303 && a.Code == 303 {
				t.Error("a token in the URL counts")
			}
		})
	}
}

func silent() *logrus.Logger {
	log := logrus.New()
	log.SetOutput(io.Discard)
	return log
}

func TestALoginIsACookieThatNoScriptReads(t *testing.T) {
	l := newLab(t, "", nil)
	l.anonym = true
	if a := l.ask(http.MethodPost, "/login", "token=wrong"); a.Code != http.StatusUnauthorized || len(a.Result().Cookies()) > 0 {
		t.Errorf("a wrong token: %d, %v", a.Code, a.Result().Cookies())
	}
	a := l.ask(http.MethodPost, "/login", "token="+url.QueryEscape(" "+pageToken+"\n"))
	cookies := a.Result().Cookies()
	if a.Code != http.StatusSeeOther || len(cookies) != 1 {
		t.Fatalf("%d, %v", a.Code, cookies)
	}
	cookie := cookies[0]
	if !cookie.HttpOnly || !cookie.Secure || cookie.SameSite != http.SameSiteStrictMode || strings.Contains(cookie.Value, "token") || cookie.MaxAge <= 0 {
		t.Errorf("the cookie %+v", cookie)
	}
	post := func(path string, value string) int {
		r := httptest.NewRequest(http.MethodPost, path, nil)
		r.Host = "127.0.0.1:8067"
		r.AddCookie(&http.Cookie{Name: cookie.Name, Value: value})
		return l.do(r).Code
	}
	if code := post("/sync", "forged"); code != http.StatusUnauthorized {
		t.Errorf("a forged session: %d", code)
	}
	if code := post("/sync", cookie.Value); code != http.StatusSeeOther {
		t.Errorf("logged in: %d", code)
	}
	if code := post("/logout", cookie.Value); code != http.StatusSeeOther {
		t.Errorf("log out: %d", code)
	}
	if code := post("/sync", cookie.Value); code != http.StatusUnauthorized {
		t.Errorf("logged out: %d", code)
	}
	for range page.MostFailures {
		l.ask(http.MethodPost, "/login", "token=wrong")
	}
	if a := l.ask(http.MethodPost, "/login", "token="+pageToken); a.Code != http.StatusUnauthorized {
		t.Errorf("after many wrong ones: %d", a.Code)
	}
	if strings.Contains(l.Log.String(), pageToken) {
		t.Error("the token is in the log")
	}
}

// rule 9 row 56: beyond loopback a page without TLS and a token is not served, and
// the program runs on.
func TestAPageThatAnybodyCouldReadIsNotServed(t *testing.T) {
	for _, c := range []struct {
		name       string
		token, tls bool
		say        string
	}{{"without a token", false, true, "token_file"}, {"without TLS", true, false, "certificate_file"}, {"with both", true, true, ""}} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t, "", nil)
			status := &l.m.File.Sync.Status
			status.Listen, status.TokenFile = "0.0.0.0:0", ""
			if c.token {
				status.TokenFile = l.File("page.token", pageToken)
			}
			if c.tls {
				status.CertificateFile, status.KeyFile = keyPair(t)
			}
			log, hook := logtest.NewNullLogger()
			at := make(listening, 1)
			log.AddHook(at)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan error, 1)
			go func() { ended <- Serve(ctx, l.m, log) }()
			if c.say != "" {
				if err := <-ended; err != nil {
					t.Fatal(err)
				}
				found := false
				for _, e := range hook.AllEntries() {
					err, _ := e.Data[logrus.ErrorKey].(error)
					found = found || e.Level == logrus.ErrorLevel && err != nil && strings.Contains(err.Error(), c.say)
				}
				if !found {
					t.Errorf("the log does not say %s", c.say)
				}
				return
			}
			_, port, err := net.SplitHostPort(<-at)
			if err != nil {
				t.Fatal(err)
			}
			client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
			defer client.CloseIdleConnections()
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://127.0.0.1:"+port+"/", nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Authorization", "Bearer "+pageToken)
			response, err := client.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if response.StatusCode != http.StatusOK {
				t.Error(response.Status)
			}
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTheSocketAndTheProbesOfThePage(t *testing.T) {
	l := newLab(t, "", nil)
	status := &l.m.File.Sync.Status
	socket := filepath.Join(t.TempDir(), "page.sock")
	if err := os.WriteFile(socket, nil, 0o600); err != nil { // left by a process that was killed
		t.Fatal(err)
	}
	status.Listen, status.Probes = "unix:"+socket, "127.0.0.1:0"
	log, at := logrus.New(), make(listening, 2)
	log.SetOutput(io.Discard)
	log.AddHook(at)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, l.m, log) }()
	probes := <-at
	if other := <-at; probes == socket {
		probes = other
	}
	for _, c := range []struct {
		network, address, path string
		want                   int
	}{{"unix", socket, "/", 200}, {"unix", socket, "/metrics", 200}, {"tcp", probes, "/healthz", 200}, {"tcp", probes, "/metrics", 200}, {"tcp", probes, "/", 404}, {"tcp", probes, "/api/leases.json", 404}} {
		client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, c.network, c.address)
		}}}
		response, err := client.Get("http://localhost" + c.path)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		client.CloseIdleConnections()
		if response.StatusCode != c.want {
			t.Errorf("%s %s: %s", c.network, c.path, response.Status)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// keyPair writes a certificate and its key.
func keyPair(t *testing.T) (certificate, key string) {
	t.Helper()
	made, err := psutest.SelfSigned("localhost")
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(made.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certificate, key = filepath.Join(dir, "page.pem"), filepath.Join(dir, "page.key")
	for path, block := range map[string]*pem.Block{certificate: {Type: "CERTIFICATE", Bytes: made.Certificate[0]}, key: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certificate, key
}

// rule 9 row 55: maintenance by a button, with a note and an end.
func TestMaintenanceByAButton(t *testing.T) {
	l := newLab(t, "sync_ips_from_dhcp: true", nil)
	l.run()
	begin := "server=" + l.Host(0) + "&note=" + url.QueryEscape("new disk <b>") + "&for=4h"
	for _, wrong := range []string{"", "server=nobody", "server=" + l.Host(0) + "&failover=x", "server=" + l.Host(0) + "&note=" + strings.Repeat("x", 201), "server=" + l.Host(0) + "&for=soon", "server=" + l.Host(0) + "&for=-1h"} {
		if a := l.ask(http.MethodPost, "/maintenance", wrong); a.Code != http.StatusBadRequest {
			t.Errorf("%q: %d", wrong, a.Code)
		}
	}
	if a := l.ask(http.MethodPost, "/maintenance", begin); a.Code != http.StatusSeeOther {
		t.Fatal(a.Code)
	}
	checkText(t, l.page("/"), "maintenance", "new disk <b>", "until")
	l.Servers[0].ForgetRequests()
	other := l.OpenUnprepared("sync_ips_from_dhcp: true", nil) // as cron does
	if _, err := other.Sync(t.Context(), mirror.Options{}); err != nil {
		t.Fatal(err)
	}
	if n := len(l.Servers[0].Requests()); n > 0 {
		t.Errorf("%d requests to a server in maintenance", n)
	}
	if a := l.ask(http.MethodPost, "/maintenance", "server="+l.Host(0)+"&end=1"); a.Code != http.StatusSeeOther {
		t.Fatal(a.Code)
	}
	if _, err := other.Sync(t.Context(), mirror.Options{}); err != nil {
		t.Fatal(err)
	}
	if len(l.Servers[0].Requests()) == 0 {
		t.Error("the server is still left alone")
	}
	if a := l.ask(http.MethodPost, "/maintenance", "failover=East-Pair"); a.Code != http.StatusSeeOther {
		t.Fatal(a.Code)
	}
	checkText(t, l.page("/"), "East-Pair")
	in, err := other.Maintenances()
	if err != nil || len(in.Servers) != 0 || in.Failovers["East-Pair"].Since.IsZero() || !in.Failovers["East-Pair"].Until.IsZero() {
		t.Errorf("%+v, %v", in, err)
	}
	past := mirror.Maintenance{Since: time.Now().Add(-2 * time.Hour), Until: time.Now().Add(-time.Hour)}
	if err := l.m.SetMaintenance(plan.Source{Failover: "East-Pair"}, &past); err != nil {
		t.Fatal(err)
	}
	if in, err := other.Maintenances(); err != nil || len(in.Failovers) != 0 {
		t.Errorf("one that is over: %+v, %v", in, err)
	}
}
