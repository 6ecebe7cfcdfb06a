package follow

import (
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
)

// newShape gives an empty row of a table. The fields asked for are those of
// the shape, see columns.
func newShape(table netbox.Table) shape {
	switch table {
	case netbox.VRFs:
		return new(vrfRow)
	case netbox.Prefixes:
		return new(prefixRow)
	case netbox.Ranges:
		return new(rangeRow)
	case netbox.Addresses:
		return new(addressRow)
	case netbox.MACs:
		return new(macRow)
	case netbox.Interfaces:
		return new(interfaceRow)
	case netbox.VMInterfaces:
		return new(vmInterfaceRow)
	case netbox.Devices:
		return &machineRow{kind: ipam.Device}
	case netbox.VMs:
		return &machineRow{kind: ipam.VirtualMachine}
	case netbox.Tags:
		return new(tagRow)
	case netbox.Regions, netbox.SiteGroups:
		return new(nestedRow)
	case netbox.Sites:
		return new(siteRow)
	case netbox.Locations:
		return new(locationRow)
	case netbox.Tenants:
		return new(tenantRow)
	case netbox.Contexts:
		return new(contextRow)
	}
	return new(bareRow)
}

// columns lists what is asked of a table. Nested objects that NetBox does not
// prefetch cost a query a row and are left out (NB-1.7).
func columns(table netbox.Table) string {
	switch table {
	case netbox.VRFs:
		return "id,name,rd"
	case netbox.Prefixes:
		return "id,prefix,vrf,status,scope_type,scope_id,tenant,vlan,tags,last_updated"
	case netbox.Ranges:
		return "id,start_address,end_address,vrf,status,role,tags,mark_populated,custom_fields"
	case netbox.Addresses:
		return "id,address,vrf,status,role,assigned_object_type,assigned_object_id,dns_name,tags,custom_fields,created,last_updated"
	case netbox.MACs:
		return "id,mac_address,assigned_object_type,assigned_object_id,last_updated"
	case netbox.Interfaces:
		return "id,name,device,lag,bridge,parent,last_updated"
	case netbox.VMInterfaces:
		return "id,name,virtual_machine,bridge,parent,last_updated"
	case netbox.Devices:
		return "id,name,serial,primary_ip4,config_context,custom_fields,last_updated"
	case netbox.VMs:
		return "id,name,primary_ip4,config_context,custom_fields,last_updated"
	case netbox.Tags:
		return "id,name,slug"
	case netbox.Regions, netbox.SiteGroups:
		return "id,name,parent"
	case netbox.Sites:
		return "id,name,region,group,tenant"
	case netbox.Locations:
		return "id,name,site,parent"
	case netbox.Tenants:
		return "id,name,group"
	case netbox.Contexts:
		return "id,name,weight,is_active,data,regions,site_groups,sites,locations,tenants,tenant_groups," +
			"device_types,roles,platforms,cluster_types,cluster_groups,clusters,tags,last_updated"
	}
	return "id,last_updated"
}

// bareRow is any row of which only the head matters.
type bareRow struct{ netbox.RowHead }

func (r *bareRow) value(*decoder) (any, error) { return nil, nil }
