package follow

import (
	"slices"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
)

// keptRow is a row that serves although NetBox shows it no more, or otherwise.
type keptRow struct {
	value any       // as it was
	since time.Time // when it was missed or changed, by our clock
	seen  time.Time // when NetBox showed it last, by NetBox's clock
	until time.Time // when that ends; zero: not by itself
	ended bool      // until has passed, and the row serves no client
}

type keptRows map[object]keptRow

// over gives the objects with the kept rows among them. The original does not
// change.
func (k keptRows) over(o ipam.Objects) ipam.Objects {
	owned := make(map[netbox.Table]bool)
	for at, row := range k {
		if !owned[at.table] {
			owned[at.table], owned[twin(at.table)] = true, true
			rowsOf(at.table).own(&o)
		}
		loss := ipam.Lost
		if row.ended {
			loss = ipam.Ended
		}
		rowsOf(at.table).put(&o, at.id, withLoss(row.value, loss))
	}
	return o
}

// withLoss is a copy of a row that says so.
func withLoss(value any, loss ipam.Loss) any {
	switch v := value.(type) {
	case *ipam.VRF:
		return edited(v, func(c *ipam.VRF) { c.Loss = loss })
	case *ipam.Prefix:
		return edited(v, func(c *ipam.Prefix) { c.Loss = loss })
	case *ipam.Range:
		return edited(v, func(c *ipam.Range) { c.Loss = loss })
	case *ipam.Address:
		return edited(v, func(c *ipam.Address) { c.Loss = loss })
	case *ipam.MACAddress:
		return edited(v, func(c *ipam.MACAddress) { c.Loss = loss })
	case *ipam.Interface:
		return edited(v, func(c *ipam.Interface) { c.Loss = loss })
	case *ipam.Machine:
		return edited(v, func(c *ipam.Machine) { c.Loss = loss })
	case *ipam.Tag:
		return edited(v, func(c *ipam.Tag) { c.Loss = loss })
	}
	return value
}

// edited is a copy of a row with an edit.
func edited[T any](row *T, edit func(*T)) *T {
	c := *row
	edit(&c)
	return &c
}

// dropReplaced lets go what a live row replaces that was made or changed after
// the kept one was last seen: one of the same address or prefix, or with the same
// MAC (T-2).
func (k keptRows) dropReplaced(o *ipam.Objects) (dropped bool) {
	if len(k) == 0 {
		return false
	}
	live := make(map[any]time.Time)
	note := func(key any, at time.Time) {
		if old, ok := live[key]; !ok || at.After(old) {
			live[key] = at
		}
	}
	for table, rows := range k.byTable() {
		rowsOf(table).each(o, func(id int64, value any) {
			if _, kept := k[object{table, id}]; !kept {
				if key, at := identity(value); key != nil {
					note(key, at)
				}
			}
		})
		for _, at := range rows {
			key, _ := identity(k[at].value)
			if made, ok := live[key]; ok && made.After(k[at].seen) {
				delete(k, at)
				dropped = true
			}
		}
	}
	return dropped
}

func (k keptRows) byTable() map[netbox.Table][]object {
	rows := make(map[netbox.Table][]object)
	for at := range k {
		rows[at.table] = append(rows[at.table], at)
	}
	return rows
}

// identity is what a row stands for, whatever its id, and when it was changed;
// nil: only its id says so.
func identity(value any) (key any, changed time.Time) {
	switch v := value.(type) {
	case *ipam.Address:
		return struct {
			vrf  int64
			addr any
		}{v.VRF, v.Address.Addr()}, v.LastUpdated
	case *ipam.Prefix:
		return struct {
			vrf    int64
			prefix any
		}{v.VRF, v.Prefix}, v.LastUpdated
	case *ipam.MACAddress:
		if v.Interface == (ipam.InterfaceID{}) {
			return nil, v.LastUpdated // says of no machine that the MAC is its
		}
		return v.MAC, v.LastUpdated
	}
	return nil, time.Time{}
}

// toDisk puts kept rows into the form of the disk copy.
func (k keptRows) toDisk() ipam.Kept {
	if len(k) == 0 {
		return ipam.Kept{}
	}
	kept := ipam.Kept{Rows: new(ipam.Objects)}
	for at, row := range k {
		rowsOf(at.table).put(kept.Rows, at.id, row.value)
		kept.Marks = append(kept.Marks, ipam.KeptMark{Table: string(at.table), ID: at.id, Since: row.since, Seen: row.seen, Until: row.until})
	}
	return kept
}

// fromDisk takes kept rows out of the disk copy.
func fromDisk(kept ipam.Kept) keptRows {
	k := make(keptRows)
	for _, mark := range kept.Marks {
		table := netbox.Table(mark.Table)
		if kept.Rows == nil || !slices.Contains(guardedTables(), table) {
			continue
		}
		if value, ok := rowsOf(table).get(kept.Rows, mark.ID); ok {
			k[object{table, mark.ID}] = keptRow{value: value, since: mark.Since, seen: mark.Seen, until: mark.Until}
		}
	}
	return k
}
