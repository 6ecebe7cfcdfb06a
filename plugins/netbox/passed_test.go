package netbox

import (
	"fmt"
	"slices"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4/dhcp4test"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance/instancetest"
)

// messagesOf lists the lines with a message.
func messagesOf(o instancetest.Opened, message string) []*logrus.Entry {
	return slices.DeleteFunc(o.Logs.AllEntries(), func(e *logrus.Entry) bool { return e.Message != message })
}

// I-8, B-2: an address that does not count leaves one line that says whose it is
// and why.
func TestAPassedOverAddressIsOneLine(t *testing.T) {
	for name, c := range map[string]struct{ address, why string }{
		"by its status":                    {`{address: 10.0.0.10/24, status: deprecated}`, "status"},
		"by its role":                      {`{address: 10.0.0.10/24, role: vip}`, "role"},
		"by its VRF":                       {`{address: 10.0.0.10/24, vrf: blue}`, "VRF"},
		"an address that counts":           {`{address: 10.0.0.10/24}`, ""},
		"a reservation by its status dhcp": {`{address: 10.0.0.10/24, status: dhcp}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			o, h := newHandlerOn(t, "", fmt.Sprintf(`
vrfs: [{name: blue}]
prefixes: [{prefix: 10.0.0.0/24}]
ip_addresses: [{address: 10.0.0.100/24, tags: [DHCP]}]
devices:
  - {name: web1, interfaces: [{name: eth0, mac_address: "02:ab:00:00:00:01", ip_addresses: [%s]}]}
`, c.address))
			for range 3 {
				req := dhcp4test.Request(t, dhcpv4.MessageTypeDiscover)
				h(req, dhcp4test.Prepared(t, req))
			}
			lines := messagesOf(o, "an address of the machine is passed over")
			if c.why == "" {
				if len(lines) != 0 {
					t.Errorf("%d lines", len(lines))
				}
				return
			}
			if len(lines) != 1 {
				t.Fatalf("%d lines, want 1", len(lines))
			}
			f := lines[0].Data
			if f["machine"] != "web1" || f["port"] != "eth0" || fmt.Sprint(f["address"]) != "10.0.0.10/24" || f["why"] != c.why {
				t.Errorf("%v", f)
			}
		})
	}
}
