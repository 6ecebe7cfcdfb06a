package netboxtest

import (
	"fmt"
	"slices"
)

// assignTags reads tags, add_tags and remove_tags.
func (t *txn) assignTags(m *model, r *row, in map[string]any, bad problems) {
	if v, ok := in["tags"]; ok {
		if ids, ok := t.readTags(v, bad); ok {
			r.tags = ids
		}
	}
	if !t.s.config.Version.atLeast(6) {
		return
	}
	add, remove := in["add_tags"], in["remove_tags"]
	if list, _ := in["tags"].([]any); len(list) > 0 && (add != nil || remove != nil) {
		bad.add("tags", `Cannot specify "tags" together with "add_tags" or "remove_tags".`)
		return
	}
	if remove != nil && r.id == 0 {
		bad.add("remove_tags", `Cannot use "remove_tags" when creating a new object.`)
		return
	}
	if add != nil {
		for _, id := range t.namedTags(add, bad) {
			if !slices.Contains(r.tags, id) {
				r.tags = append(slices.Clone(r.tags), id)
			}
		}
	}
	if remove != nil {
		ids := t.namedTags(remove, bad)
		r.tags = slices.DeleteFunc(slices.Clone(r.tags), func(id int64) bool { return slices.Contains(ids, id) })
	}
}

// namedTags reads add_tags and remove_tags. A tag that does not exist is an exception inside NetBox there.
func (t *txn) namedTags(v any, bad problems) []int64 {
	list, ok := v.([]any)
	if !ok {
		bad.add(t.s.config.Version.allErrors(), "Expected a list of items but got type %q.", pythonType(v))
		return nil
	}
	var ids []int64
	for _, item := range list {
		id, message := t.parseRef(&field{to: "extras/tags"}, item)
		if message != "" {
			panic(serverError{"ValidationError", fmt.Sprintf("[%q]", message)})
		}
		ids = append(ids, id.(int64))
	}
	return ids
}

func (t *txn) readTags(v any, bad problems) ([]int64, bool) {
	const key = "tags"
	if v == nil {
		bad.add(key, "This field may not be null.")
		return nil, false
	}
	list, ok := v.([]any)
	if !ok {
		bad[key] = map[string]any{t.s.config.Version.allErrors(): []any{fmt.Sprintf("Expected a list of items but got type %q.", pythonType(v))}}
		return nil, false
	}
	ids := []int64{}
	for _, item := range list {
		id, message := t.parseRef(&field{to: "extras/tags"}, item)
		if message != "" {
			bad.add(key, "%s", message)
			continue
		}
		if !slices.Contains(ids, id.(int64)) {
			ids = append(ids, id.(int64))
		}
	}
	return ids, len(bad) == 0
}
