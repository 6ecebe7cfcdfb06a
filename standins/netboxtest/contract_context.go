package netboxtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func number(t *testing.T, v any) int64 {
	t.Helper()
	n, _ := v.(json.Number)
	i, err := n.Int64()
	if err != nil {
		t.Fatalf("%v is no integer", v)
	}
	return i
}

func contextFacts() []fact {
	return []fact{
		{"a device merges what applies, lowest weight first", 0, func(t *testing.T, c *contract) {
			g := c.call(t, http.MethodGet, detailPath(devicesPath, c.id(t, devicesPath, "web1")), nil)
			expect(t, g, http.StatusOK, map[string]any{"config_context": object{"order": "b", "first": nil,
				"dns": object{"servers": []string{"10.0.0.3"}, "ttl": 60}, "empty": object{}, "region": "europe", "group": "offices", "location": "floor",
				"tenant group": "exact", "tag": true, "role": "web", "local": true}, "local_context_data.local": true})
		}},
		{"a VM merges by its cluster's site and its cluster", 0, func(t *testing.T, c *contract) {
			g := c.call(t, http.MethodGet, detailPath(machinesPath, c.id(t, machinesPath, "vm1")), nil)
			expect(t, g, http.StatusOK, map[string]any{"config_context": object{"order": "b", "first": nil,
				"dns": object{"servers": []string{"10.0.0.3"}, "ttl": 300}, "empty": object{}, "region": "europe", "group": "offices", "cluster": "kvm"}})
		}},
		{"a list shows the same contexts", 0, func(t *testing.T, c *contract) {
			id := c.id(t, devicesPath, "web1")
			want := c.call(t, http.MethodGet, detailPath(devicesPath, id), nil).at("config_context")
			g := c.call(t, http.MethodGet, fmt.Sprintf("dcim/devices/?id=%d&fields=id,config_context", id), nil)
			expect(t, g, http.StatusOK, map[string]any{"results": []object{{"id": id, "config_context": want}}})
		}},
		{"exclude leaves the context out up to 4.6, omit from 4.5.2 on", 0, func(t *testing.T, c *contract) {
			path := detailPath(devicesPath, c.id(t, devicesPath, "web1"))
			if has := c.call(t, http.MethodGet, path+"?exclude=config_context", nil).has("config_context"); has != c.atLeast(7) {
				t.Errorf("exclude: config_context there: %v", has)
			}
			if has := c.call(t, http.MethodGet, path+"?omit=config_context", nil).has("config_context"); has != !c.atLeast(5) {
				t.Errorf("omit: config_context there: %v", has)
			}
			if c.call(t, http.MethodGet, path+"?exclude=config_context&omit=config_context", nil).has("config_context") {
				t.Error("both: config_context there")
			}
			if c.call(t, http.MethodGet, path+"?brief=true", nil).has("config_context") {
				t.Error("brief shows config_context")
			}
		}},
		{"a context change moves no device", 0, func(t *testing.T, c *contract) {
			path := detailPath(devicesPath, c.id(t, devicesPath, "web1"))
			before := c.call(t, http.MethodGet, path, nil)
			c.create(t, contextsPath, object{"name": "late", "weight": 9000, "data": object{"late": 1}})
			expect(t, c.call(t, http.MethodGet, path, nil), http.StatusOK, map[string]any{"config_context.late": 1, "last_updated": before.at("last_updated")})
		}},
		{"contexts come by weight, then name", 0, func(t *testing.T, c *contract) {
			names := c.call(t, http.MethodGet, "extras/config-contexts/?is_active=true", nil).names("name")
			if want := []string{"a base", "b base", "europe"}; !slices.Equal(names[:3], want) || slices.Contains(names, "inactive") {
				t.Errorf("order %v", names)
			}
		}},
		{"a context lists what it is limited to; tags as slugs", 0, func(t *testing.T, c *contract) {
			g := c.call(t, http.MethodGet, detailPath(contextsPath, c.id(t, contextsPath, "tag any")), nil)
			slugs, _ := g.at("tags").([]any)
			var names []string
			for _, s := range slugs {
				names = append(names, fmt.Sprint(s))
			}
			slices.Sort(names)
			if diff := cmp.Diff([]string{"dhcp", "gateway"}, names); diff != "" {
				t.Errorf("tags (-want +got):\n%s", diff)
			}
			expect(t, g, http.StatusOK, map[string]any{"regions": []any{}, "is_active": true, "weight": 240, "data_file": nil, "data": object{"tag": true}})
			g = c.call(t, http.MethodGet, detailPath(contextsPath, c.id(t, contextsPath, "europe")), nil)
			expect(t, g, http.StatusOK, map[string]any{"regions.0.slug": "europe", "regions.0.id": c.id(t, regionsPath, "Europe")})
		}},
		{"a context names objects by id only", 0, func(t *testing.T, c *contract) {
			g := c.call(t, http.MethodPost, contextsPath+"/", object{"name": "wrong", "data": object{}, "sites": []object{{"slug": "berlin"}}})
			expect(t, g, http.StatusBadRequest, map[string]any{"": messages("sites", "Incorrect type. Expected pk value, received dict.")})
			g = c.call(t, http.MethodPost, contextsPath+"/", object{"name": "wrong", "data": object{}, "sites": []int{999999}})
			expect(t, g, http.StatusBadRequest, map[string]any{"": messages("sites", `Invalid pk "999999" - object does not exist.`)})
		}},
		{"context data must be an object", 0, func(t *testing.T, c *contract) {
			g := c.call(t, http.MethodPost, contextsPath+"/", object{"name": "wrong", "data": []int{1}})
			expect(t, g, http.StatusBadRequest, nil)
			if g.at("data") == nil {
				t.Errorf("data: %s", clip(g.raw))
			}
		}},
		{"a parent role's context applies from 4.3 on", 3, func(t *testing.T, c *contract) {
			parent := c.create(t, rolesPath, object{"name": "parent role", "slug": "parent-role", "color": "9e9e9e"})
			child := c.create(t, rolesPath, object{"name": "child role", "slug": "child-role", "color": "9e9e9e", "parent": parent.id()})
			c.create(t, contextsPath, object{"name": "parent role", "roles": []int64{parent.id()}, "data": object{"parent role": 1}})
			d := c.device(t, "child")
			g := c.call(t, http.MethodPatch, detailPath(devicesPath, d), object{"role": child.id()})
			expect(t, g, http.StatusOK, map[string]any{"config_context.parent role": 1})
		}},
		{"a parent platform's context applies from 4.5 on", 4, func(t *testing.T, c *contract) {
			parent := c.create(t, platformsPath, object{"name": "parent platform", "slug": "parent-platform"})
			child := c.create(t, platformsPath, object{"name": "child platform", "slug": "child-platform", "parent": parent.id()})
			c.create(t, contextsPath, object{"name": "parent platform", "platforms": []int64{parent.id()}, "data": object{"parent platform": 1}})
			d := c.device(t, "child")
			g := c.call(t, http.MethodPatch, detailPath(devicesPath, d), object{"platform": child.id()})
			if want := any(json.Number("1")); (g.at("config_context.parent platform") == want) != c.atLeast(5) {
				t.Errorf("context %v", g.at("config_context"))
			}
		}},
	}
}

