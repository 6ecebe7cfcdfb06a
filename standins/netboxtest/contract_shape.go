package netboxtest

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

func shapeFacts() []fact {
	return []fact{
		{"an address nests its VRF and its interface with the device", 0, func(t *testing.T, c *contract) {
			eth0 := c.id(t, interfacesPath, "web1 eth0")
			g := c.call(t, http.MethodGet, detailPath(addressesPath, c.id(t, addressesPath, "10.1.1.5/24")), nil)
			expect(t, g, http.StatusOK, map[string]any{"status": object{"value": "active", "label": "Active"}, "role": nil, "vrf": nil,
				"assigned_object_type": "dcim.interface", "assigned_object_id": eth0, "assigned_object.id": eth0, "assigned_object.name": "eth0",
				"assigned_object.device.name": "web1", "dns_name": "web1.example.com", "family": object{"value": 4, "label": "IPv4"},
				"display": "10.1.1.5/24", "nat_inside": nil, "nat_outside": []any{}, "tenant": nil, "comments": ""})
			for _, key := range []string{"url", "display_url", "created", "last_updated", "tags", "custom_fields"} {
				if !g.has(key) {
					t.Errorf("%s is missing", key)
				}
			}
			g = c.call(t, http.MethodGet, detailPath(addressesPath, c.id(t, addressesPath, "strict 10.1.1.7/24")), nil)
			expect(t, g, http.StatusOK, map[string]any{"vrf.id": c.id(t, vrfsPath, "strict"), "vrf.name": "strict", "vrf.rd": "65000:1",
				"vrf.display": "strict (65000:1)", "assigned_object": nil, "assigned_object_type": nil, "assigned_object_id": nil})
			g = c.call(t, http.MethodGet, detailPath(addressesPath, c.id(t, addressesPath, "10.1.1.6/24")), nil)
			expect(t, g, http.StatusOK, map[string]any{"assigned_object_type": "virtualization.vminterface", "assigned_object.virtual_machine.name": "vm1"})
			g = c.call(t, http.MethodGet, detailPath(addressesPath, c.id(t, addressesPath, "10.1.1.8/32")), nil)
			expect(t, g, http.StatusOK, map[string]any{"role": object{"value": "vip", "label": "VIP"}})
		}},
		{"tags are nested, custom fields all there", 0, func(t *testing.T, c *contract) {
			g := c.call(t, http.MethodGet, detailPath(addressesPath, c.id(t, addressesPath, "10.1.1.5/24")), nil)
			expect(t, g, http.StatusOK, map[string]any{"tags.0.id": c.id(t, "extras/tags", "DHCP"), "tags.0.name": "DHCP", "tags.0.slug": "dhcp",
				"tags.0.color": "9e9e9e", "tags.1.slug": "gateway",
				"custom_fields": object{"c_text": "exact", "c_loose": nil, "c_off": nil, "c_int": 7, "c_bool": nil, "c_time": nil, "c_date": nil, "c_json": nil,
					"c_boot": nil, "c_boots": nil, "c_site": nil}})
		}},
		{"a prefix shows its scope", 0, func(t *testing.T, c *contract) {
			g := c.call(t, http.MethodGet, detailPath(prefixesPath, c.id(t, prefixesPath, "10.1.2.0/24")), nil)
			room := c.id(t, locationsPath, "Room 1")
			expect(t, g, http.StatusOK, map[string]any{"prefix": "10.1.2.0/24", "scope_type": "dcim.location", "scope_id": room, "scope.id": room,
				"scope.name": "Room 1", "status": object{"value": "active", "label": "Active"}, "is_pool": false, "mark_utilized": false, "role": nil, "vlan": nil,
				"children": 0, "_depth": 1})
			if g.has("site") || g.has("_site") {
				t.Error("a prefix shows a site")
			}
			g = c.call(t, http.MethodGet, detailPath(prefixesPath, c.id(t, prefixesPath, "10.1.1.128/32")), nil)
			expect(t, g, http.StatusOK, map[string]any{"scope_type": nil, "scope_id": nil, "scope": nil, "_depth": 2})
		}},
		{"a list of prefixes shows their VLAN where it is asked for", 0, func(t *testing.T, c *contract) {
			path := prefixesPath + "/?prefix=10.1.2.0/24&fields=id,prefix,vrf,status,scope_type,scope_id,tenant,vlan,last_updated"
			expect(t, c.call(t, http.MethodGet, path, nil), http.StatusOK, map[string]any{"count": 1, "results.0.vlan": nil, "results.0.prefix": "10.1.2.0/24"})
		}},
		{"a prefix nests its VLAN, which cannot be deleted then", 0, func(t *testing.T, c *contract) {
			vlan, net := c.id(t, vlansPath, "clients"), c.subnet()
			made := c.create(t, prefixesPath, object{"prefix": net.String(), "vlan": vlan})
			expect(t, made, http.StatusCreated, map[string]any{"vlan.id": vlan, "vlan.vid": 5, "vlan.name": "clients", "vlan.display": "clients (5)"})
			path := prefixesPath + "/?prefix=" + net.String() + "&fields=id,vlan"
			expect(t, c.call(t, http.MethodGet, path, nil), http.StatusOK, map[string]any{"count": 1, "results.0.vlan.id": vlan})
			expect(t, c.call(t, http.MethodDelete, detailPath(vlansPath, vlan), nil), http.StatusConflict, nil)
			g := c.call(t, http.MethodPatch, detailPath(prefixesPath, made.id()), object{"vlan": nil})
			expect(t, g, http.StatusOK, map[string]any{"vlan": nil})
		}},
		{"a range has a size and a short name", 0, func(t *testing.T, c *contract) {
			g := c.call(t, http.MethodGet, detailPath(rangesPath, c.id(t, rangesPath, "10.1.1.100/24-10.1.1.120/24")), nil)
			expect(t, g, http.StatusOK, map[string]any{"start_address": "10.1.1.100/24", "end_address": "10.1.1.120/24", "size": 21, "vrf": nil,
				"display": "10.1.1.100-120/24", "mark_utilized": false, "family.value": 4})
			if g.has("mark_populated") != c.atLeast(3) {
				t.Error("mark_populated came with 4.3")
			}
		}},
		{"an interface shows its LAG, its MACs and its VRF", 0, func(t *testing.T, c *contract) {
			g := c.call(t, http.MethodGet, detailPath(interfacesPath, c.id(t, interfacesPath, "web1 eth0")), nil)
			expect(t, g, http.StatusOK, map[string]any{"lag.id": c.id(t, interfacesPath, "web1 bond0"), "lag.name": "bond0", "vrf.name": "strict",
				"mac_address": "52:54:00:00:01:01", "primary_mac_address.mac_address": "52:54:00:00:01:01", "mac_addresses.1.mac_address": "52:54:00:00:01:02",
				"device.name": "web1", "enabled": true, "type": object{"value": "1000base-t", "label": "1000BASE-T (1GE)"}, "mgmt_only": false,
				"parent": nil, "bridge": nil, "count_ipaddresses": 1})
			g = c.call(t, http.MethodGet, detailPath(interfacesPath, c.id(t, interfacesPath, "web1 eth1")), nil)
			expect(t, g, http.StatusOK, map[string]any{"mac_address": nil, "primary_mac_address": nil, "mac_addresses.0.mac_address": "52:54:00:00:01:03", "enabled": false})
		}},
		{"a device shows its place and addresses", 0, func(t *testing.T, c *contract) {
			ip := c.id(t, addressesPath, "10.1.1.5/24")
			g := c.call(t, http.MethodGet, detailPath(devicesPath, c.id(t, devicesPath, "web1")), nil)
			expect(t, g, http.StatusOK, map[string]any{"site.slug": "berlin", "location.name": "Room 1", "role.slug": "web-server", "platform.slug": "debian",
				"tenant.name": "ACME", "primary_ip4.id": ip, "primary_ip4.address": "10.1.1.5/24", "primary_ip.id": ip, "primary_ip6": nil, "oob_ip": nil,
				"device_type.model": "Generic", "device_type.manufacturer.name": "Maker", "status.value": "active", "interface_count": 3, "cluster": nil})
			if _, ok := g.at("primary_ip4").(map[string]any)["dns_name"]; ok != c.atLeast(6) {
				t.Errorf("primary_ip4 shows dns_name: %v", ok)
			}
		}},
		{"a VM takes the site of its cluster", 0, func(t *testing.T, c *contract) {
			g := c.call(t, http.MethodGet, detailPath(machinesPath, c.id(t, machinesPath, "vm1")), nil)
			expect(t, g, http.StatusOK, map[string]any{"site.slug": "berlin", "cluster.name": "kvm", "role": nil, "primary_ip": nil, "interface_count": 1})
			g = c.call(t, http.MethodGet, detailPath(clustersPath, c.id(t, clustersPath, "kvm")), nil)
			expect(t, g, http.StatusOK, map[string]any{"scope_type": "dcim.site", "scope.name": "Berlin", "type.slug": "cluster-type"})
		}},
		{"times are ISO 8601 with microseconds", 0, func(t *testing.T, c *contract) {
			g := c.address(t, nil)
			at, _ := g.at("last_updated").(string)
			moment, err := time.Parse(time.RFC3339Nano, at)
			if err != nil || !strings.HasSuffix(at, "Z") || g.at("created") == nil {
				t.Errorf("last_updated %q: %v", at, err)
			}
			if age := time.Since(moment); age > 10*time.Minute || age < -10*time.Minute {
				t.Errorf("last_updated %q is not now", at)
			}
		}},
		{"URLs are absolute", 0, func(t *testing.T, c *contract) {
			id := c.id(t, vrfsPath, "strict")
			expect(t, c.call(t, http.MethodGet, detailPath(vrfsPath, id), nil), http.StatusOK, map[string]any{
				"url": fmt.Sprintf("%s/api/ipam/vrfs/%d/", c.target.URL, id), "display_url": fmt.Sprintf("%s/ipam/vrfs/%d/", c.target.URL, id)})
		}},
	}
}

