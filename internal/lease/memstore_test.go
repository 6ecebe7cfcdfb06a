package lease

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"sync"
)

// memStore is a Store in memory whose commits a test can watch, delay and
// break.
type memStore struct {
	mu     sync.Mutex
	leases map[netip.Addr]storedLease
	writes []Lease // every change that was stored, in order
	// before runs ahead of each change, without the lock; its error is
	// the outcome, and nothing is stored.
	before func(Lease) error
	// after runs once a change is stored; its error is the outcome although
	// the change is there.
	after func(Lease) error
	// read is the outcome of Lease, if not nil.
	read  error
	notes map[string][]byte
	// noting is the outcome of SetNote, if not nil; nothing is kept then.
	noting error
}

func newMemStore(leases ...Lease) *memStore {
	s := &memStore{leases: make(map[netip.Addr]storedLease), notes: make(map[string][]byte)}
	for _, l := range leases {
		s.leases[l.Addr] = storedLease{l, 1}
	}
	return s
}

func (s *memStore) Lease(ctx context.Context, addr netip.Addr) (Lease, Revision, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.read != nil {
		return Lease{}, 0, s.read
	}
	stored, ok := s.leases[addr]
	if !ok {
		return Lease{}, 0, ErrNotFound
	}
	return stored.Lease, stored.revision, ctx.Err()
}

func (s *memStore) Each(_ context.Context, fn func(Lease, Revision) error) error {
	for _, stored := range s.all() {
		if err := fn(stored.Lease, stored.revision); err != nil {
			return err
		}
	}
	return nil
}

func (s *memStore) CommitGroup(ctx context.Context, group []Change) []error {
	errs := make([]error, len(group))
	for i, c := range group {
		errs[i] = s.swap(ctx, c.Next, c.Expected)
	}
	return errs
}

func (s *memStore) swap(ctx context.Context, next Lease, rev Revision) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.before != nil {
		if err := s.before(next); err != nil {
			return err
		}
	}
	s.mu.Lock()
	if s.leases[next.Addr].revision != rev {
		s.mu.Unlock()
		return ErrConflict
	}
	s.leases[next.Addr] = storedLease{next, rev + 1}
	s.writes = append(s.writes, next)
	s.mu.Unlock()
	if s.after != nil {
		return s.after(next)
	}
	return nil
}

func (s *memStore) Close() error { return nil }

// put stores l as another server would.
func (s *memStore) put(l Lease) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leases[l.Addr] = storedLease{l, s.leases[l.Addr].revision + 1}
}

// get returns what is stored for an address; the zero Lease if nothing is.
func (s *memStore) get(addr string) Lease {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.leases[netip.MustParseAddr(addr)].Lease
}

func (s *memStore) all() []storedLease {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []storedLease
	for _, stored := range s.leases {
		list = append(list, stored)
	}
	slices.SortFunc(list, func(a, b storedLease) int { return cmp.Or(a.Addr.Compare(b.Addr)) })
	return list
}

func (s *memStore) written() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.writes)
}

func (s *memStore) Notes(ctx context.Context) (map[string][]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.notes), ctx.Err()
}

func (s *memStore) SetNote(ctx context.Context, name string, value []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := errors.Join(ctx.Err(), s.noting); err != nil {
		return err
	}
	if value == nil {
		delete(s.notes, name)
	} else {
		s.notes[name] = slices.Clone(value)
	}
	return nil
}
