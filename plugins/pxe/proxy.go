package pxe

import (
	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
)

// proxy4 answers a boot client whose address comes from another server:
// resp becomes an OFFER, or on port 4011 an ACK, with boot data and nothing
// else. Other clients get no answer here, that is nil.
func (h *handler) proxy4(x *dhcp4.Exchange, req, resp *dhcp4.Packet) (*dhcp4.Packet, bool) {
	if classOf(req) == otherClass || !asks(req) {
		h.note(x, "option 60 is neither PXEClient nor HTTPClient")
		return nil, true
	}
	facts := h.BootFacts(dhcp4.ParseRequest(req, resp, x.Ingress, false))
	c, b, ok, err := h.bootData(x, req, facts)
	if err != nil || !ok {
		return nil, true
	}
	b.proxied(c)
	b.apply(resp)
	h.warn(req, resp, facts, c, b)
	return resp, true
}

// proxied makes b an answer without an address. Class and, for PXE, option 43
// are what a client knows it by, also where a lease would need neither.
func (b *boot) proxied(c client) {
	set(b.options, dhcpv4.OptClassIdentifier(c.class.String()))
	if c.class == pxeClass {
		set(b.options, dhcpv4.OptGeneric(dhcpv4.OptionVendorSpecificInformation, c.vendor()))
	}
	// "Do not wait for ProxyDHCP" has no place in ProxyDHCP.
	delete(b.options, dhcpv4.OptionEtherboot.Code())
	b.keepServer = false
}
