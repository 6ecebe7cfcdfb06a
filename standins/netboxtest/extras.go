package netboxtest

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

const (
	contextsPath = "extras/config-contexts"
	journalPath  = "extras/journal-entries"
)

func extrasModels() []*model {
	return []*model{tagModel(), customFieldModel(), choiceSetModel(), contextModel(), journalModel()}
}

func tagModel() *model {
	return &model{path: "extras/tags", label: "extras.tag", class: "Tag", verbose: "tag", plain: true,
		fields: []field{textField("name", 100).must().uniq(), textField("slug", 100).must().uniq(),
			{name: "color", kind: text, max: 6, def: "9e9e9e"}, textField("description", 200),
			{name: "weight", kind: integer, def: int64(1000), since: 3}, {name: "object_types", kind: words, def: []any{}}},
		brief:    []string{"name", "slug", "color", "description"},
		computed: map[string]func(*txn, *row) any{"tagged_items": taggedItems},
		order: func(_ *txn, a, b *row) int {
			return cmp.Or(compareValues(a.cols["weight"], b.cols["weight"]), cmp.Compare(a.str("name"), b.str("name")))
		},
		search: []string{"name", "slug"},
	}
}

func taggedItems(t *txn, r *row) any {
	n := 0
	for _, path := range t.s.paths() {
		for _, other := range t.all(path) {
			for _, id := range other.tags {
				if id == r.id {
					n++
				}
			}
		}
	}
	return n
}

func customFieldModel() *model {
	return &model{path: customFieldsPath, label: "extras.customfield", class: "CustomField", verbose: "custom field", plain: true,
		fields: []field{{name: "object_types", kind: words, required: true}, {name: "type", kind: choice, set: "CustomField.type", required: true},
			textField("related_object_type", 100).orNull(), textField("name", 50).must().uniq(), textField("label", 50), textField("group_name", 50),
			textField("description", 200), flagField("required", false), flagField("unique", false).from(2),
			{name: "search_weight", kind: integer, def: int64(1000)}, choiceField("filter_logic", "CustomField.filter_logic", "loose"),
			choiceField("ui_visible", "CustomField.ui_visible", "always"), choiceField("ui_editable", "CustomField.ui_editable", "yes"),
			flagField("is_cloneable", false), docField("default"), {name: "weight", kind: integer, def: int64(100)},
			{name: "validation_minimum", kind: integer, nullable: true}, {name: "validation_maximum", kind: integer, nullable: true},
			textField("validation_regex", 500), refField("choice_set", choiceSetsPath).on(protect), choiceField("status", "CustomField.status", "active").from(7).show(),
			textField("comments", 0)},
		brief:    []string{"name", "description"},
		display:  displayCustomField,
		computed: map[string]func(*txn, *row) any{"owner": ownerOf, "data_type": customDataType},
		fixed:    fixedValues(map[string]any{"nulls_first": sinceMinor{7, true}, "validation_schema": sinceMinor{6, nil}}, "related_object_filter"),
		order: func(_ *txn, a, b *row) int {
			return cmp.Or(cmp.Compare(a.str("group_name"), b.str("group_name")), compareValues(a.cols["weight"], b.cols["weight"]), cmp.Compare(a.str("name"), b.str("name")))
		},
		filters: map[string]filterFunc{"object_type": objectTypeFilter},
		saved:   backfillCustomField,
		prepare: cleanCustomField, search: []string{"name", "label"},
	}
}

func objectTypeFilter(_ *txn, values []string) (test, string) {
	return func(r *row) bool {
		kinds, _ := r.cols["object_types"].([]any)
		return slices.ContainsFunc(kinds, func(k any) bool { return slices.Contains(values, fmt.Sprint(k)) })
	}, ""
}

func displayCustomField(_ *txn, r *row) string {
	if label := r.str("label"); label != "" {
		return label
	}
	return capital(strings.ToLower(spaced(r.str("name"))))
}

func customDataType(_ *txn, r *row) any {
	switch kind := r.str("type"); kind {
	case "integer", "boolean":
		return kind
	case "decimal":
		return "decimal"
	case "object":
		return "object"
	case "multiselect", "multiobject":
		return "array"
	case "json":
		return "object"
	}
	return "string"
}

var fieldName = regexp.MustCompile(`^[A-Za-z0-9_]+$`)

func cleanCustomField(t *txn, r, old *row) problems {
	bad := problems{}
	name, kind := r.str("name"), r.str("type")
	switch {
	case !fieldName.MatchString(name):
		bad.add("name", "Only alphanumeric characters and underscores are allowed.")
	case strings.Contains(name, "__"):
		bad.add("name", "Double underscores are not permitted in custom field names.")
	}
	if old != nil && old.str("type") != kind {
		bad.add("type", "Changing the type of custom fields is not supported.")
	}
	if old == nil && t.s.config.FieldJobs && t.s.config.Version.atLeast(7) && r.cols["default"] != nil {
		r.cols["status"] = "provisioning"
	}
	selection := kind == "select" || kind == "multiselect"
	if selection && r.ref("choice_set") == 0 {
		bad.add("choice_set", "Selection fields must specify a set of choices.")
	}
	if !selection && r.ref("choice_set") != 0 {
		bad.add("choice_set", "Choices may be set only on selection fields.")
	}
	related := kind == "object" || kind == "multiobject"
	if related && r.str("related_object_type") == "" {
		bad.add("related_object_type", "Object fields must define an object type.")
	}
	if !related && r.str("related_object_type") != "" {
		bad.add("type", "%s fields may not define an object type.", t.choiceLabel("CustomField.type", kind))
	}
	for _, bound := range []string{"minimum", "maximum"} {
		if kind != "integer" && kind != "decimal" && r.cols["validation_"+bound] != nil {
			bad.add("validation_"+bound, "A %s value may be set only for numeric fields", bound)
		}
	}
	if def := r.cols["default"]; def != nil {
		if _, message := t.parseCustomField(r, undecoded(def)); message != "" {
			bad.add("default", "Invalid default value \"%v\": %s", def, message)
		}
	}
	return bad
}

