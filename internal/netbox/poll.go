package netbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// maxChanged bounds the changed rows taken from one list at a time: a bulk job
// on a huge table is better met by a full read.
const maxChanged = 20000

var errTooMany = errors.New("too many changed rows")

// news is what one round of questions brought.
type news struct {
	small   *picture             // the small tables, read whole
	changed map[endpoint][]int64 // rows to read again
	marks   map[endpoint]time.Time
	gone    []thing
	flooded bool // a list was cut short
}

// poll asks what changed and makes the next picture of it. Nothing is taken
// over from a poll that fails half way.
func (f *Follower) poll(ctx context.Context) error {
	began := f.config.Now()
	n, err := f.ask(ctx)
	if err != nil {
		return err
	}
	next := f.picture.copy()
	maps.Copy(next.marks, n.marks)
	f.bury(n.gone)
	reshaped := f.takeSmall(next, n.small)
	if err := f.apply(ctx, next, n.changed); err != nil {
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
	wasDefined := f.defined
	f.adopt(next)
	f.lookForUpheaval(n.flooded, wasDefined)
	if reshaped {
		f.markContexts()
	}
	if err := f.refreshContexts(ctx); err != nil {
		return err
	}
	f.confirm(began)
	return nil
}

// ask sends all questions of a poll, several at a time.
func (f *Follower) ask(ctx context.Context) (*news, error) {
	n := &news{small: newPicture(), changed: make(map[endpoint][]int64), marks: make(map[endpoint]time.Time)}
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return f.reader.readSmall(ctx, n.small) })
	for _, e := range followedTables() {
		group.Go(func() error {
			ids, mark, err := f.changedIn(ctx, e)
			mu.Lock()
			defer mu.Unlock()
			if errors.Is(err, errTooMany) {
				n.flooded, err = true, nil
			}
			n.changed[e], n.marks[e] = ids, mark
			return err
		})
	}
	group.Go(func() error {
		gone, mark, err := f.deletions(ctx)
		mu.Lock()
		defer mu.Unlock()
		n.gone, n.marks[objectChanges] = gone, mark
		return err
	})
	return n, group.Wait()
}

