package netboxtest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
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
		refField("parent", rolesPath).on(cascade).as("name").from(3), textField("comments", 0).from(3))
	m.brief = append(m.brief, "_depth")
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
		refField("parent", platformsPath).on(cascade).as("name").from(4), textField("comments", 0).from(4))
	m.brief = append(m.brief, "_depth")
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
			"primary_ip4": primaryIPField("primary_ip4"), "primary_ip6": primaryIPField("primary_ip6"), "oob_ip": primaryIPField("oob_ip"), "interface_count": countOf(interfacesPath, "device")},
		filters:   map[string]filterFunc{"mac_address": ownedMACs(interfacesPath, "device"), "has_primary_ip": hasPrimary},
		relations: map[string]filterFunc{"region_id": siteTreeFilter("region", regionsPath), "site_group_id": siteTreeFilter("group", siteGroupsPath)},
		order:     func(_ *txn, a, b *row) int { return compareValues(a.cols["name"], b.cols["name"]) },
		fixed: fixedValues(map[string]any{"console_port_count": 0, "console_server_port_count": 0, "power_port_count": 0, "power_outlet_count": 0,
			"front_port_count": 0, "rear_port_count": 0, "device_bay_count": 0, "module_bay_count": 0, "inventory_item_count": 0,
			"cooling_method": sinceMinor{7, nil}, "cooling_intake_count": sinceMinor{7, 0}, "cooling_outflow_count": sinceMinor{7, 0}},
			"position", "face", "latitude", "longitude", "airflow", "vc_position", "vc_priority", "config_template", "rack", "virtual_chassis", "parent_device"),
		prepare: cleanDevice, search: []string{"name", "serial", "asset_tag", "description"},
	}
}

func displayDevice(t *txn, r *row) string {
	if name := r.str("name"); name != "" {
		return name
	}
	kind := t.get(typesPath, r.ref("device_type"))
	return fmt.Sprintf("%s %s (%d)", t.get("dcim/manufacturers", kind.ref("manufacturer")).str("name"), kind.str("model"), r.id)
}

// primaryIP prefers IPv4 only if PREFER_IPV4 is set; stock NetBox prefers IPv6.
func primaryIP(t *txn, r *row) any {
	if r.ref("primary_ip6") != 0 {
		return primaryIPField("primary_ip6")(t, r)
	}
	return primaryIPField("primary_ip4")(t, r)
}

// primaryIPField shows an address as devices and VMs do: briefly, from 4.6 on with its NAT and DNS name.
func primaryIPField(column string) func(*txn, *row) any {
	return func(t *txn, r *row) any {
		a := t.get(addressesPath, r.ref(column))
		if a == nil {
			return nil
		}
		m := t.table(addressesPath).model
		return t.render(m, a, func(name string) bool {
			more := name == "nat_inside" || name == "nat_outside" || name == "dns_name"
			return m.isBrief(name) || more && t.s.config.Version.atLeast(6)
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

func cleanDevice(t *txn, r, _ *row) problems {
	bad := problems{}
	if loc := t.get(locationsPath, r.ref("location")); loc != nil && loc.ref("site") != r.ref("site") {
		bad.add("location", "Location %s does not belong to site %s.", loc.str("name"), t.get(sitesPath, r.ref("site")).str("name"))
	}
	if r.str("name") != "" && t.hasTwin(devicesPath, r, "site", "tenant") {
		text := "Device name must be unique per site."
		switch {
		case t.s.config.Version.atLeast(7):
			text = "Device name must be unique per site and tenant."
		case r.ref("tenant") != 0:
			text = "Constraint “dcim_device_unique_name_site_tenant” is violated."
		}
		bad.add("__all__", "%s", text)
	}
	t.cleanPrimaries(r, interfacesPath, "device", bad)
	cleanContextData(r, "local_context_data", bad)
	return bad
}

// hasTwin reports whether another row has the same name, in any case, and the same related rows.
func (t *txn) hasTwin(path string, r *row, columns ...string) bool {
	return slices.ContainsFunc(t.all(path), func(other *row) bool {
		return other.id != r.id && strings.EqualFold(other.str("name"), r.str("name")) &&
			!slices.ContainsFunc(columns, func(c string) bool { return other.ref(c) != r.ref(c) })
	})
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
