package lease

import (
	"slices"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// reserved gives a client the addresses without a device that name its MAC, where
// its interface has none on the wire (CL-1). The client's own networks come first.
func (d *decider) reserved(c client, w wire) client {
	if !d.m.HasMAC || c.refused != "" {
		return c
	}
	list := d.s.ReservedFor(d.m.MAC)
	if len(list) == 0 {
		return c
	}
	c.named = true
	if len(c.statics) > 0 || d.passed.Holder != "" {
		return c
	}
	if c.statics = d.reservedIn(list, w.ownPart()); len(c.statics) == 0 && w.shared() {
		c.statics = d.reservedIn(list, w.others())
	}
	if len(c.statics) > 0 && d.trace != nil {
		d.trace.addf("CL-1", "a custom field of %s (id %d) names MAC %s", c.statics[0].Address, c.statics[0].ID, d.m.MAC)
	}
	return c
}

// reservedIn are those of the addresses that lie in the networks, best first.
func (d *decider) reservedIn(list []*ipam.Address, networks []*ipam.Subnet) []*ipam.Address {
	var fit []*ipam.Address
	for _, a := range list {
		in := d.networkOf(a.Address.Addr(), networks)
		if in == nil {
			continue
		}
		if why := d.unfit(a, in); why != "" {
			d.passOver(a, nil, why)
			continue
		}
		fit = append(fit, a)
	}
	slices.SortFunc(fit, func(a, b *ipam.Address) int { return d.compareStatics(0, a, b) })
	return d.free(fit, nil)
}
