package netbox

// Table is the path of a list below /api/.
type Table string

// The lists this package reads or fills.
const (
	VRFs          Table = "ipam/vrfs"
	Prefixes      Table = "ipam/prefixes"
	Ranges        Table = "ipam/ip-ranges"
	Addresses     Table = "ipam/ip-addresses"
	MACs          Table = "dcim/mac-addresses"
	Interfaces    Table = "dcim/interfaces"
	VMInterfaces  Table = "virtualization/interfaces"
	Devices       Table = "dcim/devices"
	VMs           Table = "virtualization/virtual-machines"
	Regions       Table = "dcim/regions"
	SiteGroups    Table = "dcim/site-groups"
	Sites         Table = "dcim/sites"
	Locations     Table = "dcim/locations"
	Tenants       Table = "tenancy/tenants"
	Tags          Table = "extras/tags"
	Contexts      Table = "extras/config-contexts"
	CustomFields  Table = "extras/custom-fields"
	ObjectChanges Table = "core/object-changes"
	tokens        Table = "users/tokens"
	status        Table = "status"
	Roles         Table = "ipam/roles"
	Journal       Table = "extras/journal-entries"
	ChoiceSets    Table = "extras/custom-field-choice-sets"
	SavedFilters  Table = "extras/saved-filters"
	CustomLinks   Table = "extras/custom-links"
	TableConfigs  Table = "extras/table-configs"
)

// model names the object type as permissions, webhooks and the change log do.
func (e Table) Model() string {
	switch e {
	case VRFs:
		return "ipam.vrf"
	case Prefixes:
		return "ipam.prefix"
	case Ranges:
		return "ipam.iprange"
	case Addresses:
		return "ipam.ipaddress"
	case MACs:
		return "dcim.macaddress"
	case Interfaces:
		return "dcim.interface"
	case VMInterfaces:
		return "virtualization.vminterface"
	case Devices:
		return "dcim.device"
	case VMs:
		return "virtualization.virtualmachine"
	case Regions:
		return "dcim.region"
	case SiteGroups:
		return "dcim.sitegroup"
	case Sites:
		return "dcim.site"
	case Locations:
		return "dcim.location"
	case Tenants:
		return "tenancy.tenant"
	case Tags:
		return "extras.tag"
	case Contexts:
		return "extras.configcontext"
	case CustomFields:
		return "extras.customfield"
	case ObjectChanges:
		return "core.objectchange"
	case tokens:
		return "users.token"
	case Roles:
		return "ipam.role"
	case Journal:
		return "extras.journalentry"
	case ChoiceSets:
		return "extras.customfieldchoiceset"
	case SavedFilters:
		return "extras.savedfilter"
	case CustomLinks:
		return "extras.customlink"
	case TableConfigs:
		return "extras.tableconfig"
	}
	return ""
}

// Nouns names several objects for people.
func (e Table) Nouns() string {
	switch noun := e.Noun(); noun[len(noun)-1] {
	case 's', 'x':
		return noun + "es"
	case 'y':
		return noun[:len(noun)-1] + "ies"
	default:
		return noun + "s"
	}
}

// noun names one object for people.
func (e Table) Noun() string {
	switch e {
	case VRFs:
		return "VRF"
	case Prefixes:
		return "prefix"
	case Ranges:
		return "IP range"
	case Addresses:
		return "IP address"
	case MACs:
		return "MAC address"
	case Interfaces:
		return "interface"
	case VMInterfaces:
		return "VM interface"
	case Devices:
		return "device"
	case VMs:
		return "virtual machine"
	case Regions:
		return "region"
	case SiteGroups:
		return "site group"
	case Sites:
		return "site"
	case Locations:
		return "location"
	case Tenants:
		return "tenant"
	case Tags:
		return "tag"
	case Contexts:
		return "config context"
	case CustomFields:
		return "custom field"
	case ObjectChanges:
		return "change record"
	case Roles:
		return "IPAM role"
	case Journal:
		return "journal entry"
	case ChoiceSets:
		return "choice set"
	case SavedFilters:
		return "saved filter"
	case CustomLinks:
		return "custom link"
	case TableConfigs:
		return "table config"
	}
	return string(e)
}
