package follow

import (
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
)

// guard stands between what NetBox shows and what is served. A row that is gone
// without a deletion is kept (T-1), and so are the old rows of changes that would
// refuse or move too many clients at once (T-4).
type guard struct {
	log    logrus.FieldLogger
	doubt  time.Duration
	leased func() map[netip.Addr]bool // nil: only the records of NetBox tell

	lost     keptRows // not shown any more
	held     keptRows // changed, and doubted
	followed map[string]ipam.Followed

	recent keptRows // rows deleted or edited within the last doubt, as they were before
	fresh  bool     // recent has rows that were not judged yet
	harmed map[ipam.Claim]harm
	plain  *ipam.Snapshot       // the last snapshot, as it is without the held rows
	told   map[netbox.Table]int // lost rows that the log has
}

func newGuard(config Config) *guard {
	return &guard{
		log: config.Log, doubt: config.Doubt, leased: config.Leased,
		lost: make(keptRows), held: make(keptRows), recent: make(keptRows),
		harmed: make(map[ipam.Claim]harm), told: make(map[netbox.Table]int),
	}
}

// restore takes what is kept from a disk copy.
func (g *guard) restore(disk ipam.Disk) {
	g.lost, g.held, g.followed = fromDisk(disk.Lost), fromDisk(disk.Held), disk.Followed
}

// build makes the snapshot of objects with what is kept beside them.
func (g *guard) build(o *ipam.Objects, options ipam.Options, now time.Time) (*ipam.Snapshot, []ipam.Problem) {
	options.Followed = g.followed
	objects := g.lost.over(*o)
	snapshot, problems := ipam.Build(&objects, options)
	g.followed = snapshot.Followed()
	g.judge(snapshot, now)
	g.held.dropReplaced(o)
	if len(g.held) > 0 {
		options.Followed = g.followed
		old := g.held.over(objects)
		snapshot, problems = ipam.Build(&old, options)
	}
	return snapshot, problems
}

// guardedTables are those that a refusal rests on, each after the ones that
// point at it.
func guardedTables() []netbox.Table {
	return []netbox.Table{
		netbox.Tags, netbox.VRFs, netbox.Prefixes, netbox.Ranges, netbox.Addresses, netbox.MACs,
		netbox.Interfaces, netbox.VMInterfaces, netbox.Devices, netbox.VMs,
	}
}

// moment says when something was looked at.
type moment struct {
	now   time.Time // our clock
	seen  time.Time // when NetBox was last known to be as before, by its clock
	blind bool      // the change log cannot be read
}

// look compares what NetBox shows with what it showed before, which is nil at
// the first time: that is taken as true. It reports whether what is kept differs
// now.
func (g *guard) look(before, next *tables, deleted deletedObjects, at moment) (changed bool) {
	if before != nil && next.changed {
		for _, table := range guardedTables() {
			changed = g.compare(table, before, next, deleted, at) || changed
		}
	}
	for row, kept := range g.lost {
		switch {
		case next.shows(row):
			delete(g.lost, row)
			changed = true
		case deleted.has(row):
			delete(g.lost, row)
			g.note(row, kept.value, at)
			changed = true
		case !kept.ended && !kept.until.IsZero() && !at.now.Before(kept.until):
			kept.ended = true
			g.lost[row] = kept
			changed = true
		}
	}
	for row, kept := range g.held {
		value, there := rowsOf(row.table).get(&next.objects, row.id)
		if !at.now.Before(kept.until) || there && !matters(kept.value, value) {
			delete(g.held, row)
			changed = true
		}
	}
	maps.DeleteFunc(g.recent, func(_ object, r keptRow) bool { return at.now.Sub(r.since) >= g.doubt })
	if next.changed {
		changed = g.lost.dropReplaced(&next.objects) || changed
		changed = g.held.dropReplaced(&next.objects) || changed
	}
	return changed
}

// compare finds what vanished from one table, was deleted or edited.
func (g *guard) compare(table netbox.Table, before, next *tables, deleted deletedObjects, at moment) (changed bool) {
	rows := rowsOf(table)
	var order *neighbours
	var wanted map[object]bool
	rows.each(&before.objects, func(id int64, old any) {
		row := object{table, id}
		value, there := rows.get(&next.objects, id)
		if there {
			if matters(old, value) {
				g.note(row, old, at)
			}
			return
		}
		if wanted == nil && isPointedAt(table) {
			wanted = g.pointedAt(table, before, next)
		}
		switch {
		case next.shows(row), deleted.has(row), isPointedAt(table) && !wanted[row], madeForEnded(old, at.now):
			g.note(row, old, at)
		default:
			kept := keptRow{value: old, since: at.now, seen: at.seen}
			if order == nil {
				order = neighboursOf(table, before)
			}
			if at.blind && ages(table) && order.shown(id, next) {
				kept.until = at.now.Add(g.doubt)
			}
			g.lost[row] = kept
			changed = true
		}
	})
	return changed
}

// madeForEnded reports whether a row is an address that a server made for a lease
// which has ended: that server deletes it, and it is nothing that vanished (S-18). One
// that people gave to a host since is not deleted, so it may well have vanished (T-1).
func madeForEnded(row any, now time.Time) bool {
	a, ok := row.(*ipam.Address)
	return ok && a.Made && a.Interface == (ipam.InterfaceID{}) && a.Reserved == nil && !a.Record.Running(now)
}

// note remembers how a row was before it was deleted or edited.
func (g *guard) note(row object, old any, at moment) {
	if _, known := g.recent[row]; !known {
		g.recent[row] = keptRow{value: old, since: at.now, seen: at.seen}
	}
	g.fresh = true
}

