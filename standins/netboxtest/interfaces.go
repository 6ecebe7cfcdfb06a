package netboxtest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
)

func (t *txn) interfaceMACs(path string, i *row) []string {
	var macs []string
	for _, m := range t.assignedMACs(path, i) {
		macs = append(macs, m.str("mac_address"))
	}
	return macs
}

func (t *txn) assignedMACs(path string, i *row) []*row {
	label := t.table(path).model.label
	return slices.DeleteFunc(t.all(macsPath), func(m *row) bool {
		return m.str("assigned_object_type") != label || m.ref("assigned_object_id") != i.id
	})
}

func interfaceModel() *model {
	m := &model{path: interfacesPath, label: "dcim.interface", class: "Interface", verbose: "interface",
		fields: []field{refField("device", devicesPath).must().on(cascade), textField("name", 64).must(), textField("label", 64),
			{name: "type", kind: choice, set: "Interface.type", required: true}, flagField("enabled", true), refField("parent", interfacesPath).as("device", "name", "cable", "_occupied"),
			refField("bridge", interfacesPath).as("device", "name", "cable", "_occupied"), refField("lag", interfacesPath).as("device", "name", "cable", "_occupied"), numberField("mtu"), refField("primary_mac_address", macsPath),
			flagField("mgmt_only", false), textField("description", 200), {name: "mode", kind: choice, set: "Interface.mode", nullable: true, blank: true},
			flagField("mark_connected", false), refField("vrf", vrfsPath)},
		brief: []string{"device", "name", "description", "cable", "_occupied"},
		computed: endColumns("dcim.interface", map[string]func(*txn, *row) any{"owner": ownerOf, "mac_address": primaryMAC, "mac_addresses": shownMACs(interfacesPath),
			"count_ipaddresses": assignedCount(addressesPath, "dcim.interface")}),
		filters: map[string]filterFunc{"mac_address": interfaceMACFilter(interfacesPath)},
		order: func(_ *txn, a, b *row) int {
			return cmp.Or(cmp.Compare(a.ref("device"), b.ref("device")), cmp.Compare(a.str("name"), b.str("name")))
		},
		fixed: fixedValues(map[string]any{"vdcs": []any{}, "tagged_vlans": []any{}, "wireless_lans": []any{}, "count_fhrp_groups": 0, "bridge_interfaces": sinceMinor{4, []any{}},
			"channels": sinceMinor{7, nil}, "channel_id": sinceMinor{7, nil}},
			"module", "speed", "duplex", "wwn", "rf_role", "rf_channel", "poe_mode", "poe_type", "rf_channel_frequency", "rf_channel_width",
			"tx_power", "untagged_vlan", "qinq_svlan", "vlan_translation_policy", "wireless_link", "l2vpn_termination"),
		relations: map[string]filterFunc{"primary_mac_address": primaryMACFilter},
		prepare:   cleanInterface("device", interfacesPath), saved: saveShortcutMAC("dcim.interface"), search: []string{"name", "label", "description"},
	}
	m.fields = append(m.fields, shortcutMAC())
	return m
}

// primaryMACFilter matches interfaces by their designated MAC.
func primaryMACFilter(t *txn, values []string) (test, string) {
	return macFilter(func(t *txn, r *row) []string {
		mac, _ := primaryMAC(t, r).(string)
		return []string{mac}
	})(t, values)
}

// unset is the value of a column that only a request carries.
type unset struct{}

// shortcutMAC is the writable mac_address of 4.7: it creates or designates the primary MAC; null takes the designation off.
func shortcutMAC() field {
	return field{name: "mac_address", kind: hardware, nullable: true, hidden: true, since: 7, def: unset{}}
}

// primaryMAC is null unless a primary MAC is designated, even if others are assigned.
func primaryMAC(t *txn, r *row) any {
	if m := t.get(macsPath, r.ref("primary_mac_address")); m != nil {
		return m.str("mac_address")
	}
	return nil
}

func shownMACs(path string) func(*txn, *row) any {
	return func(t *txn, r *row) any {
		list := []any{}
		macs := t.assignedMACs(path, r)
		slices.SortStableFunc(macs, func(a, b *row) int { return cmp.Compare(a.str("mac_address"), b.str("mac_address")) })
		for _, m := range macs {
			list = append(list, t.nested(macsPath, m.id))
		}
		return list
	}
}

func assignedCount(path, label string) func(*txn, *row) any {
	return func(t *txn, r *row) any {
		n := 0
		for _, other := range t.all(path) {
			if other.str("assigned_object_type") == label && other.ref("assigned_object_id") == r.id {
				n++
			}
		}
		return n
	}
}

func interfaceMACFilter(path string) filterFunc {
	return macFilter(func(t *txn, r *row) []string { return t.interfaceMACs(path, r) })
}