func macFacts() []fact {
	return []fact{
		{"a MAC nests its interface with the device", 0, func(t *testing.T, c *contract) {
			g := c.call(t, http.MethodGet, detailPath(macsPath, c.id(t, macsPath, "web1 eth0 52:54:00:00:01:02")), nil)
			expect(t, g, http.StatusOK, map[string]any{"mac_address": "52:54:00:00:01:02", "assigned_object_type": "dcim.interface",
				"assigned_object_id": c.id(t, interfacesPath, "web1 eth0"), "assigned_object.name": "eth0", "assigned_object.device.name": "web1"})
			if g.has("is_primary") != c.atLeast(7) {
				t.Error("is_primary came with 4.7")
			}
			g = c.call(t, http.MethodGet, detailPath(macsPath, c.id(t, macsPath, "vm1 ens3 52:54:00:00:02:01")), nil)
			expect(t, g, http.StatusOK, map[string]any{"assigned_object_type": "virtualization.vminterface", "assigned_object.virtual_machine.name": "vm1"})
		}},
		{"any notation is read, one is written", 0, func(t *testing.T, c *contract) {
			for _, sent := range []string{"52:54:00:00:0a:01", "52-54-00-00-0A-01", "5254.0000.0a01", "525400000a01"} {
				g := c.call(t, http.MethodPost, macsPath+"/", object{"mac_address": sent})
				expect(t, g, http.StatusCreated, map[string]any{"mac_address": "52:54:00:00:0A:01", "assigned_object": nil, "assigned_object_type": nil})
				c.discard(t, macsPath, g.id())
			}
		}},
		{"a malformed MAC is refused", 0, func(t *testing.T, c *contract) {
			g := c.call(t, http.MethodPost, macsPath+"/", object{"mac_address": "52:54"})
			expect(t, g, http.StatusBadRequest, nil)
			if g.at("mac_address") == nil {
				t.Errorf("mac_address: %s", clip(g.raw))
			}
		}},
		{"one MAC may be on several interfaces or on none", 0, func(t *testing.T, c *contract) {
			for _, name := range []string{"web1 eth0", "web1 eth1"} {
				c.create(t, macsPath, object{"mac_address": "52:54:00:00:0B:01", "assigned_object_type": "dcim.interface", "assigned_object_id": c.id(t, interfacesPath, name)})
			}
			c.create(t, macsPath, object{"mac_address": "52:54:00:00:0B:01"})
			g := c.call(t, http.MethodGet, macsPath+"/?mac_address=52:54:00:00:0b:01", nil)
			expect(t, g, http.StatusOK, map[string]any{"count": 3})
			c.list(t, interfacesPath+"/?mac_address=5254.0000.0b01", "name", "eth0", "eth1")
		}},
		{"MACs are found by what they are assigned to", 0, func(t *testing.T, c *contract) {
			c.list(t, fmt.Sprintf("%s/?interface_id=%d", macsPath, c.id(t, interfacesPath, "web1 eth0")), "mac_address", "52:54:00:00:01:01", "52:54:00:00:01:02")
			c.list(t, fmt.Sprintf("%s/?device_id=%d", macsPath, c.id(t, devicesPath, "web1")), "mac_address", "52:54:00:00:01:01", "52:54:00:00:01:02", "52:54:00:00:01:03")
			if c.atLeast(4) {
				c.list(t, macsPath+"/?assigned_object_type=virtualization.vminterface", "mac_address", "52:54:00:00:02:01")
			}
			c.list(t, vmInterfacesPath+"/?mac_address=52:54:00:00:02:01", "name", "ens3")
			c.list(t, interfacesPath+"/?mac_address=52:54:00:00:01:03", "name", "eth1")
		}},
		{"the primary MAC stays on its interface", 0, func(t *testing.T, c *contract) {
			path := detailPath(macsPath, c.id(t, macsPath, "web1 eth0 52:54:00:00:01:01"))
			g := c.call(t, http.MethodPatch, path, object{"assigned_object_id": c.id(t, interfacesPath, "web1 eth1")})
			expect(t, g, http.StatusBadRequest, nil)
		}},
		{"deleting the primary MAC leaves the interface without one", 0, func(t *testing.T, c *contract) {
			i := c.create(t, interfacesPath, object{"device": c.id(t, devicesPath, "web1"), "name": "eth9", "type": "virtual"})
			mac := c.create(t, macsPath, object{"mac_address": "52:54:00:00:0C:01", "assigned_object_type": "dcim.interface", "assigned_object_id": i.id()})
			expect(t, c.call(t, http.MethodPatch, detailPath(interfacesPath, i.id()), object{"primary_mac_address": mac.id()}), http.StatusOK,
				map[string]any{"mac_address": "52:54:00:00:0C:01"})
			expect(t, c.call(t, http.MethodDelete, detailPath(macsPath, mac.id()), nil), http.StatusNoContent, nil)
			expect(t, c.call(t, http.MethodGet, detailPath(interfacesPath, i.id()), nil), http.StatusOK, map[string]any{"mac_address": nil, "primary_mac_address": nil})
		}},
		{"the primary MAC of an interface is one of its own", 0, foreignPrimary},
		{"mac_address of an interface is writable from 4.7 on", 0, writeMAC},
		{"moving an address or MAC touches only itself", 0, func(t *testing.T, c *contract) {
			eth0, eth1 := c.id(t, interfacesPath, "web1 eth0"), c.id(t, interfacesPath, "web1 eth1")
			before := c.call(t, http.MethodGet, detailPath(interfacesPath, eth1), nil)
			ip := c.address(t, object{"assigned_object_type": "dcim.interface", "assigned_object_id": eth0})
			expect(t, c.call(t, http.MethodPatch, detailPath(addressesPath, ip.id()), object{"assigned_object_id": eth1}), http.StatusOK, map[string]any{"assigned_object.name": "eth1"})
			expect(t, c.call(t, http.MethodGet, detailPath(interfacesPath, eth1), nil), http.StatusOK, map[string]any{"last_updated": before.at("last_updated")})
			g := c.call(t, http.MethodPatch, detailPath(addressesPath, ip.id()), object{"assigned_object_type": nil, "assigned_object_id": nil})
			expect(t, g, http.StatusOK, map[string]any{"assigned_object": nil})
		}},
	}
}

