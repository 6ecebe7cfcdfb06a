// Package ipam holds what NetBox knows as plain, immutable values: the tables
// a source delivers (Objects) and the snapshot answers are given from
// (Snapshot). It decides nothing about leases, does no I/O except reading and
// writing its own disk copy where it is told to, starts no goroutine and logs
// nothing.
package ipam

import (
	"encoding/json"
	"net/netip"
	"time"
)

// Kind tells devices from virtual machines. Their ids, and those of their
// interfaces, are counted separately in NetBox (P-19).
type Kind uint8

// The two kinds of machine in NetBox. The zero Kind is no machine.
const (
	Device Kind = iota + 1
	VirtualMachine
)

// String names the kind in NetBox's words.
func (k Kind) String() string {
	switch k {
	case Device:
		return "device"
	case VirtualMachine:
		return "virtual machine"
	}
	return "no machine"
}

// MachineID names a device or a virtual machine. The zero value is none.
type MachineID struct {
	Kind Kind
	ID   int64
}

// InterfaceID names an interface of a device or of a virtual machine. The zero
// value is none.
type InterfaceID struct {
	Kind Kind
	ID   int64
}

// Objects are the NetBox tables a Snapshot is built from, by id. A source
// (NetBox, an inventory file, the disk copy) fills them; values are never
// changed once they are in a table.
type Objects struct {
	VRFs       map[int64]*VRF
	Prefixes   map[int64]*Prefix
	Ranges     map[int64]*Range
	Addresses  map[int64]*Address
	MACs       map[int64]*MACAddress
	Interfaces map[InterfaceID]*Interface
	Machines   map[MachineID]*Machine
	Tags       map[int64]*Tag
	Regions    map[int64]*Nested
	SiteGroups map[int64]*Nested
	Sites      map[int64]*Site
	Locations  map[int64]*Location
	Tenants    map[int64]*Tenant
	// Contexts are in NetBox's own order, which is by weight, then name by the
	// database's collation. Do not sort them again.
	Contexts []*ConfigContext
	// NoVLANs says that the prefixes come from a copy of before VLANs were kept:
	// a VLAN of 0 then means unknown.
	NoVLANs bool
	// NoLinks says that the tables come from a copy of before bridges, parents and
	// the interfaces without MACs were kept: an address may be a client's by a link
	// that is not in them.
	NoLinks bool
	// NoPools says that the ranges come from a copy of before their masks, roles and
	// the fields of the mirror were kept: none of them is a pool.
	NoPools bool
}

// VRF is a routing table. The global table has id 0 and is not in Objects.
type VRF struct {
	ID   int64
	Name string
	RD   string // route distinguisher; may be empty
	Loss Loss   // whether NetBox still shows it
}

// Prefix is a network.
type Prefix struct {
	ID          int64
	Prefix      netip.Prefix
	VRF         int64 // 0: global table
	Status      string
	Scope       Scope
	Tenant      int64 // 0: none
	VLAN        int64 // id of the VLAN object; 0: none
	Tags        []int64
	LastUpdated time.Time
	Loss        Loss // whether NetBox still shows it
}

// ScopeKind is where in the world a prefix lies.
type ScopeKind uint8

// What a prefix can be scoped to. The zero ScopeKind is unscoped.
const (
	ScopeSite ScopeKind = iota + 1
	ScopeLocation
	ScopeRegion
	ScopeSiteGroup
)

// Scope names the site, location, region or site group of a prefix.
type Scope struct {
	Kind ScopeKind
	ID   int64
}

// Range is a span of addresses. One that is marked as dynamic is a pool, whose
// addresses need no objects (N-14).
type Range struct {
	ID         int64
	Start, End netip.Addr
	Bits       int   // of the mask; 32 and 0 say nothing of the wire
	VRF        int64 // 0: global table
	Status     string
	Tags       []int64
	Role       Role // zero: none
	// Managed says that the range is the record of a scope of a Windows server
	// (dhcp_server or dhcp_failover has a value).
	Managed bool
	// Populated says that NetBox refuses to make addresses in it (mark_populated).
	Populated bool
	Loss      Loss // whether NetBox still shows it
}

// Role is an IPAM role as its ranges show it.
type Role struct {
	ID         int64
	Name, Slug string
}

