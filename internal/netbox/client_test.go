package netbox

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox/netboxtest"
)

const secretToken = "nbt_TESTKEY00001.0123456789abcdefghijABCDEFGHIJ0123456789"

func TestAURLIsTakenAsPeoplePasteIt(t *testing.T) {
	for given, want := range map[string]string{
		"https://netbox.example.org":           "https://netbox.example.org",
		" https://netbox.example.org/ ":        "https://netbox.example.org",
		"https://netbox.example.org/api/":      "https://netbox.example.org",
		"http://10.0.0.9:8000/netbox/":         "http://10.0.0.9:8000/netbox",
		"http://[2001:db8::1]:8000/netbox/api": "http://[2001:db8::1]:8000/netbox",
		"netbox.example.org":                   "",
		"ftp://netbox.example.org":             "",
		"https://":                             "",
		"https://user:secret@netbox/":          "",
		"https://netbox/?a=b":                  "",
		"https://netbox/#x":                    "",
		"https://user:secret@netbox/%zz":       "",
		"":                                     "",
	} {
		c, err := NewClient(Config{URL: given, Token: testToken("x")}, silent())
		switch {
		case want == "" && err == nil:
			t.Errorf("%q was taken as %s", given, c.URL())
		case want == "" && strings.Contains(err.Error(), "secret"):
			t.Errorf("%q: the error tells the password: %v", given, err)
		case want != "" && err != nil:
			t.Errorf("%q: %v", given, err)
		case want != "" && c.URL() != want:
			t.Errorf("%q was taken as %s, want %s", given, c.URL(), want)
		}
	}
}

func TestBothGenerationsOfTokensAreSentWithTheirWord(t *testing.T) {
	for token, want := range map[string]string{
		"0123456789abcdef0123456789abcdef01234567": "Token 0123456789abcdef0123456789abcdef01234567",
		secretToken:                    "Bearer " + secretToken,
		"Bearer " + secretToken + "\n": "Bearer " + secretToken,
		"Token 0123456789abcdef\n":     "Token 0123456789abcdef",
		"":                             "",
		"two words":                    "",
		"line\nbreak":                  "",
	} {
		c, err := NewClient(Config{URL: "http://netbox", Token: testToken(token)}, silent())
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.authorization()
		if got != want || (err == nil) != (want != "") {
			t.Errorf("token %q gives %q, %v; want %q", token, got, err, want)
		}
	}
}

func TestAReplacedTokenTakesEffectWithoutARestart(t *testing.T) {
	s := netboxtest.New(t, netboxtest.Config{})
	token := "0000000000000000000000000000000000000000"
	c, err := NewClient(Config{URL: s.URL(), Token: func() (string, error) { return token, nil }}, silent())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if _, err := c.count(t.Context(), addresses, nil); kindOf(err) != BadToken {
		t.Fatalf("a wrong token gives %v, want a bad token", err)
	}
	token = s.TokenV2()
	if _, err := c.count(t.Context(), addresses, nil); err != nil {
		t.Fatal(err)
	}
}

// answering starts a server of one handler and a client for it.
func answering(t *testing.T, handle http.HandlerFunc) *Client {
	t.Helper()
	s := httptest.NewServer(handle)
	t.Cleanup(s.Close)
	return connect(t, s.URL, secretToken, silent())
}

