package state

import (
	"context"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

// realNetBox finds the NetBox that NETBOX_URL and NETBOX_TOKEN_FILE name. The
// instance must be disposable: it is emptied before and after.
func realNetBox(t *testing.T) (url, token string) {
	t.Helper()
	url, token = realNetBoxAt(t)
	// The seed talks by connections of the default transport.
	t.Cleanup(new(http.Client).CloseIdleConnections)
	netboxtest.Wipe(t, url, token)
	return url, token
}

func realNetBoxAt(t *testing.T) (url, token string) {
	t.Helper()
	url, file := os.Getenv("NETBOX_URL"), os.Getenv("NETBOX_TOKEN_FILE")
	if url == "" || file == "" {
		if os.Getenv("REQUIRE_INTEGRATION") == "1" {
			t.Fatal("NETBOX_URL and NETBOX_TOKEN_FILE are not set")
		}
		t.Skip("no real NetBox: NETBOX_URL and NETBOX_TOKEN_FILE are not set")
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return url, strings.TrimSpace(string(raw))
}

// emptyAgain wipes after the test's own context has ended.
func emptyAgain(t *testing.T, seeded *netboxtest.Seeded) {
	t.Helper()
	seeded.Wipe(unended{t})
}

type unended struct{ testing.TB }

func (unended) Context() context.Context { return context.Background() }

// connectReal makes a client with the patience that a real NetBox needs.
func connectReal(t *testing.T, url, token string) *netbox.Client {
	t.Helper()
	c, err := netbox.NewClient(netbox.Config{URL: url, Token: testToken(token), Timeout: time.Minute, FirstRetry: time.Millisecond}, silent())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}