// Address is an IP address object.
type Address struct {
	ID        int64
	Address   netip.Prefix // host address and mask as NetBox has them
	VRF       int64        // 0: global table
	Status    string       // may be a custom one
	Role      string       // empty: none
	Tags      []int64
	Interface InterfaceID // zero: unassigned, or assigned to something that is no interface (an FHRP group)
	DNSName   string      // dns_name, which NetBox keeps in small letters; empty: none
	// Managed says that the mirror of Windows servers keeps the address
	// (dhcp_managed).
	Managed bool
	// Made says that a server of this program made the object for a lease
	// (dhcp_made_for_lease), and may delete it.
	Made bool
	// Reserved is the client that custom fields name (CL-1); nil: they are empty.
	Reserved *Reservation
	Record   Record
	// LastUpdated and Created are NetBox's time stamps of the row. Created is
	// zero where it is not known.
	LastUpdated, Created time.Time
	Loss                 Loss // whether NetBox still shows it
	// Range is the pool that the address comes from where NetBox has no object for
	// it; nil: it is an object. Addresses in Objects have none.
	Range *Range
}

// Record is the mirror of a binding in the custom fields of an address
// (fields.mac, fields.expire, fields.hostname).
type Record struct {
	Client   string // client key as written, usually a MAC; empty: never leased
	Expires  time.Time
	Hostname string
	// Unreadable says that the expiry holds text that is no time: the address
	// is in use and never reclaimed (P-17).
	Unreadable bool
}

// Running reports whether the record shows a lease that runs at the time given.
// One whose end cannot be read does (P-17).
func (r Record) Running(now time.Time) bool {
	return r.Client != "" && (r.Unreadable || r.Expires.After(now))
}

// MACAddress is a MAC object. MACs are not unique in NetBox.
type MACAddress struct {
	ID          int64
	MAC         MAC
	Interface   InterfaceID // zero: unassigned
	LastUpdated time.Time
	Loss        Loss // whether NetBox still shows it
}

// Interface is a port of a device or virtual machine.
type Interface struct {
	ID      InterfaceID
	Name    string
	Machine MachineID
	LAG     int64 // id of the aggregate this port is a member of; 0: none
	Bridge  int64 // id of the bridge this port is in; 0: none
	Parent  int64 // id of the interface this one is a sub-interface of; 0: none
	// FarEnd is the one interface at the other end of its cable path, as far as this
	// end tells; zero: none. See Snapshot.FarEnd.
	FarEnd      InterfaceID
	LastUpdated time.Time
	Loss        Loss // whether NetBox still shows it
}

// Machine is a device or virtual machine.
type Machine struct {
	ID         MachineID
	Name       string
	Serial     string // of a device; empty: none
	PrimaryIP4 int64  // id of an Address; 0: none
	// Context is the part of the rendered config context under the configured
	// key, as JSON; nil where the key is absent.
	Context json.RawMessage
	// Gate holds the custom fields of the redeploy switch as NetBox shows them
	// by field name; a name that is absent does not exist as a field.
	Gate        map[string]json.RawMessage
	LastUpdated time.Time
	Loss        Loss // whether NetBox still shows it
}

// Tag is a label. It is looked up by name or slug once and by id from then on,
// since people rename tags.
type Tag struct {
	ID         int64
	Name, Slug string
	Loss       Loss // whether NetBox still shows it
}

// Nested is a region or a site group: an object with a parent of its own kind.
type Nested struct {
	ID, Parent int64
	Name       string
}

// Site is a place.
type Site struct {
	ID, Region, Group, Tenant int64
	Name                      string
}

// Location is a part of a site.
type Location struct {
	ID, Site, Parent int64
	Name             string
}

// Tenant is a customer or department.
type Tenant struct {
	ID, Group int64
	Name      string
}

// ConfigContext is one active context, reduced to the part under the
// configured key.
type ConfigContext struct {
	ID     int64
	Name   string
	Weight int
	// The criteria a prefix can meet; an empty list does not restrict.
	Regions, SiteGroups, Sites, Locations, Tenants, TenantGroups []int64
	// Tags are the slugs of a criterion that a prefix meets if it carries one of the
	// tags (CTX-1). G-7 reads no context that has some.
	Tags []string
	// MachinesOnly says that a criterion only machines can meet (role,
	// platform, device type, cluster) is set.
	MachinesOnly bool
	// Data is the value under the configured key; nil where the key is absent.
	Data json.RawMessage
}