func choiceSetModel() *model {
	return &model{path: choiceSetsPath, label: "extras.customfieldchoiceset", class: "CustomFieldChoiceSet", verbose: "custom field choice set", plain: true,
		fields: []field{textField("name", 100).must().uniq(), textField("description", 200),
			{name: "base_choices", kind: choice, set: "ChoiceSet.base", nullable: true, blank: true},
			{name: "extra_choices", kind: document, required: true}, flagField("order_alphabetically", false)},
		fixed: map[string]any{"choice_colors": sinceMinor{6, map[string]any{}}},
		brief: []string{"name", "description", "choices_count"},
		computed: map[string]func(*txn, *row) any{"owner": ownerOf, "choices_count": func(_ *txn, r *row) any {
			list, _ := r.cols["extra_choices"].([]any)
			return len(list)
		}},
		prepare: cleanChoiceSet,
		order:   byName, search: []string{"name"},
	}
}

func cleanChoiceSet(_ *txn, r, _ *row) problems {
	bad := problems{}
	list, _ := r.cols["extra_choices"].([]any)
	seen := map[string]bool{}
	for i, item := range list {
		pair, ok := item.([]any)
		if !ok {
			bad["extra_choices"] = map[string]any{fmt.Sprint(i): []any{fmt.Sprintf("Expected a list of items but got type %q.", pythonType(item))}}
			return bad
		}
		if len(pair) > 0 && seen[fmt.Sprint(pair[0])] {
			bad.add("__all__", "Duplicate value '%v' found in extra choices.", pair[0])
			return bad
		}
		if len(pair) > 0 {
			seen[fmt.Sprint(pair[0])] = true
		}
	}
	if len(list) == 0 && r.str("base_choices") == "" {
		bad.add("__all__", "Must define base or extra choices.")
	}
	return bad
}

// contextCriteria are the columns of a context that limit where it applies, with the models they name.
func contextCriteria() []field {
	return []field{manyField("regions", regionsPath), manyField("site_groups", siteGroupsPath), manyField("sites", sitesPath),
		manyField("locations", locationsPath), manyField("device_types", typesPath), manyField("roles", rolesPath),
		manyField("platforms", platformsPath), manyField("cluster_types", clusterTypesPath),
		manyField("cluster_groups", "virtualization/cluster-groups"), manyField("clusters", clustersPath),
		manyField("tenant_groups", "tenancy/tenant-groups"), manyField("tenants", tenantsPath),
		{name: "tags", kind: slugs, to: "extras/tags", def: []int64{}}}
}

func contextModel() *model {
	return &model{path: contextsPath, label: "extras.configcontext", class: "ConfigContext", verbose: "config context", plain: true,
		fields: append([]field{textField("name", 100).must().uniq(), {name: "weight", kind: integer, def: int64(1000)}, textField("description", 200),
			flagField("is_active", true), {name: "data", kind: document, required: true}}, contextCriteria()...),
		brief: []string{"name", "description"},
		computed: map[string]func(*txn, *row) any{"owner": ownerOf, "data_source": func(*txn, *row) any { return nil },
			"data_path": func(*txn, *row) any { return "" }, "data_file": func(*txn, *row) any { return nil }, "data_synced": func(*txn, *row) any { return nil }},
		fixed: map[string]any{"profile": sinceMinor{4, nil}},
		order: contextOrder,
		prepare: func(_ *txn, r, _ *row) problems {
			bad := problems{}
			if !filled(r.cols["data"]) {
				bad.add("data", "This field cannot be blank.")
			}
			cleanContextData(r, "data", bad)
			if r.ref("weight") < 0 {
				bad.add("weight", "Ensure this value is greater than or equal to 0.")
			}
			return bad
		},
		search: []string{"name", "description"},
	}
}

func contextOrder(_ *txn, a, b *row) int {
	return cmp.Or(compareValues(a.cols["weight"], b.cols["weight"]), cmp.Compare(a.str("name"), b.str("name")))
}

func displayJournalEntry(t *txn, r *row) string {
	return fmt.Sprintf("%s (%s)", r.created.Format("2006-01-02 15:04"), t.choiceLabel("Journal.kind", r.str("kind")))
}

func journalModel() *model {
	return &model{path: journalPath, label: "extras.journalentry", class: "JournalEntry", verbose: "journal entry",
		fields: []field{{name: "assigned_object_type", kind: typeName, required: true, gone: cascade, models: []string{"ipam.prefix", "ipam.iprange",
			"ipam.ipaddress", "dcim.site", "dcim.device", "virtualization.virtualmachine"}}, {name: "assigned_object_id", kind: integer, required: true},
			choiceField("kind", "Journal.kind", "info"), textField("comments", 0).must()},
		brief:    []string{"created"},
		display:  displayJournalEntry,
		computed: map[string]func(*txn, *row) any{"assigned_object": func(t *txn, r *row) any { return t.generic(r, "assigned_object") }},
		order:    func(_ *txn, a, b *row) int { return b.created.Compare(a.created) },
		prepare: func(t *txn, r, _ *row) problems {
			bad := problems{}
			t.cleanGeneric(r, "assigned_object", bad)
			return bad
		},
	}
}
