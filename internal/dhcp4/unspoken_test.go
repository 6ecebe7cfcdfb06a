package dhcp4

import (
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4/dhcp4test"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// rapid commit is not offered: a DISCOVER that asks for it gets an OFFER
// without option 80. Option overload is never sent.
func TestRapidCommitAndOverloadAreNotSpoken(t *testing.T) {
	req := dhcp4test.Request(t, dhcpv4.MessageTypeDiscover, dhcp4test.Raw(80), dhcp4test.Raw(52, 3), dhcp4test.Raw(55, 1, 3, 52, 80))
	resp := dhcp4test.Prepared(t, req)
	m := parse(req, resp, Ingress{}, true)
	if m.Type != lease.Discover || m.Malformed != "" {
		t.Fatalf("read as %v, malformed %q", m.Type, m.Malformed)
	}
	if err := fill(req, resp, granted(lease.Offer), Extra{}); err != nil {
		t.Fatal(err)
	}
	sent := dhcp4test.OverTheWire(t, resp)
	if sent.MessageType() != dhcpv4.MessageTypeOffer {
		t.Errorf("answered by %s", sent.MessageType())
	}
	for _, code := range []uint8{52, 80} {
		if sent.Options.Has(dhcpv4.GenericOptionCode(code)) {
			t.Errorf("option %d is sent", code)
		}
	}
}
