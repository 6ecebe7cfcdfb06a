package gateway

import (
	"net"
	"net/netip"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

// microsoftRoutes is option 249, which Windows asked for before RFC 3442 had a
// number. Its content is that of 121.
const microsoftRoutes = dhcpv4.GenericOptionCode(249)

// maxRouters fill option 3 without splitting it, which few clients undo
// (RFC 3396).
const maxRouters = 255 / net.IPv4len

// fill sets the options of this plugin that the client wants: 3, 121,
// 249 and 26. client is its address with the mask it is told, gateways are those of N,
// config is the client's or its site's; the last two may be nil. It returns the gateway for the default route, or the zero
// Addr.
func fill(req, resp *dhcpv4.DHCPv4, client netip.Prefix, gateways []*ipam.Address, config *ipam.Config, s settings.Gateway) netip.Addr {
	var room [4]netip.Addr
	routers := dhcp4.Routers(room[:0], gateways, client, s.Fallback)
	if !s.All {
		routers = routers[:min(1, len(routers))] // G-2
	}
	routers = routers[:min(maxRouters, len(routers))]
	if len(routers) > 0 && dhcp4.Wanted(req, dhcpv4.OptionRouter) {
		dhcp4.SetAddrs(resp, dhcpv4.OptionRouter, routers...)
	}
	var best netip.Addr
	if len(routers) > 0 {
		best = routers[0]
	}
	if config == nil {
		return best
	}
	if routes := classless(config.StaticRoutes, best, client.Addr()); len(routes) > 0 {
		for _, code := range []dhcpv4.OptionCode{dhcpv4.OptionClasslessStaticRoute, microsoftRoutes} {
			if dhcp4.Wanted(req, code) {
				resp.UpdateOption(dhcpv4.Option{Code: code, Value: routes})
			}
		}
	}
	if config.MTU > 0 && dhcp4.Wanted(req, dhcpv4.OptionInterfaceMTU) { // G-8
		resp.UpdateOption(dhcpv4.Option{Code: dhcpv4.OptionInterfaceMTU, Value: dhcpv4.Uint16(config.MTU)}) //nolint:gosec // G115: at most 65535 (ParseConfig)
	}
	return best
}

// classless returns the content of option 121 (G-4): the configured routes, and
// a default route unless one is among them, since a client that gets 121 does
// not look at option 3 (RFC 3442). No routes: the option is not needed. A
// client is not sent through itself (G-3).
func classless(routes []ipam.Route, router, client netip.Addr) dhcpv4.Routes {
	var list dhcpv4.Routes
	hasDefault := false
	for _, r := range routes {
		// The library panics on a destination that is not IPv4 (F-33).
		if !r.Destination.Addr().Is4() || !r.Gateway.Is4() || r.Gateway == client {
			continue
		}
		hasDefault = hasDefault || r.Destination.Bits() == 0
		list = append(list, route(r.Destination, r.Gateway))
	}
	if len(list) > 0 && router.IsValid() && !hasDefault {
		list = append(list, route(netip.PrefixFrom(netip.IPv4Unspecified(), 0), router))
	}
	return list
}

func route(destination netip.Prefix, gateway netip.Addr) *dhcpv4.Route {
	destination = destination.Masked()
	return &dhcpv4.Route{
		Dest:   &net.IPNet{IP: destination.Addr().AsSlice(), Mask: net.CIDRMask(destination.Bits(), 32)},
		Router: gateway.AsSlice(),
	}
}
