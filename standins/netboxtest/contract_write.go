package netboxtest

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func writeFacts() []fact {
	return []fact{
		{"an unknown key is ignored", 0, func(t *testing.T, c *contract) {
			g := c.address(t, object{"nosuch": 1, "descripton": "misspelt"})
			expect(t, g, http.StatusCreated, map[string]any{"description": ""})
		}},
		{"a PATCH that changes nothing moves last_updated and leaves no record", 0, func(t *testing.T, c *contract) {
			made := c.address(t, nil)
			g := c.call(t, http.MethodPatch, detailPath(addressesPath, made.id()), object{"description": ""})
			expect(t, g, http.StatusOK, nil)
			if g.at("last_updated") == made.at("last_updated") {
				t.Error("last_updated did not move")
			}
			c.list(t, changesPath+"/?request_id="+g.header.Get("X-Request-ID"), "id")
		}},
		{"a changelog message is kept", 4, func(t *testing.T, c *contract) {
			g := c.address(t, object{"changelog_message": "by the contract"})
			c.list(t, changesPath+"/?request_id="+g.header.Get("X-Request-ID"), "message", "by the contract")
		}},
		{"a changelog message longer than 200 characters is a 500", 4, func(t *testing.T, c *contract) {
			g := c.call(t, http.MethodPost, addressesPath+"/", object{"address": host(c.subnet(), 1), "changelog_message": strings.Repeat("x", 201)})
			expect(t, g, http.StatusInternalServerError, map[string]any{"exception": "DataError"})
			if !g.has("error") || !g.has("netbox_version") || !g.has("python_version") {
				t.Errorf("body: %s", clip(g.raw))
			}
		}},
		{"no entity tags before 4.6", 0, func(t *testing.T, c *contract) {
			if tag := c.address(t, nil).header.Get("ETag"); !c.atLeast(6) && tag != "" {
				t.Errorf("ETag %s", tag)
			}
		}},
		{"the entity tag is last_updated", 6, func(t *testing.T, c *contract) {
			made := c.address(t, nil)
			path := detailPath(addressesPath, made.id())
			for _, g := range []got{made, c.call(t, http.MethodGet, path, nil)} {
				at := strings.Replace(fmt.Sprint(g.at("last_updated")), "Z", "+00:00", 1)
				if tag := g.header.Get("ETag"); tag != `W/"`+at+`"` {
					t.Errorf("ETag %s for last_updated %s", tag, at)
				}
			}
			patched := c.call(t, http.MethodPatch, path, object{"description": "x"})
			if tag := patched.header.Get("ETag"); tag == "" || tag == made.header.Get("ETag") {
				t.Errorf("ETag of PATCH: %q", tag)
			}
			if tag := c.call(t, http.MethodGet, "ipam/vrfs/", nil).header.Get("ETag"); tag != "" {
				t.Errorf("a list has ETag %s", tag)
			}
		}},
		{"If-Match guards PATCH and DELETE", 6, ifMatch},
		{"available to all: a write without body is refused", 0, func(t *testing.T, c *contract) {
			g := c.call(t, http.MethodPost, addressesPath+"/", nil)
			expect(t, g, http.StatusBadRequest, nil)
		}},
		{"a method a page lacks is 405", 0, func(t *testing.T, c *contract) {
			expect(t, c.call(t, http.MethodPost, detailPath(vrfsPath, c.id(t, vrfsPath, "strict")), object{}), http.StatusMethodNotAllowed,
				map[string]any{"detail": `Method "POST" not allowed.`})
			expect(t, c.call(t, http.MethodPost, changesPath+"/", object{}), http.StatusMethodNotAllowed, nil)
		}},
		{"PUT asks for what is required and keeps the rest", 0, func(t *testing.T, c *contract) {
			made := c.address(t, object{"description": "kept", "status": "dhcp"})
			path := detailPath(addressesPath, made.id())
			expect(t, c.call(t, http.MethodPut, path, object{"description": "x"}), http.StatusBadRequest, map[string]any{"": messages("address", "This field is required.")})
			expect(t, c.call(t, http.MethodPut, path, object{"address": made.at("address")}), http.StatusOK, map[string]any{"description": "kept", "status.value": "dhcp"})
		}},
	}
}

func ifMatch(t *testing.T, c *contract) {
	made := c.address(t, nil)
	path, first := detailPath(addressesPath, made.id()), made.header.Get("ETag")
	with := func(method, tag string, body any) got {
		return c.callAs(t, c.admin, method, path, body, http.Header{"If-Match": {tag}})
	}
	second := with(http.MethodPatch, first, object{"description": "1"})
	expect(t, second, http.StatusOK, nil)
	for _, method := range []string{http.MethodPatch, http.MethodDelete} {
		g := with(method, first, object{"description": "2"})
		expect(t, g, http.StatusPreconditionFailed, map[string]any{"detail": "Precondition failed."})
		if g.header.Get("ETag") != second.header.Get("ETag") {
			t.Errorf("%s: 412 carries ETag %q, want %q", method, g.header.Get("ETag"), second.header.Get("ETag"))
		}
	}
	expect(t, with(http.MethodPatch, "*", object{"description": "3"}), http.StatusOK, nil)
	last := with(http.MethodPatch, first+", "+c.call(t, http.MethodGet, path, nil).header.Get("ETag"), object{"description": "4"})
	expect(t, last, http.StatusOK, map[string]any{"description": "4"})
	expect(t, with(http.MethodDelete, last.header.Get("ETag"), nil), http.StatusNoContent, nil)
}

