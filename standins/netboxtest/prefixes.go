package netboxtest

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

func prefixModel() *model {
	fields := []field{{name: "prefix", kind: network, required: true}, refField("vrf", vrfsPath).on(protect), refField("tenant", tenantsPath).on(protect),
		refField("vlan", vlansPath).on(protect),
		choiceField("status", "Prefix.status", "active"), refField("role", ipRolesPath), flagField("is_pool", false), flagField("mark_utilized", false)}
	fields = append(fields, genericFields("scope", cascade, "dcim.region", "dcim.sitegroup", "dcim.site", "dcim.location")...)
	return &model{path: prefixesPath, label: "ipam.prefix", class: "Prefix", verbose: "prefix", fields: commonFields(fields...),
		brief:   []string{"family", "prefix", "description", "_depth"},
		display: func(_ *txn, r *row) string { return r.prefix("prefix").String() },
		computed: map[string]func(*txn, *row) any{"owner": ownerOf, "family": familyOf("prefix"), "scope": func(t *txn, r *row) any { return t.generic(r, "scope") },
			"children": prefixChildren, "_depth": prefixDepth},
		filters: map[string]filterFunc{
			"family": familyFilter("prefix"), "q": searchPrefixes, "depth": countFilter(prefixDepth), "children": countFilter(prefixChildren),
			"mask_length": maskFilter("prefix", ""), "mask_length__gte": maskFilter("prefix", "gte"), "mask_length__lte": maskFilter("prefix", "lte"),
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
			"present_in_vrf_id": presentInVRF,
			"site_id":           scopeFilter("dcim.site", true), "site": scopeFilter("dcim.site", false),
			"location_id": scopeFilter("dcim.location", true), "location": scopeFilter("dcim.location", false),
			"region_id": scopeFilter("dcim.region", true), "region": scopeFilter("dcim.region", false),
			"site_group_id": scopeFilter("dcim.sitegroup", true), "site_group": scopeFilter("dcim.sitegroup", false),
		},
		order: func(_ *txn, a, b *row) int {
			return cmp.Or(cmp.Compare(a.ref("vrf"), b.ref("vrf")), comparePrefixes(a.prefix("prefix"), b.prefix("prefix")))
		},
		key:     func(r *row) string { return r.prefix("prefix").String() },
		prepare: cleanPrefix,
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
	if m := t.s.labelled(r.str("scope_type")); m != nil && r.ref("scope_id") == 0 {
		key := "__all__"
		if !t.s.config.Version.atLeast(4) {
			key = "scope"
		}
		bad.add(key, "Please select a %s.", m.label[indexAfterDot(m.label):])
		return
	}
	t.cleanGeneric(r, "scope", bad)
}

// cleanGeneric checks that a generic relation names an object that exists, or nothing.
func (t *txn) cleanGeneric(r *row, name string, bad problems) {
	kind, id := r.str(name+"_type"), r.ref(name+"_id")
	switch m := t.s.labelled(kind); {
	case kind == "" && id == 0:
	case kind == "":
		bad.add(name+"_type", "This field cannot be null.")
	case id == 0:
		bad.add(name+"_id", "This field cannot be null.")
	case m == nil || t.get(m.path, id) == nil:
		bad.add(name+"_id", "Related object not found using the provided value: %d.", id)
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

// countFilter matches a computed number.
func countFilter(count func(*txn, *row) any) filterFunc {
	return func(t *txn, values []string) (test, string) {
		return func(r *row) bool { return slices.Contains(values, fmt.Sprint(count(t, r))) }, ""
	}
}

// searchPrefixes looks for prefixes that contain what is sought, or mention it.
func searchPrefixes(_ *txn, values []string) (test, string) {
	q := strings.TrimSpace(values[len(values)-1])
	want, isPrefix := parseAddress(q)
	return func(r *row) bool {
		have := r.prefix("prefix")
		return strings.Contains(strings.ToLower(r.str("description")), strings.ToLower(q)) || strings.HasPrefix(have.String(), q) ||
			isPrefix && have.Bits() <= want.Bits() && have.Contains(want.Addr())
	}, ""
}

// presentInVRF matches prefixes of a VRF; import targets are not modelled.
func presentInVRF(t *txn, values []string) (test, string) {
	return refFilter(&field{name: "vrf", to: vrfsPath}, true, "")(t, values)
}

// scopeFilter matches the cached scope: a site through its location, a region or group with everything below it.
func scopeFilter(label string, byID bool) filterFunc {
	return func(t *txn, values []string) (test, string) {
		m := t.s.labelled(label)
		want := map[int64]bool{}
		for _, v := range values {
			if v == "null" {
				want[0] = true
				continue
			}
			id, message := t.choose(m.path, v, byID)
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
