package netbox

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"

	"golang.org/x/sync/errgroup"
)

const (
	pageSize   = 1000 // rows asked for; NetBox may give fewer
	idsAtATime = 200  // id= values that fit gunicorn's request line of 4094 bytes
)

// envelope is one page of a list. A row is split off undecoded, so that a bad
// one costs only itself.
type envelope struct {
	Count   *int64            `json:"count"`
	Next    *string           `json:"next"` // only whether there is one: its host may be an inner name (NB-1.3)
	Results []json.RawMessage `json:"results"`
}

func decodeEnvelope(body []byte) (*envelope, error) {
	var page envelope
	if err := json.Unmarshal(body, &page); err != nil {
		return nil, fmt.Errorf("decode the page: %w", err)
	}
	if page.Results == nil {
		return nil, fmt.Errorf("decode the page: it has no results")
	}
	return &page, nil
}

// page reads one page of a list.
func (c *Client) page(ctx context.Context, t Table, query url.Values) (*envelope, error) {
	got, err := c.get(ctx, t, "", query)
	if err != nil {
		return nil, err
	}
	page, err := decodeEnvelope(got.body)
	if err != nil {
		return nil, &Error{Kind: NotNetBox, Op: operation(http.MethodGet, t), Status: got.status, Err: err}
	}
	c.notePageSize(page)
	return page, nil
}

// notePageSize learns MAX_PAGE_SIZE from the limit that a link to the next
// page repeats.
func (c *Client) notePageSize(page *envelope) {
	if page.Next == nil {
		return
	}
	next, err := url.Parse(*page.Next)
	if err != nil {
		return
	}
	limit, err := strconv.ParseInt(next.Query().Get("limit"), 10, 64)
	if old := c.pageLimit.Load(); err == nil && limit > 1 && limit < pageSize && (old == 0 || limit < old) {
		c.pageLimit.Store(limit)
	}
}

// FirstPage reads the first page of a list that matches query: for a look at
// one row, with limit=1. A list that must be whole is read by List and its
// relatives.
func (c *Client) FirstPage(ctx context.Context, t Table, query url.Values) ([]json.RawMessage, error) {
	page, err := c.page(ctx, t, query)
	if err != nil {
		return nil, err
	}
	return page.Results, nil
}

// PageLimit is the smallest size of page that NetBox was seen to impose
// (MAX_PAGE_SIZE); 0: none.
func (c *Client) PageLimit() int64 { return c.pageLimit.Load() }

// RowFunc takes one row. It returns the row's id, 0 where it cannot be read,
// or an error that ends the list and is the list's error.
type RowFunc func(json.RawMessage) (int64, error)

// ListUnchecked calls fn with every row of a list that matches query, in the
// order of ids, page by page. Pages are cut by id and not by offset, so that
// rows that come and go between two pages shift nothing (NB-1.4). It pages in
// the cheapest way, without a count, and does not notice a list that ends early:
// it is for lists whose end is checked otherwise.
func (c *Client) ListUnchecked(ctx context.Context, t Table, query url.Values, fn RowFunc) error {
	version, err := c.Version(ctx)
	if err != nil {
		return err
	}
	if !version.AtLeast(4, 6) || c.noCursor.Load() {
		return c.List(ctx, t, query, fn)
	}
	for last := int64(0); ; {
		// start= is inclusive, and refused beside ordering=.
		page, err := c.page(ctx, t, with(query, "limit", number(pageSize), "start", number(last+1)))
		if err != nil {
			return err
		}
		if page.Count != nil {
			// start= was ignored: this is the first page in the list's own
			// order, and would be for ever.
			c.noCursor.Store(true)
			return c.List(ctx, t, with(query, "id__gt", number(last)), fn)
		}
		before := last
		if last, err = take(t, page, last, fn); err != nil || page.Next == nil {
			return err
		}
		if last == before {
			return Contradiction(t, "a page between others has no usable row")
		}
	}
}

// List calls fn with every row of a list that matches query, in the order of
// ids. NetBox counts the rows for each page, and a list that ends before all
// have come is an error of kind Incomplete.
func (c *Client) List(ctx context.Context, t Table, query url.Values, fn RowFunc) error {
	return c.ListWithProgress(ctx, t, query, nil, fn)
}

// ListWithProgress is List with a report after every page: how many rows have
// come, and how many there are now.
func (c *Client) ListWithProgress(ctx context.Context, t Table, query url.Values, report func(done, total int), fn RowFunc) error {
	if _, err := c.Version(ctx); err != nil {
		return err
	}
	query = with(query, "limit", number(pageSize), "ordering", "id")
	done := 0
	for last := int64(0); ; {
		page, err := c.page(ctx, t, query)
		if err != nil {
			return err
		}
		before := last
		if last, err = take(t, page, last, fn); err != nil {
			return err
		}
		if report != nil && page.Count != nil {
			// What the filter by id leaves is what was still to come.
			total := done + int(*page.Count)
			done += len(page.Results)
			report(done, total)
		}
		switch {
		case page.Count == nil:
			return Contradiction(t, "the answer has no count")
		case page.Next == nil && *page.Count > int64(len(page.Results)):
			return Contradiction(t, "the last page has %d rows of %d", len(page.Results), *page.Count)
		case page.Next == nil:
			return nil
		case last == before:
			return Contradiction(t, "a page between others has no usable row")
		}
		query.Set("id__gt", number(last))
	}
}

// take hands the rows of a page on and returns the last id.
func take(t Table, page *envelope, last int64, fn RowFunc) (int64, error) {
	for _, row := range page.Results {
		id, err := fn(row)
		if err != nil {
			return last, err
		}
		if id != 0 && id <= last {
			return last, Contradiction(t, "a page repeats id %d or is not ordered by id", id)
		}
		last = max(last, id)
	}
	return last, nil
}

