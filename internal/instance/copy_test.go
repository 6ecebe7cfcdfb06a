package instance

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sirupsen/logrus/hooks/test"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// H-10: a lease outlives the loss of the store by its copy, which belongs to one
// server.
func TestALeaseOutlivesItsStoreByTheCopy(t *testing.T) {
	path := settingsFile(t, "10.1.0.0/24")
	folder := filepath.Dir(path)
	text, err := os.ReadFile(path)
	must(t, err, os.WriteFile(path, []byte(strings.Replace(string(text), "path: state\n", "path: state\n    copy: cache\n", 1)), 0o600))
	before, _ := serving(t, path)
	ask(t, before, stranger(lease.Request, "10.1.0.105"), lease.Ack)
	copied := filepath.Join(folder, "cache", "leases.json")
	if got := before.writeCopy(copied, nil); !strings.Contains(string(got), "10.1.0.105") {
		t.Fatalf("the copy holds %s", got)
	}
	log, hook := test.NewNullLogger()
	second := &Instance{Settings: before.Settings, Log: log, pool: before.pool}
	second.startCopy(t.Context())
	if len(hook.AllEntries()) != 1 || second.secondSnapshot() != "" {
		t.Errorf("a second server may use the copy: %d lines", len(hook.AllEntries()))
	}
	must(t, before.pool.Close(), os.RemoveAll(filepath.Join(folder, "state")))
	after, _ := serving(t, path)
	if after.secondSnapshot() == "" {
		t.Fatal("the folder of the copy is still locked")
	}
	m := stranger(lease.Request, "10.1.0.105")
	m.ServerID = lease.ClientMessage{}.ServerID
	if d := ask(t, after, m, lease.Ack); d.Reason != lease.ReasonBound {
		t.Errorf("%s, want the lease of the copy", d.Reason)
	}
}
