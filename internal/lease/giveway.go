package lease

import (
	"net/netip"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// outweighs reports whether a REQUEST takes addr from the unanswered offer that
// another client got, which NetBox does not know: the address was offered to this
// one before, lately, or was its own (D-34).
func (d *decider) outweighs(addr netip.Addr, own bool, c *client) bool {
	last := d.l.answerTo(c.id)
	return d.m.Type == Request && d.l.holds.at(addr).stranger &&
		(own || last.addr == addr && last.offered && d.steady.Sub(last.at) < answerMemory)
}

// fromStranger takes the oldest offer on the wire that a client which NetBox does
// not know has not answered, where nothing else is left: offers cost their sender
// nothing, and must not keep others out. none is the choice without it.
func (d *decider) fromStranger(c *client, w wire, none choice) (choice, *ipam.Subnet) {
	for _, entry := range d.l.holdQueue {
		h, held := d.l.holds.find(entry.addr)
		if !held || !h.stranger || h.client == c.id || !h.until.Equal(entry.at) {
			continue
		}
		n := d.networkOf(entry.addr, w.all)
		if n == nil {
			continue
		}
		d.takes = entry.addr
		a := d.s.Address(n.VRF, entry.addr)
		if d.available(a, n, c) && d.offers(d.poolClass(n, c), a) {
			d.choose("offered to a client that has not answered", a)
			one := choice{address: a, reason: ReasonNew}
			if !c.known() {
				one.share = d.share(n)
			}
			return one, n
		}
		d.takes = netip.Addr{}
	}
	return none, nil
}
