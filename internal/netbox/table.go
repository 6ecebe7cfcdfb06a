package netbox

import "strings"

// Table is the path of a list below /api/.
type Table string

// The lists that this program uses.
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
	// The objects of cables are never read: what changes them is looked for in the change log.
	Cables Table = "dcim/cables"
)

// Model names the type of a list's objects as permissions, webhooks and the
// change log do: "ipam.ipaddress".
func (t Table) Model() string {
	model, _ := t.names()
	return model
}

// Noun names one object for people: "IP address".
func (t Table) Noun() string {
	_, noun := t.names()
	return noun
}

// Nouns names several objects for people.
func (t Table) Nouns() string {
	noun := t.Noun()
	if strings.HasSuffix(noun, "s") || strings.HasSuffix(noun, "x") {
		return noun + "es"
	}
	if stem, ok := strings.CutSuffix(noun, "y"); ok {
		return stem + "ies"
	}
	return noun + "s"
}

func (t Table) names() (model, noun string) {
	switch t {
	case VRFs:
		return "ipam.vrf", "VRF"
	case Prefixes:
		return "ipam.prefix", "prefix"
	case Ranges:
		return "ipam.iprange", "IP range"
	case Addresses:
		return "ipam.ipaddress", "IP address"
	case MACs:
		return "dcim.macaddress", "MAC address"
	case Interfaces:
		return "dcim.interface", "interface"
	case VMInterfaces:
		return "virtualization.vminterface", "VM interface"
	case Devices:
		return "dcim.device", "device"
	case VMs:
		return "virtualization.virtualmachine", "virtual machine"
	case Regions:
		return "dcim.region", "region"
	case SiteGroups:
		return "dcim.sitegroup", "site group"
	case Sites:
		return "dcim.site", "site"
	case Locations:
		return "dcim.location", "location"
	case Tenants:
		return "tenancy.tenant", "tenant"
	case Tags:
		return "extras.tag", "tag"
	case Contexts:
		return "extras.configcontext", "config context"
	case CustomFields:
		return "extras.customfield", "custom field"
	case ObjectChanges:
		return "core.objectchange", "change record"
	case tokens:
		return "users.token", string(t)
	case Roles:
		return "ipam.role", "IPAM role"
	case Journal:
		return "extras.journalentry", "journal entry"
	case ChoiceSets:
		return "extras.customfieldchoiceset", "choice set"
	case SavedFilters:
		return "extras.savedfilter", "saved filter"
	case CustomLinks:
		return "extras.customlink", "custom link"
	case TableConfigs:
		return "extras.tableconfig", "table config"
	case Cables:
		return "dcim.cable", "cable"
	}
	return "", string(t)
}
