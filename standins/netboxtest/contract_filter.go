package netboxtest

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"
)

// badChoice is the body of a filter with an impossible value.
func badChoice(param string, value any) map[string]any {
	return map[string]any{param + ".0": fmt.Sprintf("Select a valid choice. %v is not one of the available choices.", value)}
}

func filterFacts() []fact {
	return append(append([]fact{
		{"an unknown parameter is ignored", 0, func(t *testing.T, c *contract) {
			c.list(t, "ipam/vrfs/?nosuch=1&name__nosuch=2", "name", "loose", "strict")
		}},
		{"an impossible choice is 400", 0, func(t *testing.T, c *contract) {
			expect(t, c.call(t, http.MethodGet, "ipam/ip-addresses/?status=nosuch", nil), http.StatusBadRequest, badChoice("status", "nosuch"))
		}},
		{"an unknown tag is 400", 0, func(t *testing.T, c *contract) {
			expect(t, c.call(t, http.MethodGet, "ipam/ip-addresses/?tag=nosuch", nil), http.StatusBadRequest, badChoice("tag", "nosuch"))
			if c.atLeast(3) {
				expect(t, c.call(t, http.MethodGet, "ipam/ip-addresses/?tag_id=999999", nil), http.StatusBadRequest, badChoice("tag_id", 999999))
			}
		}},
		{"an unknown related id is 400", 0, func(t *testing.T, c *contract) {
			for _, param := range []string{"vrf_id", "interface_id", "vminterface_id"} {
				expect(t, c.call(t, http.MethodGet, "ipam/ip-addresses/?"+param+"=999999", nil), http.StatusBadRequest, badChoice(param, 999999))
			}
			expect(t, c.call(t, http.MethodGet, "ipam/prefixes/?site_id=999999", nil), http.StatusBadRequest, badChoice("site_id", 999999))
			expect(t, c.call(t, http.MethodGet, "dcim/devices/?site_id=999999", nil), http.StatusBadRequest, badChoice("site_id", 999999))
			expect(t, c.call(t, http.MethodGet, "dcim/interfaces/?device_id=999999", nil), http.StatusBadRequest, badChoice("device_id", 999999))
			expect(t, c.call(t, http.MethodGet, "ipam/ip-addresses/?vrf_id=abc", nil), http.StatusBadRequest, map[string]any{"vrf_id.0": "“abc” is not a valid value."})
		}},
		{"an empty value is refused by choices and ignored elsewhere", 0, func(t *testing.T, c *contract) {
			expect(t, c.call(t, http.MethodGet, "ipam/ip-addresses/?status=", nil), http.StatusBadRequest, badChoice("status", ""))
			expect(t, c.call(t, http.MethodGet, "ipam/ip-addresses/?status=null", nil), http.StatusBadRequest, badChoice("status", "null"))
			expect(t, c.call(t, http.MethodGet, "ipam/ip-addresses/?tag=", nil), http.StatusBadRequest, badChoice("tag", ""))
			c.list(t, "ipam/vrfs/?id=&name=", "name", "loose", "strict")
		}},
		{"of several containing or contained networks the last counts", 0, func(t *testing.T, c *contract) {
			c.list(t, "ipam/prefixes/?contains=10.1.1.5&contains=10.9.0.9", "prefix", "10.9.0.0/24")
			c.list(t, "ipam/prefixes/?within=10.1.0.0/16&within=10.9.0.0/23", "prefix", "10.9.0.0/24")
		}},
		{"stored nulls are less than any number", 0, func(t *testing.T, c *contract) {
			stored, unstored := c.address(t, object{"custom_fields": object{"c_int": nil}}), c.address(t, object{"custom_fields": object{"c_text": "x"}})
			c.list(t, fmt.Sprintf("ipam/ip-addresses/?cf_c_int__lt=5&id=%d&id=%d&fields=id", stored.id(), unstored.id()), "id", fmt.Sprint(stored.id()))
		}},
		{"tag=null finds what has no tag", 0, func(t *testing.T, c *contract) {
			c.list(t, "ipam/ip-addresses/?parent=10.1.1.0/24&vrf_id=null&tag=null", "address", "10.1.1.7/24", "10.1.1.8/32")
		}},
		{"assigned_object_type takes a label from 4.4 on", 0, func(t *testing.T, c *contract) {
			g := c.call(t, http.MethodGet, "ipam/ip-addresses/?assigned_object_type=dcim.interface&fields=address", nil)
			if !c.atLeast(4) {
				expect(t, g, http.StatusBadRequest, map[string]any{"assigned_object_type.0": "Select a valid choice. That choice is not one of the available choices."})
				return
			}
			expect(t, g, http.StatusOK, map[string]any{"results": []object{{"address": "10.1.1.5/24"}}})
		}},
		{"ids and owners that do not exist give no rows", 0, func(t *testing.T, c *contract) {
			for _, q := range []string{"id=999999", "device_id=999999", "virtual_machine_id=999999", "assigned_object_id=999999"} {
				c.list(t, "ipam/ip-addresses/?"+q, "id")
			}
		}},
		{"malformed addresses give no rows, malformed MACs an error from 4.7 on", 0, func(t *testing.T, c *contract) {
			for _, q := range []string{"ipam/ip-addresses/?address=10.1.1", "ipam/ip-addresses/?parent=nonsense", "ipam/prefixes/?prefix=nonsense",
				"ipam/prefixes/?contains=nonsense", "ipam/prefixes/?within=nonsense", "ipam/ip-addresses/?parent=10.1.0.0/16&parent=nonsense"} {
				c.list(t, q, "id")
			}
			for _, q := range []string{"dcim/interfaces/?mac_address=nonsense", "dcim/mac-addresses/?mac_address=nonsense", "dcim/devices/?mac_address=nonsense"} {
				if !c.atLeast(7) {
					c.list(t, q, "id")
					continue
				}
				expect(t, c.call(t, http.MethodGet, q, nil), http.StatusBadRequest, map[string]any{"": messages("mac_address", "Invalid MAC address format: nonsense")})
			}
		}},
		{"repeated values are OR, repeated tags AND", 0, func(t *testing.T, c *contract) {
			c.list(t, "ipam/ip-addresses/?parent=10.1.0.0/16&status=dhcp&status=reserved", "address", "10.1.1.7/24", "10.1.1.8/32")
			c.list(t, "ipam/ip-addresses/?tag=dhcp", "address", "10.1.1.5/24", "10.1.1.6/24")
			c.list(t, "ipam/ip-addresses/?tag=dhcp&tag=gateway", "address", "10.1.1.5/24")
			c.list(t, "ipam/ip-addresses/?parent=10.1.1.0/24&vrf_id=null&tag__n=dhcp", "address", "10.1.1.7/24", "10.1.1.8/32")
		}},
		{"tag__any is OR, and ignored before 4.6.6", 0, func(t *testing.T, c *contract) {
			if c.atLeast(6) {
				c.list(t, "ipam/ip-addresses/?tag__any=gateway&tag__any=dhcp", "address", "10.1.1.5/24", "10.1.1.6/24")
				return
			}
			c.list(t, "ipam/ip-addresses/?tag__any=gateway&parent=10.1.1.0/24&status=reserved", "address", "10.1.1.8/32")
		}},
		{"null asks for the global table", 0, func(t *testing.T, c *contract) {
			c.list(t, "ipam/ip-addresses/?address=10.1.1.7&vrf_id=null&fields=vrf", "vrf", "<nil>")
			c.list(t, fmt.Sprintf("ipam/ip-addresses/?address=10.1.1.7&vrf_id=%d&vrf_id=null&fields=address", c.id(t, vrfsPath, "strict")), "address", "10.1.1.7/24", "10.1.1.7/24")
			c.list(t, "ipam/ip-addresses/?address=10.1.1.7&vrf=65000:1", "address", "10.1.1.7/24")
			c.list(t, "ipam/prefixes/?prefix=10.1.1.0/24&vrf_id=null", "prefix", "10.1.1.0/24")
		}},
		{"numbers and times have comparing lookups", 0, comparingLookups},
		{"text has its lookups", 0, func(t *testing.T, c *contract) {
			for q, want := range map[string][]string{"name=Berlin": {"Berlin"}, "name=berlin": nil, "name__ie=bERLIN": {"Berlin"}, "name__ic=ERLI": {"Berlin"},
				"name__isw=ber": {"Berlin"}, "name__iew=LIN": {"Berlin"}, "name__n=Berlin": {"Nowhere"}, "name__nic=erl": {"Nowhere"}, "slug=nowhere": {"Nowhere"},
				"name__regex=^B.*n$": {"Berlin"}, "facility__empty=true": {"Berlin", "Nowhere"}, "q=erl": {"Berlin"}, "region=germany": {"Berlin"}, "region=europe": {"Berlin"}} {
				t.Run(q, func(t *testing.T) { c.list(t, "dcim/sites/?"+q, "name", want...) })
			}
		}},
		{"a request's objects are found by its id", 0, func(t *testing.T, c *contract) {
			made := c.address(t, nil)
			id := made.header.Get("X-Request-ID")
			c.list(t, "ipam/ip-addresses/?fields=id&created_by_request="+id, "id", fmt.Sprint(made.id()))
			c.list(t, "ipam/ip-addresses/?fields=id&modified_by_request="+id, "id", fmt.Sprint(made.id()))
			c.list(t, "ipam/ip-addresses/?fields=id&updated_by_request="+id, "id")
		}},
		{"custom fields are filtered by their filter logic", 0, func(t *testing.T, c *contract) {
			c.list(t, "ipam/ip-addresses/?cf_c_text=exact", "address", "10.1.1.5/24")
			c.list(t, "ipam/ip-addresses/?cf_c_text=exac", "address")
			c.list(t, "ipam/ip-addresses/?cf_c_loose=TWO", "address", "10.1.1.7/24")
			c.list(t, "ipam/ip-addresses/?cf_c_off=nosuch&status=reserved", "address", "10.1.1.8/32")
			c.list(t, "ipam/ip-addresses/?cf_c_int=7", "address", "10.1.1.5/24")
			c.list(t, "ipam/ip-addresses/?cf_c_int__gte=8", "address")
			c.list(t, "ipam/ip-addresses/?cf_nosuch=1&status=reserved", "address", "10.1.1.8/32")
		}},
	}, addressFilterFacts()...), placeFilterFacts()...)
}

