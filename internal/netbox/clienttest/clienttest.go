// Package clienttest connects tests to a NetBox, a stand-in or a real one, as
// the programs do. Production code must not import it.
package clienttest

import (
	"io"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
)

// Connect makes a client that does not wait between its tries. It is closed at
// the end of the test.
func Connect(t *testing.T, url, token string, log logrus.FieldLogger) *netbox.Client {
	t.Helper()
	c, err := netbox.NewClient(netbox.Config{
		URL: url, Timeout: time.Minute, FirstRetry: time.Millisecond,
		Token: func() (string, error) { return token, nil },
	}, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// Silent makes a logger that writes nothing.
func Silent() logrus.FieldLogger {
	log := logrus.New()
	log.SetOutput(io.Discard)
	return log
}
