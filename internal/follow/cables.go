package follow

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
)

// endColumns are the columns of interfaces that say where their cable path ends.
// They are asked for with circuits only: NetBox takes twice the time for them.
const endColumns = ",connected_endpoints,connected_endpoints_type,connected_endpoints_reachable"

// cabled reads, with circuits, the ports in aggregates among the given interfaces,
// which a cable may lead to, and all interfaces of the switches that cables lead to
// (CL-21). It reports whether it read a switch.
func (r *reader) cabled(ctx context.Context, t *tables, kind ipam.Kind, ids []int64) (more bool, err error) {
	if !r.circuits || kind != ipam.Device {
		return false, nil
	}
	places := t.places()
	if err := r.portsBy(ctx, t, netbox.Interfaces, "lag_id", t.uncabled(places, ids), func(port *ipam.Interface) int64 { return port.LAG }); err != nil {
		return false, err
	}
	switches := t.newSwitches(places)
	return len(switches) > 0, r.portsOf(ctx, t, switches)
}

// portsOf reads all interfaces of devices, and forgets those that are gone.
func (r *reader) portsOf(ctx context.Context, t *tables, devices []int64) error {
	if len(devices) == 0 {
		return nil
	}
	asked := make(map[int64]bool)
	for _, id := range devices {
		asked[id] = true
	}
	known := make(map[int64]bool)
	for id, port := range t.objects.Interfaces {
		if id.Kind == ipam.Device && asked[port.Machine.ID] {
			known[id.ID] = true
		}
	}
	err := r.portsBy(ctx, t, netbox.Interfaces, "device_id", devices, func(port *ipam.Interface) int64 {
		delete(known, port.ID.ID)
		return port.Machine.ID
	})
	if err != nil {
		return err
	}
	for id := range known {
		t.remove(netbox.Interfaces, id)
	}
	maps.Copy(t.switches, asked)
	return nil
}

// places are the interfaces of devices that have an IPv4 address, or lead to one that
// has: ports of its aggregate or bridge, and its parent (I-7).
func (t *tables) places() map[int64]bool {
	places := make(map[int64]bool)
	for _, a := range t.objects.Addresses {
		if a.Interface.Kind == ipam.Device {
			places[a.Interface.ID] = true
		}
	}
	for range maxLinks {
		before := len(places)
		for id, port := range t.objects.Interfaces {
			switch {
			case id.Kind != ipam.Device:
			case places[id.ID]:
				if port.Parent != 0 {
					places[port.Parent] = true
				}
			case places[port.LAG], places[port.Bridge]:
				places[id.ID] = true
			}
		}
		if len(places) == before {
			break
		}
	}
	return places
}

// uncabled lists those of the given places that have no cable path of their own and
// are in no aggregate: they may be one.
func (t *tables) uncabled(places map[int64]bool, ids []int64) []int64 {
	return slices.DeleteFunc(slices.Clone(ids), func(id int64) bool {
		port := t.objects.Interfaces[ipam.InterfaceID{Kind: ipam.Device, ID: id}]
		return port == nil || !places[id] || port.LAG != 0 || port.FarEnd != ipam.InterfaceID{}
	})
}

// newSwitches lists the devices at the far ends of places that were not read yet.
func (t *tables) newSwitches(places map[int64]bool) []int64 {
	devices := make(map[int64]bool)
	for id := range places {
		port := t.objects.Interfaces[ipam.InterfaceID{Kind: ipam.Device, ID: id}]
		if port == nil {
			continue
		}
		if far := t.objects.Interfaces[port.FarEnd]; far != nil && !t.switches[far.Machine.ID] {
			devices[far.Machine.ID] = true
		}
	}
	return slices.Sorted(maps.Keys(devices))
}

// ends reads all interfaces of devices again, with what their cables lead to now.
func (r *reader) ends(ctx context.Context, t *tables) error {
	var old, rest, all []int64
	for _, id := range slices.Sorted(maps.Keys(t.switches)) {
		if t.has(netbox.Devices, id) { // NetBox refuses a filter by an id that it does not have
			old = append(old, id)
		}
	}
	for id := range t.stamps[netbox.Interfaces] {
		all = append(all, id)
		port := t.objects.Interfaces[ipam.InterfaceID{Kind: ipam.Device, ID: id}]
		if port != nil {
			if _, whole := slices.BinarySearch(old, port.Machine.ID); whole {
				continue
			}
		}
		rest = append(rest, id)
	}
	if err := r.portsOf(ctx, t, old); err != nil {
		return err
	}
	if err := r.fetch(ctx, t, netbox.Interfaces, rest); err != nil {
		return err
	}
	if _, err := r.cabled(ctx, t, ipam.Device, all); err != nil {
		return err
	}
	return r.complete(ctx, t)
}

