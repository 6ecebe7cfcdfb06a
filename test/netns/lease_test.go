//go:build linux

package netns

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestLeaseVariables(t *testing.T) {
	tests := []struct {
		name    string
		program program
		env     map[string]string
		want    Lease
	}{
		{
			name: "udhcpc with a mask length", program: udhcpc{},
			env: map[string]string{
				"ip": "10.1.0.20", "mask": "24", "router": "10.1.0.1", "dns": "10.1.0.2 10.1.0.3", "lease": "3600",
				"serverid": "10.1.0.1", "siaddr": "10.1.0.77", "boot_file": "a.efi", "bootfile": "b.efi", "tftp": "srv",
				"staticroutes": "0.0.0.0/0 10.1.0.1 192.168.9.0/24 10.1.0.254", "mtu": "1400",
			},
			want: Lease{
				Addr: netip.MustParsePrefix("10.1.0.20/24"), Routers: addrs("10.1.0.1"), DNS: addrs("10.1.0.2", "10.1.0.3"),
				Time: time.Hour, ServerID: netip.MustParseAddr("10.1.0.1"), Siaddr: netip.MustParseAddr("10.1.0.77"),
				File: "a.efi", BootFile: "b.efi", TFTPServer: "srv", MTU: 1400,
				Routes: []Route{
					{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParseAddr("10.1.0.1")},
					{netip.MustParsePrefix("192.168.9.0/24"), netip.MustParseAddr("10.1.0.254")},
				},
			},
		},
		{
			name: "dhclient with a dotted mask and encoded routes", program: dhclient{},
			env: map[string]string{
				"new_ip_address": "10.1.0.20", "new_subnet_mask": "255.255.254.0", "new_domain_search": "a.test. b.test.",
				"new_classless_routes": "0 10 1 0 1 22 192 168 8 10 1 0 254",
			},
			want: Lease{
				Addr: netip.MustParsePrefix("10.1.0.20/23"), Search: []string{"a.test", "b.test"},
				Routes: []Route{
					{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParseAddr("10.1.0.1")},
					{netip.MustParsePrefix("192.168.8.0/22"), netip.MustParseAddr("10.1.0.254")},
				},
			},
		},
		{
			name: "dhcpcd without a mask is a host", program: dhcpcd{},
			env:  map[string]string{"new_ip_address": "10.1.0.20"},
			want: Lease{Addr: netip.MustParsePrefix("10.1.0.20/32")},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.program.lease(tt.env)
			if err != nil {
				t.Fatal(err)
			}
			options := []cmp.Option{cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}), cmpopts.IgnoreFields(Lease{}, "Env")}
			if diff := cmp.Diff(tt.want, got, options...); diff != "" {
				t.Errorf("lease (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLeaseVariablesThatMakeNoSense(t *testing.T) {
	tests := map[string]map[string]string{
		"no address":                     {},
		"address":                        {"new_ip_address": "10.1.0"},
		"mask with a hole":               {"new_ip_address": "10.1.0.20", "new_subnet_mask": "255.0.255.0"},
		"lease time":                     {"new_ip_address": "10.1.0.20", "new_dhcp_lease_time": "soon"},
		"name server":                    {"new_ip_address": "10.1.0.20", "new_domain_name_servers": "10.1.0.2 x"},
		"route cut short":                {"new_ip_address": "10.1.0.20", "new_classless_routes": "24 192 168 8 10 1 0"},
		"route longer than an address":   {"new_ip_address": "10.1.0.20", "new_classless_routes": "33 1 2 3 4 5 10 1 0 1"},
		"route byte beyond eight bits":   {"new_ip_address": "10.1.0.20", "new_classless_routes": "0 10 1 0 256"},
		"maximum transmission unit text": {"new_ip_address": "10.1.0.20", "new_interface_mtu": "big"},
	}
	for name, env := range tests {
		t.Run(name, func(t *testing.T) {
			if lease, err := (dhclient{}).lease(env); err == nil {
				t.Errorf("got %+v without an error", lease)
			}
		})
	}
}

func addrs(texts ...string) []netip.Addr {
	var list []netip.Addr
	for _, text := range texts {
		list = append(list, netip.MustParseAddr(text))
	}
	return list
}