// pointedAt are the interfaces or machines that something points at. They are
// only read because of that: others are no loss.
func (g *guard) pointedAt(table netbox.Table, before, next *tables) map[object]bool {
	at := make(map[object]bool)
	point := func(_ int64, value any) {
		for _, to := range pointers(value) {
			at[to] = true
		}
	}
	for _, from := range []netbox.Table{netbox.Addresses, netbox.MACs, netbox.Interfaces, netbox.VMInterfaces} {
		rowsOf(from).each(&next.objects, point)
	}
	for _, kept := range []keptRows{g.lost, g.held} {
		for row, r := range kept {
			point(row.id, r.value)
		}
	}
	// Aggregates and bridges may be missing together with their ports.
	rowsOf(table).each(&before.objects, func(id int64, value any) {
		port, ok := value.(*ipam.Interface)
		if ok && (at[object{table, id}] || port.Bridge != 0 && at[object{table, port.Bridge}]) {
			at[object{table, id}] = true
			point(id, value)
		}
	})
	return at
}

// pointers are the rows that a row leads to.
func pointers(value any) []object {
	switch v := value.(type) {
	case *ipam.Address:
		return []object{{InterfacesOf(v.Interface.Kind), v.Interface.ID}}
	case *ipam.MACAddress:
		return []object{{InterfacesOf(v.Interface.Kind), v.Interface.ID}}
	case *ipam.Interface:
		table := InterfacesOf(v.ID.Kind)
		return []object{{table, v.LAG}, {table, v.Bridge}, {table, v.Parent}, {table, v.FarEnd.ID}, {machinesOf(v.Machine.Kind), v.Machine.ID}}
	}
	return nil
}

// isPointedAt says whether rows of a table are only read where something points
// at them.
func isPointedAt(table netbox.Table) bool {
	return slices.Contains([]netbox.Table{netbox.Interfaces, netbox.VMInterfaces, netbox.Devices, netbox.VMs}, table)
}

// matters reports whether an edit can refuse or move a client. Names can not:
// tags and VRFs are followed by their ids (T-6).
func matters(old, value any) bool {
	switch a := old.(type) {
	case *ipam.Address:
		b := value.(*ipam.Address)
		return a.Address != b.Address || a.VRF != b.VRF || a.Status != b.Status || a.Role != b.Role ||
			a.Interface != b.Interface || !slices.Equal(a.Tags, b.Tags) || !reflect.DeepEqual(a.Reserved, b.Reserved)
	case *ipam.MACAddress:
		b := value.(*ipam.MACAddress)
		return a.MAC != b.MAC || a.Interface != b.Interface
	case *ipam.Interface:
		b := value.(*ipam.Interface)
		return a.Machine != b.Machine || a.LAG != b.LAG || a.Bridge != b.Bridge || a.Parent != b.Parent
	case *ipam.Prefix:
		b := value.(*ipam.Prefix)
		return a.Prefix != b.Prefix || a.VRF != b.VRF || a.Status != b.Status
	case *ipam.Range:
		b := *value.(*ipam.Range)
		b.Bits, b.Populated, b.Role = a.Bits, a.Populated, ipam.Role{ID: b.Role.ID, Name: a.Role.Name, Slug: a.Role.Slug}
		return !reflect.DeepEqual(*a, b)
	case *ipam.VRF, *ipam.Tag, *ipam.Machine:
		return false
	}
	return !reflect.DeepEqual(old, value)
}

// ages says whether a row that is not shown to a token without the change log
// ends by itself. Too much hangs on a tag or VRF.
func ages(table netbox.Table) bool { return table != netbox.Tags && table != netbox.VRFs }

// neighbours are the ids of a table in order. A permission that was narrowed
// hides many rows; a row that is missing between two that are shown was most
// likely deleted.
type neighbours struct {
	table netbox.Table
	ids   []int64
}

func neighboursOf(table netbox.Table, before *tables) *neighbours {
	n := &neighbours{table: table}
	rowsOf(table).each(&before.objects, func(id int64, _ any) { n.ids = append(n.ids, id) })
	slices.Sort(n.ids)
	return n
}

// shown reports whether the rows before and after id are, of which there has to
// be one.
func (n *neighbours) shown(id int64, next *tables) bool {
	i, _ := slices.BinarySearch(n.ids, id)
	low, high := i == 0 || next.shows(object{n.table, n.ids[i-1]}), i == len(n.ids)-1 || next.shows(object{n.table, n.ids[i+1]})
	return len(n.ids) > 1 && low && high
}

// tell logs what is lost, once it was missing at two looks: a deletion may be
// seen before its record.
func (g *guard) tell(now time.Time, shown *tables) {
	count := make(map[netbox.Table]int)
	for row, kept := range g.lost {
		if kept.since.Before(now) && !kept.ended {
			count[row.table]++
		}
	}
	for _, table := range guardedTables() {
		log := g.log.WithFields(logrus.Fields{"objects": table.Nouns(), "lost": count[table], "shown": rowsOf(table).size(&shown.objects)})
		switch {
		case count[table] > g.told[table]:
			log.Error("objects vanished from NetBox without being deleted; they serve the clients they served, and give no new leases. Check the token's permissions and their constraints")
		case count[table] == 0 && g.told[table] > 0:
			log.Info("no object of this kind is missing from NetBox any more")
		}
		g.told[table] = count[table]
	}
}

// letGo takes what NetBox shows as true, and returns how many rows were kept
// against it.
func (g *guard) letGo() (rows int) {
	rows = len(g.lost) + len(g.held)
	clear(g.lost)
	clear(g.held)
	clear(g.recent)
	clear(g.harmed)
	for key, f := range g.followed {
		if f.Former != 0 {
			rows++
			g.followed[key] = ipam.Followed{ID: f.ID}
		}
	}
	return rows
}
