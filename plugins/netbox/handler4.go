package netbox

import (
	"context"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

const (
	// maxWorking packets are in work at once; the stock server has no bound of
	// its own (B-1, L-8).
	maxWorking = 256
	// packetTime bounds all work on one packet.
	packetTime = 3 * time.Second
)

// server answers packets from one instance.
type server struct {
	*instance.Instance
	exchanges *dhcp4.Exchanges
	now       func() time.Time
	working   chan struct{}
}

// handle4 is where every error about a packet ends: one log line, one count,
// and silence to the client (H-3).
func (s *server) handle4(req, resp *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) {
	select {
	case s.working <- struct{}{}:
		defer func() { <-s.working }()
	default:
		s.Quiet.Warn("overload", "packet dropped: too many in work", nil)
		return nil, true
	}
	x := s.exchanges.FindOrOpen(req)
	m := dhcp4.ParseRequest(req, resp, x.Ingress, s.Settings.Network.ServerIDOverride)
	if x.Trace == nil && debugging(s.Log) {
		x.Trace = new(lease.Trace)
	}
	x.Message, x.Decision = m, s.decide(m, x.Trace)
	x.Asked, x.Decided = true, true
	return s.speak(req, resp, x)
}

// decide asks the engine and tells log and metrics.
func (s *server) decide(m lease.ClientMessage, trace *lease.Trace) lease.Decision {
	ctx, cancel := context.WithTimeout(context.Background(), packetTime)
	defer cancel()
	start := s.now()
	d, err := s.Engine.Handle(ctx, m, trace)
	s.Metrics.Decided(m.Type, d, s.now().Sub(start))
	s.report(m, d, err, trace)
	return d
}

// speak turns the decision into the reply, or into silence (K-5).
func (s *server) speak(req, resp *dhcpv4.DHCPv4, x *dhcp4.Exchange) (*dhcpv4.DHCPv4, bool) {
	d := x.Decision
	switch d.Verdict {
	case lease.Taken:
		return nil, true
	case lease.Silent, lease.Nak:
		if s.Settings.Lease.Fallthrough && fallsThrough(x.Message.Type, d.Reason) {
			x.Decided = false // the next lease plugin's address says where the client is
			return resp, false
		}
		if d.Verdict == lease.Silent {
			return nil, true
		}
	}
	extra := dhcp4.Extra{SendHostname: s.Settings.Clients.SendHostname}
	if facts := s.Facts(req, resp); facts.Known {
		extra.Config = facts.Config
	}
	if err := dhcp4.Fill(req, resp, d, x.Message, extra); err != nil {
		s.Quiet.Error("fill", "packet dropped", logrus.Fields{"error": err})
		return nil, true
	}
	dhcp4.AvoidRawFrame(req, resp, x.Ingress)
	return resp, false
}

// fallsThrough reports whether a message is for the next lease plugin
// (lease.fallthrough): a DISCOVER that finds no lease here, and what its client
// asks of the other plugin's address later. Trouble and refusals never are.
func fallsThrough(kind lease.MessageType, r lease.Reason) bool {
	switch r {
	case lease.ReasonPoolEmpty, lease.ReasonUnknownClient, lease.ReasonNoSubnet:
		return kind == lease.Discover
	case lease.ReasonNotDynamic:
		return kind == lease.Request
	}
	return false
}
