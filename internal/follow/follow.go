// Package follow keeps an ipam.Snapshot of NetBox fresh: it reads the tables
// once, then what changed, and keeps a copy on disk for the next start. Trouble
// with NetBox never changes the snapshot. It decides nothing about leases,
// writes nothing to NetBox and is never on the packet path, the live read of
// the redeploy switch excepted. DESIGN.md tells how changes are found.
package follow

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/quiet"
)

// The rhythm of following.
const (
	// overlap is how far behind the newest change seen each question reaches:
	// ids and times are given out before a transaction commits, and by clocks
	// of several servers (netbox-api.md 1.11).
	overlap     = 10 * time.Minute
	resyncEvery = 6 * time.Hour
	saveEvery   = 5 * time.Minute
	sweepEvery  = 5 * time.Minute
	gather      = 200 * time.Millisecond // hints that arrive together
	maxHints    = 5000
)

// FollowConfig says what to follow and whom to tell. Both callbacks are
// required; they run on the goroutine of Run, one at a time, and must return
// soon.
type Config struct {
	Interval   time.Duration // between two polls; 0 means 30 s
	Fields     Fields        // custom fields of IP addresses that hold the record
	ContextKey string        // top-level key of config contexts that is kept
	GateFields []string      // custom fields of machines that are kept
	Options    ipam.Options
	DiskPath   string // where the disk copy is kept; empty: nowhere
	// OnSnapshot gets each new picture and everything in it that could not be
	// used. New problems are logged already.
	OnSnapshot func(*ipam.Snapshot, []ipam.Problem)
	// OnConfirm says that the picture last given was true at a time, and how
	// far NetBox's clock is ahead of ours.
	OnConfirm func(at time.Time, skew time.Duration)
	Log       logrus.FieldLogger // required
	Now       func() time.Time   // nil means time.Now
}

// Follower keeps a picture of NetBox fresh: everything once, then what
// changed. Whatever goes wrong, the last picture stays.
type Follower struct {
	client *netbox.Client
	config Config
	log    logrus.FieldLogger
	quiet  *quiet.Logger

	reader   *reader
	tables   *tables                // nil before the first load
	buried   map[thing]time.Time    // deleted objects, and when that was learned
	due      map[thing]bool         // machines whose context may be out of date
	suspect  map[netbox.Table]bool  // tables that shrank suspiciously once
	miscount map[netbox.Table]int64 // by how much NetBox counted differently
	defined  map[string]bool        // custom fields as of the last picture
	version  netbox.Version         // of the last full load
	known    map[ipam.Problem]bool

	nextFull  time.Time
	lastFull  time.Time
	lastSave  time.Time
	nextSweep time.Time
	unsaved   bool
	sweeping  bool        // deletions cannot be asked for
	confirmed time.Time   // when the picture was last known to be true
	saved     time.Time   // confirmed, as in the disk copy
	lost      netbox.Kind // why NetBox cannot be read at the moment
	lostAt    time.Time
	waits     *backoff.ExponentialBackOff

	mostChanged int // rows

	hintMu sync.Mutex
	hints  map[thing]bool
	wake   chan struct{}
}

// NewFollower prepares to follow the NetBox of client. Run does the work.
func New(client *netbox.Client, config Config) *Follower {
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Interval <= 0 {
		config.Interval = 30 * time.Second
	}
	waits := backoff.NewExponentialBackOff() // H-1
	waits.InitialInterval, waits.Multiplier, waits.MaxInterval, waits.RandomizationFactor = time.Second, 2, time.Minute, 0.1
	return &Follower{
		client: client, config: config, log: config.Log, quiet: quiet.New(config.Log, time.Minute, config.Now),
		reader: newReader(client, config.Fields, config.ContextKey, config.GateFields),
		buried: make(map[thing]time.Time), due: make(map[thing]bool), suspect: make(map[netbox.Table]bool),
		miscount: make(map[netbox.Table]int64), known: make(map[ipam.Problem]bool),
		waits: waits, mostChanged: mostChanged, hints: make(map[thing]bool), wake: make(chan struct{}, 1),
	}
}

// Run starts from the disk copy, if there is one, and follows NetBox until ctx
// ends, whose cause it returns. It may be called once.
func (f *Follower) Run(ctx context.Context) error {
	f.restore()
	for {
		err := f.cycle(ctx)
		if ctx.Err() == nil {
			f.report(err)
			f.save(f.config.Now())
			f.rest(ctx, f.wait(err))
		}
		if ctx.Err() != nil {
			f.saveNow(f.config.Now())
			return context.Cause(ctx)
		}
	}
}

// cycle brings the picture up to date, and now and then reads it anew.
func (f *Follower) cycle(ctx context.Context) error {
	if f.tables == nil {
		return f.full(ctx)
	}
	gap := f.config.Now().Sub(f.confirmed)
	if err := f.poll(ctx); err != nil {
		return err
	}
	if gap > overlap {
		f.resync("NetBox could not be read for longer than changes are looked back for")
	}
	if f.config.Now().Before(f.nextFull) {
		return nil
	}
	// What the poll brought stays true even if the full load fails.
	if err := f.full(ctx); err != nil && ctx.Err() == nil {
		f.log.WithError(err).Warn("full read of NetBox failed; changes are still followed")
		f.nextFull = f.config.Now().Add(overlap)
		if netbox.KindOf(err) == netbox.Shrunk {
			f.nextFull = f.config.Now().Add(f.config.Interval)
		}
	}
	return nil
}

// resync asks for a full read soon, but not one after the other.
func (f *Follower) resync(reason string) {
	at := f.lastFull.Add(overlap)
	if now := f.config.Now(); at.Before(now) {
		at = now
	}
	if at.Before(f.nextFull) {
		f.log.WithField("reason", reason).Info("NetBox will be read anew")
		f.nextFull = at
	}
}

// full reads everything and replaces the picture by it.
func (f *Follower) full(ctx context.Context) error {
	began := f.config.Now()
	version, err := f.client.Version(ctx)
	if err != nil {
		return err
	}
	reader := newReader(f.client, f.config.Fields, f.config.ContextKey, f.config.GateFields)
	mark, err := f.changesMark(ctx)
	if err != nil {
		return err
	}
	next, err := reader.load(ctx)
	if err != nil {
		return err
	}
	next.marks[netbox.ObjectChanges] = mark
	if err := f.accept(next); err != nil {
		return err
	}
	next.changed = f.tables == nil || !next.equal(f.tables)
	f.reader, f.version = reader, version
	f.lastFull, f.nextFull = began, began.Add(resyncEvery)
	clear(f.due)
	clear(f.miscount)
	f.adopt(next)
	f.confirm(began)
	f.log.WithFields(logrus.Fields{
		"addresses": len(next.stamps[netbox.Addresses]), "macs": len(next.stamps[netbox.MACs]), "version": version.String(),
	}).Info("NetBox read")
	return nil
}

// wait tells how long to rest after a cycle.
func (f *Follower) wait(err error) time.Duration {
	if err == nil {
		return f.config.Interval
	}
	wait := f.waits.NextBackOff()
	if e, ok := errors.AsType[*netbox.Error](err); ok {
		wait = max(wait, min(e.RetryAfter, overlap))
	}
	return wait
}

// rest waits for the next cycle and follows hints meanwhile.
func (f *Follower) rest(ctx context.Context, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			return
		case <-f.wake:
			if f.followHints(ctx) {
				return
			}
		}
	}
}
