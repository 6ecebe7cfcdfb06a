package netboxtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// got is an answer of the NetBox under test.
type got struct {
	status int
	header http.Header
	raw    []byte
	body   any // decoded JSON, nil if it is not JSON
}

// call makes one request with the superuser's token.
func (c *contract) call(t *testing.T, method, path string, body any) got {
	t.Helper()
	return c.callAs(t, c.admin, method, path, body, nil)
}

func (c *contract) callAs(t *testing.T, a *admin, method, path string, body any, header http.Header) got {
	t.Helper()
	resp, raw := a.send(t, method, path, body, header)
	g := got{status: resp.StatusCode, header: resp.Header, raw: raw}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		g.body = decodeJSON(t, raw)
	}
	return g
}

func decodeJSON(t *testing.T, raw []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("answer is not JSON: %v: %s", err, raw)
	}
	return v
}

// at finds a value by a path such as "results.0.name"; nil if there is none.
func (g got) at(path string) any {
	v := g.body
	for _, step := range strings.Split(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}

func (g got) has(key string) bool {
	o, _ := g.body.(map[string]any)
	_, ok := o[key]
	return ok
}

func (g got) id() int64 {
	n, _ := g.at("id").(json.Number)
	id, _ := n.Int64()
	return id
}

// names lists one column of the results.
func (g got) names(column string) []string {
	names := []string{}
	results, _ := g.at("results").([]any)
	for _, r := range results {
		o, _ := r.(map[string]any)
		names = append(names, fmt.Sprint(o[column]))
	}
	return names
}

// expect checks the status, and values by path.
func expect(t *testing.T, g got, status int, values map[string]any) {
	t.Helper()
	if g.status != status {
		t.Fatalf("status %d, want %d: %s", g.status, status, clip(g.raw))
	}
	for path, want := range values {
		have := g.body
		if path != "" {
			have = g.at(path)
		}
		if diff := cmp.Diff(throughJSON(t, want), have); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
}

func clip(b []byte) string {
	if len(b) > 600 {
		b = b[:600]
	}
	return string(b)
}

func throughJSON(t *testing.T, v any) any {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatalf("encode %v: %v", v, err)
	}
	return decodeJSON(t, b)
}

// list gets a list and checks one column of its rows, in order.
func (c *contract) list(t *testing.T, query, column string, want ...string) {
	t.Helper()
	g := c.call(t, http.MethodGet, query, nil)
	expect(t, g, http.StatusOK, nil)
	if want == nil {
		want = []string{}
	}
	if diff := cmp.Diff(want, g.names(column)); diff != "" {
		t.Errorf("%s: %s (-want +got):\n%s", query, column, diff)
	}
}

func (c *contract) id(t *testing.T, path, name string) int64 {
	t.Helper()
	return c.seed.ID(t, path, name)
}

// messages wraps error texts as NetBox lists them under a field.
func messages(field string, texts ...string) object { return object{field: texts} }
