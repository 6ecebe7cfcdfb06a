package netboxtest

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
)

func accessFacts() []fact {
	return []fact{
		{"a request without a token is 403", 0, func(t *testing.T, c *contract) {
			g := c.callAs(t, &admin{base: c.base, auth: "", client: c.client}, http.MethodGet, "ipam/vrfs/", nil, nil)
			expect(t, g, http.StatusForbidden, map[string]any{"detail": "Authentication credentials were not provided."})
		}},
		{"an unknown token is 403", 0, unknownToken},
		{"the word before a token does not matter", 5, func(t *testing.T, c *contract) {
			_, token, _ := strings.Cut(c.auth, " ")
			for _, word := range []string{"Token", "Bearer", "token"} {
				g := c.callAs(t, &admin{base: c.base, auth: word + " " + token, client: c.client}, http.MethodGet, "ipam/vrfs/", nil, nil)
				expect(t, g, http.StatusOK, nil)
			}
		}},
		{"every answer names the API version and the request", 0, func(t *testing.T, c *contract) {
			for _, path := range []string{"ipam/vrfs/", "ipam/vrfs/999999/", "status/"} {
				g := c.call(t, http.MethodGet, path, nil)
				if v := g.header.Get("API-Version"); v != string(c.target.Version) {
					t.Errorf("%s: API-Version %q, want %q", path, v, c.target.Version)
				}
				if _, err := uuid.Parse(g.header.Get("X-Request-ID")); err != nil {
					t.Errorf("%s: X-Request-ID: %v", path, err)
				}
			}
		}},
		{"the status page needs a token", 0, func(t *testing.T, c *contract) {
			g := c.callAs(t, &admin{base: c.base, client: c.client}, http.MethodGet, "status/", nil, nil)
			expect(t, g, http.StatusForbidden, nil)
		}},
		{"authentication-check names the user", 5, func(t *testing.T, c *contract) {
			expect(t, c.call(t, http.MethodGet, "authentication-check/", nil), http.StatusOK, map[string]any{"username": "admin"})
		}},
		{"another version in Accept is 406", 0, func(t *testing.T, c *contract) {
			g := c.callAs(t, c.admin, http.MethodGet, "ipam/vrfs/", nil, http.Header{"Accept": {"application/json; version=3.7"}})
			expect(t, g, http.StatusNotAcceptable, map[string]any{"detail": `Invalid version in "Accept" header.`})
		}},
		{"an unknown URL is 404 as HTML", 0, func(t *testing.T, c *contract) {
			g := c.call(t, http.MethodGet, "ipam/nosuch/", nil)
			if ct := g.header.Get("Content-Type"); g.status != http.StatusNotFound || !strings.HasPrefix(ct, "text/html") {
				t.Errorf("%d %s", g.status, ct)
			}
		}},
		{"an unknown id is 404 with a detail", 0, func(t *testing.T, c *contract) {
			for path, class := range map[string]string{addressesPath: "IPAddress", macsPath: "MACAddress", machinesPath: "VirtualMachine", contextsPath: "ConfigContext"} {
				g := c.call(t, http.MethodGet, path+"/999999/", nil)
				expect(t, g, http.StatusNotFound, map[string]any{"detail": "No " + class + " matches the given query."})
			}
		}},
		{"a path without slash", 0, withoutSlash},
		{"a body that is not JSON is 400 or 415", 0, notJSON},
		{"permissions", 0, permissions},
		{"a read-only token may not write", 0, func(t *testing.T, c *contract) {
			a := newAdmin(c.target.URL, c.target.Limit(t, true, Grant{Object: "ipam.ipaddress"}))
			expect(t, c.callAs(t, a, http.MethodGet, "ipam/ip-addresses/", nil, nil), http.StatusOK, nil)
			g := c.callAs(t, a, http.MethodPost, "ipam/ip-addresses/", object{"address": host(c.subnet(), 1)}, nil)
			expect(t, g, http.StatusForbidden, map[string]any{"detail": "You do not have permission to perform this action."})
		}},
		{"OPTIONS tells who may change and who may add", 0, optionsTellRights},
		{"OPTIONS lists the choices of a field", 0, func(t *testing.T, c *contract) {
			g := c.call(t, http.MethodOptions, "ipam/ip-ranges/", nil)
			expect(t, g, http.StatusOK, map[string]any{"actions.POST.status.choices": []object{{"value": "active", "display_name": "Active"},
				{"value": "reserved", "display_name": "Reserved"}, {"value": "deprecated", "display_name": "Deprecated"}}})
		}},
	}
}

