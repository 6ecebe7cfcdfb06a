package netbox

import (
	"time"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// passedOver names an address of a known machine that it is not given, and why
// (I-8): people who entered it expect the machine to get it. Where another client
// leases it, the line names both (S-11).
func (h *handler) passedOver(x *dhcp4.Exchange) {
	p := &x.Decision.Passed
	if p.Address == nil {
		return
	}
	addr := p.Address.Address.Addr().String()
	level, key, msg := logrus.WarnLevel, "passed_over "+addr, "an address of the machine is passed over"
	switch p.Why {
	case lease.PassedOwner:
		level, key, msg = logrus.ErrorLevel, "two_owners "+addr, "one address on two machines: the other one is served"
	case lease.PassedLeased:
		key, msg = "static_waits "+addr, "a static address waits: another client leases it"
	case lease.PassedNothing:
		if x.Decision.Verdict != lease.Ack {
			return
		}
		level, key, msg = logrus.ErrorLevel, "static_at_once "+addr, "a static address is given while another client leases it (lease.static_at_once)"
	}
	h.Quiet.Func(level, key, msg, func() logrus.Fields { return h.passedFields(x) })
}

func (h *handler) passedFields(x *dhcp4.Exchange) logrus.Fields {
	p, s := &x.Decision.Passed, h.Snapshot()
	f := logrus.Fields{
		"client_id": string(x.Message.Client), "why": string(p.Why),
		"address": p.Address.Address, "id": p.Address.ID,
		"status": p.Address.Status, "role": p.Address.Role, "vrf": s.VRFName(p.Address.VRF),
	}
	if p.Port != nil {
		f["port"] = p.Port.Name
		if m := s.Machine(p.Port.Machine); m != nil {
			f["machine"] = m.Name
		}
	}
	if p.Owner != nil {
		f["served"] = s.PortName(p.Owner.ID)
	}
	if p.Holder != "" {
		f["holder"], f["until"] = string(p.Holder), p.Until.UTC().Format(time.RFC3339)
	}
	return f
}
