package netboxtest

import (
	"fmt"
	"net/http"
	"testing"
)

func digits(id int64) string { return fmt.Sprint(id) }

func journalFacts() []fact {
	return []fact{
		{"journal entries are made in a list and shown with their object", 0, func(t *testing.T, c *contract) {
			net := c.subnet()
			scope := c.create(t, rangesPath, object{"start_address": host(net, 10), "end_address": host(net, 20)})
			entry := func(text string) object {
				return object{"assigned_object_type": "ipam.iprange", "assigned_object_id": scope.id(), "kind": "success", "comments": text}
			}
			g := c.call(t, http.MethodPost, journalPath+"/", []object{entry("one"), entry("two")})
			expect(t, g, http.StatusCreated, map[string]any{"0.comments": "one", "0.kind": object{"value": "success", "label": "Success"},
				"1.assigned_object.id": scope.id(), "1.tags": []any{}, "1.custom_fields": object{}})
			query := journalPath + "/?assigned_object_type=ipam.iprange&assigned_object_id=" + digits(scope.id())
			if !c.atLeast(4) {
				query = journalPath + "/?assigned_object_id=" + digits(scope.id())
			}
			c.list(t, query+"&ordering=id", "comments", "one", "two")
			expect(t, c.call(t, http.MethodDelete, detailPath(rangesPath, scope.id()), nil), http.StatusNoContent, nil)
			c.list(t, query, "comments")
		}},
		{"a journal entry needs comments and an object", 0, func(t *testing.T, c *contract) {
			net := c.subnet()
			scope := c.create(t, rangesPath, object{"start_address": host(net, 10), "end_address": host(net, 20)})
			g := c.call(t, http.MethodPost, journalPath+"/", object{"assigned_object_type": "ipam.iprange", "assigned_object_id": scope.id(), "comments": ""})
			expect(t, g, http.StatusBadRequest, map[string]any{"": messages("comments", "This field may not be blank.")})
			g = c.call(t, http.MethodPost, journalPath+"/", object{"assigned_object_type": "ipam.iprange", "assigned_object_id": scope.id(), "kind": "nosuch", "comments": "x"})
			expect(t, g, http.StatusBadRequest, map[string]any{"": messages("kind", "nosuch is not a valid choice.")})
			expect(t, c.call(t, http.MethodPost, journalPath+"/", object{"comments": "x"}), http.StatusBadRequest,
				map[string]any{"assigned_object_type": []string{"This field is required."}, "assigned_object_id": []string{"This field is required."}})
		}},
	}
}

func viewFacts() []fact {
	return []fact{
		{"a saved filter holds parameters for all users", 0, func(t *testing.T, c *contract) {
			f := object{"name": "Scopes", "slug": "test-scopes", "object_types": []string{"ipam.iprange"}, "shared": true, "enabled": true,
				"parameters": object{"tag": []string{"dhcp"}}}
			made := c.create(t, savedFiltersPath, f)
			expect(t, made, http.StatusCreated, map[string]any{"parameters": f["parameters"], "user": nil, "weight": 100, "shared": true, "object_types": []string{"ipam.iprange"}})
			c.list(t, savedFiltersPath+"/?slug=test-scopes", "name", "Scopes")
			expect(t, c.call(t, http.MethodPost, savedFiltersPath+"/", f), http.StatusBadRequest, map[string]any{"": object{
				"name": []string{"saved filter with this name already exists."}, "slug": []string{"saved filter with this slug already exists."}}})
			f["name"], f["slug"], f["parameters"] = "Other", "other-filter", []any{}
			expect(t, c.call(t, http.MethodPost, savedFiltersPath+"/", f), http.StatusBadRequest, map[string]any{
				"parameters.1": "Filter parameters must be stored as a dictionary of keyword arguments."})
		}},
		{"a custom link is kept as it is", 0, func(t *testing.T, c *contract) {
			url := "https://sync.example.org/ip/{{ object.address.ip }}"
			made := c.create(t, customLinksPath, object{"name": "Test link", "object_types": []string{"ipam.ipaddress"}, "link_text": "Lease", "link_url": url, "new_window": true})
			expect(t, made, http.StatusCreated, map[string]any{"link_url": url, "enabled": true, "new_window": true, "weight": 100, "group_name": "", "button_class": "default"})
			c.list(t, customLinksPath+"/?name=Test%20link", "link_text", "Lease")
			g := c.call(t, http.MethodPatch, detailPath(customLinksPath, made.id()), object{"link_url": "https://other.example.org/"})
			expect(t, g, http.StatusOK, map[string]any{"link_url": "https://other.example.org/", "link_text": "Lease"})
		}},
		{"a table config names columns, those of custom fields too", 3, func(t *testing.T, c *contract) {
			f := object{"name": "Test table", "object_type": "ipam.ipaddress", "table": "IPAddressTable", "columns": []string{"pk", "address", "dns_name", "cf_c_text"}}
			for range 2 { // names may repeat
				expect(t, c.create(t, tableConfigsPath, f), http.StatusCreated, map[string]any{"columns": f["columns"], "ordering": nil, "shared": true, "enabled": true, "user": nil})
			}
			c.list(t, tableConfigsPath+"/?name=Test%20table", "table", "IPAddressTable", "IPAddressTable")
			f["columns"] = []string{"pk", "cf_nosuch"}
			expect(t, c.call(t, http.MethodPost, tableConfigsPath+"/", f), http.StatusBadRequest, map[string]any{"": messages("columns", "Unknown column: cf_nosuch")})
			f["table"] = "NoTable"
			expect(t, c.call(t, http.MethodPost, tableConfigsPath+"/", f), http.StatusBadRequest, map[string]any{"": messages("table", "Unknown table: NoTable")})
		}},
	}
}
