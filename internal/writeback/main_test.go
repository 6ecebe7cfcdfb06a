package writeback

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/follow"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testFields are the names the worlds of these tests use.
func testFields() follow.Fields {
	return follow.Fields{MAC: "pydhcp_mac", Expire: "pydhcp_expire", Hostname: "pydhcp_hostname"}
}
