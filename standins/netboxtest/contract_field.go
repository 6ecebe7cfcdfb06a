package netboxtest

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func customFieldFacts() []fact {
	return []fact{
		{"PATCH merges custom fields and null clears one", 0, func(t *testing.T, c *contract) {
			path := detailPath(addressesPath, c.address(t, object{"custom_fields": object{"c_text": "a", "c_int": 1}}).id())
			g := c.call(t, http.MethodPatch, path, object{"custom_fields": object{"c_int": 2}})
			expect(t, g, http.StatusOK, map[string]any{"custom_fields.c_text": "a", "custom_fields.c_int": 2})
			g = c.call(t, http.MethodPatch, path, object{"custom_fields": object{"c_text": nil}})
			expect(t, g, http.StatusOK, map[string]any{"custom_fields.c_text": nil, "custom_fields.c_int": 2})
		}},
		{"PUT merges custom fields too", 0, func(t *testing.T, c *contract) {
			made := c.address(t, object{"custom_fields": object{"c_text": "a", "c_int": 1}})
			g := c.call(t, http.MethodPut, detailPath(addressesPath, made.id()), object{"address": made.at("address"), "custom_fields": object{"c_int": 2}})
			expect(t, g, http.StatusOK, map[string]any{"custom_fields.c_text": "a", "custom_fields.c_int": 2})
		}},
		{"a selection is written raw and read by version", 0, selections},
		{"an object field is written as id and read nested", 0, func(t *testing.T, c *contract) {
			site := c.id(t, sitesPath, "Berlin")
			g := c.address(t, object{"custom_fields": object{"c_site": site}})
			expect(t, g, http.StatusCreated, map[string]any{"custom_fields.c_site.id": site, "custom_fields.c_site.name": "Berlin"})
		}},
		{"types are strict", 0, strictTypes},
		{"a datetime that is no text is a 500", 0, func(t *testing.T, c *contract) {
			path := detailPath(addressesPath, c.address(t, nil).id())
			expect(t, c.call(t, http.MethodPatch, path, object{"custom_fields": object{"c_time": 5}}), http.StatusInternalServerError, map[string]any{"exception": "TypeError"})
		}},
		{"a default is written into every row and every new one", 0, func(t *testing.T, c *contract) {
			c.create(t, customFieldsPath, object{"name": "c_default", "type": "text", "object_types": []string{"ipam.vrf"}, "default": "d"})
			old := c.call(t, http.MethodGet, detailPath(vrfsPath, c.id(t, vrfsPath, "strict")), nil)
			expect(t, old, http.StatusOK, map[string]any{"custom_fields.c_default": "d"})
			expect(t, c.create(t, vrfsPath, object{"name": "defaulted"}), http.StatusCreated, map[string]any{"custom_fields.c_default": "d"})
		}},
		{"large integers and JSON come back as written", 0, func(t *testing.T, c *contract) {
			g := c.address(t, object{"custom_fields": object{"c_int": 9007199254740993, "c_json": object{"a": []int{1, 2}}, "c_bool": false, "c_date": "2026-02-28"}})
			expect(t, g, http.StatusCreated, map[string]any{"custom_fields.c_int": 9007199254740993, "custom_fields.c_json": object{"a": []int{1, 2}},
				"custom_fields.c_bool": false, "custom_fields.c_date": "2026-02-28"})
		}},
		{"datetimes come back normalised", 0, datetimes},
		{"an unknown field is an error or is dropped, by version", 0, unknownField},
		{"a field's type cannot change, its object types can", 0, changeField},
		{"a new field is null everywhere at once", 0, func(t *testing.T, c *contract) {
			before := c.call(t, http.MethodGet, detailPath(vrfsPath, c.id(t, vrfsPath, "strict")), nil)
			c.create(t, customFieldsPath, object{"name": "c_late", "type": "text", "object_types": []string{"ipam.vrf"}})
			g := c.call(t, http.MethodGet, detailPath(vrfsPath, c.id(t, vrfsPath, "strict")), nil)
			expect(t, g, http.StatusOK, map[string]any{"custom_fields": object{"c_late": nil}, "last_updated": before.at("last_updated")})
		}},
		{"a field that is required is asked for in every write", 0, func(t *testing.T, c *contract) {
			old := detailPath(vrfsPath, c.id(t, vrfsPath, "strict"))
			made := c.create(t, customFieldsPath, object{"name": "c_must", "type": "text", "object_types": []string{"ipam.vrf"}, "required": true})
			for name, g := range map[string]got{
				"a new row":                   c.call(t, http.MethodPost, vrfsPath+"/", object{"name": "without"}),
				"a new row with other fields": c.call(t, http.MethodPost, vrfsPath+"/", object{"name": "without", "custom_fields": object{}}),
				"an old row":                  c.call(t, http.MethodPatch, old, object{"description": "x"}),
			} {
				expect(t, g, http.StatusBadRequest, nil)
				if !strings.Contains(string(g.raw), "c_must") {
					t.Errorf("%s: the field is not named: %s", name, clip(g.raw))
				}
			}
			expect(t, c.call(t, http.MethodPatch, old, object{"custom_fields": object{"c_must": "x"}}), http.StatusOK, map[string]any{"custom_fields.c_must": "x"})
			expect(t, c.call(t, http.MethodDelete, detailPath(customFieldsPath, made.id()), nil), http.StatusNoContent, nil)
		}},
		{"names of fields are letters, digits and single underscores", 0, func(t *testing.T, c *contract) {
			for _, name := range []string{"with space", "with__two", "with-dash"} {
				g := c.call(t, http.MethodPost, customFieldsPath+"/", object{"name": name, "type": "text", "object_types": []string{"ipam.vrf"}})
				expect(t, g, http.StatusBadRequest, nil)
				if g.at("name") == nil {
					t.Errorf("%s: %s", name, clip(g.raw))
				}
			}
		}},
		{"a definition shows what it is for", 0, func(t *testing.T, c *contract) {
			g := c.call(t, http.MethodGet, customFieldsPath+"/?name=c_boot", nil)
			expect(t, g, http.StatusOK, map[string]any{"count": 1, "results.0.type": object{"value": "select", "label": "Selection"},
				"results.0.object_types": []string{"ipam.ipaddress"}, "results.0.filter_logic.value": "exact", "results.0.choice_set.name": "Boot",
				"results.0.ui_editable.value": "yes", "results.0.required": false, "results.0.default": nil})
		}},
	}
}

