// Package instancetest opens instances on an inventory for tests of plugins.
// Nothing in it touches the network.
package instancetest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"
	"github.com/sirupsen/logrus/hooks/test"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
)

// Opened is an instance in a pool of its own, closed at the end of the test.
type Opened struct {
	*instance.Instance
	Pool *instance.Pool
	Path string     // of the settings file
	Logs *test.Hook // what was logged
}

// Open opens an instance. settings are further keys of the netbox: section, as
// YAML without indentation; inventory is the file that stands in for NetBox.
func Open(t testing.TB, settings, inventory string) Opened {
	t.Helper()
	dir := t.TempDir()
	section := "inventory: inventory.yml\nstore:\n  path: state\n" + settings
	section = "netbox:\n  " + strings.ReplaceAll(strings.TrimSpace(section), "\n", "\n  ") + "\n"
	write(t, filepath.Join(dir, "inventory.yml"), inventory)
	path := filepath.Join(dir, "config.yml")
	write(t, path, section)

	log, hook := test.NewNullLogger()
	log.SetLevel(logrus.DebugLevel)
	pool := new(instance.Pool)
	t.Cleanup(func() {
		if err := pool.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	i, err := pool.Join(path, log)
	if err != nil {
		t.Fatal(err)
	}
	return Opened{Instance: i, Pool: pool, Path: path, Logs: hook}
}

// Messages returns what was logged at warning level and above.
func (o Opened) Messages() []string {
	var lines []string
	for _, e := range o.Logs.AllEntries() {
		if e.Level <= logrus.WarnLevel {
			lines = append(lines, e.Message)
		}
	}
	return lines
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