func validationFacts() []fact {
	refused := func(path string, fields object, want object) func(t *testing.T, c *contract) {
		return func(t *testing.T, c *contract) {
			expect(t, c.call(t, http.MethodPost, path+"/", fields), http.StatusBadRequest, map[string]any{"": want})
		}
	}
	return []fact{
		{"an address without mask becomes a host address", 0, func(t *testing.T, c *contract) {
			net := c.subnet()
			expect(t, c.create(t, addressesPath, object{"address": net.Addr().String()}), http.StatusCreated, map[string]any{"address": net.Addr().String() + "/32"})
			expect(t, c.create(t, addressesPath, object{"address": "2001:db8::5"}), http.StatusCreated, map[string]any{"address": "2001:db8::5/128", "family.value": 6})
		}},
		{"a missing field is named", 0, refused(addressesPath, object{}, messages("address", "This field is required."))},
		{"a null that may not be is named", 0, refused(addressesPath, object{"address": nil}, messages("address", "This field may not be null."))},
		{"an impossible choice is named", 0, refused(addressesPath, object{"address": "10.250.0.1/24", "status": "nosuch"}, messages("status", "nosuch is not a valid choice."))},
		{"a choice is written as its value", 0, refused(addressesPath, object{"address": "10.250.0.1/24", "status": object{"value": "active", "label": "Active"}},
			messages("status", `Value must be passed directly (e.g. "foo": 123); do not use a dictionary or list.`))},
		{"a text too long is named", 0, refused(addressesPath, object{"address": "10.250.0.1/24", "description": strings.Repeat("ü", 201)},
			messages("description", "Ensure this field has no more than 200 characters."))},
		{"a DNS name with a space is refused", 0, refused(addressesPath, object{"address": "10.250.0.1/24", "dns_name": "my pc"},
			messages("dns_name", "Only alphanumeric characters, asterisks, hyphens, periods, and underscores are allowed in DNS names"))},
		{"DNS names like those of Windows pass and are lowered", 0, func(t *testing.T, c *contract) {
			expect(t, c.address(t, object{"dns_name": "BAD_ADDRESS.Example"}), http.StatusCreated, map[string]any{"dns_name": "bad_address.example"})
		}},
		{"a related object that does not exist is named", 0, relatedMissing},
		{"related objects are found by attributes", 0, func(t *testing.T, c *contract) {
			expect(t, c.address(t, object{"vrf": object{"name": "strict"}}), http.StatusCreated, map[string]any{"vrf.name": "strict"})
		}},
		{"SLAAC is for IPv6 only", 0, refused(addressesPath, object{"address": "10.250.0.1/24", "status": "slaac"}, messages("status", "Only IPv6 addresses can be assigned SLAAC status"))},
		{"a /0 is refused", 0, refused(addressesPath, object{"address": "10.250.0.1/0"}, messages("address", "Cannot create IP address with /0 mask."))},
		{"a duplicate address is refused with any mask", 0, duplicateAddress},
		{"addresses in a VRF that allows it may repeat", 0, func(t *testing.T, c *contract) {
			loose := c.id(t, vrfsPath, "loose")
			first := c.address(t, object{"vrf": loose})
			c.create(t, addressesPath, object{"vrf": loose, "address": first.at("address")})
		}},
		{"addresses that all have a sharing role may repeat", 0, func(t *testing.T, c *contract) {
			first := c.address(t, object{"role": "vip"})
			c.create(t, addressesPath, object{"role": "hsrp", "address": first.at("address")})
			g := c.call(t, http.MethodPost, addressesPath+"/", object{"role": "secondary", "address": first.at("address")})
			expect(t, g, http.StatusBadRequest, nil)
		}},
		{"network and broadcast addresses are not assigned", 0, hostPart},
		{"a populated range takes no new address", 3, func(t *testing.T, c *contract) {
			g := c.call(t, http.MethodPost, addressesPath+"/", object{"address": "10.1.2.15/24"})
			expect(t, g, http.StatusBadRequest, map[string]any{"": messages("address", "Cannot create IP address 10.1.2.15/24 inside range 10.1.2.10-20/24.")})
		}},
		{"prefixes with host bits are refused", 0, func(t *testing.T, c *contract) {
			g := c.call(t, http.MethodPost, prefixesPath+"/", object{"prefix": "10.250.0.1/24"})
			expect(t, g, http.StatusBadRequest, nil)
			if text := fmt.Sprint(g.at("prefix.0")); !strings.HasPrefix(text, "10.250.0.1/24 is not a valid prefix.") {
				t.Errorf("prefix: %s", text)
			}
		}},
		{"a duplicate prefix is refused", 0, refused(prefixesPath, object{"prefix": "10.1.1.0/24"}, messages("prefix", "Duplicate prefix found in global table: 10.1.1.0/24"))},
		{"ranges may not overlap", 0, refused(rangesPath, object{"start_address": "10.1.1.110/24", "end_address": "10.1.1.200/24"},
			messages("__all__", "Defined addresses overlap with range 10.1.1.100-120/24 in VRF None"))},
		{"both ends of a range have one mask", 0, refused(rangesPath, object{"start_address": "10.250.1.1/24", "end_address": "10.250.1.9/25"},
			messages("end_address", "Starting and ending IP address masks must match"))},
		{"a range runs upwards", 0, func(t *testing.T, c *contract) {
			text := "Ending address must be greater than or equal to the starting address (10.250.1.9/24)"
			if !c.atLeast(6) {
				text = "Ending address must be greater than the starting address (10.250.1.9/24)"
			}
			refused(rangesPath, object{"start_address": "10.250.1.9/24", "end_address": "10.250.1.1/24"}, messages("end_address", text))(t, c)
		}},
		{"a range of one address came with 4.6", 6, func(t *testing.T, c *contract) {
			net := c.subnet()
			g := c.create(t, rangesPath, object{"start_address": host(net, 1), "end_address": host(net, 1)})
			expect(t, g, http.StatusCreated, map[string]any{"size": 1, "display": fmt.Sprintf("%s-%s", strings.TrimSuffix(host(net, 1), "/24"), host(net, 1))})
		}},
		{"a primary address stays on its device", 0, func(t *testing.T, c *contract) {
			g := c.call(t, http.MethodPatch, detailPath(addressesPath, c.id(t, addressesPath, "10.1.1.5/24")),
				object{"assigned_object_type": "virtualization.vminterface", "assigned_object_id": c.id(t, vmInterfacesPath, "vm1 ens3")})
			expect(t, g, http.StatusBadRequest, map[string]any{"": messages("__all__", "Cannot reassign IP address while it is designated as the primary IP for the parent object")})
		}},
		{"names that must be unique are", 0, func(t *testing.T, c *contract) {
			refused("extras/tags", object{"name": "DHCP", "slug": "other"}, messages("name", "tag with this name already exists."))(t, c)
			refused("extras/tags", object{"name": "other", "slug": "dhcp"}, messages("slug", "tag with this slug already exists."))(t, c)
			refused(customFieldsPath, object{"name": "c_text", "type": "text", "object_types": []string{"ipam.ipaddress"}},
				messages("name", "custom field with this name already exists."))(t, c)
		}},
		{"a relation to several models is type and id, or neither", 0, func(t *testing.T, c *contract) {
			refused(addressesPath, object{"address": "10.250.0.1/24", "assigned_object_type": "dcim.interface"}, messages("assigned_object_id", "This field cannot be null."))(t, c)
			refused(addressesPath, object{"address": "10.250.0.1/24", "assigned_object_id": 1}, messages("assigned_object_type", "This field cannot be null."))(t, c)
			refused(addressesPath, object{"address": "10.250.0.1/24", "assigned_object_type": "dcim.interface", "assigned_object_id": 999999},
				messages("assigned_object_id", "Related object not found using the provided value: 999999."))(t, c)
			refused(prefixesPath, object{"prefix": "10.250.0.0/24", "scope_type": "dcim.site", "scope_id": 999999},
				messages("scope_id", "Related object not found using the provided value: 999999."))(t, c)
			refused(prefixesPath, object{"prefix": "10.250.0.0/24", "scope_id": 1}, messages("scope_type", "This field cannot be null."))(t, c)
		}},
		{"slugs are letters, digits, dashes and underscores", 0, func(t *testing.T, c *contract) {
			g := c.call(t, http.MethodPost, sitesPath+"/", object{"name": "x", "slug": "with space"})
			expect(t, g, http.StatusBadRequest, nil)
			if g.at("slug") == nil {
				t.Errorf("slug: %s", clip(g.raw))
			}
		}},
		{"a device's name is unique in its site and tenant, in any case", 0, func(t *testing.T, c *contract) {
			d := c.device(t, "Twin")
			g := c.call(t, http.MethodPost, devicesPath+"/", object{"name": "tWIN", "device_type": c.id(t, typesPath, "Generic"),
				"role": c.id(t, rolesPath, "Web server"), "site": c.id(t, sitesPath, "Berlin")})
			text := "Device name must be unique per site."
			if c.atLeast(7) {
				text = "Device name must be unique per site and tenant."
			}
			expect(t, g, http.StatusBadRequest, map[string]any{"": messages("__all__", text)})
			expect(t, c.call(t, http.MethodGet, detailPath(devicesPath, d), nil), http.StatusOK, map[string]any{"name": "Twin"})
		}},
		{"free addresses are handed out", 0, availableAddresses},
	}
}

