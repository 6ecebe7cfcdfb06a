package dhcp4

import (
	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// Known reports whether a receive loop of ours filled in where the packet came
// from. The stock server knows nothing of it (F-22).
func (in Ingress) Known() bool {
	return in.Interface != "" || in.Delivery != lease.DeliveryUnknown
}

// AvoidRawFrame makes the stock server broadcast the reply where it would send
// a raw frame with a forged source address or to a hardware address it cannot
// handle (F-21, L-6). The server goes by the request's flag, so that is what
// is set. Our own receive loop sends from its own address and needs none of it.
func AvoidRawFrame(req, resp *dhcpv4.DHCPv4, in Ingress) {
	if in.Known() || HeaderAddr(req.GatewayIPAddr).IsValid() || HeaderAddr(req.ClientIPAddr).IsValid() {
		return
	}
	source := HeaderAddr(resp.ServerIPAddr)
	identifier := optionAddr(resp.Options, dhcpv4.OptionServerIdentifier)
	if !source.IsValid() || source != identifier || len(req.ClientHWAddr) != 6 {
		req.SetBroadcast()
	}
}
