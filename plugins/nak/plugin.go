// Package nak is the CoreDHCP plugin that speaks refusals: it finishes the
// DHCPNAK another plugin asked for, and refuses what a lease plugin without refusals
// of its own got wrong. It stands last and grants nothing.
package nak

import (
	"fmt"
	"net/netip"
	"time"

	chain "github.com/coredhcp/coredhcp/handler"
	"github.com/coredhcp/coredhcp/logger"
	"github.com/coredhcp/coredhcp/plugins"
	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/quiet"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/stock"
)

// Plugin is what a CoreDHCP main registers.
var Plugin = plugins.Plugin{Name: "nak", Setup4: setup4}

func setup4(args ...string) (chain.Handler4, error) { return setup(instance.Default, args) }

// setup tells the engine how refusals are spoken (K-5). Without a netbox plugin
// before it there is no engine to tell. The argument is authoritative, own or
// off; the path of a settings file may stand before it.
func setup(pool *instance.Pool, args []string) (chain.Handler4, error) {
	path, args := instance.SplitArguments(args, true)
	name, err := settings.NakWord(args)
	if err != nil {
		return nil, fmt.Errorf("nak: %w", err)
	}
	log := logger.GetLogger("plugins/nak")
	h := &handler{word: authority(name), log: quiet.New(log, time.Minute, time.Now)}
	i, err := pool.Joined(path)
	if err != nil {
		return nil, fmt.Errorf("nak: %w", err)
	}
	if i != nil {
		i.Engine.SetAuthority(h.word)
	}
	return pool.Handler(stock.Plugin{Name: "nak", Log: h.log, Last: true}, h.handle4), nil
}

func authority(word string) lease.Authority {
	switch word {
	case "authoritative":
		return lease.Authoritative
	case "own":
		return lease.Own
	}
	return lease.Off
}

// handler finishes the replies of one chain.
type handler struct {
	word lease.Authority
	log  *quiet.Logger
}

func (h *handler) handle4(x *dhcp4.Exchange, req, resp *dhcp4.Packet) (*dhcp4.Packet, bool) {
	switch {
	case dhcp4.TypeOf(resp) == dhcpv4.MessageTypeNak:
		return h.refuse(req, dhcp4.Identifier(resp), x.Decision.Reason)
	case x.Decided: // the netbox plugin checks everything itself
		return resp, false
	}
	m := dhcp4.ParseRequest(req, resp, dhcp4.Ingress{}, false)
	switch check(m, dhcp4.ClientPrefix(req, resp).Addr(), h.word) {
	case drop:
		return nil, true
	case refuse:
		h.log.Info("refused "+string(m.Client), "request refused: another address was found for the client", logrus.Fields{
			"client_id": m.Client, "requested": m.RequestedAddr, "ciaddr": m.ClientAddr, "addr": resp.YourIPAddr,
		})
		return h.refuse(req, m.Identifier, "")
	}
	return resp, false
}

// refuse ends the chain with a DHCPNAK. Firmware ignores one without option 54
// (K-3), and only other plugins know what belongs there.
func (h *handler) refuse(req *dhcp4.Packet, identifier netip.Addr, why lease.Reason) (*dhcp4.Packet, bool) {
	if !identifier.IsValid() {
		h.log.Error("no option 54", "refusal dropped: no server identifier; put server_id first in the chain", nil)
		return nil, true
	}
	return refusal(req, identifier, explain(why)), true
}
