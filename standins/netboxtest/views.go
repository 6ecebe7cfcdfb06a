package netboxtest

import (
	"cmp"
	"slices"
	"strings"
)

const (
	savedFiltersPath = "extras/saved-filters"
	customLinksPath  = "extras/custom-links"
	tableConfigsPath = "extras/table-configs"
)

// viewModels are what shapes NetBox's web pages and can be made over REST.
func viewModels() []*model {
	return []*model{savedFilterModel(), customLinkModel(), tableConfigModel()}
}

func byWeight(_ *txn, a, b *row) int {
	return cmp.Or(compareValues(a.cols["weight"], b.cols["weight"]), cmp.Compare(a.str("name"), b.str("name")))
}

func savedFilterModel() *model {
	return &model{path: savedFiltersPath, label: "extras.savedfilter", class: "SavedFilter", verbose: "saved filter", plain: true,
		fields: []field{{name: "object_types", kind: words, required: true}, textField("name", 100).must().uniq(), textField("slug", 100).must().uniq(),
			textField("description", 200), {name: "user", kind: integer, nullable: true}, {name: "weight", kind: integer, def: int64(100)},
			flagField("enabled", true), flagField("shared", true), {name: "parameters", kind: document, required: true}},
		brief:    []string{"name", "slug", "description"},
		computed: map[string]func(*txn, *row) any{"owner": ownerOf},
		filters:  map[string]filterFunc{"object_type": objectTypeFilter},
		order:    byWeight,
		prepare: func(_ *txn, r, _ *row) problems {
			bad := problems{}
			if !filled(r.cols["parameters"]) {
				bad.add("parameters", "This field cannot be blank.")
			}
			if _, isObject := r.cols["parameters"].(map[string]any); !isObject {
				bad.add("parameters", "Filter parameters must be stored as a dictionary of keyword arguments.")
			}
			return bad
		},
		search: []string{"name", "description"},
	}
}

// filled reports whether a document is more than an empty list, object or text.
func filled(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case []any:
		return len(v) > 0
	case map[string]any:
		return len(v) > 0
	}
	return v != ""
}

func customLinkModel() *model {
	return &model{path: customLinksPath, label: "extras.customlink", class: "CustomLink", verbose: "custom link", plain: true,
		fields: []field{{name: "object_types", kind: words, required: true}, textField("name", 100).must().uniq(), flagField("enabled", true),
			textField("link_text", 0).must(), textField("link_url", 0).must(), {name: "weight", kind: integer, def: int64(100)},
			textField("group_name", 50), {name: "button_class", kind: text, max: 30, def: "default"}, flagField("new_window", false)},
		brief:    []string{"name"},
		computed: map[string]func(*txn, *row) any{"owner": ownerOf},
		filters:  map[string]filterFunc{"object_type": objectTypeFilter},
		order: func(_ *txn, a, b *row) int {
			return cmp.Or(cmp.Compare(a.str("group_name"), b.str("group_name")), byWeight(nil, a, b))
		},
		search: []string{"name", "link_text", "link_url"},
	}
}

func tableConfigModel() *model {
	return &model{path: tableConfigsPath, label: "extras.tableconfig", class: "TableConfig", verbose: "table config", plain: true, since: 3,
		fields: []field{textField("object_type", 100).must(), textField("table", 100).must(), textField("name", 100).must(),
			textField("description", 200), {name: "user", kind: integer, nullable: true}, {name: "weight", kind: integer, def: int64(1000)},
			flagField("enabled", true), flagField("shared", true), {name: "columns", kind: document, required: true},
			{name: "ordering", kind: document, nullable: true}},
		brief: []string{"name", "description", "object_type", "table"}, order: byWeight,
		prepare: cleanTableConfig, search: []string{"name", "description"},
	}
}

// tables are the lists of NetBox's web pages that the stand-in knows, with the columns that are no custom fields.
func tables() map[string][]string {
	common := []string{"pk", "id", "actions", "created", "last_updated", "description", "comments", "tags", "status", "vrf", "tenant", "role", "utilization"}
	return map[string][]string{
		"IPAddressTable": append([]string{"address", "dns_name", "assigned", "nat_inside", "parent", "interface"}, common...),
		"IPRangeTable":   append([]string{"start_address", "end_address", "size", "mark_populated", "mark_utilized"}, common...),
		"PrefixTable":    append([]string{"prefix", "depth", "children", "site", "scope", "vlan", "is_pool"}, common...),
	}
}

func cleanTableConfig(t *txn, r, _ *row) problems {
	bad := problems{}
	known, ok := tables()[r.str("table")]
	if !ok {
		bad.add("table", "Unknown table: %s", r.str("table"))
		return bad
	}
	m := t.s.labelled(r.str("object_type"))
	columns, _ := r.cols["columns"].([]any)
	for _, column := range columns {
		name, _ := column.(string)
		field, isField := strings.CutPrefix(name, "cf_")
		if !slices.Contains(known, name) && (!isField || m == nil || !slices.ContainsFunc(t.customFields(m), func(d *row) bool { return d.str("name") == field })) {
			bad.add("columns", "Unknown column: %s", name)
		}
	}
	return bad
}
