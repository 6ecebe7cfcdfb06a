// Package gateway is the CoreDHCP plugin that tells clients their way out of
// the network: the address NetBox tags as gateway, static routes, and the MTU.
// It chooses no leases and refuses nobody.
package gateway

import (
	"errors"

	"github.com/coredhcp/coredhcp/handler"
	"github.com/coredhcp/coredhcp/logger"
	"github.com/coredhcp/coredhcp/plugins"
	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/guard"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
)

// Plugin is what a CoreDHCP main registers.
var Plugin = plugins.Plugin{Name: "netbox_gateway", Setup4: setup4}

func setup4(args ...string) (handler.Handler4, error) { return setup(instance.Default, args) }

// setup joins the instance that the netbox plugin opened.
func setup(pool *instance.Pool, args []string) (handler.Handler4, error) {
	path := ""
	switch len(args) {
	case 0:
	case 1:
		path = args[0]
	default:
		return nil, errors.New("netbox_gateway: takes no arguments; its settings are netbox.gateway.tag, .fallback and .all")
	}
	i, err := pool.Join(path, logger.GetLogger("plugins/netbox_gateway"))
	if err != nil {
		return nil, err
	}
	s := &server{i}
	return guard.Handler4(i.Quiet, "netbox_gateway", s.handle4), nil
}

// server adds options from one instance.
type server struct{ *instance.Instance }

func (s *server) handle4(req, resp *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) {
	if !dhcp4.Configures(req, resp) { // G-1
		return resp, false
	}
	facts := s.Facts(req, resp)
	router := fill(req, resp, facts.Gateways(), facts.Config, s.Settings.Gateway)
	client := dhcp4.ClientPrefix(req, resp)
	if router.IsValid() && !client.IsSingleIP() && !client.Contains(router) { // G-3
		s.Quiet.Warn("gateway outside "+client.Masked().String(), "gateway is outside the client's subnet", logrus.Fields{
			"gateway": router, "subnet": client.Masked(), "addr": client.Addr(),
		})
	}
	return resp, false
}