func TestFailuresNameWhatToDo(t *testing.T) {
	const html = "<html><head><title>%s</title></head></html>"
	reply := func(status int, kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.Header().Set("API-Version", "4.6")
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}
	}
	tests := []struct {
		name   string
		handle http.HandlerFunc
		kind   Kind
		words  []string // that the error must hold
	}{
		{"no token arrived", reply(403, "application/json", `{"detail":"Authentication credentials were not provided."}`), BadToken, []string{"ip-addresses", "403", "Authorization header"}},
		{"wrong token", reply(403, "application/json", `{"detail":"Invalid v2 token"}`), BadToken, []string{"Invalid v2 token", "token_file"}},
		{"wrong token, before 4.5", reply(403, "application/json", `{"detail":"Invalid token"}`), BadToken, []string{"Invalid token", "token_file"}},
		{"expired token", reply(403, "application/json", `{"detail":"Token expired"}`), BadToken, []string{"Token expired", "later expiry"}},
		{"disabled token", reply(403, "application/json", `{"detail":"Token disabled"}`), BadToken, []string{"enable the token"}},
		{"address not allowed", reply(403, "application/json", `{"detail":"Source IP 10.0.0.2 is not permitted to authenticate using this token."}`), BadToken, []string{"allowed IPs"}},
		{"missing permission", reply(403, "application/json", `{"detail":"You do not have permission to perform this action."}`), Forbidden, []string{"view on ipam.ipaddress"}},
		{"forbidden by a proxy", reply(403, "text/html", fmt.Sprintf(html, "Access denied")), NotNetBox, []string{"Access denied", "netbox.url"}},
		{"wrong base path", reply(404, "text/html", fmt.Sprintf(html, "Page Not Found")), NotNetBox, []string{"Page Not Found", "base path"}},
		{"unknown host name", reply(400, "text/html", fmt.Sprintf(html, "Bad Request (400)")), NotNetBox, []string{"ALLOWED_HOSTS"}},
		{"login page", reply(200, "text/html", fmt.Sprintf(html, "Sign in")), NotNetBox, []string{"Sign in", "login pages"}},
		{"no object", reply(404, "application/json", `{"detail":"No IPAddress matches the given query."}`), NotFound, []string{"No IPAddress matches"}},
		{"bad filter", reply(400, "application/json", `{"tag":["Select a valid choice. nosuch is not one of the available choices."]}`), Invalid, []string{"tag: Select a valid choice"}},
		{"bare list", reply(400, "application/json", `["one","two"]`), Invalid, []string{"one; two"}},
		{"model-wide error", reply(400, "application/json", `{"__all__":["overlap"]}`), Invalid, []string{"400 Bad Request: overlap"}},
		{"exception", reply(500, "application/json", `{"error":"server closed the connection","exception":"OperationalError","netbox_version":"4.6.8","python_version":"3.12"}`), Unavailable, []string{"500", "server closed the connection", "OperationalError"}},
		{"not JSON", reply(200, "application/json", `{"count":`), NotNetBox, []string{"decode the page"}},
		{"no list", reply(200, "application/json", `{"a":1}`), NotNetBox, []string{"no results"}},
		{"redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://netbox.example.org"+r.URL.Path, http.StatusMovedPermanently)
		}, Redirected, []string{"https://netbox.example.org/api/", "netbox.url"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := answering(t, tt.handle)
			_, err := c.page(t.Context(), addresses, nil)
			if kindOf(err) != tt.kind {
				t.Fatalf("kind %q, want %q: %v", kindOf(err), tt.kind, err)
			}
			for _, words := range tt.words {
				if !strings.Contains(err.Error(), words) {
					t.Errorf("%q does not say %q", err, words)
				}
			}
			if strings.Contains(err.Error(), "0123456789") {
				t.Errorf("the error tells the token: %v", err)
			}
		})
	}
}

func TestTroubleOnTheWayIsNamed(t *testing.T) {
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = stdlog.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	for _, tt := range []struct {
		name, url string
		kind      Kind
		words     string
	}{
		{"certificate of nobody known", secure.URL, BadTLS, "certificate"},
		{"https spoken to http", strings.Replace(plain.URL, "http:", "https:", 1), BadTLS, "certificate"},
		{"nobody listens", closed.URL, Unreachable, "netbox.url names its port"},
		{"no such name", "http://netbox.invalid", Unreachable, "DNS"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := connect(t, tt.url, secretToken, silent())
			_, err := c.page(t.Context(), addresses, nil)
			if kindOf(err) != tt.kind || !strings.Contains(err.Error(), tt.words) {
				t.Errorf("got %v (%s), want kind %s with %q", err, kindOf(err), tt.kind, tt.words)
			}
		})
	}
}

