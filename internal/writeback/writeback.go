// Package writeback tells NetBox about leases: it takes what the engine marked
// as not yet told, and brings the records of those addresses up to date. It is
// never on the packet path and decides nothing about leases. The marks in the
// store are its queue (S-4), so nothing is lost when it stops at any moment. It also
// writes the reservation that an operator makes of a lease.
package writeback

import (
	"context"
	"net/netip"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/quiet"
)

const (
	// gather is how long the first change of a burst waits for others: the
	// changes of one lease become one write (S-10), those of many one request.
	// It leaves most of the 10 s of A-3 to NetBox.
	gather = 2 * time.Second
	// maxRows bounds one call of Write; it cuts its own requests.
	maxRows = 250
	// later is how long a lease that NetBox does not take has to wait.
	later = 5 * time.Minute
	// soon is when one lease is tried again where NetBox took none of the last call:
	// what refused them all, such as a missing custom field, may be repaired.
	soon = 30 * time.Second
	// flushTime bounds the work after Run was told to end.
	flushTime = 5 * time.Second
	// maxRetryAfter bounds what NetBox can ask us to wait.
	maxRetryAfter = 10 * time.Minute
)

// Config is where leases come from and where they go.
type Config struct {
	// Unsynced, Synced and UnsyncedC are the engine's methods of these names.
	Unsynced  func(limit int) []lease.Lease
	Synced    func(ctx context.Context, l lease.Lease, at time.Time) error
	UnsyncedC <-chan struct{}
	// ReclaimPause is the engine's method of this name; nil: the clock is trusted.
	ReclaimPause func() time.Duration
	// Running is the engine's method of this name; nil: the clock is never set.
	Running func(until time.Time) bool
	// Snapshot returns the current snapshot of NetBox; nil before the first.
	Snapshot func() *ipam.Snapshot
	// Write is WriteRecords with a client: it must not write what is there
	// already, and must answer every change.
	Write func(ctx context.Context, changes []RecordChange) []RecordResult
	// BindInterface is clients.bind_interface.
	BindInterface bool
	// MakeObjects says that a lease in a range gets an object (S-17), which Remove
	// deletes after the lease (S-18). The rest is used with it alone: Lease is the
	// engine's method of this name, and Grace is lease.reclaim_grace.
	MakeObjects bool
	Lease       func(addr netip.Addr) (lease.Lease, bool)
	Grace       time.Duration
	Remove      func(ctx context.Context, removals []Removal) []RecordResult
	Log         logrus.FieldLogger
}

// Writer carries lease changes to NetBox.
type Writer struct {
	config Config
	quiet  *quiet.Logger

	// What follows belongs to Run alone.
	waits *backoff.ExponentialBackOff
	down  bool // NetBox was in trouble at the last call
	rows  int  // of the next call of Write
	// deferred holds leases that cannot be told now, until when.
	deferred map[netip.Addr]time.Time
	refused  map[netip.Addr]bool // leases that NetBox refused last
	// made are objects that the snapshot does not show yet, removed those that it
	// still shows.
	made    map[netip.Addr]int64
	removed map[int64]bool
	kept    map[int64]time.Time // objects that people have changed or use, until the next look
	// untagged says that NetBox had no dynamic tag at the last lease that needed it.
	untagged bool
}

// New returns a Writer; Run makes it work.
func New(config Config) *Writer {
	waits := backoff.NewExponentialBackOff()
	waits.InitialInterval, waits.Multiplier, waits.MaxInterval = 1250*time.Millisecond, 2, 50*time.Second
	waits.RandomizationFactor = 0.2 // so 1 s at least, 60 s at most
	if config.Running == nil {
		config.Running = func(until time.Time) bool { return until.After(time.Now()) }
	}
	return &Writer{
		config:   config,
		quiet:    quiet.New(config.Log, time.Minute, time.Now),
		waits:    waits,
		rows:     maxRows,
		deferred: make(map[netip.Addr]time.Time),
		refused:  make(map[netip.Addr]bool),
		made:     make(map[netip.Addr]int64),
		removed:  make(map[int64]bool),
		kept:     make(map[int64]time.Time),
	}
}

// Run tells NetBox about leases until ctx ends, and then for a few seconds
// more about what waits. It is called once.
func (w *Writer) Run(ctx context.Context) {
	work, stop := outlive(ctx, flushTime)
	defer stop()
	var wake <-chan time.Time // nil while nothing waits
	news := w.config.UnsyncedC
	var look <-chan time.Time // for objects to delete; nil: none are made
	if w.config.MakeObjects {
		look = time.After(removeEvery)
	}
	for {
		select {
		case <-ctx.Done():
			w.flush(work)
			return
		case <-look:
			look = time.After(w.remove(work))
		case <-news:
			wake, news = time.After(gather), nil
		case <-wake:
			again, hold := w.pass(work)
			wake, news = nil, w.config.UnsyncedC
			if again > 0 {
				wake = time.After(again)
			}
			if hold {
				news = nil
			}
		}
	}
}

// outlive returns a context that ends the given time after ctx does. stop ends
// it at once.
func outlive(ctx context.Context, after time.Duration) (longer context.Context, stop func()) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-ctx.Done():
		case <-longer.Done():
			return
		}
		select {
		case <-time.After(after):
			cancel()
		case <-longer.Done():
		}
	}()
	return longer, func() { cancel(); <-ended }
}

// flush makes a last attempt, without gathering. It makes none if NetBox was in
// trouble at the last call, since that would only delay the end.
func (w *Writer) flush(ctx context.Context) {
	if !w.down {
		w.pass(ctx)
	}
	if left := len(w.config.Unsynced(-1)); left > 0 {
		w.config.Log.WithField("leases", left).Info("NetBox is told of the remaining leases after the next start")
	}
}