func selections(t *testing.T, c *contract) {
	made := c.address(t, object{"custom_fields": object{"c_boot": "uefi", "c_boots": []string{"bios", "uefi"}}})
	want := map[string]any{"custom_fields.c_boot": "uefi", "custom_fields.c_boots": []string{"bios", "uefi"}}
	if c.atLeast(7) {
		want = map[string]any{"custom_fields.c_boot": object{"value": "uefi", "label": "UEFI"},
			"custom_fields.c_boots": []object{{"value": "bios", "label": "Legacy BIOS"}, {"value": "uefi", "label": "UEFI"}}}
	}
	expect(t, made, http.StatusCreated, want)
	path := detailPath(addressesPath, made.id())
	for _, wrong := range []any{"nosuch", object{"value": "uefi", "label": "UEFI"}} {
		g := c.call(t, http.MethodPatch, path, object{"custom_fields": object{"c_boot": wrong}})
		expect(t, g, http.StatusBadRequest, nil)
		if g.at("__all__.0") == nil {
			t.Errorf("%v: %s", wrong, clip(g.raw))
		}
	}
}

func strictTypes(t *testing.T, c *contract) {
	path := detailPath(addressesPath, c.address(t, nil).id())
	for _, wrong := range []struct {
		field string
		value any
		text  string
	}{
		{"c_text", 5, "Value must be a string."}, {"c_int", "5", "Value must be an integer."}, {"c_int", 5.5, "Value must be an integer."},
		{"c_bool", "yes", "Value must be true or false."}, {"c_time", "tomorrow", "Date and time values must be in ISO 8601 format (YYYY-MM-DD HH:MM:SS)."},
		{"c_date", "2026-02-30", "Date values must be in ISO 8601 format (YYYY-MM-DD)."},
	} {
		g := c.call(t, http.MethodPatch, path, object{"custom_fields": object{wrong.field: wrong.value}})
		expect(t, g, http.StatusBadRequest, map[string]any{"": messages("__all__", fmt.Sprintf("Invalid value for custom field '%s': %s", wrong.field, wrong.text))})
	}
	g := c.call(t, http.MethodPatch, path, object{"custom_fields": []string{"c_text"}})
	expect(t, g, http.StatusBadRequest, nil)
}