func relatedMissing(t *testing.T, c *contract) {
	g := c.call(t, http.MethodPost, addressesPath+"/", object{"address": "10.250.0.1/24", "vrf": 999999})
	expect(t, g, http.StatusBadRequest, map[string]any{"": messages("vrf", "Related object not found using the provided numeric ID: 999999")})
	g = c.call(t, http.MethodPost, addressesPath+"/", object{"address": "10.250.0.1/24", "vrf": object{"name": "nosuch"}})
	expect(t, g, http.StatusBadRequest, map[string]any{"": messages("vrf", "Related object not found using the provided attributes: {'name': 'nosuch'}")})
	g = c.call(t, http.MethodPost, addressesPath+"/", object{"address": "10.250.0.1/24", "assigned_object_type": "dcim.interface", "assigned_object_id": 999999})
	expect(t, g, http.StatusBadRequest, nil)
}

func duplicateAddress(t *testing.T, c *contract) {
	net := c.subnet()
	c.create(t, addressesPath, object{"address": host(net, 5)})
	bare, _, _ := strings.Cut(host(net, 5), "/")
	want := messages("address", "Duplicate IP address found in global table: "+host(net, 5))
	for _, again := range []string{host(net, 5), bare + "/32", bare} {
		expect(t, c.call(t, http.MethodPost, addressesPath+"/", object{"address": again}), http.StatusBadRequest, map[string]any{"": want})
	}
	strict := c.id(t, vrfsPath, "strict")
	c.create(t, addressesPath, object{"address": host(net, 5), "vrf": strict})
	expect(t, c.call(t, http.MethodPost, addressesPath+"/", object{"address": host(net, 5), "vrf": strict}), http.StatusBadRequest,
		map[string]any{"": messages("address", "Duplicate IP address found in VRF strict (65000:1): "+host(net, 5))})
}

