package netboxtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"unicode/utf8"
)

// refusal is a 4xx that concerns the whole object rather than a field; it carries its own status.
type refusal struct {
	status int
	body   any
	text   string // as bulk errors of 4.7 say it
}

// create answers POST of one object.
func (t *txn) create(m *model, body any) *reply {
	r, bad, no := t.insert(m, body)
	if out := t.failed(bad, no); out != nil {
		return out
	}
	return t.withETag(answer(http.StatusCreated, t.render(m, r, t.selection(m))), r)
}

// failed turns what went wrong into an answer, nil if nothing did.
func (t *txn) failed(bad problems, no *refusal) *reply {
	switch {
	case len(bad) > 0:
		return answer(http.StatusBadRequest, bad)
	case no != nil:
		return answer(no.status, no.body)
	}
	return nil
}

func (t *txn) updateOne(m *model, r *row, body any) *reply {
	if _, isList := body.([]any); isList {
		panic(serverError{"NotImplementedError", "Serializers with many=True do not support multiple update by default, only multiple create."})
	}
	partial := t.call.Method == http.MethodPatch
	changed, bad, no := t.change(m, r, body, partial)
	if out := t.failed(bad, no); out != nil {
		return out
	}
	return t.withETag(answer(http.StatusOK, t.render(m, changed, t.selection(m))), changed)
}

func (t *txn) deleteOne(m *model, r *row, body any) *reply {
	all, blockers := t.cascade(m, r)
	if len(blockers) > 0 {
		return answer(http.StatusConflict, map[string]any{"detail": t.protectedText(blockers)})
	}
	t.erase(all, changelogMessage(body))
	return answer(http.StatusNoContent, nil)
}

// insert validates and stores a new row.
func (t *txn) insert(m *model, body any) (*row, problems, *refusal) {
	in, bad := t.input(body)
	if bad != nil {
		return nil, bad, nil
	}
	r := &row{cols: map[string]any{}, cf: t.defaultCustomFields(m, in["custom_fields"] != nil), tags: []int64{}}
	for _, f := range m.fields {
		r.cols[f.name] = f.def
	}
	bad = t.assign(m, r, in, false)
	if len(bad) > 0 {
		return nil, bad, nil
	}
	r.id = 0
	if bad := t.clean(m, r, nil); len(bad) > 0 {
		return nil, bad, nil
	}
	if no := t.admissible(m, r, in, "add"); no != nil {
		return nil, nil, no
	}
	r.id = t.nextID(m.path)
	if !m.noTime {
		r.created = t.now()
		r.updated = r.created
	}
	t.put(m.path, r)
	t.logChange(m, "create", nil, r, changelogMessage(body))
	if m.saved != nil {
		m.saved(t, r, nil)
	}
	return t.get(m.path, r.id), nil, nil
}

// change validates and stores a changed row. Every column is saved, as NetBox does: of two overlapping changes of one
// row the later commit wins whole.
func (t *txn) change(m *model, old *row, body any, partial bool) (*row, problems, *refusal) {
	in, bad := t.input(body)
	if bad != nil {
		return nil, bad, nil
	}
	r := old.clone()
	if !t.call.query.Has("fields") { // fields on a write shapes the input too
		if bad := t.assign(m, r, in, partial); len(bad) > 0 {
			return nil, bad, nil
		}
	}
	if bad := t.clean(m, r, old); len(bad) > 0 {
		return nil, bad, nil
	}
	if no := t.admissible(m, r, in, "change"); no != nil {
		return nil, nil, no
	}
	if !m.noTime {
		r.updated = t.now()
	}
	t.put(m.path, r)
	t.logChange(m, "update", old, r, changelogMessage(body))
	if m.saved != nil {
		m.saved(t, r, old)
	}
	return t.get(m.path, r.id), nil, nil
}

// input is the body as an object.
func (t *txn) input(body any) (map[string]any, problems) {
	in, ok := body.(map[string]any)
	if !ok {
		bad := problems{}
		bad.add(t.s.config.Version.allErrors(), "Invalid data. Expected a dictionary, but got %s.", pythonType(body))
		return nil, bad
	}
	return in, nil
}

// assign reads the known keys of a request into a row. Unknown keys are ignored.
func (t *txn) assign(m *model, r *row, in map[string]any, partial bool) problems {
	bad := problems{}
	for i := range m.fields {
		f := &m.fields[i]
		if f.readOnly || !f.in(t.s.config.Version) {
			continue
		}
		v, given := in[f.name]
		if !given {
			if f.required && !partial {
				bad.add(f.name, "This field is required.")
			}
			continue
		}
		value, message := t.parse(f, v)
		if message != "" {
			bad.add(f.name, "%s", message)
			continue
		}
		r.cols[f.name] = value
		if f.unique && value != nil && t.taken(m, r, f, value) {
			bad.add(f.name, "%s with this %s already exists.", m.verbose, f.called())
		}
	}
	if !m.plain {
		t.assignCustomFields(m, r, in, bad)
		t.assignTags(m, r, in, bad)
		if len(bad) == 0 {
			t.requireCustomFields(m, r, bad)
		}
	}
	if message, ok := in["changelog_message"].(string); ok && t.s.config.Version.atLeast(4) && utf8.RuneCountInString(message) > 200 {
		panic(serverError{"DataError", "value too long for type character varying(200)"})
	}
	return bad
}

func (t *txn) taken(m *model, r *row, f *field, value any) bool {
	return slices.ContainsFunc(t.all(m.path), func(other *row) bool { return other.id != r.id && same(other.cols[f.name], value) })
}

// clean runs the model's own validation.
func (t *txn) clean(m *model, r, old *row) problems {
	if m.prepare == nil {
		return nil
	}
	return m.prepare(t, r, old)
}

// admissible checks what NetBox checks after saving: tag restrictions and the token's constraints.
func (t *txn) admissible(m *model, r *row, in map[string]any, action string) *refusal {
	_, whole := in["tags"]
	_, added := in["add_tags"]
	if whole || added && t.s.config.Version.atLeast(6) {
		for _, tag := range t.tagRows(r.tags) {
			if kinds, _ := tag.cols["object_types"].([]any); len(kinds) > 0 && !slices.Contains(kinds, any(m.label)) {
				text := fmt.Sprintf("Tag %s cannot be assigned to %s objects.", tag.str("name"), m.label[indexAfterDot(m.label):])
				return &refusal{status: http.StatusBadRequest, body: map[string]any{"detail": text}, text: text}
			}
		}
	}
	if !t.permits(m, action, r) {
		text := "You do not have permission to perform this action."
		return &refusal{status: http.StatusForbidden, body: map[string]any{"detail": text},
			text: "You do not have permission to perform this action on this object."}
	}
	return nil
}

func indexAfterDot(label string) int {
	for i := range label {
		if label[i] == '.' {
			return i + 1
		}
	}
	return 0
}

func changelogMessage(body any) string {
	in, _ := body.(map[string]any)
	s, _ := in["changelog_message"].(string)
	return s
}

// serverError is an exception inside NetBox: it becomes a 500.
type serverError struct{ exception, text string }

// toID reads the id of a bulk entry.
func toID(v any) (int64, bool) {
	switch x := v.(type) {
	case json.Number:
		n, err := x.Int64()
		return n, err == nil
	case string:
		n, message := parseInteger(x)
		id, _ := n.(int64)
		return id, message == ""
	}
	return 0, false
}
