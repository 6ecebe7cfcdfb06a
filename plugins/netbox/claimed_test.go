package netbox

import (
	"fmt"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4/dhcp4test"
)

// CL-8, CL-11, B-2: a serial number of a machine whose owner may be there is told once,
// and its sender gets what a stranger gets; where claims do not count it is not read.
func TestAClaimThatDoesNotCountIsOneLine(t *testing.T) {
	const places = `
prefixes: [{prefix: 10.0.0.0/24}]
ip_addresses: [{address: 10.0.0.100/24, tags: [DHCP]}]
devices:
  - {name: sw1, serial: JPE12221671, interfaces: [{name: vlan10, mac_address: "02:ab:00:00:00:77", ip_addresses: [{address: 10.0.0.10/24}]}]}
`
	for name, c := range map[string]struct {
		settings string
		lines    int
	}{
		"counts":       {"claims: {prefixes: [10.0.0.0/24], serial: true}", 1},
		"is off":       {"claims: {prefixes: [10.0.0.0/24]}", 0},
		"is elsewhere": {"claims: {prefixes: [10.9.0.0/24], serial: true}", 0},
	} {
		t.Run(name, func(t *testing.T) {
			o, h := newHandlerOn(t, c.settings, places)
			for range 3 {
				req := dhcp4test.Request(t, dhcpv4.MessageTypeDiscover, stranger(1), dhcp4test.Raw(60, []byte("Arista;DCS-7050S-64;01.23;JPE12221671")...))
				resp, _ := h(req, dhcp4test.Prepared(t, req))
				if resp == nil || resp.YourIPAddr.String() != "10.0.0.100" {
					t.Fatalf("answer %v, want what a stranger gets", resp)
				}
			}
			lines := messagesOf(o, "a claimed address is not given")
			if len(lines) != c.lines {
				t.Fatalf("%d lines, want %d", len(lines), c.lines)
			}
			if c.lines == 0 {
				return
			}
			f := lines[0].Data
			for field, want := range map[string]string{"claims": "10.0.0.10/24", "by": "serial number", "value": "JPE12221671", "of": "device sw1 interface vlan10",
				"why": "its owner was heard of late", "owner": "02:AB:00:00:00:77"} {
				if fmt.Sprint(f[field]) != want {
					t.Errorf("%s is %v, want %s", field, f[field], want)
				}
			}
		})
	}
}
