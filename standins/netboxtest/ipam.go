package netboxtest

import (
	"cmp"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

const (
	vrfsPath      = "ipam/vrfs"
	prefixesPath  = "ipam/prefixes"
	rangesPath    = "ipam/ip-ranges"
	addressesPath = "ipam/ip-addresses"
	ipRolesPath   = "ipam/roles"
	vlansPath     = "ipam/vlans"
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
	return []*model{vrfModel(), ipRoleModel(), vlanModel(), prefixModel(), rangeModel(), addressModel(), fhrpGroupModel()}
}

func vrfModel() *model {
	return &model{path: vrfsPath, label: "ipam.vrf", class: "VRF", verbose: "VRF",
		fields: commonFields(textField("name", 100).must(), textField("rd", 21).orNull().uniq(), refField("tenant", tenantsPath).on(protect),
			flagField("enforce_unique", true)),
		brief: []string{"name", "rd", "description"},
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

// vlanModel is as much of a VLAN as prefixes need; groups are not modelled.
func vlanModel() *model {
	return &model{path: vlansPath, label: "ipam.vlan", class: "VLAN", verbose: "VLAN",
		fields: commonFields(refField("site", sitesPath).on(protect), field{name: "vid", kind: integer, required: true}, textField("name", 64).must(),
			refField("tenant", tenantsPath).on(protect), choiceField("status", "VLAN.status", "active"), refField("role", ipRolesPath)),
		brief:    []string{"vid", "name", "description"},
		display:  func(_ *txn, r *row) string { return fmt.Sprintf("%s (%v)", r.str("name"), r.cols["vid"]) },
		computed: map[string]func(*txn, *row) any{"owner": ownerOf, "prefix_count": countOf(prefixesPath, "vlan")},
		fixed:    fixedValues(map[string]any{}, "group", "qinq_role", "qinq_svlan", "l2vpn_termination"),
		order: func(_ *txn, a, b *row) int {
			return cmp.Or(cmp.Compare(a.ref("site"), b.ref("site")), compareValues(a.cols["vid"], b.cols["vid"]))
		},
		search: []string{"name", "description"},
	}
}

func noList(*txn, *row) any { return []any{} }

func ipRoleModel() *model {
	return &model{path: ipRolesPath, label: "ipam.role", class: "Role", verbose: "role",
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
		want, err := strconv.ParseFloat(values[len(values)-1], 64)
		if err != nil {
			return nil, "Enter a number."
		}
		return func(r *row) bool { return float64(familyNumber(r.prefix(column))) == want }, ""
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
