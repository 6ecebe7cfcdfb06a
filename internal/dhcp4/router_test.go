package dhcp4

import (
	"net"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4/dhcp4test"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

func TestRouters(t *testing.T) {
	client, nowhere := prefix("10.0.0.77/24"), netip.Addr{}
	tests := map[string]struct {
		gateways []*ipam.Address
		client   netip.Prefix
		fallback netip.Addr
		want     []netip.Addr
	}{
		"G-2 none": {nil, client, nowhere, nil},
		"G-2 the lowest, by number and not as text": {
			[]*ipam.Address{address("10.0.0.10/24", ""), address("10.0.0.9/24", "")}, client, nowhere,
			[]netip.Addr{addr("10.0.0.9"), addr("10.0.0.10")}},
		"G-2 shared addresses first, in the order of the rule": {
			[]*ipam.Address{address("10.0.0.1/24", ""), address("10.0.0.2/24", "vip"), address("10.0.0.3/24", "carp"),
				address("10.0.0.4/24", "glbp"), address("10.0.0.5/24", "hsrp"), address("10.0.0.6/24", "vrrp"),
				address("10.0.0.7/24", "anycast")}, client, nowhere,
			[]netip.Addr{addr("10.0.0.6"), addr("10.0.0.5"), addr("10.0.0.4"), addr("10.0.0.3"), addr("10.0.0.2"),
				addr("10.0.0.1"), addr("10.0.0.7")}},
		"G-2 the client's own subnet before a shared address": {
			[]*ipam.Address{address("10.0.1.1/23", "vrrp"), address("10.0.0.254/24", "")}, client, nowhere,
			[]netip.Addr{addr("10.0.0.254"), addr("10.0.1.1")}},
		"G-3 never the client itself": {
			[]*ipam.Address{address("10.0.0.77/24", "vrrp"), address("10.0.0.78/24", "")}, client, nowhere,
			[]netip.Addr{addr("10.0.0.78")}},
		"G-2 fallback when there is none": {
			[]*ipam.Address{address("10.0.0.77/24", "")}, client, addr("10.0.0.254"),
			[]netip.Addr{addr("10.0.0.254")}},
		"G-2 fallback only when there is none": {
			[]*ipam.Address{address("10.0.0.1/24", "")}, client, addr("10.0.0.254"),
			[]netip.Addr{addr("10.0.0.1")}},
		"G-3 the fallback is no client's own gateway": {nil, client, addr("10.0.0.77"), nil},
		"an address entered twice counts once": {
			[]*ipam.Address{address("10.0.0.1/24", ""), address("10.0.0.1/25", "")}, client, nowhere,
			[]netip.Addr{addr("10.0.0.1")}},
		"F-33 no IPv6": {
			[]*ipam.Address{address("2001:db8::1/64", "")}, client, addr("2001:db8::2"), nil},
		"without a client address all count alike": {
			[]*ipam.Address{address("10.0.0.2/24", ""), address("10.0.0.1/24", "")}, netip.Prefix{}, nowhere,
			[]netip.Addr{addr("10.0.0.1"), addr("10.0.0.2")}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, Routers(nil, tt.gateways, tt.client, tt.fallback), equalAddrs); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestClientPrefix(t *testing.T) {
	yiaddr := func(p *dhcpv4.DHCPv4) { p.YourIPAddr = net.IP{10, 0, 0, 7} }
	tests := map[string]struct {
		kind  dhcpv4.MessageType
		reply []dhcpv4.Modifier
		want  netip.Prefix
	}{
		"leased":                {dhcpv4.MessageTypeRequest, []dhcpv4.Modifier{yiaddr, dhcp4test.Raw(1, 255, 255, 0, 0)}, prefix("10.0.0.7/16")},
		"INFORM goes by ciaddr": {dhcpv4.MessageTypeInform, []dhcpv4.Modifier{dhcp4test.Raw(1, 255, 255, 255, 0)}, prefix("10.0.0.9/24")},
		"no mask":               {dhcpv4.MessageTypeRequest, []dhcpv4.Modifier{yiaddr}, prefix("10.0.0.7/32")},
		"a mask with holes":     {dhcpv4.MessageTypeRequest, []dhcpv4.Modifier{yiaddr, dhcp4test.Raw(1, 255, 0, 255, 0)}, prefix("10.0.0.7/32")},
		"a short mask":          {dhcpv4.MessageTypeRequest, []dhcpv4.Modifier{yiaddr, dhcp4test.Raw(1, 255)}, prefix("10.0.0.7/32")},
		"no address":            {dhcpv4.MessageTypeRequest, nil, netip.Prefix{}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			req := dhcp4test.Request(t, tt.kind, dhcpv4.WithClientIP(net.IP{10, 0, 0, 9}))
			resp := dhcp4test.Prepared(t, req)
			for _, mod := range tt.reply {
				mod(resp)
			}
			if got := ClientPrefix(Of(req), Of(resp)); got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}
