package netboxtest

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

const (
	customFieldsPath = "extras/custom-fields"
	choiceSetsPath   = "extras/custom-field-choice-sets"
)

// customFields are the active definitions for a model, by id.
func (t *txn) customFields(m *model) []*row {
	var defs []*row
	for _, d := range t.all(customFieldsPath) {
		if kinds, _ := d.cols["object_types"].([]any); slices.Contains(kinds, any(m.label)) && d.str("status") == "active" {
			defs = append(defs, d)
		}
	}
	return defs
}

// defaultCustomFields are the values of a new row. A request that names any custom field stores no nulls for the others.
func (t *txn) defaultCustomFields(m *model, named bool) map[string]any {
	cf := map[string]any{}
	if m.plain {
		return cf
	}
	for _, d := range t.customFields(m) {
		if def := d.cols["default"]; def != nil || !named {
			cf[d.str("name")] = def
		}
	}
	return cf
}

// backfillCustomField writes the default of a new field, and moves the values of a renamed one, in every row: without
// touching last_updated and without change records.
func backfillCustomField(t *txn, r, old *row) {
	name, def := r.str("name"), r.cols["default"]
	if old == nil && (def == nil || r.str("status") != "active") || old != nil && old.str("name") == name {
		return
	}
	t.eachOfField(r, func(path string, o *row) {
		changed := o.clone()
		if old == nil {
			changed.cf[name] = def
		} else if v, ok := changed.cf[old.str("name")]; ok {
			delete(changed.cf, old.str("name"))
			changed.cf[name] = v
		}
		t.put(path, changed)
	})
}

// forgetCustomField takes the values of a deleted field out of every row.
func (t *txn) forgetCustomField(r *row) {
	t.eachOfField(r, func(path string, o *row) {
		if _, ok := o.cf[r.str("name")]; ok {
			changed := o.clone()
			delete(changed.cf, r.str("name"))
			t.put(path, changed)
		}
	})
}

// eachOfField visits the rows of all models a custom field is for.
func (t *txn) eachOfField(r *row, visit func(path string, o *row)) {
	kinds, _ := r.cols["object_types"].([]any)
	for _, kind := range kinds {
		m := t.s.labelled(fmt.Sprint(kind))
		if m == nil {
			continue
		}
		for _, o := range t.all(m.path) {
			visit(m.path, o)
		}
	}
}

// showCustomFields shows every field of the model, null where the row has no value.
func (t *txn) showCustomFields(m *model, r *row) map[string]any {
	out := map[string]any{}
	for _, d := range t.customFields(m) {
		out[d.str("name")] = t.showCustomField(d, r.cf[d.str("name")])
	}
	return out
}

func (t *txn) showCustomField(d *row, v any) any {
	if v == nil {
		return nil
	}
	switch kind := d.str("type"); kind {
	case "select":
		return t.showSelected(d, v)
	case "multiselect":
		list, _ := v.([]any)
		out := []any{}
		for _, item := range list {
			out = append(out, t.showSelected(d, item))
		}
		return out
	case "object":
		return t.showRelated(d, v)
	case "multiobject":
		list, _ := v.([]any)
		out := []any{}
		for _, item := range list {
			if shown := t.showRelated(d, item); shown != nil {
				out = append(out, shown)
			}
		}
		return out
	}
	return v
}

func (t *txn) showSelected(d *row, v any) any {
	if !t.s.config.Version.atLeast(7) {
		return v
	}
	label := fmt.Sprint(v)
	for _, o := range t.customChoices(d) {
		if o.value == v {
			label = o.label
		}
	}
	return map[string]any{"value": v, "label": label}
}

func (t *txn) showRelated(d *row, v any) any {
	m := t.s.labelled(d.str("related_object_type"))
	id, _ := v.(int64)
	if m == nil {
		return nil
	}
	return t.nested(m.path, id)
}

// customChoices are the values of a selection field.
func (t *txn) customChoices(d *row) []option {
	set := t.get(choiceSetsPath, d.ref("choice_set"))
	if set == nil {
		return nil
	}
	list, _ := set.cols["extra_choices"].([]any)
	var out []option
	for _, item := range list {
		if pair, _ := item.([]any); len(pair) == 2 {
			out = append(out, option{fmt.Sprint(pair[0]), fmt.Sprint(pair[1])})
		}
	}
	return out
}

