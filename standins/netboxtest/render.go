package netboxtest

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// selection tells which fields of an answer are wanted.
type selection func(name string) bool

// selection reads ?fields=, ?omit=, ?brief= and ?exclude=.
func (t *txn) selection(m *model) selection {
	v, q := t.s.config.Version, t.call.query
	if list := q.Get("fields"); list != "" {
		names := strings.Split(list, ",")
		return func(name string) bool { return slices.Contains(names, name) }
	}
	if list := q.Get("omit"); list != "" && v.atLeast(5) {
		names := strings.Split(list, ",")
		return func(name string) bool { return !slices.Contains(names, name) }
	}
	if q.Get("brief") != "" && t.call.Method == http.MethodGet {
		return m.isBrief
	}
	if slices.Contains(q["exclude"], "config_context") && !v.atLeast(7) {
		return func(name string) bool { return name != "config_context" }
	}
	return func(string) bool { return true }
}

func (m *model) isBrief(name string) bool {
	return name == "id" || name == "url" || name == "display" || slices.Contains(m.brief, name)
}

// render shows a row.
func (t *txn) render(m *model, r *row, want selection) map[string]any {
	out := map[string]any{}
	put := func(name string, value func() any) {
		if want(name) {
			out[name] = value()
		}
	}
	put("id", func() any { return r.id })
	put("url", func() any { return fmt.Sprintf("%s/api/%s/%d/", t.base(), m.path, r.id) })
	put("display_url", func() any { return fmt.Sprintf("%s/%s/%d/", t.base(), m.path, r.id) })
	put("display", func() any { return t.display(m, r) })
	for i := range m.fields {
		f := &m.fields[i]
		if f.hidden || !f.in(t.s.config.Version) || m.computed[f.name] != nil {
			continue
		}
		put(f.name, func() any { return t.show(f, r.cols[f.name]) })
	}
	for name, value := range m.computed {
		put(name, func() any { return value(t, r) })
		if out[name] == (absent{}) {
			delete(out, name)
		}
	}
	for name, value := range m.fixed {
		if from, ok := value.(sinceMinor); ok {
			if !t.s.config.Version.atLeast(from.minor) {
				continue
			}
			value = from.value
		}
		put(name, func() any { return value })
	}
	if !m.plain {
		put("tags", func() any { return t.showTags(r) })
		put("custom_fields", func() any { return t.showCustomFields(m, r) })
	}
	if !m.noTime {
		put("created", func() any { return t.showTime(r.created) })
		put("last_updated", func() any { return t.showTime(r.updated) })
	}
	return out
}

// absent is the value of a computed field that this version lacks.
type absent struct{}

// show shows one column's value.
func (t *txn) show(f *field, v any) any {
	switch x := v.(type) {
	case time.Time:
		return t.showTime(x)
	case netip.Prefix:
		return x.String()
	}
	switch f.kind {
	case choice:
		return t.showChoice(f.set, v)
	case single:
		id, _ := v.(int64)
		if f.nested != nil {
			return t.nestedAs(f.to, id, f.nested)
		}
		return t.nested(f.to, id)
	case slugs:
		list := []any{}
		ids, _ := v.([]int64)
		for _, tag := range t.tagRows(ids) {
			list = append(list, tag.str("slug"))
		}
		return list
	case many:
		list := []any{}
		ids, _ := v.([]int64)
		for _, id := range ids {
			list = append(list, t.nested(f.to, id))
		}
		return list
	}
	return v
}

// nested shows a row briefly, as it appears inside another one. nil if there is none.
func (t *txn) nested(path string, id int64) any {
	r := t.get(path, id)
	if r == nil {
		return nil
	}
	m := t.table(path).model
	return t.render(m, r, m.isBrief)
}

