// Package state is what the mirror of Windows DHCP servers sees of a NetBox:
// objects as plain values with typed custom fields. It must not talk to NetBox
// (package netboxio does), nor decide what to change.
package state

import (
	"encoding/json"
	"net/netip"
	"time"
)

// Kind names a type of object as NetBox's permissions and change log do.
type Kind string

// The kinds the mirror reads or writes.
const (
	IPAddress     Kind = "ipam.ipaddress"
	IPRange       Kind = "ipam.iprange"
	IPPrefix      Kind = "ipam.prefix"
	ConfigContext Kind = "extras.configcontext"
	JournalEntry  Kind = "extras.journalentry"
)

// Action is what a write does to an object.
type Action string

// The actions.
const (
	Create Action = "create"
	Update Action = "update"
	Delete Action = "delete"
)

// Custom fields. The names are fixed: people filter and search by them.
const (
	FieldClientID      = "dhcp_client_id"      // address, text
	FieldManaged       = "dhcp_managed"        // address, select: see Managed
	FieldLeaseHostname = "dhcp_lease_hostname" // address, text; optional
	FieldLeaseActive   = "dhcp_lease_active"   // address, boolean; optional
	FieldLeaseExpires  = "dhcp_lease_expires"  // address, datetime; with expiry_in_netbox

	FieldScopeName    = "dhcp_scope_name"    // range, text
	FieldServer       = "dhcp_server"        // range, text: host of a standalone scope
	FieldFailover     = "dhcp_failover"      // range, text: name of the relationship
	FieldRouter       = "dhcp_router"        // range, text
	FieldLeaseSeconds = "dhcp_lease_seconds" // range, integer
	FieldLeaseDisplay = "dhcp_lease_display" // range, text: "8 Days"
	FieldScopeState   = "dhcp_scope_state"   // range, text: "Active"
	FieldExclusions   = "dhcp_exclusions"    // range, JSON
	FieldOptions      = "dhcp_options"       // range, JSON
	FieldOtherSources = "dhcp_other_sources" // range, JSON: scopes of other sources that overlap this range

	FieldScopes = "dhcp_scopes" // prefix, long text in Markdown
)

// Slugs and names of what bootstrap makes.
const (
	RoleScope   = "dhcp-scope"          // IPAM role of ranges that are scopes
	TagScope    = "windows-dhcp"        // on ranges that are scopes
	TagData     = "windows-dhcp-data"   // limits config contexts to what no device carries
	TagInvalid  = "dhcp-status-invalid" // on addresses whose lease status no scope accepts
	ContextName = "windows-dhcp "       // config contexts: "windows-dhcp failover east-pair"
)

// Plugin is the package of the NetBox plugin that does what the mirror does;
// both at once would undo each other's work (rule 3.4).
const Plugin = "netbox_windows_dhcp"

// Managed is the provenance of an address: how it came under the mirror's
// management (rule 3.4).
type Managed string

// The provenances.
const (
	Untouched Managed = ""
	Created   Managed = "created"   // made by the mirror
	Adopted   Managed = "adopted"   // existed; the mirror changed status, name or client id
	Prestaged Managed = "prestaged" // existed; only a missing client id was filled in
)

// Address is an IP address object.
type Address struct {
	ID            int64
	Address       netip.Prefix // host and mask
	VRF           int64        // 0: global table
	Tenant        int64        // 0: none
	Status        string
	DNSName       string
	Description   string
	Tags          []string // slugs, sorted
	ClientID      string
	Managed       Managed
	LeaseHostname string
	LeaseActive   *bool // nil: not set, or no such field
	LeaseExpires  time.Time
	InUse         string // why it must not just vanish: "assigned to an interface", "used by NAT"; empty: free
	Assigned      bool   // to an interface or an FHRP group
	Shared        bool   // has a role of which NetBox takes several addresses: VIP, VRRP, HSRP, GLBP, CARP, anycast
	LastUpdated   time.Time
}

// Range is an IP range object. Those with role RoleScope are scopes.
type Range struct {
	ID          int64
	Start, End  netip.Addr
	Bits        int // mask length
	VRF         int64
	Tenant      int64
	Status      string
	Role        string // slug; empty: none
	Tags        []string
	Description string
	Populated   bool // mark_populated: NetBox refuses new addresses inside

	ScopeName    string
	Server       string
	Failover     string
	Router       string
	LeaseSeconds int64 // 0: not set
	LeaseDisplay string
	ScopeState   string
	Exclusions   json.RawMessage // nil: not set
	Options      json.RawMessage
	OtherSources json.RawMessage
	LastUpdated  time.Time
}

// Subnet is the network the range lies in, by its mask.
func (r Range) Subnet() netip.Prefix { return netip.PrefixFrom(r.Start, r.Bits).Masked() }

// Prefix is a prefix object.
type Prefix struct {
	ID          int64
	Prefix      netip.Prefix
	VRF         int64
	Tenant      int64
	Status      string
	Tags        []string
	Scopes      string // Markdown table of its scopes
	LastUpdated time.Time
}

// Context is a config context. Data is a JSON object.
type Context struct {
	ID          int64
	Name        string
	Active      bool
	Data        json.RawMessage
	LastUpdated time.Time
}

// VRF is a VRF; the global table has none.
type VRF struct {
	ID   int64
	Name string
	RD   string
}

// State is what a NetBox holds of interest to the mirror. Lists are ordered by
// id.
type State struct {
	Version string    // release line: "4.7"
	Date    time.Time // by its own clock, when it was read; zero: not told
	// SingleAddressRanges is set where NetBox takes a range of one address: from
	// release line 4.6 on.
	SingleAddressRanges bool

	VRFs      []VRF
	Prefixes  []Prefix
	Ranges    []Range
	Addresses []Address
	Contexts  []Context         // those whose name starts with ContextName
	Statuses  []string          // of addresses; nil where the token may not ask
	Fields    map[Kind][]string // custom fields that exist
	Tags      map[string]int64  // by slug
	Tagged    int               // how many objects carry TagInvalid
	Roles     map[string]int64  // by slug
	Plugins   []string          // packages of installed plugins; nil where the token may not ask
	Log       ChangeLog
}

// HasField reports whether objects of a kind have a custom field.
func (s *State) HasField(kind Kind, name string) bool {
	for _, f := range s.Fields[kind] {
		if f == name {
			return true
		}
	}
	return false
}
