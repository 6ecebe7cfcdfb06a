package instance

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/renameio/v2"
	"github.com/sirupsen/logrus/hooks/test"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

// C-6
func TestAnEditedInventoryIsNoticedOnceForEachEdit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "inventory.yml")
	put := func(text string) { // at once: a look must not meet half an edit
		t.Helper()
		if err := renameio.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("prefixes: []\n")
	log, hook := test.NewNullLogger()
	i := &Instance{Settings: settings.NetBox{Inventory: path}, Log: log}
	read := editionOf(path)
	i.inventoryRead.Store(&read)
	ctx, stop := context.WithCancel(t.Context())
	look, ended := make(chan time.Time), make(chan struct{})
	go func() { i.watchInventory(ctx, look); close(ended) }()
	lines := func(when string, want int) {
		t.Helper()
		look <- time.Time{} // the second is taken when the first is done with
		look <- time.Time{}
		got := 0
		for _, e := range hook.AllEntries() {
			if strings.Contains(e.Message, "SIGHUP") {
				got++
			}
		}
		if got != want {
			t.Errorf("%s: %d lines, want %d", when, got, want)
		}
	}
	lines("nothing happened", 0)
	put("prefixes: [{prefix: 10.0.0.0/24}]\n")
	lines("edited", 1)
	lines("not edited again", 1)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	lines("an editor is at work", 1)
	put("prefixes: [{prefix: 10.0.0.0/24}, {prefix: 10.1.0.0/24}]\n")
	lines("edited again", 2)
	reloaded := editionOf(path)
	i.inventoryRead.Store(&reloaded)
	lines("read", 2)
	stop()
	<-ended
}
