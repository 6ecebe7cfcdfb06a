package netbox

import (
	"fmt"
	"io"
	stdlog "log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

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
		{"nothing at all", reply(200, "application/json", ""), NotNetBox, []string{"decode the page"}},
		{"no list", reply(200, "application/json", `{"a":1}`), NotNetBox, []string{"no results"}},
		{"redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://netbox.example.org"+r.URL.Path, http.StatusMovedPermanently)
		}, Redirected, []string{"https://netbox.example.org/api/", "netbox.url"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := answering(t, tt.handle)
			_, err := c.page(t.Context(), Addresses, nil)
			if KindOf(err) != tt.kind {
				t.Fatalf("kind %q, want %q: %v", KindOf(err), tt.kind, err)
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
			_, err := c.page(t.Context(), Addresses, nil)
			if KindOf(err) != tt.kind || !strings.Contains(err.Error(), tt.words) {
				t.Errorf("got %v (%s), want kind %s with %q", err, KindOf(err), tt.kind, tt.words)
			}
		})
	}
}

func TestTheTokenIsInNoError(t *testing.T) {
	s := netboxtest.New(t, netboxtest.Config{})
	s.Fail(netboxtest.Fault{Kind: netboxtest.TokenExpired})
	c := connect(t, s.URL(), secretToken, silent())
	err := c.Reach(t.Context())
	if err == nil {
		t.Fatal("no error")
	}
	if text := fmt.Sprintf("%s %+v %#v", err, err, c.base); strings.Contains(text, "0123456789") {
		t.Errorf("the token is told: %s", text)
	}
}
