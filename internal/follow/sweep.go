package follow

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
)

// compareCounts asks how many rows there are. A difference that stays is a
// change that left no trace: made in the database itself, or in a change log
// that was cut.
func (f *Follower) compareCounts(ctx context.Context, next *tables) error {
	for _, e := range []netbox.Table{netbox.Addresses, netbox.MACs} {
		count, err := f.client.Count(ctx, e, filter(e))
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
func (f *Follower) sweep(ctx context.Context, next *tables) error {
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
		if e == netbox.Addresses || e == netbox.MACs {
			err = f.client.ListLarge(ctx, e, q, note)
		} else {
			err = f.client.ListByID(ctx, e, q, slices.Collect(maps.Keys(next.stamps[e])), note)
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

// lookForUpheaval asks for a full read after changes that leave no trace in
// the rows.
func (f *Follower) lookForUpheaval(ctx context.Context, flooded bool, wasDefined map[string]bool) {
	if flooded {
		f.resync("more rows changed than are followed one by one")
	}
	if v, _ := f.client.Version(ctx); v != (netbox.Version{}) && f.version != (netbox.Version{}) && v != f.version {
		f.resync("NetBox is another version")
	}
	for name, had := range wasDefined {
		if f.defined[name] != had {
			f.resync("custom fields were defined anew")
		}
	}
}