func comparingLookups(t *testing.T, c *contract) {
	made := c.address(t, nil)
	id := made.id()
	c.list(t, fmt.Sprintf("ipam/ip-addresses/?fields=id&id__gte=%d", id), "id", fmt.Sprint(id))
	c.list(t, fmt.Sprintf("ipam/ip-addresses/?fields=id&id__gt=%d", id), "id")
	c.list(t, fmt.Sprintf("ipam/ip-addresses/?fields=id&id=%d&id__n=%d", id, id), "id")
	at, _ := made.at("last_updated").(string)
	c.list(t, fmt.Sprintf("ipam/ip-addresses/?fields=id&id__gte=%d&last_updated__gte=%s", id, url.QueryEscape(at)), "id", fmt.Sprint(id))
	c.list(t, fmt.Sprintf("ipam/ip-addresses/?fields=id&id__gte=%d&last_updated__gt=%s", id, url.QueryEscape(at)), "id")
	moment, err := time.Parse(time.RFC3339Nano, at)
	if err != nil {
		t.Fatalf("last_updated: %v", err)
	}
	offset := moment.In(time.FixedZone("", 2*3600)).Format("2006-01-02T15:04:05.000000Z07:00")
	c.list(t, fmt.Sprintf("ipam/ip-addresses/?fields=id&id__gte=%d&last_updated__gte=%s", id, url.QueryEscape(offset)), "id", fmt.Sprint(id))
	g := c.call(t, http.MethodGet, "ipam/ip-addresses/?last_updated__gte=yesterday", nil)
	expect(t, g, http.StatusBadRequest, map[string]any{"last_updated__gte.0": "Enter a valid date/time."})
	g = c.call(t, http.MethodGet, "ipam/ip-addresses/?id__gt=x", nil)
	expect(t, g, http.StatusBadRequest, map[string]any{"id__gt.0": "Enter a whole number."})
}

