package netboxtest

import (
	"fmt"
	"slices"
	"strings"
)

// cascaded is a row that a delete takes along.
type cascaded struct {
	m *model
	r *row
}

// cascade collects what deleting a row takes along, dependents first, and the rows that forbid it.
func (t *txn) cascade(m *model, r *row) (all, blockers []cascaded) {
	seen := map[*row]bool{}
	var collect func(m *model, r *row)
	collect = func(m *model, r *row) {
		if seen[r] {
			return
		}
		seen[r] = true
		t.eachDependent(m, r, func(d cascaded, f *field) {
			switch f.gone {
			case cascade:
				collect(d.m, d.r)
			case protect:
				if !slices.ContainsFunc(blockers, func(b cascaded) bool { return b.r == d.r }) {
					blockers = append(blockers, d)
				}
			}
		})
		all = append(all, cascaded{m, r})
	}
	collect(m, r)
	blockers = slices.DeleteFunc(blockers, func(d cascaded) bool { return seen[d.r] })
	return all, blockers
}

// eachDependent visits the rows that name r, with the column that does.
func (t *txn) eachDependent(m *model, r *row, visit func(d cascaded, f *field)) {
	for _, path := range t.s.paths() {
		other := t.table(path).model
		for i := range other.fields {
			f := &other.fields[i]
			if f.to != m.path && (f.kind != typeName || !slices.Contains(f.models, m.label)) {
				continue
			}
			for _, dep := range t.all(path) {
				if names(dep, f, m, r.id) {
					visit(cascaded{other, dep}, f)
				}
			}
		}
	}
}

// names reports whether a row's column refers to row id of model m.
func names(dep *row, f *field, m *model, id int64) bool {
	switch f.kind {
	case single:
		return dep.ref(f.name) == id
	case many, slugs:
		ids, _ := dep.cols[f.name].([]int64)
		return slices.Contains(ids, id)
	case typeName:
		return dep.str(f.name) == m.label && dep.ref(strings.TrimSuffix(f.name, "_type")+"_id") == id
	}
	return false
}

// erase removes rows and their traces in others, with change records.
func (t *txn) erase(all []cascaded, message string) {
	for _, d := range all {
		t.detach(d, all)
		t.remove(d.m.path, d.r.id)
		t.logChange(d.m, "delete", d.r, nil, message)
	}
}

// detach takes a row about to be deleted out of the rows that only name it.
func (t *txn) detach(d cascaded, all []cascaded) {
	deleted := func(r *row) bool { return slices.ContainsFunc(all, func(o cascaded) bool { return o.r == r }) }
	t.eachDependent(d.m, d.r, func(dep cascaded, f *field) {
		if deleted(dep.r) || f.gone != setNull {
			return
		}
		current := t.get(dep.m.path, dep.r.id)
		changed := current.clone()
		switch f.kind {
		case single:
			changed.cols[f.name] = nil
		case many, slugs:
			ids, _ := changed.cols[f.name].([]int64)
			changed.cols[f.name] = slices.DeleteFunc(slices.Clone(ids), func(id int64) bool { return id == d.r.id })
		case typeName:
			changed.cols[f.name], changed.cols[strings.TrimSuffix(f.name, "_type")+"_id"] = nil, nil
		}
		if f.kind == single && !f.hidden && !dep.m.noTime {
			changed.updated = t.now()
			t.logChange(dep.m, "update", current, changed, "")
		}
		t.put(dep.m.path, changed)
	})
	switch d.m.path {
	case "extras/tags":
		t.untag(d.r.id)
	case customFieldsPath:
		t.forgetCustomField(d.r)
	}
}

func (t *txn) untag(id int64) {
	for _, path := range t.s.paths() {
		for _, r := range t.all(path) {
			if slices.Contains(r.tags, id) {
				changed := r.clone()
				changed.tags = slices.DeleteFunc(changed.tags, func(other int64) bool { return other == id })
				t.put(path, changed)
			}
		}
	}
}

func (t *txn) protectedText(blockers []cascaded) string {
	var parts []string
	for _, b := range blockers {
		parts = append(parts, fmt.Sprintf("%s (%d)", t.display(b.m, b.r), b.r.id))
	}
	return fmt.Sprintf("Unable to delete object. %d dependent objects were found: %s", len(blockers), strings.Join(parts, ", "))
}
