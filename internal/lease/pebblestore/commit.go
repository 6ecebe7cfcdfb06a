package pebblestore

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/netip"
	"runtime/debug"

	"github.com/cockroachdb/pebble/v2"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// maxRound is how many writes a commit has when no further request joins it.
const maxRound = 256

// usualValue is how many bytes the value of most leases has at most.
const usualValue = 72

// request is one call that writes, on its way through the committer.
type request struct {
	ctx     context.Context
	changes []change
	reply   chan []error // holds one, so that the committer never waits for a caller that left
}

// change is one key that a request changes. It has all that the committer needs, so
// that a caller may leave and use its leases again.
type change struct {
	key, value []byte     // no value removes the key
	addr       netip.Addr // of a lease; not valid: a note, which is compared with nothing
	expected   lease.Revision
	err        error // why it cannot be carried out
}

// revisions are what the database holds. Nearly all are of IPv4 addresses: their keys hold
// nothing that the garbage collector has to look at.
type revisions struct {
	v4    map[[net.IPv4len]byte]lease.Revision
	other map[netip.Addr]lease.Revision
}

func newRevisions() revisions {
	return revisions{make(map[[net.IPv4len]byte]lease.Revision), make(map[netip.Addr]lease.Revision)}
}

func (r revisions) of(addr netip.Addr) lease.Revision {
	if addr.Is4() {
		return r.v4[addr.As4()]
	}
	return r.other[addr]
}

func (r revisions) set(addr netip.Addr, rev lease.Revision) {
	if addr.Is4() {
		r.v4[addr.As4()] = rev
	} else {
		r.other[addr] = rev
	}
}

func (r revisions) len() int { return len(r.v4) + len(r.other) }

// round is one commit: everything that was asked for while the one before it
// was being synced.
type round struct {
	batch    *pebble.Batch
	requests []*request
	errs     [][]error // of each request
	won      int       // writes in batch
	done     chan struct{}
}

// CommitGroup implements lease.Store. A context that ends while the group is being
// synced leaves the outcome of each change unknown.
func (s *Store) CommitGroup(ctx context.Context, group []lease.Change) []error {
	errs := make([]error, len(group))
	err := s.begin(ctx)
	if err == nil {
		defer s.calls.Done()
		errs, err = s.ask(&request{ctx: ctx, changes: changesOf(group), reply: make(chan []error, 1)})
	}
	if err != nil {
		errs = make([]error, len(group))
	}
	for i := range group {
		if cause := errs[i]; cause != nil || err != nil {
			errs[i] = fmt.Errorf("store lease of %s: %w", group[i].Next.Addr, cmp.Or(cause, err))
		}
	}
	return errs
}

// changesOf encodes a group.
func changesOf(group []lease.Change) []change {
	changes := make([]change, len(group))
	buf := make([]byte, 0, usualValue*len(group))
	for i := range group {
		c, next := &changes[i], &group[i].Next
		c.addr, c.expected = next.Addr, group[i].Expected
		if c.key, c.err = encodeKey(next.Addr); c.err == nil {
			begin := len(buf)
			buf = appendValue(buf, c.key, *next, c.expected+1)
			c.value = buf[begin:len(buf):len(buf)]
		}
	}
	return changes
}

// ask hands req to the committer and waits for its reply. A stuck disk holds
// callers no longer than their context.
func (s *Store) ask(req *request) ([]error, error) {
	select {
	case s.requests <- req:
	case <-s.failed:
		return nil, s.failure
	case <-req.ctx.Done():
		return nil, req.ctx.Err()
	}
	select {
	case errs := <-req.reply:
		return errs, nil
	case <-s.failed:
		return nil, s.failure
	case <-req.ctx.Done():
		return nil, req.ctx.Err()
	}
}

// commit is the committer. It alone writes, so it compares revisions without a
// lock: revs is what the database holds, by address. Requests that arrive
// during one sync share the next.
func (s *Store) commit(revs revisions) {
	defer close(s.committed)
	defer func() {
		if p := recover(); p != nil { // Pebble panics where the log takes no more writes
			s.fail(fmt.Errorf("panic in commit: %v\n%s", p, debug.Stack()))
		}
	}()
	for first := range s.requests {
		r := s.gather(first, revs)
		if r.won > 0 {
			s.syncing.Store(r)
			if err := r.batch.Commit(pebble.Sync); err != nil {
				s.fail(fmt.Errorf("commit: %w", err))
			}
			if s.Err() != nil {
				return
			}
			s.syncing.Store(nil)
		}
		close(r.done)
		for i, req := range r.requests {
			req.reply <- r.errs[i]
		}
		_ = r.batch.Close() // gives the memory back; the error is that of Commit
	}
}

// gather compares first and all else that has been asked for by now, and collects
// what wins for one commit.
func (s *Store) gather(first *request, revs revisions) *round {
	r := &round{batch: s.db.NewBatch(), done: make(chan struct{})}
	for req := first; req != nil; req = s.next(r.won) {
		errs := make([]error, len(req.changes))
		late := req.ctx.Err()
		for i := range req.changes {
			c := &req.changes[i]
			if errs[i] = cmp.Or(late, c.err); errs[i] == nil {
				errs[i] = r.add(c, revs)
			}
		}
		r.requests, r.errs = append(r.requests, req), append(r.errs, errs)
	}
	return r
}

// add makes c part of the commit, unless its comparison is lost.
func (r *round) add(c *change, revs revisions) (err error) {
	switch {
	case c.addr.IsValid() && revs.of(c.addr) != c.expected:
		return lease.ErrConflict
	case c.value == nil:
		err = r.batch.Delete(c.key, nil)
	default:
		err = r.batch.Set(c.key, c.value, nil)
	}
	if err != nil {
		return err
	}
	r.won++
	if c.addr.IsValid() {
		revs.set(c.addr, c.expected+1)
	}
	return nil
}

// next is the next request that waits, or nil if none does or the round is
// full.
func (s *Store) next(gathered int) *request {
	if gathered >= maxRound {
		return nil
	}
	select {
	case req := <-s.requests: // nil once the channel is closed
		return req
	default:
		return nil
	}
}
