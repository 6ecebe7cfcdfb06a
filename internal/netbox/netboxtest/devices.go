package netboxtest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
)

const (
	devicesPath    = "dcim/devices"
	interfacesPath = "dcim/interfaces"
	macsPath       = "dcim/mac-addresses"
	rolesPath      = "dcim/device-roles"
	typesPath      = "dcim/device-types"
	platformsPath  = "dcim/platforms"
)

func deviceModels() []*model {
	return []*model{manufacturerModel(), deviceTypeModel(), roleModel(), platformModel(), deviceModel(), interfaceModel(), macModel()}
}

func namedModel(path, label, class, verbose string, more ...field) *model {
	return &model{path: path, label: label, class: class, verbose: verbose,
		fields: append([]field{textField("name", 100).must().uniq(), textField("slug", 100).must().uniq(), textField("description", 200)}, more...),
		brief:  []string{"name", "slug", "description"}, computed: map[string]func(*txn, *row) any{"owner": ownerOf}, order: byName,
		search: []string{"name", "slug", "description"}}
}

func manufacturerModel() *model {
	return namedModel("dcim/manufacturers", "dcim.manufacturer", "Manufacturer", "manufacturer")
}

func deviceTypeModel() *model {
	return &model{path: typesPath, label: "dcim.devicetype", class: "DeviceType", verbose: "device type",
		fields: commonFields(refField("manufacturer", "dcim/manufacturers").must().on(protect), textField("model", 100).must(), textField("slug", 100).must(),
			textField("part_number", 50), field{name: "u_height", kind: decimal, def: 1.0}, flagField("is_full_depth", true)),
		brief:    []string{"manufacturer", "model", "slug", "description", "device_count"},
		display:  func(_ *txn, r *row) string { return r.str("model") },
		computed: map[string]func(*txn, *row) any{"owner": ownerOf, "device_count": countOf(devicesPath, "device_type")},
		order:    func(_ *txn, a, b *row) int { return cmp.Compare(a.str("model"), b.str("model")) }}
}

// roleModel is the device role, which nests from 4.3 on.
func roleModel() *model {
	m := namedModel(rolesPath, "dcim.devicerole", "DeviceRole", "device role", textField("color", 6), flagField("vm_role", true),
		refField("parent", rolesPath).on(cascade).from(3), textField("comments", 0).from(3))
	m.brief = append(m.brief, "device_count", "virtualmachine_count", "_depth")
	m.computed["_depth"] = func(t *txn, r *row) any {
		if !t.s.config.Version.atLeast(3) {
			return absent{}
		}
		return depthOf(rolesPath)(t, r)
	}
	m.computed["device_count"] = countOf(devicesPath, "role")
	m.computed["virtualmachine_count"] = countOf(machinesPath, "role")
	return m
}

func platformModel() *model {
	m := namedModel(platformsPath, "dcim.platform", "Platform", "platform", refField("manufacturer", "dcim/manufacturers").on(protect),
		refField("parent", platformsPath).on(cascade).from(4), textField("comments", 0).from(4))
	m.brief = append(m.brief, "device_count", "virtualmachine_count", "_depth")
	m.computed["_depth"] = func(t *txn, r *row) any {
		if !t.s.config.Version.atLeast(4) {
			return absent{}
		}
		return depthOf(platformsPath)(t, r)
	}
	m.computed["device_count"] = countOf(devicesPath, "platform")
	m.computed["virtualmachine_count"] = countOf(machinesPath, "platform")
	return m
}

func deviceModel() *model {
	return &model{path: devicesPath, label: "dcim.device", class: "Device", verbose: "device",
		fields: commonFields(textField("name", 64).orNull(), refField("device_type", typesPath).must().on(protect), refField("role", rolesPath).must().on(protect),
			refField("tenant", tenantsPath).on(protect), refField("platform", platformsPath), textField("serial", 50), textField("asset_tag", 50).orNull().uniq(),
			refField("site", sitesPath).must().on(protect), refField("location", locationsPath).on(protect), choiceField("status", "Device.status", "active"),
			refField("primary_ip4", addressesPath), refField("primary_ip6", addressesPath), refField("oob_ip", addressesPath),
			refField("cluster", clustersPath), docField("local_context_data")),
		brief:   []string{"name", "description"},
		display: displayDevice,
		computed: map[string]func(*txn, *row) any{"owner": ownerOf, "config_context": renderedContext(devicesPath), "primary_ip": primaryIP,
			"primary_ip4": primaryIPField("primary_ip4"), "primary_ip6": primaryIPField("primary_ip6"), "oob_ip": primaryIPField("oob_ip"),
			"rack": func(*txn, *row) any { return nil }, "virtual_chassis": func(*txn, *row) any { return nil },
			"parent_device": func(*txn, *row) any { return nil }, "interface_count": countOf(interfacesPath, "device")},
		filters:   map[string]filterFunc{"mac_address": ownedMACs(interfacesPath, "device"), "has_primary_ip": hasPrimary},
		relations: map[string]filterFunc{"region_id": siteTreeFilter("region", regionsPath), "site_group_id": siteTreeFilter("group", siteGroupsPath)},
		order:     func(_ *txn, a, b *row) int { return compareValues(a.cols["name"], b.cols["name"]) },
		prepare:   cleanDevice, search: []string{"name", "serial", "asset_tag", "description"},
	}
}

