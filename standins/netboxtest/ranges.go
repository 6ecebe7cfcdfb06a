package netboxtest

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

func rangeModel() *model {
	return &model{path: rangesPath, label: "ipam.iprange", class: "IPRange", verbose: "IP range",
		fields: commonFields(field{name: "start_address", kind: address, required: true}, field{name: "end_address", kind: address, required: true},
			numberField("size").show(), refField("vrf", vrfsPath).on(protect), refField("tenant", tenantsPath).on(protect),
			choiceField("status", "IPRange.status", "active"), refField("role", ipRolesPath), flagField("mark_populated", false).from(3),
			flagField("mark_utilized", false)),
		brief:    []string{"family", "start_address", "end_address", "description"},
		display:  func(_ *txn, r *row) string { return rangeName(r) },
		computed: map[string]func(*txn, *row) any{"owner": ownerOf, "family": familyOf("start_address")},
		filters: map[string]filterFunc{
			"family":        familyFilter("start_address"),
			"start_address": rangeEndFilter("start_address"), "end_address": rangeEndFilter("end_address"),
			"contains": lastOf(containsByInet), "parent": parentRange,
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

// rangeEndFilter matches an end of a range. A malformed address is an exception inside NetBox before 4.7.
func rangeEndFilter(column string) filterFunc {
	return func(t *txn, values []string) (test, string) {
		for _, v := range values {
			if _, ok := parseAddress(v); !ok && !t.s.config.Version.atLeast(7) {
				panic(serverError{"DataError", fmt.Sprintf("invalid input syntax for type inet: %q", v)})
			}
		}
		return prefixFilter(column, sameHost)(t, values)
	}
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