func addressFilterFacts() []fact {
	return []fact{
		{"address without a mask matches the host, with one exactly", 0, func(t *testing.T, c *contract) {
			c.list(t, "ipam/ip-addresses/?vrf_id=null&address=10.1.1.8", "address", "10.1.1.8/32")
			c.list(t, "ipam/ip-addresses/?vrf_id=null&address=10.1.1.5", "address", "10.1.1.5/24")
			c.list(t, "ipam/ip-addresses/?vrf_id=null&address=10.1.1.5/24", "address", "10.1.1.5/24")
			c.list(t, "ipam/ip-addresses/?vrf_id=null&address=10.1.1.5/32", "address")
			c.list(t, "ipam/ip-addresses/?vrf_id=null&address=10.1.1.5&address=10.1.1.8", "address", "10.1.1.5/24", "10.1.1.8/32")
		}},
		{"parent is in any VRF", 0, func(t *testing.T, c *contract) {
			c.list(t, "ipam/ip-addresses/?parent=10.1.1.7/32", "address", "10.1.1.7/24", "10.1.1.7/24")
			c.list(t, "ipam/ip-addresses/?parent=10.1.1.8/31&parent=10.1.1.6/32", "address", "10.1.1.6/24", "10.1.1.8/32")
		}},
		{"addresses are found by what they are assigned to", 0, func(t *testing.T, c *contract) {
			eth0, ens3 := c.id(t, interfacesPath, "web1 eth0"), c.id(t, vmInterfacesPath, "vm1 ens3")
			for q, want := range map[string][]string{
				fmt.Sprintf("interface_id=%d", eth0):                               {"10.1.1.5/24"},
				fmt.Sprintf("vminterface_id=%d", ens3):                             {"10.1.1.6/24"},
				fmt.Sprintf("device_id=%d", c.id(t, devicesPath, "web1")):          {"10.1.1.5/24"},
				fmt.Sprintf("virtual_machine_id=%d", c.id(t, machinesPath, "vm1")): {"10.1.1.6/24"},
				"assigned_to_interface=true":                                       {"10.1.1.5/24", "10.1.1.6/24"},
				"parent=10.1.1.0/24&vrf_id=null&assigned=false":                    {"10.1.1.7/24", "10.1.1.8/32"},
				fmt.Sprintf("interface_id=%d&address=10.1.1.6", eth0):              nil,
				"device=web1": {"10.1.1.5/24"}, "dns_name=web1.example.com": {"10.1.1.5/24"}, "role=vip": {"10.1.1.8/32"}, "mask_length=32&parent=10.1.0.0/16": {"10.1.1.8/32"},
			} {
				t.Run(q, func(t *testing.T) { c.list(t, "ipam/ip-addresses/?"+q, "address", want...) })
			}
		}},
		{"prefix filters", 0, func(t *testing.T, c *contract) {
			for q, want := range map[string][]string{
				"prefix=10.1.1.0/24&vrf_id=null":                    {"10.1.1.0/24"},
				"within=10.1.0.0/16&vrf_id=null":                    {"10.1.1.0/24", "10.1.1.128/32", "10.1.2.0/24"},
				"within_include=10.1.1.0/24&vrf_id=null":            {"10.1.1.0/24", "10.1.1.128/32"},
				"contains=10.1.1.128&vrf_id=null":                   {"10.1.0.0/16", "10.1.1.0/24"},
				"contains=10.1.1.128/32&vrf_id=null":                {"10.1.0.0/16", "10.1.1.0/24", "10.1.1.128/32"},
				"contains=10.1.1.0/24&vrf_id=null":                  {"10.1.0.0/16", "10.1.1.0/24"},
				"status=reserved":                                   {"10.9.0.0/24"},
				"prefix=10.1.1.0/24&prefix=10.9.0.0/24&vrf_id=null": {"10.1.1.0/24", "10.9.0.0/24"},
			} {
				t.Run(q, func(t *testing.T) { c.list(t, "ipam/prefixes/?"+q, "prefix", want...) })
			}
		}},
		{"a range contains an address only if the mask is the range's", 0, func(t *testing.T, c *contract) {
			c.list(t, "ipam/ip-ranges/?contains=10.1.1.110/24", "start_address", "10.1.1.100/24")
			c.list(t, "ipam/ip-ranges/?contains=10.1.1.110/32", "start_address")
			c.list(t, "ipam/ip-ranges/?contains=10.1.1.110", "start_address")
		}},
		{"ranges by parent and start", 0, func(t *testing.T, c *contract) {
			c.list(t, "ipam/ip-ranges/?parent=10.1.1.0/24", "start_address", "10.1.1.100/24")
			c.list(t, "ipam/ip-ranges/?parent=10.1.1.0/25", "start_address", "10.1.1.100/24")
			c.list(t, "ipam/ip-ranges/?parent=10.1.1.0/26", "start_address")
			c.list(t, "ipam/ip-ranges/?start_address=10.1.1.100", "start_address", "10.1.1.100/24")
			c.list(t, "ipam/ip-ranges/?start_address=10.1.1.100/24", "start_address", "10.1.1.100/24")
		}},
	}
}

