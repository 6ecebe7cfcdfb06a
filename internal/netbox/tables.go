package netbox

import "github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"

// smallTables are read whole in every poll: their rows change without a trace
// in the rows that point at them, and they are small.
func smallTables() []endpoint {
	return []endpoint{vrfs, tags, regions, siteGroups, sites, locations, tenants, contexts, prefixes, ranges}
}

// followedTables are refreshed by asking what changed.
func followedTables() []endpoint {
	return []endpoint{addresses, macs, interfaces, vmInterfaces, devices, vms}
}

// shapesContexts says whether a change of the table can change the rendered
// config context of a machine whose own row stays as it is.
func shapesContexts(e endpoint) bool {
	switch e {
	case tags, regions, siteGroups, sites, locations, tenants, contexts:
		return true
	}
	return false
}

func interfacesOf(k ipam.Kind) endpoint {
	if k == ipam.VirtualMachine {
		return vmInterfaces
	}
	return interfaces
}

func machinesOf(k ipam.Kind) endpoint {
	if k == ipam.VirtualMachine {
		return vms
	}
	return devices
}

// twin is the list that fills the same table; empty: none.
func twin(e endpoint) endpoint {
	switch e {
	case interfaces:
		return vmInterfaces
	case vmInterfaces:
		return interfaces
	case devices:
		return vms
	case vms:
		return devices
	}
	return ""
}
