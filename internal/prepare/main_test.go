package prepare

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// secretToken must be in no log and no error.
const secretToken = "nbt_TESTKEY00001.0123456789abcdefghijABCDEFGHIJ0123456789"
