package netboxtest

import "testing"

func smallWorld() World {
	return World{
		Tags:         []Tag{{Name: "DHCP", Slug: "dhcp"}},
		CustomFields: []CustomField{{Name: "pydhcp_mac", Type: "text", ObjectTypes: []string{"ipam.ipaddress"}}},
		Regions:      []Group{{Name: "North"}},
		Sites:        []Site{{Name: "HQ", Region: "North"}},
		VRFs:         []VRF{{Name: "red", RD: "65000:1"}},
		Prefixes:     []Prefix{{Prefix: "10.0.0.0/24", Site: "HQ"}},
		Ranges:       []Range{{Start: "10.0.0.100/24", End: "10.0.0.150/24"}},
		Devices: []Device{{Name: "web1", Site: "HQ", PrimaryIP4: "10.0.0.5/24", Interfaces: []Interface{
			{Name: "bond0", Type: "lag"},
			{Name: "eth0", LAG: "bond0", MACs: []string{"52:54:00:00:00:01", "52:54:00:00:00:02"}, Primary: "52:54:00:00:00:01", IPs: []IP{{Address: "10.0.0.5/24"}}}}}},
		Clusters: []Cluster{{Name: "c1", Site: "HQ"}},
		VMs:      []VM{{Name: "vm1", Cluster: "c1", Interfaces: []Interface{{Name: "eth0", MACs: []string{"52:54:00:00:00:03"}, IPs: []IP{{Address: "10.0.0.6/24"}}}}}},
		IPs:      []IP{{Address: "10.0.0.100/24", Status: "dhcp", Tags: []string{"DHCP"}, CustomFields: map[string]any{"pydhcp_mac": "52:54:00:00:00:09"}}},
		Contexts: []Context{{Name: "all", Data: map[string]any{"a": 1}}, {Name: "hq", Weight: 2000, Sites: []string{"HQ"}, Data: map[string]any{"b": map[string]any{"c": 2}}}},
	}
}

func TestAWorldIsSeededAndWipedInEveryVersion(t *testing.T) {
	for _, v := range Versions() {
		t.Run(string(v), func(t *testing.T) {
			s := New(t, Config{Version: v})
			seeded := Seed(t, s.URL(), s.TokenV1(), smallWorld())

			seeded.Wipe(t)
			for _, path := range wipeOrder() {
				if n := s.Count(path); n != 0 {
					t.Errorf("%d %s left", n, path)
				}
			}
		})
	}
}
