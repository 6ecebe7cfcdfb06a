package launch

import (
	"net/netip"
	"strings"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// proxyRequest is the message a boot client sends to port 4011.
const proxyRequest = "proxy-request"

// rehearseProxy is rehearse for an interface of pxe.proxy_dhcp.
func rehearseProxy(pool *instance.Pool, i *instance.Instance, req *dhcpv4.DHCPv4, in dhcp4.Ingress, identifier netip.Addr) answer {
	result := answer{Message: req.MessageType().String(), Verdict: "silent", Rule: "X-17", Reason: "other_server", Client: "not in NetBox"}
	why := func(rule, text string) { result.Why = append(result.Why, lease.Step{Rule: rule, Text: text}) }
	why("X-17", in.Interface+" is in pxe.proxy_dhcp: addresses come from another server, boot data from this one")
	local := map[netip.Addr]bool{identifier: true}
	arrived := arrivedBy{source: netip.AddrPortFrom(addr4(req.ClientIPAddr), dhcpv4.ClientPort), arrival: arrival{unicast: in.Delivery == lease.DeliveryUnicast, to: identifier}}
	resp := prepareProxy(in.Delivery == lease.DeliveryUnicast, req, arrived, local)
	if resp == nil {
		why("X-17", "only a DISCOVER, or a REQUEST to port 4011, is answered: see --message "+proxyRequest)
		return result
	}
	resp.UpdateOption(dhcpv4.OptServerIdentifier(identifier.AsSlice()))
	x := pool.Exchanges.Open(req, in)
	defer pool.Exchanges.Close(req)
	facts := i.BootFacts(req, resp)
	if facts.Machine != nil {
		result.Client = facts.Machine.ID.Kind.String() + " " + facts.Machine.Name
	}
	if facts.Subnet != nil {
		result.Network = facts.Subnet.Prefix.Prefix.String()
	}
	if resp, _ = i.Proxy(req, resp); resp == nil {
		result.Reason = "no_boot_data"
		why("X-6", x.Note)
		return result
	}
	result.Verdict, result.Reason = strings.ToLower(resp.MessageType().String()), "boot_data"
	result.Reply = describe(resp)
	return result
}
