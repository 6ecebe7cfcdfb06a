package ipam

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func addrs(list ...string) []netip.Addr {
	var out []netip.Addr
	for _, s := range list {
		out = append(out, netip.MustParseAddr(s))
	}
	return out
}

func route(destination, gateway string) Route {
	return Route{netip.MustParsePrefix(destination), netip.MustParseAddr(gateway)}
}

// G-4, G-5, G-8, G-9, X-3, X-9, X-10, X-12, R-10. Each want in warnings is part
// of one warning, in order.
func TestParseConfig(t *testing.T) {
	for _, c := range []struct {
		name     string
		raw      string
		want     Config
		warnings []string
	}{
		{"nothing", "", Config{}, nil},
		{"null", "null", Config{}, nil},
		{"an empty object", "{}", Config{}, nil},
		{"no object", `["10.0.0.1"]`, Config{}, []string{`want an object, not ["10.0.0.1"]`}},
		{"keys that nothing reads", `{"vlan": 5, "option_150": {"a": [1]}}`, Config{}, []string{`"option_150" is no key that is read`, `"vlan" is no key that is read`}},
		{"every key", `{
			"dns_servers": ["10.0.0.1", "10.0.0.2"], "ntp_servers": ["10.0.0.3"],
			"domain_name": "example.org", "domain_search": ["a.example.org", "b.example.org"], "mtu": 9000,
			"static_routes": [{"destination": "10.1.0.0/16", "gateway": "10.0.0.4"}], "ipv6_only_wait": 1800,
			"tftp_server": "10.0.0.5", "pxe_boot_file": "pxelinux.0", "uefi_boot_file": "grub.efi",
			"http_boot_url": "http://10.0.0.5/boot.efi", "ipxe_boot_file": "boot.ipxe", "boot_files": {"7": "x64.efi", "11": "arm64.efi"}
		}`, Config{
			DNSServers: addrs("10.0.0.1", "10.0.0.2"), NTPServers: addrs("10.0.0.3"),
			DomainName: "example.org", DomainSearch: []string{"a.example.org", "b.example.org"}, MTU: 9000,
			StaticRoutes: []Route{route("10.1.0.0/16", "10.0.0.4")}, IPv6OnlyWait: 30 * time.Minute, HasIPv6OnlyWait: true,
			TFTPServer: "10.0.0.5", PXEBootFile: "pxelinux.0", UEFIBootFile: "grub.efi",
			HTTPBootURL: "http://10.0.0.5/boot.efi", IPXEBootFile: "boot.ipxe", BootFiles: map[uint16]string{7: "x64.efi", 11: "arm64.efi"},
		}, nil},
		{"every key null", `{"dns_servers": null, "ntp_servers": null, "domain_name": null, "domain_search": null, "mtu": null,
			"static_routes": null, "ipv6_only_wait": null, "tftp_server": null, "pxe_boot_file": null, "boot_files": null}`, Config{}, nil},
		{"every key of a wrong type", `{"dns_servers": {"a": 1}, "ntp_servers": 5, "domain_name": ["x"], "domain_search": true, "mtu": "9000",
			"static_routes": "10.0.0.0/8", "ipv6_only_wait": [1], "tftp_server": 10, "pxe_boot_file": {}, "uefi_boot_file": false,
			"http_boot_url": [], "ipxe_boot_file": 1.5, "boot_files": ["a"]}`, Config{},
			[]string{"dns_servers: want a list", "ntp_servers: want a list", "domain_name: want a string", "domain_search: want a list",
				"mtu: want a whole number", "static_routes: want a list", "ipv6_only_wait: want a whole number", "tftp_server: want a string",
				"pxe_boot_file: want a string", "uefi_boot_file: want a string", "http_boot_url: want a string", "ipxe_boot_file: want a string", "boot_files: want an object"}},
		// A misspelt key is no key of others (G-9).
		{"misspelt keys", `{"dns_server": "10.0.0.1", "Domain_Name": "example.org", "static_route": [], "mtu_size": 5, "rental": 60}`, Config{},
			[]string{`"Domain_Name" is no key that is read: did you mean domain_name?`, "did you mean dns_servers?", `"mtu_size" is no key`, `"rental" is no key`, "did you mean static_routes?"}},
		// A wrong value costs only itself.
		{"one wrong key beside a good one", `{"mtu": [], "domain_name": "example.org"}`, Config{DomainName: "example.org"}, []string{"mtu: "}},
		{"a single name server", `{"dns_servers": "10.0.0.1"}`, Config{DNSServers: addrs("10.0.0.1")}, nil},
		{"name servers that are none", `{"dns_servers": ["10.0.0.1", "2001:db8::1", "ns.example.org", "", 5, null, "0.0.0.0", "::ffff:10.0.0.9", "10.0.0.2"]}`,
			Config{DNSServers: addrs("10.0.0.1", "10.0.0.2")},
			[]string{"want a string", "skipping 5", "skipping null", "2001:db8::1", "ns.example.org", "0.0.0.0", "::ffff:10.0.0.9"}},
		{"a null among strings is not the string before it", `{"domain_search": ["a.example.org", null]}`,
			Config{DomainSearch: []string{"a.example.org"}}, []string{"domain_search: skipping null"}},
		{"empty strings say nothing", `{"dns_servers": "", "domain_search": "", "domain_name": "", "tftp_server": ""}`, Config{}, nil},
		{"the smallest MTU", `{"mtu": 68}`, Config{MTU: 68}, nil},
		{"the largest MTU", `{"mtu": 65535}`, Config{MTU: 65535}, nil},
		{"an MTU too small", `{"mtu": 67}`, Config{}, []string{"mtu: want a whole number from 68 to 65535, not 67"}},
		{"an MTU too large", `{"mtu": 65536}`, Config{}, []string{"mtu: "}},
		{"an MTU with a fraction", `{"mtu": 1500.5}`, Config{}, []string{"mtu: "}},
		{"a wait of zero is a wait (R-10)", `{"ipv6_only_wait": 0}`, Config{HasIPv6OnlyWait: true}, nil},
		{"the longest wait", `{"ipv6_only_wait": 4294967295}`, Config{IPv6OnlyWait: 4294967295 * time.Second, HasIPv6OnlyWait: true}, nil},
		{"a wait too long", `{"ipv6_only_wait": 4294967296}`, Config{}, []string{"ipv6_only_wait: "}},
		{"a negative wait", `{"ipv6_only_wait": -1}`, Config{}, []string{"ipv6_only_wait: "}},
		{"routes as text and as objects (G-4)", `{"static_routes": ["10.1.0.0/16,10.0.0.1", " 10.2.0.0/16 , 10.0.0.2 ", {"destination": "0.0.0.0/0", "gateway": "10.0.0.3"}]}`,
			Config{StaticRoutes: []Route{route("10.1.0.0/16", "10.0.0.1"), route("10.2.0.0/16", "10.0.0.2"), route("0.0.0.0/0", "10.0.0.3")}}, nil},
		{"a next hop of 0.0.0.0: the host is on the link (RFC 3442)", `{"static_routes": ["172.31.1.1/32,0.0.0.0"]}`, Config{StaticRoutes: []Route{route("172.31.1.1/32", "0.0.0.0")}}, nil},
		{"host bits of a destination are cleared", `{"static_routes": ["10.1.2.3/16,10.0.0.1"]}`, Config{StaticRoutes: []Route{route("10.1.0.0/16", "10.0.0.1")}}, nil},
		{"routes that are none (G-4)", `{"static_routes": ["10.1.0.0/16", "10.1.0.0,10.0.0.1", "2001:db8::/32,10.0.0.1", "10.1.0.0/16,fe80::1", {"destination": "10.1.0.0/16"}, {"destination": 5}, 7, null, "10.9.0.0/16,10.0.0.9"]}`,
			Config{StaticRoutes: []Route{route("10.9.0.0/16", "10.0.0.9")}},
			[]string{"10.1.0.0/16", "no IPv4 prefix", "no IPv4 prefix", "no IPv4 address", "no IPv4 address", "want destination", "want destination", "null"}},
		{"boot files by number (X-9)", `{"boot_files": {"0": "bios", "7": 5, "x64": "a", "65536": "b", "-1": "c", "9": "", "65535": "d"}}`,
			Config{BootFiles: map[uint16]string{0: "bios", 65535: "d"}},
			[]string{`"-1"`, `"65536"`, `"7"`, `"9"`, `"x64"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, warnings := ParseConfig(json.RawMessage(c.raw))
			if diff := cmp.Diff(&c.want, got, compareAddrs); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			fits := len(warnings) == len(c.warnings)
			for i := 0; fits && i < len(warnings); i++ {
				fits = strings.Contains(warnings[i], c.warnings[i])
			}
			if !fits {
				t.Errorf("warnings\n%s\nwant\n%s", strings.Join(warnings, "\n"), strings.Join(c.warnings, "\n"))
			}
		})
	}
}

// What the parser lets through can be sent: plugins do not look again.
func FuzzParseConfig(f *testing.F) {
	for _, seed := range []string{
		`null`, `{}`, `[]`, `{"dns_servers": ["10.0.0.1", null], "mtu": 1500, "ipv6_only_wait": 0}`,
		`{"static_routes": ["10.1.0.0/16,10.0.0.1", {"destination": "10.2.0.0/16", "gateway": "10.0.0.2"}]}`,
		`{"boot_files": {"7": "a", "07": "b"}, "domain_search": "example.org", "tftp_server": "\u0000"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, warnings := ParseConfig(raw)
		if !json.Valid(raw) && len(raw) > 0 && len(warnings) == 0 {
			t.Errorf("%q is no JSON and no warning says so", raw)
		}
		for _, a := range slices.Concat(c.DNSServers, c.NTPServers) {
			if !a.Is4() || a.IsUnspecified() {
				t.Errorf("server %s", a)
			}
		}
		for _, r := range c.StaticRoutes {
			if !r.Destination.Addr().Is4() || r.Destination != r.Destination.Masked() || !r.Gateway.Is4() {
				t.Errorf("route %s by %s", r.Destination, r.Gateway)
			}
		}
		if c.MTU != 0 && (c.MTU < 68 || c.MTU > 65535) {
			t.Errorf("MTU %d", c.MTU)
		}
		if c.IPv6OnlyWait < 0 || c.IPv6OnlyWait >= 1<<32*time.Second || c.IPv6OnlyWait > 0 && !c.HasIPv6OnlyWait {
			t.Errorf("wait %s, set: %v", c.IPv6OnlyWait, c.HasIPv6OnlyWait)
		}
		if slices.Contains(c.DomainSearch, "") {
			t.Error("empty search domain")
		}
		for arch, file := range c.BootFiles {
			if file == "" {
				t.Errorf("no file for architecture %d", arch)
			}
		}
		again, warningsAgain := ParseConfig(raw)
		if diff := cmp.Diff(c, again, compareAddrs); diff != "" || !slices.Equal(warnings, warningsAgain) {
			t.Errorf("read twice, read differently:\n%s\n%v\n%v", diff, warnings, warningsAgain)
		}
	})
}