func TestAnOwnAuthorityIsTrustedWhenItsFileIsNamed(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"count":0,"next":null,"results":[]}`)
	}))
	t.Cleanup(s.Close)
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := NewClient(Config{URL: s.URL, Token: testToken("x"), CAFile: file}, silent())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if n, err := c.count(t.Context(), addresses, nil); err != nil || n != 0 {
		t.Errorf("count %d, %v", n, err)
	}
	if _, err := NewClient(Config{URL: s.URL, Token: testToken("x"), CAFile: file + ".missing"}, silent()); err == nil {
		t.Error("a missing CA file was no error")
	}
}

func TestASlowServerTimesOut(t *testing.T) {
	release := make(chan struct{})
	c := answering(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	t.Cleanup(func() { close(release) })
	c.timeout = 10 * time.Millisecond
	_, err := c.once(t.Context(), http.MethodGet, addresses, "", nil, nil, nil)
	if kindOf(err) != TimedOut || !strings.Contains(err.Error(), "netbox.timeout") {
		t.Errorf("got %v, want a time-out that names the setting", err)
	}
}

func TestAnAnswerWithoutEndIsCutOff(t *testing.T) {
	c := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		blank := bytes.Repeat([]byte(" "), 1<<20)
		for range maxBody>>20 + 1 {
			if _, err := w.Write(blank); err != nil {
				return
			}
		}
	})
	_, err := c.page(t.Context(), addresses, nil)
	if kindOf(err) != TooLarge {
		t.Errorf("got %v, want a too large answer", err)
	}
}

func TestReadsAreTriedAgainWhereThatMayHelp(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fault netboxtest.FaultKind
		again bool
	}{
		{"connection reset", netboxtest.Reset, true},
		{"body cut off", netboxtest.Truncated, true},
		{"bad gateway", netboxtest.HTML502, true},
		{"gateway time-out", netboxtest.HTML504, true},
		{"unavailable", netboxtest.Unavailable503, true},
		{"throttled", netboxtest.Throttled429, true},
		{"exception in NetBox", netboxtest.JSON500, false},
		{"forbidden", netboxtest.Forbidden403, false},
		{"token expired", netboxtest.TokenExpired, false},
		{"login page", netboxtest.HTML200, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := netboxtest.New(t, netboxtest.Config{})
			c := connect(t, s.URL(), s.TokenV2(), silent())
			s.Fail(netboxtest.Fault{Kind: tt.fault, Times: 2, Path: "/api/ipam/ip-addresses/"})
			_, err := c.count(t.Context(), addresses, nil)
			if (err == nil) != tt.again {
				t.Errorf("got %v after %d requests", err, len(s.Requests()))
			}
			if n := len(s.Requests()); !tt.again && n != 1 {
				t.Errorf("%d requests, want 1", n)
			}
		})
	}
}

func TestRetryAfterIsObeyed(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"7": 7 * time.Second, "0": 0, "": 0, "soon": 0, "-3": 0,
		now.Add(90 * time.Second).Format(http.TimeFormat): 90 * time.Second,
		now.Add(-time.Hour).Format(http.TimeFormat):       0,
	} {
		h := http.Header{"Retry-After": {value}, "Date": {now.Format(http.TimeFormat)}}
		if got := retryAfter(h); got != want {
			t.Errorf("Retry-After %q: %s, want %s", value, got, want)
		}
	}
	s := netboxtest.New(t, netboxtest.Config{})
	c := connect(t, s.URL(), s.TokenV2(), silent())
	s.Fail(netboxtest.Fault{Kind: netboxtest.Throttled429, RetryAfter: time.Hour})
	_, err := c.count(t.Context(), addresses, nil)
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Kind != Throttled || e.RetryAfter != time.Hour {
		t.Errorf("got %v, want a refusal for an hour", err)
	}
	if n := len(s.Requests()); n != 1 {
		t.Errorf("%d requests, want 1: an hour is not waited for", n)
	}
}

func TestNoRedirectCarriesTheTokenElsewhere(t *testing.T) {
	var elsewhere int
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere++ }))
	t.Cleanup(other.Close)
	c := answering(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+r.URL.RequestURI(), http.StatusTemporaryRedirect)
	})
	for _, method := range []string{http.MethodGet, http.MethodPatch, http.MethodPost} {
		if _, err := c.once(t.Context(), method, addresses, "", nil, []int{}, nil); kindOf(err) != Redirected {
			t.Errorf("%s: got %v, want a redirect reported", method, err)
		}
	}
	if elsewhere != 0 {
		t.Errorf("%d requests went to another host", elsewhere)
	}
}

func TestAWriteNeverCarriesAQuery(t *testing.T) {
	var query string
	c := answering(t, func(w http.ResponseWriter, r *http.Request) {
		query = r.URL.RawQuery
		w.WriteHeader(http.StatusNoContent)
	})
	if _, err := c.once(t.Context(), http.MethodPatch, addresses, "", selection(addresses), []int{}, nil); err != nil {
		t.Fatal(err)
	}
	if query != "" {
		t.Errorf("the write asked for %q", query)
	}
}

func TestVersionsAreReadInAllTheirForms(t *testing.T) {
	for text, want := range map[string]Version{
		"4.7": {4, 7}, "4.7.3": {4, 7}, "v4.2.9": {4, 2}, "4.3.0-Docker-3.3.0": {4, 3}, "4.7-beta1": {4, 7}, "5.0.0": {5, 0},
	} {
		got, err := ParseVersion(text)
		if err != nil || got != want {
			t.Errorf("%q is %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "4", "four.seven", "4.x", "-4.2", "4.99999999999"} {
		if v, err := ParseVersion(text); err == nil {
			t.Errorf("%q was read as %v", text, v)
		}
	}
}

func TestTheVersionIsAskedForWhereNoHeaderTellsIt(t *testing.T) {
	c := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"netbox-version":"4.5.10","django-version":"5.2"}`)
	})
	v, err := c.Version(t.Context())
	if err != nil || v != (Version{4, 5}) {
		t.Errorf("got %v, %v; want 4.5", v, err)
	}
}

