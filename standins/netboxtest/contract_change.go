package netboxtest

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func deleteFacts() []fact {
	return []fact{
		{"an interface takes its addresses and MACs along, each with a record", 0, func(t *testing.T, c *contract) {
			i := c.create(t, interfacesPath, object{"device": c.id(t, devicesPath, "web1"), "name": "doomed", "type": "virtual"})
			mac := c.create(t, macsPath, object{"mac_address": "52:54:00:00:09:01", "assigned_object_type": "dcim.interface", "assigned_object_id": i.id()})
			ip := c.address(t, object{"assigned_object_type": "dcim.interface", "assigned_object_id": i.id()})
			g := c.call(t, http.MethodDelete, detailPath(interfacesPath, i.id()), nil)
			expect(t, g, http.StatusNoContent, nil)
			c.deleted(t, g, map[string]int64{"dcim.interface": i.id(), "dcim.macaddress": mac.id(), "ipam.ipaddress": ip.id()})
			expect(t, c.call(t, http.MethodGet, detailPath(addressesPath, ip.id()), nil), http.StatusNotFound, nil)
			expect(t, c.call(t, http.MethodGet, detailPath(macsPath, mac.id()), nil), http.StatusNotFound, nil)
		}},
		{"a device takes its interfaces and what hangs on them along", 0, deleteDevice},
		{"a VM interface takes its addresses and MACs along", 0, func(t *testing.T, c *contract) {
			i := c.create(t, vmInterfacesPath, object{"virtual_machine": c.id(t, machinesPath, "vm1"), "name": "doomed"})
			ip := c.address(t, object{"assigned_object_type": "virtualization.vminterface", "assigned_object_id": i.id()})
			g := c.call(t, http.MethodDelete, detailPath(vmInterfacesPath, i.id()), nil)
			c.deleted(t, g, map[string]int64{"virtualization.vminterface": i.id(), "ipam.ipaddress": ip.id()})
		}},
		{"a site takes the prefixes scoped to it or its locations along", 0, func(t *testing.T, c *contract) {
			site := c.create(t, sitesPath, object{"name": "doomed", "slug": "doomed"})
			location := c.create(t, locationsPath, object{"name": "doomed", "slug": "doomed", "site": site.id()})
			p := c.create(t, prefixesPath, object{"prefix": c.subnet().String(), "scope_type": "dcim.site", "scope_id": site.id()})
			q := c.create(t, prefixesPath, object{"prefix": c.subnet().String(), "scope_type": "dcim.location", "scope_id": location.id()})
			expect(t, c.call(t, http.MethodDelete, detailPath(sitesPath, site.id()), nil), http.StatusNoContent, nil)
			for _, id := range []int64{p.id(), q.id()} {
				expect(t, c.call(t, http.MethodGet, detailPath(prefixesPath, id), nil), http.StatusNotFound, nil)
			}
		}},
		{"a prefix leaves its addresses", 0, func(t *testing.T, c *contract) {
			net := c.subnet()
			p := c.create(t, prefixesPath, object{"prefix": net.String()})
			ip := c.create(t, addressesPath, object{"address": host(net, 4)})
			expect(t, c.call(t, http.MethodDelete, detailPath(prefixesPath, p.id()), nil), http.StatusNoContent, nil)
			expect(t, c.call(t, http.MethodGet, detailPath(addressesPath, ip.id()), nil), http.StatusOK, nil)
		}},
		{"a region leaves its sites", 0, func(t *testing.T, c *contract) {
			region := c.create(t, regionsPath, object{"name": "doomed", "slug": "doomed"})
			site := c.create(t, sitesPath, object{"name": "doomed", "slug": "doomed", "region": region.id()})
			expect(t, c.call(t, http.MethodDelete, detailPath(regionsPath, region.id()), nil), http.StatusNoContent, nil)
			expect(t, c.call(t, http.MethodGet, detailPath(sitesPath, site.id()), nil), http.StatusOK, map[string]any{"region": nil})
		}},
		{"a primary address can be deleted and leaves its device", 0, func(t *testing.T, c *contract) {
			d := c.device(t, "no primary")
			i := c.create(t, interfacesPath, object{"device": d, "name": "eth0", "type": "virtual"})
			ip := c.address(t, object{"assigned_object_type": "dcim.interface", "assigned_object_id": i.id()})
			expect(t, c.call(t, http.MethodPatch, detailPath(devicesPath, d), object{"primary_ip4": ip.id()}), http.StatusOK, nil)
			before := c.call(t, http.MethodGet, detailPath(devicesPath, d), nil)
			g := c.call(t, http.MethodDelete, detailPath(addressesPath, ip.id()), nil)
			expect(t, g, http.StatusNoContent, nil)
			after := c.call(t, http.MethodGet, detailPath(devicesPath, d), nil)
			expect(t, after, http.StatusOK, map[string]any{"primary_ip4": nil})
			if before.at("last_updated") == after.at("last_updated") {
				t.Error("the device's last_updated did not move")
			}
			c.list(t, changesPath+"/?changed_object_type=dcim.device&request_id="+g.header.Get("X-Request-ID"), "changed_object_id", fmt.Sprint(d))
		}},
		{"ids are not given twice", 0, func(t *testing.T, c *contract) {
			a := c.address(t, nil)
			expect(t, c.call(t, http.MethodDelete, detailPath(addressesPath, a.id()), nil), http.StatusNoContent, nil)
			if b := c.address(t, nil); b.id() <= a.id() {
				t.Errorf("id %d after %d", b.id(), a.id())
			}
		}},
	}
}

