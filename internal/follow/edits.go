package follow

import (
	"maps"
	"reflect"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
)

// edits measures how long edits in NetBox take to answer clients (C-40).
type edits struct {
	start time.Time // of this follower, by our clock
	// waiting are edits that are doubted (T-4) and serve nobody yet, by NetBox's clock.
	waiting map[object]time.Time
}

// noteEdits notes which of the rows that were read again were edited.
func (f *Follower) noteEdits(next *tables, changed map[netbox.Table][]int64) {
	if f.config.OnEdit == nil {
		return
	}
	next.edits = make(map[object]time.Time)
	for table, ids := range changed {
		rows := rowsOf(table)
		for _, id := range ids {
			now, there := rows.get(&next.objects, id)
			if !there {
				continue
			}
			before, known := rows.get(&f.tables.objects, id)
			if isEdit(before, known, now) {
				next.edits[object{table, id}] = time.UnixMicro(int64(next.stamps[table][id]))
			}
		}
	}
}

// isEdit reports whether a row says something new to clients. Lease records do not:
// the server writes them itself.
func isEdit(before any, known bool, now any) bool {
	if known {
		return !reflect.DeepEqual(facts(before), facts(now))
	}
	a, isAddress := now.(*ipam.Address)
	return !isAddress || a.Record.Client == "" && !a.Made
}

// facts are a row without its time stamps and its lease record.
func facts(row any) any {
	switch v := row.(type) {
	case *ipam.Address:
		return edited(v, func(c *ipam.Address) { c.Record, c.LastUpdated, c.Created = ipam.Record{}, time.Time{}, time.Time{} })
	case *ipam.MACAddress:
		return edited(v, func(c *ipam.MACAddress) { c.LastUpdated = time.Time{} })
	case *ipam.Interface:
		return edited(v, func(c *ipam.Interface) { c.LastUpdated = time.Time{} })
	case *ipam.Machine:
		return edited(v, func(c *ipam.Machine) { c.LastUpdated = time.Time{} })
	}
	return row
}

// answered measures the edits that the snapshot of next holds. NetBox's clock is set
// right by what its last answer told of it, and one that tells no time measures
// nothing.
func (e *edits) answered(f *Follower, next *tables) {
	maps.Copy(e.waiting, next.edits)
	next.edits = nil
	for at, when := range e.waiting {
		if _, doubted := f.guard.held[at]; doubted {
			continue
		}
		delete(e.waiting, at)
		if when = when.Add(-f.client.Skew()); f.client.Dated() && next.has(at.table, at.id) && !when.Before(e.start) {
			f.config.OnEdit(max(0, f.config.Now().Sub(when)))
		}
	}
}