func optionsTellRights(t *testing.T, c *contract) {
	for name, tt := range map[string]struct {
		readOnly bool
		actions  []string
		want     map[string]any
	}{
		"change":            {false, []string{"view", "change"}, map[string]any{"actions.PUT.status.type": "field", "actions.POST": nil}},
		"add":               {false, []string{"view", "add"}, map[string]any{"actions.POST.status.type": "field", "actions.PUT": nil}},
		"see":               {false, []string{"view"}, map[string]any{"actions": nil}},
		"change, read only": {true, []string{"view", "change"}, map[string]any{"actions": nil}},
	} {
		a := newAdmin(c.target.URL, c.target.Limit(t, tt.readOnly, Grant{Object: "ipam.iprange", Actions: tt.actions}))
		g := c.callAs(t, a, http.MethodOptions, "ipam/ip-ranges/", nil, nil)
		if g.status != http.StatusOK {
			t.Errorf("%s: %d %s", name, g.status, clip(g.raw))
		}
		for path, want := range tt.want {
			if got := g.at(path); got != want {
				t.Errorf("who may %s: %s is %v, want %v", name, path, got, want)
			}
		}
	}
}

func unknownToken(t *testing.T, c *contract) {
	wrong := map[string]string{"Token " + strings.Repeat("0", 40): "Invalid token"}
	if c.atLeast(5) {
		wrong = map[string]string{"Token " + strings.Repeat("0", 40): "Invalid v1 token", "Bearer nbt_AAAAAAAAAAAA." + strings.Repeat("0", 40): "Invalid v2 token"}
	}
	for auth, want := range wrong {
		g := c.callAs(t, &admin{base: c.base, auth: auth, client: c.client}, http.MethodGet, "ipam/vrfs/", nil, nil)
		expect(t, g, http.StatusForbidden, map[string]any{"detail": want})
	}
}

func withoutSlash(t *testing.T, c *contract) {
	g := c.call(t, http.MethodGet, "ipam/vrfs?limit=1", nil)
	expect(t, g, http.StatusMovedPermanently, nil)
	if to := g.header.Get("Location"); !strings.HasSuffix(to, "/api/ipam/vrfs/?limit=1") {
		t.Errorf("GET is sent to %q", to)
	}
	want := http.StatusMovedPermanently
	if c.atLeast(5) {
		want = http.StatusNotFound
	}
	expect(t, c.call(t, http.MethodPost, "ipam/vrfs", object{"name": "x"}), want, nil)
	expect(t, c.call(t, http.MethodPatch, fmt.Sprintf("ipam/vrfs/%d", c.id(t, vrfsPath, "strict")), object{"description": "x"}), want, nil)
}

func notJSON(t *testing.T, c *contract) {
	g := c.callAs(t, c.admin, http.MethodPost, "ipam/vrfs/", "just a string", nil)
	expect(t, g, http.StatusBadRequest, map[string]any{c.target.Version.allErrors(): []string{"Invalid data. Expected a dictionary, but got str."}})
	g = c.callAs(t, c.admin, http.MethodPost, "ipam/vrfs/", object{}, http.Header{"Content-Type": {"text/plain"}})
	expect(t, g, http.StatusUnsupportedMediaType, map[string]any{"detail": `Unsupported media type "text/plain" in request.`})
}

func permissions(t *testing.T, c *contract) {
	mine, other := c.address(t, object{"tags": []object{{"slug": "dhcp"}}}), c.address(t, nil)
	a := newAdmin(c.target.URL, c.target.Limit(t, false, Grant{Object: "ipam.ipaddress", Actions: []string{"view", "change", "add"}, Tag: "dhcp"}))
	as := func(method, path string, body any) got { return c.callAs(t, a, method, path, body, nil) }
	list := as(http.MethodGet, fmt.Sprintf("ipam/ip-addresses/?id=%d&id=%d", mine.id(), other.id()), nil)
	expect(t, list, http.StatusOK, map[string]any{"count": 1, "results.0.id": mine.id()})
	expect(t, as(http.MethodGet, detailPath(addressesPath, other.id()), nil), http.StatusNotFound, map[string]any{"detail": "No IPAddress matches the given query."})
	expect(t, as(http.MethodPatch, detailPath(addressesPath, other.id()), object{"description": "x"}), http.StatusNotFound, nil)
	expect(t, as(http.MethodPatch, detailPath(addressesPath, mine.id()), object{"description": "x"}), http.StatusOK, nil)
	denied := map[string]any{"detail": "You do not have permission to perform this action."}
	expect(t, as(http.MethodDelete, detailPath(addressesPath, mine.id()), nil), http.StatusForbidden, denied)
	expect(t, as(http.MethodGet, "ipam/vrfs/", nil), http.StatusForbidden, denied)
	expect(t, as(http.MethodPost, "ipam/ip-addresses/", object{"address": host(c.subnet(), 9)}), http.StatusForbidden, denied)
	expect(t, as(http.MethodPatch, detailPath(addressesPath, mine.id()), object{"tags": []object{}}), http.StatusForbidden, denied)
	if g := as(http.MethodOptions, "ipam/vrfs/", nil); g.at("actions") != nil {
		t.Errorf("OPTIONS shows actions to who may not add: %s", clip(g.raw))
	}
}
