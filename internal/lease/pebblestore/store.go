// Package pebblestore keeps leases in an embedded Pebble database: the store
// of a server that stands alone. It holds no policy and knows no lease but by
// its address; it never answers from anything that is not yet on the disk.
package pebblestore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/quiet"
)

// Store is a lease.Store in a folder of its own. One process at a time has it
// open.
//
// After the first commit whose outcome the disk did not confirm the store is
// failed, for good: every call returns an error, so no ACK leaves on a promise
// that may be gone after a power cut. A later fsync that succeeds proves
// nothing about the pages an earlier one lost. Only a store that is opened
// anew may go on: it reads the log back, writes what it says into new files
// and syncs those. The owner learns it from Failed, abandons the store, and
// opens the folder again.
type Store struct {
	dir   string
	db    *pebble.DB
	lock  *pebble.Lock // of the folder
	disk  io.Closer    // ends the watch over slow disk calls
	fence *fence
	log   logrus.FieldLogger
	quiet *quiet.Logger // for what Pebble says again and again

	// requests feeds committer, the only goroutine that writes.
	requests  chan *request
	committed chan struct{} // closed when committer has ended
	// syncing is the commit under way, nil between commits. What is read while
	// it goes on may not be durable yet.
	syncing atomic.Pointer[round]

	failed  chan struct{} // closed by fail
	failure error         // why, set before failed is closed
	once    sync.Once

	mu     sync.RWMutex
	closed bool
	calls  sync.WaitGroup // calls under way
}

// Open opens the store in dir and creates it where there is none. It refuses a
// folder that another process has open (syscall.EAGAIN), one that a newer version
// wrote, and one that is damaged. On a full disk it may take until there is
// room: run it where it can be left behind.
func Open(dir string, log logrus.FieldLogger) (*Store, error) {
	dir, err := makeFolder(dir)
	if err != nil {
		return nil, fmt.Errorf("open lease store: %w", err)
	}
	return open(dir, log, vfs.Default)
}

// open opens the store in a folder of fs.
func open(dir string, log logrus.FieldLogger, fs vfs.FS) (*Store, error) {
	s := &Store{
		dir:       dir,
		log:       log.WithField("store", dir),
		quiet:     quiet.New(log.WithField("store", dir), time.Minute, time.Now),
		requests:  make(chan *request, maxRound),
		committed: make(chan struct{}),
		failed:    make(chan struct{}),
	}
	fs, s.disk = vfs.WithDiskHealthChecks(fs, slowDisk, nil, s.diskSlow)
	s.fence = newFence(fs)
	if err := roomFor(dir, fs); err != nil {
		return nil, errors.Join(fmt.Errorf("open lease store %s: %w", dir, err), s.disk.Close())
	}
	revs, err := s.loadOrFail()
	if err != nil && s.Err() != nil {
		return nil, errors.Join(fmt.Errorf("open lease store %s: %w", dir, err), s.Abandon())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open lease store %s: %w", dir, err), s.disk.Close())
	}
	s.log.WithField("leases", revs.len()).Info("lease store opened")
	go s.commit(revs)
	return s, nil
}

// Lease implements lease.Store.
func (s *Store) Lease(ctx context.Context, addr netip.Addr) (lease.Lease, lease.Revision, error) {
	if err := s.begin(ctx); err != nil {
		return lease.Lease{}, 0, fmt.Errorf("read lease of %s: %w", addr, err)
	}
	defer s.calls.Done()
	l, rev, err := s.get(ctx, addr)
	if err != nil {
		return lease.Lease{}, 0, fmt.Errorf("read lease of %s: %w", addr, err)
	}
	return l, rev, nil
}

func (s *Store) get(ctx context.Context, addr netip.Addr) (lease.Lease, lease.Revision, error) {
	key, err := encodeKey(addr)
	if err != nil {
		return lease.Lease{}, 0, err
	}
	value, closer, err := s.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		err = lease.ErrNotFound
	}
	if err != nil {
		return lease.Lease{}, 0, err
	}
	l, rev, err := decode(key, value)
	if err := errors.Join(err, closer.Close()); err != nil {
		return lease.Lease{}, 0, err
	}
	return l, rev, s.durable(ctx)
}

// Each implements lease.Store. It shows the leases of one moment.
func (s *Store) Each(ctx context.Context, fn func(lease.Lease, lease.Revision) error) error {
	if err := s.begin(ctx); err != nil {
		return fmt.Errorf("read leases: %w", err)
	}
	defer s.calls.Done()
	it, err := newIter(s.db)
	if err != nil {
		return fmt.Errorf("read leases: %w", err)
	}
	if err := s.durable(ctx); err != nil {
		return errors.Join(fmt.Errorf("read leases: %w", err), it.Close())
	}
	err = each(it, func(l lease.Lease, rev lease.Revision) error {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("read leases: %w", err)
		}
		return fn(l, rev)
	})
	return errors.Join(err, it.Close())
}

// durable waits until everything read before the call is on the disk: a
// commit is visible before it is synced.
func (s *Store) durable(ctx context.Context) error {
	r := s.syncing.Load()
	if r == nil {
		return s.Err()
	}
	select {
	case <-r.done:
		return nil
	case <-s.failed:
		return s.failure
	case <-ctx.Done():
		return ctx.Err()
	}
}

// begin admits a call; the caller ends it with s.calls.Done.
func (s *Store) begin(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-s.failed:
		return s.failure
	default:
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return fmt.Errorf("lease store %s is closed", s.dir)
	}
	s.calls.Add(1)
	return nil
}

// Failed is closed when the store has failed; Err then says why.
func (s *Store) Failed() <-chan struct{} { return s.failed }

// Err is nil until the store has failed.
func (s *Store) Err() error {
	select {
	case <-s.failed:
		return s.failure
	default:
		return nil
	}
}

// fail ends all service: no call succeeds from here on.
func (s *Store) fail(err error) {
	s.once.Do(func() {
		s.failure = fmt.Errorf("lease store %s has failed: %w", s.dir, err)
		close(s.failed)
		s.log.WithError(err).Error("lease store failed, no lease is granted until it can be opened again, " +
			"which is tried without a restart; look for a full or broken disk (df, dmesg)")
	})
}

// Abandon gives the folder of a failed store free: when it returns, nothing of
// this store touches a file any more. On a disk that hangs it waits for the
// disk. What Pebble holds in memory, some megabytes, stays until the process
// ends, since Pebble cannot be closed after a failure.
func (s *Store) Abandon() error {
	if err := errors.Join(s.fence.shut(), s.disk.Close()); err != nil {
		return fmt.Errorf("abandon lease store %s: %w", s.dir, err)
	}
	return nil
}

// Close implements lease.Store. A failed store is not closed: Abandon frees its
// folder.
func (s *Store) Close() error {
	s.mu.Lock()
	again := s.closed
	s.closed = true
	s.mu.Unlock()
	if again {
		<-s.committed
		return nil
	}
	s.calls.Wait()
	close(s.requests)
	select {
	case <-s.committed:
	case <-s.failed:
	}
	if err := s.Err(); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	if err := errors.Join(s.db.Close(), s.lock.Close(), s.disk.Close()); err != nil {
		return fmt.Errorf("close lease store %s: %w", s.dir, err)
	}
	s.log.Info("lease store closed")
	return nil
}
