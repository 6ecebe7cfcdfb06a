package follow

import (
	"maps"
	"reflect"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
)

// tableRows are the rows of one NetBox list in ipam.Objects.
type tableRows interface {
	// put adds or replaces the object with a NetBox id and reports whether that
	// changed anything; a nil value removes it.
	put(o *ipam.Objects, id int64, value any) bool
	// own gives o a copy of the table, so that changing it changes no other o.
	own(o *ipam.Objects)
	// adopt makes o share the table of other and reports whether that changed
	// anything.
	adopt(o, other *ipam.Objects) bool
	size(o *ipam.Objects) int
	get(o *ipam.Objects, id int64) (value any, ok bool)
	// each calls fn with every row of the list, in no order.
	each(o *ipam.Objects, fn func(id int64, value any))
}

// rowsOf finds the part of ipam.Objects that a list fills.
func rowsOf(table netbox.Table) tableRows {
	switch table {
	case netbox.VRFs:
		return byID(func(o *ipam.Objects) *map[int64]*ipam.VRF { return &o.VRFs })
	case netbox.Prefixes:
		return byID(func(o *ipam.Objects) *map[int64]*ipam.Prefix { return &o.Prefixes })
	case netbox.Ranges:
		return byID(func(o *ipam.Objects) *map[int64]*ipam.Range { return &o.Ranges })
	case netbox.Addresses:
		return byID(func(o *ipam.Objects) *map[int64]*ipam.Address { return &o.Addresses })
	case netbox.MACs:
		return byID(func(o *ipam.Objects) *map[int64]*ipam.MACAddress { return &o.MACs })
	case netbox.Tags:
		return byID(func(o *ipam.Objects) *map[int64]*ipam.Tag { return &o.Tags })
	case netbox.Regions:
		return byID(func(o *ipam.Objects) *map[int64]*ipam.Nested { return &o.Regions })
	case netbox.SiteGroups:
		return byID(func(o *ipam.Objects) *map[int64]*ipam.Nested { return &o.SiteGroups })
	case netbox.Sites:
		return byID(func(o *ipam.Objects) *map[int64]*ipam.Site { return &o.Sites })
	case netbox.Locations:
		return byID(func(o *ipam.Objects) *map[int64]*ipam.Location { return &o.Locations })
	case netbox.Tenants:
		return byID(func(o *ipam.Objects) *map[int64]*ipam.Tenant { return &o.Tenants })
	case netbox.Interfaces:
		return interfaceRows(ipam.Device)
	case netbox.VMInterfaces:
		return interfaceRows(ipam.VirtualMachine)
	case netbox.Devices:
		return machineRows(ipam.Device)
	case netbox.VMs:
		return machineRows(ipam.VirtualMachine)
	}
	return contextRows{}
}

// mapRows is a table by key: the id, or the id with the kind where two lists,
// of devices and of virtual machines, fill one table.
type mapRows[K comparable, V any] struct {
	of  func(*ipam.Objects) *map[K]*V
	key func(id int64) K
	// mine tells the keys of this list; nil: all are.
	mine func(K) bool
	// id is the reverse of key.
	id func(K) int64
}

func byID[V any](of func(*ipam.Objects) *map[int64]*V) tableRows {
	return mapRows[int64, V]{of: of, key: func(id int64) int64 { return id }, id: func(k int64) int64 { return k }}
}

func interfaceRows(kind ipam.Kind) tableRows {
	return mapRows[ipam.InterfaceID, ipam.Interface]{
		of:   func(o *ipam.Objects) *map[ipam.InterfaceID]*ipam.Interface { return &o.Interfaces },
		key:  func(id int64) ipam.InterfaceID { return ipam.InterfaceID{Kind: kind, ID: id} },
		mine: func(k ipam.InterfaceID) bool { return k.Kind == kind },
		id:   func(k ipam.InterfaceID) int64 { return k.ID },
	}
}

func machineRows(kind ipam.Kind) tableRows {
	return mapRows[ipam.MachineID, ipam.Machine]{
		of:   func(o *ipam.Objects) *map[ipam.MachineID]*ipam.Machine { return &o.Machines },
		key:  func(id int64) ipam.MachineID { return ipam.MachineID{Kind: kind, ID: id} },
		mine: func(k ipam.MachineID) bool { return k.Kind == kind },
		id:   func(k ipam.MachineID) int64 { return k.ID },
	}
}

func (t mapRows[K, V]) put(o *ipam.Objects, id int64, value any) bool {
	rows, key := t.of(o), t.key(id)
	old, known := (*rows)[key]
	if value == nil {
		delete(*rows, key)
		return known
	}
	if *rows == nil {
		*rows = make(map[K]*V)
	}
	v := value.(*V)
	(*rows)[key] = v
	return !known || !reflect.DeepEqual(old, v)
}

func (t mapRows[K, V]) own(o *ipam.Objects) { *t.of(o) = maps.Clone(*t.of(o)) }

func (t mapRows[K, V]) adopt(o, other *ipam.Objects) bool {
	rows, others := t.of(o), t.of(other)
	if reflect.DeepEqual(*rows, *others) {
		return false
	}
	*rows = *others
	return true
}

func (t mapRows[K, V]) size(o *ipam.Objects) int {
	if t.mine == nil {
		return len(*t.of(o))
	}
	n := 0
	for key := range *t.of(o) {
		if t.mine(key) {
			n++
		}
	}
	return n
}

func (t mapRows[K, V]) get(o *ipam.Objects, id int64) (any, bool) {
	value, ok := (*t.of(o))[t.key(id)]
	return value, ok
}

func (t mapRows[K, V]) each(o *ipam.Objects, fn func(id int64, value any)) {
	for key, value := range *t.of(o) {
		if t.mine == nil || t.mine(key) {
			fn(t.id(key), value)
		}
	}
}

// contextRows keeps the order in which NetBox lists the contexts. It is only
// ever read whole.
type contextRows struct{}

func (contextRows) put(o *ipam.Objects, _ int64, value any) bool {
	if value == nil {
		return false
	}
	o.Contexts = append(o.Contexts, value.(*ipam.ConfigContext))
	return true
}

func (contextRows) own(*ipam.Objects) {}

func (contextRows) adopt(o, other *ipam.Objects) bool {
	if reflect.DeepEqual(o.Contexts, other.Contexts) {
		return false
	}
	o.Contexts = other.Contexts
	return true
}

func (contextRows) size(o *ipam.Objects) int { return len(o.Contexts) }

func (contextRows) get(*ipam.Objects, int64) (any, bool) { return nil, false }

func (contextRows) each(*ipam.Objects, func(int64, any)) {}
