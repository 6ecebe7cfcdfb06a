package netboxtest

import ()

// contractWorld is what all facts may read; those that write make objects of their own.
func contractWorld() World {
	return World{
		Tags:       []Tag{{Name: "DHCP"}, {Name: "Gateway"}, {Name: "Prefix only", ObjectTypes: []string{"ipam.prefix"}}},
		ChoiceSets: []ChoiceSet{{Name: "Boot", Choices: [][2]string{{"bios", "Legacy BIOS"}, {"uefi", "UEFI"}}}},
		CustomFields: []CustomField{
			{Name: "c_text", Type: "text", ObjectTypes: []string{"ipam.ipaddress", "ipam.prefix"}},
			{Name: "c_loose", Type: "text", ObjectTypes: []string{"ipam.ipaddress"}, FilterLogic: "loose"},
			{Name: "c_off", Type: "text", ObjectTypes: []string{"ipam.ipaddress"}, FilterLogic: "disabled"},
			{Name: "c_int", Type: "integer", ObjectTypes: []string{"ipam.ipaddress"}},
			{Name: "c_bool", Type: "boolean", ObjectTypes: []string{"ipam.ipaddress"}},
			{Name: "c_time", Type: "datetime", ObjectTypes: []string{"ipam.ipaddress"}},
			{Name: "c_date", Type: "date", ObjectTypes: []string{"ipam.ipaddress"}},
			{Name: "c_json", Type: "json", ObjectTypes: []string{"ipam.ipaddress"}},
			{Name: "c_boot", Type: "select", ObjectTypes: []string{"ipam.ipaddress"}, ChoiceSet: "Boot"},
			{Name: "c_boots", Type: "multiselect", ObjectTypes: []string{"ipam.ipaddress"}, ChoiceSet: "Boot"},
			{Name: "c_site", Type: "object", ObjectTypes: []string{"ipam.ipaddress"}, RelatedObjectType: "dcim.site"},
		},
		TenantGroups: []Group{{Name: "Customers"}, {Name: "Big customers", Parent: "Customers"}},
		Tenants:      []Tenant{{Name: "ACME", Group: "Big customers"}},
		Regions:      []Group{{Name: "Europe"}, {Name: "Germany", Parent: "Europe"}},
		SiteGroups:   []Group{{Name: "Offices"}, {Name: "Small offices", Parent: "Offices"}},
		Sites:        []Site{{Name: "Berlin", Region: "Germany", Group: "Small offices"}, {Name: "Nowhere"}},
		Locations:    []Location{{Name: "Floor 1", Site: "Berlin"}, {Name: "Room 1", Site: "Berlin", Parent: "Floor 1"}},
		VRFs:         []VRF{{Name: "strict", RD: "65000:1"}, {Name: "loose", DuplicatesLegal: true}},
		Prefixes: []Prefix{{Prefix: "10.1.0.0/16", Region: "Europe"}, {Prefix: "10.1.1.0/24", Site: "Berlin"}, {Prefix: "10.1.2.0/24", Location: "Room 1"},
			{Prefix: "10.1.1.128/32"}, {Prefix: "10.1.1.0/24", VRF: "strict"}, {Prefix: "10.9.0.0/24", SiteGroup: "Offices", Status: "reserved"}},
		Ranges: []Range{{Start: "10.1.1.100/24", End: "10.1.1.120/24"}, {Start: "10.1.2.10/24", End: "10.1.2.20/24", Populated: true}},
		Devices: []Device{{Name: "web1", Site: "Berlin", Location: "Room 1", Tenant: "ACME", Role: "Web server", Platform: "Debian", Tags: []string{"DHCP"},
			PrimaryIP4: "10.1.1.5/24", LocalContext: map[string]any{"local": true, "dns": map[string]any{"ttl": 60}}, Interfaces: []Interface{
				{Name: "bond0", Type: "lag"},
				{Name: "eth0", LAG: "bond0", VRF: "strict", MACs: []string{"52:54:00:00:01:01", "52:54:00:00:01:02"}, Primary: "52:54:00:00:01:01",
					IPs: []IP{{Address: "10.1.1.5/24", DNSName: "Web1.Example.COM", Tags: []string{"DHCP", "Gateway"}, CustomFields: map[string]any{"c_text": "exact", "c_int": 7}}}},
				{Name: "eth1", LAG: "bond0", MACs: []string{"52:54:00:00:01:03"}, Disabled: true}}}},
		Clusters: []Cluster{{Name: "kvm", Site: "Berlin"}},
		VMs: []VM{{Name: "vm1", Cluster: "kvm", Interfaces: []Interface{{Name: "ens3", MACs: []string{"52:54:00:00:02:01"},
			IPs: []IP{{Address: "10.1.1.6/24", Tags: []string{"DHCP"}}}}}}},
		IPs: []IP{{Address: "10.1.1.7/24", Status: "dhcp", CustomFields: map[string]any{"c_loose": "one two three", "c_off": "x"}}, {Address: "10.1.1.7/24", VRF: "strict"},
			{Address: "10.1.1.8/32", Status: "reserved", Role: "vip"}},
		Contexts: []Context{
			{Name: "b base", Weight: 100, Data: map[string]any{"order": "b", "dns": map[string]any{"servers": []string{"10.0.0.1", "10.0.0.2"}, "ttl": 300}, "empty": map[string]any{"x": 1}}},
			{Name: "a base", Weight: 100, Data: map[string]any{"order": "a", "first": "a"}},
			{Name: "europe", Weight: 200, Regions: []string{"Europe"}, Data: map[string]any{"region": "europe", "dns": map[string]any{"servers": []string{"10.0.0.3"}}}},
			{Name: "offices", Weight: 210, SiteGroups: []string{"Offices"}, Data: map[string]any{"group": "offices", "empty": map[string]any{}}},
			{Name: "floor", Weight: 220, Locations: []string{"Floor 1"}, Data: map[string]any{"location": "floor"}},
			{Name: "tenant group above", Weight: 230, TenantGroups: []string{"Customers"}, Data: map[string]any{"tenant group": "above"}},
			{Name: "tenant group", Weight: 230, TenantGroups: []string{"Big customers"}, Data: map[string]any{"tenant group": "exact"}},
			{Name: "tag any", Weight: 240, Tags: []string{"Gateway", "DHCP"}, Data: map[string]any{"tag": true}},
			{Name: "web role", Weight: 250, Roles: []string{"Web server"}, Data: map[string]any{"role": "web"}},
			{Name: "cluster", Weight: 260, Clusters: []string{"kvm"}, Data: map[string]any{"cluster": "kvm"}},
			{Name: "nowhere", Weight: 270, Sites: []string{"Nowhere"}, Data: map[string]any{"never": 1}},
			{Name: "inactive", Weight: 280, Inactive: true, Data: map[string]any{"inactive": 1}},
			{Name: "null", Weight: 290, Sites: []string{"Berlin"}, Data: map[string]any{"first": nil}}},
	}
}
