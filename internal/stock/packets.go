package stock

import (
	"runtime"
	"sync"
	"weak"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
)

// Packets keeps what the plugins of a chain share about a packet from one
// handler to the next (L-15). The stock server has no hook at the end of a
// chain, so an entry goes when its request is collected. Weak pointers of
// different requests are never equal, also where memory is used again. Safe for
// concurrent use; the zero value is ready.
type Packets struct {
	known sync.Map // weak.Pointer[dhcpv4.DHCPv4] -> *dhcp4.Exchange
}

// find returns the entry of req, without an Ingress if it is new. An Exchange
// must not refer to its request, or neither would ever be collected.
func (p *Packets) find(req *dhcpv4.DHCPv4) *dhcp4.Exchange {
	key := weak.Make(req)
	if x, ok := p.known.Load(key); ok {
		return x.(*dhcp4.Exchange)
	}
	x := new(dhcp4.Exchange)
	p.known.Store(key, x)
	runtime.AddCleanup(req, func(key weak.Pointer[dhcpv4.DHCPv4]) { p.known.Delete(key) }, key)
	return x
}
