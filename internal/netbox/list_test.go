package netbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

// tagIDs lists all tags with each or all.
func tagIDs(t *testing.T, read func(Table, url.Values, RowFunc) error) ([]int64, error) {
	t.Helper()
	var ids []int64
	err := read(Tags, url.Values{"fields": {"id"}}, func(raw json.RawMessage) (int64, error) {
		var head RowHead
		if err := json.Unmarshal(raw, &head); err != nil {
			t.Errorf("row %s: %v", raw, err)
		}
		ids = append(ids, head.ID)
		return head.ID, nil
	})
	slices.Sort(ids)
	return ids, err
}

func addTags(t *testing.T, s *netboxtest.Server, n int) []int64 {
	t.Helper()
	var ids []int64
	for i := range n {
		ids = append(ids, s.Add(t, "extras/tags", map[string]any{"name": fmt.Sprint("t", i), "slug": fmt.Sprint("t", i)}))
	}
	return ids
}

func TestListsAreReadWholeWhateverThePageSize(t *testing.T) {
	for _, v := range netboxtest.Versions() {
		for _, size := range []int{1, 7, 25, 1000, -1} {
			t.Run(fmt.Sprintf("NetBox %s, pages of %d", v, size), func(t *testing.T) {
				s := netboxtest.New(t, netboxtest.Config{Version: v, MaxPageSize: size, NextBase: "http://inner.invalid:1"})
				c := connect(t, s.URL(), s.TokenV1(), silent())
				want := addTags(t, s, 25)
				got, err := tagIDs(t, func(table Table, q url.Values, fn RowFunc) error { return c.ListUnchecked(t.Context(), table, q, fn) })
				if err != nil || !slices.Equal(got, want) {
					t.Errorf("each gave %v, %v; want %v", got, err, want)
				}
				got, err = tagIDs(t, func(table Table, q url.Values, fn RowFunc) error { return c.List(t.Context(), table, q, fn) })
				if err != nil || !slices.Equal(got, want) {
					t.Errorf("counted gave %v, %v; want %v", got, err, want)
				}
				got, err = tagIDs(t, func(table Table, q url.Values, fn RowFunc) error { return c.ListLarge(t.Context(), table, q, fn) })
				if err != nil || !slices.Equal(got, want) {
					t.Errorf("all gave %v, %v; want %v", got, err, want)
				}
				got, err = tagIDs(t, func(table Table, q url.Values, fn RowFunc) error {
					return c.ListByID(t.Context(), table, q, want[3:9], fn)
				})
				if err != nil || !slices.Equal(got, want[3:9]) {
					t.Errorf("byID gave %v, %v; want %v", got, err, want[3:9])
				}
				if size > 1 && size < 25 && c.pageLimit.Load() != int64(size) {
					t.Errorf("learned a page size of %d, want %d", c.pageLimit.Load(), size)
				}
			})
		}
	}
}

func TestALargeTableIsReadInSpansThatMissNothing(t *testing.T) {
	for _, v := range []netboxtest.Version{netboxtest.V45, netboxtest.V47} {
		t.Run("NetBox "+string(v), func(t *testing.T) {
			s := netboxtest.New(t, netboxtest.Config{Version: v})
			c := connect(t, s.URL(), s.TokenV1(), silent())
			want := addTags(t, s, 30)
			s.Delete(t, "extras/tags", want[4])
			want = slices.Delete(want, 4, 5)
			spans, err := c.spans(t.Context(), Tags, url.Values{"fields": {"id"}}, 1e6)
			if err != nil || len(spans) != readsInFlight {
				t.Fatalf("%d spans, %v; want %d", len(spans), err, readsInFlight)
			}
			var got []int64
			for _, span := range spans {
				part, err := tagIDs(t, func(table Table, _ url.Values, fn RowFunc) error {
					return c.ListUnchecked(t.Context(), table, span, fn)
				})
				if err != nil {
					t.Fatal(err)
				}
				if len(part) == 0 {
					t.Errorf("span %v is empty", span)
				}
				got = append(got, part...)
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("spans gave %v, want %v", got, want)
			}
		})
	}
}