func TestANetBoxBefore42IsRefused(t *testing.T) {
	c := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("API-Version", "4.1")
		fmt.Fprint(w, `{"netbox-version":"4.1.11"}`)
	})
	_, err := c.newReader("", nil).load(t.Context())
	if kindOf(err) != TooOld || !strings.Contains(err.Error(), "NetBox 4.1") || !strings.Contains(err.Error(), "4.2 or newer") {
		t.Errorf("got %v, want a refusal that names both versions", err)
	}
}

func TestTheClockOfNetBoxIsWatched(t *testing.T) {
	s := netboxtest.New(t, netboxtest.Config{})
	s.SetClock(func() time.Time { return time.Now().Add(-time.Hour) })
	c := connect(t, s.URL(), s.TokenV2(), silent())
	if _, err := c.Version(t.Context()); err != nil {
		t.Fatal(err)
	}
	if skew := c.Skew(); (skew + time.Hour).Abs() > 5*time.Second { // S-9
		t.Errorf("skew %s, want about -1h", skew)
	}
}

func TestTheTokenIsInNoLogAndNoError(t *testing.T) {
	var out bytes.Buffer
	log := logrus.New()
	log.SetOutput(&out)
	log.SetLevel(logrus.TraceLevel)
	s := netboxtest.New(t, netboxtest.Config{})
	s.Fail(netboxtest.Fault{Kind: netboxtest.TokenExpired})
	c := connect(t, s.URL(), secretToken, log)
	f := NewFollower(c, FollowConfig{})
	err := f.cycle(t.Context())
	f.report(err)
	if !strings.Contains(out.String(), "Token expired") {
		t.Errorf("log lacks the reason: %s", out.String())
	}
	for _, text := range []string{out.String(), err.Error(), fmt.Sprintf("%+v %#v", err, c.base)} {
		if strings.Contains(text, "0123456789") {
			t.Errorf("the token is told: %s", text)
		}
	}
}

func TestACancelledReadEndsAtOnce(t *testing.T) {
	s := netboxtest.New(t, netboxtest.Config{})
	s.Fail(netboxtest.Fault{Kind: netboxtest.Unavailable503, RetryAfter: time.Minute})
	c := connect(t, s.URL(), s.TokenV2(), silent())
	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := errors.New("stopped")
	cancel(stopped)
	if _, err := c.count(ctx, addresses, nil); !errors.Is(err, stopped) {
		t.Errorf("got %v, want the cause of the cancellation", err)
	}
}
