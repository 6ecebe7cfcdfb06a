package netboxtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func pagingFacts() []fact {
	return []fact{
		{"a page has 50 rows unless asked otherwise", 0, func(t *testing.T, c *contract) {
			net := c.fill(t, 60)
			g := c.call(t, http.MethodGet, "ipam/ip-addresses/?parent="+net, nil)
			want := min(50, c.target.MaxPage)
			expect(t, g, http.StatusOK, map[string]any{"count": 60, "previous": nil})
			if n := len(g.names("id")); n != want {
				t.Errorf("%d rows, want %d", n, want)
			}
			g = c.call(t, http.MethodGet, "ipam/ip-addresses/?limit=7&parent="+net, nil)
			if n := len(g.names("id")); n != 7 {
				t.Errorf("%d rows, want 7", n)
			}
			next, err := url.Parse(fmt.Sprint(g.at("next")))
			if err != nil || next.Query().Get("offset") != "7" || next.Query().Get("limit") != "7" || next.Query().Get("parent") != net {
				t.Errorf("next is %v", g.at("next"))
			}
			if !strings.HasPrefix(next.String(), c.target.URL+"/api/ipam/ip-addresses/?") {
				t.Errorf("next is not absolute: %v", next)
			}
		}},
		{"a page has as many rows as the maximum allows", 0, func(t *testing.T, c *contract) {
			net := c.fill(t, 60)
			g := c.call(t, http.MethodGet, "ipam/ip-addresses/?fields=id&limit=59&parent="+net, nil)
			if n := len(g.names("id")); n != min(59, c.target.MaxPage) {
				t.Errorf("%d rows, want %d", n, min(59, c.target.MaxPage))
			}
		}},
		{"following next visits every row once", 0, func(t *testing.T, c *contract) {
			net := c.fill(t, 25)
			seen := c.follow(t, "ipam/ip-addresses/?limit=10&parent="+net)
			if len(seen) != 25 {
				t.Errorf("%d rows, want 25", len(seen))
			}
		}},
		{"a page is cut silently at the maximum", 0, pageCut},
		{"an offset past the end gives no rows", 0, func(t *testing.T, c *contract) {
			g := c.call(t, http.MethodGet, "ipam/vrfs/?offset=1000", nil)
			expect(t, g, http.StatusOK, map[string]any{"results": []any{}, "next": nil, "count": 2})
		}},
		{"id__gt with ordering=id pages by key in every version", 0, func(t *testing.T, c *contract) {
			net := c.fill(t, 25)
			var seen []string
			last := "0"
			for range 4 {
				page := c.call(t, http.MethodGet, "ipam/ip-addresses/?limit=10&ordering=id&id__gt="+last+"&parent="+net, nil).names("id")
				seen = append(seen, page...)
				if len(page) > 0 {
					last = page[len(page)-1]
				}
			}
			if len(seen) != 25 || !slices.IsSortedFunc(seen, func(a, b string) int { return len(a) - len(b) }) {
				t.Errorf("seen %v", seen)
			}
		}},
		{"start pages by key, uncounted", 6, cursorPaging},
		{"start with offset or ordering is 400", 6, func(t *testing.T, c *contract) {
			g := c.call(t, http.MethodGet, "ipam/vrfs/?start=0&offset=0", nil)
			expect(t, g, http.StatusBadRequest, map[string]any{"": []string{"'start' and 'offset' are mutually exclusive."}})
			g = c.call(t, http.MethodGet, "ipam/vrfs/?start=0&ordering=id", nil)
			expect(t, g, http.StatusBadRequest, map[string]any{"": []string{"Ordering cannot be specified in conjunction with cursor-based pagination."}})
			g = c.call(t, http.MethodGet, "ipam/vrfs/?start=-1", nil)
			expect(t, g, http.StatusBadRequest, map[string]any{"": []string{"Invalid 'start' parameter: must be a non-negative integer."}})
		}},
		{"start is ignored before 4.6", 0, func(t *testing.T, c *contract) {
			if !c.atLeast(6) {
				expect(t, c.call(t, http.MethodGet, "ipam/vrfs/?start=999999&limit=1", nil), http.StatusOK, map[string]any{"count": 2})
			}
		}},
		{"ordering takes columns and a minus", 0, func(t *testing.T, c *contract) {
			c.list(t, "ipam/vrfs/?ordering=-name", "name", "strict", "loose")
			c.list(t, "ipam/vrfs/?ordering=id", "name", "strict", "loose")
			c.list(t, "ipam/vrfs/", "name", "loose", "strict")
		}},
		{"addresses come by address, prefixes by VRF and network", 0, func(t *testing.T, c *contract) {
			c.list(t, "ipam/ip-addresses/?parent=10.1.1.0/24&vrf_id=null", "address", "10.1.1.5/24", "10.1.1.6/24", "10.1.1.7/24", "10.1.1.8/32")
			c.list(t, "ipam/prefixes/?within_include=10.1.0.0/16", "prefix", "10.1.0.0/16", "10.1.1.0/24", "10.1.1.128/32", "10.1.2.0/24", "10.1.1.0/24")
		}},
	}
}

// fill makes n addresses in a subnet of its own and returns the subnet.
func (c *contract) fill(t *testing.T, n int) string {
	t.Helper()
	net := c.subnet()
	var all []object
	for i := range n {
		all = append(all, object{"address": host(net, byte(i+1))})
	}
	g := c.call(t, http.MethodPost, "ipam/ip-addresses/", all)
	expect(t, g, http.StatusCreated, nil)
	c.discardList(t, addressesPath, g)
	return net.String()
}

