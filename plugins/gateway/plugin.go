// Package gateway is the CoreDHCP plugin that tells clients their way out of
// the network: the address NetBox tags as gateway, static routes, and the MTU.
// It chooses no leases and refuses no client.
package gateway

import (
	"errors"
	"net/netip"

	chain "github.com/coredhcp/coredhcp/handler"
	"github.com/coredhcp/coredhcp/logger"
	"github.com/coredhcp/coredhcp/plugins"
	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/stock"
)

// Plugin is what a CoreDHCP main registers.
var Plugin = plugins.Plugin{Name: "netbox_gateway", Setup4: setup4}

func setup4(args ...string) (chain.Handler4, error) { return setup(instance.Default, args) }

// setup joins the instance that the netbox plugin opened.
func setup(pool *instance.Pool, args []string) (chain.Handler4, error) {
	path, args := instance.SplitArguments(args, false)
	if len(args) > 0 {
		return nil, errors.New("netbox_gateway: takes no arguments; its settings are netbox.gateway.tag, .fallback and .all")
	}
	i, err := pool.Join(path, logger.GetLogger("plugins/netbox_gateway"))
	if err != nil {
		return nil, err
	}
	h := &handler{i}
	return pool.Handler(stock.Plugin{Name: "netbox_gateway", Log: i.Quiet}, h.handle4), nil
}

// handler adds options from one instance.
type handler struct{ *instance.Instance }

func (h *handler) handle4(req, resp *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) {
	if !dhcp4.Configures(req, resp) { // G-1
		return resp, false
	}
	facts := h.Facts(req, resp)
	client := dhcp4.ClientPrefix(req, resp)
	router := fill(req, resp, client, facts.Gateways(), facts.Config, h.Settings.Gateway)
	if facts.Explained() {
		explain(resp, facts, router)
	}
	if router.IsValid() && !client.IsSingleIP() && !client.Contains(router) { // G-3
		h.Quiet.Warn("gateway outside "+client.Masked().String(), "gateway is outside the client's subnet", logrus.Fields{
			"gateway": router, "subnet": client.Masked(), "addr": client.Addr(),
		})
	}
	return resp, false
}

// explain says where the options come from (OPT-13).
func explain(resp *dhcpv4.DHCPv4, facts instance.Facts, router netip.Addr) {
	source := "netbox.gateway.fallback of the settings"
	for _, a := range facts.Gateways() {
		if a.Address.Addr() == router {
			source = a.Name() + " with the gateway tag"
		}
	}
	facts.From(resp, source, dhcpv4.OptionRouter)
	facts.From(resp, "static_routes of "+facts.Context(), dhcpv4.OptionClasslessStaticRoute, microsoftRoutes)
	facts.From(resp, "mtu of "+facts.Context(), dhcpv4.OptionInterfaceMTU)
}
