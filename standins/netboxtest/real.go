package netboxtest

import (
	"context"
	"net/http"
	"os"
	"strings"
	"testing"
)

// Real tells where a real NetBox is, without a slash at the end, and the token of a superuser there: NETBOX_URL, and
// NETBOX_TOKEN or the file that NETBOX_TOKEN_FILE names. Without them the test is skipped; it fails if
// REQUIRE_INTEGRATION is 1.
func Real(t testing.TB) (url, token string) {
	t.Helper()
	url, token = strings.TrimSuffix(os.Getenv("NETBOX_URL"), "/"), os.Getenv("NETBOX_TOKEN")
	if file := os.Getenv("NETBOX_TOKEN_FILE"); token == "" && file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatalf("read token: %v", err)
		}
		token = strings.TrimSpace(string(b))
	}
	if url == "" || token == "" {
		const missing = "no real NetBox: NETBOX_URL and NETBOX_TOKEN or NETBOX_TOKEN_FILE are not set"
		if os.Getenv("REQUIRE_INTEGRATION") == "1" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	return url, token
}

// Disposable is Real for a NetBox that may be emptied: it is, now and when the test has ended.
func Disposable(t testing.TB) (url, token string) {
	t.Helper()
	url, token = Real(t)
	// The seed talks by connections of the default transport.
	t.Cleanup(new(http.Client).CloseIdleConnections)
	Wipe(t, url, token)
	t.Cleanup(func() { Wipe(unended{t}, url, token) })
	return url, token
}

// unended is a test whose context goes on after its end.
type unended struct{ testing.TB }

func (unended) Context() context.Context { return context.Background() }
