package pxe

import (
	"net/netip"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4/dhcp4test"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance/instancetest"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// CL-25, X-3, X-15: a client that claims an address gets the boot data of its machine
// only by the setting, and behind the switch of that machine.
func TestBootDataOfAClaimedAddress(t *testing.T) {
	const places = inventory + `
ip_addresses: [{address: 10.0.0.60/24}]
`
	on := "claims: {prefixes: [10.0.0.0/24], boot: true}"
	for name, c := range map[string]struct {
		settings, machine string // empty: the address is of none
		reason            lease.Reason
		want              bool
	}{
		"by the setting":           {on, "web1", lease.ReasonClaimed, true},
		"without it":               {"claims: {prefixes: [10.0.0.0/24]}", "web1", lease.ReasonClaimed, false},
		"a machine switched off":   {on, "closed", lease.ReasonClaimed, false},
		"a machine switched on":    {on, "open", lease.ReasonClaimed, true},
		"an address of no device":  {on, "", lease.ReasonClaimed, false},
		"a claim that is held":     {on, "web1", lease.ReasonNew, false},
		"a claim that was ended":   {on, "web1", lease.ReasonClaimOver, false},
		"an unknown one, gate on":  {on + "\npxe: {gate: 'on'}", "web1", lease.ReasonClaimed, false},
		"a switched one, gate off": {on + "\npxe: {gate: 'off'}", "closed", lease.ReasonClaimed, true},
	} {
		t.Run(name, func(t *testing.T) {
			opened := instancetest.Open(t, c.settings, places)
			handle, err := setup(opened.Pool, nil)
			if err != nil {
				t.Fatal(err)
			}
			s := opened.Snapshot()
			a := *s.Address(0, netip.MustParseAddr("10.0.0.60"))
			for _, port := range s.Objects().Interfaces {
				if s.Machine(port.Machine).Name == c.machine {
					a.Interface = port.ID
				}
			}
			n, err := s.Network(a.Address.Addr(), 0)
			if err != nil {
				t.Fatal(err)
			}
			req := dhcp4test.Request(t, dhcpv4.MessageTypeDiscover, append(firmware("a BIOS network card"), mac(9))...)
			x := opened.Pool.Exchanges.Open(req, dhcp4.Ingress{})
			defer opened.Pool.Exchanges.Close(req)
			x.Asked, x.Decided, x.Decision = true, true, lease.Decision{Verdict: lease.Offer, Reason: c.reason, Subnet: n, Claim: lease.Claim{Address: &a}}
			resp, _ := handle(req, dhcp4test.Granted(t, req, "10.0.0.60/24"))
			if got := resp != nil && resp.BootFileName == "pxelinux.0"; got != c.want {
				t.Errorf("boot file %v, want one: %v", resp, c.want)
			}
		})
	}
}
