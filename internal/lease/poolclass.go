package lease

import (
	"slices"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// poolClass is which part of a network's pool a client is offered new addresses of
// (OPT-14). The zero value is all of it.
type poolClass struct {
	tag   int64   // that its class names; 0: none
	apart []int64 // that other classes of the network name
}

// poolClass finds out what the classes in the contexts of n say of the client.
func (d *decider) poolClass(n *ipam.Subnet, c *client) (p poolClass) {
	if !d.s.HasPoolTags() {
		return p
	}
	options := d.s.Data(n, c.machine).Options
	name, source := options.PoolTag(d.m.Sender)
	p.tag = d.s.PoolTag(name)
	for _, other := range options.PoolTags() {
		if id := d.s.PoolTag(other); id != 0 && id != p.tag && !slices.Contains(p.apart, id) {
			p.apart = append(p.apart, id)
		}
	}
	if p.tag != 0 && d.trace != nil {
		d.trace.addf("OPT-14", "new addresses of %s for this client have the tag %s, says %s", n.Prefix.Prefix, name, source)
	}
	return p
}

// offers reports whether the client can be offered a, which is not its own, by its
// class.
func (d *decider) offers(p poolClass, a *ipam.Address) bool {
	if p.tag != 0 {
		return d.s.HasTag(a, p.tag)
	}
	return !slices.ContainsFunc(p.apart, func(tag int64) bool { return d.s.HasTag(a, tag) })
}

// firstOfClass searches what the client is offered of [low, high).
func (d *decider) firstOfClass(s section, t *tournament, low, high int) (position int, key int64) {
	p := s.part
	if p.tag == 0 {
		return d.firstWithout(s, t, p.apart, low, high)
	}
	key = unavailable
	for _, one := range d.s.Tagged(s.network.VRF, p.tag) {
		if at, k := d.firstFrom(s.pool, t, max(low, one.From), min(high, one.To)); k < key {
			position, key = at, k
		}
	}
	return position, key
}

// firstWithout searches [low, high) without the addresses that have one of the tags.
func (d *decider) firstWithout(s section, t *tournament, tags []int64, low, high int) (position int, key int64) {
	if len(tags) == 0 {
		return d.firstFrom(s.pool, t, low, high)
	}
	key = unavailable
	better := func(at int, k int64) {
		if k < key {
			position, key = at, k
		}
	}
	for _, one := range d.s.Tagged(s.network.VRF, tags[0]) {
		if one.To <= low {
			continue
		}
		if one.From >= high {
			break
		}
		better(d.firstWithout(s, t, tags[1:], low, one.From))
		low = one.To
	}
	better(d.firstWithout(s, t, tags[1:], low, high))
	return position, key
}
