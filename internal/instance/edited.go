package instance

import (
	"context"
	"os"
	"time"

	"github.com/sirupsen/logrus"
)

// inventoryLook is how often the server looks whether its inventory was edited.
const inventoryLook = 5 * time.Second

// edition is what tells two versions of a file apart.
type edition struct {
	size int64
	at   time.Time
}

// editionOf is the zero edition for a file that cannot be looked at: an editor may
// be replacing it.
func editionOf(path string) edition {
	info, err := os.Stat(path)
	if err != nil {
		return edition{}
	}
	return edition{info.Size(), info.ModTime()}
}

// lookAtInventory watches the file until ctx ends.
func (i *Instance) lookAtInventory(ctx context.Context) {
	ticker := time.NewTicker(inventoryLook)
	defer ticker.Stop()
	i.watchInventory(ctx, ticker.C)
}

// watchInventory says once for each edit that the file differs from what is served.
// It does not read it: a file that is half written would turn hosts away (C-6).
func (i *Instance) watchInventory(ctx context.Context, look <-chan time.Time) {
	var told edition
	for {
		select {
		case <-ctx.Done():
			return
		case <-look:
		}
		now, read := editionOf(i.Settings.Inventory), i.inventoryRead.Load()
		if now == (edition{}) || read == nil || now == *read || now == told {
			continue
		}
		told = now
		i.Log.WithFields(logrus.Fields{"inventory": i.Settings.Inventory}).
			Warn("the inventory was edited and is not in use yet: check it, then send SIGHUP (systemctl reload)")
	}
}