func TestAListThatContradictsItselfIsAnError(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fault netboxtest.FaultKind
		kind  Kind // empty: the whole list comes nonetheless
	}{
		{"half a page", netboxtest.HalfPage, ""},
		{"a page that ends the list too early", netboxtest.EmptyPage, Incomplete},
		{"the first page for ever", netboxtest.RepeatedPage, Incomplete},
		{"a body cut off each time", netboxtest.Truncated, Unreachable},
		{"a page that is no list", netboxtest.HTML200, NotNetBox},
	} {
		for _, v := range []netboxtest.Version{netboxtest.V45, netboxtest.V46} {
			t.Run(tt.name+", NetBox "+string(v), func(t *testing.T) {
				s := netboxtest.New(t, netboxtest.Config{Version: v, MaxPageSize: 10})
				c := connect(t, s.URL(), s.TokenV1(), silent())
				made := addTags(t, s, 35)
				// The count that all asks for first is let through.
				s.Fail(netboxtest.Fault{Kind: tt.fault, Path: "/api/extras/tags/", After: 2})
				got, err := tagIDs(t, func(table Table, q url.Values, fn RowFunc) error { return c.ListLarge(t.Context(), table, q, fn) })
				want := tt.kind
				if tt.fault == netboxtest.RepeatedPage && v == netboxtest.V45 {
					want = "" // a filter by id leads to the right page all the same
				}
				if want == "" && (err != nil || !slices.Equal(got, made)) {
					t.Errorf("got %v, %v; want %v", got, err, made)
				}
				if KindOf(err) != want {
					t.Errorf("got %v, want kind %q", err, want)
				}
			})
		}
	}
}

func TestAServerThatIgnoresTheCursorIsPagedByID(t *testing.T) {
	s := netboxtest.New(t, netboxtest.Config{Version: netboxtest.V45, MaxPageSize: 10})
	want := addTags(t, s, 25)
	// What stands in front claims a version that knows start=.
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.ServeHTTP(headerRewriter{w}, r)
	}))
	t.Cleanup(front.Close)
	c := connect(t, front.URL, s.TokenV1(), silent())
	got, err := tagIDs(t, func(table Table, q url.Values, fn RowFunc) error { return c.ListUnchecked(t.Context(), table, q, fn) })
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
}

type headerRewriter struct{ http.ResponseWriter }

func (w headerRewriter) WriteHeader(status int) {
	w.Header().Set("API-Version", "4.7")
	w.ResponseWriter.WriteHeader(status)
}

// always answers every list with one page, for every query.
func always(t *testing.T, version, page string) *Client {
	t.Helper()
	return answering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("API-Version", version)
		fmt.Fprint(w, page)
	})
}

func TestIgnoredFiltersAreNoticed(t *testing.T) {
	const rows = `"results":[{"id":1},{"id":2},{"id":3}]}`
	for name, c := range map[string]*Client{
		"id__gt":     always(t, "4.5", `{"count":6,"next":"x",`+rows),
		"start":      always(t, "4.7", `{"count":null,"next":"x",`+rows),
		"everything": always(t, "4.7", `{"count":6,"next":"x",`+rows),
	} {
		if c.version.Store(&Version{4, 7}); name == "id__gt" {
			c.version.Store(&Version{4, 5})
		}
		_, err := tagIDs(t, func(table Table, q url.Values, fn RowFunc) error { return c.ListUnchecked(t.Context(), table, q, fn) })
		if KindOf(err) != Incomplete {
			t.Errorf("%s ignored: got %v, want a contradiction reported", name, err)
		}
	}
	c := always(t, "4.7", `{"count":3,"next":null,`+rows)
	c.version.Store(&Version{4, 7})
	_, err := tagIDs(t, func(table Table, q url.Values, fn RowFunc) error {
		return c.ListByID(t.Context(), table, q, []int64{2}, fn)
	})
	if KindOf(err) != Incomplete {
		t.Errorf("id ignored: got %v, want a contradiction reported", err)
	}
}

func FuzzEnvelope(f *testing.F) {
	f.Add([]byte(`{"count":2,"next":"http://x/?limit=1","previous":null,"results":[{"id":1},{"id":2}]}`))
	f.Add([]byte(`{"count":null,"next":null,"results":[]}`))
	f.Add([]byte(`{"results":[1,"a",null,{}]}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		page, err := decodeEnvelope(body)
		if err != nil {
			return
		}
		for _, row := range page.Results {
			if !json.Valid(row) {
				t.Errorf("row %q is no JSON", row)
			}
		}
	})
}
