// Package clienttest makes clients of NetBox for the tests of packages that use
// one. It must not start a NetBox or assert anything about the client.
package clienttest

import (
	"io"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
)

// Silent is a logger that drops everything.
func Silent() logrus.FieldLogger {
	log := logrus.New()
	log.SetOutput(io.Discard)
	return log
}

// Connect makes a client that does not wait between its tries. It is closed at
// the end of the test.
func Connect(tb testing.TB, url, token string, log logrus.FieldLogger) *netbox.Client {
	tb.Helper()
	c, err := netbox.NewClient(netbox.Config{
		URL: url, Timeout: time.Minute, FirstRetry: time.Millisecond,
		Token: func() (string, error) { return token, nil },
	}, log)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return c
}

// SecretToken is a token of the stand-in, which must be in no log and no error.
const SecretToken = "nbt_TESTKEY00001.0123456789abcdefghijABCDEFGHIJ0123456789"
