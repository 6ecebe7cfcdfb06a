package gateway

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4/dhcp4test"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func tagged(cidr, role string) *ipam.Address {
	return &ipam.Address{Address: netip.MustParsePrefix(cidr), Role: role, Status: "active"}
}

func via(destination, gateway string) ipam.Route {
	return ipam.Route{Destination: netip.MustParsePrefix(destination), Gateway: addr(gateway)}
}

func TestFill(t *testing.T) {
	two := []*ipam.Address{tagged("10.0.0.1/24", ""), tagged("10.0.0.254/24", "vrrp")}
	routes := &ipam.Config{StaticRoutes: []ipam.Route{via("10.1.0.0/16", "10.0.0.9"), via("192.168.7.128/25", "10.0.0.9")}}
	// RFC 3442: prefix length, significant octets, router.
	configured := []byte{16, 10, 1, 10, 0, 0, 9, 25, 192, 168, 7, 128, 10, 0, 0, 9}
	complete := append(append([]byte{}, configured...), 0, 10, 0, 0, 254)
	asks := func(codes ...byte) []dhcpv4.Modifier { return []dhcpv4.Modifier{dhcp4test.Raw(55, codes...)} }
	tests := map[string]struct {
		mods     []dhcpv4.Modifier
		gateways []*ipam.Address
		config   *ipam.Config
		settings settings.Gateway
		want     map[uint8][]byte
		router   netip.Addr
	}{
		"G-2 one gateway":  {nil, two, nil, settings.Gateway{}, map[uint8][]byte{3: {10, 0, 0, 254}}, addr("10.0.0.254")},
		"G-2 gateway.all":  {nil, two, nil, settings.Gateway{All: true}, map[uint8][]byte{3: {10, 0, 0, 254, 10, 0, 0, 1}}, addr("10.0.0.254")},
		"G-2 none":         {nil, nil, nil, settings.Gateway{}, map[uint8][]byte{}, netip.Addr{}},
		"G-2 the fallback": {nil, nil, nil, settings.Gateway{Fallback: addr("10.0.0.3")}, map[uint8][]byte{3: {10, 0, 0, 3}}, addr("10.0.0.3")},
		"G-3 not the client itself": {nil, []*ipam.Address{tagged("10.0.0.77/24", "")}, nil, settings.Gateway{},
			map[uint8][]byte{}, netip.Addr{}},
		"G-3 a gateway outside the mask": {nil, []*ipam.Address{tagged("10.0.9.1/16", "")}, nil, settings.Gateway{},
			map[uint8][]byte{3: {10, 0, 9, 1}}, addr("10.0.9.1")},
		"R-4 not wanted": {asks(1, 6), two, routes, settings.Gateway{}, map[uint8][]byte{}, addr("10.0.0.254")},
		"G-4 121 with a default route, and 3 as well": {asks(3, 121), two, routes, settings.Gateway{},
			map[uint8][]byte{3: {10, 0, 0, 254}, 121: complete}, addr("10.0.0.254")},
		"G-4 249 with the same content": {asks(121, 249), two, routes, settings.Gateway{},
			map[uint8][]byte{121: complete, 249: complete}, addr("10.0.0.254")},
		"G-4 249 alone":                    {asks(249), two, routes, settings.Gateway{}, map[uint8][]byte{249: complete}, addr("10.0.0.254")},
		"G-4 routes need no gateway":       {asks(121), nil, routes, settings.Gateway{}, map[uint8][]byte{121: configured}, netip.Addr{}},
		"G-4 no routes, no 121":            {asks(121), two, new(ipam.Config), settings.Gateway{}, map[uint8][]byte{}, addr("10.0.0.254")},
		"R-4 121 is not sent without list": {nil, two, routes, settings.Gateway{}, map[uint8][]byte{3: {10, 0, 0, 254}}, addr("10.0.0.254")},
		"G-4 a configured default route stays the only one": {asks(121), two,
			&ipam.Config{StaticRoutes: []ipam.Route{via("0.0.0.0/0", "10.0.0.9")}}, settings.Gateway{},
			map[uint8][]byte{121: {0, 10, 0, 0, 9}}, addr("10.0.0.254")},
		"G-4 next hop 0.0.0.0, the host is on the link": {asks(121), nil, // RFC 3442
			&ipam.Config{StaticRoutes: []ipam.Route{via("172.31.1.1/32", "0.0.0.0"), via("0.0.0.0/0", "172.31.1.1")}}, settings.Gateway{},
			map[uint8][]byte{121: {32, 172, 31, 1, 1, 0, 0, 0, 0, 0, 172, 31, 1, 1}}, netip.Addr{}},
		"G-3 no route through the client itself": {asks(121), two,
			&ipam.Config{StaticRoutes: []ipam.Route{via("10.1.0.0/16", "10.0.0.77")}}, settings.Gateway{},
			map[uint8][]byte{}, addr("10.0.0.254")},
		"F-33 no IPv6 route": {asks(121), two,
			&ipam.Config{StaticRoutes: []ipam.Route{via("2001:db8::/32", "10.0.0.9")}}, settings.Gateway{},
			map[uint8][]byte{}, addr("10.0.0.254")},
		"G-8 MTU":                {asks(26), nil, &ipam.Config{MTU: 9000}, settings.Gateway{}, map[uint8][]byte{26: {0x23, 0x28}}, netip.Addr{}},
		"G-8 MTU not configured": {asks(26), nil, new(ipam.Config), settings.Gateway{}, map[uint8][]byte{}, netip.Addr{}},
		"R-4 MTU is not unasked": {nil, nil, &ipam.Config{MTU: 9000}, settings.Gateway{}, map[uint8][]byte{}, netip.Addr{}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			req := dhcp4test.Request(t, dhcpv4.MessageTypeRequest, tt.mods...)
			resp := dhcp4test.Granted(t, req, "10.0.0.77/24")
			router := fill(req, resp, dhcp4.ClientPrefix(req, resp), tt.gateways, tt.config, tt.settings)
			if router != tt.router {
				t.Errorf("gateway %v, want %v", router, tt.router)
			}
			resp = dhcp4test.OverTheWire(t, resp)
			got := map[uint8][]byte{}
			for _, code := range []uint8{3, 26, 121, 249} {
				if b, ok := resp.Options[code]; ok {
					got[code] = b
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNoMoreGatewaysThanOneOptionHolds(t *testing.T) {
	var gateways []*ipam.Address
	for i := range 100 {
		gateways = append(gateways, tagged(netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(100 + i)}), 24).String(), ""))
	}
	req := dhcp4test.Request(t, dhcpv4.MessageTypeRequest)
	resp := dhcp4test.Granted(t, req, "10.0.0.77/24")
	fill(req, resp, dhcp4.ClientPrefix(req, resp), gateways, nil, settings.Gateway{All: true})
	if got := len(resp.Router()); got != 63 {
		t.Errorf("%d gateways, want 63", got)
	}
}
