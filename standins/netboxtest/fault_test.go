package netboxtest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// try makes one request that may fail.
func try(t *testing.T, s *Server, method, path, body string) (*http.Response, string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Token "+s.TokenV1())
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp, string(b), err
}

func TestFaultsAnswerAsNetBoxOrItsProxyDo(t *testing.T) {
	for _, f := range []struct {
		fault   Fault
		status  int
		content string // start of Content-Type
		body    string // part of the body
		retry   string
		ours    bool // NetBox's own headers are there
	}{
		{Fault{Kind: JSON500}, 500, "application/json", `"exception":"OperationalError"`, "", true},
		{Fault{Kind: HTML502}, 502, "text/html", "502 Bad Gateway", "", false},
		{Fault{Kind: HTML504}, 504, "text/html", "504 Gateway Timeout", "", false},
		{Fault{Kind: Throttled429, RetryAfter: 7 * time.Second}, 429, "text/html", "429", "7", false},
		{Fault{Kind: Unavailable503, RetryAfter: time.Second}, 503, "text/html", "503", "1", false},
		{Fault{Kind: HTML200}, 200, "text/html", "<html", "", false},
		{Fault{Kind: Forbidden403}, 403, "application/json", "do not have permission", "", true},
		{Fault{Kind: TokenExpired}, 403, "application/json", "Token expired", "", true},
	} {
		t.Run(fmt.Sprint(f.status, f.content, f.fault.Kind), func(t *testing.T) {
			s := New(t, Config{})
			s.Fail(f.fault)
			resp, body, err := try(t, s, http.MethodGet, "/api/ipam/vrfs/", "")
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != f.status || !strings.HasPrefix(resp.Header.Get("Content-Type"), f.content) || !strings.Contains(body, f.body) {
				t.Errorf("%d %s %s", resp.StatusCode, resp.Header.Get("Content-Type"), body)
			}
			if got := resp.Header.Get("Retry-After"); got != f.retry {
				t.Errorf("Retry-After %q, want %q", got, f.retry)
			}
			if (resp.Header.Get("X-Request-ID") != "") != f.ours {
				t.Errorf("X-Request-ID %q", resp.Header.Get("X-Request-ID"))
			}
		})
	}
}

func TestAFaultIsLimitedToPathMethodAndTimes(t *testing.T) {
	s := New(t, Config{})
	s.Fail(Fault{Path: "/api/ipam/*", Method: http.MethodGet, After: 1, Times: 2, Kind: HTML502})
	var got []int
	for _, path := range []string{"/api/dcim/sites/", "/api/ipam/vrfs/", "/api/ipam/vrfs/", "/api/dcim/sites/", "/api/ipam/prefixes/", "/api/ipam/vrfs/"} {
		resp, _, err := try(t, s, http.MethodGet, path, "")
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, resp.StatusCode)
	}
	if diff := cmp.Diff([]int{200, 200, 502, 200, 502, 200}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestConnectionFaults(t *testing.T) {
	s := New(t, Config{})
	for _, k := range []FaultKind{Reset, Truncated} {
		s.Fail(Fault{Kind: k, Times: 1})
		if _, body, err := try(t, s, http.MethodGet, "/api/ipam/vrfs/", ""); err == nil {
			t.Errorf("fault %d: answered %s", k, body)
		}
	}
	s.Down()
	if _, _, err := try(t, s, http.MethodGet, "/api/ipam/vrfs/", ""); err == nil {
		t.Error("a server that is down answers")
	}
	s.Up()
	if _, _, err := try(t, s, http.MethodGet, "/api/ipam/vrfs/", ""); err != nil {
		t.Errorf("a server that is up again: %v", err)
	}
}

func TestAWriteWhoseAnswerIsLostIsDone(t *testing.T) {
	for kind, done := range map[FaultKind]bool{ResetAfter: true, Timeout504: true, Reset: false, HTML504: false} {
		t.Run(fmt.Sprint(kind), func(t *testing.T) {
			s := New(t, Config{})
			s.Fail(Fault{Method: http.MethodPost, Kind: kind})
			resp, _, err := try(t, s, http.MethodPost, "/api/ipam/vrfs/", `{"name":"v"}`)
			if err == nil && resp.StatusCode < 500 {
				t.Errorf("answered %d", resp.StatusCode)
			}
			if got := s.Count(vrfsPath) == 1; got != done {
				t.Errorf("done: %v, want %v", got, done)
			}
		})
	}
}

func TestPageFaults(t *testing.T) {
	s := New(t, Config{})
	for i := range 8 {
		s.Add(t, vrfsPath, map[string]any{"name": fmt.Sprint("v", i)})
	}
	page := func(query string) (names []string, next any) {
		t.Helper()
		_, body, err := try(t, s, http.MethodGet, "/api/ipam/vrfs/?limit=4&"+query, "")
		if err != nil {
			t.Fatal(err)
		}
		var p struct {
			Next    any
			Results []struct{ Name string }
		}
		if err := json.Unmarshal([]byte(body), &p); err != nil {
			t.Fatal(err)
		}
		for _, r := range p.Results {
			names = append(names, r.Name)
		}
		return names, p.Next
	}
	s.Fail(Fault{Kind: HalfPage, Times: 1})
	if names, next := page("start=0"); len(names) != 2 || !strings.Contains(fmt.Sprint(next), "start=3") {
		t.Errorf("half a page: %v, next %v", names, next)
	}
	s.Fail(Fault{Kind: EmptyPage, Times: 1})
	if names, next := page("start=0"); names != nil || next != nil {
		t.Errorf("empty page: %v, next %v", names, next)
	}
	s.Fail(Fault{Kind: RepeatedPage, Times: 1})
	if names, _ := page("start=5"); names[0] != "v0" {
		t.Errorf("repeated page: %v", names)
	}
	s.Configure(func(c *Config) { c.NextBase = "http://inner.example" })
	if _, next := page("start=0"); !strings.HasPrefix(fmt.Sprint(next), "http://inner.example/api/") {
		t.Errorf("next: %v", next)
	}
}

func TestAnUnknownStatusIsShown(t *testing.T) {
	s := New(t, Config{})
	s.Add(t, addressesPath, map[string]any{"address": "10.0.0.1/24"})
	s.Fail(Fault{Kind: UnknownStatus})
	if _, body, err := try(t, s, http.MethodGet, "/api/ipam/ip-addresses/", ""); err != nil || !strings.Contains(body, `"status":{"label":"Quarantined"`) {
		t.Errorf("%s %v", body, err)
	}
}

func TestASlowAnswerWaitsForItsSign(t *testing.T) {
	for _, k := range []FaultKind{Slow, Trickle} {
		s := New(t, Config{})
		sign := make(chan struct{})
		s.Fail(Fault{Kind: k, Until: sign, Times: 1})
		got := make(chan error, 1)
		go func() {
			_, _, err := try(t, s, http.MethodGet, "/api/ipam/vrfs/", "")
			got <- err
		}()
		s.AwaitRequests(1)
		select {
		case err := <-got:
			t.Fatalf("fault %d: answered before the sign: %v", k, err)
		default:
		}
		close(sign)
		if err := <-got; err != nil {
			t.Errorf("fault %d: %v", k, err)
		}
	}
}

func TestRequestsAreRecorded(t *testing.T) {
	s := New(t, Config{})
	for _, r := range [][3]string{{http.MethodGet, "/api/ipam/vrfs/?limit=1", ""}, {http.MethodPost, "/api/ipam/vrfs/", `{"name":"v"}`}, {http.MethodPost, "/api/ipam/vrfs/", `{}`}} {
		if _, _, err := try(t, s, r[0], r[1], r[2]); err != nil {
			t.Fatal(err)
		}
	}
	all, writes := s.Requests(), s.Writes()
	if len(all) != 3 || len(writes) != 2 || all[0].Query.Get("limit") != "1" || writes[0].Status != 201 || writes[1].Status != 400 || writes[0].Body != `{"name":"v"}` {
		t.Errorf("recorded %+v", all)
	}
	s.ForgetRequests()
	if len(s.Requests()) != 0 {
		t.Error("requests are not forgotten")
	}
}

func TestIgnoredParametersAreRecorded(t *testing.T) {
	for v, want := range map[Version][]string{V45: {"nosuch", "start", "tag__any"}, V47: {"exclude", "nosuch"}} {
		s := New(t, Config{Version: v})
		s.Add(t, "extras/tags", map[string]any{"name": "a", "slug": "a"})
		if _, _, err := try(t, s, http.MethodGet, "/api/ipam/ip-addresses/?start=0&limit=1&nosuch=1&status=active&tag__any=a&exclude=config_context", ""); err != nil {
			t.Fatal(err)
		}
		got := s.Requests()[0].Ignored
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", v, diff)
		}
	}
}