// cleanInterface checks the name within its owner and the designated MAC.
func cleanInterface(owner, path string) func(t *txn, r, old *row) problems {
	return func(t *txn, r, old *row) problems {
		bad := problems{}
		for _, other := range t.all(path) {
			if other.id != r.id && other.ref(owner) == r.ref(owner) && other.str("name") == r.str("name") {
				bad.add("__all__", "%s with this %s and Name already exists.", capital(t.table(path).model.verbose), capital(spaced(owner)))
				break
			}
		}
		for _, column := range []string{"parent", "bridge", "lag"} {
			if other := t.get(path, r.ref(column)); other != nil && other.ref(owner) != r.ref(owner) {
				bad.add(column, "The selected %s interface (%s) belongs to a different device (%s).", column, other.str("name"),
					t.display(t.table(devicesPath).model, t.get(devicesPath, other.ref(owner))))
			}
		}
		if r.id != 0 && r.ref("lag") == r.id {
			bad.add("lag", "A LAG interface cannot be its own parent.")
		}
		if r.str("type") == "virtual" && r.ref("lag") != 0 {
			bad.add("lag", "Virtual interfaces cannot have a parent LAG interface.")
		}
		t.cleanPrimaryMAC(path, r, old, bad)
		t.cleanShortcutMAC(r, old, bad)
		return bad
	}
}

// saveShortcutMAC makes a written mac_address the primary MAC of the interface, and gives a new one its primary MAC.
func saveShortcutMAC(label string) func(t *txn, r, old *row) {
	return func(t *txn, r, old *row) {
		if old == nil {
			t.adoptPrimary(label, r)
		}
		wanted := r.cols["mac_address"]
		if wanted == (unset{}) {
			return
		}
		m := t.s.labelled(label)
		changed := r.clone()
		changed.cols["mac_address"], changed.cols["primary_mac_address"] = unset{}, nil
		t.put(m.path, changed)
		if mac, ok := wanted.(string); ok {
			changed = changed.clone()
			changed.cols["primary_mac_address"] = t.macFor(m, r, mac)
			t.put(m.path, changed)
		}
		t.logChange(m, "update", r, changed, "")
	}
}

// adoptPrimary assigns the primary MAC of a new interface to it.
func (t *txn) adoptPrimary(label string, r *row) {
	mac := t.get(macsPath, r.ref("primary_mac_address"))
	if mac == nil || t.assignee(mac) != nil {
		return
	}
	changed := mac.clone()
	changed.cols["assigned_object_type"], changed.cols["assigned_object_id"], changed.updated = label, r.id, t.now()
	t.put(macsPath, changed)
	t.logChange(t.table(macsPath).model, "update", mac, changed, "")
}

// macFor finds the interface's MAC object of that address, or makes one.
func (t *txn) macFor(m *model, r *row, wanted string) int64 {
	for _, mac := range t.assignedMACs(m.path, r) {
		if mac.str("mac_address") == wanted {
			return mac.id
		}
	}
	made, bad, no := t.insert(t.table(macsPath).model, map[string]any{"mac_address": wanted, "assigned_object_type": m.label,
		"assigned_object_id": json.Number(strconv.FormatInt(r.id, 10))})
	if made == nil {
		panic(fmt.Sprintf("MAC of an interface: %v %v", bad, no))
	}
	return made.id
}

// cleanPrimaryMAC refuses a primary MAC of another interface. A new interface may take one that is assigned to nothing,
// before 4.7 an old one too.
func (t *txn) cleanPrimaryMAC(path string, r, old *row, bad problems) {
	primary := t.get(macsPath, r.ref("primary_mac_address"))
	if primary == nil {
		return
	}
	v := t.s.config.Version
	mine := primary.str("assigned_object_type") == t.table(path).model.label && primary.ref("assigned_object_id") == r.id
	other := t.assignee(primary)
	switch {
	case mine || other == nil && v.atLeast(4) && (old == nil || !v.atLeast(7)):
	case !v.atLeast(4):
		bad.add("primary_mac_address", "MAC address %s is not assigned to this interface.", primary.str("mac_address"))
	case other == nil:
		bad.add("__all__", "Only a MAC address assigned to this interface can be its primary MAC address.")
	default:
		key := "primary_mac_address"
		if v.atLeast(7) {
			key = "__all__"
		}
		bad.add(key, "MAC address %s is assigned to a different interface (%s).", primary.str("mac_address"), other.str("name"))
	}
}

// cleanShortcutMAC refuses a mac_address that contradicts the primary MAC sent with it.
func (t *txn) cleanShortcutMAC(r, old *row, bad problems) {
	wanted, given := r.cols["mac_address"].(string)
	if !given || old != nil && old.ref("primary_mac_address") == r.ref("primary_mac_address") {
		return
	}
	if primary := t.get(macsPath, r.ref("primary_mac_address")); primary != nil && primary.str("mac_address") != wanted {
		bad.add("__all__", "The provided 'mac_address' and 'primary_mac_address' values conflict.")
	}
}