func placeFilterFacts() []fact {
	return []fact{
		{"prefixes are found by the site of their location and the region above", 0, func(t *testing.T, c *contract) {
			for q, want := range map[string][]string{
				fmt.Sprintf("site_id=%d", c.id(t, sitesPath, "Berlin")):             {"10.1.1.0/24", "10.1.2.0/24"},
				fmt.Sprintf("location_id=%d", c.id(t, locationsPath, "Floor 1")):    {"10.1.2.0/24"},
				fmt.Sprintf("region_id=%d", c.id(t, regionsPath, "Europe")):         {"10.1.0.0/16", "10.1.1.0/24", "10.1.2.0/24"},
				fmt.Sprintf("region_id=%d", c.id(t, regionsPath, "Germany")):        {"10.1.1.0/24", "10.1.2.0/24"},
				fmt.Sprintf("site_group_id=%d", c.id(t, siteGroupsPath, "Offices")): {"10.1.1.0/24", "10.1.2.0/24", "10.9.0.0/24"},
				"scope_type=dcim.region": {"10.1.0.0/16"},
			} {
				t.Run(q, func(t *testing.T) { c.list(t, "ipam/prefixes/?"+q, "prefix", want...) })
			}
		}},
		{"devices are found by place and role", 0, func(t *testing.T, c *contract) {
			for _, q := range []string{fmt.Sprintf("region_id=%d", c.id(t, regionsPath, "Europe")), fmt.Sprintf("site_id=%d", c.id(t, sitesPath, "Berlin")),
				fmt.Sprintf("location_id=%d", c.id(t, locationsPath, "Floor 1")), fmt.Sprintf("role_id=%d", c.id(t, rolesPath, "Web server")),
				fmt.Sprintf("tenant_id=%d", c.id(t, tenantsPath, "ACME")), "name=web1", "mac_address=52:54:00:00:01:03", "tag=dhcp", "role=web-server", "site=berlin", "has_primary_ip=true"} {
				t.Run(q, func(t *testing.T) { c.list(t, "dcim/devices/?"+q, "name", "web1") })
			}
			c.list(t, fmt.Sprintf("virtualization/virtual-machines/?cluster_id=%d", c.id(t, clustersPath, "kvm")), "name", "vm1")
			c.list(t, fmt.Sprintf("virtualization/virtual-machines/?site_id=%d", c.id(t, sitesPath, "Berlin")), "name", "vm1")
			c.list(t, fmt.Sprintf("virtualization/interfaces/?virtual_machine_id=%d", c.id(t, machinesPath, "vm1")), "name", "ens3")
			c.list(t, "dcim/interfaces/?device=web1&enabled=false", "name", "eth1")
		}},
		{"interfaces show bridge and parent, and are found by them", 0, func(t *testing.T, c *contract) {
			for path, owner := range map[string]object{
				interfacesPath:   {"device": c.id(t, devicesPath, "web1"), "type": "virtual"},
				vmInterfacesPath: {"virtual_machine": c.id(t, machinesPath, "vm1")},
			} {
				port := func(name string, more object) int64 {
					f := object{"name": name}
					for _, part := range []object{owner, more} {
						for k, v := range part {
							f[k] = v
						}
					}
					return c.create(t, path, f).id()
				}
				bridge := port("br7", nil)
				member := port("port7", object{"bridge": bridge})
				sub := port("port7.20", object{"parent": member})
				expect(t, c.call(t, http.MethodGet, detailPath(path, member), nil), http.StatusOK, map[string]any{"bridge.id": bridge, "bridge.name": "br7", "parent": nil})
				expect(t, c.call(t, http.MethodGet, detailPath(path, sub), nil), http.StatusOK, map[string]any{"parent.id": member, "bridge": nil})
				c.list(t, fmt.Sprintf("%s/?bridge_id=%d", path, bridge), "name", "port7")
				c.list(t, fmt.Sprintf("%s/?parent_id=%d", path, member), "name", "port7.20")
				expect(t, c.call(t, http.MethodGet, path+"/?bridge_id=999999", nil), http.StatusBadRequest, badChoice("bridge_id", 999999))
			}
		}},
		{"tree tables show parents", 0, func(t *testing.T, c *contract) {
			c.list(t, "dcim/regions/", "name", "Europe", "Germany")
			c.list(t, fmt.Sprintf("dcim/regions/?parent_id=%d", c.id(t, regionsPath, "Europe")), "name", "Germany")
			c.list(t, fmt.Sprintf("dcim/sites/?region_id=%d", c.id(t, regionsPath, "Europe")), "name", "Berlin")
			g := c.call(t, http.MethodGet, detailPath(locationsPath, c.id(t, locationsPath, "Room 1")), nil)
			expect(t, g, http.StatusOK, map[string]any{"site.name": "Berlin", "parent.name": "Floor 1", "_depth": 1})
		}},
	}
}