func TestAnExpiredTokenIsRefusedFromItsTimeOn(t *testing.T) {
	s := New(t, Config{})
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s.SetClock(func() time.Time { return now })
	s.AddToken(Token{Value: s.TokenV1(), Superuser: true, Expires: now.Add(time.Second)})
	for _, want := range []int{200, 403} {
		resp, _, err := try(t, s, http.MethodGet, "/api/ipam/vrfs/", "")
		if err != nil || resp.StatusCode != want {
			t.Errorf("%v %v, want %d", resp, err, want)
		}
		now = now.Add(time.Second)
	}
}

func TestSettings(t *testing.T) {
	s := New(t, Config{Choices: map[string][]string{"IPAddress.status": {"active", "quarantine"}}, Labels: map[string]string{"active": "Aktiv"}, DuplicatesLegal: true,
		TimeZone: time.FixedZone("", 3600), LoginOptional: true})
	s.SetClock(func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) })
	a := s.Get(addressesPath, s.Add(t, addressesPath, map[string]any{"address": "10.0.0.1/24"}))
	b := s.Get(addressesPath, s.Add(t, addressesPath, map[string]any{"address": "10.0.0.1/24", "status": "quarantine"}))
	if diff := cmp.Diff([]any{map[string]any{"value": "active", "label": "Aktiv"}, map[string]any{"value": "quarantine", "label": "Quarantine"}, "2026-03-01T13:00:00+01:00"},
		[]any{a["status"], b["status"], a["created"]}); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	s.Configure(func(c *Config) { c.Choices = map[string][]string{"IPAddress.status": {"active"}} })
	if got := s.Get(addressesPath, 2)["status"]; fmt.Sprint(got) != "map[label: value:quarantine]" {
		t.Errorf("a removed choice shows %v", got)
	}
	resp, err := http.Get(s.URL() + "/api/status/")
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("status page without token: %v %v", resp, err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Error(err)
	}
	if _, err := Start(Config{Version: "3.7"}); err == nil {
		t.Error("version 3.7 is taken")
	}
}

func TestTiesMayBeUnstable(t *testing.T) {
	s := New(t, Config{DuplicatesLegal: true, UnstableTies: true})
	for _, d := range []string{"a", "b"} {
		s.Add(t, addressesPath, map[string]any{"address": "10.0.0.1/24", "description": d})
	}
	var seen []string
	for range 2 {
		_, body, err := try(t, s, http.MethodGet, "/api/ipam/ip-addresses/?limit=1&fields=description", "")
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, body)
	}
	if seen[0] == seen[1] {
		t.Errorf("twice %s", seen[0])
	}
}
