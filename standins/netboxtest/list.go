package netboxtest

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const defaultPage = 50 // PAGINATE_COUNT

// list answers a list page.
func (t *txn) list(m *model) *reply {
	rows, bad := t.filtered(m)
	if bad != nil {
		return answer(http.StatusBadRequest, bad)
	}
	limit := t.limit()
	if t.call.fault != nil && t.call.fault.Kind == HalfPage && limit > 1 {
		limit /= 2
	}
	if t.s.config.Version.atLeast(6) && t.call.query.Has("start") {
		return t.cursorPage(m, rows, limit)
	}
	t.sort(m, rows)
	return t.offsetPage(m, rows, limit)
}

// filtered returns the rows the token may see that pass every filter, by id.
func (t *txn) filtered(m *model) ([]*row, problems) {
	tests, bad := t.filters(m)
	if len(bad) > 0 {
		return nil, bad
	}
	rows := slices.DeleteFunc(t.all(m.path), func(r *row) bool {
		if !t.permits(m, "view", r) {
			return true
		}
		return slices.ContainsFunc(tests, func(ok test) bool { return !ok(r) })
	})
	return rows, nil
}

// limit is the page size in force; 0: no limit.
func (t *txn) limit() int {
	ceiling := t.s.config.MaxPageSize
	if ceiling == 0 {
		ceiling = 1000
	}
	limit := defaultPage
	if n, err := strconv.Atoi(t.call.query.Get("limit")); err == nil && n >= 0 {
		limit = n
		if n == 0 && ceiling > 0 {
			limit = ceiling
		}
	}
	if ceiling > 0 {
		limit = min(limit, ceiling)
	}
	return limit
}

// cursorPage answers ?start=: rows by id from start on, uncounted.
func (t *txn) cursorPage(m *model, rows []*row, limit int) *reply {
	start, err := strconv.ParseInt(t.call.query.Get("start"), 10, 64)
	switch {
	case err != nil || start < 0:
		return answer(http.StatusBadRequest, []any{"Invalid 'start' parameter: must be a non-negative integer."})
	case t.call.query.Has("offset"):
		return answer(http.StatusBadRequest, []any{"'start' and 'offset' are mutually exclusive."})
	case t.call.query.Has("ordering"):
		return answer(http.StatusBadRequest, []any{"Ordering cannot be specified in conjunction with cursor-based pagination."})
	}
	if t.call.fault == nil || t.call.fault.Kind != RepeatedPage {
		rows = slices.DeleteFunc(rows, func(r *row) bool { return r.id < start })
	}
	var next any
	if limit > 0 && len(rows) >= limit {
		rows = rows[:limit]
		next = t.pageURL(url.Values{"start": {strconv.FormatInt(rows[limit-1].id+1, 10)}, "limit": {strconv.Itoa(limit)}})
	}
	return t.page(m, rows, nil, next, nil)
}

func (t *txn) offsetPage(m *model, rows []*row, limit int) *reply {
	count := len(rows)
	offset, err := strconv.Atoi(t.call.query.Get("offset"))
	if err != nil || offset < 0 {
		offset = 0
	}
	if t.call.fault != nil && t.call.fault.Kind == RepeatedPage {
		offset = 0
	}
	rows = rows[min(offset, count):]
	if limit == 0 {
		return t.page(m, rows, count, nil, nil)
	}
	rows = rows[:min(limit, len(rows))]
	var next, previous any
	if offset+limit < count {
		next = t.pageURL(url.Values{"offset": {strconv.Itoa(offset + limit)}, "limit": {strconv.Itoa(limit)}})
	}
	if offset > 0 {
		before := url.Values{"limit": {strconv.Itoa(limit)}}
		if offset > limit {
			before.Set("offset", strconv.Itoa(offset-limit))
		}
		previous = t.pageURL(before)
	}
	return t.page(m, rows, count, next, previous)
}

func (t *txn) page(m *model, rows []*row, count, next, previous any) *reply {
	want := t.selection(m)
	results := make([]any, len(rows))
	for i, r := range rows {
		results[i] = t.render(m, r, want)
	}
	return answer(http.StatusOK, map[string]any{"count": count, "next": next, "previous": previous, "results": results})
}

// pageURL is the call's own URL with other paging parameters.
func (t *txn) pageURL(paging url.Values) string {
	q := url.Values{}
	for k, v := range t.call.query {
		if k != "offset" && k != "limit" && k != "start" {
			q[k] = v
		}
	}
	for k, v := range paging {
		q[k] = v
	}
	return t.base() + t.call.URL.Path + "?" + q.Encode()
}

// sort orders rows as ?ordering= asks, else as the model does. rows arrive by id, and equal ones stay so unless ties are
// unstable.
func (t *txn) sort(m *model, rows []*row) {
	if t.s.config.UnstableTies && t.s.lists.Add(1)%2 == 0 {
		slices.Reverse(rows)
	}
	var orders []func(a, b *row) int
	for _, name := range strings.Split(t.call.query.Get("ordering"), ",") {
		column, descending := strings.CutPrefix(strings.TrimSpace(name), "-")
		order := t.columnOrder(m, column)
		if order == nil {
			continue
		}
		if descending {
			ascending := order
			order = func(a, b *row) int { return ascending(b, a) }
		}
		orders = append(orders, order)
	}
	if orders == nil && m.order != nil {
		orders = append(orders, func(a, b *row) int { return m.order(t, a, b) })
	}
	slices.SortStableFunc(rows, func(a, b *row) int {
		for _, order := range orders {
			if c := order(a, b); c != 0 {
				return c
			}
		}
		return 0
	})
}

func (t *txn) columnOrder(m *model, name string) func(a, b *row) int {
	switch name {
	case "":
		return nil
	case "id", "pk":
		return func(a, b *row) int { return cmp.Compare(a.id, b.id) }
	case "created":
		return func(a, b *row) int { return a.created.Compare(b.created) }
	case "last_updated":
		return func(a, b *row) int { return a.updated.Compare(b.updated) }
	}
	if m.column(t.s.config.Version, name) == nil {
		return nil
	}
	return func(a, b *row) int { return compareValues(a.cols[name], b.cols[name]) }
}