// cables follows what cables lead to. NetBox leaves no trace in the interfaces at the
// ends of a path when a cable or a patch panel in it changes (NB-1.15).
type cables struct {
	seen map[int64]bool // records of the change log that the last question brought
	due  bool           // something changed since all ends were read
	next time.Time      // when they may be read again
}

// endsRest is how many times as long as a reading of all ends took the next one waits:
// it costs NetBox as much as a full read of the interfaces.
const endsRest = 10

// pathModels are the types of the objects that cable paths consist of.
func pathModels(v netbox.Version) []string {
	models := []string{netbox.Cables.Model(), "dcim.cabletermination", "dcim.frontport", "dcim.rearport"}
	if v.AtLeast(4, 5) {
		models = append(models, "dcim.portmapping")
	}
	return models
}

// pathChanges asks the change log for records of cables and patch panels since a
// time, with overlap, and tells how far it was read.
func (f *Follower) pathChanges(ctx context.Context, since time.Time) (records map[int64]bool, mark time.Time, err error) {
	v, err := f.client.Version(ctx)
	if err != nil {
		return nil, since, err
	}
	models := pathModels(v)
	questions := [][]string{models}
	if !v.AtLeast(4, 5) { // of several types, the last one counts (NB-1.11)
		questions = slices.Collect(slices.Chunk(models, 1))
	}
	records, mark = make(map[int64]bool), since
	for _, types := range questions {
		q := url.Values{"changed_object_type": types, "fields": {"id,time,changed_object_type"}}
		if !since.IsZero() {
			q.Set("time_after", netbox.FilterTime(since.Add(-overlap)))
		}
		err := f.client.ListUnchecked(ctx, netbox.ObjectChanges, q, func(raw json.RawMessage) (int64, error) {
			var change changeRow
			if json.Unmarshal(raw, &change) != nil || !slices.Contains(models, change.Type) {
				return change.ID, nil // a filter that was ignored (NB-1.5)
			}
			if records[change.ID] = true; len(records) > f.mostChanged {
				return 0, errTooMany
			}
			if change.Time.After(mark) {
				mark = change.Time.Time
			}
			return change.ID, nil
		})
		if err != nil && !errors.Is(err, errTooMany) {
			return nil, since, err
		}
	}
	return records, notAhead(f.client, mark), nil
}

// askPaths is the question of a poll whether paths changed. Where the change log may
// not be read, each sweep counts as a change.
func (f *Follower) askPaths(ctx context.Context) (records map[int64]bool, mark time.Time, err error) {
	since := cmp.Or(f.tables.marks[netbox.Cables], f.tables.marks[netbox.ObjectChanges])
	if !f.reader.circuits || f.sweeping {
		return f.cables.seen, since, nil
	}
	return f.pathChanges(ctx, since)
}

// readEnds reads all far ends again if a path changed. A full read that is due reads
// them, too.
func (f *Follower) readEnds(ctx context.Context, next *tables, records map[int64]bool) error {
	for id := range records {
		f.cables.due = f.cables.due || !f.cables.seen[id]
	}
	f.cables.seen = records
	began := f.config.Now()
	if !f.cables.due || began.Before(f.cables.next) || !began.Before(f.nextFull) {
		return nil
	}
	if err := f.reader.ends(ctx, next); err != nil {
		return fmt.Errorf("read what cables lead to: %w", err)
	}
	now := f.config.Now()
	f.cables.due, f.cables.next = false, now.Add(endsRest*now.Sub(began))
	return nil
}

// newPort reports whether a row is an interface of a switch, all of which are read (CL-21).
func (f *Follower) newPort(table netbox.Table, raw json.RawMessage) bool {
	if !f.reader.circuits || table != netbox.Interfaces {
		return false
	}
	var port interfaceRow
	return json.Unmarshal(raw, &port) == nil && f.tables.switches[int64(port.Device)]
}
