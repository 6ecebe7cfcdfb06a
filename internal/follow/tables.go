package follow

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
)

// object names one NetBox object.
type object struct {
	table netbox.Table
	id    int64
}

// stamp is a last_updated in µs of Unix time, which is as exact as NetBox is. There is
// one for each row, so it is small.
type stamp int64

func stampOf(t time.Time) stamp { return stamp(t.UnixMicro()) }

// tables are what was read of NetBox. A refresh works on a copy, which shares
// every table with the original until it is about to change it: tables that
// were published never change.
type tables struct {
	objects ipam.Objects
	// stamps holds last_updated of each row of the followed tables, rows that
	// cannot be used included.
	stamps map[netbox.Table]map[int64]stamp
	bad    map[object]string // why rows cannot be used
	// contexts is a fingerprint of all rows of the config-context list. It
	// changes when any criterion does, also those not kept in objects.
	contexts [sha256.Size]byte
	marks    map[netbox.Table]time.Time // how far the followed tables and the change log were read
	switches map[int64]bool             // devices of which all interfaces were read (CL-21)

	owned   map[netbox.Table]bool
	changed bool                 // differs from the tables it was copied from
	edits   map[object]time.Time // rows that people edited since, by NetBox's clock (C-40)
}

func newTables() *tables {
	t := &tables{
		stamps: make(map[netbox.Table]map[int64]stamp),
		bad:    make(map[object]string),
		marks:  make(map[netbox.Table]time.Time),
		owned:  make(map[netbox.Table]bool),

		switches: make(map[int64]bool),
	}
	for _, table := range followedTables() {
		t.stamps[table] = make(map[int64]stamp)
		t.owned[table] = true
	}
	for _, table := range smallTables() {
		t.owned[table] = true
	}
	return t
}

// copy gives tables to change.
func (t *tables) copy() *tables {
	return &tables{
		objects:  t.objects,
		stamps:   maps.Clone(t.stamps),
		bad:      maps.Clone(t.bad),
		contexts: t.contexts,
		marks:    maps.Clone(t.marks),
		switches: maps.Clone(t.switches),
		owned:    make(map[netbox.Table]bool),
	}
}

// own makes a table changeable. The two kinds of interfaces share a table, and
// so do the two kinds of machines.
func (t *tables) own(table netbox.Table) {
	if t.owned[table] {
		return
	}
	t.owned[table] = true
	t.stamps[table] = maps.Clone(t.stamps[table])
	if other := twin(table); other == "" || !t.owned[other] {
		rowsOf(table).own(&t.objects)
	}
}

// put takes in a row.
func (t *tables) put(table netbox.Table, r row) {
	t.own(table)
	if stamps := t.stamps[table]; stamps != nil && r.id != 0 {
		stamps[r.id] = stampOf(r.stamp)
	}
	t.note(table, r)
	if rowsOf(table).put(&t.objects, r.id, r.value) {
		t.changed = true
	}
}

// note remembers or forgets why a row cannot be used.
func (t *tables) note(table netbox.Table, r row) {
	at, why := object{table, r.id}, ""
	if r.reason != nil {
		why = r.reason.Error()
	}
	if t.bad[at] == why {
		return
	}
	t.changed = true
	if t.bad[at] = why; why == "" {
		delete(t.bad, at)
	}
}

// remove takes out an object that NetBox no longer has. Objects that were
// never read are passed over.
func (t *tables) remove(table netbox.Table, id int64) {
	if _, known := t.stamps[table][id]; !known {
		return
	}
	t.own(table)
	delete(t.stamps[table], id)
	delete(t.bad, object{table, id})
	rowsOf(table).put(&t.objects, id, nil)
	t.changed = true
}

// has reports whether the row was read, usable or not.
func (t *tables) has(table netbox.Table, id int64) bool {
	_, ok := t.stamps[table][id]
	return ok
}

// shows reports whether NetBox has the row, usable or not.
func (t *tables) shows(at object) bool {
	if t.has(at.table, at.id) || t.bad[at] != "" {
		return true
	}
	_, ok := rowsOf(at.table).get(&t.objects, at.id)
	return ok
}