func datetimes(t *testing.T, c *contract) {
	path := detailPath(addressesPath, c.address(t, nil).id())
	for sent, read := range map[string]string{"2026-03-01T12:00:00.000Z": "2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z": "2026-03-01T12:00:00Z",
		"2026-03-01T12:00:00.250000+02:00": "2026-03-01T12:00:00.250000+02:00", "2026-03-01T12:00:00+00:00": "2026-03-01T12:00:00Z"} {
		g := c.call(t, http.MethodPatch, path, object{"custom_fields": object{"c_time": sent}})
		expect(t, g, http.StatusOK, map[string]any{"custom_fields.c_time": read})
	}
}

func unknownField(t *testing.T, c *contract) {
	path := detailPath(addressesPath, c.address(t, nil).id())
	g := c.call(t, http.MethodPatch, path, object{"custom_fields": object{"nosuch": 1, "c_text": "kept"}})
	switch {
	case c.atLeast(5):
		expect(t, g, http.StatusBadRequest, map[string]any{"": object{"custom_fields": object{"nosuch": "Custom field 'nosuch' does not exist for this object type."}}})
	case c.atLeast(4):
		expect(t, g, http.StatusOK, map[string]any{"custom_fields.c_text": "kept"})
	default:
		expect(t, g, http.StatusBadRequest, map[string]any{"": messages("__all__", "Unknown field name 'nosuch' in custom field data.")})
	}
}

func changeField(t *testing.T, c *contract) {
	made := c.create(t, customFieldsPath, object{"name": "c_change", "type": "text", "object_types": []string{"ipam.vrf"}})
	path := detailPath(customFieldsPath, made.id())
	g := c.call(t, http.MethodPatch, path, object{"object_types": []string{"ipam.iprange"}})
	expect(t, g, http.StatusOK, map[string]any{"object_types": []string{"ipam.iprange"}})
	g = c.call(t, http.MethodPatch, path, object{"type": "integer"})
	expect(t, g, http.StatusBadRequest, nil)
	if g.at("type") == nil {
		t.Errorf("type: %s", clip(g.raw))
	}
}

