package follow

import (
	"slices"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
)

// Tables are all lists that a follower reads, the change log excepted.
func Tables() []netbox.Table { return append(smallTables(), followedTables()...) }

// smallTables are read whole in every poll: their rows change without a trace
// in the rows that point at them, and they are small.
func smallTables() []netbox.Table {
	return []netbox.Table{netbox.VRFs, netbox.Tags, netbox.Regions, netbox.SiteGroups, netbox.Sites, netbox.Locations, netbox.Tenants, netbox.Contexts, netbox.Prefixes, netbox.Ranges}
}

// unguardedTables are small tables that no refusal rests on.
func unguardedTables() []netbox.Table {
	return slices.DeleteFunc(smallTables(), func(table netbox.Table) bool { return slices.Contains(guardedTables(), table) })
}

// followedTables are refreshed by asking what changed.
func followedTables() []netbox.Table {
	return []netbox.Table{netbox.Addresses, netbox.MACs, netbox.Interfaces, netbox.VMInterfaces, netbox.Devices, netbox.VMs}
}

// shapesContexts says whether a change of the table can change the rendered
// config context of a machine whose own row stays as it is.
func shapesContexts(table netbox.Table) bool {
	switch table {
	case netbox.Tags, netbox.Regions, netbox.SiteGroups, netbox.Sites, netbox.Locations, netbox.Tenants, netbox.Contexts:
		return true
	}
	return false
}

// InterfacesOf is the list of the interfaces of devices, or of virtual machines.
func InterfacesOf(k ipam.Kind) netbox.Table {
	if k == ipam.VirtualMachine {
		return netbox.VMInterfaces
	}
	return netbox.Interfaces
}

func machinesOf(k ipam.Kind) netbox.Table {
	if k == ipam.VirtualMachine {
		return netbox.VMs
	}
	return netbox.Devices
}

// twin is the list that fills the same table; empty: none.
func twin(table netbox.Table) netbox.Table {
	switch table {
	case netbox.Interfaces:
		return netbox.VMInterfaces
	case netbox.VMInterfaces:
		return netbox.Interfaces
	case netbox.Devices:
		return netbox.VMs
	case netbox.VMs:
		return netbox.Devices
	}
	return ""
}
