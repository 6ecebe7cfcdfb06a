package netboxtest

// World is the contents of a NetBox as a test describes it once, to be loaded with Seed into the stand-in or a real
// one. Objects name each other by name; slugs are the names in lower case with dashes. What a world does not list but
// a device needs (device type, role, manufacturer, cluster type) is made along the way.
type World struct {
	Tags         []Tag
	ChoiceSets   []ChoiceSet
	CustomFields []CustomField
	TenantGroups []Group
	Tenants      []Tenant
	Regions      []Group
	SiteGroups   []Group
	Sites        []Site
	Locations    []Location
	VRFs         []VRF
	VLANs        []VLAN
	IPRoles      []string // roles of prefixes and ranges
	Prefixes     []Prefix
	Ranges       []Range
	Devices      []Device
	Cables       []Cable
	Clusters     []Cluster
	VMs          []VM
	IPs          []IP
	Contexts     []Context
}

// Tag is a tag; ObjectTypes limits it to models such as "ipam.ipaddress".
type Tag struct {
	Name, Slug  string // Slug "": made from Name
	ObjectTypes []string
}

// ChoiceSet holds the choices of selection fields: pairs of value and label.
type ChoiceSet struct {
	Name    string
	Choices [][2]string
}

// CustomField is a custom field of Type text, longtext, integer, decimal, boolean, date, datetime, url, json, select,
// multiselect, object or multiobject.
type CustomField struct {
	Name, Type        string
	ObjectTypes       []string
	ChoiceSet         string // for select and multiselect
	RelatedObjectType string // for object and multiobject
	FilterLogic       string // "": exact
}

// Group is a region, site group or tenant group.
type Group struct{ Name, Parent string }

// Tenant is a tenant.
type Tenant struct{ Name, Group string }

// Site is a site.
type Site struct{ Name, Region, Group, Tenant string }

// Location is a location within a site.
type Location struct{ Name, Site, Parent string }

// VRF is a VRF. DuplicatesLegal clears enforce_unique.
type VRF struct {
	Name, RD        string
	DuplicatesLegal bool
}

// VLAN is a VLAN.
type VLAN struct {
	Name, Site string
	VID        int
}

// Prefix is a prefix. At most one of Site, Location, Region and SiteGroup becomes its scope.
type Prefix struct {
	Prefix, VRF, VLAN, Status, Tenant string
	Site, Location, Region, SiteGroup string
	IsPool                            bool
	Tags                              []string
	CustomFields                      map[string]any
}

// Range is an IP range.
type Range struct {
	Start, End, VRF, Status string
	Tenant, Role            string // Role: one of IPRoles
	Populated, Utilized     bool
	Tags                    []string
	CustomFields            map[string]any
}

// Interface is an interface of a device or VM with what is assigned to it.
type Interface struct {
	Name     string
	Type     string // "": 1000base-t; for devices only
	LAG      string // name of the LAG interface, listed before; for devices only
	Bridge   string // name of the bridge this one is in, listed before
	Parent   string // name of the interface this one is a sub-interface of, listed before
	Disabled bool
	VRF      string
	MACs     []string
	Primary  string // the designated primary MAC, one of MACs; "": none
	IPs      []IP
}

// Device is a device.
type Device struct {
	Name, Site, Location, Tenant, Status string
	Role, Type, Maker, Platform          string // "": role "Server", type "Generic" by "Maker", no platform
	Tags                                 []string
	CustomFields                         map[string]any
	LocalContext                         map[string]any
	Interfaces                           []Interface
	Panel                                []string // of a patch panel: front ports, each with a rear port "NAME rear"
	PrimaryIP4, OOBIP                    string   // addresses listed under Interfaces
}

// Cable connects two ports, named as in "web1 eth0": an interface, or a port of a patch panel.
type Cable struct{ A, B string }

// Cluster is a cluster; Type "": "Cluster type".
type Cluster struct{ Name, Type, Site string }

// VM is a virtual machine.
type VM struct {
	Name, Site, Cluster, Role, Platform, Tenant, Status string
	Tags                                                []string
	CustomFields                                        map[string]any
	LocalContext                                        map[string]any
	Interfaces                                          []Interface
	PrimaryIP4                                          string
}

// IP is an IP address; under an Interface it is assigned to it.
type IP struct {
	Address, VRF, Status, Role, DNSName, Tenant, Description string
	Tags                                                     []string
	CustomFields                                             map[string]any
}

// Context is a config context. Lists name the objects it is limited to.
type Context struct {
	Name                                                    string
	Weight                                                  int // 0: 1000
	Inactive                                                bool
	Regions, SiteGroups, Sites, Locations, Roles, Platforms []string
	TenantGroups, Tenants, Clusters, Tags                   []string
	Data                                                    map[string]any // not empty
}
