package netboxtest

import (
	"fmt"
	"slices"
	"strconv"
)

// contentTypeFilter takes the id of a content type, as assigned_object_type did before 4.4; a label is a bad choice.
func contentTypeFilter(*txn, []string) (test, string) {
	return nil, "Select a valid choice. That choice is not one of the available choices."
}

func negated(f filterFunc) filterFunc {
	return func(t *txn, values []string) (test, string) {
		ok, message := f(t, values)
		return func(r *row) bool { return !ok(r) }, message
	}
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
