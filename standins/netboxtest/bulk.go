package netboxtest

import (
	"fmt"
	"net/http"
	"slices"
)

// batch collects the errors of one bulk write.
type batch struct {
	errors []any
	status int
}

// fail adds an entry's errors. 403 outranks 409, which outranks 400.
func (b *batch) fail(by string, at any, status int, errors any) {
	b.errors = append(b.errors, map[string]any{by: at, "errors": errors})
	rank := []int{http.StatusForbidden, http.StatusConflict, http.StatusBadRequest}
	if b.status == 0 || slices.Index(rank, status) < slices.Index(rank, b.status) {
		b.status = status
	}
}

func (b *batch) reply(total int, did string) *reply {
	return answer(b.status, map[string]any{"detail": fmt.Sprintf("%d of %d objects could not be %s.", len(b.errors), total, did), "errors": b.errors})
}

func (b *batch) failEntry(by string, at any, bad problems, no *refusal) {
	if len(bad) > 0 {
		b.fail(by, at, http.StatusBadRequest, bad)
	} else if no != nil {
		b.fail(by, at, no.status, map[string]any{"__all__": []any{no.text}})
	}
}

// bulkCreate answers POST of a list.
func (t *txn) bulkCreate(m *model, list []any) *reply {
	if !t.s.config.Version.atLeast(7) {
		return t.bulkCreateUnsaved(m, list)
	}
	var made []*row
	var b batch
	for i, item := range list {
		r, bad, no := t.insert(m, item)
		b.failEntry("index", i, bad, no)
		if r != nil {
			made = append(made, r)
		}
	}
	if len(b.errors) > 0 {
		return b.reply(len(list), "created")
	}
	return answer(http.StatusCreated, t.renderAll(m, made))
}

// bulkCreateUnsaved is the way up to 4.6: every entry is validated before any is saved, so entries of one batch do not
// see each other, and the errors are a list aligned with the input.
func (t *txn) bulkCreateUnsaved(m *model, list []any) *reply {
	aligned := make([]any, len(list))
	failed := false
	var refused *refusal // found while saving, so after all validation
	for i, item := range list {
		probe := &txn{s: t.s, call: t.call, over: map[string]map[int64]*row{}}
		last := t.lastIDs()
		_, bad, no := probe.insert(m, item)
		t.restoreIDs(last)
		if no != nil && refused == nil {
			refused = no
		}
		if bad == nil {
			bad = problems{}
		}
		aligned[i] = bad
		failed = failed || len(bad) > 0
	}
	if failed {
		return answer(http.StatusBadRequest, aligned)
	}
	if refused != nil {
		return answer(refused.status, refused.body)
	}
	var made []*row
	for _, item := range list {
		alone := &txn{s: t.s, call: t.call, over: map[string]map[int64]*row{}}
		r, bad, no := alone.insert(m, item)
		if out := t.failed(bad, no); out != nil {
			return out
		}
		for path, rows := range alone.over {
			for id, changed := range rows {
				if changed == nil {
					t.remove(path, id)
				} else {
					t.put(path, changed)
				}
			}
		}
		t.events = append(t.events, alone.events...)
		made = append(made, r)
	}
	return answer(http.StatusCreated, t.renderAll(m, made))
}

func (t *txn) lastIDs() map[string]int64 {
	last := map[string]int64{}
	for path, tab := range t.s.tables {
		last[path] = tab.last
	}
	return last
}

func (t *txn) restoreIDs(last map[string]int64) {
	for path, id := range last {
		t.s.tables[path].last = id
	}
}

func (t *txn) renderAll(m *model, rows []*row) []any {
	want := t.selection(m)
	out := make([]any, len(rows))
	for i, r := range rows {
		out[i] = t.render(m, r, want)
	}
	return out
}

// bulkUpdate answers PATCH and PUT of a list.
func (t *txn) bulkUpdate(m *model, body any) *reply {
	rows, bodies, out := t.entries(m, body, "change")
	if out != nil {
		return out
	}
	t.sort(m, rows)
	var changed []*row
	var b batch
	for _, r := range rows {
		now, bad, no := t.change(m, t.get(m.path, r.id), bodies[r.id], t.call.Method == http.MethodPatch)
		if out := t.failed(bad, no); out != nil && !t.s.config.Version.atLeast(7) {
			return out
		}
		b.failEntry("id", r.id, bad, no)
		if now != nil {
			changed = append(changed, now)
		}
	}
	if len(b.errors) > 0 {
		return b.reply(len(rows), "updated")
	}
	return answer(http.StatusOK, t.renderAll(m, changed))
}

// bulkDelete answers DELETE of a list.
func (t *txn) bulkDelete(m *model, body any) *reply {
	rows, bodies, out := t.entries(m, body, "delete")
	if out != nil {
		return out
	}
	t.sort(m, rows)
	var b batch
	for _, r := range rows {
		if t.get(m.path, r.id) == nil {
			continue // went with an earlier one
		}
		all, blockers := t.cascade(m, r)
		if len(blockers) > 0 {
			if !t.s.config.Version.atLeast(7) {
				return answer(http.StatusConflict, map[string]any{"detail": t.protectedText(blockers)})
			}
			b.fail("id", r.id, http.StatusConflict, map[string]any{"__all__": []any{
				fmt.Sprintf("Unable to delete: %d dependent object(s) prevent deletion.", len(blockers))}})
			continue
		}
		t.erase(all, changelogMessage(bodies[r.id]))
	}
	if len(b.errors) > 0 {
		return b.reply(len(rows), "deleted")
	}
	return answer(http.StatusNoContent, nil)
}
