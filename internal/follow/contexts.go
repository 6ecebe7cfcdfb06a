package follow

import (
	"context"
	"fmt"
	"slices"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
)

// staleContexts are the machines whose rendered context may be out of date
// although their own rows did not change.
type staleContexts map[object]bool

// addAll adds every machine.
func (s staleContexts) addAll(t *tables) {
	for id := range t.objects.Machines {
		s[object{machinesOf(id.Kind), id.ID}] = true
	}
}

// of lists the ids of one table, sorted.
func (s staleContexts) of(table netbox.Table) []int64 {
	var ids []int64
	for at := range s {
		if at.table == table {
			ids = append(ids, at.id)
		}
	}
	slices.Sort(ids)
	return ids
}

// contextsAtATime is how many machines are read between two snapshots.
const contextsAtATime = 2000

// refreshContexts reads machines with stale contexts again. The old contexts stay
// in use meanwhile, and after an error the next poll goes on. Nothing is read if a
// full read is due, which reads the contexts too.
func (f *Follower) refreshContexts(ctx context.Context) error {
	if !f.config.Now().Before(f.nextFull) {
		return nil
	}
	for _, table := range []netbox.Table{netbox.Devices, netbox.VMs} {
		for batch := range slices.Chunk(f.stale.of(table), contextsAtATime) {
			next := f.tables.copy()
			if err := f.reader.fetch(ctx, next, table, batch); err != nil {
				return fmt.Errorf("refresh contexts: %w", err)
			}
			for _, id := range batch {
				delete(f.stale, object{table, id})
			}
			f.adopt(next)
		}
	}
	return nil
}
