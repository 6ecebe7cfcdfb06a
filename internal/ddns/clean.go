package ddns

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Clean removes what this server has in a zone. No server may use the file meanwhile.
type Clean struct {
	registry *registry
	send     sender
}

// OpenClean reads the file of what is registered. name must be that of one of zones.
func OpenClean(path string, zones []Zone, name string) (*Clean, error) {
	var policy Policy
	policy.SetZones(zones)
	for _, z := range policy.zones {
		if z.name != fqdn(name) {
			continue
		}
		c := &Clean{registry: newRegistry(policy.zones), send: sender{z, 2 * time.Second, 5 * time.Second, time.Now}}
		return c, c.registry.open(path, time.Now())
	}
	return nil, fmt.Errorf("%s is no zone of netbox.ddns.zones: put it there, with server and key", name)
}

// Entries lists what may be in DNS in the zone.
func (c *Clean) Entries() (list []Entry) {
	for _, e := range entriesOf(c.registry.list()) {
		if fqdn(e.Zone) == c.send.zone.name && e.State != string(Conflict) && e.State != string(Refused) {
			list = append(list, e)
		}
	}
	return list
}

// Remove removes what Entries lists, and says how many were removed. It stops where
// nothing can be done in the zone now; what a server refuses is passed over.
func (c *Clean) Remove(ctx context.Context) (removed int, err error) {
	now := time.Now()
	c.registry.displace(c.send.zone.name)
	if err := c.registry.flush(); err != nil {
		return 0, err
	}
	var refused error
	for steps := c.registry.take(c.send.zone.name, 1, now); len(steps) > 0; steps = c.registry.take(c.send.zone.name, 1, now) {
		outcome, err := c.send.carryOut(ctx, steps[0])
		c.registry.settle(steps[0], outcome, now)
		switch outcome {
		case Failed:
			return removed, errors.Join(err, c.registry.flush())
		case Rejected:
			refused = err
		case Done, Taken:
			removed++
		}
	}
	return removed, errors.Join(refused, c.registry.flush())
}

// Close ends the use of the file.
func (c *Clean) Close() error { return c.registry.close() }

// displace makes all records of a zone such that are to be removed. Those of other zones
// stay as they are.
func (r *registry) displace(zone string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range r.bindings {
		forward, reverse := b.Forward, b.Reverse
		if forward != nil && forward.Zone == zone {
			forward = nil
		}
		if reverse != nil && reverse.Zone == zone {
			reverse = nil
		}
		if forward != b.Forward || reverse != b.Reverse {
			b.replace(forward, reverse)
			r.changed(b)
		}
	}
}