// with is query with more parameters, given as keys and values in turn.
func with(query url.Values, pairs ...string) url.Values {
	q := url.Values{}
	maps.Copy(q, query)
	for pair := range slices.Chunk(pairs, 2) {
		q.Set(pair[0], pair[1])
	}
	return q
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

// Contradiction is the error of kind Incomplete of a list that cannot be what
// was asked for.
func Contradiction(t Table, format string, args ...any) *Error {
	return &Error{Kind: Incomplete, Op: operation(http.MethodGet, t), Message: fmt.Sprintf(format, args...)}
}

// Count asks how many rows match query.
func (c *Client) Count(ctx context.Context, t Table, query url.Values) (int64, error) {
	page, err := c.page(ctx, t, with(query, "limit", "1", "fields", "id"))
	if err != nil {
		return 0, err
	}
	if page.Count == nil {
		return 0, Contradiction(t, "the answer has no count")
	}
	return *page.Count, nil
}

// ListLarge reads a large list whole, in spans of ids and several of them at a
// time. NetBox is asked for the number of rows before and after, and a list
// shorter than both is an error of kind Incomplete. fn may be called from
// several goroutines, but never at the same time. The rows come in no order.
func (c *Client) ListLarge(ctx context.Context, t Table, query url.Values, fn RowFunc) error {
	before, err := c.Count(ctx, t, query)
	if err != nil {
		return err
	}
	spans, err := c.spans(ctx, t, query, before)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	var rows int64
	group, spanCtx := errgroup.WithContext(ctx)
	for _, span := range spans {
		group.Go(func() error {
			return c.ListUnchecked(spanCtx, t, span, func(row json.RawMessage) (int64, error) {
				mu.Lock()
				defer mu.Unlock()
				rows++
				return fn(row)
			})
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if rows >= before {
		return nil
	}
	after, err := c.Count(ctx, t, query)
	if err != nil {
		return err
	}
	if rows < min(before, after) {
		return Contradiction(t, "the list has %d rows, NetBox counts %d", rows, after)
	}
	return nil
}

// spans cuts a large table into spans of ids to be read at the same time.
func (c *Client) spans(ctx context.Context, t Table, query url.Values, rows int64) ([]url.Values, error) {
	if rows <= 2*pageSize {
		return []url.Values{query}, nil
	}
	page, err := c.page(ctx, t, with(query, "ordering", "-id", "limit", "1", "fields", "id"))
	if err != nil {
		return nil, err
	}
	var head RowHead
	if len(page.Results) == 0 || json.Unmarshal(page.Results[0], &head) != nil {
		return []url.Values{query}, nil
	}
	width := head.ID/readsInFlight + 1
	spans := []url.Values{with(query, "id__lt", number(width))}
	for low := width; low <= head.ID; low += width {
		spans = append(spans, with(query, "id__gte", number(low), "id__lt", number(low+width)))
	}
	// The last span has no end: rows may be made meanwhile.
	spans[len(spans)-1].Del("id__lt")
	return spans, nil
}

// ListByID reads the rows with the given ids, 200 to a request and several
// requests at a time. fn is never called at the same time. Ids that NetBox does
// not have, or does not show to the token, are not among the rows.
func (c *Client) ListByID(ctx context.Context, t Table, query url.Values, ids []int64, fn RowFunc) error {
	var mu sync.Mutex
	group, batchCtx := errgroup.WithContext(ctx)
	group.SetLimit(readsInFlight)
	for batch := range slices.Chunk(ids, idsAtATime) {
		q := with(query)
		for _, id := range batch {
			q.Add("id", number(id))
		}
		group.Go(func() error {
			return c.List(batchCtx, t, q, func(row json.RawMessage) (int64, error) {
				mu.Lock()
				defer mu.Unlock()
				id, err := fn(row)
				if err == nil && id != 0 && !slices.Contains(batch, id) {
					return id, Contradiction(t, "id %d was not asked for: the filter was ignored", id)
				}
				return id, err
			})
		})
	}
	return group.Wait()
}

// ReadNow reads one object. It asks once, without waiting for a slot, and ends with ctx:
// for a caller whose DHCP client waits for the answer.
func (c *Client) ReadNow(ctx context.Context, t Table, id int64, query url.Values) (json.RawMessage, error) {
	got, err := c.once(ctx, http.MethodGet, t, number(id)+"/", query, nil, nil)
	if err != nil {
		return nil, err
	}
	if IDOf(got.body) != id {
		return nil, notNetBox(got, http.MethodGet, t)
	}
	return got.body, nil
}

// ListInOrder reads a list in NetBox's own order, by offset. Rows that come or
// go between two pages show in the count, or as an id seen twice: an error of
// kind Incomplete.
func (c *Client) ListInOrder(ctx context.Context, t Table, query url.Values) ([]json.RawMessage, error) {
	if _, err := c.Version(ctx); err != nil {
		return nil, err
	}
	var all []json.RawMessage
	var seen []int64
	for {
		page, err := c.page(ctx, t, with(query, "limit", number(pageSize), "offset", number(int64(len(all)))))
		if err != nil {
			return nil, err
		}
		for _, raw := range page.Results {
			var head RowHead
			if json.Unmarshal(raw, &head) == nil && head.ID != 0 && slices.Contains(seen, head.ID) {
				return nil, Contradiction(t, "id %d is on two pages", head.ID)
			}
			seen = append(seen, head.ID)
		}
		all = append(all, page.Results...)
		switch {
		case page.Next != nil && len(page.Results) > 0:
		case page.Count == nil || *page.Count != int64(len(all)):
			return nil, Contradiction(t, "the list has %d rows and another count", len(all))
		default:
			return all, nil
		}
	}
}
