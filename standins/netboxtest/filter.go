package netboxtest

import (
	"fmt"
	"slices"
	"strings"
)

// test decides whether a row passes a filter.
type test func(r *row) bool

// filterFunc makes the test for a filter's values. The message is "" if the values are possible.
type filterFunc func(t *txn, values []string) (test, string)

// notFilters are the parameters of paging and field selection that a version knows.
func notFilters(v Version) []string {
	known := []string{"limit", "offset", "ordering", "fields", "brief", "format"}
	for name, is := range map[string]bool{"omit": v.atLeast(5), "start": v.atLeast(6), "background": v.atLeast(7), "exclude": !v.atLeast(7)} {
		if is {
			known = append(known, name)
		}
	}
	return known
}

// filters makes a test for each known parameter. Unknown parameters are ignored, as NetBox does.
func (t *txn) filters(m *model) ([]test, problems) {
	var tests []test
	bad := problems{}
	known := notFilters(t.s.config.Version)
	for name, values := range t.call.query {
		if slices.Contains(known, name) {
			continue
		}
		make := t.filter(m, name)
		if make == nil {
			t.call.ignored = append(t.call.ignored, name)
			continue
		}
		ok, message := make(t, values)
		if message != "" {
			bad.add(problemKey(m, name), "%s", message)
			continue
		}
		tests = append(tests, ok)
	}
	return tests, bad
}

// problemKey is the key of a filter's error: those on the time of a change share one.
func problemKey(m *model, param string) string {
	if m.path == changesPath && strings.HasPrefix(param, "time_") {
		return "time"
	}
	return param
}

// filter finds what a parameter does; nil: nothing. Filters that offer choices refuse an empty value, all others ignore it.
func (t *txn) filter(m *model, param string) filterFunc {
	if f := t.choosingFilter(m, param); f != nil {
		return f
	}
	f := t.plainFilter(m, param)
	if f == nil {
		return nil
	}
	return func(t *txn, values []string) (test, string) {
		values = slices.DeleteFunc(slices.Clone(values), func(v string) bool { return v == "" })
		if len(values) == 0 {
			return func(*row) bool { return true }, ""
		}
		return f(t, values)
	}
}

// choosingFilter finds a filter by choices, tags or related objects.
func (t *txn) choosingFilter(m *model, param string) filterFunc {
	base, lookup, _ := strings.Cut(param, "__")
	v := t.s.config.Version
	if (base == "tag" || base == "tag_id") && !m.plain {
		return tagFilter(v, m, base, lookup)
	}
	if f := m.relations[base]; f != nil {
		if lookup == "n" {
			return negated(f)
		}
		return f
	}
	if f := m.column(v, base); f != nil && f.kind == choice && (lookup == "" || lookup == "n" || lookup != "empty" && !v.atLeast(7)) && m.filters[param] == nil {
		return choiceFilter(f, lookup)
	}
	if f := m.column(v, base); f != nil && f.kind == typeName && !v.atLeast(4) && m.path != prefixesPath {
		return contentTypeFilter
	}
	for i := range m.fields {
		f := &m.fields[i]
		if !f.in(v) {
			continue
		}
		one := f.name
		if f.kind == many || f.kind == slugs {
			one = strings.TrimSuffix(f.name, "s")
		} else if f.kind != single {
			continue
		}
		if base == one || base == one+"_id" {
			return refFilter(f, base != one, lookup)
		}
	}
	return nil
}

func (t *txn) plainFilter(m *model, param string) filterFunc {
	base, lookup, _ := strings.Cut(param, "__")
	v := t.s.config.Version
	if strings.HasPrefix(param, "cf_") {
		return t.customFieldFilter(m, param)
	}
	if f := m.filters[param]; f != nil {
		return f
	}
	switch base {
	case "q":
		return searchFilter(m)
	case "id", "created", "last_updated":
		return valueFilter(m, base, lookup)
	case "created_by_request", "updated_by_request", "modified_by_request":
		return requestFilter(m, base)
	}
	if m.filters[base] != nil && lookup == "n" {
		return negated(m.filters[base])
	}
	if f := m.column(v, base); f != nil {
		return t.columnFilter(m, f, lookup)
	}
	return nil
}

// columnFilter filters by a plain column.
func (t *txn) columnFilter(m *model, f *field, lookup string) filterFunc {
	switch f.kind {
	case boolean:
		return func(_ *txn, values []string) (test, string) {
			want, message := parseBoolean(values[len(values)-1])
			if message != "" {
				return func(*row) bool { return true }, ""
			}
			return func(r *row) bool { return r.flag(f.name) == want }, ""
		}
	case hardware:
		if lookup != "" && lookup != "n" {
			return textFilter(f.name, lookup)
		}
		return macFilter(func(t *txn, r *row) []string { return []string{r.str(f.name)} })
	case words:
		return nil
	case text, choice, typeName, integer, decimal, moment:
		return valueFilter(m, f.name, lookup)
	}
	return nil
}

func searchFilter(m *model) filterFunc {
	return func(t *txn, values []string) (test, string) {
		q := strings.ToLower(strings.TrimSpace(values[len(values)-1]))
		return func(r *row) bool {
			return slices.ContainsFunc(m.search, func(col string) bool {
				return strings.Contains(strings.ToLower(fmt.Sprint(r.cols[col])), q)
			})
		}, ""
	}
}

// requestFilter finds the rows that a request created or updated, by its X-Request-ID.
func requestFilter(m *model, base string) filterFunc {
	return func(t *txn, values []string) (test, string) {
		actions := map[string][]string{"created_by_request": {"create"}, "updated_by_request": {"update"},
			"modified_by_request": {"create", "update"}}[base]
		ids := map[int64]bool{}
		for _, c := range t.all(changesPath) {
			if c.str("changed_object_type") == m.label && slices.Contains(values, c.str("request_id")) && slices.Contains(actions, c.str("action")) {
				ids[c.ref("changed_object_id")] = true
			}
		}
		return func(r *row) bool { return ids[r.id] }, ""
	}
}
