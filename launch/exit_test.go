package launch

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/sirupsen/logrus/hooks/test"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/exit"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
)

// E-1: a unit does not restart after 64, and must after trouble.
func TestTroubleIsNoMistakeInTheSettings(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want int
	}{
		"an inventory that is wrong": {instanceError(t, "netbox:\n  inventory: none.yml\n  store:\n    path: state\n"), exit.Usage},
		"a wrong key":                {instanceError(t, "netbox:\n  inventry: inventory.yml\n"), exit.Usage},
		"a store in use":             {errors.Join(syscall.EAGAIN), exit.Locked},
	} {
		t.Run(name, func(t *testing.T) {
			if got := exitCode(configError(c.err)); got != c.want {
				t.Errorf("%v ends with %d, want %d", c.err, got, c.want)
			}
		})
	}
}

func instanceError(t *testing.T, text string) error {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"config.yml":    "server4:\n  plugins:\n    - server_id: 10.0.0.2\n    - netbox: config.yml\n" + text,
		"inventory.yml": "prefixes: [{prefix: 10.0.0.0/24}]\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	log, _ := test.NewNullLogger()
	pool := new(instance.Pool)
	t.Cleanup(func() { _ = pool.Close() })
	_, err := pool.Join(filepath.Join(dir, "config.yml"), log)
	if err == nil {
		t.Fatal("opened")
	}
	return err
}
