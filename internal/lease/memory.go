package lease

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"sync"
)

// MemoryStore keeps leases as long as it lives, for rehearsals (explain) where
// nothing may be written. It must not serve clients.
type MemoryStore struct {
	mu     sync.Mutex
	leases map[netip.Addr]storedLease
	notes  map[string][]byte
}

// NewMemoryStore returns a store with the given leases.
func NewMemoryStore(leases ...Lease) *MemoryStore {
	s := &MemoryStore{leases: make(map[netip.Addr]storedLease), notes: make(map[string][]byte)}
	for _, l := range leases {
		s.leases[l.Addr] = storedLease{l, 1}
	}
	return s
}

// Lease implements Store.
func (s *MemoryStore) Lease(_ context.Context, addr netip.Addr) (Lease, Revision, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	stored, ok := s.leases[addr]
	if !ok {
		return Lease{}, 0, ErrNotFound
	}
	return stored.Lease, stored.revision, nil
}

// Each implements Store.
func (s *MemoryStore) Each(ctx context.Context, fn func(Lease, Revision) error) error {
	s.mu.Lock()
	all := maps.Clone(s.leases)
	s.mu.Unlock()
	for _, addr := range slices.SortedFunc(maps.Keys(all), netip.Addr.Compare) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := fn(all[addr].Lease, all[addr].revision); err != nil {
			return err
		}
	}
	return nil
}

// CommitGroup implements Store.
func (s *MemoryStore) CommitGroup(ctx context.Context, group []Change) []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	errs := make([]error, len(group))
	for i, c := range group {
		switch err := ctx.Err(); {
		case err != nil:
			errs[i] = err
		case s.leases[c.Next.Addr].revision != c.Expected:
			errs[i] = ErrConflict
		default:
			s.leases[c.Next.Addr] = storedLease{c.Next, c.Expected + 1}
		}
	}
	return errs
}

// Notes implements Store.
func (s *MemoryStore) Notes(ctx context.Context) (map[string][]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.notes), ctx.Err()
}

// SetNote implements Store.
func (s *MemoryStore) SetNote(ctx context.Context, name string, value []byte) error {
	if err := errors.Join(ctx.Err(), CheckNote(name, value)); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if value == nil {
		delete(s.notes, name)
	} else {
		s.notes[name] = slices.Clone(value)
	}
	return nil
}

// Close implements Store.
func (*MemoryStore) Close() error { return nil }
