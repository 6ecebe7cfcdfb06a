package netbox

import (
	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// claimed names an address that a client which NetBox does not know claims: one that
// it does not get, and why, and one that it begins to lease (CL-8).
func (h *handler) claimed(x *dhcp4.Exchange) {
	c, d := &x.Decision.Claim, &x.Decision
	if c.Address == nil {
		return
	}
	addr := c.Address.Address.Addr().String()
	switch {
	case c.Held != "":
		h.Quiet.Func(logrus.WarnLevel, "claim_held "+addr, "a claimed address is not given", func() logrus.Fields { return h.claimFields(x) })
	case d.Verdict == lease.Ack && d.Reason == lease.ReasonClaimed && d.State == lease.Selecting:
		h.Quiet.Func(logrus.WarnLevel, "claim "+addr, "a static address is leased by a claim: correct the MAC in NetBox, if the machine was replaced", func() logrus.Fields { return h.claimFields(x) })
	}
}

func (h *handler) claimFields(x *dhcp4.Exchange) logrus.Fields {
	c, f := &x.Decision.Claim, h.sender(x)
	f["claims"], f["id"], f["by"], f["value"] = c.Address.Address, c.Address.ID, string(c.Kind), c.Value
	if port := c.Address.Interface; port.ID != 0 {
		f["of"] = h.Snapshot().PortName(port)
	}
	if c.Held != "" {
		f["why"] = string(c.Held)
	}
	if c.Held == lease.HeldOwner {
		f["owner"] = c.Owner.String()
	}
	return f
}
