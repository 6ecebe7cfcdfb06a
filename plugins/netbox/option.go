package netbox

import (
	"fmt"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// addOptions adds what config contexts say for the client, and notes which of their
// classes it matched (OPT-7, OPT-12).
func (h *handler) addOptions(req, resp *dhcpv4.DHCPv4, x *dhcp4.Exchange, facts instance.Facts) {
	if facts.Explained() {
		explainOwn(resp, facts, &x.Decision)
	}
	set := facts.Options()
	if set == nil {
		return
	}
	var kept []uint8
	x.Options, kept = dhcp4.FillOptions(req, resp, set)
	if len(kept) > 0 && x.Trace != nil {
		x.Trace.Steps = append(x.Trace.Steps, lease.Step{Rule: "OPT-9", Text: fmt.Sprintf(
			"a boot client gets the options %v of config contexts from netbox_pxe only", kept)})
	}
	if !x.Rehearsal && dhcp4.TypeOf(resp) != dhcpv4.MessageTypeOffer {
		h.SawClient(set, dhcp4.OptionClient(req))
	}
}

// explainOwn says where the options that every lease has come from (OPT-13).
func explainOwn(resp *dhcpv4.DHCPv4, facts instance.Facts, d *lease.Decision) {
	mask := "no prefix"
	if n := facts.Subnet; n != nil {
		mask = fmt.Sprintf("prefix %s (id %d)", n.Prefix.Prefix, n.ID)
		if a := facts.Snapshot.Address(n.VRF, d.Addr.Addr()); a != nil {
			mask = a.Name()
		}
	}
	facts.From(resp, mask, dhcpv4.OptionSubnetMask, dhcpv4.OptionBroadcastAddress)
	if d.Machine != nil {
		facts.From(resp, fmt.Sprintf("%s %s", d.Machine.ID.Kind, d.Machine.Name), dhcpv4.OptionHostName)
	}
	facts.From(resp, "ipv6_only_wait of "+facts.Context(), dhcpv4.OptionIPv6OnlyPreferred)
}
