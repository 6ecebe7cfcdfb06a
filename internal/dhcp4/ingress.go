// Package dhcp4 translates between DHCPv4 packets and the words of package
// lease: ParseRequest one way, Fill the other. It is the only place that knows
// both sides. It does no I/O and keeps no leases.
package dhcp4

import (
	"net/netip"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// Ingress is where a packet came from, as far as the receive loop knows. The
// stock server knows nothing of it: the zero Ingress (F-22).
type Ingress struct {
	Interface string
	Addrs     []netip.Addr // IPv4 addresses of Interface in kernel order
	Bits      []int        // their masks; empty: unknown
	Source    netip.AddrPort
	Delivery  lease.Delivery
	// BootPort says that the message came to port 4011, where boot clients ask a
	// ProxyDHCP server again.
	BootPort bool
}

// Known reports whether a receive loop of ours filled in where the packet came
// from. The stock server knows nothing of it (F-22).
func (in Ingress) Known() bool {
	return in.Interface != "" || in.Delivery != lease.DeliveryUnknown
}
