package psu_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	logtest "github.com/sirupsen/logrus/hooks/test"
	"go.uber.org/goleak"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/endpoint"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/psu"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// example starts a stand-in with the example world.
func example(t *testing.T, change ...func(*psutest.Config)) *psutest.Server {
	t.Helper()
	c := psutest.Config{World: psutest.Example("dh1.corp.example")}
	for _, f := range change {
		f(&c)
	}
	return psutest.New(t, c)
}

// client goes through a door with the token for writing.
func client(t *testing.T, srv *psutest.Server, change ...func(*psu.Config)) *endpoint.Client {
	t.Helper()
	c := psu.Config{
		Host: srv.Host(), Port: srv.Port(), HTTPS: strings.HasPrefix(srv.URL(), "https:"), Verify: true,
		Token: func() (string, error) { return srv.Writer() + "\r\n", nil },
	}
	for _, f := range change {
		f(&c)
	}
	door, err := psu.New(c)
	if err != nil {
		t.Fatal(err)
	}
	log, _ := logtest.NewNullLogger()
	out, err := endpoint.New(door, endpoint.Config{RetryPause: time.Millisecond}, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(out.Close)
	return out
}

// complete wants a whole list of scopes.
func complete(t *testing.T, c *endpoint.Client) {
	t.Helper()
	if list := c.Scopes(t.Context(), false); !list.Complete() {
		t.Errorf("list is not complete: %v %q", list.Err, list.Malformed)
	}
}

func wantKind(t *testing.T, err error, want endpoint.Kind) *endpoint.Error {
	t.Helper()
	if endpoint.KindOf(err) != want {
		t.Fatalf("got %v (kind %q), want kind %q", err, endpoint.KindOf(err), want)
	}
	e, _ := errors.AsType[*endpoint.Error](err)
	return e
}

func canceled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// rule 1.1: an IPv6 address is bracketed in URLs.
func TestIPv6AddressesAreBracketed(t *testing.T) {
	c, err := psu.New(psu.Config{Host: "2001:db8::5", Port: 8443, HTTPS: true, Verify: true})
	if err != nil {
		t.Fatal(err)
	}
	if want := "https://[2001:db8::5]:8443/api/dhcp/"; c.URL() != want {
		t.Errorf("URL %s, want %s", c.URL(), want)
	}
}

func TestImpossibleSettingsAreRefused(t *testing.T) {
	for name, c := range map[string]psu.Config{
		"no host":            {Port: 443},
		"a path in the host": {Host: "dh1/api", Port: 443},
		"user in the host":   {Host: "user@dh1", Port: 443},
		"brackets":           {Host: "[::1]", Port: 443},
		"no port":            {Host: "dh1"},
		"port too high":      {Host: "dh1", Port: 65536},
		"negative timeout":   {Host: "dh1", Port: 443, Timeout: -1},
		"an empty pin":       {Host: "dh1", Port: 443, HTTPS: true, Verify: true, Pin: &psu.Certificate{}},
	} {
		if _, err := psu.New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
