package lease

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// minRest is how long a quarantine lasts whatever else is free.
const minRest = 10 * time.Minute

// errUnprobed says that whether a host uses an address could not be asked.
var errUnprobed = errors.New("no echo request could be sent")

// fromQuarantine takes the address on the wire that has rested longest, where
// nothing else is left; it is offered if an echo request stays unanswered.
// none is the choice without it.
func (d *decider) fromQuarantine(c *client, w wire, none choice) (choice, *ipam.Subnet) {
	if !d.f.CanProbe || d.skewed() {
		return none, nil
	}
	one, network, ends := none, (*ipam.Subnet)(nil), time.Time{}
	for addr := range d.l.resting.all() {
		stored := d.l.stored.at(addr)
		rested := stored.Expires.Add(minRest - d.f.Policy.DeclineTime)
		older := one.address == nil || stored.Expires.Before(ends) || stored.Expires.Equal(ends) && addr.Less(one.address.Address.Addr())
		if !older || rested.After(d.now) || !stored.Expires.After(d.now) {
			continue
		}
		n := d.networkOf(addr, w.all)
		if n == nil {
			continue
		}
		d.rested = addr
		if a := d.s.Address(n.VRF, addr); d.available(a, n, c) && d.offers(d.poolClass(n, c), a) {
			one, network, ends = choice{address: a, reason: ReasonNew, rested: true}, n, stored.Expires
		}
	}
	d.rested = netip.Addr{}
	if network == nil {
		return none, nil
	}
	if !c.known() {
		one.share = d.share(network)
	}
	d.choose("longest in quarantine, if it does not answer an echo request", one.address)
	return one, network
}

// wakes ends the quarantine of an address that did not answer, so that the client
// it is held for can accept it.
func (e *Engine) wakes(ctx context.Context, m *ClientMessage, addr netip.Addr) (bool, error) {
	e.mu.Lock()
	next, revision, err := e.facts.Leases.unrested(addr, e.judged(e.config.Now()))
	if err == nil {
		e.facts.Leases.inWork.set(addr, m.Client)
	}
	e.mu.Unlock()
	if err == nil {
		err = e.promise(ctx, "", next, revision)
	}
	if err == nil {
		return true, nil
	}
	e.locked(func() { e.facts.Leases.dropHold(m.Client) })
	if errors.Is(err, ErrConflict) || errors.Is(err, ErrNotQuarantined) || errors.Is(err, ErrInWork) {
		return false, nil // it changed meanwhile
	}
	return false, err
}
