package netbox

import (
	"context"
	"errors"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/quiet"
)

const (
	// maxWorking packets are in work at once on the stock server, which has no
	// bound of its own, besides those that wait for something slow (B-1, B-9, L-8).
	maxWorking = 256 + lease.DiskPlaces + lease.EchoPlaces
	// packetTime bounds all work on one packet.
	packetTime = 3 * time.Second
)

// handler answers packets from one instance.
type handler struct {
	*instance.Instance
	now     func() time.Time
	sharers sharers
	daily   *quiet.Logger // for what is told once a day
}

// handle4 is where every error about a packet ends: one log line, one count,
// and silence to the client (H-3).
func (h *handler) handle4(x *dhcp4.Exchange, req, resp *dhcp4.Packet) (*dhcp4.Packet, bool) {
	m := &x.Message
	dhcp4.ReadRequest(m, req, resp, x.Ingress, h.Settings.Network.ServerIDOverride)
	if h.Settings.Claims.Serial {
		m.Serial = dhcp4.Serial(req)
	}
	if x.Trace == nil && quiet.Debugging(h.Log) {
		x.Trace = new(lease.Trace)
	}
	if s := h.Snapshot(); s != nil && s.HasPoolTags() { // OPT-14
		m.Sender = dhcp4.OptionClient(req)
	}
	x.Asked, x.Decided = true, true
	if x.Rehearsal {
		x.Decision = h.Engine.Rehearse(*m, x.Trace)
		return h.speak(req, resp, x)
	}
	if err := h.decide(x); errors.Is(err, lease.ErrWaits) {
		x.Waits = true
		return nil, true
	}
	if x.Promise != nil {
		x.Promised = h.promised
	}
	return h.speak(req, resp, x)
}

// decide asks the engine and tells metrics and log, unless the reply has to wait. ErrWaits says that a worker has to.
func (h *handler) decide(x *dhcp4.Exchange) error {
	start := h.now()
	err := h.start(x)
	if errors.Is(err, lease.ErrWaits) {
		if x.Prompt {
			return err
		}
		ctx, cancel := context.WithTimeout(context.Background(), packetTime)
		defer cancel()
		x.Decision, err = h.Engine.Handle(ctx, x.Message, x.Trace)
	}
	if x.Promise == nil {
		now := h.now()
		h.Metrics.Decided(x.Message.Type, &x.Decision, now.Sub(start))
		h.report(x, now, err)
	}
	return err
}

// start decides where no wait is needed, and where the reply can wait (B-16).
func (h *handler) start(x *dhcp4.Exchange) (err error) {
	switch {
	case x.Promise != nil: // it was not kept
		x.Promise, err = x.Promise.Again(&x.Decision, &x.Message, x.Trace)
	case x.Parks:
		x.Promise, err = h.Engine.Start(&x.Decision, &x.Message, x.Trace)
	default:
		err = lease.ErrWaits
	}
	return err
}

// promised tells of a decision whose change is durable now.
func (h *handler) promised(x *dhcp4.Exchange) {
	h.Metrics.Decided(x.Message.Type, &x.Decision, time.Since(x.Promise.Began()))
	h.report(x, h.now(), nil)
}

// speak turns the decision into the reply, or into silence (K-5).
func (h *handler) speak(req, resp *dhcp4.Packet, x *dhcp4.Exchange) (*dhcp4.Packet, bool) {
	d := &x.Decision
	switch d.Verdict {
	case lease.Taken:
		return nil, true
	case lease.Silent, lease.Nak:
		if h.Settings.Lease.Fallthrough && fallsThrough(x.Message.Type, d.Reason) {
			x.Decided = false // the next lease plugin's address says where the client is
			return resp, false
		}
		if d.Verdict == lease.Silent {
			return nil, true
		}
	}
	extra := dhcp4.Extra{SendHostname: h.Settings.Clients.SendHostname, Registration: h.Registration(&x.Message, d)}
	facts := h.Facts(x, req, resp)
	if facts.Known {
		extra.Config = facts.Config
	}
	if err := dhcp4.Fill(req, resp, d, extra); err != nil {
		h.Quiet.Error("fill", "packet dropped", logrus.Fields{"error": err})
		return nil, true
	}
	h.addOptions(req, resp, x, facts)
	if x.Rehearsal {
		return resp, false
	}
	if id := x.Message.ClientIdentifier; h.Settings.Lease.Identify != "client_id" && d.Verdict == lease.Ack && d.State == lease.Renewing && len(id) > 0 &&
		h.sharers.alternate(x.Message.Client, id) { // I-3
		h.Quiet.Warn("shared MAC", "one address for two clients: their identifiers renew in turn; lease.identify: client_id gives each an address of its own", fields(&x.Message, d))
	}
	if extra.SendHostname && d.Verdict == lease.Ack {
		h.missHostName(req, resp, d)
	}
	return resp, false
}

// missHostName says why a client that asked for its name does not get it.
func (h *handler) missHostName(req, resp *dhcp4.Packet, d *lease.Decision) {
	if d.Machine == nil || resp.Options.Has(dhcpv4.OptionHostName) || resp.Options.Has(dhcpv4.OptionFQDN) ||
		!dhcp4.Wanted(req, dhcpv4.OptionHostName) {
		return
	}
	h.Quiet.Warn("host name", "no host name sent", logrus.Fields{
		"machine": d.Machine.Name, "reason": "its name in NetBox is no host name: letters, digits and hyphens, with dots between labels",
	})
}

// fallsThrough reports whether a message is for the next lease plugin
// (lease.fallthrough): a DISCOVER that finds no lease here, and what its client
// asks of the other plugin's address later. Trouble and refusals never are.
func fallsThrough(kind lease.MessageType, r lease.Reason) bool {
	switch r {
	case lease.ReasonPoolEmpty, lease.ReasonUnknownClient, lease.ReasonNoSubnet, lease.ReasonRelayUnknown:
		return kind == lease.Discover
	case lease.ReasonNotDynamic:
		return kind == lease.Request
	}
	return false
}