func (c *contract) discardList(t *testing.T, path string, g got) {
	t.Helper()
	var ids []object
	list, _ := g.body.([]any)
	for _, o := range list {
		ids = append(ids, object{"id": o.(map[string]any)["id"]})
	}
	t.Cleanup(func() {
		resp, body := c.send(t, http.MethodDelete, path+"/", ids, nil)
		if resp.StatusCode != http.StatusNoContent {
			t.Errorf("delete %s: %d %s", path, resp.StatusCode, clip(body))
		}
	})
}

// follow collects the ids of all pages and fails on a repeated one.
func (c *contract) follow(t *testing.T, query string) map[string]bool {
	t.Helper()
	seen := map[string]bool{}
	for query != "" {
		g := c.call(t, http.MethodGet, query, nil)
		expect(t, g, http.StatusOK, nil)
		for _, id := range g.names("id") {
			if seen[id] {
				t.Fatalf("row %s came twice", id)
			}
			seen[id] = true
		}
		next, _ := g.at("next").(string)
		_, query, _ = strings.Cut(next, "/api/")
	}
	return seen
}

// pageCut reads the page size in force from the link to the previous page: a thousand rows need not be made for that.
func pageCut(t *testing.T, c *contract) {
	for _, limit := range []int{c.target.MaxPage * 10, 0} {
		g := c.call(t, http.MethodGet, fmt.Sprintf("extras/tags/?limit=%d&offset=%d", limit, c.target.MaxPage*20), nil)
		expect(t, g, http.StatusOK, map[string]any{"results": []any{}, "next": nil})
		previous, err := url.Parse(fmt.Sprint(g.at("previous")))
		if err != nil || previous.Query().Get("limit") != fmt.Sprint(c.target.MaxPage) || previous.Query().Get("offset") != fmt.Sprint(c.target.MaxPage*19) {
			t.Errorf("limit=%d: previous is %v", limit, g.at("previous"))
		}
	}
}

func cursorPaging(t *testing.T, c *contract) {
	net := c.fill(t, 20)
	g := c.call(t, http.MethodGet, "ipam/ip-addresses/?start=0&limit=10&parent="+net, nil)
	expect(t, g, http.StatusOK, map[string]any{"count": nil, "previous": nil})
	ids := g.names("id")
	last, err := json.Number(ids[len(ids)-1]).Int64()
	if err != nil {
		t.Fatal(err)
	}
	next, err := url.Parse(fmt.Sprint(g.at("next")))
	if err != nil || next.Query().Get("start") != fmt.Sprint(last+1) || next.Query().Get("limit") != "10" {
		t.Errorf("next is %v", next)
	}
	if seen := c.follow(t, "ipam/ip-addresses/?start=0&limit=10&parent="+net); len(seen) != 20 {
		t.Errorf("%d rows, want 20", len(seen))
	}
	// A full last page is followed by an empty one.
	g = c.call(t, http.MethodGet, fmt.Sprintf("ipam/ip-addresses/?start=%d&limit=10&parent=%s", last+1, net), nil)
	if g.at("next") == nil {
		t.Error("a full page has no next")
	}
}

func selectionFacts() []fact {
	return []fact{
		{"fields limits an object to the named fields", 0, func(t *testing.T, c *contract) {
			g := c.call(t, http.MethodGet, detailPath(addressesPath, c.id(t, addressesPath, "10.1.1.5/24"))+"?fields=id,address,nosuch", nil)
			expect(t, g, http.StatusOK, map[string]any{"": object{"id": g.at("id"), "address": "10.1.1.5/24"}})
			g = c.call(t, http.MethodGet, "ipam/ip-addresses/?fields=dns_name&id="+fmt.Sprint(c.id(t, addressesPath, "10.1.1.5/24")), nil)
			expect(t, g, http.StatusOK, map[string]any{"results": []object{{"dns_name": "web1.example.com"}}})
		}},
		{"omit leaves fields out, fields wins over it", 5, func(t *testing.T, c *contract) {
			path := detailPath(addressesPath, c.id(t, addressesPath, "10.1.1.5/24"))
			g := c.call(t, http.MethodGet, path+"?omit=custom_fields,tags", nil)
			if g.has("tags") || g.has("custom_fields") || !g.has("address") {
				t.Errorf("omit: %s", clip(g.raw))
			}
			g = c.call(t, http.MethodGet, path+"?omit=tags&fields=tags", nil)
			if !g.has("tags") || g.has("address") {
				t.Errorf("fields and omit: %s", clip(g.raw))
			}
		}},
		{"omit is ignored before 4.5", 0, func(t *testing.T, c *contract) {
			if g := c.call(t, http.MethodGet, detailPath(vrfsPath, c.id(t, vrfsPath, "strict"))+"?omit=name", nil); !c.atLeast(5) && !g.has("name") {
				t.Error("omit was honoured")
			}
		}},
		{"brief shows what nested objects show", 0, func(t *testing.T, c *contract) {
			path := detailPath(addressesPath, c.id(t, addressesPath, "10.1.1.5/24"))
			full := c.call(t, http.MethodGet, path, nil)
			g := c.call(t, http.MethodGet, path+"?brief=true", nil)
			expect(t, g, http.StatusOK, map[string]any{"": object{"id": full.at("id"), "url": full.at("url"), "display": "10.1.1.5/24",
				"family": object{"value": 4, "label": "IPv4"}, "address": "10.1.1.5/24", "description": ""}})
		}},
		{"fields on a write swallows the body", 0, func(t *testing.T, c *contract) {
			path := detailPath(addressesPath, c.address(t, nil).id())
			g := c.call(t, http.MethodPatch, path+"?fields=id", object{"description": "lost"})
			expect(t, g, http.StatusOK, nil)
			expect(t, c.call(t, http.MethodGet, path, nil), http.StatusOK, map[string]any{"description": ""})
		}},
	}
}
