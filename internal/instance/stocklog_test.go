package instance

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coredhcp/coredhcp/logger"
)

// B-7
func TestTheStockServersLogIsSafeToo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.yml")
	if err := os.WriteFile(path, []byte("server4:\n  plugins:\n    - server_id: 10.0.0.2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	log := logger.GetLogger("plugins/netbox")
	pool := new(Pool)
	if _, err := pool.Join(path, log); err == nil {
		t.Fatal("settings without netbox were taken")
	}
	var out bytes.Buffer
	log.Logger.SetOutput(&out)
	log.WithField("file", "x\"\nlevel=error msg=\"forged\" \x1b[31m").Info("boot file refused")
	if got := out.String(); strings.Count(got, "\n") != 1 || strings.Contains(got, "\x1b") || strings.Contains(got, `msg="forged"`) {
		t.Errorf("got %q", got)
	}
}
