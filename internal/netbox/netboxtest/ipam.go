package netboxtest

import (
	"cmp"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

const (
	vrfsPath      = "ipam/vrfs"
	prefixesPath  = "ipam/prefixes"
	rangesPath    = "ipam/ip-ranges"
	addressesPath = "ipam/ip-addresses"
)

// commonFields are the columns most models end with.
func commonFields(fields ...field) []field {
	return append(fields, textField("description", 200), textField("comments", 0))
}

// ownerOf shows the owner that most objects have from 4.5 on; the stand-in has none.
func ownerOf(t *txn, _ *row) any {
	if t.s.config.Version.atLeast(5) {
		return nil
	}
	return absent{}
}

func ipamModels() []*model {
	return []*model{vrfModel(), ipRoleModel(), prefixModel(), rangeModel(), addressModel(), fhrpGroupModel()}
}

func vrfModel() *model {
	return &model{path: vrfsPath, label: "ipam.vrf", class: "VRF", verbose: "VRF",
		fields: commonFields(textField("name", 100).must(), textField("rd", 21).orNull().uniq(), refField("tenant", tenantsPath).on(protect),
			flagField("enforce_unique", true)),
		brief: []string{"name", "rd", "description", "prefix_count"},
		display: func(_ *txn, r *row) string {
			if rd := r.str("rd"); rd != "" {
				return r.str("name") + " (" + rd + ")"
			}
			return r.str("name")
		},
		computed: map[string]func(*txn, *row) any{"owner": ownerOf, "ipaddress_count": countOf(addressesPath, "vrf"), "prefix_count": countOf(prefixesPath, "vrf"),
			"import_targets": noList, "export_targets": noList},
		order: func(_ *txn, a, b *row) int {
			return cmp.Or(cmp.Compare(a.str("name"), b.str("name")), compareValues(a.cols["rd"], b.cols["rd"]))
		},
		search: []string{"name", "rd", "description"},
	}
}

func noList(*txn, *row) any { return []any{} }

func ipRoleModel() *model {
	return &model{path: "ipam/roles", label: "ipam.role", class: "Role", verbose: "role",
		fields: []field{textField("name", 100).must().uniq(), textField("slug", 100).must().uniq(), {name: "weight", kind: integer, def: int64(1000)},
			textField("description", 200)},
		brief: []string{"name", "slug", "description"},
		order: func(_ *txn, a, b *row) int {
			return cmp.Or(compareValues(a.cols["weight"], b.cols["weight"]), cmp.Compare(a.str("name"), b.str("name")))
		}}
}

func fhrpGroupModel() *model {
	return &model{path: "ipam/fhrp-groups", label: "ipam.fhrpgroup", class: "FHRPGroup", verbose: "FHRP group",
		fields: commonFields(textField("name", 100), textField("protocol", 50).must(), numberField("group_id").must()),
		brief:  []string{"protocol", "group_id", "description"},
		display: func(_ *txn, r *row) string {
			return fmt.Sprintf("%s: %d", strings.ToUpper(r.str("protocol")), r.ref("group_id"))
		}}
}

// countOf counts the rows whose column names this one.
func countOf(path, column string) func(*txn, *row) any {
	return func(t *txn, r *row) any {
		n := 0
		for _, other := range t.all(path) {
			if other.ref(column) == r.id {
				n++
			}
		}
		return n
	}
}

func familyOf(column string) func(*txn, *row) any {
	return func(_ *txn, r *row) any {
		p, _ := r.cols[column].(netip.Prefix)
		return family(p.Addr().Is4())
	}
}

// familyFilter is the filter family=4|6.
func familyFilter(column string) filterFunc {
	return func(_ *txn, values []string) (test, string) {
		return func(r *row) bool {
			p, _ := r.cols[column].(netip.Prefix)
			return p.Addr().Is4() == (values[len(values)-1] == "4")
		}, ""
	}
}

func (r *row) prefix(col string) netip.Prefix { p, _ := r.cols[col].(netip.Prefix); return p }

func sameVRF(a, b *row) bool { return a.ref("vrf") == b.ref("vrf") }

// uniqueSpace reports whether addresses and prefixes of the row's VRF must be unique, and what the table is called.
func (t *txn) uniqueSpace(r *row) (bool, string) {
	vrf := t.get(vrfsPath, r.ref("vrf"))
	if vrf == nil {
		return !t.s.config.DuplicatesLegal, "global table"
	}
	return vrf.flag("enforce_unique"), "VRF " + t.display(t.table(vrfsPath).model, vrf)
}

func prefixModel() *model {
	fields := []field{{name: "prefix", kind: network, required: true}, refField("vrf", vrfsPath).on(protect), refField("tenant", tenantsPath).on(protect),
		choiceField("status", "Prefix.status", "active"), refField("role", "ipam/roles"), flagField("is_pool", false), flagField("mark_utilized", false)}
	fields = append(fields, genericFields("scope", cascade, "dcim.region", "dcim.sitegroup", "dcim.site", "dcim.location")...)
	return &model{path: prefixesPath, label: "ipam.prefix", class: "Prefix", verbose: "prefix", fields: commonFields(fields...),
		brief:   []string{"family", "prefix", "description", "_depth"},
		display: func(_ *txn, r *row) string { return r.prefix("prefix").String() },
		computed: map[string]func(*txn, *row) any{"owner": ownerOf, "family": familyOf("prefix"), "scope": func(t *txn, r *row) any { return t.generic(r, "scope") },
			"vlan": func(*txn, *row) any { return nil }, "children": prefixChildren, "_depth": prefixDepth},
		filters: map[string]filterFunc{
			"family": familyFilter("prefix"),
			"prefix": prefixFilter("prefix", func(have, want netip.Prefix, _ bool) bool { return have == want }),
			"within": lastOf(prefixFilter("prefix", func(have, want netip.Prefix, _ bool) bool {
				return have.Bits() > want.Bits() && want.Masked().Contains(have.Addr())
			})),
			"within_include": lastOf(prefixFilter("prefix", func(have, want netip.Prefix, _ bool) bool {
				return have.Bits() >= want.Bits() && want.Masked().Contains(have.Addr())
			})),
			"contains": lastOf(prefixFilter("prefix", func(have, want netip.Prefix, masked bool) bool {
				return have.Contains(want.Addr()) && (have.Bits() < want.Bits() || masked && have.Bits() == want.Bits())
			})),
		},
		relations: map[string]filterFunc{
			"present_in_vrf_id": presentInVRF, "site_id": scopeFilter("dcim.site"), "location_id": scopeFilter("dcim.location"),
			"region_id": scopeFilter("dcim.region"), "site_group_id": scopeFilter("dcim.sitegroup"),
		},
		order: func(_ *txn, a, b *row) int {
			return cmp.Or(cmp.Compare(a.ref("vrf"), b.ref("vrf")), comparePrefixes(a.prefix("prefix"), b.prefix("prefix")))
		},
		key:     func(r *row) string { return r.prefix("prefix").String() },
		prepare: cleanPrefix,
		search:  []string{"prefix", "description"},
	}
}

func cleanPrefix(t *txn, r, _ *row) problems {
	bad := problems{}
	p := r.prefix("prefix")
	if p.Bits() == 0 {
		bad.add("prefix", "Cannot create prefix with /0 mask.")
		return bad
	}
	t.cleanScope(r, bad)
	if unique, where := t.uniqueSpace(r); unique {
		for _, other := range t.keyed(prefixesPath, p.String()) {
			if other.id != r.id && sameVRF(other, r) {
				bad.add("prefix", "Duplicate prefix found in %s: %s", where, p)
				break
			}
		}
	}
	return bad
}

// cleanScope checks that a scope is a type and an id of an object, or neither.
func (t *txn) cleanScope(r *row, bad problems) {
	kind, id := r.str("scope_type"), r.ref("scope_id")
	switch m := t.s.labelled(kind); {
	case kind == "" && id == 0:
	case kind == "":
		bad.add("__all__", "A scope type must be set when a scope ID is.")
	case id == 0:
		bad.add("scope", "Please select a %s.", m.verbose)
	case t.get(m.path, id) == nil:
		bad.add("scope", "Please select a %s.", m.verbose)
	}
}

func prefixChildren(t *txn, r *row) any {
	n, p := 0, r.prefix("prefix")
	for _, other := range t.all(prefixesPath) {
		if q := other.prefix("prefix"); other.id != r.id && sameVRF(other, r) && q.Bits() > p.Bits() && p.Contains(q.Addr()) {
			n++
		}
	}
	return n
}

func prefixDepth(t *txn, r *row) any {
	n, p := 0, r.prefix("prefix")
	for _, other := range t.all(prefixesPath) {
		if q := other.prefix("prefix"); sameVRF(other, r) && q.Bits() < p.Bits() && q.Contains(p.Addr()) {
			n++
		}
	}
	return n
}

// presentInVRF matches prefixes of a VRF; import targets are not modelled.
func presentInVRF(t *txn, values []string) (test, string) {
	return refFilter(&field{name: "vrf", to: vrfsPath}, true, "")(t, values)
}

// scopeFilter matches the cached scope: a site through its location, a region or group with everything below it.
func scopeFilter(label string) filterFunc {
	return func(t *txn, values []string) (test, string) {
		m := t.s.labelled(label)
		want := map[int64]bool{}
		for _, v := range values {
			if v == "null" {
				want[0] = true
				continue
			}
			id, message := t.choose(m.path, v, true)
			if message != "" {
				return nil, message
			}
			for member := range t.withDescendants(m.path, id) {
				want[member] = true
			}
		}
		return func(r *row) bool { return want[t.scopeOf(r, label)] }, ""
	}
}

// scopeOf is the region, group, site or location a row's scope lies in, 0 if none.
func (t *txn) scopeOf(r *row, label string) int64 {
	kind, id := r.str("scope_type"), r.ref("scope_id")
	if kind == "dcim.location" && label != kind {
		if loc := t.get(locationsPath, id); loc != nil {
			kind, id = "dcim.site", loc.ref("site")
		}
	}
	if kind == "dcim.site" && label != kind {
		site := t.get(sitesPath, id)
		if site == nil {
			return 0
		}
		switch label {
		case "dcim.region":
			return site.ref("region")
		case "dcim.sitegroup":
			return site.ref("group")
		}
		return 0
	}
	if kind == label {
		return id
	}
	return 0
}

func rangeModel() *model {
	return &model{path: rangesPath, label: "ipam.iprange", class: "IPRange", verbose: "IP range",
		fields: commonFields(field{name: "start_address", kind: address, required: true}, field{name: "end_address", kind: address, required: true},
			numberField("size").show(), refField("vrf", vrfsPath).on(protect), refField("tenant", tenantsPath).on(protect),
			choiceField("status", "IPRange.status", "active"), refField("role", "ipam/roles"), flagField("mark_populated", false).from(3),
			flagField("mark_utilized", false)),
		brief:    []string{"family", "start_address", "end_address", "description"},
		display:  func(_ *txn, r *row) string { return rangeName(r) },
		computed: map[string]func(*txn, *row) any{"owner": ownerOf, "family": familyOf("start_address")},
		filters: map[string]filterFunc{
			"family":        familyFilter("start_address"),
			"start_address": prefixFilter("start_address", sameHost), "end_address": prefixFilter("end_address", sameHost),
			"contains": containsByInet, "parent": parentRange,
		},
		order: func(_ *txn, a, b *row) int {
			return cmp.Or(cmp.Compare(a.ref("vrf"), b.ref("vrf")), comparePrefixes(a.prefix("start_address"), b.prefix("start_address")))
		},
		prepare: cleanRange, search: []string{"start_address", "end_address", "description"},
	}
}

// rangeName writes a range as NetBox does: what both ends share once.
func rangeName(r *row) string {
	start, end := r.prefix("start_address"), r.prefix("end_address")
	if start.Addr() == end.Addr() {
		return fmt.Sprintf("%s-%s/%d", start.Addr(), end.Addr(), start.Bits())
	}
	sep := "."
	if start.Addr().Is6() {
		sep = ":"
	}
	from, to := strings.Split(start.Addr().String(), sep), strings.Split(end.Addr().String(), sep)
	n := 0
	for n < len(from) && n < len(to) && from[n] == to[n] {
		n++
	}
	return fmt.Sprintf("%s%s%s-%s/%d", strings.Join(from[:n], sep), sep, strings.Join(from[n:], sep), strings.Join(to[n:], sep), start.Bits())
}

// containsByInet compares as PostgreSQL compares inet: masks count, so only a value with the range's own mask works.
func containsByInet(_ *txn, values []string) (test, string) {
	return func(r *row) bool {
		return slices.ContainsFunc(values, func(v string) bool {
			p, ok := parseAddress(v)
			return ok && comparePrefixes(r.prefix("start_address"), p) <= 0 && comparePrefixes(r.prefix("end_address"), p) >= 0
		})
	}, ""
}

func parentRange(_ *txn, values []string) (test, string) {
	return func(r *row) bool {
		return slices.ContainsFunc(values, func(v string) bool {
			p, ok := parseAddress(v)
			return ok && p.Masked().Contains(r.prefix("start_address").Addr()) && p.Masked().Contains(r.prefix("end_address").Addr())
		})
	}, ""
}

func cleanRange(t *txn, r, _ *row) problems {
	bad := problems{}
	start, end := r.prefix("start_address"), r.prefix("end_address")
	switch c := end.Addr().Compare(start.Addr()); {
	case start.Addr().Is4() != end.Addr().Is4():
		bad.add("end_address", "Starting and ending IP address versions must match")
	case start.Bits() != end.Bits():
		bad.add("end_address", "Starting and ending IP address masks must match")
	case c < 0 && t.s.config.Version.atLeast(6):
		bad.add("end_address", "Ending address must be greater than or equal to the starting address (%s)", start)
	case c <= 0 && !t.s.config.Version.atLeast(6):
		bad.add("end_address", "Ending address must be greater than the starting address (%s)", start)
	}
	if len(bad) > 0 {
		return bad
	}
	for _, other := range t.all(rangesPath) {
		if other.id == r.id || !sameVRF(other, r) || other.prefix("start_address").Addr().Is4() != start.Addr().Is4() {
			continue
		}
		if other.prefix("start_address").Addr().Compare(end.Addr()) <= 0 && other.prefix("end_address").Addr().Compare(start.Addr()) >= 0 {
			bad.add("__all__", "Defined addresses overlap with range %s in VRF %s", rangeName(other), t.vrfName(r))
			return bad
		}
	}
	r.cols["size"] = rangeSize(start.Addr(), end.Addr())
	return bad
}

func rangeSize(start, end netip.Addr) int64 {
	a, b := start.As16(), end.As16()
	n := int64(0)
	for i := range a {
		n = n<<8 + int64(b[i]) - int64(a[i])
	}
	return n + 1
}

// vrfName is a VRF as Python prints it: None for the global table.
func (t *txn) vrfName(r *row) string {
	if vrf := t.get(vrfsPath, r.ref("vrf")); vrf != nil {
		return t.display(t.table(vrfsPath).model, vrf)
	}
	return "None"
}

func sameHost(have, want netip.Prefix, masked bool) bool {
	return have.Addr() == want.Addr() && (!masked || have.Bits() == want.Bits())
}

func addressModel() *model {
	fields := []field{{name: "address", kind: address, required: true}, refField("vrf", vrfsPath).on(protect), refField("tenant", tenantsPath).on(protect),
		choiceField("status", "IPAddress.status", "active"),
		{name: "role", kind: choice, set: "IPAddress.role", nullable: true, blank: true},
		refField("nat_inside", addressesPath), textField("dns_name", 255)}
	fields = append(fields, genericFields("assigned_object", cascade, "dcim.interface", "virtualization.vminterface", "ipam.fhrpgroup")...)
	return &model{path: addressesPath, label: "ipam.ipaddress", class: "IPAddress", verbose: "IP address", fields: commonFields(fields...),
		brief:   []string{"family", "address", "description"},
		display: func(_ *txn, r *row) string { return r.prefix("address").String() },
		computed: map[string]func(*txn, *row) any{"owner": ownerOf, "family": familyOf("address"), "nat_outside": natOutside,
			"assigned_object": func(t *txn, r *row) any { return t.generic(r, "assigned_object") }},
		filters: addressFilters(),
		relations: map[string]filterFunc{"interface_id": assignedFilter(interfacesPath), "vminterface_id": assignedFilter(vmInterfacesPath),
			"fhrpgroup_id": assignedFilter("ipam/fhrp-groups")},
		order:   func(_ *txn, a, b *row) int { return a.prefix("address").Addr().Compare(b.prefix("address").Addr()) },
		key:     func(r *row) string { return r.prefix("address").Addr().String() },
		prepare: cleanAddress, search: []string{"address", "dns_name", "description"},
	}
}

func natOutside(t *txn, r *row) any {
	list := []any{}
	for _, other := range t.all(addressesPath) {
		if other.ref("nat_inside") == r.id {
			list = append(list, t.nested(addressesPath, other.id))
		}
	}
	return list
}

func addressFilters() map[string]filterFunc {
	return map[string]filterFunc{
		"family":             familyFilter("address"),
		"address":            prefixFilter("address", sameHost),
		"parent":             parentOf,
		"mask_length":        maskFilter,
		"device_id":          assignedToOwner(interfacesPath, "device", "id"),
		"device":             assignedToOwner(interfacesPath, "device", "name"),
		"virtual_machine_id": assignedToOwner(vmInterfacesPath, "virtual_machine", "id"),
		"virtual_machine":    assignedToOwner(vmInterfacesPath, "virtual_machine", "name"),
		"assigned":           assignedFlag, "assigned_to_interface": assignedToInterface,
	}
}

// parentOf matches the host part, whatever its mask; one malformed value makes the whole filter match nothing.
func parentOf(_ *txn, values []string) (test, string) {
	var parents []netip.Prefix
	for _, v := range values {
		p, ok := parseAddress(strings.TrimSpace(v))
		if !ok {
			return func(*row) bool { return false }, ""
		}
		parents = append(parents, p.Masked())
	}
	return func(r *row) bool {
		return slices.ContainsFunc(parents, func(p netip.Prefix) bool { return p.Contains(r.prefix("address").Addr()) })
	}, ""
}

func maskFilter(_ *txn, values []string) (test, string) {
	return func(r *row) bool { return slices.Contains(values, fmt.Sprint(r.prefix("address").Bits())) }, ""
}

// assignedFilter matches addresses and MACs of interfaces; an interface that does not exist is a bad choice.
func assignedFilter(path string) filterFunc {
	return func(t *txn, values []string) (test, string) {
		want := map[int64]bool{}
		for _, v := range values {
			id, message := t.choose(path, v, true)
			if message != "" {
				return nil, message
			}
			want[id] = true
		}
		label := t.table(path).model.label
		return func(r *row) bool { return r.str("assigned_object_type") == label && want[r.ref("assigned_object_id")] }, ""
	}
}

// assignedToOwner matches what is assigned to an interface of a device or VM; an unknown owner matches nothing.
func assignedToOwner(path, column, by string) filterFunc {
	return func(t *txn, values []string) (test, string) {
		label := t.table(path).model.label
		owners := t.table(path).model.column(t.s.config.Version, column).to
		return func(r *row) bool {
			i := t.get(path, r.ref("assigned_object_id"))
			if r.str("assigned_object_type") != label || i == nil {
				return false
			}
			owner := t.get(owners, i.ref(column))
			return owner != nil && slices.Contains(values, fmt.Sprint(columnValue(owner, by)))
		}, ""
	}
}

func assignedFlag(_ *txn, values []string) (test, string) {
	return func(r *row) bool { return (r.ref("assigned_object_id") != 0) == strings.EqualFold(values[0], "true") }, ""
}

func assignedToInterface(_ *txn, values []string) (test, string) {
	return func(r *row) bool {
		kind := r.str("assigned_object_type")
		return (kind == "dcim.interface" || kind == "virtualization.vminterface") == strings.EqualFold(values[0], "true")
	}, ""
}

// dnsName is what NetBox accepts as a DNS name.
var dnsName = regexp.MustCompile(`^([0-9A-Za-z_-]+|\*)(\.[0-9A-Za-z_-]+)*\.?$`)

// sharedRoles are the roles of addresses that may exist several times.
var sharedRoles = []string{"anycast", "vip", "vrrp", "hsrp", "glbp", "carp"}

func cleanAddress(t *txn, r, old *row) problems {
	bad := problems{}
	p := r.prefix("address")
	if name := r.str("dns_name"); name != "" && !dnsName.MatchString(name) {
		bad.add("dns_name", "Only alphanumeric characters, asterisks, hyphens, periods, and underscores are allowed in DNS names")
		return bad
	}
	r.cols["dns_name"] = strings.ToLower(r.str("dns_name"))
	if p.Bits() == 0 {
		bad.add("address", "Cannot create IP address with /0 mask.")
		return bad
	}
	t.cleanAssignment(r, bad)
	if len(bad) == 0 && r.ref("assigned_object_id") != 0 {
		cleanHostPart(p, bad)
	}
	if len(bad) > 0 {
		return bad
	}
	t.cleanDuplicate(r, bad)
	t.cleanPopulated(r, old, bad)
	t.cleanPrimary(r, old, bad)
	if r.str("status") == "slaac" && p.Addr().Is4() {
		bad.add("status", "Only IPv6 addresses can be assigned SLAAC status")
	}
	return bad
}

// cleanAssignment checks that the assigned object exists.
func (t *txn) cleanAssignment(r *row, bad problems) {
	kind, id := r.str("assigned_object_type"), r.ref("assigned_object_id")
	if kind == "" || id == 0 {
		return
	}
	if m := t.s.labelled(kind); m == nil || t.get(m.path, id) == nil {
		bad.add("assigned_object_id", "Invalid assigned object")
	}
}

// cleanHostPart refuses to assign the network or the broadcast address of a subnet.
func cleanHostPart(p netip.Prefix, bad problems) {
	hostBits := p.Addr().BitLen() - p.Bits()
	if hostBits <= 1 {
		return
	}
	if p.Addr() == p.Masked().Addr() {
		bad.add("__all__", "%s is a network ID, which may not be assigned to an interface.", p.Addr())
	} else if p.Addr().Is4() && p.Addr() == lastAddr(p) {
		bad.add("__all__", "%s is a broadcast address, which may not be assigned to an interface.", p.Addr())
	}
}

func lastAddr(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	for i := p.Bits(); i < p.Addr().BitLen(); i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

func (t *txn) cleanDuplicate(r *row, bad problems) {
	unique, where := t.uniqueSpace(r)
	if !unique {
		return
	}
	var copies []*row
	shared := slices.Contains(sharedRoles, r.str("role"))
	for _, other := range t.keyed(addressesPath, r.prefix("address").Addr().String()) {
		if other.id != r.id && sameVRF(other, r) {
			copies = append(copies, other)
			shared = shared && slices.Contains(sharedRoles, other.str("role"))
		}
	}
	if len(copies) > 0 && !shared {
		bad.add("address", "Duplicate IP address found in %s: %s", where, copies[0].prefix("address"))
	}
}

// cleanPopulated refuses a new address inside a range that is marked populated.
func (t *txn) cleanPopulated(r, old *row, bad problems) {
	if old != nil || len(bad) > 0 || !t.s.config.Version.atLeast(3) {
		return
	}
	if in := t.populatedRange(r, r.prefix("address").Addr()); in != nil {
		bad.add("address", "Cannot create IP address %s inside range %s.", r.prefix("address"), rangeName(in))
	}
}

func (t *txn) populatedRange(r *row, a netip.Addr) *row {
	for _, other := range t.all(rangesPath) {
		if other.flag("mark_populated") && sameVRF(other, r) && inRange(other, a) {
			return other
		}
	}
	return nil
}

func inRange(r *row, a netip.Addr) bool {
	start, end := r.prefix("start_address").Addr(), r.prefix("end_address").Addr()
	return start.Is4() == a.Is4() && start.Compare(a) <= 0 && a.Compare(end) <= 0
}

// cleanPrimary keeps a primary or OOB address on its device.
func (t *txn) cleanPrimary(r, old *row, bad problems) {
	if old == nil {
		return
	}
	was, owner := t.ownerOf(old)
	_, now := t.ownerOf(r)
	if owner == nil || owner == now {
		return
	}
	for _, column := range []string{"primary_ip4", "primary_ip6", "oob_ip"} {
		if was.column(t.s.config.Version, column) == nil || owner.ref(column) != r.id {
			continue
		}
		what := "primary IP"
		if column == "oob_ip" {
			what = "OOB IP"
		}
		bad.add("__all__", "Cannot reassign IP address while it is designated as the %s for the parent object", what)
		return
	}
}

// ownerOf is the device or VM of the interface a row is assigned to.
func (t *txn) ownerOf(r *row) (*model, *row) {
	path, column := interfacesPath, "device"
	if r.str("assigned_object_type") == "virtualization.vminterface" {
		path, column = vmInterfacesPath, "virtual_machine"
	} else if r.str("assigned_object_type") != "dcim.interface" {
		return nil, nil
	}
	i := t.get(path, r.ref("assigned_object_id"))
	if i == nil {
		return nil, nil
	}
	m := t.table(t.table(path).model.column(t.s.config.Version, column).to).model
	return m, t.get(m.path, i.ref(column))
}