func bulkFacts() []fact {
	return []fact{
		{"a list is created in its order", 0, func(t *testing.T, c *contract) {
			net := c.subnet()
			g := c.call(t, http.MethodPost, addressesPath+"/", []object{{"address": host(net, 9)}, {"address": host(net, 3)}})
			expect(t, g, http.StatusCreated, map[string]any{"0.address": host(net, 9), "1.address": host(net, 3)})
			c.discardList(t, addressesPath, g)
		}},
		{"one bad entry refuses the whole list", 0, badEntry},
		{"duplicates within a list are noticed from 4.7 on only", 0, duplicatesInList},
		{"a list is patched in one request", 0, func(t *testing.T, c *contract) {
			a, b := c.address(t, nil), c.address(t, nil)
			g := c.call(t, http.MethodPatch, addressesPath+"/", []object{{"id": b.id(), "custom_fields": object{"c_text": "b"}}, {"id": a.id(), "custom_fields": object{"c_text": "a"}}})
			expect(t, g, http.StatusOK, nil)
			for id, want := range map[int64]string{a.id(): "a", b.id(): "b"} {
				expect(t, c.call(t, http.MethodGet, detailPath(addressesPath, id), nil), http.StatusOK, map[string]any{"custom_fields.c_text": want})
			}
		}},
		{"one bad patch refuses all", 0, badPatch},
		{"ids that do not exist are skipped up to 4.6 and refused from 4.7 on", 0, missingIDs},
		{"a repeated id counts last up to 4.6 and is refused from 4.7 on", 0, repeatedIDs},
		{"a body that is no list is refused", 0, listExpected},
		{"an entry without id is refused", 0, func(t *testing.T, c *contract) {
			a := c.address(t, nil)
			g := c.call(t, http.MethodPatch, addressesPath+"/", []object{{"id": a.id()}, {"description": "x"}})
			expect(t, g, http.StatusBadRequest, nil)
			if c.atLeast(7) {
				expect(t, g, http.StatusBadRequest, map[string]any{"": object{"detail": "1 of 2 objects failed validation.",
					"errors": []object{{"index": 1, "errors": messages("id", "This field is required.")}}}})
			}
		}},
		{"a list is deleted with 204 and no body", 0, func(t *testing.T, c *contract) {
			a, b := c.address(t, nil), c.address(t, nil)
			g := c.call(t, http.MethodDelete, addressesPath+"/", []object{{"id": a.id()}, {"id": b.id()}})
			expect(t, g, http.StatusNoContent, nil)
			if len(g.raw) != 0 {
				t.Errorf("body %s", clip(g.raw))
			}
			expect(t, c.call(t, http.MethodGet, detailPath(addressesPath, a.id()), nil), http.StatusNotFound, nil)
		}},
		{"a delete that is protected refuses all", 0, protectedDelete},
		{"tags are added in a list", 6, func(t *testing.T, c *contract) {
			a := c.address(t, object{"tags": []object{{"slug": "dhcp"}}})
			expect(t, c.call(t, http.MethodPatch, addressesPath+"/", []object{{"id": a.id(), "add_tags": []object{{"slug": "gateway"}}}}), http.StatusOK,
				map[string]any{"0.tags.0.slug": "dhcp", "0.tags.1.slug": "gateway"})
		}},
	}
}

func badEntry(t *testing.T, c *contract) {
	net := c.subnet()
	g := c.call(t, http.MethodPost, addressesPath+"/", []object{{"address": host(net, 1)}, {"address": host(net, 2), "status": "nosuch"}, {"address": host(net, 3)}})
	wrong := messages("status", "nosuch is not a valid choice.")
	if c.atLeast(7) {
		expect(t, g, http.StatusBadRequest, map[string]any{"": object{"detail": "1 of 3 objects could not be created.", "errors": []object{{"index": 1, "errors": wrong}}}})
	} else {
		expect(t, g, http.StatusBadRequest, map[string]any{"": []object{{}, wrong, {}}})
	}
	c.list(t, addressesPath+"/?parent="+net.String(), "address")
}

