package lease

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// write is a change on its way to the store, and how it ended.
type write struct {
	client ClientID // whose hold ends with it; empty: no hold ends
	err    error
	stored *storedLease // what the store holds if the change is not it; nil: nothing
	unread bool         // the store did not tell what it holds
}

// promise is commit for a message, which waits for the disk only if there is a
// place (B-9).
func (e *Engine) promise(ctx context.Context, client ClientID, next Lease, expected Revision) error {
	if e.Disk.Take() {
		defer e.Disk.Leave()
		return e.commit(ctx, client, next, expected)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.giveUp(next.Addr)
	return fmt.Errorf("store lease of %s: %w", next.Addr, ErrCrowded)
}

// giveUp takes the mark of work off an address that is not changed after all.
func (e *Engine) giveUp(addr netip.Addr) {
	e.facts.Leases.inWork.drop(addr)
	e.facts.Leases.touch(addr)
}

// commit makes one change durable and then known (S-1, S-2), which ends the
// hold of the client it was for, if any.
func (e *Engine) commit(ctx context.Context, client ClientID, next Lease, expected Revision) error {
	group, writes := []Change{{next, expected}}, []write{{client: client}}
	e.write(ctx, group, writes)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.settle(&group[0], &writes[0])
	return writes[0].err
}

// write has the store carry out a group of changes, and notes in writes how each
// ended. No lock is held meanwhile.
func (e *Engine) write(ctx context.Context, group []Change, writes []write) {
	e.locked(func() {
		for i := range group {
			next := &group[i].Next
			next.Unsynced = next.Unsynced && e.config.WriteBack && (e.config.MakeObjects || !e.facts.Leases.withoutObject(next.Addr))
		}
	})
	store, began := e.current(), time.Now()
	errs := store.CommitGroup(ctx, group)
	took := time.Since(began)
	for i := range writes {
		w := &writes[i]
		w.err = errs[i]
		if e.config.Committed != nil {
			e.config.Committed(took, w.err)
		}
		if w.err != nil {
			w.reread(ctx, store, group[i].Next.Addr)
		}
	}
}

// reread learns what the store holds after a comparison was lost or a write
// failed with unknown outcome (H-3).
func (w *write) reread(ctx context.Context, store Store, addr netip.Addr) {
	stored, current, err := store.Lease(ctx, addr)
	if err != nil {
		w.unread = !errors.Is(err, ErrNotFound)
		return
	}
	w.stored = &storedLease{stored, current}
}

// settle makes known how a change ended.
func (e *Engine) settle(c *Change, w *write) {
	l, addr := e.facts.Leases, c.Next.Addr
	l.inWork.drop(addr)
	switch {
	case w.err == nil:
		if held := l.unhold(w.client); held != addr && held.IsValid() {
			l.touch(held)
		}
		e.echoes.silent.drop(addr)
		e.learn(c.Next, c.Expected+1) // which touches addr
		return
	case w.unread:
		l.unread.set(addr, true)
	case w.stored != nil && w.stored.revision != 0:
		e.learn(w.stored.Lease, w.stored.revision)
		return
	}
	l.touch(addr)
}

// learn takes over what the store holds for one address.
func (e *Engine) learn(l Lease, revision Revision) {
	e.facts.Leases.put(l, revision)
	e.queue(l.Addr, false) // not l: a later change may have been learned before this one
}
