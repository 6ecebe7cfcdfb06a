package lease

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// Errors of End, for the caller to branch on.
var (
	ErrNoLease     = errors.New("no lease of this address runs")
	ErrStatic      = errors.New("it is a static address in NetBox, which has no lease: take the assignment or the reservation away there")
	ErrUnknown     = errors.New("NetBox has no such address, and no lease of it is stored")
	ErrQuarantined = errors.New("it is in quarantine, not leased: leases unquarantine ends that")
	ErrUnreadable  = errors.New("NetBox shows a lease there whose end cannot be read: correct or empty the record in NetBox")
)

// Ended is a lease that the operator ended.
type Ended struct {
	Client ClientID  // as NetBox shows it; empty: the lease was ended by command before
	Until  time.Time // nobody else gets the address before; zero: it may be given now
}

// End ends the running lease of an address by the word of an operator. Its client is
// confirmed there no more. Nobody else gets the address before the time that was
// promised with the last ACK, unless force is set (C-10). The change is durable when it
// returns nil. It returns one of the errors above, ErrInWork, or an error of the store.
func (e *Engine) End(ctx context.Context, addr netip.Addr, force bool) (Ended, error) {
	e.mu.Lock()
	now, l := e.judged(e.config.Now()), e.facts.Leases
	next, revision, ended, err := l.withdrawn(addr, now, force)
	changes := err == nil && next.Addr.IsValid()
	if changes {
		l.inWork.set(addr, Declined)
		l.dropHold(l.holds.at(addr).client)
		l.touch(addr)
	}
	e.mu.Unlock()
	if err != nil {
		return Ended{}, fmt.Errorf("%s: %w", addr, err)
	}
	if !changes {
		return ended, nil
	}
	if err := e.commit(ctx, "", next, revision); err != nil {
		return Ended{}, fmt.Errorf("end the lease of %s: %w", addr, err)
	}
	return ended, nil
}

// withdrawn is what the store has to hold of an address whose lease the operator ends;
// no Addr: it is ended already. NetBox may be alone in showing the lease.
func (l *Leases) withdrawn(addr netip.Addr, now time.Time, force bool) (next Lease, revision Revision, ended Ended, err error) {
	stored, known := l.stored.find(addr)
	a := l.addressOf(addr)
	b := Binding{Client: stored.Shown(), Expires: stored.Expires, State: stored.State}
	if a != nil {
		b = l.binding(a, now)
	}
	switch {
	case l.inWork.at(addr) != "":
		return next, 0, ended, ErrInWork
	case b.running(now) && b.Expires.Equal(forever()):
		return next, 0, ended, ErrUnreadable
	case b.running(now) && b.State == Quarantined:
		return next, 0, ended, ErrQuarantined
	case b.running(now) && b.State == Withdrawn && !force:
		return Lease{}, 0, Ended{Until: b.Expires}, nil
	case b.running(now):
	case a != nil && l.snapshot.IsStatic(a):
		return next, 0, ended, ErrStatic
	case a == nil && !known:
		return next, 0, ended, ErrUnknown
	default:
		return next, 0, ended, ErrNoLease
	}
	next = stored.Lease
	shown := b.Client
	if known && b.Client == l.clientOf(stored.Lease) {
		shown = stored.Shown()
	}
	if b.State != Withdrawn {
		ended.Client = shown
		// What NetBox shows of this lease, or is being told now, is no news (S-12).
		next.ToldClient, next.ToldExpires = shown, b.Expires
	}
	next.Addr, next.Client, next.Hardware, next.Hostname = addr, Declined, "", ""
	next.InterfaceKind, next.InterfaceID, next.ByPort = 0, 0, false
	next.Unsynced = a != nil && l.snapshot.IsDynamic(a) // else NetBox has no place for it
	next.State, next.Expires, ended.Until = Withdrawn, seconds(b.Expires.Add(time.Second-1)), b.Expires
	if force {
		next.State, next.Expires, ended.Until = Released, l.longFree(now), time.Time{}
	}
	return next, stored.revision, ended, nil
}

// longFree is an end of a lease from which on anybody may have had the address by now.
func (l *Leases) longFree(now time.Time) time.Time {
	return seconds(now.Add(-l.policy.ReclaimGrace - time.Second))
}

// addressOf is an address as NetBox has it, in the VRF of its network or else in one that
// has leasable addresses; nil for none.
func (l *Leases) addressOf(addr netip.Addr) *ipam.Address {
	if l.snapshot == nil {
		return nil
	}
	if n, err := l.snapshot.Subnet(addr); err == nil {
		return l.snapshot.Address(n.VRF, addr)
	}
	for vrf := range l.pools {
		if a := l.snapshot.Address(vrf, addr); a != nil {
			return a
		}
	}
	return nil
}
