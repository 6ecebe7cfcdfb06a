package inventory

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/strictyaml"
)

// campus is an inventory with as many addresses in a pool as on devices.
func campus(half int) []byte {
	var y strings.Builder
	y.WriteString("prefixes: [{prefix: 10.1.0.0/16}, {prefix: 10.2.0.0/16}]\n")
	y.WriteString("config_contexts: [{name: all, data: {pydhcp_configuration: {dns_servers: [10.255.0.1, 10.255.0.2]}}}]\nip_addresses:\n")
	for i := range half {
		fmt.Fprintf(&y, "  - {address: 10.1.%d.%d/16, tags: [DHCP], custom_fields: {pydhcp_mac: \"52:54:02:00:%02x:%02x\", pydhcp_expire: \"2026-11-29T23:19:23Z\"}}\n",
			i>>8, i&0xff, i>>8, i&0xff)
	}
	y.WriteString("devices:\n")
	for i := range half {
		fmt.Fprintf(&y, "  - name: host%d\n    interfaces:\n      - {name: eth0, mac_address: \"52:54:01:00:%02x:%02x\", ip_addresses: [{address: 10.2.%d.%d/16}]}\n",
			i, i>>8, i&0xff, i>>8, i&0xff)
	}
	return []byte(y.String())
}

// A long inventory, which is read in parts, means the same as if it were read whole, and
// its mistakes stand on their lines.
func TestLongInventories(t *testing.T) {
	right := string(campus(1200))
	for name, text := range map[string]string{
		"right":              right,
		"mistakes":           strings.NewReplacer("host700\n", "host70\n", "10.1.3.9/16", "10.1.3.8/16", "10.2.4.0/16", "10.2.4/16", "{address: 10.1.2.0", "{adress: 10.1.2.0").Replace(right),
		"an alias":           strings.Replace(strings.Replace(right, "name: eth0", "name: &port eth0", 1), "host900\n    interfaces:\n      - {name: eth0", "host900\n    interfaces:\n      - {name: *port", 1),
		"an open bracket":    strings.Replace(right, "10.1.2.5/16, tags: [DHCP]", "10.1.2.5/16, tags: [DHCP", 1),
		"too many addresses": "ip_addresses:\n" + strings.Repeat("  - address: 10.0.0.0-10.0.255.255/8\n", 600),
	} {
		whole := read(strictyaml.DecodeWhole, "campus.yml", []byte(text), options)
		parsed, err := Parse("campus.yml", []byte(text), options)
		if want := whole.report.Err(); fmt.Sprint(err) != fmt.Sprint(want) {
			t.Errorf("%s: got %v\nwant %v", name, err, want)
		}
		if err == nil && !reflect.DeepEqual(parsed, whole.out) {
			t.Errorf("%s: other tables than of the whole file", name)
		}
		if (err == nil) != (name == "right" || name == "an alias") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	data := campus(50_000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse("campus.yml", data, options); err != nil {
			b.Fatal(err)
		}
	}
}
