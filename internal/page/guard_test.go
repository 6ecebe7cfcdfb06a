package page

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// A foreign name that is made to lead here (DNS rebinding) gets
// nothing.
func TestHostNamesThePageAnswersTo(t *testing.T) {
	for _, c := range []struct {
		listen, url string
		good, bad   []string
	}{
		{"127.0.0.1:8067", "", []string{"127.0.0.1:8067", "localhost", "LOCALHOST:1", "[::1]:8067", "127.9.9.9"},
			[]string{"evil.example", "10.0.0.5:8067", "127.0.0.1.evil.example", "localhost.evil.example", "", "evil.example:8067", "@localhost"}},
		{"10.0.0.5:8067", "https://Sync.example.org/x", []string{"10.0.0.5:8067", "10.0.0.5", "sync.example.org", "SYNC.example.org.:443", "localhost:8067"},
			[]string{"10.0.0.6", "example.org", "xsync.example.org"}},
		{":8067", "", []string{"10.0.0.5:8067", "[2001:db8::1]:8067", "localhost"}, []string{"evil.example", "0x7f.1"}},
		{"0.0.0.0:8067", "", []string{"10.0.0.5:8067"}, []string{"evil.example"}},
		{"mirror.corp.example:8067", "", []string{"mirror.corp.example:8067"}, []string{"mirror", "10.0.0.5"}},
	} {
		handler, err := Guarded(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { Line(w, http.StatusOK, "secret") }), "sync.status", c.listen, c.url)
		if err != nil {
			t.Fatal(err)
		}
		for host, want := range map[string]int{"good": http.StatusOK, "bad": http.StatusMisdirectedRequest} {
			for _, name := range map[string][]string{"good": c.good, "bad": c.bad}[host] {
				r := httptest.NewRequest(http.MethodGet, "/", nil)
				r.Host = name
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, r)
				if w.Code != want || w.Code != http.StatusOK && strings.Contains(w.Body.String(), "secret") {
					t.Errorf("listening at %s as %q: Host %q gets %d", c.listen, c.url, name, w.Code)
				}
			}
		}
	}
}

func TestASessionEnds(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	l := &login{cookie: "session", now: func() time.Time { return now }}
	r := httptest.NewRequest(http.MethodPost, "/sync", nil)
	r.AddCookie(l.begin())
	if !l.known(r) {
		t.Error("not known")
	}
	now = now.Add(sessionLasts)
	if l.known(r) {
		t.Error("known for ever")
	}
}
