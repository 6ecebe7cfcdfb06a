package follow

import (
	"maps"
	"reflect"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
)

// table is one NetBox list as a part of ipam.Objects.
type table interface {
	// put adds or replaces the object of a row and reports whether that
	// changed anything.
	put(o *ipam.Objects, value any) bool
	// drop removes the object with a NetBox id.
	drop(o *ipam.Objects, id int64)
	// own gives o a copy of the table, so that changing it changes no other o.
	own(o *ipam.Objects)
	// adopt makes o share the table of other.
	adopt(o, other *ipam.Objects)
	same(o, other *ipam.Objects) bool
	size(o *ipam.Objects) int
}

// tableOf finds the part of ipam.Objects that list e fills.
func tableOf(e netbox.Table) table {
	switch e {
	case netbox.VRFs:
		return plainTable[ipam.VRF]{func(o *ipam.Objects) *map[int64]*ipam.VRF { return &o.VRFs }, func(v *ipam.VRF) int64 { return v.ID }}
	case netbox.Prefixes:
		return plainTable[ipam.Prefix]{func(o *ipam.Objects) *map[int64]*ipam.Prefix { return &o.Prefixes }, func(p *ipam.Prefix) int64 { return p.ID }}
	case netbox.Ranges:
		return plainTable[ipam.Range]{func(o *ipam.Objects) *map[int64]*ipam.Range { return &o.Ranges }, func(r *ipam.Range) int64 { return r.ID }}
	case netbox.Addresses:
		return plainTable[ipam.Address]{func(o *ipam.Objects) *map[int64]*ipam.Address { return &o.Addresses }, func(a *ipam.Address) int64 { return a.ID }}
	case netbox.MACs:
		return plainTable[ipam.MACAddress]{func(o *ipam.Objects) *map[int64]*ipam.MACAddress { return &o.MACs }, func(m *ipam.MACAddress) int64 { return m.ID }}
	case netbox.Tags:
		return plainTable[ipam.Tag]{func(o *ipam.Objects) *map[int64]*ipam.Tag { return &o.Tags }, func(t *ipam.Tag) int64 { return t.ID }}
	case netbox.Regions:
		return plainTable[ipam.Nested]{func(o *ipam.Objects) *map[int64]*ipam.Nested { return &o.Regions }, func(n *ipam.Nested) int64 { return n.ID }}
	case netbox.SiteGroups:
		return plainTable[ipam.Nested]{func(o *ipam.Objects) *map[int64]*ipam.Nested { return &o.SiteGroups }, func(n *ipam.Nested) int64 { return n.ID }}
	case netbox.Sites:
		return plainTable[ipam.Site]{func(o *ipam.Objects) *map[int64]*ipam.Site { return &o.Sites }, func(s *ipam.Site) int64 { return s.ID }}
	case netbox.Locations:
		return plainTable[ipam.Location]{func(o *ipam.Objects) *map[int64]*ipam.Location { return &o.Locations }, func(l *ipam.Location) int64 { return l.ID }}
	case netbox.Tenants:
		return plainTable[ipam.Tenant]{func(o *ipam.Objects) *map[int64]*ipam.Tenant { return &o.Tenants }, func(t *ipam.Tenant) int64 { return t.ID }}
	case netbox.Interfaces:
		return interfaceTable(ipam.Device)
	case netbox.VMInterfaces:
		return interfaceTable(ipam.VirtualMachine)
	case netbox.Devices:
		return machineTable(ipam.Device)
	case netbox.VMs:
		return machineTable(ipam.VirtualMachine)
	}
	return contextTable{}
}

// plainTable is a table that one list fills alone.
type plainTable[V any] struct {
	rows func(*ipam.Objects) *map[int64]*V
	id   func(*V) int64
}

func (t plainTable[V]) put(o *ipam.Objects, value any) bool {
	rows, v := t.rows(o), value.(*V)
	if *rows == nil {
		*rows = make(map[int64]*V)
	}
	return replace(*rows, t.id(v), v)
}

