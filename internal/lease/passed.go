package lease

import (
	"net/netip"
	"strings"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// PassedOver is an address of a machine that NetBox knows, on the wire that the
// machine is on, which is not given to it (I-8).
type PassedOver struct {
	Address *ipam.Address   // nil: none
	Port    *ipam.Interface // whose it is; nil: it is assigned to none, and names the client (CL-1)
	Why     PassedReason
	Owner   *ipam.Interface // the other port that NetBox assigns it to, which is served
	Holder  ClientID        // who leases it now, until Until
	Until   time.Time       // zero without a Holder
}

// PassedReason says in a few words why an address is passed over.
type PassedReason string

// The closed list of reasons.
const (
	PassedStatus PassedReason = "status" // neither active, reserved nor dhcp
	PassedMirror PassedReason = "mirror" // status dhcp, and the mirror of Windows servers manages it
	PassedRole   PassedReason = "role"   // shared between machines, or a loopback
	PassedVRF    PassedReason = "VRF"    // of another VRF than the network
	PassedHost   PassedReason = "no host address"
	// PassedOwner: NetBox assigns the address to another port as well, which is
	// served (I-9).
	PassedOwner PassedReason = "two owners"
	// PassedLeased: another client leases it, and it waits. PassedNothing: another
	// client leases it, and it is given all the same (S-11).
	PassedLeased  PassedReason = "leased to another client"
	PassedNothing PassedReason = "nothing"
)

// unfit says why an address of the client's interface, with a number in n, is
// not a static address there (I-5); "" if it is one.
func (d *decider) unfit(a *ipam.Address, n *ipam.Subnet) PassedReason {
	switch {
	case !d.s.Serves(a, n):
		return PassedVRF
	case !n.HostIn(a.Address.Addr()):
		return PassedHost
	case !ipam.PlainRole(a.Role):
		return PassedRole
	case a.Status == "dhcp" && a.Managed:
		return PassedMirror
	case !ipam.StaticStatus(a):
		return PassedStatus
	}
	return ""
}

// passOver notes an address that is passed over. The first one is told.
func (d *decider) passOver(a *ipam.Address, port *ipam.Interface, why PassedReason) {
	if d.trace != nil {
		d.trace.addf("I-8", "%s (id %d) on %s is passed over: %s (status %s, role %q, %s)",
			a.Address, a.ID, d.port(port), why, a.Status, a.Role, d.s.VRFName(a.VRF))
	}
	if d.passed.Address == nil {
		d.passed = PassedOver{Address: a, Port: port, Why: why}
	}
}

// elsewhere says where NetBox has an address that it does not have in the VRF of
// the client's network: addresses of other VRFs are not seen by clients.
func (d *decider) elsewhere(addr netip.Addr, n *ipam.Subnet) {
	if d.trace == nil || d.s.Address(n.VRF, addr) != nil {
		return
	}
	if vrfs := d.s.VRFsOf(addr); len(vrfs) > 0 {
		d.trace.addf("N-5", "NetBox has %s in %s only, and the client's network is in %s", addr, strings.Join(vrfs, ", "), d.s.VRFName(n.VRF))
	} else {
		d.trace.addf("N-5", "NetBox has no IP address %s", addr)
	}
}
