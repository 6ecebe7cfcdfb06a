package lease

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// promise is commit for a message, which waits for the disk only if there is a
// place (B-9).
func (e *Engine) promise(ctx context.Context, client ClientID, next Lease, expected Revision) error {
	if e.Disk.Take() {
		defer e.Disk.Leave()
		return e.commit(ctx, client, next, expected)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.facts.Leases.inWork, next.Addr)
	e.facts.Leases.touch(next.Addr)
	return fmt.Errorf("store lease of %s: %w", next.Addr, ErrCrowded)
}

// commit makes one change durable and then known (S-1, S-2), which ends the
// hold of the client it was for, if any.
func (e *Engine) commit(ctx context.Context, client ClientID, next Lease, expected Revision) error {
	next.Unsynced = next.Unsynced && e.config.WriteBack
	store, began := e.current(), time.Now()
	revision, err := CompareAndSwap(ctx, store, next, expected)
	if e.config.Committed != nil {
		e.config.Committed(time.Since(began), err)
	}
	read := true
	if err != nil {
		next, revision, read = reread(ctx, store, next.Addr)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	l := e.facts.Leases
	delete(l.inWork, next.Addr)
	if err == nil {
		l.dropHold(client)
		delete(e.echoes.silent, next.Addr)
	}
	if !read {
		l.unread[next.Addr] = true
	}
	if revision != 0 {
		e.learn(next, revision)
	} else {
		l.touch(next.Addr)
	}
	return err
}

// reread learns what the store holds after a comparison was lost or a write
// failed with unknown outcome (H-3). It reports false if the store did not tell.
func reread(ctx context.Context, store Store, addr netip.Addr) (Lease, Revision, bool) {
	stored, revision, err := store.Lease(ctx, addr)
	if err != nil {
		return Lease{Addr: addr}, 0, errors.Is(err, ErrNotFound)
	}
	return stored, revision, true
}

// learn takes over what the store holds for one address.
func (e *Engine) learn(l Lease, revision Revision) {
	e.facts.Leases.put(l, revision)
	e.queue(l.Addr) // not l: a later change may have been learned before this one
}
