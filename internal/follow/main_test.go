package follow

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testFields are the names the worlds of these tests use.
func testFields() Fields {
	return Fields{MAC: "pydhcp_mac", Expire: "pydhcp_expire", Hostname: "pydhcp_hostname"}
}
