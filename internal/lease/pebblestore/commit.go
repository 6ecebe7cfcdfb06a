package pebblestore

import (
	"context"
	"fmt"
	"net/netip"
	"runtime/debug"

	"github.com/cockroachdb/pebble/v2"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// maxRound bounds the leases in one commit.
const maxRound = 256

// request is one CompareAndSwap, or one SetNote, on its way through the
// committer.
type request struct {
	ctx   context.Context
	lease lease.Lease
	key   []byte
	rev   lease.Revision
	note  *note      // nil for a lease
	reply chan reply // holds one, so that the committer never waits for a caller that left
}

type reply struct {
	rev lease.Revision
	err error
}

// round is one commit: everything that was asked for while the one before it
// was being synced.
type round struct {
	batch *pebble.Batch
	won   []*request
	done  chan struct{} // closed when the commit is on the disk
}

// CompareAndSwap implements lease.Store. A context that ends while the lease
// is being synced leaves the outcome unknown.
func (s *Store) CompareAndSwap(ctx context.Context, next lease.Lease, rev lease.Revision) (lease.Revision, error) {
	if err := s.begin(ctx); err != nil {
		return 0, fmt.Errorf("store lease of %s: %w", next.Addr, err)
	}
	defer s.calls.Done()
	key, err := encodeKey(next.Addr)
	if err != nil {
		return 0, fmt.Errorf("store lease: %w", err)
	}
	req := &request{ctx: ctx, lease: next, key: key, rev: rev, reply: make(chan reply, 1)}
	got := s.ask(req)
	if got.err != nil {
		return 0, fmt.Errorf("store lease of %s: %w", next.Addr, got.err)
	}
	return got.rev, nil
}

// ask hands req to the committer and waits for its reply. A stuck disk holds
// callers no longer than their context.
func (s *Store) ask(req *request) reply {
	select {
	case s.requests <- req:
	case <-s.failed:
		return reply{err: s.failure}
	case <-req.ctx.Done():
		return reply{err: req.ctx.Err()}
	}
	select {
	case got := <-req.reply:
		return got
	case <-s.failed:
		return reply{err: s.failure}
	case <-req.ctx.Done():
		return reply{err: req.ctx.Err()}
	}
}

// commit is the committer. It alone writes, so it compares revisions without a
// lock: revs is what the database holds, by address. Requests that arrive
// during one sync share the next.
func (s *Store) commit(revs map[netip.Addr]lease.Revision) {
	defer close(s.committed)
	defer func() {
		if p := recover(); p != nil { // Pebble panics where the log takes no more writes
			s.fail(fmt.Errorf("panic in commit: %v\n%s", p, debug.Stack()))
		}
	}()
	for first := range s.requests {
		r := s.gather(first, revs)
		if len(r.won) == 0 {
			continue
		}
		s.syncing.Store(r)
		if err := r.batch.Commit(pebble.Sync); err != nil {
			s.fail(fmt.Errorf("commit: %w", err))
		}
		if s.Err() != nil {
			return
		}
		s.syncing.Store(nil)
		close(r.done)
		for _, req := range r.won {
			req.reply <- reply{rev: req.rev + 1}
		}
		_ = r.batch.Close() // gives the memory back; the error is that of Commit
	}
}

// gather compares first and all else that has been asked for by now, answers
// the losers and collects the winners for one commit.
func (s *Store) gather(first *request, revs map[netip.Addr]lease.Revision) *round {
	r := &round{batch: s.db.NewBatch(), done: make(chan struct{})}
	var value []byte
	for req := first; req != nil; req = s.next(len(r.won)) {
		if err := req.ctx.Err(); err != nil {
			req.reply <- reply{err: err}
			continue
		}
		if req.note != nil {
			r.write(req, req.note.value(req.key))
			continue
		}
		if revs[req.lease.Addr] != req.rev {
			req.reply <- reply{err: lease.ErrConflict}
			continue
		}
		value = appendValue(value[:0], req.key, req.lease, req.rev+1)
		if r.write(req, value) {
			revs[req.lease.Addr] = req.rev + 1
		}
	}
	return r
}

// write makes the change of req part of the commit; no value removes the key.
func (r *round) write(req *request, value []byte) bool {
	var err error
	if value == nil {
		err = r.batch.Delete(req.key, nil)
	} else {
		err = r.batch.Set(req.key, value, nil)
	}
	if err != nil {
		req.reply <- reply{err: err}
		return false
	}
	r.won = append(r.won, req)
	return true
}

// next is the next request that waits, or nil if none does or the round is
// full.
func (s *Store) next(gathered int) *request {
	if gathered == maxRound {
		return nil
	}
	select {
	case req := <-s.requests: // nil once the channel is closed
		return req
	default:
		return nil
	}
}
