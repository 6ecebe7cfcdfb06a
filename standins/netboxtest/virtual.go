package netboxtest

import "cmp"

const (
	clustersPath     = "virtualization/clusters"
	clusterTypesPath = "virtualization/cluster-types"
	machinesPath     = "virtualization/virtual-machines"
	vmInterfacesPath = "virtualization/interfaces"
)

func virtualModels() []*model {
	return []*model{
		namedModel(clusterTypesPath, "virtualization.clustertype", "ClusterType", "cluster type"),
		namedModel("virtualization/cluster-groups", "virtualization.clustergroup", "ClusterGroup", "cluster group"),
		clusterModel(), machineModel(), vmInterfaceModel(),
	}
}

func clusterModel() *model {
	fields := []field{textField("name", 100).must(), refField("type", clusterTypesPath).must().on(protect), refField("group", "virtualization/cluster-groups").on(protect),
		choiceField("status", "Cluster.status", "active"), refField("tenant", tenantsPath).on(protect)}
	fields = append(fields, genericFields("scope", cascade, "dcim.region", "dcim.sitegroup", "dcim.site", "dcim.location")...)
	return &model{path: clustersPath, label: "virtualization.cluster", class: "Cluster", verbose: "cluster", fields: commonFields(fields...),
		brief: []string{"name", "description"},
		computed: map[string]func(*txn, *row) any{"owner": ownerOf, "scope": func(t *txn, r *row) any { return t.generic(r, "scope") },
			"virtualmachine_count": countOf(machinesPath, "cluster"), "device_count": countOf(devicesPath, "cluster")},
		relations: map[string]filterFunc{"site_id": scopeFilter("dcim.site", true), "site": scopeFilter("dcim.site", false)},
		fixed:     fixedValues(map[string]any{}, "allocated_vcpus", "allocated_memory", "allocated_disk"),
		order:     byName,
		prepare: func(t *txn, r, _ *row) problems {
			bad := problems{}
			t.cleanScope(r, bad)
			return bad
		},
		search: []string{"name", "description"},
	}
}

func machineModel() *model {
	return &model{path: machinesPath, label: "virtualization.virtualmachine", class: "VirtualMachine", verbose: "virtual machine",
		fields: commonFields(textField("name", 64).must(), choiceField("status", "VirtualMachine.status", "active"), refField("site", sitesPath).on(protect),
			refField("cluster", clustersPath).on(protect), refField("device", devicesPath).on(protect), refField("role", rolesPath).on(protect),
			refField("tenant", tenantsPath).on(protect), refField("platform", platformsPath), refField("primary_ip4", addressesPath),
			refField("primary_ip6", addressesPath), textField("serial", 50), docField("local_context_data")),
		brief: []string{"name", "description"},
		computed: map[string]func(*txn, *row) any{"owner": ownerOf, "config_context": renderedContext(machinesPath), "primary_ip": primaryIP,
			"primary_ip4": primaryIPField("primary_ip4"), "primary_ip6": primaryIPField("primary_ip6"),
			"interface_count": countOf(vmInterfacesPath, "virtual_machine")},
		filters: map[string]filterFunc{"mac_address": ownedMACs(vmInterfacesPath, "virtual_machine"), "has_primary_ip": hasPrimary},
		fixed: fixedValues(map[string]any{"virtual_disk_count": 0, "start_on_boot": sinceMinor{5, map[string]any{"value": "off", "label": "Off"}},
			"virtual_machine_type": sinceMinor{6, nil}}, "vcpus", "memory", "disk", "config_template"),
		order: byName, prepare: cleanMachine, search: []string{"name", "description", "serial"},
	}
}

func cleanMachine(t *txn, r, _ *row) problems {
	bad := problems{}
	cluster := t.get(clustersPath, r.ref("cluster"))
	if cluster != nil {
		if site := t.scopeOf(cluster, "dcim.site"); site != 0 && r.ref("site") == 0 {
			r.cols["site"] = site
		} else if site != 0 && site != r.ref("site") {
			bad.add("cluster", "The selected cluster (%s) is not assigned to this site (%s).", cluster.str("name"), t.get(sitesPath, r.ref("site")).str("name"))
		}
	}
	v := t.s.config.Version
	host := t.get(devicesPath, r.ref("device"))
	if host != nil && v.atLeast(6) && r.ref("site") == 0 {
		r.cols["site"] = host.ref("site")
	}
	switch nowhere := cluster == nil && r.ref("site") == 0; {
	case nowhere && v.atLeast(6):
		bad.add("__all__", "A virtual machine must be assigned to a site, cluster, or device.")
	case nowhere:
		bad.add("cluster", "A virtual machine must be assigned to a site and/or cluster.")
	}
	if cluster != nil && t.hasTwin(machinesPath, r, "cluster", "tenant") {
		text := "Virtual machine name must be unique per cluster."
		if v.atLeast(7) || v.atLeast(6) && r.ref("tenant") != 0 {
			text = "Virtual machine name must be unique per cluster and tenant."
		}
		bad.add("__all__", "%s", text)
	}
	t.cleanPrimaries(r, vmInterfacesPath, "virtual_machine", bad)
	cleanContextData(r, "local_context_data", bad)
	return bad
}

func vmInterfaceModel() *model {
	return &model{path: vmInterfacesPath, label: "virtualization.vminterface", class: "VMInterface", verbose: "interface",
		fields: []field{refField("virtual_machine", machinesPath).must().on(cascade), textField("name", 64).must(), flagField("enabled", true),
			refField("parent", vmInterfacesPath).as("virtual_machine", "name"), refField("bridge", vmInterfacesPath).as("virtual_machine", "name"), numberField("mtu"), refField("primary_mac_address", macsPath),
			textField("description", 200), {name: "mode", kind: choice, set: "Interface.mode", nullable: true, blank: true}, refField("vrf", vrfsPath), shortcutMAC()},
		brief: []string{"virtual_machine", "name", "description"},
		computed: map[string]func(*txn, *row) any{"owner": ownerOf, "mac_address": primaryMAC, "mac_addresses": shownMACs(vmInterfacesPath),
			"count_ipaddresses": assignedCount(addressesPath, "virtualization.vminterface")},
		filters: map[string]filterFunc{"mac_address": interfaceMACFilter(vmInterfacesPath)},
		order: func(_ *txn, a, b *row) int {
			return cmp.Or(cmp.Compare(a.ref("virtual_machine"), b.ref("virtual_machine")), cmp.Compare(a.str("name"), b.str("name")))
		},
		fixed: fixedValues(map[string]any{"tagged_vlans": []any{}, "count_fhrp_groups": 0}, "untagged_vlan", "qinq_svlan",
			"vlan_translation_policy", "l2vpn_termination"),
		relations: map[string]filterFunc{"primary_mac_address": primaryMACFilter},
		prepare:   cleanInterface("virtual_machine", vmInterfacesPath), saved: saveShortcutMAC("virtualization.vminterface"),
		search: []string{"name", "description"},
	}
}
