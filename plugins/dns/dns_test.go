package dns

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4/dhcp4test"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

func addrs(list ...string) []netip.Addr {
	var all []netip.Addr
	for _, s := range list {
		all = append(all, netip.MustParseAddr(s))
	}
	return all
}

func TestFill(t *testing.T) {
	full := &ipam.Config{
		DNSServers: addrs("10.0.0.53", "10.0.1.53"), NTPServers: addrs("10.0.0.123"),
		DomainName: "example.net", DomainSearch: []string{"a.example.net", "example.org."},
	}
	search := "\x01a\x07example\x03net\x00\x07example\x03org\x00"
	all := dhcp4test.Raw(55, 6, 15, 42, 119)
	tests := map[string]struct {
		mods     []dhcpv4.Modifier
		config   *ipam.Config
		fallback []netip.Addr
		want     map[uint8]string
		unusable []string
	}{
		"G-8 all four": {[]dhcpv4.Modifier{all}, full, nil,
			map[uint8]string{6: "\x0a\x00\x00\x35\x0a\x00\x01\x35", 15: "example.net", 42: "\x0a\x00\x00\x7b", 119: search}, nil},
		"R-4 without a list 119 is left out": {nil, full, nil,
			map[uint8]string{6: "\x0a\x00\x00\x35\x0a\x00\x01\x35", 15: "example.net", 42: "\x0a\x00\x00\x7b"}, nil},
		"R-4 only what is listed": {[]dhcpv4.Modifier{dhcp4test.Raw(55, 1, 15)}, full, nil, map[uint8]string{15: "example.net"}, nil},
		"G-6 context before fallback": {[]dhcpv4.Modifier{dhcp4test.Raw(55, 6)}, full, addrs("10.9.9.9"),
			map[uint8]string{6: "\x0a\x00\x00\x35\x0a\x00\x01\x35"}, nil},
		"G-6 fallback":                   {nil, new(ipam.Config), addrs("10.9.9.9"), map[uint8]string{6: "\x0a\x09\x09\x09"}, nil},
		"G-6 fallback without a context": {nil, nil, addrs("10.9.9.9"), map[uint8]string{6: "\x0a\x09\x09\x09"}, nil},
		"G-6 nothing left, P-10":         {nil, new(ipam.Config), nil, map[uint8]string{}, nil},
		"G-6 at most 16 servers": {nil, &ipam.Config{DNSServers: slices.Repeat(addrs("10.0.0.53"), 20)}, nil,
			map[uint8]string{6: strings.Repeat("\x0a\x00\x00\x35", 16)}, nil},
		"at most 63 time servers": {nil, &ipam.Config{NTPServers: slices.Repeat(addrs("10.0.0.53"), 70)}, nil,
			map[uint8]string{42: strings.Repeat("\x0a\x00\x00\x35", 63)}, nil},
		"F-33 no IPv6": {nil, &ipam.Config{NTPServers: addrs("2001:db8::1")}, addrs("2001:db8::2"), map[uint8]string{}, nil},
		"G-9 a name that cannot be sent costs only itself": {[]dhcpv4.Modifier{all},
			&ipam.Config{DomainName: "ex\x00ample", DomainSearch: []string{"a..b", "example.org"}}, nil,
			map[uint8]string{119: "\x07example\x03org\x00"}, []string{"ex\x00ample", "a..b"}},
		"option 15 may list several": {nil, &ipam.Config{DomainName: "a.example b.example"}, nil,
			map[uint8]string{15: "a.example b.example"}, nil},
		"F-32 option 15 of over 255 bytes": {nil, &ipam.Config{DomainName: strings.Repeat("a", 256)}, nil,
			map[uint8]string{}, []string{strings.Repeat("a", 256)}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			req := dhcp4test.Request(t, dhcpv4.MessageTypeRequest, tt.mods...)
			reply := dhcp4.Of(dhcp4test.Granted(t, req, "10.0.0.77/24"))
			if diff := cmp.Diff(tt.unusable, fill(dhcp4.Of(req), reply, tt.config, tt.fallback)); diff != "" {
				t.Errorf("unusable: %s", diff)
			}
			resp := dhcp4test.OverTheWire(t, reply.Library())
			got := map[uint8]string{}
			for _, code := range []uint8{6, 15, 42, 119} {
				if b, ok := resp.Options[code]; ok {
					got[code] = string(b)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDomainNames(t *testing.T) {
	long := strings.Repeat("a", 63)
	tests := map[string]bool{
		"example.net": true, "example.net.": true, "_msdcs.example.net": true, "a": true, long + ".b": true,
		"": false, ".": false, "a..b": false, ".a": false, "a b": false, "ä.example": false, long + "a.b": false,
		strings.Repeat(long+".", 3) + long: false, strings.Repeat(long+".", 3) + long[:61]: true,
	}
	for name, want := range tests {
		good, bad := domainNames([]string{name})
		if got := len(good) == 1; got != want || len(good)+len(bad) != 1 {
			t.Errorf("%q: good %q bad %q, want good %v", name, good, bad, want)
		}
	}
}