// device makes a bare device.
func (c *contract) device(t *testing.T, name string) int64 {
	t.Helper()
	return c.create(t, devicesPath, object{"name": name, "device_type": c.id(t, typesPath, "Generic"), "role": c.id(t, rolesPath, "Web server"),
		"site": c.id(t, sitesPath, "Berlin")}).id()
}

func deleteDevice(t *testing.T, c *contract) {
	d := c.device(t, "doomed")
	i := c.create(t, interfacesPath, object{"device": d, "name": "eth0", "type": "virtual"})
	mac := c.create(t, macsPath, object{"mac_address": "52:54:00:00:09:02", "assigned_object_type": "dcim.interface", "assigned_object_id": i.id()})
	expect(t, c.call(t, http.MethodPatch, detailPath(interfacesPath, i.id()), object{"primary_mac_address": mac.id()}), http.StatusOK, nil)
	ip := c.address(t, object{"assigned_object_type": "dcim.interface", "assigned_object_id": i.id()})
	expect(t, c.call(t, http.MethodPatch, detailPath(devicesPath, d), object{"primary_ip4": ip.id()}), http.StatusOK, nil)
	g := c.call(t, http.MethodDelete, detailPath(devicesPath, d), nil)
	expect(t, g, http.StatusNoContent, nil)
	c.deleted(t, g, map[string]int64{"dcim.device": d, "dcim.interface": i.id(), "dcim.macaddress": mac.id(), "ipam.ipaddress": ip.id()})
}

// deleted checks that the request left exactly these delete records.
func (c *contract) deleted(t *testing.T, g got, want map[string]int64) {
	t.Helper()
	list := c.call(t, http.MethodGet, changesPath+"/?action=delete&request_id="+g.header.Get("X-Request-ID"), nil)
	have := map[string]string{}
	ids := list.names("changed_object_id")
	for i, kind := range list.names("changed_object_type") {
		have[kind] = ids[i]
	}
	wanted := map[string]string{}
	for kind, id := range want {
		wanted[kind] = fmt.Sprint(id)
	}
	if diff := cmp.Diff(wanted, have); diff != "" {
		t.Errorf("delete records (-want +got):\n%s", diff)
	}
}

