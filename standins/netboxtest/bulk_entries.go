package netboxtest

import (
	"fmt"
	"net/http"
)

// entries reads the ids of a bulk change or delete. On 4.7 every unusable, repeated or missing id refuses the batch;
// before, missing ids are skipped and of repeated ones the last counts.
func (t *txn) entries(m *model, body any, action string) (rows []*row, bodies map[int64]map[string]any, out *reply) {
	strict := t.s.config.Version.atLeast(7)
	list, ok := body.([]any)
	if !ok {
		return nil, nil, notAList(strict, body)
	}
	bodies = map[int64]map[string]any{}
	var ids []int64
	unusable := []any{}
	for i, item := range list {
		in, _ := item.(map[string]any)
		id, usable := toID(in["id"])
		if !usable {
			unusable = append(unusable, map[string]any{"index": i, "errors": idProblem(in, item, t.s.config.Version.allErrors())})
			continue
		}
		ids = append(ids, id)
		bodies[id] = withoutID(in)
	}
	if len(unusable) > 0 {
		return nil, nil, unusableEntries(strict, unusable, len(list))
	}
	if strict {
		if out := repeatedEntries(ids); out != nil {
			return nil, nil, out
		}
	}
	missing := []any{}
	for _, id := range uniqueIDs(ids) {
		r := t.get(m.path, id)
		if r == nil || !t.permits(m, action, r) {
			missing = append(missing, map[string]any{"id": id, "errors": map[string]any{"id": []any{fmt.Sprintf("Object with ID %d does not exist", id)}}})
			continue
		}
		rows = append(rows, r)
	}
	if strict && len(missing) > 0 {
		return nil, nil, answer(http.StatusBadRequest, map[string]any{
			"detail": fmt.Sprintf("%d of %d objects could not be found.", len(missing), len(list)), "errors": missing})
	}
	return rows, bodies, nil
}

func notAList(strict bool, body any) *reply {
	if !strict {
		return answer(http.StatusBadRequest, map[string]any{"non_field_errors": []any{
			fmt.Sprintf("Expected a list of items but got type %q.", pythonType(body))}})
	}
	in, isObject := body.(map[string]any)
	if body == nil || isObject && len(in) == 0 || body == "" {
		return detail(http.StatusBadRequest, "Expected a list of objects, but no data was submitted.")
	}
	return detail(http.StatusBadRequest, "Expected a list of objects, but got "+pythonType(body)+".")
}

func idProblem(in map[string]any, item any, key string) map[string]any {
	if in == nil {
		return map[string]any{key: []any{"Invalid data. Expected a dictionary, but got " + pythonType(item) + "."}}
	}
	if v, ok := in["id"]; ok && v == nil {
		return map[string]any{"id": []any{"This field may not be null."}}
	}
	if in["id"] == nil {
		return map[string]any{"id": []any{"This field is required."}}
	}
	return map[string]any{"id": []any{"A valid integer is required."}}
}

func unusableEntries(strict bool, unusable []any, total int) *reply {
	if strict {
		return answer(http.StatusBadRequest, map[string]any{
			"detail": fmt.Sprintf("%d of %d objects failed validation.", len(unusable), total), "errors": unusable})
	}
	aligned := make([]any, total)
	for i := range aligned {
		aligned[i] = map[string]any{}
	}
	for _, u := range unusable {
		entry := u.(map[string]any)
		aligned[entry["index"].(int)] = entry["errors"]
	}
	return answer(http.StatusBadRequest, aligned)
}

func repeatedEntries(ids []int64) *reply {
	errors := []any{}
	for _, id := range uniqueIDs(ids) {
		n := 0
		for _, other := range ids {
			if other == id {
				n++
			}
		}
		if n > 1 {
			errors = append(errors, map[string]any{"id": id, "errors": map[string]any{"id": []any{
				fmt.Sprintf("Each object may be specified only once; ID %d is listed %d times", id, n)}}})
		}
	}
	if len(errors) == 0 {
		return nil
	}
	return answer(http.StatusBadRequest, map[string]any{
		"detail": fmt.Sprintf("%d of %d objects are listed more than once.", len(errors), len(ids)), "errors": errors})
}

func uniqueIDs(ids []int64) []int64 {
	var out []int64
	seen := map[int64]bool{}
	for _, id := range ids {
		if !seen[id] {
			out = append(out, id)
		}
		seen[id] = true
	}
	return out
}

func withoutID(in map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range in {
		if k != "id" {
			out[k] = v
		}
	}
	return out
}