func tagFacts() []fact {
	return []fact{
		{"tags replaces all", 0, func(t *testing.T, c *contract) {
			path := detailPath(addressesPath, c.address(t, object{"tags": []object{{"slug": "dhcp"}}}).id())
			g := c.call(t, http.MethodPatch, path, object{"tags": []any{c.id(t, "extras/tags", "Gateway")}})
			expect(t, g, http.StatusOK, map[string]any{"tags.0.slug": "gateway", "tags.1": nil})
			expect(t, c.call(t, http.MethodPatch, path, object{"tags": []any{}}), http.StatusOK, map[string]any{"tags": []any{}})
		}},
		{"add_tags and remove_tags work from 4.6 on and are ignored before", 0, addAndRemoveTags},
		{"an unknown tag is refused", 0, func(t *testing.T, c *contract) {
			g := c.call(t, http.MethodPost, addressesPath+"/", object{"address": "10.250.0.1/24", "tags": []object{{"slug": "nosuch"}}})
			expect(t, g, http.StatusBadRequest, nil)
			if g.at("tags") == nil {
				t.Errorf("tags: %s", clip(g.raw))
			}
		}},
		{"an unknown tag in add_tags is a 500", 6, func(t *testing.T, c *contract) {
			path := detailPath(addressesPath, c.address(t, nil).id())
			expect(t, c.call(t, http.MethodPatch, path, object{"add_tags": []object{{"slug": "nosuch"}}}), http.StatusInternalServerError,
				map[string]any{"exception": "ValidationError"})
		}},
		{"a tag for other models is refused", 0, func(t *testing.T, c *contract) {
			path := detailPath(addressesPath, c.address(t, nil).id())
			g := c.call(t, http.MethodPatch, path, object{"tags": []object{{"slug": "prefix-only"}}})
			expect(t, g, http.StatusBadRequest, map[string]any{"": object{"detail": "Tag Prefix only cannot be assigned to ipaddress objects."}})
			expect(t, c.call(t, http.MethodGet, path, nil), http.StatusOK, map[string]any{"tags": []any{}})
		}},
		{"renaming a tag touches no object", 0, func(t *testing.T, c *contract) {
			tag := c.create(t, "extras/tags", object{"name": "old name", "slug": "old-slug"})
			made := c.address(t, object{"tags": []any{tag.id()}})
			expect(t, c.call(t, http.MethodPatch, detailPath("extras/tags", tag.id()), object{"name": "new name", "slug": "new-slug"}), http.StatusOK, nil)
			expect(t, c.call(t, http.MethodGet, detailPath(addressesPath, made.id()), nil), http.StatusOK,
				map[string]any{"tags.0.slug": "new-slug", "last_updated": made.at("last_updated")})
		}},
		{"deleting a tag takes it off silently", 0, func(t *testing.T, c *contract) {
			tag := c.create(t, "extras/tags", object{"name": "gone", "slug": "gone"})
			made := c.address(t, object{"tags": []any{tag.id()}})
			expect(t, c.call(t, http.MethodDelete, detailPath("extras/tags", tag.id()), nil), http.StatusNoContent, nil)
			expect(t, c.call(t, http.MethodGet, detailPath(addressesPath, made.id()), nil), http.StatusOK,
				map[string]any{"tags": []any{}, "last_updated": made.at("last_updated")})
		}},
	}
}

func addAndRemoveTags(t *testing.T, c *contract) {
	path := detailPath(addressesPath, c.address(t, object{"tags": []object{{"slug": "dhcp"}}}).id())
	g := c.call(t, http.MethodPatch, path, object{"add_tags": []object{{"slug": "gateway"}}})
	if !c.atLeast(6) {
		expect(t, g, http.StatusOK, map[string]any{"tags.0.slug": "dhcp", "tags.1": nil})
		return
	}
	expect(t, g, http.StatusOK, map[string]any{"tags.0.slug": "dhcp", "tags.1.slug": "gateway"})
	g = c.call(t, http.MethodPatch, path, object{"remove_tags": []object{{"slug": "dhcp"}}})
	expect(t, g, http.StatusOK, map[string]any{"tags.0.slug": "gateway", "tags.1": nil})
	g = c.call(t, http.MethodPatch, path, object{"tags": []object{{"slug": "dhcp"}}, "add_tags": []object{{"slug": "gateway"}}})
	expect(t, g, http.StatusBadRequest, map[string]any{"": messages("tags", `Cannot specify "tags" together with "add_tags" or "remove_tags".`)})
	g = c.call(t, http.MethodPost, addressesPath+"/", object{"address": "10.250.0.1/24", "remove_tags": []object{{"slug": "dhcp"}}})
	expect(t, g, http.StatusBadRequest, map[string]any{"": messages("remove_tags", `Cannot use "remove_tags" when creating a new object.`)})
}