// changedIn lists rows whose time stamp is not the one known. Of interfaces
// and machines only those in the picture matter. The mark of a list that was
// cut short stays where it was.
func (f *Follower) changedIn(ctx context.Context, e endpoint) (ids []int64, mark time.Time, err error) {
	held := f.picture.stamps[e]
	old := f.picture.marks[e]
	mark = old
	q := heads(e)
	if !old.IsZero() {
		q.Set("last_updated__gte", filterTime(old.Add(-overlap)))
	}
	rows := 0
	err = f.client.each(ctx, e, q, func(raw json.RawMessage) (int64, error) {
		if rows++; rows > maxChanged {
			return 0, errTooMany
		}
		row := f.reader.decode.head(raw)
		stamp, known := held[row.id]
		_, deleted := f.buried[thing{e, row.id}]
		wanted := known || e == addresses || e == macs
		if row.id != 0 && wanted && !deleted && (!known || !stamp.Equal(row.stamp)) {
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
	return ids, f.client.notAhead(mark), nil
}

// apply reads rows again, and whatever they lead to.
func (f *Follower) apply(ctx context.Context, next *picture, changed map[endpoint][]int64) error {
	for _, e := range followedTables() {
		if err := f.reader.fetch(ctx, next, e, changed[e]); err != nil {
			return err
		}
	}
	return f.reader.complete(ctx, next)
}

// takeSmall takes over the small tables, except those that shrank
// suspiciously, and tells whether contexts of machines may have changed.
func (f *Follower) takeSmall(next, small *picture) (reshaped bool) {
	var take []endpoint
	for _, e := range smallTables() {
		before, after := tableOf(e).size(&next.objects), tableOf(e).size(&small.objects)
		if f.shrankTo(e, before, before-after-f.excused(e)) {
			continue
		}
		take = append(take, e)
		changed := !tableOf(e).same(&next.objects, &small.objects) || e == contexts && next.contexts != small.contexts
		reshaped = reshaped || changed && e.shapesContexts()
	}
	next.adoptSmall(small, take)
	return reshaped
}

// lookForUpheaval asks for a full read after changes that leave no trace in
// the rows.
func (f *Follower) lookForUpheaval(flooded bool, wasDefined map[string]bool) {
	if flooded {
		f.resync("more rows changed than are followed one by one")
	}
	if v := f.client.version.Load(); v != nil && f.version != (Version{}) && *v != f.version {
		f.resync("NetBox is another version")
	}
	for name, had := range wasDefined {
		if f.defined[name] != had {
			f.resync("custom fields were defined anew")
		}
	}
}

// markContexts notes that the context of every machine may have changed.
func (f *Follower) markContexts() {
	for id := range f.picture.objects.Machines {
		f.due[thing{machinesOf(id.Kind), id.ID}] = true
	}
}

// contextsAtATime is how many machines are read between two pictures.
const contextsAtATime = 2000

// refreshContexts reads machines again whose context may have changed. The old
// ones serve meanwhile; what an error leaves is done next time. A full read
// that is due anyway does the same.
func (f *Follower) refreshContexts(ctx context.Context) error {
	if !f.config.Now().Before(f.nextFull) {
		return nil
	}
	for _, e := range []endpoint{devices, vms} {
		var ids []int64
		for at := range f.due {
			if at.table == e {
				ids = append(ids, at.id)
			}
		}
		slices.Sort(ids)
		for batch := range slices.Chunk(ids, contextsAtATime) {
			next := f.picture.copy()
			if err := f.reader.fetch(ctx, next, e, batch); err != nil {
				return fmt.Errorf("refresh contexts: %w", err)
			}
			for _, id := range batch {
				delete(f.due, thing{e, id})
			}
			f.adopt(next)
		}
	}
	return nil
}

// compareCounts asks how many rows there are. A difference that stays is a
// change that left no trace: made in the database itself, or in a change log
// that was cut.
func (f *Follower) compareCounts(ctx context.Context, next *picture) error {
	for _, e := range []endpoint{addresses, macs} {
		count, err := f.client.count(ctx, e, filter(e))
		if err != nil {
			return err
		}
		difference := count - int64(len(next.stamps[e]))
		if difference != 0 && difference == f.miscount[e] {
			f.resync("NetBox counts other numbers of objects")
		}
		f.miscount[e] = difference
	}
	return nil
}

// sweep finds deleted rows by listing all that are there, where deletions
// cannot be asked for.
func (f *Follower) sweep(ctx context.Context, next *picture) error {
	now := f.config.Now()
	if !f.sweeping || now.Before(f.nextSweep) {
		return nil
	}
	for _, e := range followedTables() {
		there := make(map[int64]bool)
		q := heads(e)
		q.Set("fields", "id")
		note := func(raw json.RawMessage) (int64, error) {
			row := f.reader.decode.head(raw)
			there[row.id] = true
			return row.id, nil
		}
		var err error
		if e == addresses || e == macs {
			err = f.client.all(ctx, e, q, note)
		} else {
			err = f.client.byID(ctx, e, q, slices.Collect(maps.Keys(next.stamps[e])), note)
		}
		if err != nil {
			return err
		}
		for _, id := range slices.Collect(maps.Keys(next.stamps[e])) {
			if !there[id] {
				next.remove(e, id)
			}
		}
	}
	f.nextSweep = now.Add(sweepEvery)
	return nil
}

// Hint says that an object may have changed, named as in a webhook:
// "ipam.ipaddress", 17. It never blocks; a hint that is lost is made good by
// the next poll. Types that are not followed are passed over.
func (f *Follower) Hint(objectType string, id int64) {
	i := slices.IndexFunc(append(smallTables(), followedTables()...), func(e endpoint) bool { return e.model() == objectType })
	if i < 0 || id <= 0 {
		return
	}
	at := thing{append(smallTables(), followedTables()...)[i], id}
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
	if f.picture == nil || len(hints) >= maxHints {
		return true
	}
	changed := make(map[endpoint][]int64)
	for at := range hints {
		if slices.Contains(smallTables(), at.table) {
			return true
		}
		if at.table == addresses || at.table == macs || f.picture.has(at.table, at.id) {
			changed[at.table] = append(changed[at.table], at.id)
		}
	}
	next := f.picture.copy()
	if err := f.apply(ctx, next, changed); err != nil {
		f.log.WithError(err).Debug("hinted objects could not be read; the next poll reads them")
		return false
	}
	f.adopt(next)
	return false
}