// missingInterfaces lists interfaces of one kind that were not read yet and own
// a MAC or an address, or are the aggregate, bridge, parent or far end of one that was.
func (t *tables) missingInterfaces(kind ipam.Kind) []int64 {
	table := InterfacesOf(kind)
	missing := make(map[int64]bool)
	for _, mac := range t.objects.MACs {
		if mac.Interface.Kind == kind && !t.has(table, mac.Interface.ID) {
			missing[mac.Interface.ID] = true
		}
	}
	for _, a := range t.objects.Addresses {
		if a.Interface.Kind == kind && !t.has(table, a.Interface.ID) {
			missing[a.Interface.ID] = true
		}
	}
	for _, port := range t.objects.Interfaces {
		for _, id := range []int64{port.LAG, port.Bridge, port.Parent} {
			if port.ID.Kind == kind && id != 0 && !t.has(table, id) {
				missing[id] = true
			}
		}
		if far := port.FarEnd; far.Kind == kind && !t.has(table, far.ID) {
			missing[far.ID] = true
		}
	}
	return slices.Sorted(maps.Keys(missing))
}

// withoutMAC lists those of the given interfaces that have an address and no
// MAC: bridges, most often.
func (t *tables) withoutMAC(kind ipam.Kind, ids []int64) []int64 {
	wanted := make(map[int64]bool, len(ids))
	for _, id := range ids {
		if t.has(InterfacesOf(kind), id) { // NetBox refuses a filter by an id that it does not have
			wanted[id] = false
		}
	}
	for _, a := range t.objects.Addresses {
		if _, asked := wanted[a.Interface.ID]; asked && a.Interface.Kind == kind {
			wanted[a.Interface.ID] = true
		}
	}
	for _, mac := range t.objects.MACs {
		if mac.Interface.Kind == kind {
			delete(wanted, mac.Interface.ID)
		}
	}
	maps.DeleteFunc(wanted, func(_ int64, has bool) bool { return !has })
	return slices.Sorted(maps.Keys(wanted))
}

// missingMachines lists owners of interfaces that were not read yet.
func (t *tables) missingMachines(kind ipam.Kind) []int64 {
	missing := make(map[int64]bool)
	for _, port := range t.objects.Interfaces {
		if port.Machine.Kind == kind && !t.has(machinesOf(kind), port.Machine.ID) {
			missing[port.Machine.ID] = true
		}
	}
	return slices.Sorted(maps.Keys(missing))
}

// problems reports the rows that cannot be used, in a stable order.
func (t *tables) problems() []ipam.Problem {
	var all []ipam.Problem
	for at, reason := range t.bad {
		object := at.table.Noun()
		if at.id != 0 {
			object = fmt.Sprintf("%s (id %d)", object, at.id)
		}
		all = append(all, ipam.Problem{Object: object, Text: reason})
	}
	slices.SortFunc(all, func(a, b ipam.Problem) int {
		return cmp.Or(strings.Compare(a.Object, b.Object), strings.Compare(a.Text, b.Text))
	})
	return all
}

// equal reports whether two tables hold the same.
func (t *tables) equal(other *tables) bool {
	return reflect.DeepEqual(t.objects, other.objects) && reflect.DeepEqual(t.bad, other.bad)
}

// adoptSmall takes over small tables that were read aside, and tells which of
// them differ.
func (t *tables) adoptSmall(small *tables, list []netbox.Table) (changed []netbox.Table) {
	for _, table := range list {
		t.adoptProblems(small, table)
		differs := rowsOf(table).adopt(&t.objects, &small.objects)
		if table == netbox.Prefixes && t.objects.NoVLANs {
			t.objects.NoVLANs, differs = false, true
		}
		if table == netbox.Ranges && t.objects.NoPools {
			t.objects.NoPools, differs = false, true
		}
		t.changed = t.changed || differs
		if table == netbox.Contexts {
			differs = differs || t.contexts != small.contexts
			t.contexts = small.contexts
		}
		if differs {
			changed = append(changed, table)
		}
	}
	return changed
}

func (t *tables) adoptProblems(small *tables, table netbox.Table) {
	for at := range t.bad {
		if _, still := small.bad[at]; at.table == table && !still {
			delete(t.bad, at)
			t.changed = true
		}
	}
	for at, why := range small.bad {
		if at.table == table && t.bad[at] != why {
			t.bad[at] = why
			t.changed = true
		}
	}
}
