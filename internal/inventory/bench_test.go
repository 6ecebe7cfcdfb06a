package inventory

import (
	"fmt"
	"strings"
	"testing"
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

func BenchmarkParse(b *testing.B) {
	data := campus(50_000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse("campus.yml", data, options); err != nil {
			b.Fatal(err)
		}
	}
}
