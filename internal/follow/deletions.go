package follow

import (
	"context"
	"encoding/json"
	"net/url"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
)

// changeRow is a row of NetBox's change log.
type changeRow struct {
	ID       int64         `json:"id"`
	Time     netbox.Moment `json:"time"`
	Action   netbox.Choice `json:"action"`
	Type     string        `json:"changed_object_type"`
	ObjectID int64         `json:"changed_object_id"`
}

// changesMark asks how far the change log reaches. Without the permission to
// read it, deletions are found by listing all rows: see sweep.
func (f *Follower) changesMark(ctx context.Context) (time.Time, error) {
	page, err := f.client.FirstPage(ctx, netbox.ObjectChanges, url.Values{"fields": {"id,time"}, "ordering": {"-time"}, "limit": {"1"}})
	if f.mustSweep(err) {
		return time.Time{}, nil
	}
	if err != nil || len(page) == 0 {
		return time.Time{}, err
	}
	var newest changeRow
	if err := json.Unmarshal(page[0], &newest); err != nil {
		return time.Time{}, &netbox.Error{Kind: netbox.NotNetBox, Op: "read " + string(netbox.ObjectChanges), Err: err}
	}
	return notAhead(f.client, newest.Time.Time), nil
}

// mustSweep notes whether the change log may be read.
func (f *Follower) mustSweep(err error) bool {
	sweeping := netbox.KindOf(err) == netbox.Forbidden
	if sweeping && !f.sweeping {
		f.log.WithError(err).WithField("every", sweepEvery.String()).Warn("deletions in NetBox are found by comparing lists only")
	}
	if err == nil || sweeping {
		f.sweeping = sweeping
	}
	return sweeping
}

// deletions lists what was deleted since the mark, with overlap. All types are
// asked for at once, since old servers take only one as a filter. Where the change
// log could not be read, it is tried again before each sweep.
func (f *Follower) deletions(ctx context.Context) ([]object, time.Time, error) {
	old := f.tables.marks[netbox.ObjectChanges]
	if f.sweeping && f.config.Now().Before(f.nextSweep) {
		return nil, old, nil
	}
	q := url.Values{"action": {"delete"}, "fields": {"id,time,action,changed_object_type,changed_object_id"}}
	if !old.IsZero() {
		q.Set("time_after", netbox.FilterTime(old.Add(-overlap)))
	}
	tables := make(map[string]netbox.Table)
	for _, table := range Tables() {
		tables[table.Model()] = table
	}
	mark := old
	var gone []object
	err := f.client.ListUnchecked(ctx, netbox.ObjectChanges, q, func(raw json.RawMessage) (int64, error) {
		var change changeRow
		if err := json.Unmarshal(raw, &change); err != nil {
			return 0, nil
		}
		// A filter that was ignored must not delete anything (NB-1.5).
		if table, ok := tables[change.Type]; ok && change.Action == "delete" && change.ObjectID > 0 {
			gone = append(gone, object{table, change.ObjectID})
		}
		if change.Time.After(mark) {
			mark = change.Time.Time
		}
		return change.ID, nil
	})
	// ctx also ends when another question of the poll fails. err is that failure
	// then, and says nothing about the change log.
	if ctx.Err() == nil && f.mustSweep(err) {
		return nil, old, nil
	}
	return gone, notAhead(f.client, mark), err
}

// deletedObjects remembers deleted objects, and when that was learned, for
// longer than rows are looked back for: a row that is read late must not bring
// one back.
type deletedObjects map[object]time.Time

// add remembers what was deleted and forgets what was long ago.
func (d deletedObjects) add(gone []object, now time.Time) {
	for at, when := range d {
		if now.Sub(when) > 2*overlap {
			delete(d, at)
		}
	}
	for _, at := range gone {
		if !d.has(at) {
			d[at] = now
		}
	}
}

func (d deletedObjects) has(at object) bool {
	_, ok := d[at]
	return ok
}

// count tells how many objects of a table were deleted of late.
func (d deletedObjects) count(table netbox.Table) int {
	n := 0
	for at := range d {
		if at.table == table {
			n++
		}
	}
	return n
}

// forgetAll forgets the objects that exist after all.
func (d deletedObjects) forgetAll(t *tables) {
	for at := range d {
		if t.has(at.table, at.id) {
			delete(d, at)
		}
	}
}
