package instance

import (
	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// BootsBy returns what a client boots by: f, or, with claims.boot, what is known of
// the machine whose address it is given by a claim (CL-25). Its redeploy switch counts
// as for the machine itself.
func (i *Instance) BootsBy(req *dhcpv4.DHCPv4, f Facts) Facts {
	x := i.pool.Exchanges.Find(req)
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
