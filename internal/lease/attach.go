package lease

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// writesAtOnce is how many leases a store is given back with one write.
const writesAtOnce = 256

// Attach makes store the one that leases are kept in from now on, and learns
// what it holds. What the engine promised and the store has lost is written to
// it first, so that an ACK outlives a store that was damaged or moved away
// (H-5). An error leaves the engine without a store.
func (e *Engine) Attach(ctx context.Context, store Store) error {
	held := make(map[netip.Addr]storedLease)
	err := store.Each(ctx, func(l Lease, revision Revision) error {
		held[l.Addr] = storedLease{l, revision}
		return nil
	})
	if err != nil {
		return fmt.Errorf("load leases: %w", err)
	}
	notes, err := store.Notes(ctx)
	if err != nil {
		return fmt.Errorf("load notes: %w", err)
	}
	lost := e.lost(held, notes)
	if err := giveBack(ctx, store, held, lost); err != nil {
		return err
	}
	if err := e.attachNotes(ctx, store, notes); err != nil {
		return err
	}
	if err := e.keepLongest(ctx, store); err != nil {
		return err
	}
	promised := slices.ContainsFunc(lost, func(l storedLease) bool { return l.revision != restoredRevision })
	if err := e.keepAge(ctx, store, len(held) > 0 || promised); err != nil {
		return err
	}
	if err := e.attachMarks(ctx, store); err != nil {
		return err
	}
	s := e.begun(store, held, lost)
	if s == nil {
		return nil
	}
	if err := e.judge(ctx, store, s); err != nil {
		e.Detach()
		return err
	}
	return nil
}

// begun takes over what store holds. It returns the snapshot that an empty store
// is to be judged by now, nil for none.
func (e *Engine) begun(store Store, held map[netip.Addr]storedLease, lost []storedLease) *ipam.Snapshot {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.attachClock(e.config.Now(), held)
	e.attachHeard()
	if len(held) > 0 {
		e.facts.Leases.forgetRestored()
	}
	for _, l := range lost {
		e.facts.Leases.replace(l.Lease, held[l.Addr].revision+1)
		e.queue(l.Addr, true)
		delete(held, l.Addr)
	}
	for _, l := range held {
		e.facts.Leases.put(l.Lease, l.revision)
		e.queue(l.Addr, true)
	}
	e.store, e.facts.Storeless = store, e.unjudged
	if e.unjudged {
		return e.facts.Snapshot
	}
	return nil
}

// lost lists the leases that are known to be durable and that the store does
// not hold, or holds in an earlier version. Those of a copy count only for a store
// that holds nothing (H-10), and in one that was just restored from a backup where that
// knows no lease that runs (C-32).
func (e *Engine) lost(held map[netip.Addr]storedLease, notes map[string][]byte) []storedLease {
	e.mu.Lock()
	defer e.mu.Unlock()
	b, there := backupOf(notes)
	restored, now := there && !b.Judged, e.config.Now()
	var lost []storedLease
	for addr, known := range e.facts.Leases.stored.all() {
		ours := held[addr]
		copied := known.revision == restoredRevision && (len(held) == 0 || restored && !ours.Expires.After(now) && known.Expires.After(ours.Expires))
		if ours.revision < known.revision || copied {
			lost = append(lost, known)
		}
	}
	return lost
}

func giveBack(ctx context.Context, store Store, held map[netip.Addr]storedLease, lost []storedLease) error {
	for some := range slices.Chunk(lost, writesAtOnce) {
		group := make([]Change, len(some))
		for i, l := range some {
			group[i] = Change{l.Lease, held[l.Addr].revision}
		}
		if err := errors.Join(store.CommitGroup(ctx, group)...); err != nil {
			return fmt.Errorf("give the store back what it has lost: %w", err)
		}
	}
	return nil
}

// Detach takes the store away, after it failed. Static hosts are served as
// before; what is known of leases stays known (H-5).
func (e *Engine) Detach() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.store, e.facts.Storeless = nil, true
}

// current is the store, or one that refuses everything.
func (e *Engine) current() Store {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.store == nil {
		return noStore{}
	}
	return e.store
}

// noStore stands where there is no store.
type noStore struct{}

func (noStore) Lease(context.Context, netip.Addr) (Lease, Revision, error) {
	return Lease{}, 0, ErrNoStore
}

func (noStore) Each(context.Context, func(Lease, Revision) error) error { return ErrNoStore }

func (noStore) CommitGroup(_ context.Context, group []Change) []error {
	return slices.Repeat([]error{ErrNoStore}, len(group))
}

func (noStore) Notes(context.Context) (map[string][]byte, error) { return nil, ErrNoStore }

func (noStore) SetNote(context.Context, string, []byte) error { return ErrNoStore }

func (noStore) Close() error { return nil }
