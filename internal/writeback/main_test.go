package writeback

import (
	"io"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"go.uber.org/goleak"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/follow"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testFields are the names the worlds of these tests use.
func testFields() follow.Fields {
	return follow.Fields{MAC: "pydhcp_mac", Expire: "pydhcp_expire", Hostname: "pydhcp_hostname"}
}

func testToken(token string) func() (string, error) {
	return func() (string, error) { return token, nil }
}

func silent() logrus.FieldLogger {
	log := logrus.New()
	log.SetOutput(io.Discard)
	return log
}

// connect makes a client that does not wait between its tries.
func connect(t *testing.T, url, token string, log logrus.FieldLogger) *netbox.Client {
	t.Helper()
	c, err := netbox.NewClient(netbox.Config{URL: url, Token: testToken(token), Timeout: time.Minute, FirstRetry: time.Millisecond}, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}
