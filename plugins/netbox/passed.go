package netbox

import (
	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
)

// passedOver names an address of a known machine that it is not given, and why
// (I-8): people who entered it expect the machine to get it.
func (h *handler) passedOver(x *dhcp4.Exchange) {
	p := x.Decision.Passed
	if p.Address == nil {
		return
	}
	h.Quiet.Func(logrus.WarnLevel, "passed_over "+p.Address.Address.Addr().String(), "an address of the machine is passed over", func() logrus.Fields {
		s := h.Snapshot()
		f := logrus.Fields{
			"client_id": string(x.Message.Client), "port": p.Port.Name, "why": string(p.Why),
			"address": p.Address.Address, "id": p.Address.ID,
			"status": p.Address.Status, "role": p.Address.Role, "vrf": s.VRFName(p.Address.VRF),
		}
		if m := s.Machine(p.Port.Machine); m != nil {
			f["machine"] = m.Name
		}
		return f
	})
}
