package netbox

// Table is the path of a list below /api/.
type Table string

type endpoint = Table

// The lists this package reads or fills.
const (
	vrfs          endpoint = "ipam/vrfs"
	prefixes      endpoint = "ipam/prefixes"
	ranges        endpoint = "ipam/ip-ranges"
	addresses     endpoint = "ipam/ip-addresses"
	macs          endpoint = "dcim/mac-addresses"
	interfaces    endpoint = "dcim/interfaces"
	vmInterfaces  endpoint = "virtualization/interfaces"
	devices       endpoint = "dcim/devices"
	vms           endpoint = "virtualization/virtual-machines"
	regions       endpoint = "dcim/regions"
	siteGroups    endpoint = "dcim/site-groups"
	sites         endpoint = "dcim/sites"
	locations     endpoint = "dcim/locations"
	tenants       endpoint = "tenancy/tenants"
	tags          endpoint = "extras/tags"
	contexts      endpoint = "extras/config-contexts"
	customFields  endpoint = "extras/custom-fields"
	objectChanges endpoint = "core/object-changes"
	tokens        endpoint = "users/tokens"
	status        endpoint = "status"
	roles         endpoint = "ipam/roles"
	journal       endpoint = "extras/journal-entries"
	choiceSets    endpoint = "extras/custom-field-choice-sets"
	savedFilters  endpoint = "extras/saved-filters"
	customLinks   endpoint = "extras/custom-links"
	tableConfigs  endpoint = "extras/table-configs"
)

// model names the object type as permissions, webhooks and the change log do.
func (e endpoint) model() string {
	switch e {
	case vrfs:
		return "ipam.vrf"
	case prefixes:
		return "ipam.prefix"
	case ranges:
		return "ipam.iprange"
	case addresses:
		return "ipam.ipaddress"
	case macs:
		return "dcim.macaddress"
	case interfaces:
		return "dcim.interface"
	case vmInterfaces:
		return "virtualization.vminterface"
	case devices:
		return "dcim.device"
	case vms:
		return "virtualization.virtualmachine"
	case regions:
		return "dcim.region"
	case siteGroups:
		return "dcim.sitegroup"
	case sites:
		return "dcim.site"
	case locations:
		return "dcim.location"
	case tenants:
		return "tenancy.tenant"
	case tags:
		return "extras.tag"
	case contexts:
		return "extras.configcontext"
	case customFields:
		return "extras.customfield"
	case objectChanges:
		return "core.objectchange"
	case tokens:
		return "users.token"
	case roles:
		return "ipam.role"
	case journal:
		return "extras.journalentry"
	case choiceSets:
		return "extras.customfieldchoiceset"
	case savedFilters:
		return "extras.savedfilter"
	case customLinks:
		return "extras.customlink"
	case tableConfigs:
		return "extras.tableconfig"
	}
	return ""
}

// noun names one object for people.
func (e endpoint) noun() string {
	switch e {
	case vrfs:
		return "VRF"
	case prefixes:
		return "prefix"
	case ranges:
		return "IP range"
	case addresses:
		return "IP address"
	case macs:
		return "MAC address"
	case interfaces:
		return "interface"
	case vmInterfaces:
		return "VM interface"
	case devices:
		return "device"
	case vms:
		return "virtual machine"
	case regions:
		return "region"
	case siteGroups:
		return "site group"
	case sites:
		return "site"
	case locations:
		return "location"
	case tenants:
		return "tenant"
	case tags:
		return "tag"
	case contexts:
		return "config context"
	case customFields:
		return "custom field"
	case objectChanges:
		return "change record"
	case roles:
		return "IPAM role"
	case journal:
		return "journal entry"
	case choiceSets:
		return "choice set"
	case savedFilters:
		return "saved filter"
	case customLinks:
		return "custom link"
	case tableConfigs:
		return "table config"
	}
	return string(e)
}