func changeFacts() []fact {
	return []fact{
		{"create, update and delete are recorded", 0, func(t *testing.T, c *contract) {
			made := c.address(t, object{"tags": []object{{"slug": "dhcp"}}, "custom_fields": object{"c_text": "x"}})
			path, id := detailPath(addressesPath, made.id()), made.id()
			patched := c.call(t, http.MethodPatch, path, object{"description": "changed"})
			gone := c.call(t, http.MethodDelete, path, nil)
			query := fmt.Sprintf("%s/?changed_object_type=ipam.ipaddress&changed_object_id=%d", changesPath, id)
			g := c.call(t, http.MethodGet, query, nil)
			expect(t, g, http.StatusOK, map[string]any{"count": 3, "results.0.action": object{"value": "delete", "label": "Deleted"},
				"results.1.action": object{"value": "update", "label": "Updated"}, "results.2.action": object{"value": "create", "label": "Created"},
				"results.0.request_id": gone.header.Get("X-Request-ID"), "results.1.request_id": patched.header.Get("X-Request-ID"),
				"results.0.changed_object_type": "ipam.ipaddress", "results.0.changed_object_id": id, "results.0.user_name": "admin",
				"results.0.changed_object": nil, "results.0.postchange_data": object{}, "results.2.prechange_data": object{},
				"results.2.postchange_data.address": made.at("address"), "results.2.postchange_data.status": "active",
				"results.2.postchange_data.tags": []string{"DHCP"}, "results.2.postchange_data.custom_fields.c_text": "x",
				"results.1.prechange_data.description": "", "results.1.postchange_data.description": "changed", "results.1.postchange_data.vrf": nil})
			if post, _ := g.at("results.1.postchange_data").(map[string]any); post != nil {
				if _, ok := post["last_updated"]; ok {
					t.Error("a snapshot has last_updated")
				}
			}
		}},
		{"fields makes the feed small", 0, func(t *testing.T, c *contract) {
			made := c.address(t, nil)
			g := c.call(t, http.MethodGet, fmt.Sprintf("%s/?fields=id,time,action,changed_object_type,changed_object_id,user_name,request_id&request_id=%s", changesPath,
				made.header.Get("X-Request-ID")), nil)
			row, _ := g.at("results.0").(map[string]any)
			if len(row) != 7 {
				t.Errorf("row %v", row)
			}
		}},
		{"the feed is filtered by time, action, type and id", 0, filterFeed},
		{"several types: all from 4.5 on, the last one before", 0, func(t *testing.T, c *contract) {
			query := changesPath + "/?limit=1&action=create&changed_object_type=ipam.vrf&changed_object_type=dcim.site"
			g := c.call(t, http.MethodGet, query, nil)
			vrfs := c.call(t, http.MethodGet, changesPath+"/?limit=1&action=create&changed_object_type=ipam.vrf", nil)
			sites := c.call(t, http.MethodGet, changesPath+"/?limit=1&action=create&changed_object_type=dcim.site", nil)
			if !c.atLeast(5) {
				expect(t, g, http.StatusOK, map[string]any{"count": sites.at("count")})
				return
			}
			n, m := number(t, vrfs.at("count")), number(t, sites.at("count"))
			expect(t, g, http.StatusOK, map[string]any{"count": n + m})
		}},
		{"the old path of the feed is gone", 0, func(t *testing.T, c *contract) {
			expect(t, c.call(t, http.MethodGet, "extras/object-changes/", nil), http.StatusNotFound, nil)
		}},
	}
}

func filterFeed(t *testing.T, c *contract) {
	first, second := c.address(t, nil), c.address(t, nil)
	rows := func(query string) []string {
		return c.call(t, http.MethodGet, changesPath+"/?fields=id,time,changed_object_id,action&changed_object_type=ipam.ipaddress&"+query, nil).names("changed_object_id")
	}
	g := c.call(t, http.MethodGet, changesPath+"/?request_id="+first.header.Get("X-Request-ID"), nil)
	at, id := url.QueryEscape(fmt.Sprint(g.at("results.0.time"))), fmt.Sprint(g.at("results.0.id"))
	a, b := fmt.Sprint(first.id()), fmt.Sprint(second.id())
	for query, want := range map[string][]string{
		"time_after=" + at:                        {b, a},
		"time_after=" + at + "&ordering=id":       {a, b},
		"id__gt=" + id:                            {b},
		"action=delete&time_after=" + at:          {},
		"action=create&changed_object_id=" + a:    {a},
		"time_after=" + at + "&time_before=" + at: {a},
	} {
		if diff := cmp.Diff(want, rows(query)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", query, diff)
		}
	}
	expect(t, c.call(t, http.MethodGet, changesPath+"/?action=nosuch", nil), http.StatusBadRequest, badChoice("action", "nosuch"))
}
