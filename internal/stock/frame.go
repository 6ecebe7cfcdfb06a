package stock

import (
	"net"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
)

// avoidRawFrame makes the stock server broadcast the reply where it would send
// a raw frame with a forged source address or to a hardware address it cannot
// handle (F-21, L-6). The server goes by the request's flag, so that is what
// is set. Our own receive loop sends from its own address and needs none of it.
//
// The stock server goes by ciaddr before the flag. An address that was left from
// an earlier life would lead the reply away, so it is cleared (D-6).
func avoidRawFrame(req, resp *dhcpv4.DHCPv4, in dhcp4.Ingress) {
	if in.Known() || dhcp4.HeaderAddr(req.GatewayIPAddr).IsValid() || dhcp4.HasAddress(dhcp4.Of(req)) {
		return
	}
	req.ClientIPAddr = net.IPv4zero
	source := dhcp4.HeaderAddr(resp.ServerIPAddr)
	if !source.IsValid() || source != dhcp4.Identifier(dhcp4.Of(resp)) || len(req.ClientHWAddr) != 6 {
		req.SetBroadcast()
	}
}
