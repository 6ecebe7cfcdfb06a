package instance

import (
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// BootsBy returns what a client boots by: f, or, with claims.boot, what is known of
// the machine whose address it is given by a claim (CL-25). Its redeploy switch counts
// as for the machine itself.
func (i *Instance) BootsBy(x *dhcp4.Exchange, f Facts) Facts {
	claimed := x.Decided && x.Decision.Reason == lease.ReasonClaimed && x.Decision.Claim.Address != nil
	if !i.Settings.Claims.Boot || !f.Known || f.Machine != nil || !claimed {
		return f
	}
	port := f.Snapshot.Interface(x.Decision.Claim.Address.Interface)
	if port == nil {
		return f
	}
	if m := f.Snapshot.Machine(port.Machine); m != nil {
		f.Machine, f.Config = m, f.Snapshot.MachineConfig(m)
	}
	return f
}
