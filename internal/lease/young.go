package lease

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// youngNote is the name of the note that says until when a store may lack leases
// that still run. It is written once a store has been judged.
const youngNote = "store is young until"

// trustStore says that the store holds all leases there are, whatever is in it.
func (e *Engine) trustStore() { e.notes[youngNote] = []byte(time.Time{}.Format(time.RFC3339)) }

// keepAge learns until when a store may lack leases. One that is empty and has no
// note waits for a snapshot, which tells whether there were leases before: a
// volume that is not mounted looks like a first start (H-6). One that was restored
// waits, too (C-32).
func (e *Engine) keepAge(ctx context.Context, store Store, leases bool) error {
	e.mu.Lock()
	note, noSettings := e.notes[youngNote], e.config.Policy.longest() == 0
	_, e.facts.FromBackup = backupOf(e.notes)
	e.unjudged = !noSettings && (e.restoredNow() || note == nil && !leases)
	unjudged := e.unjudged
	e.mu.Unlock()
	if noSettings || unjudged {
		return nil
	}
	if note == nil {
		return e.setAge(ctx, store, time.Time{})
	}
	until, _ := time.Parse(time.RFC3339, string(note)) // what cannot be read says nothing
	e.locked(func() { e.facts.YoungUntil = until })
	return nil
}

// awaitsJudgement reports whether the store is empty and no snapshot told yet why.
func (e *Engine) awaitsJudgement() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.unjudged
}

// setAge notes until when the store may lack leases.
func (e *Engine) setAge(ctx context.Context, store Store, until time.Time) error {
	e.locked(func() { e.facts.YoungUntil = until })
	return e.noteIn(ctx, store, youngNote, []byte(until.Format(time.RFC3339)))
}

// judge gives an empty or restored store the leases that NetBox shows, and notes for how long
// others may run. Dynamic clients get no lease until it is done (H-6).
func (e *Engine) judge(ctx context.Context, store Store, s *ipam.Snapshot) error {
	e.judging.Lock()
	defer e.judging.Unlock()
	e.mu.Lock()
	due := e.unjudged && e.store == store
	e.mu.Unlock()
	if !due {
		return nil
	}
	var until time.Time
	if e.hadLeases(s) {
		if err := e.seed(ctx, store, s); err != nil {
			return err
		}
		until = e.config.Now().UTC().Add(e.LongestLease())
	}
	if err := e.setAge(ctx, store, until); err != nil {
		return err
	}
	if err := e.judgedBackup(ctx, store, until); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.store == store {
		e.unjudged, e.facts.Storeless = false, false
	}
	return nil
}

// judgeBeside is judge for a snapshot that comes after the store. It does not
// hold up the snapshot: a disk may hang. What fails is tried again with the next
// snapshot, and by Attach.
func (e *Engine) judgeBeside(s *ipam.Snapshot) {
	store := e.current()
	e.beside.Go(func() {
		if err := e.judge(context.Background(), store, s); err != nil {
			e.config.Log.WithError(err).Error("the lease store is empty or restored and cannot be given the leases that NetBox shows: dynamic clients get no lease")
		}
	})
}

// AwaitStore returns when the store was judged by the snapshots so far (H-6), for a
// rehearsal, whose store does not hang.
func (e *Engine) AwaitStore() { e.beside.Wait() }

// seed makes durable what NetBox shows of leases, running or ended.
func (e *Engine) seed(ctx context.Context, store Store, s *ipam.Snapshot) error {
	for some := range slices.Chunk(slices.Collect(maps.Values(e.seeds(s))), writesAtOnce) {
		group := make([]Change, len(some))
		for i, l := range some {
			group[i] = Change{Next: l}
		}
		for i, err := range store.CommitGroup(ctx, group) {
			switch {
			case errors.Is(err, ErrConflict): // an earlier attempt got this far, or the backup knows the address
			case err != nil:
				return fmt.Errorf("give the store the leases of NetBox: %w", err)
			default:
				e.locked(func() { e.learn(some[i], 1) })
			}
		}
	}
	return nil
}

// seeds are the leases that the records of s stand for, told to NetBox. A record
// that cannot be read, or whose address is in several VRFs, goes on to count by
// itself (S-5), and so do all where clients are told by identifiers, which NetBox
// does not show (I-13).
func (e *Engine) seeds(s *ipam.Snapshot) map[netip.Addr]Lease {
	if e.config.Policy.ByIdentifier {
		return nil
	}
	return recordedLeases(s)
}

// recordedLeases are the leases of s by address, as if each was told to NetBox.
func recordedLeases(s *ipam.Snapshot) map[netip.Addr]Lease {
	seeds, seen := make(map[netip.Addr]Lease), make(map[netip.Addr]bool)
	for _, a := range s.Objects().Addresses {
		host, b := a.Address.Addr(), recorded(a)
		if !s.Leasable(a) {
			continue
		}
		if seen[host] {
			delete(seeds, host)
			continue
		}
		seen[host] = true
		if b.Client == "" || b.Expires.Equal(forever()) {
			continue
		}
		seeds[host] = Lease{
			Addr: host, Client: b.Client, State: b.State, Expires: seconds(b.Expires),
			SyncedAt: a.LastUpdated, ToldClient: b.Client, ToldExpires: b.Expires,
		}
	}
	return seeds
}

// recordsLeases reports whether NetBox shows any lease, running or ended: then an
// empty store is no first start.
func recordsLeases(s *ipam.Snapshot) bool {
	for _, a := range s.Objects().Addresses {
		if recorded(a).Client != "" {
			return true
		}
	}
	return false
}

// hadLeases reports whether NetBox, a copy or a backup shows that there were leases
// before.
func (e *Engine) hadLeases(s *ipam.Snapshot) bool {
	e.mu.Lock()
	restored := e.restored || e.restoredNow()
	e.mu.Unlock()
	return restored || recordsLeases(s)
}

// young reports whether leases may run that the store has lost (H-6). A clock that
// is not trusted does not end that (S-14).
func (d *decider) young() bool {
	return d.now.Before(d.f.YoungUntil) || d.f.Distrusted && !d.f.YoungUntil.IsZero()
}

// mayBeLost reports whether addr may be the client's by a lease that was lost:
// no other client is known there.
func (d *decider) mayBeLost(a *ipam.Address, n *ipam.Subnet, c *client) bool {
	if a == nil || !d.young() || d.stale || d.f.Storeless || d.l.binding(a, d.now).Client != "" {
		return false
	}
	reason, _ := d.mayHave(a, n, c)
	return reason == ""
}

// mayBeUsed reports whether the last client of a, which is not c, may have a
// newer lease that was lost: then only silence after an echo request lets another
// client have the address. In a restored store that may be any address but one that the
// client itself leases (C-32).
func (d *decider) mayBeUsed(a *ipam.Address, c *client) bool {
	if !d.young() {
		return false
	}
	b := d.binding(a)
	if d.f.FromBackup {
		return b.Client != c.id || !b.running(d.now)
	}
	return b.Client != "" && b.Client != c.id
}

// unproved reports whether an ended lease of another client at a was not probed
// for c: an offer is, and its hold tells so (H-6). A client that renews in a restored
// store uses the address now (C-32).
func (d *decider) unproved(a *ipam.Address, c *client) bool {
	if d.m.Type == Discover || d.state == Renewing || !d.mayBeUsed(a, c) || d.l.heldBy[c.id] == a.Address.Addr() {
		return false
	}
	if d.trace != nil {
		d.trace.addf("H-6", "the store is new and another client may still use %s", a.Address.Addr())
	}
	return true
}