// nestedAs shows a row with its identity and the named fields only, as some relations do. A device or VM inside is shown so
// too, and the family of an address is a bare number.
func (t *txn) nestedAs(path string, id int64, names []string) any {
	r := t.get(path, id)
	if r == nil {
		return nil
	}
	out := t.render(t.table(path).model, r, func(name string) bool {
		return name == "id" || name == "url" || name == "display_url" || name == "display" || slices.Contains(names, name)
	})
	for _, owner := range []struct{ column, path string }{{"device", devicesPath}, {"virtual_machine", machinesPath}} {
		if _, ok := out[owner.column]; ok {
			out[owner.column] = t.nestedAs(owner.path, r.ref(owner.column), []string{"name"})
		}
	}
	if slices.Contains(names, "family") {
		out["family"] = familyNumber(r.prefix("address"))
	}
	return out
}

func (t *txn) display(m *model, r *row) string {
	if m.display != nil {
		return m.display(t, r)
	}
	return r.str("name")
}

// labelled finds the model with an "app.model" label, nil if the stand-in has none.
func (s *Server) labelled(label string) *model {
	for _, tab := range s.tables {
		if tab.model.label == label {
			return tab.model
		}
	}
	return nil
}

// generic shows the object of a generic relation, nil if there is none.
func (t *txn) generic(r *row, name string) any {
	m := t.s.labelled(r.str(name + "_type"))
	if m == nil {
		return nil
	}
	return t.nested(m.path, r.ref(name+"_id"))
}

// showTags lists a row's tags by name, as NetBox orders them.
func (t *txn) showTags(r *row) any {
	list := []any{}
	for _, tag := range t.tagRows(r.tags) {
		out := map[string]any{"id": tag.id, "url": fmt.Sprintf("%s/api/extras/tags/%d/", t.base(), tag.id),
			"display_url": fmt.Sprintf("%s/extras/tags/%d/", t.base(), tag.id), "display": tag.str("name"),
			"name": tag.str("name"), "slug": tag.str("slug"), "color": tag.str("color")}
		list = append(list, out)
	}
	return list
}

func (t *txn) tagRows(ids []int64) []*row {
	var tags []*row
	for _, id := range ids {
		if tag := t.get("extras/tags", id); tag != nil {
			tags = append(tags, tag)
		}
	}
	slices.SortFunc(tags, func(a, b *row) int {
		return compareValues(a.str("name"), b.str("name"))
	})
	return tags
}

// options answers OPTIONS: what POST and PUT accept, choices included, as far as the token may add and change.
func (t *txn) options(m *model) *reply {
	out := map[string]any{"name": m.class + " List", "description": "", "renders": []any{"application/json", "text/html"},
		"parses": []any{"application/json"}}
	actions := map[string]any{}
	for method, action := range map[string]string{http.MethodPost: "add", http.MethodPut: "change"} {
		if t.call.token.allows(m.label, action) && !t.call.token.ReadOnly {
			actions[method] = t.optionFields(m)
		}
	}
	if len(actions) > 0 {
		out["actions"] = actions
	}
	return answer(http.StatusOK, out)
}

func (t *txn) optionFields(m *model) map[string]any {
	fields := map[string]any{}
	for _, f := range m.fields {
		if f.hidden || f.readOnly || !f.in(t.s.config.Version) {
			continue
		}
		entry := map[string]any{"type": optionType(f.kind), "required": f.required, "read_only": false, "label": f.name}
		if f.kind == choice {
			entry["choices"] = t.optionChoices(f.set)
		}
		fields[f.name] = entry
	}
	return fields
}

func (t *txn) optionChoices(set string) []any {
	list := []any{}
	for _, o := range t.s.sets[set] {
		list = append(list, map[string]any{"value": o.value, "display_name": o.label})
	}
	return list
}

func optionType(k kind) string {
	switch k {
	case single:
		return "nested object"
	case moment:
		return "datetime"
	case integer:
		return "integer"
	case boolean:
		return "boolean"
	case text:
		return "string"
	}
	return "field"
}
