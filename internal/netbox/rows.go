package netbox

import (
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// newShape gives an empty row of table e. The fields asked for are those of
// the shape, see columns.
func newShape(e endpoint) shape {
	switch e {
	case vrfs:
		return new(vrfRow)
	case prefixes:
		return new(prefixRow)
	case ranges:
		return new(rangeRow)
	case addresses:
		return new(addressRow)
	case macs:
		return new(macRow)
	case interfaces:
		return new(interfaceRow)
	case vmInterfaces:
		return new(vmInterfaceRow)
	case devices:
		return &machineRow{kind: ipam.Device}
	case vms:
		return &machineRow{kind: ipam.VirtualMachine}
	case tags:
		return new(tagRow)
	case regions, siteGroups:
		return new(nestedRow)
	case sites:
		return new(siteRow)
	case locations:
		return new(locationRow)
	case tenants:
		return new(tenantRow)
	case contexts:
		return new(contextRow)
	}
	return new(bareRow)
}

// columns lists what is asked of table e. Nested objects that NetBox does not
// prefetch cost a query a row and are left out (netbox-api.md 1.7).
func columns(e endpoint) string {
	switch e {
	case vrfs:
		return "id,name,rd"
	case prefixes:
		return "id,prefix,vrf,status,scope_type,scope_id,tenant,last_updated"
	case ranges:
		return "id,start_address,end_address,vrf,status,tags"
	case addresses:
		return "id,address,vrf,status,role,assigned_object_type,assigned_object_id,tags,custom_fields,last_updated"
	case macs:
		return "id,mac_address,assigned_object_type,assigned_object_id,last_updated"
	case interfaces:
		return "id,name,device,lag,last_updated"
	case vmInterfaces:
		return "id,name,virtual_machine,last_updated"
	case devices, vms:
		return "id,name,primary_ip4,config_context,custom_fields,last_updated"
	case tags:
		return "id,name,slug"
	case regions, siteGroups:
		return "id,name,parent"
	case sites:
		return "id,name,region,group,tenant"
	case locations:
		return "id,name,site,parent"
	case tenants:
		return "id,name,group"
	case contexts:
		return "id,name,weight,data,regions,site_groups,sites,locations,tenants,tenant_groups," +
			"device_types,roles,platforms,cluster_types,cluster_groups,clusters,tags,last_updated"
	}
	return "id,last_updated"
}

// bareRow is any row of which only the head matters.
type bareRow struct{ rowHead }

func (r *bareRow) value(*decoder) (any, error) { return nil, nil }
