package instance

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/sirupsen/logrus/hooks/test"
)

// REC-4
func TestReloadReadsTheInventoryAndKeepsTheOldOneOnAMistake(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("config.yml", "server4:\n  plugins:\n    - server_id: 10.0.0.2\n    - netbox: config.yml\nnetbox:\n  inventory: inventory.yml\n  store: {path: state}\n")
	put("inventory.yml", "prefixes: [{prefix: 10.0.0.0/24}]\n")
	log, _ := test.NewNullLogger()
	pool := new(Pool)
	defer func() { _ = pool.Close() }()
	i, err := pool.Join(filepath.Join(dir, "config.yml"), log)
	if err != nil {
		t.Fatal(err)
	}
	known := func(addr string) bool {
		_, err := i.Snapshot().Subnet(netip.MustParseAddr(addr))
		return err == nil
	}
	put("inventory.yml", "prefixes: [{prefix: 10.0.0.0/24}, {prefix: 10.1.0.0/24}]\n")
	if known("10.1.0.1") {
		t.Error("the inventory was read without a reload")
	}
	if err := i.Reload(); err != nil || !known("10.1.0.1") || !known("10.0.0.1") {
		t.Errorf("after a reload: %v, %v, %v", err, known("10.1.0.1"), known("10.0.0.1"))
	}
	put("inventory.yml", "prefixes: [{prefix: 10.0.0.0/240}]\n")
	if err := i.Reload(); err == nil || !known("10.1.0.1") {
		t.Errorf("a wrong inventory: %v, the old one is in use: %v", err, known("10.1.0.1"))
	}
}
