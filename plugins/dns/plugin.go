// Package dns is the CoreDHCP plugin that tells clients the name servers, search
// domains and time servers of their NetBox config context. It resolves nothing
// itself.
package dns

import (
	"fmt"
	"net"
	"net/netip"

	chain "github.com/coredhcp/coredhcp/handler"
	"github.com/coredhcp/coredhcp/logger"
	"github.com/coredhcp/coredhcp/plugins"
	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/stock"
)

// Plugin is what a CoreDHCP main registers.
var Plugin = plugins.Plugin{Name: "netbox_dns", Setup4: setup4}

func setup4(args ...string) (chain.Handler4, error) { return setup(instance.Default, args) }

// setup joins the instance that the netbox plugin opened. The arguments are
// fall-back servers; the path of a settings file may stand before them.
func setup(pool *instance.Pool, args []string) (chain.Handler4, error) {
	path, args := instance.SplitArguments(args, true)
	servers, err := settings.FallbackServers(args)
	if err != nil {
		return nil, fmt.Errorf("netbox_dns: %w", err)
	}
	i, err := pool.Join(path, logger.GetLogger("plugins/netbox_dns"))
	if err != nil {
		return nil, err
	}
	h := &handler{Instance: i, fallback: servers}
	return pool.Handler(stock.Plugin{Name: "netbox_dns", Log: i.Quiet}, h.handle4), nil
}

// handler adds options from one instance.
type handler struct {
	*instance.Instance
	fallback []netip.Addr
}

func (h *handler) handle4(x *dhcp4.Exchange, req, resp *dhcp4.Packet) (*dhcp4.Packet, bool) {
	if !dhcp4.Configures(req, resp) { // G-1
		return resp, false
	}
	facts := h.Facts(x, req, resp)
	fallback := h.fallback
	if len(fallback) == 0 && h.Settings.DNS.Fallback == "gateway" { // G-6
		fallback = gateway(req, resp, facts, h.Settings.Gateway.Fallback)
	}
	for _, name := range fill(req, resp, facts.Config, fallback) {
		h.Quiet.Warn("domain "+name, "domain name left out: it cannot be sent", logrus.Fields{"domain": name})
	}
	if facts.Explained() {
		h.explain(resp, facts)
	}
	return resp, false
}

// explain says where the options come from (OPT-13).
func (h *handler) explain(resp *dhcp4.Packet, facts instance.Facts) {
	servers := "the line of netbox_dns"
	switch {
	case facts.Config != nil && len(facts.Config.DNSServers) > 0:
		servers = "dns_servers of " + facts.Context()
	case len(h.fallback) == 0:
		servers = "the gateway (netbox.dns.fallback)"
	}
	facts.From(resp, servers, dhcpv4.OptionDomainNameServer)
	facts.From(resp, "domain_name of "+facts.Context(), dhcpv4.OptionDomainName)
	facts.From(resp, "domain_search of "+facts.Context(), dhcpv4.OptionDNSDomainSearchList)
	facts.From(resp, "ntp_servers of "+facts.Context(), dhcpv4.OptionNTPServers)
}

// gateway returns the client's gateway: what the reply says, or would say if
// the client had asked for it.
func gateway(req, resp *dhcp4.Packet, facts instance.Facts, fallback netip.Addr) []netip.Addr {
	if routers := resp.Options.Get(dhcpv4.OptionRouter); len(routers) >= net.IPv4len {
		return []netip.Addr{netip.AddrFrom4([net.IPv4len]byte(routers))}
	}
	routers := dhcp4.Routers(nil, facts.Gateways(), dhcp4.ClientPrefix(req, resp), fallback)
	return routers[:min(1, len(routers))]
}