func (t plainTable[V]) drop(o *ipam.Objects, id int64) { delete(*t.rows(o), id) }
func (t plainTable[V]) own(o *ipam.Objects)            { *t.rows(o) = maps.Clone(*t.rows(o)) }
func (t plainTable[V]) adopt(o, other *ipam.Objects)   { *t.rows(o) = *t.rows(other) }
func (t plainTable[V]) same(o, other *ipam.Objects) bool {
	return reflect.DeepEqual(*t.rows(o), *t.rows(other))
}
func (t plainTable[V]) size(o *ipam.Objects) int { return len(*t.rows(o)) }

// replace stores v and reports whether it differs from what was there.
func replace[K comparable, V any](rows map[K]*V, key K, v *V) bool {
	old := rows[key]
	rows[key] = v
	return old == nil || !reflect.DeepEqual(old, v)
}

// kindTable is a table that two lists fill together, one for devices and one for
// virtual machines.
type kindTable[K comparable, V any] struct {
	rows func(*ipam.Objects) *map[K]*V
	key  func(id int64) K
	mine func(K) bool
	id   func(*V) K
}

func interfaceTable(kind ipam.Kind) table {
	return kindTable[ipam.InterfaceID, ipam.Interface]{
		rows: func(o *ipam.Objects) *map[ipam.InterfaceID]*ipam.Interface { return &o.Interfaces },
		key:  func(id int64) ipam.InterfaceID { return ipam.InterfaceID{Kind: kind, ID: id} },
		mine: func(k ipam.InterfaceID) bool { return k.Kind == kind },
		id:   func(i *ipam.Interface) ipam.InterfaceID { return i.ID },
	}
}

func machineTable(kind ipam.Kind) table {
	return kindTable[ipam.MachineID, ipam.Machine]{
		rows: func(o *ipam.Objects) *map[ipam.MachineID]*ipam.Machine { return &o.Machines },
		key:  func(id int64) ipam.MachineID { return ipam.MachineID{Kind: kind, ID: id} },
		mine: func(k ipam.MachineID) bool { return k.Kind == kind },
		id:   func(m *ipam.Machine) ipam.MachineID { return m.ID },
	}
}

func (t kindTable[K, V]) put(o *ipam.Objects, value any) bool {
	rows, v := t.rows(o), value.(*V)
	if *rows == nil {
		*rows = make(map[K]*V)
	}
	return replace(*rows, t.id(v), v)
}

func (t kindTable[K, V]) drop(o *ipam.Objects, id int64) { delete(*t.rows(o), t.key(id)) }
func (t kindTable[K, V]) own(o *ipam.Objects)            { *t.rows(o) = maps.Clone(*t.rows(o)) }
func (t kindTable[K, V]) adopt(o, other *ipam.Objects)   { *t.rows(o) = *t.rows(other) }
func (t kindTable[K, V]) same(o, other *ipam.Objects) bool {
	return reflect.DeepEqual(*t.rows(o), *t.rows(other))
}

func (t kindTable[K, V]) size(o *ipam.Objects) int {
	n := 0
	for key := range *t.rows(o) {
		if t.mine(key) {
			n++
		}
	}
	return n
}

// contextTable keeps the order in which NetBox lists the contexts. It is only
// ever read whole.
type contextTable struct{}

func (contextTable) put(o *ipam.Objects, value any) bool {
	o.Contexts = append(o.Contexts, value.(*ipam.ConfigContext))
	return true
}

func (contextTable) drop(*ipam.Objects, int64)    {}
func (contextTable) own(*ipam.Objects)            {}
func (contextTable) adopt(o, other *ipam.Objects) { o.Contexts = other.Contexts }
func (contextTable) same(o, other *ipam.Objects) bool {
	return reflect.DeepEqual(o.Contexts, other.Contexts)
}
func (contextTable) size(o *ipam.Objects) int { return len(o.Contexts) }
