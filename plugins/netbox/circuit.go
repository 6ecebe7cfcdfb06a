package netbox

import (
	"time"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/circuit"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// circuit tells of a message whose circuit counts: once a day of a relay that sends
// none, or sends one that cannot be followed (CL-17), and of a switch port with
// another machine than NetBox has there (CL-18).
func (h *handler) circuit(x *dhcp4.Exchange, now time.Time) {
	c := x.Decision.Circuit
	if c == nil {
		return
	}
	h.CircuitSeen(&x.Message, &x.Decision, now)
	relay := x.Message.Relay.String()
	switch c.Result {
	case lease.CircuitLeads:
		if x.Decision.WrongCable() {
			h.daily.Func(logrus.WarnLevel, "wrong_cable "+h.Snapshot().PortName(c.Port.ID), "a device is at the port of another one: correct the cable, or the cable in NetBox", func() logrus.Fields { return h.cableFields(x) })
		}
	case lease.CircuitAbsent:
		h.daily.Func(logrus.WarnLevel, "no_circuit "+relay, "a relay of network.circuits.relays passes messages on without option 82: let it set the option for each client, or take it off the list",
			func() logrus.Fields { return h.sender(x) })
	case lease.CircuitUnread, lease.CircuitNoSwitch, lease.CircuitNoPort:
		h.daily.Func(logrus.WarnLevel, "circuit_"+string(c.Result)+" "+relay, "a circuit leads nowhere: coredhcp-netbox circuits lists them", func() logrus.Fields {
			f := h.sender(x)
			f["circuit"], f["remote"], f["why"] = circuit.Text(x.Message.Circuit), circuit.Text(x.Message.Remote), c.Result.Words()
			return f
		})
	}
}

func (h *handler) cableFields(x *dhcp4.Exchange) logrus.Fields {
	f, s, c := h.sender(x), h.Snapshot(), x.Decision.Circuit
	f["port"], f["leads_to"] = s.PortName(c.Port.ID), s.PortName(c.FarEnd.ID)
	if own := x.Decision.Interface; own != nil {
		if far := s.FarEnd(own.ID); far != nil {
			f["own_cable"] = s.PortName(far.ID)
		}
	}
	return f
}