// assignCustomFields merges the custom fields of a request into a row: keys not sent keep their value.
func (t *txn) assignCustomFields(m *model, r *row, in map[string]any, bad problems) {
	given, ok := in["custom_fields"]
	if !ok {
		return
	}
	if given == nil {
		bad.add("custom_fields", "This field may not be null.")
		return
	}
	values, ok := given.(map[string]any)
	if !ok {
		bad.add("custom_fields", "Invalid data format. Custom field data must be passed as a dictionary mapping field names to their values.")
		return
	}
	defs := map[string]*row{}
	for _, d := range t.customFields(m) {
		defs[d.str("name")] = d
	}
	if key, message := t.unknownFields(values, defs); message != nil {
		bad[key] = message
		return
	}
	merged := maps.Clone(r.cf)
	for _, name := range slices.Sorted(maps.Keys(values)) {
		d := defs[name]
		if d == nil {
			continue // dropped without a word, 4.4.10 to 4.5.7
		}
		v, message := t.parseCustomField(d, values[name])
		if kind := d.str("type"); message != "" && (kind == "object" || kind == "multiobject") {
			bad.add("custom_fields", "%s", message)
			return
		}
		if message != "" {
			bad.add("__all__", "Invalid value for custom field '%s': %s", name, message)
			return // NetBox names the first one only
		}
		merged[name] = v
	}
	r.cf = merged
}

// requireCustomFields refuses a row that lacks a value it must have, also where the request is about something else.
func (t *txn) requireCustomFields(m *model, r *row, bad problems) {
	for _, d := range t.customFields(m) {
		switch v, there := r.cf[d.str("name")]; {
		case !d.flag("required"), v != nil && v != "":
		case there:
			bad.add("__all__", "Invalid value for custom field '%s': Required field cannot be empty.", d.str("name"))
			return
		default:
			bad.add("__all__", "Missing required custom field '%s'.", d.str("name"))
			return
		}
	}
}

// unknownFields is what the version says to names that are no field of the model, and under which key: nil if nothing.
func (t *txn) unknownFields(values map[string]any, defs map[string]*row) (key string, message any) {
	v := t.s.config.Version
	unknown := map[string]any{}
	for name := range values {
		if defs[name] == nil {
			unknown[name] = fmt.Sprintf("Custom field '%s' does not exist for this object type.", name)
		}
	}
	switch {
	case len(unknown) == 0 || v.atLeast(4) && !v.atLeast(5):
		return "", nil
	case v.atLeast(5):
		return "custom_fields", unknown
	}
	names := slices.Sorted(maps.Keys(unknown))
	return "__all__", []any{fmt.Sprintf("Unknown field name '%s' in custom field data.", names[0])}
}

// customFieldFilter makes the filter cf_<name>, nil for a field the model has not or that is not for filtering.
func (t *txn) customFieldFilter(m *model, param string) filterFunc {
	name, lookup, _ := strings.Cut(strings.TrimPrefix(param, "cf_"), "__")
	for _, d := range t.customFields(m) {
		if d.str("name") != name || d.str("filter_logic") == "disabled" {
			continue
		}
		loose := d.str("filter_logic") == "loose" && (d.str("type") == "text" || d.str("type") == "longtext" || d.str("type") == "url")
		if loose && lookup != "" {
			return nil
		}
		whole := d.str("type") == "integer" && lookup != "empty"
		return func(_ *txn, values []string) (test, string) {
			for _, v := range values {
				if _, message := parseLike("", v); whole && v != "null" && message != "" {
					return nil, message
				}
			}
			return func(r *row) bool {
				return slices.ContainsFunc(values, func(v string) bool { return matchesField(r, name, v, lookup, loose) })
			}, ""
		}
	}
	return nil
}

// matchesField compares a stored value. A stored null is less than everything; a value that was never stored is not.
func matchesField(r *row, name, want, lookup string, loose bool) bool {
	have, stored := r.cf[name]
	if lookup == "empty" {
		return (have == nil || have == "") == strings.EqualFold(want, "true")
	}
	if want == "null" {
		return have == nil
	}
	if have == nil {
		return lookup == "n" || stored && (lookup == "lt" || lookup == "lte")
	}
	s := fmt.Sprint(have)
	if compare := textLookups[lookup]; compare != nil && lookup != "" {
		return compare(s, want)
	}
	if c := numericOrder(s, want); lookup != "" {
		return lookup == "lt" && c < 0 || lookup == "lte" && c <= 0 || lookup == "gt" && c > 0 || lookup == "gte" && c >= 0
	}
	if loose {
		return strings.Contains(strings.ToLower(s), strings.ToLower(want))
	}
	return s == want
}

func numericOrder(a, b string) int {
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	if errX != nil || errY != nil {
		return strings.Compare(a, b)
	}
	return compareValues(x, y)
}
