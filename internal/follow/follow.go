// Package follow keeps an ipam.Snapshot of NetBox fresh: it reads the tables
// once, then what changed, and keeps a copy on disk for the next start. Trouble
// with NetBox never changes the snapshot. It decides nothing about leases,
// writes nothing to NetBox and is never on the packet path, the live read of
// the redeploy switch excepted. DESIGN.md tells how changes are found.
package follow

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/frugal"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/quiet"
)

// The rhythm of following.
const (
	// overlap is how far behind the newest change seen each question reaches:
	// ids and times are given out before a transaction commits, and by the
	// clocks of several servers (NB-1.11).
	overlap    = 10 * time.Minute
	fullEvery  = 6 * time.Hour
	sweepEvery = 5 * time.Minute
)

// Config says what to follow and whom to tell. Both callbacks are required;
// they run on the goroutine of Run, one at a time, and must return soon.
type Config struct {
	Interval   time.Duration // between two polls; 0 means 30 s
	Fields     Fields        // custom fields of IP addresses that hold lease records
	ContextKey string        // top-level key of config contexts that is kept
	GateFields []string      // custom fields of machines that are kept
	Options    ipam.Options
	// Doubt is how long old rows serve after changes that would refuse or move
	// many clients at once; 0: such changes are believed at once (T-4).
	Doubt time.Duration
	// Leased returns the addresses with a running lease; nil: the records in
	// NetBox tell.
	Leased   func() map[netip.Addr]bool
	DiskPath string // where the disk copy is kept; empty: nowhere
	DiskCopy string // where a second one is kept, for a start without the first; empty: nowhere (H-10)
	// OnSnapshot gets each new snapshot and everything in it that could not be
	// used. New problems are logged already.
	OnSnapshot func(*ipam.Snapshot, []ipam.Problem)
	// OnConfirm says that the last snapshot was true at a time, and how far
	// NetBox's clock is ahead of ours.
	OnConfirm func(at time.Time, skew time.Duration)
	// OnEdit says how long an edit in NetBox took to reach the snapshot that OnSnapshot
	// got; nil: nobody asks. Edits made before the start are none (C-40).
	OnEdit func(took time.Duration)
	// OnCopy says how a write of the copies on disk ended; nil: nobody asks.
	OnCopy func(err error)
	Log    logrus.FieldLogger // required
	Now    func() time.Time   // nil means time.Now
}

// Follower keeps a snapshot of NetBox fresh: it reads everything once, then
// what changed. After any trouble the last snapshot stays.
type Follower struct {
	client *netbox.Client
	config Config
	log    logrus.FieldLogger

	reader   *reader
	tables   *tables // what the snapshot was made of; nil before the first load
	deleted  deletedObjects
	stale    staleContexts
	alarm    alarm
	edits    edits
	cables   cables
	guard    *guard
	disk     diskCopy
	outage   outage
	problems problemLog
	hints    hintQueue
	accepts  chan chan int // calls of Accept, by where their answers go

	confirmed time.Time // when the tables were last known to be true
	waits     *backoff.ExponentialBackOff

	// Full reads: when the last one began, when the next one is due, and what
	// it is asked for by.
	lastFull   time.Time
	nextFull   time.Time
	version    netbox.Version         // of the last full read
	defined    map[string]bool        // custom fields as of the last snapshot
	difference map[netbox.Table]int64 // by how much NetBox counted differently

	// Deletions: whether they cannot be asked for, and when all rows are
	// listed next to find them.
	sweeping  bool
	nextSweep time.Time

	mostChanged int // rows
}

// New prepares to follow the NetBox of client. Run does the work.
func New(client *netbox.Client, config Config) *Follower {
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Interval <= 0 {
		config.Interval = 30 * time.Second
	}
	waits := backoff.NewExponentialBackOff() // H-1
	waits.InitialInterval, waits.Multiplier, waits.MaxInterval, waits.RandomizationFactor = time.Second, 2, time.Minute, 0.1
	once := quiet.New(config.Log, time.Minute, config.Now)
	f := &Follower{
		client: client, config: config, log: config.Log, reader: newReader(client, config),
		deleted: make(deletedObjects), stale: make(staleContexts),
		alarm:      alarm{log: config.Log, suspect: make(map[netbox.Table]bool)},
		guard:      newGuard(config),
		outage:     outage{log: config.Log, once: once},
		problems:   problemLog{log: config.Log},
		hints:      newHintQueue(),
		accepts:    make(chan chan int),
		waits:      waits,
		difference: make(map[netbox.Table]int64), mostChanged: mostChanged,
	}
	f.disk = copiesFor(client.URL(), config, f.guard)
	f.edits = edits{start: config.Now(), waiting: make(map[object]time.Time)}
	return f
}

