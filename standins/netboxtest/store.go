package netboxtest

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// row is one object. A stored row is never modified: a change stores a clone.
type row struct {
	id               int64
	created, updated time.Time
	cols             map[string]any // by column: string, int64, float64, bool, netip.Prefix, time.Time, []int64, decoded JSON, nil
	cf               map[string]any // raw custom field data by field name
	tags             []int64
}

func (r *row) clone() *row {
	c := *r
	c.cols = maps.Clone(r.cols)
	c.cf = maps.Clone(r.cf)
	c.tags = slices.Clone(r.tags)
	return &c
}

func (r *row) str(col string) string { s, _ := r.cols[col].(string); return s }
func (r *row) ref(col string) int64  { id, _ := r.cols[col].(int64); return id }
func (r *row) flag(col string) bool  { b, _ := r.cols[col].(bool); return b }

// table holds the committed rows of one model.
type table struct {
	model *model
	last  int64 // newest id given out, also by transactions not yet committed
	rows  map[int64]*row
	ids   []int64 // ascending
	keys  map[string]map[int64]bool
}

func newTable(m *model) *table {
	return &table{model: m, rows: map[int64]*row{}, keys: map[string]map[int64]bool{}}
}

func (t *table) put(r *row) {
	if old, ok := t.rows[r.id]; ok {
		t.unindex(old)
	} else {
		at, _ := slices.BinarySearch(t.ids, r.id)
		t.ids = slices.Insert(t.ids, at, r.id)
	}
	t.rows[r.id] = r
	if t.model.key == nil {
		return
	}
	k := t.model.key(r)
	if t.keys[k] == nil {
		t.keys[k] = map[int64]bool{}
	}
	t.keys[k][r.id] = true
}

func (t *table) remove(id int64) {
	old, ok := t.rows[id]
	if !ok {
		return
	}
	t.unindex(old)
	delete(t.rows, id)
	at, _ := slices.BinarySearch(t.ids, id)
	t.ids = slices.Delete(t.ids, at, at+1)
}

func (t *table) unindex(r *row) {
	if t.model.key == nil {
		return
	}
	k := t.model.key(r)
	delete(t.keys[k], r.id)
	if len(t.keys[k]) == 0 {
		delete(t.keys, k)
	}
}

// txn is one request's view of the tables: what was committed, with its own changes laid over. Ids and times are
// given out at once, the changes become visible at commit, as in a database. A txn without changes is a plain view.
type txn struct {
	s    *Server
	call *call
	over map[string]map[int64]*row // by model path; a nil row is deleted

	events   []happening
	relative bool // URLs are shown without scheme and host
}

func (t *txn) table(path string) *table { return t.s.tables[path] }

func (t *txn) get(path string, id int64) *row {
	if r, ok := t.over[path][id]; ok {
		return r
	}
	return t.table(path).rows[id]
}

// all returns the rows of a model by ascending id.
func (t *txn) all(path string) []*row {
	tab, over := t.table(path), t.over[path]
	rows := make([]*row, 0, len(tab.ids)+len(over))
	for _, id := range tab.ids {
		if _, changed := over[id]; !changed {
			rows = append(rows, tab.rows[id])
		}
	}
	return appendLive(rows, over)
}

// keyed returns the rows whose model key is k, by ascending id.
func (t *txn) keyed(path, k string) []*row {
	tab, over := t.table(path), t.over[path]
	var rows []*row
	for id := range tab.keys[k] {
		if _, changed := over[id]; !changed {
			rows = append(rows, tab.rows[id])
		}
	}
	mine := map[int64]*row{}
	for id, r := range over {
		if r != nil && tab.model.key(r) == k {
			mine[id] = r
		}
	}
	return appendLive(rows, mine)
}

func appendLive(rows []*row, over map[int64]*row) []*row {
	for _, r := range over {
		if r != nil {
			rows = append(rows, r)
		}
	}
	slices.SortFunc(rows, func(a, b *row) int { return cmp.Compare(a.id, b.id) })
	return rows
}

func (t *txn) nextID(path string) int64 {
	tab := t.table(path)
	tab.last++
	return tab.last
}

func (t *txn) put(path string, r *row) {
	if t.over[path] == nil {
		t.over[path] = map[int64]*row{}
	}
	t.over[path][r.id] = r
}

func (t *txn) remove(path string, id int64) {
	if t.over[path] == nil {
		t.over[path] = map[int64]*row{}
	}
	t.over[path][id] = nil
}

// commit makes the changes visible. The server's lock must be held for writing.
func (t *txn) commit() {
	for path, rows := range t.over {
		for id, r := range rows {
			if r == nil {
				t.table(path).remove(id)
			} else {
				t.table(path).put(r)
			}
		}
	}
	t.over = map[string]map[int64]*row{}
}
