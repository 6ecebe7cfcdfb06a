package launch

import (
	"strings"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/receive"
)

// proxyRequest is the message a boot client sends to port 4011.
const proxyRequest = "proxy-request"

// explainProxy says what came of a message on an interface of pxe.proxy_dhcp
//
func explainProxy(out receive.Outcome, i *instance.Instance, req *dhcpv4.DHCPv4, in dhcp4.Ingress) answer {
	result := answer{Message: req.MessageType().String(), Verdict: "silent", Rule: "X-17", Reason: "other_server", Client: notInNetBox}
	why := func(rule, text string) { result.Why = append(result.Why, lease.Step{Rule: rule, Text: text}) }
	why("X-17", in.Interface+" is in pxe.proxy_dhcp: addresses come from another server, boot data from this one")
	if out.Drop == receive.DropUnhandled {
		why("X-17", "only a DISCOVER, or a REQUEST to port 4011, is answered: see --message "+proxyRequest)
		return result
	}
	facts := i.BootFacts(dhcp4.ParseRequest(dhcp4.Of(req), nil, in, false))
	result.locate(facts.Subnet, facts.Machine)
	if out.Reply == nil {
		result.Reason = "no_boot_data"
		why("X-6", out.Exchange.Note)
		return result
	}
	result.Verdict, result.Reason = strings.ToLower(dhcp4.TypeOf(out.Reply).String()), "boot_data"
	return result
}
