package netboxtest

import (
	"cmp"
	"strings"
)

// ownedMACs matches devices and VMs by the MACs of their interfaces.
func ownedMACs(path, column string) filterFunc {
	return macFilter(func(t *txn, r *row) []string {
		var macs []string
		for _, i := range t.all(path) {
			if i.ref(column) == r.id {
				macs = append(macs, t.interfaceMACs(path, i)...)
			}
		}
		return macs
	})
}

func macModel() *model {
	fields := append([]field{{name: "mac_address", kind: hardware, required: true}},
		genericFields("assigned_object", cascade, "dcim.interface", "virtualization.vminterface")...)
	return &model{path: macsPath, label: "dcim.macaddress", class: "MACAddress", verbose: "MAC address", fields: commonFields(fields...),
		brief:   []string{"mac_address", "description"},
		display: func(_ *txn, r *row) string { return r.str("mac_address") },
		computed: map[string]func(*txn, *row) any{"owner": ownerOf, "is_primary": isPrimaryMAC,
			"assigned_object": func(t *txn, r *row) any { return t.generic(r, "assigned_object") }},
		relations: map[string]filterFunc{"interface": namedInterfaceFilter(interfacesPath), "vminterface": namedInterfaceFilter(vmInterfacesPath),
			"interface_id": assignedFilter(interfacesPath), "vminterface_id": assignedFilter(vmInterfacesPath)},
		filters: map[string]filterFunc{"device_id": assignedToOwner(interfacesPath, "device", "id"), "virtual_machine_id": assignedToOwner(vmInterfacesPath, "virtual_machine", "id"),
			"device": assignedToOwner(interfacesPath, "device", "name"), "virtual_machine": assignedToOwner(vmInterfacesPath, "virtual_machine", "name"),
			"assigned": assignedFlag, "primary": primaryFlag},
		order:   func(_ *txn, a, b *row) int { return cmp.Compare(a.str("mac_address"), b.str("mac_address")) },
		prepare: cleanMAC, search: []string{"mac_address", "description"},
	}
}

func primaryFlag(t *txn, values []string) (test, string) {
	return func(r *row) bool {
		i := t.assignee(r)
		return (i != nil && i.ref("primary_mac_address") == r.id) == strings.EqualFold(values[0], "true")
	}, ""
}

func isPrimaryMAC(t *txn, r *row) any {
	if !t.s.config.Version.atLeast(7) {
		return absent{}
	}
	i := t.assignee(r)
	return i != nil && i.ref("primary_mac_address") == r.id
}

// assignee is the interface a MAC or an address is assigned to.
func (t *txn) assignee(r *row) *row {
	m := t.s.labelled(r.str("assigned_object_type"))
	if m == nil {
		return nil
	}
	return t.get(m.path, r.ref("assigned_object_id"))
}

func cleanMAC(t *txn, r, old *row) problems {
	bad := problems{}
	t.cleanGeneric(r, "assigned_object", bad)
	if old == nil || len(bad) > 0 {
		return bad
	}
	was := t.assignee(old)
	moved := old.str("assigned_object_type") != r.str("assigned_object_type") || old.ref("assigned_object_id") != r.ref("assigned_object_id")
	if was != nil && was.ref("primary_mac_address") == r.id && moved {
		if r.ref("assigned_object_id") == 0 {
			bad.add("__all__", "Cannot unassign MAC Address while it is designated as the primary MAC for an object")
		} else {
			bad.add("__all__", "Cannot reassign MAC Address while it is designated as the primary MAC for an object")
		}
	}
	return bad
}
