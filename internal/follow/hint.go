package follow

import (
	"context"
	"slices"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
)

// Hint says that an object may have changed, named as in a webhook:
// "ipam.ipaddress", 17. It never blocks; a hint that is lost is made good by
// the next poll. Types that are not followed are passed over.
func (f *Follower) Hint(objectType string, id int64) {
	i := slices.IndexFunc(Tables(), func(e netbox.Table) bool { return e.Model() == objectType })
	if i < 0 || id <= 0 {
		return
	}
	at := thing{Tables()[i], id}
	f.hintMu.Lock()
	if len(f.hints) < maxHints {
		f.hints[at] = true
	}
	f.hintMu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// followHints reads hinted rows after a short while, in which more hints may
// come. It reports whether a whole poll is called for.
func (f *Follower) followHints(ctx context.Context) (poll bool) {
	timer := time.NewTimer(gather)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return true
	case <-timer.C:
	}
	f.hintMu.Lock()
	hints := f.hints
	f.hints = make(map[thing]bool)
	f.hintMu.Unlock()
	if f.tables == nil || len(hints) >= maxHints {
		return true
	}
	changed := make(map[netbox.Table][]int64)
	for at := range hints {
		if slices.Contains(smallTables(), at.table) {
			return true
		}
		if at.table == netbox.Addresses || at.table == netbox.MACs || f.tables.has(at.table, at.id) {
			changed[at.table] = append(changed[at.table], at.id)
		}
	}
	next := f.tables.copy()
	if err := f.apply(ctx, next, changed); err != nil {
		f.log.WithError(err).Debug("hinted objects could not be read; the next poll reads them")
		return false
	}
	f.adopt(next)
	return false
}