func hostPart(t *testing.T, c *contract) {
	assigned := object{"assigned_object_type": "dcim.interface", "assigned_object_id": c.id(t, interfacesPath, "web1 eth1")}
	for address, text := range map[string]string{"10.250.0.0/24": "10.250.0.0 is a network ID, which may not be assigned to an interface.",
		"10.250.0.255/24": "10.250.0.255 is a broadcast address, which may not be assigned to an interface."} {
		assigned["address"] = address
		expect(t, c.call(t, http.MethodPost, addressesPath+"/", assigned), http.StatusBadRequest, map[string]any{"": messages("__all__", text)})
	}
	assigned["address"] = "10.250.0.2/31"
	c.create(t, addressesPath, assigned)
}

func availableAddresses(t *testing.T, c *contract) {
	net := c.subnet()
	net = mustPrefix(net.Addr().String() + "/29")
	p := c.create(t, prefixesPath, object{"prefix": net.String()})
	path := detailPath(prefixesPath, p.id()) + "available-ips/"
	c.create(t, addressesPath, object{"address": host(net, 2)})
	expect(t, c.call(t, http.MethodGet, path, nil), http.StatusOK, map[string]any{"0": object{"family": 4, "address": host(net, 1), "vrf": nil}, "1.address": host(net, 3)})
	g := c.call(t, http.MethodPost, path, object{"description": "taken"})
	expect(t, g, http.StatusCreated, map[string]any{"address": host(net, 1), "description": "taken"})
	c.discard(t, addressesPath, g.id())
	g = c.call(t, http.MethodPost, path, []object{{}, {}})
	expect(t, g, http.StatusCreated, map[string]any{"0.address": host(net, 3), "1.address": host(net, 4)})
	c.discardList(t, addressesPath, g)
	g = c.call(t, http.MethodPost, path, []object{{}, {}, {}})
	expect(t, g, http.StatusConflict, map[string]any{"detail": "Insufficient resources are available to satisfy the request"})
}
