package follow

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
)

const (
	gather   = 200 * time.Millisecond // how long a hint waits for others
	maxHints = 5000                   // more are met by a poll
)

// hintQueue holds hints until they are followed.
type hintQueue struct {
	wake chan struct{}

	mu   sync.Mutex
	told map[object]bool
}

func newHintQueue() hintQueue {
	return hintQueue{wake: make(chan struct{}, 1), told: make(map[object]bool)}
}

// take empties the queue.
func (q *hintQueue) take() map[object]bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	told := q.told
	q.told = make(map[object]bool)
	return told
}

// Hint says that an object may have changed, named as in a webhook:
// "ipam.ipaddress", 17. It never blocks and may be called from any goroutine; a
// hint that is lost is made good by the next poll. Types that are not followed
// are passed over.
func (f *Follower) Hint(objectType string, id int64) {
	all := Tables()
	if f.config.Options.Circuits && slices.Contains(pathModels(netbox.Newest()), objectType) {
		objectType = netbox.Cables.Model()
		all = append(all, netbox.Cables)
	}
	i := slices.IndexFunc(all, func(table netbox.Table) bool { return table.Model() == objectType })
	if i < 0 || id <= 0 {
		return
	}
	f.hints.mu.Lock()
	if len(f.hints.told) < maxHints {
		f.hints.told[object{all[i], id}] = true
	}
	f.hints.mu.Unlock()
	select {
	case f.hints.wake <- struct{}{}:
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
	hints := f.hints.take()
	if f.tables == nil || len(hints) >= maxHints {
		return true
	}
	changed := make(map[netbox.Table][]int64)
	for at := range hints {
		if slices.Contains(smallTables(), at.table) || at.table == netbox.Cables {
			return true
		}
		if at.table == netbox.Addresses || at.table == netbox.MACs || f.tables.has(at.table, at.id) {
			changed[at.table] = append(changed[at.table], at.id)
		}
	}
	next := f.tables.copy()
	if err := f.readChanged(ctx, next, changed); err != nil {
		f.log.WithError(err).Debug("hinted objects could not be read; the next poll reads them")
		return false
	}
	f.adopt(next)
	return false
}
