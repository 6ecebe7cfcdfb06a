// Package nak is the CoreDHCP plugin that speaks refusals: it finishes the
// DHCPNAK another plugin asked for, refuses what a lease plugin without refusals
// of its own got wrong, and sees that replies are no bigger than the client can
// take. It stands last and grants nothing.
package nak

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/coredhcp/coredhcp/handler"
	"github.com/coredhcp/coredhcp/logger"
	"github.com/coredhcp/coredhcp/plugins"
	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/guard"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/quiet"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

// Plugin is what a CoreDHCP main registers.
var Plugin = plugins.Plugin{Name: "nak", Setup4: setup4}

func setup4(args ...string) (handler.Handler4, error) { return setup(instance.Default, args) }

// setup tells the engine how refusals are spoken (K-5). Without a netbox plugin
// before it there is no engine to tell. The argument is the word of 1.8; the
// path of a settings file may stand before it.
func setup(pool *instance.Pool, args []string) (handler.Handler4, error) {
	path := ""
	if len(args) > 0 && strings.Contains(args[0], "/") {
		path, args = args[0], args[1:]
	}
	name, err := settings.NakWord(args)
	if err != nil {
		return nil, fmt.Errorf("nak: %w", err)
	}
	log := logger.GetLogger("plugins/nak")
	s := &server{word: authority(name), exchanges: &pool.Exchanges, log: quiet.New(log, time.Minute, time.Now)}
	i, err := pool.Joined(path)
	if err != nil {
		return nil, fmt.Errorf("nak: %w", err)
	}
	if i != nil {
		i.Engine.SetAuthority(s.word)
	}
	return guard.Handler4(s.log, "nak", s.handle4), nil
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

// server finishes the replies of one chain.
type server struct {
	word      lease.Authority
	exchanges *dhcp4.Exchanges
	log       *quiet.Logger
}

func (s *server) handle4(req, resp *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) {
	m := dhcp4.ParseRequest(req, resp, dhcp4.Ingress{}, false)
	if resp.MessageType() == dhcpv4.MessageTypeNak {
		return s.refuse(req, m.Identifier, s.reason(req))
	}
	if !s.decided(req) {
		switch check(m, dhcp4.ClientPrefix(req, resp).Addr(), s.word) {
		case drop:
			return nil, true
		case refuse:
			s.log.Info("refused "+string(m.Client), "request refused: another address was found for the client", logrus.Fields{
				"client_id": m.Client, "requested": m.RequestedAddr, "ciaddr": m.ClientAddr, "addr": resp.YourIPAddr,
			})
			return s.refuse(req, m.Identifier, "")
		}
	}
	s.trim(req, resp)
	return resp, false
}

// decided reports whether the netbox plugin answered; it checks everything
// itself.
func (s *server) decided(req *dhcpv4.DHCPv4) bool {
	x := s.exchanges.Find(req)
	return x != nil && x.Decided
}

func (s *server) reason(req *dhcpv4.DHCPv4) lease.Reason {
	if x := s.exchanges.Find(req); x != nil {
		return x.Decision.Reason
	}
	return ""
}

// refuse ends the chain with a DHCPNAK. Firmware ignores one without option 54
// (K-3), and only other plugins know what belongs there.
func (s *server) refuse(req *dhcpv4.DHCPv4, identifier netip.Addr, why lease.Reason) (*dhcpv4.DHCPv4, bool) {
	if !identifier.IsValid() {
		s.log.Error("no option 54", "refusal dropped: no server identifier; put server_id first in the chain", nil)
		return nil, true
	}
	return refusal(req, identifier, explain(why)), true
}

// trim keeps the reply as small as the client needs it. Our own receive
// loop does so too, after plugins that may stand behind this one.
func (s *server) trim(req, resp *dhcpv4.DHCPv4) {
	left, fits := dhcp4.Trim(req, resp)
	if len(left) > 0 {
		s.log.Warn("trimmed", "reply too big for the client: options left out", logrus.Fields{
			"mac": req.ClientHWAddr, "options": left,
		})
	}
	if !fits {
		s.log.Warn("oversized", "reply is bigger than the client says it can take", logrus.Fields{"mac": req.ClientHWAddr})
	}
}
