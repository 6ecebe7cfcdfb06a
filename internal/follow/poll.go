package follow

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
)

// mostChanged bounds the changed rows taken from one list at a time: a bulk
// job on a huge table is better met by a full read.
const mostChanged = 20000

var errTooMany = errors.New("too many changed rows")

// news is what one round of questions brought.
type news struct {
	small   *tables                  // the small tables, read whole
	changed map[netbox.Table][]int64 // rows to read again
	marks   map[netbox.Table]time.Time
	gone    []object
	paths   map[int64]bool // records of the change log about cable paths
	tooMany bool           // a list was cut short
}

// poll asks what changed and makes the next tables of it. Nothing is taken over
// from a poll that fails half way.
func (f *Follower) poll(ctx context.Context) error {
	began := f.config.Now()
	n, err := f.ask(ctx)
	if err != nil {
		return err
	}
	next := f.tables.copy()
	maps.Copy(next.marks, n.marks)
	f.deleted.add(n.gone, began)
	stale := f.adoptSmall(next, n.small)
	if err := f.readChanged(ctx, next, n.changed); err != nil {
		return err
	}
	for _, at := range n.gone {
		next.remove(at.table, at.id)
	}
	if err := f.sweep(ctx, next); err != nil {
		return err
	}
	if err := f.compareCounts(ctx, next); err != nil {
		return err
	}
	if err := f.readEnds(ctx, next, n.paths); err != nil {
		return err
	}
	wasDefined := f.defined
	f.adopt(next)
	f.askFullIfUntraced(ctx, n.tooMany, wasDefined)
	if stale {
		f.stale.addAll(f.tables)
	}
	if err := f.refreshContexts(ctx); err != nil {
		return err
	}
	f.confirm(began)
	f.guard.tell(began, f.tables)
	return nil
}

// ask sends all questions of a poll, several at a time.
func (f *Follower) ask(ctx context.Context) (*news, error) {
	n := &news{small: newTables(), changed: make(map[netbox.Table][]int64), marks: make(map[netbox.Table]time.Time)}
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return f.reader.readSmall(ctx, n.small) })
	for _, table := range followedTables() {
		group.Go(func() error {
			ids, mark, err := f.changedIn(ctx, table)
			mu.Lock()
			defer mu.Unlock()
			if errors.Is(err, errTooMany) {
				n.tooMany, err = true, nil
			}
			n.changed[table], n.marks[table] = ids, mark
			return err
		})
	}
	group.Go(func() error {
		gone, mark, err := f.deletions(ctx)
		var paths map[int64]bool
		var pathsMark time.Time
		if err == nil {
			paths, pathsMark, err = f.askPaths(ctx)
		}
		mu.Lock()
		defer mu.Unlock()
		n.gone, n.marks[netbox.ObjectChanges] = gone, mark
		n.paths, n.marks[netbox.Cables] = paths, pathsMark
		return err
	})
	return n, group.Wait()
}

// changedIn lists rows whose time stamp is not the one known. Of interfaces
// and machines only those in the tables matter, so nothing is asked where there are
// none: rows that something will point at are read whole then. The mark of a list
// that was cut short stays where it was.
func (f *Follower) changedIn(ctx context.Context, table netbox.Table) (ids []int64, mark time.Time, err error) {
	held := f.tables.stamps[table]
	if len(held) == 0 && isPointedAt(table) {
		return nil, notAhead(f.client, f.config.Now().Add(f.client.Skew())), nil
	}
	old := f.tables.marks[table]
	mark = old
	q := heads(table)
	if f.reader.circuits && table == netbox.Interfaces {
		q.Set("fields", "id,device,last_updated")
	}
	if !old.IsZero() {
		q.Set("last_updated__gte", netbox.FilterTime(old.Add(-overlap)))
	}
	rows := 0
	err = f.client.ListUnchecked(ctx, table, q, func(raw json.RawMessage) (int64, error) {
		if rows++; rows > f.mostChanged {
			return 0, errTooMany
		}
		row := f.reader.decode.head(raw)
		before, known := held[row.id]
		deleted := f.deleted.has(object{table, row.id})
		wanted := known || table == netbox.Addresses || table == netbox.MACs || f.newPort(table, raw)
		if row.id != 0 && wanted && !deleted && (!known || before != stampOf(row.stamp)) {
			ids = append(ids, row.id)
		}
		if row.stamp.After(mark) {
			mark = row.stamp
		}
		return row.id, nil
	})
	if err != nil {
		return ids, old, err
	}
	return ids, notAhead(f.client, mark), nil
}

// readChanged reads rows again, and the rows that they lead to.
func (f *Follower) readChanged(ctx context.Context, next *tables, changed map[netbox.Table][]int64) error {
	for _, table := range followedTables() {
		if err := f.reader.fetch(ctx, next, table, changed[table]); err != nil {
			return err
		}
	}
	f.noteEdits(next, changed)
	return f.reader.complete(ctx, next)
}

// adoptSmall takes over the small tables, except those that shrank
// suspiciously, and tells whether contexts of machines may be stale.
func (f *Follower) adoptSmall(next, small *tables) (stale bool) {
	var sound []netbox.Table
	for _, table := range smallTables() {
		if slices.Contains(guardedTables(), table) || !f.alarm.smallShrank(table, next, small, f.deleted) {
			sound = append(sound, table)
		}
	}
	return slices.ContainsFunc(next.adoptSmall(small, sound), shapesContexts)
}
