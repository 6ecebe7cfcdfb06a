package netboxtest

import (
	"fmt"
	"slices"
	"strconv"
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
		if !v.atLeast(f.since) {
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

// contentTypeFilter takes the id of a content type, as assigned_object_type did before 4.4; a label is a bad choice.
func contentTypeFilter(*txn, []string) (test, string) {
	return nil, "Select a valid choice. That choice is not one of the available choices."
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

func negated(f filterFunc) filterFunc {
	return func(t *txn, values []string) (test, string) {
		ok, message := f(t, values)
		return func(r *row) bool { return !ok(r) }, message
	}
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

func choiceFilter(f *field, lookup string) filterFunc {
	return func(t *txn, values []string) (test, string) {
		for _, v := range values {
			if (v != "null" || !f.nullable) && !t.hasChoice(f.set, v) {
				return nil, fmt.Sprintf("Select a valid choice. %s is not one of the available choices.", v)
			}
		}
		return func(r *row) bool {
			have := r.str(f.name)
			in := slices.ContainsFunc(values, func(v string) bool { return v == have || v == "null" && have == "" })
			return in != (lookup == "n")
		}, ""
	}
}

// refFilter filters by a related row: by id, or by its slug. A row that does not exist is a bad choice.
func refFilter(f *field, byID bool, lookup string) filterFunc {
	return func(t *txn, values []string) (test, string) {
		want := map[int64]bool{}
		null := false
		for _, v := range values {
			if v == "null" {
				null = true
				continue
			}
			id, message := t.choose(f.to, v, byID)
			if message != "" {
				return nil, message
			}
			for member := range t.withDescendants(f.to, id) {
				want[member] = true
			}
		}
		return func(r *row) bool {
			ids, _ := r.cols[f.name].([]int64)
			if id := r.ref(f.name); id != 0 {
				ids = []int64{id}
			}
			in := null && len(ids) == 0 || slices.ContainsFunc(ids, func(id int64) bool { return want[id] })
			return in != (lookup == "n")
		}, ""
	}
}

// choose finds the row a filter value names. The message is "" if there is one.
func (t *txn) choose(path, value string, byID bool) (int64, string) {
	missing := fmt.Sprintf("Select a valid choice. %s is not one of the available choices.", value)
	if byID {
		id, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return 0, fmt.Sprintf("“%s” is not a valid value.", value)
		}
		if t.get(path, id) == nil {
			return 0, missing
		}
		return id, ""
	}
	if r := t.bySlug(path, value); r != nil {
		return r.id, ""
	}
	return 0, missing
}

// bySlug finds a row by the column that names it in filters, nil if there is none.
func (t *txn) bySlug(path, value string) *row {
	column := t.table(path).model.slugColumn()
	for _, r := range t.all(path) {
		if r.str(column) == value && value != "" {
			return r
		}
	}
	return nil
}

// withDescendants is a row and, in a tree, everything below it.
func (t *txn) withDescendants(path string, id int64) map[int64]bool {
	members := map[int64]bool{id: true}
	if !t.table(path).model.isTree() {
		return members
	}
	for grown := true; grown; {
		grown = false
		for _, r := range t.all(path) {
			if parent := r.ref("parent"); !members[r.id] && parent != 0 && members[parent] {
				members[r.id], grown = true, true
			}
		}
	}
	return members
}

func (m *model) isTree() bool {
	return slices.ContainsFunc(m.fields, func(f field) bool { return f.name == "parent" && f.to == m.path })
}

func tagFilter(v Version, m *model, base, lookup string) filterFunc {
	known := lookup == "" || lookup == "n" || lookup == "any" && v.atLeast(6)
	if !known || base == "tag_id" && !v.atLeast(3) {
		return nil
	}
	return func(t *txn, values []string) (test, string) {
		var ids []int64
		if slices.Contains(values, "null") {
			return func(r *row) bool { return (len(r.tags) == 0) != (lookup == "n") }, ""
		}
		for _, value := range values {
			id, message := t.choose("extras/tags", value, base == "tag_id")
			if message != "" {
				return nil, message
			}
			ids = append(ids, id)
		}
		return func(r *row) bool {
			has := func(id int64) bool { return slices.Contains(r.tags, id) }
			switch lookup {
			case "n":
				return !slices.ContainsFunc(ids, has)
			case "any":
				return slices.ContainsFunc(ids, has)
			}
			return !slices.ContainsFunc(ids, func(id int64) bool { return !has(id) })
		}, ""
	}
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