func foreignPrimary(t *testing.T, c *contract) {
	path := detailPath(interfacesPath, c.id(t, interfacesPath, "web1 eth1"))
	g := c.call(t, http.MethodPatch, path, object{"primary_mac_address": c.id(t, macsPath, "web1 eth0 52:54:00:00:01:02")})
	key, text := "__all__", "MAC address 52:54:00:00:01:02 is assigned to a different interface (eth0)."
	if !c.atLeast(7) {
		key = "primary_mac_address"
	}
	if !c.atLeast(4) {
		text = "MAC address 52:54:00:00:01:02 is not assigned to this interface."
	}
	expect(t, g, http.StatusBadRequest, map[string]any{"": messages(key, text)})
	if !c.atLeast(4) {
		return
	}
	free := c.create(t, macsPath, object{"mac_address": "52:54:00:00:0E:01"})
	i := c.create(t, interfacesPath, object{"device": c.id(t, devicesPath, "web1"), "name": "eth7", "type": "virtual", "primary_mac_address": free.id()})
	expect(t, c.call(t, http.MethodGet, detailPath(macsPath, free.id()), nil), http.StatusOK, map[string]any{"assigned_object_id": i.id()})
}

func writeMAC(t *testing.T, c *contract) {
	i := c.create(t, interfacesPath, object{"device": c.id(t, devicesPath, "web1"), "name": "eth8", "type": "virtual", "mac_address": "52:54:00:00:0D:01"})
	if !c.atLeast(7) {
		expect(t, i, http.StatusCreated, map[string]any{"mac_address": nil, "mac_addresses": []any{}})
		return
	}
	expect(t, i, http.StatusCreated, map[string]any{"mac_address": "52:54:00:00:0D:01", "primary_mac_address.mac_address": "52:54:00:00:0D:01",
		"mac_addresses.0.mac_address": "52:54:00:00:0D:01"})
	g := c.call(t, http.MethodPatch, detailPath(interfacesPath, i.id()), object{"mac_address": "52:54:00:00:0D:02"})
	expect(t, g, http.StatusOK, map[string]any{"mac_address": "52:54:00:00:0D:02", "mac_addresses.0.mac_address": "52:54:00:00:0D:01"})
	g = c.call(t, http.MethodPatch, detailPath(interfacesPath, i.id()), object{"mac_address": "52:54:00:00:0D:01"})
	expect(t, g, http.StatusOK, map[string]any{"mac_address": "52:54:00:00:0D:01", "mac_addresses.2": nil})
	g = c.call(t, http.MethodPatch, detailPath(interfacesPath, i.id()), object{"mac_address": nil})
	expect(t, g, http.StatusOK, map[string]any{"mac_address": nil, "mac_addresses.1.mac_address": "52:54:00:00:0D:02"})
	g = c.call(t, http.MethodPatch, detailPath(interfacesPath, i.id()), object{"mac_address": "52:54:00:00:0D:01", "primary_mac_address": g.at("mac_addresses.1.id")})
	expect(t, g, http.StatusBadRequest, map[string]any{"": messages("__all__", "The provided 'mac_address' and 'primary_mac_address' values conflict.")})
}
