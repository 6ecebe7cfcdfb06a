package netboxtest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

const (
	regionsPath    = "dcim/regions"
	siteGroupsPath = "dcim/site-groups"
	sitesPath      = "dcim/sites"
	locationsPath  = "dcim/locations"
)

func placeModels() []*model {
	return []*model{
		treeModel(regionsPath, "dcim.region", "Region", "region"),
		treeModel(siteGroupsPath, "dcim.sitegroup", "SiteGroup", "site group"),
		siteModel(), locationModel(),
	}
}

// treeModel is a model of nested groups: name, slug and parent.
func treeModel(path, label, class, verbose string, more ...field) *model {
	return &model{path: path, label: label, class: class, verbose: verbose,
		fields: append([]field{textField("name", 100).must(), textField("slug", 100).must(), refField("parent", path).on(cascade).as("name", "slug", "_depth"),
			textField("description", 200), textField("comments", 0).from(3)}, more...),
		brief:    []string{"name", "slug", "description", "_depth"},
		computed: map[string]func(*txn, *row) any{"owner": ownerOf, "_depth": depthOf(path)},
		order:    treeOrder(path),
		prepare:  func(t *txn, r, _ *row) problems { return t.cleanTree(path, r) },
		search:   []string{"name", "slug", "description"},
	}
}

// treePath is the names from the root down to a row.
func (t *txn) treePath(path string, r *row) []string {
	var names []string
	for n := r; n != nil; n = t.get(path, n.ref("parent")) {
		names = append([]string{n.str("name")}, names...)
	}
	return names
}

func treeOrder(path string) func(t *txn, a, b *row) int {
	return func(t *txn, a, b *row) int {
		return cmp.Compare(strings.Join(t.treePath(path, a), "\x00"), strings.Join(t.treePath(path, b), "\x00"))
	}
}

func depthOf(path string) func(*txn, *row) any {
	return func(t *txn, r *row) any { return len(t.treePath(path, r)) - 1 }
}

// cleanTree refuses loops and a second child of one name or slug.
func (t *txn) cleanTree(path string, r *row) problems {
	bad := problems{}
	verbose := t.table(path).model.verbose
	if parent := r.ref("parent"); r.id != 0 && parent != 0 && t.withDescendants(path, r.id)[parent] {
		text := "Cannot assign self or a descendant as parent."
		if !t.s.config.Version.atLeast(7) {
			text = "Cannot assign self or child " + verbose + " as parent."
		}
		bad.add("parent", "%s", text)
		return bad
	}
	for _, column := range []string{"name", "slug"} {
		twin := slices.ContainsFunc(t.all(path), func(other *row) bool {
			return other.id != r.id && other.str(column) == r.str(column) && other.ref("parent") == r.ref("parent") && other.ref("site") == r.ref("site")
		})
		if twin {
			bad.add("__all__", "%s", t.twinText(path, r, column))
		}
	}
	return bad
}

// twinText is what the version says to a second child of one name or slug.
func (t *txn) twinText(path string, r *row, column string) string {
	verbose := t.table(path).model.verbose
	switch {
	case path == locationsPath && (r.ref("parent") == 0 || t.s.config.Version.atLeast(7)):
		return fmt.Sprintf("A location with this %s already exists within the specified site.", column)
	case t.s.config.Version.atLeast(7):
		return fmt.Sprintf("A %s with this %s already exists.", verbose, column)
	case r.ref("parent") == 0:
		return fmt.Sprintf("A top-level %s with this %s already exists.", verbose, column)
	}
	return fmt.Sprintf("%s with this Parent and %s already exists.", capital(verbose), capital(column))
}

func siteModel() *model {
	return &model{path: sitesPath, label: "dcim.site", class: "Site", verbose: "site",
		fields: commonFields(textField("name", 100).must().uniq(), textField("slug", 100).must().uniq(), choiceField("status", "Site.status", "active"),
			refField("region", regionsPath), refField("group", siteGroupsPath), refField("tenant", tenantsPath).on(protect),
			textField("facility", 50), textField("time_zone", 63).orNull(), textField("physical_address", 200), textField("shipping_address", 200)),
		brief: []string{"name", "slug", "description"},
		computed: map[string]func(*txn, *row) any{"owner": ownerOf, "asns": noList, "device_count": countOf(devicesPath, "site"),
			"virtualmachine_count": countOf(machinesPath, "site")},
		fixed:  fixedValues(map[string]any{}, "latitude", "longitude"),
		order:  byName,
		search: []string{"name", "slug", "facility", "description"},
	}
}

func byName(_ *txn, a, b *row) int { return cmp.Compare(a.str("name"), b.str("name")) }

func locationModel() *model {
	m := treeModel(locationsPath, "dcim.location", "Location", "location", refField("site", sitesPath).must().on(cascade),
		choiceField("status", "Site.status", "active"), refField("tenant", tenantsPath).on(protect), textField("facility", 50))
	m.computed["device_count"] = countOf(devicesPath, "location")
	m.order = func(t *txn, a, b *row) int {
		return cmp.Or(cmp.Compare(a.ref("site"), b.ref("site")), treeOrder(locationsPath)(t, a, b))
	}
	m.prepare = func(t *txn, r, _ *row) problems {
		bad := t.cleanTree(locationsPath, r)
		if parent := t.get(locationsPath, r.ref("parent")); parent != nil && parent.ref("site") != r.ref("site") {
			bad.add("__all__", "Parent location (%s) must belong to the same site (%s).", parent.str("name"), t.get(sitesPath, r.ref("site")).str("name"))
		}
		return bad
	}
	return m
}
