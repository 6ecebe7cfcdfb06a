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
	for _, table := range []netbox.Table{netbox.Addresses, netbox.MACs} {
		count, err := f.client.Count(ctx, table, filter(table))
		if err != nil {
			return err
		}
		difference := count - int64(len(next.stamps[table]))
		if difference != 0 && difference == f.difference[table] {
			f.askFull("NetBox counts other numbers of objects")
		}
		f.difference[table] = difference
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
	for _, table := range followedTables() {
		there := make(map[int64]bool)
		q := heads(table)
		q.Set("fields", "id")
		note := func(raw json.RawMessage) (int64, error) {
			row := f.reader.decode.head(raw)
			there[row.id] = true
			return row.id, nil
		}
		var err error
		if table == netbox.Addresses || table == netbox.MACs {
			err = f.client.ListLarge(ctx, table, q, note)
		} else {
			err = f.client.ListByID(ctx, table, q, slices.Collect(maps.Keys(next.stamps[table])), note)
		}
		if err != nil {
			return err
		}
		for _, id := range slices.Collect(maps.Keys(next.stamps[table])) {
			if !there[id] {
				next.remove(table, id)
			}
		}
	}
	f.nextSweep, f.cables.due = now.Add(sweepEvery), f.reader.circuits
	return nil
}

// askFullIfUntraced asks for a full read after changes that leave no trace in
// the rows.
func (f *Follower) askFullIfUntraced(ctx context.Context, tooMany bool, wasDefined map[string]bool) {
	if tooMany {
		f.askFull("more rows changed than are followed one by one")
	}
	if v, _ := f.client.Version(ctx); v != (netbox.Version{}) && f.version != (netbox.Version{}) && v != f.version {
		f.askFull("NetBox is another version")
	}
	for name, had := range wasDefined {
		if f.defined[name] != had {
			f.askFull("custom fields were defined anew")
		}
	}
}
