package netboxtest

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

func sameHost(have, want netip.Prefix, masked bool) bool {
	return have.Addr() == want.Addr() && (!masked || have.Bits() == want.Bits())
}

func addressModel() *model {
	fields := []field{{name: "address", kind: address, required: true}, refField("vrf", vrfsPath).on(protect), refField("tenant", tenantsPath).on(protect),
		choiceField("status", "IPAddress.status", "active"),
		{name: "role", kind: choice, set: "IPAddress.role", nullable: true, blank: true},
		refField("nat_inside", addressesPath).as("family", "address"), textField("dns_name", 255)}
	fields = append(fields, genericFields("assigned_object", cascade, "dcim.interface", "virtualization.vminterface", "ipam.fhrpgroup")...)
	return &model{path: addressesPath, label: "ipam.ipaddress", class: "IPAddress", verbose: "IP address", fields: commonFields(fields...),
		brief:   []string{"family", "address", "description"},
		display: func(_ *txn, r *row) string { return r.prefix("address").String() },
		computed: map[string]func(*txn, *row) any{"owner": ownerOf, "family": familyOf("address"), "nat_outside": natOutside,
			"assigned_object": func(t *txn, r *row) any { return t.generic(r, "assigned_object") }},
		filters: addressFilters(),
		relations: map[string]filterFunc{"interface": namedInterfaceFilter(interfacesPath), "vminterface": namedInterfaceFilter(vmInterfacesPath),
			"present_in_vrf_id": presentInVRF, "interface_id": assignedFilter(interfacesPath), "vminterface_id": assignedFilter(vmInterfacesPath),
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
			list = append(list, t.nestedAs(addressesPath, other.id, []string{"family", "address"}))
		}
	}
	return list
}

func addressFilters() map[string]filterFunc {
	return map[string]filterFunc{
		"family":      familyFilter("address"),
		"address":     prefixFilter("address", sameHost),
		"parent":      parentOf,
		"mask_length": maskFilter("address", ""), "mask_length__gte": maskFilter("address", "gte"), "mask_length__lte": maskFilter("address", "lte"),
		"device_id":          assignedToOwner(interfacesPath, "device", "id"),
		"device":             assignedToOwner(interfacesPath, "device", "name"),
		"virtual_machine_id": assignedToOwner(vmInterfacesPath, "virtual_machine", "id"),
		"virtual_machine":    assignedToOwner(vmInterfacesPath, "virtual_machine", "name"),
		"assigned":           assignedFlag, "assigned_to_interface": assignedToInterface,
	}
}

// parentOf matches the host part and ignores the mask; one malformed value makes the whole filter match nothing.
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

// maskFilter compares the mask length.
func maskFilter(column, lookup string) filterFunc {
	return func(_ *txn, values []string) (test, string) {
		var tests []test
		for _, v := range values {
			want, message := parseLike("", v)
			if message != "" {
				return nil, message
			}
			tests = append(tests, func(r *row) bool { return compareBy(lookup, int64(r.prefix(column).Bits()), want) })
		}
		return combine(tests, false), ""
	}
}

// namedInterfaceFilter matches what is assigned to interfaces of a name; a name no interface has is a bad choice.
func namedInterfaceFilter(path string) filterFunc {
	return func(t *txn, values []string) (test, string) {
		for _, v := range values {
			if !slices.ContainsFunc(t.all(path), func(i *row) bool { return i.str("name") == v }) {
				return nil, fmt.Sprintf("Select a valid choice. %s is not one of the available choices.", v)
			}
		}
		return func(r *row) bool {
			i := t.get(path, r.ref("assigned_object_id"))
			return r.str("assigned_object_type") == t.table(path).model.label && i != nil && slices.Contains(values, i.str("name"))
		}, ""
	}
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

// sharedRole reports whether addresses of a role may exist several times.
func sharedRole(role string) bool {
	return slices.Contains([]string{"anycast", "vip", "vrrp", "hsrp", "glbp", "carp"}, role)
}

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
	t.cleanGeneric(r, "assigned_object", bad)
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
	shared := sharedRole(r.str("role"))
	for _, other := range t.keyed(addressesPath, r.prefix("address").Addr().String()) {
		if other.id != r.id && sameVRF(other, r) {
			copies = append(copies, other)
			shared = shared && sharedRole(other.str("role"))
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

// cleanPrimary keeps a primary or OOB address on its device.
func (t *txn) cleanPrimary(r, old *row, bad problems) {
	if old == nil {
		return
	}
	was, owner := t.hostOf(old)
	_, now := t.hostOf(r)
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
func (t *txn) hostOf(r *row) (*model, *row) {
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