// Run starts from the disk copy, if there is one, and follows NetBox until ctx
// ends, whose cause it returns. It may be called once.
func (f *Follower) Run(ctx context.Context) error {
	f.restore()
	for {
		err := f.cycle(ctx)
		if ctx.Err() == nil {
			f.report(err)
			f.disk.saveIfDue(f.config.Now(), f.tables, f.confirmed)
			f.rest(ctx, f.wait(err))
		}
		if ctx.Err() != nil {
			f.disk.save(f.config.Now(), f.tables, f.confirmed, lastWait)
			return context.Cause(ctx)
		}
	}
}

// restore starts from the disk copy. The first poll brings it up to date, and a
// full read follows at once.
func (f *Follower) restore() {
	restored, taken := f.disk.restore()
	if restored == nil {
		return
	}
	f.adopt(restored)
	f.disk.changed = false
	f.confirmed = taken
	f.config.OnConfirm(taken, 0)
}

// cycle brings the snapshot up to date, and reads everything anew when that is
// due.
func (f *Follower) cycle(ctx context.Context) error {
	if f.tables == nil {
		return f.full(ctx)
	}
	gap := f.config.Now().Sub(f.confirmed)
	if err := f.poll(ctx); err != nil {
		return err
	}
	if gap > overlap {
		f.askFull("NetBox could not be read for longer than changes are looked back for")
	}
	if f.config.Now().Before(f.nextFull) {
		return nil
	}
	// What the poll brought stays true even if the full read fails.
	if err := f.full(ctx); err != nil && ctx.Err() == nil {
		f.log.WithError(err).Warn("full read of NetBox failed; changes are still followed")
		f.nextFull = f.config.Now().Add(overlap)
		if netbox.KindOf(err) == netbox.Shrunk {
			f.nextFull = f.config.Now().Add(f.config.Interval)
		}
	}
	return nil
}

// askFull asks for a full read soon, but never within overlap of the last one.
func (f *Follower) askFull(reason string) {
	at := f.lastFull.Add(overlap)
	if now := f.config.Now(); at.Before(now) {
		at = now
	}
	if at.Before(f.nextFull) {
		f.log.WithField("reason", reason).Info("NetBox will be read anew")
		f.nextFull = at
	}
}

// full reads everything and replaces the tables by it.
func (f *Follower) full(ctx context.Context) error {
	defer frugal.Begin()() // two sets of tables are there at a time
	began := f.config.Now()
	version, err := f.client.Version(ctx)
	if err != nil {
		return err
	}
	reader := newReader(f.client, f.config)
	mark, err := f.changesMark(ctx)
	if err != nil {
		return err
	}
	// What is in the log now is in the rows that are read after it.
	paths, pathsMark := map[int64]bool(nil), mark
	if reader.circuits && !f.sweeping {
		if paths, pathsMark, err = f.pathChanges(ctx, mark); err != nil {
			return err
		}
	}
	next, err := reader.load(ctx)
	if err != nil {
		return err
	}
	next.marks[netbox.ObjectChanges], next.marks[netbox.Cables] = mark, pathsMark
	if f.tables != nil {
		if err := f.askBehindLost(ctx, reader, next); err != nil {
			return err
		}
		if err := f.alarm.accept(f.tables, next, f.deleted); err != nil {
			return err
		}
	}
	next.changed = f.tables == nil || !next.equal(f.tables)
	f.reader, f.version = reader, version
	f.cables.seen, f.cables.due = paths, false
	f.lastFull, f.nextFull = began, began.Add(fullEvery)
	clear(f.stale)
	clear(f.difference)
	f.adopt(next)
	f.confirm(began)
	f.log.WithFields(logrus.Fields{
		"addresses": len(next.stamps[netbox.Addresses]), "macs": len(next.stamps[netbox.MACs]), "version": version.String(),
	}).Info("NetBox read")
	return nil
}

// report logs that NetBox was lost or is back, and resets the waits once it
// is.
func (f *Follower) report(err error) {
	f.outage.report(err, f.config.Now(), f.tables != nil)
	if err == nil {
		f.waits.Reset()
	}
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
		case answer := <-f.accepts:
			answer <- f.accept()
			return
		case <-f.hints.wake:
			if f.followHints(ctx) {
				return
			}
		}
	}
}