func duplicatesInList(t *testing.T, c *contract) {
	net := c.subnet()
	g := c.call(t, http.MethodPost, addressesPath+"/", []object{{"address": host(net, 1)}, {"address": host(net, 1)}})
	if !c.atLeast(7) {
		expect(t, g, http.StatusCreated, map[string]any{"0.address": host(net, 1), "1.address": host(net, 1)})
		c.discardList(t, addressesPath, g)
		return
	}
	expect(t, g, http.StatusBadRequest, map[string]any{"": object{"detail": "1 of 2 objects could not be created.", "errors": []object{{"index": 1,
		"errors": messages("address", "Duplicate IP address found in global table: "+host(net, 1))}}}})
	c.list(t, addressesPath+"/?parent="+net.String(), "address")
}

func badPatch(t *testing.T, c *contract) {
	a, b := c.address(t, nil), c.address(t, nil)
	g := c.call(t, http.MethodPatch, addressesPath+"/", []object{{"id": a.id(), "description": "x"}, {"id": b.id(), "status": "nosuch"}})
	wrong := messages("status", "nosuch is not a valid choice.")
	if c.atLeast(7) {
		expect(t, g, http.StatusBadRequest, map[string]any{"": object{"detail": "1 of 2 objects could not be updated.", "errors": []object{{"id": b.id(), "errors": wrong}}}})
	} else {
		expect(t, g, http.StatusBadRequest, map[string]any{"": wrong})
	}
	expect(t, c.call(t, http.MethodGet, detailPath(addressesPath, a.id()), nil), http.StatusOK, map[string]any{"description": "", "last_updated": a.at("last_updated")})
}

func missingIDs(t *testing.T, c *contract) {
	a := c.address(t, nil)
	g := c.call(t, http.MethodPatch, addressesPath+"/", []object{{"id": a.id(), "description": "x"}, {"id": 999999, "description": "x"}})
	if !c.atLeast(7) {
		expect(t, g, http.StatusOK, map[string]any{"0.description": "x", "1": nil})
		expect(t, c.call(t, http.MethodDelete, addressesPath+"/", []object{{"id": 999999}}), http.StatusNoContent, nil)
		return
	}
	want := object{"detail": "1 of 2 objects could not be found.", "errors": []object{{"id": 999999, "errors": messages("id", "Object with ID 999999 does not exist")}}}
	expect(t, g, http.StatusBadRequest, map[string]any{"": want})
	expect(t, c.call(t, http.MethodDelete, addressesPath+"/", []object{{"id": a.id()}, {"id": 999999}}), http.StatusBadRequest, map[string]any{"": want})
}

func repeatedIDs(t *testing.T, c *contract) {
	a := c.address(t, nil)
	g := c.call(t, http.MethodPatch, addressesPath+"/", []object{{"id": a.id(), "description": "first"}, {"id": a.id(), "description": "last"}})
	if !c.atLeast(7) {
		expect(t, g, http.StatusOK, map[string]any{"0.description": "last", "1": nil})
		return
	}
	expect(t, g, http.StatusBadRequest, map[string]any{"": object{"detail": "1 of 2 objects are listed more than once.", "errors": []object{{"id": a.id(),
		"errors": messages("id", fmt.Sprintf("Each object may be specified only once; ID %d is listed 2 times", a.id()))}}}})
}

func listExpected(t *testing.T, c *contract) {
	g := c.call(t, http.MethodPatch, addressesPath+"/", object{"id": 1})
	expect(t, g, http.StatusBadRequest, nil)
	if c.atLeast(7) {
		expect(t, g, http.StatusBadRequest, map[string]any{"": object{"detail": "Expected a list of objects, but got dict."}})
		expect(t, c.call(t, http.MethodDelete, addressesPath+"/", nil), http.StatusBadRequest,
			map[string]any{"": object{"detail": "Expected a list of objects, but no data was submitted."}})
	}
}

func protectedDelete(t *testing.T, c *contract) {
	vrf, free := c.create(t, vrfsPath, object{"name": "in use"}), c.create(t, vrfsPath, object{"name": "free"})
	made := c.address(t, object{"vrf": vrf.id()})
	text := fmt.Sprintf("Unable to delete object. 1 dependent objects were found: %s (%d)", made.at("address"), made.id())
	expect(t, c.call(t, http.MethodDelete, detailPath(vrfsPath, vrf.id()), nil), http.StatusConflict, map[string]any{"": object{"detail": text}})
	g := c.call(t, http.MethodDelete, vrfsPath+"/", []object{{"id": free.id()}, {"id": vrf.id()}})
	if c.atLeast(7) {
		expect(t, g, http.StatusConflict, map[string]any{"": object{"detail": "1 of 2 objects could not be deleted.", "errors": []object{{"id": vrf.id(),
			"errors": messages("__all__", "Unable to delete: 1 dependent object(s) prevent deletion.")}}}})
	} else {
		expect(t, g, http.StatusConflict, map[string]any{"": object{"detail": text}})
	}
	expect(t, c.call(t, http.MethodGet, detailPath(vrfsPath, free.id()), nil), http.StatusOK, nil)
	expect(t, c.call(t, http.MethodDelete, detailPath(addressesPath, made.id()), nil), http.StatusNoContent, nil)
}