func displayDevice(t *txn, r *row) string {
	if name := r.str("name"); name != "" {
		return name
	}
	return t.display(t.table(typesPath).model, t.get(typesPath, r.ref("device_type")))
}

// primaryIP prefers IPv4 only if PREFER_IPV4 is set; stock NetBox prefers IPv6.
func primaryIP(t *txn, r *row) any {
	if r.ref("primary_ip6") != 0 {
		return primaryIPField("primary_ip6")(t, r)
	}
	return primaryIPField("primary_ip4")(t, r)
}

// primaryIPField shows an address as devices and VMs do: briefly, with its NAT and, from 4.7 on, its DNS name.
func primaryIPField(column string) func(*txn, *row) any {
	return func(t *txn, r *row) any {
		a := t.get(addressesPath, r.ref(column))
		if a == nil {
			return nil
		}
		m := t.table(addressesPath).model
		return t.render(m, a, func(name string) bool {
			return m.isBrief(name) || name == "nat_inside" || name == "nat_outside" || name == "dns_name" && t.s.config.Version.atLeast(7)
		})
	}
}

func refFilterFor(column, path string, byID bool) filterFunc {
	return refFilter(&field{name: column, kind: single, to: path}, byID, "")
}

func hasPrimary(_ *txn, values []string) (test, string) {
	return func(r *row) bool {
		return (r.ref("primary_ip4") != 0 || r.ref("primary_ip6") != 0) == (values[0] == "true")
	}, ""
}

// siteTreeFilter matches devices and VMs by a region or group of their site, descendants included.
func siteTreeFilter(column, path string) filterFunc {
	return func(t *txn, values []string) (test, string) {
		ok, message := refFilterFor(column, path, true)(t, values)
		return func(r *row) bool {
			site := t.get(sitesPath, r.ref("site"))
			return site != nil && ok(site)
		}, message
	}
}

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

func cleanDevice(t *txn, r, _ *row) problems {
	bad := problems{}
	if loc := t.get(locationsPath, r.ref("location")); loc != nil && loc.ref("site") != r.ref("site") {
		bad.add("location", "Location %s does not belong to site %s.", loc.str("name"), t.get(sitesPath, r.ref("site")).str("name"))
	}
	for _, other := range t.all(devicesPath) {
		if name := r.str("name"); other.id != r.id && name != "" && other.str("name") == name && other.ref("site") == r.ref("site") &&
			other.ref("tenant") == r.ref("tenant") {
			bad.add("__all__", "Device name must be unique per site.")
			break
		}
	}
	t.cleanPrimaries(r, interfacesPath, "device", bad)
	cleanContextData(r, "local_context_data", bad)
	return bad
}

// cleanPrimaries checks that primary addresses have the right family and belong to the device or VM.
func (t *txn) cleanPrimaries(r *row, path, column string, bad problems) {
	for _, name := range []string{"primary_ip4", "primary_ip6", "oob_ip"} {
		a := t.get(addressesPath, r.ref(name))
		if a == nil {
			continue
		}
		p := a.prefix("address")
		if name == "primary_ip4" && !p.Addr().Is4() {
			bad.add(name, "%s is not an IPv4 address.", p)
		} else if name == "primary_ip6" && p.Addr().Is4() {
			bad.add(name, "%s is not an IPv6 address.", p)
		} else if !t.hasAddress(r, a, path, column) {
			bad.add(name, "The specified IP address (%s) is not assigned to this %s.", p, t.ownerWord(path))
		}
	}
}

func (t *txn) ownerWord(path string) string {
	if path == interfacesPath {
		return "device"
	}
	return "VM"
}

