package netboxtest

import (
	"net/http"
	"testing"
)

// scopeFacts are about what scopes of other DHCP servers are kept in: ranges with a role and custom fields, and config
// contexts that no device renders.
func scopeFacts() []fact {
	return []fact{
		{"ranges and prefixes have custom fields of every type", 0, fieldsOfRanges},
		{"a choice set is named in a field's definition", 0, namedChoiceSet},
		{"a range shows its role with the slug", 0, func(t *testing.T, c *contract) {
			role := c.create(t, ipRolesPath, object{"name": "Test scope", "slug": "test-scope"})
			net := c.subnet()
			made := c.create(t, rangesPath, object{"start_address": host(net, 10), "end_address": host(net, 20), "role": role.id()})
			expect(t, made, http.StatusCreated, map[string]any{"role.id": role.id(), "role.slug": "test-scope"})
			expect(t, c.call(t, http.MethodDelete, detailPath(ipRolesPath, role.id()), nil), http.StatusNoContent, nil)
			expect(t, c.call(t, http.MethodGet, detailPath(rangesPath, made.id()), nil), http.StatusOK, map[string]any{"role": nil})
		}},
		{"family limits lists to IPv4", 0, func(t *testing.T, c *contract) {
			v6 := c.create(t, addressesPath, object{"address": "2001:db8:4::1/64"})
			expect(t, c.call(t, http.MethodGet, addressesPath+"/?family=4&address=2001:db8:4::1", nil), http.StatusOK, map[string]any{"count": 0})
			expect(t, c.call(t, http.MethodGet, addressesPath+"/?family=6&address=2001:db8:4::1", nil), http.StatusOK,
				map[string]any{"count": 1, "results.0.id": v6.id()})
		}},
		{"several parents and a page by key", 0, func(t *testing.T, c *contract) {
			a, b := c.subnet(), c.subnet()
			one := c.create(t, addressesPath, object{"address": host(a, 1)})
			two := c.create(t, addressesPath, object{"address": host(b, 1)})
			query := addressesPath + "/?ordering=id&limit=1&fields=id,nat_inside,nat_outside&parent=" + a.String() + "&parent=" + b.String()
			expect(t, c.call(t, http.MethodGet, query, nil), http.StatusOK, map[string]any{"count": 2,
				"results": []object{{"id": one.id(), "nat_inside": nil, "nat_outside": []any{}}}})
			g := c.call(t, http.MethodGet, query+"&id__gt="+digits(one.id()), nil)
			expect(t, g, http.StatusOK, map[string]any{"count": 1, "results.0.id": two.id(), "next": nil})
		}},
		{"several addresses, ranges by start, prefixes and names are found at once", 0, foundAtOnce},
		{"an address shows what it translates", 0, func(t *testing.T, c *contract) {
			inside := c.address(t, nil)
			outside := c.address(t, object{"nat_inside": inside.id()})
			expect(t, outside, http.StatusCreated, map[string]any{"nat_inside.id": inside.id()})
			expect(t, c.call(t, http.MethodGet, detailPath(addressesPath, inside.id()), nil), http.StatusOK, map[string]any{"nat_outside.0.id": outside.id()})
		}},
		{"contexts are made, changed and deleted in lists", 0, contextLists},
		{"context data must not be empty", 0, func(t *testing.T, c *contract) {
			g := c.call(t, http.MethodPost, contextsPath+"/", object{"name": "empty", "data": object{}})
			expect(t, g, http.StatusBadRequest, map[string]any{"data.0": "This field cannot be blank."})
		}},
		{"a context limited to a tag that no device carries reaches none", 0, func(t *testing.T, c *contract) {
			c.create(t, "extras/tags", object{"name": "data only", "slug": "data-only"})
			c.create(t, contextsPath, object{"name": "scope data", "tags": []string{"data-only"}, "data": object{"scope data": 1}})
			g := c.call(t, http.MethodGet, detailPath(devicesPath, c.id(t, devicesPath, "web1")), nil)
			expect(t, g, http.StatusOK, map[string]any{"config_context.scope data": nil})
		}},
		{"a context's unknown tag is refused", 0, func(t *testing.T, c *contract) {
			g := c.call(t, http.MethodPost, contextsPath+"/", object{"name": "wrong", "tags": []string{"nosuch"}, "data": object{"a": 1}})
			expect(t, g, http.StatusBadRequest, map[string]any{"tags.0": "Object with slug=nosuch does not exist."})
		}},
		{"object 0 never exists, and may be deleted by who may delete", 0, func(t *testing.T, c *contract) {
			expect(t, c.call(t, http.MethodDelete, addressesPath+"/0/", nil), http.StatusNotFound, nil)
			limited := newAdmin(c.target.URL, c.target.Limit(t, false, Grant{Object: "ipam.ipaddress", Actions: []string{"view"}}))
			expect(t, c.callAs(t, limited, http.MethodDelete, addressesPath+"/0/", nil, nil), http.StatusForbidden, nil)
		}},
		{"the status page names the plugins", 0, func(t *testing.T, c *contract) {
			limited := newAdmin(c.target.URL, c.target.Limit(t, true))
			g := c.callAs(t, limited, http.MethodGet, "status/", nil, nil)
			expect(t, g, http.StatusOK, map[string]any{"plugins": object{}})
		}},
		{"the list of plugins is a bare list, for superusers", 0, func(t *testing.T, c *contract) {
			expect(t, c.call(t, http.MethodGet, "plugins/installed-plugins/", nil), http.StatusOK, map[string]any{"": []any{}})
			limited := newAdmin(c.target.URL, c.target.Limit(t, true))
			expect(t, c.callAs(t, limited, http.MethodGet, "plugins/installed-plugins/", nil, nil), http.StatusForbidden, nil)
		}},
	}
}

