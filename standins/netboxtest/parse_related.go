package netboxtest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

func parseTypeName(f *field, v any) (any, string) {
	s, _ := v.(string)
	for _, label := range f.models {
		if s == label {
			return s, ""
		}
	}
	if strings.Count(s, ".") != 1 {
		return nil, "Invalid value. Specify a content type as '<app_label>.<model_name>'."
	}
	return nil, "Invalid content type: " + s
}

// parseTypes reads a list of object types, in alphabetical order.
func (t *txn) parseTypes(v any) (any, string) {
	list, ok := v.([]any)
	if !ok {
		return nil, fmt.Sprintf("Expected a list of items but got type %q.", pythonType(v))
	}
	kinds := []any{}
	for _, item := range list {
		label, _ := item.(string)
		if message := t.unknownType(label); message != "" {
			return nil, message
		}
		kinds = append(kinds, label)
	}
	slices.SortFunc(kinds, compareValues)
	return kinds, ""
}

// unknownType says what is wrong with an object type, "" if nothing is.
func (t *txn) unknownType(label string) string {
	unmodelled := []string{"ipam.vlan", "ipam.aggregate", "ipam.asn", "ipam.service", "dcim.rack", "circuits.circuit"}
	switch {
	case strings.Count(label, ".") != 1:
		return "Invalid value. Specify a content type as '<app_label>.<model_name>'."
	case t.s.labelled(label) == nil && !slices.Contains(unmodelled, label):
		return "Invalid content type: " + label
	}
	return ""
}

// parseRef finds the row a request names by id or by attributes.
func (t *txn) parseRef(f *field, v any) (any, string) {
	switch x := v.(type) {
	case map[string]any:
		found := t.byAttributes(f.to, x)
		if len(found) == 1 {
			return found[0].id, ""
		}
		what := "Related object not found using the provided attributes: "
		if len(found) > 1 {
			what = "Multiple objects match the provided attributes: "
		}
		return nil, what + pythonRepr(x)
	case json.Number, string:
		id, err := strconv.ParseInt(fmt.Sprint(x), 10, 64)
		if err != nil {
			break
		}
		if t.get(f.to, id) == nil {
			return nil, fmt.Sprintf("Related object not found using the provided numeric ID: %d", id)
		}
		return id, ""
	}
	return nil, "Related objects must be referenced by numeric ID or by dictionary of attributes. Received an unrecognized value: " + fmt.Sprint(v)
}

func (t *txn) byAttributes(path string, attrs map[string]any) []*row {
	m := t.table(path).model
	var found []*row
	for _, r := range t.all(path) {
		if t.call.token != nil && !t.permits(m, "view", r) && t.s.config.Version.atLeast(6) {
			continue
		}
		if t.hasAttributes(m, r, attrs) {
			found = append(found, r)
		}
	}
	return found
}

// hasAttributes compares columns with the attributes of a request; a nested object compares the row referred to.
func (t *txn) hasAttributes(m *model, r *row, attrs map[string]any) bool {
	for name, want := range attrs {
		have := r.cols[name]
		if name == "id" {
			have = r.id
		}
		if nested, ok := want.(map[string]any); ok {
			f := m.column(t.s.config.Version, name)
			if f == nil || f.kind != single || r.ref(name) == 0 {
				return false
			}
			if !t.hasAttributes(t.table(f.to).model, t.get(f.to, r.ref(name)), nested) {
				return false
			}
			continue
		}
		if want == nil && have == nil {
			continue
		}
		if have == nil || fmt.Sprint(have) != fmt.Sprint(want) {
			return false
		}
	}
	return true
}

func (t *txn) parseRefs(f *field, v any) (any, string) {
	list, ok := v.([]any)
	if !ok {
		return nil, fmt.Sprintf("Expected a list of items but got type %q.", pythonType(v))
	}
	ids := []int64{}
	for _, item := range list {
		id, message := t.parseRef(f, item)
		if message != "" {
			return nil, message
		}
		ids = append(ids, id.(int64))
	}
	return ids, ""
}

// parseKeys reads rows named by id only.
func (t *txn) parseKeys(f *field, v any) (any, string) {
	list, ok := v.([]any)
	if !ok {
		return nil, fmt.Sprintf("Expected a list of items but got type %q.", pythonType(v))
	}
	ids := []int64{}
	for _, item := range list {
		id, ok := toID(item)
		if _, isNumber := item.(json.Number); !isNumber || !ok {
			return nil, fmt.Sprintf("Incorrect type. Expected pk value, received %s.", pythonType(item))
		}
		if t.get(f.to, id) == nil {
			return nil, fmt.Sprintf("Invalid pk \"%d\" - object does not exist.", id)
		}
		ids = append(ids, id)
	}
	return ids, ""
}

// parseSlugs reads rows named by slug.
func (t *txn) parseSlugs(f *field, v any) (any, string) {
	list, ok := v.([]any)
	if !ok {
		return nil, fmt.Sprintf("Expected a list of items but got type %q.", pythonType(v))
	}
	ids := []int64{}
	for _, item := range list {
		tag := t.bySlug(f.to, fmt.Sprint(item))
		if tag == nil {
			return nil, fmt.Sprintf("Object with slug=%v does not exist.", item)
		}
		ids = append(ids, tag.id)
	}
	return ids, ""
}