// hasAddress reports whether an address, or the inside of its NAT, is assigned to an interface of the device or VM.
func (t *txn) hasAddress(r, a *row, path, column string) bool {
	for _, candidate := range []*row{a, t.get(addressesPath, a.ref("nat_inside"))} {
		if candidate == nil || candidate.str("assigned_object_type") != t.table(path).model.label {
			continue
		}
		if i := t.get(path, candidate.ref("assigned_object_id")); i != nil && i.ref(column) == r.id && r.id != 0 {
			return true
		}
	}
	return false
}

func cleanContextData(r *row, column string, bad problems) {
	if v := r.cols[column]; v != nil {
		if _, ok := v.(map[string]any); !ok {
			bad.add(column, `JSON data must be in object form. Example: {"foo": 123}`)
		}
	}
}

func interfaceModel() *model {
	m := &model{path: interfacesPath, label: "dcim.interface", class: "Interface", verbose: "interface",
		fields: []field{refField("device", devicesPath).must().on(cascade), textField("name", 64).must(), textField("label", 64),
			{name: "type", kind: choice, set: "Interface.type", required: true}, flagField("enabled", true), refField("parent", interfacesPath),
			refField("bridge", interfacesPath), refField("lag", interfacesPath), numberField("mtu"), refField("primary_mac_address", macsPath),
			flagField("mgmt_only", false), textField("description", 200), {name: "mode", kind: choice, set: "Interface.mode", nullable: true, blank: true},
			flagField("mark_connected", false), refField("vrf", vrfsPath)},
		brief: []string{"device", "name", "description", "cable", "_occupied"},
		computed: map[string]func(*txn, *row) any{"owner": ownerOf, "mac_address": primaryMAC, "mac_addresses": shownMACs(interfacesPath),
			"cable": func(*txn, *row) any { return nil }, "_occupied": func(_ *txn, r *row) any { return r.flag("mark_connected") },
			"count_ipaddresses": assignedCount(addressesPath, "dcim.interface")},
		filters: map[string]filterFunc{"mac_address": interfaceMACFilter(interfacesPath)},
		order: func(_ *txn, a, b *row) int {
			return cmp.Or(cmp.Compare(a.ref("device"), b.ref("device")), cmp.Compare(a.str("name"), b.str("name")))
		},
		prepare: cleanInterface("device", interfacesPath), saved: saveShortcutMAC("dcim.interface"), search: []string{"name", "label", "description"},
	}
	m.fields = append(m.fields, shortcutMAC)
	return m
}

// unset is the value of a column that only a request carries.
type unset struct{}

// shortcutMAC is the writable mac_address of 4.7: it creates or designates the primary MAC; null takes the designation off.
var shortcutMAC = field{name: "mac_address", kind: hardware, nullable: true, hidden: true, since: 7, def: unset{}}

// primaryMAC is null unless a primary MAC is designated, whatever else is assigned.
func primaryMAC(t *txn, r *row) any {
	if m := t.get(macsPath, r.ref("primary_mac_address")); m != nil {
		return m.str("mac_address")
	}
	return nil
}

func shownMACs(path string) func(*txn, *row) any {
	return func(t *txn, r *row) any {
		list := []any{}
		for _, m := range t.assignedMACs(path, r) {
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

func macModel() *model {
	fields := append([]field{{name: "mac_address", kind: hardware, required: true}},
		genericFields("assigned_object", cascade, "dcim.interface", "virtualization.vminterface")...)
	return &model{path: macsPath, label: "dcim.macaddress", class: "MACAddress", verbose: "MAC address", fields: commonFields(fields...),
		brief:   []string{"mac_address", "description"},
		display: func(_ *txn, r *row) string { return r.str("mac_address") },
		computed: map[string]func(*txn, *row) any{"owner": ownerOf, "is_primary": isPrimaryMAC,
			"assigned_object": func(t *txn, r *row) any { return t.generic(r, "assigned_object") }},
		relations: map[string]filterFunc{"interface_id": assignedFilter(interfacesPath), "vminterface_id": assignedFilter(vmInterfacesPath)},
		filters: map[string]filterFunc{"device_id": assignedToOwner(interfacesPath, "device", "id"), "virtual_machine_id": assignedToOwner(vmInterfacesPath, "virtual_machine", "id"),
			"device": assignedToOwner(interfacesPath, "device", "name"), "virtual_machine": assignedToOwner(vmInterfacesPath, "virtual_machine", "name"),
			"assigned": assignedFlag},
		order:   func(_ *txn, a, b *row) int { return cmp.Compare(a.str("mac_address"), b.str("mac_address")) },
		prepare: cleanMAC, search: []string{"mac_address", "description"},
	}
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
	t.cleanAssignment(r, bad)
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