func fieldsOfRanges(t *testing.T, c *contract) {
	both := []string{"ipam.iprange", "ipam.prefix"}
	set := c.create(t, choiceSetsPath, object{"name": "Scope state", "extra_choices": [][]string{{"on", "On"}, {"off", "Off"}}})
	for name, kind := range map[string]string{"s_json": "json", "s_long": "longtext", "s_int": "integer", "s_state": "select"} {
		f := object{"name": name, "type": kind, "object_types": both, "group_name": "Scopes"}
		if kind == "select" {
			f["choice_set"] = set.id()
		}
		c.create(t, customFieldsPath, f)
	}
	net := c.subnet()
	values := object{"s_json": []object{{"start": "10.0.0.1", "n": 1}}, "s_long": "| a | b |\n|---|---|", "s_int": 691200, "s_state": "on"}
	shown := map[string]any{"custom_fields.s_json": values["s_json"], "custom_fields.s_long": values["s_long"], "custom_fields.s_int": 691200}
	shown["custom_fields.s_state"] = "on"
	if c.atLeast(7) {
		shown["custom_fields.s_state"] = object{"value": "on", "label": "On"}
	}
	made := c.create(t, rangesPath, object{"start_address": host(net, 10), "end_address": host(net, 20), "custom_fields": values})
	expect(t, made, http.StatusCreated, shown)
	expect(t, c.create(t, prefixesPath, object{"prefix": net.String(), "custom_fields": values}), http.StatusCreated, shown)
	g := c.call(t, http.MethodPatch, detailPath(rangesPath, made.id()), object{"custom_fields": object{"s_json": []any{}, "s_state": nil}})
	expect(t, g, http.StatusOK, map[string]any{"custom_fields.s_json": []any{}, "custom_fields.s_state": nil, "custom_fields.s_int": 691200})
}

func namedChoiceSet(t *testing.T, c *contract) {
	set := c.create(t, choiceSetsPath, object{"name": "By name", "extra_choices": [][]string{{"a", "A"}}})
	made := c.create(t, customFieldsPath, object{"name": "s_named", "type": "select", "object_types": []string{"ipam.iprange"},
		"choice_set": object{"name": "By name"}, "search_weight": 500, "weight": 110, "group_name": "Scopes"})
	expect(t, made, http.StatusCreated, map[string]any{"choice_set.id": set.id(), "search_weight": 500, "weight": 110, "ui_editable.value": "yes"})
	expect(t, c.call(t, http.MethodGet, choiceSetsPath+"/?name=By%20name&fields=name,extra_choices", nil), http.StatusOK,
		map[string]any{"results": []object{{"name": "By name", "extra_choices": [][]string{{"a", "A"}}}}})
}

func foundAtOnce(t *testing.T, c *contract) {
	net := c.subnet()
	c.create(t, addressesPath, object{"address": host(net, 1)})
	c.create(t, addressesPath, object{"address": host(net, 2)})
	c.create(t, rangesPath, object{"start_address": host(net, 10), "end_address": host(net, 20)})
	c.create(t, rangesPath, object{"start_address": host(net, 30), "end_address": host(net, 40)})
	c.create(t, prefixesPath, object{"prefix": net.String()})
	at := func(n byte) string { return mustPrefix(host(net, n)).Addr().String() }
	c.list(t, addressesPath+"/?ordering=id&address="+at(1)+"&address="+at(2)+"&address="+at(3), "address", host(net, 1), host(net, 2))
	c.list(t, rangesPath+"/?ordering=id&start_address="+at(10)+"&start_address="+at(30)+"&start_address="+at(20), "start_address", host(net, 10), host(net, 30))
	c.list(t, prefixesPath+"/?ordering=id&prefix="+net.String()+"&prefix=10.255.255.0/24", "prefix", net.String())
	c.list(t, "extras/tags/?ordering=id&slug=dhcp&slug=gateway&slug=nosuch", "slug", "dhcp", "gateway")
	c.list(t, contextsPath+"/?ordering=id&name=europe&name=offices", "name", "europe", "offices")
}

func contextLists(t *testing.T, c *contract) {
	g := c.call(t, http.MethodPost, contextsPath+"/", []object{{"name": "scope-list a", "is_active": false, "data": object{"n": 1.0, "list": []any{object{}}}},
		{"name": "scope-list b", "data": object{"x": nil}}})
	expect(t, g, http.StatusCreated, map[string]any{"0.name": "scope-list a", "0.is_active": false, "0.data.list": []any{object{}}, "1.data.x": nil, "1.is_active": true, "1.tags": []any{}})
	a, b := number(t, g.at("0.id")), number(t, g.at("1.id"))
	c.discard(t, contextsPath, a)
	c.discard(t, contextsPath, b)
	c.list(t, contextsPath+"/?ordering=id&name__isw=scope-list%20", "name", "scope-list a", "scope-list b")
	g = c.call(t, http.MethodPatch, contextsPath+"/", []object{{"id": a, "data": object{"n": 2}}, {"id": b, "is_active": false}})
	expect(t, g, http.StatusOK, map[string]any{"0.data": object{"n": 2}, "1.is_active": false, "1.data": object{"x": nil}})
	expect(t, c.call(t, http.MethodDelete, contextsPath+"/", []object{{"id": a}, {"id": b}}), http.StatusNoContent, nil)
}
