package netbox

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/quiet"
)

// The rhythm of following.
const (
	// overlap is how far behind the newest change seen each question reaches:
	// ids and times are given out before a transaction commits, and by clocks
	// of several servers (1.11).
	overlap     = 10 * time.Minute
	resyncEvery = 6 * time.Hour
	saveEvery   = 5 * time.Minute
	sweepEvery  = 5 * time.Minute
	gather      = 200 * time.Millisecond // hints that arrive together
	maxHints    = 5000
)

// FollowConfig says what to follow and whom to tell. The callbacks run on the
// goroutine of Run, one at a time, and must return soon.
type FollowConfig struct {
	Interval   time.Duration // between two polls; 0 means 30 s
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
	Now       func() time.Time // nil means time.Now
}

// Follower keeps a picture of NetBox fresh: everything once, then what
// changed. Whatever goes wrong, the last picture stays.
type Follower struct {
	client *Client
	config FollowConfig
	log    logrus.FieldLogger
	quiet  *quiet.Logger

	reader   *reader
	picture  *picture            // nil before the first load
	buried   map[thing]time.Time // deleted objects, and when that was learned
	due      map[thing]bool      // machines whose context may be out of date
	suspect  map[endpoint]bool   // tables that shrank suspiciously once
	miscount map[endpoint]int64  // by how much NetBox counted differently
	defined  map[string]bool     // custom fields as of the last picture
	version  Version             // of the last full load
	known    map[ipam.Problem]bool

	nextFull  time.Time
	lastFull  time.Time
	lastSave  time.Time
	nextSweep time.Time
	unsaved   bool
	sweeping  bool      // deletions cannot be asked for
	confirmed time.Time // when the picture was last known to be true
	lost      Kind      // why NetBox cannot be read at the moment
	lostAt    time.Time
	waits     *backoff.ExponentialBackOff

	hintMu sync.Mutex
	hints  map[thing]bool
	wake   chan struct{}
}

// NewFollower prepares to follow the NetBox of client. Run does the work.
func NewFollower(client *Client, config FollowConfig) *Follower {
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Interval <= 0 {
		config.Interval = 30 * time.Second
	}
	waits := backoff.NewExponentialBackOff() // H-1
	waits.InitialInterval, waits.Multiplier, waits.MaxInterval, waits.RandomizationFactor = time.Second, 2, time.Minute, 0.1
	return &Follower{
		client: client, config: config, log: client.log, quiet: quiet.New(client.log, time.Minute, config.Now),
		reader: client.newReader(config.ContextKey, config.GateFields),
		buried: make(map[thing]time.Time), due: make(map[thing]bool), suspect: make(map[endpoint]bool),
		miscount: make(map[endpoint]int64), known: make(map[ipam.Problem]bool),
		waits: waits, hints: make(map[thing]bool), wake: make(chan struct{}, 1),
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
			f.save(saveEvery)
			f.rest(ctx, f.wait(err))
		}
		if ctx.Err() != nil {
			f.save(0)
			return context.Cause(ctx)
		}
	}
}

// cycle brings the picture up to date, and now and then reads it anew.
func (f *Follower) cycle(ctx context.Context) error {
	if f.picture == nil {
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
		if kindOf(err) == Shrunk {
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
	reader := f.client.newReader(f.config.ContextKey, f.config.GateFields)
	mark, err := f.changesMark(ctx)
	if err != nil {
		return err
	}
	next, err := reader.load(ctx)
	if err != nil {
		return err
	}
	next.marks[objectChanges] = mark
	if err := f.accept(next); err != nil {
		return err
	}
	next.changed = f.picture == nil || !next.equal(f.picture)
	f.reader, f.version = reader, version
	f.lastFull, f.nextFull = began, began.Add(resyncEvery)
	clear(f.due)
	clear(f.miscount)
	f.adopt(next)
	f.confirm(began)
	f.log.WithFields(logrus.Fields{
		"addresses": len(next.stamps[addresses]), "macs": len(next.stamps[macs]), "version": version.String(),
	}).Info("NetBox read")
	return nil
}

// adopt makes next the picture, and publishes it if it says anything new.
func (f *Follower) adopt(next *picture) {
	for at := range f.buried {
		if next.has(at.table, at.id) {
			delete(f.buried, at) // it exists after all
		}
	}
	changed := next.changed || !maps.Equal(f.defined, f.reader.decode.defined)
	f.defined = maps.Clone(f.reader.decode.defined)
	next.changed = false
	f.picture = next
	if !changed {
		return
	}
	f.unsaved = true
	objects := next.objects
	snapshot, problems := ipam.Build(&objects, f.config.Options)
	problems = slices.Concat(next.problems(), f.undefinedFields(), problems)
	f.logProblems(problems)
	f.config.OnSnapshot(snapshot, problems)
}

func (f *Follower) confirm(at time.Time) {
	f.confirmed = at
	f.config.OnConfirm(at, f.client.Skew())
}

// undefinedFields reports configured custom fields that addresses do not have
// (H-1).
func (f *Follower) undefinedFields() []ipam.Problem {
	var missing []ipam.Problem
	for _, name := range slices.Sorted(maps.Keys(f.defined)) {
		if !f.defined[name] {
			missing = append(missing, ipam.Problem{Object: "custom field " + name,
				Text: "not defined for IP addresses: leases cannot be shown in NetBox; create it (the bootstrap command does) or set netbox.fields"})
		}
	}
	return missing
}

// maxProblems is how many new problems are logged one by one.
const maxProblems = 20

// logProblems logs what was not wrong before.
func (f *Follower) logProblems(problems []ipam.Problem) {
	now := make(map[ipam.Problem]bool, len(problems))
	fresh := 0
	for _, p := range problems {
		now[p] = true
		if f.known[p] {
			continue
		}
		if fresh++; fresh <= maxProblems {
			f.log.WithFields(logrus.Fields{"object": p.Object, "reason": p.Text}).Warn("problem in NetBox's data")
		}
	}
	if fresh > maxProblems {
		f.log.WithField("count", fresh-maxProblems).Warn("more problems in NetBox's data")
	}
	f.known = now
}

// report logs that NetBox was lost or is back: one line each.
func (f *Follower) report(err error) {
	if err == nil {
		if f.lost != "" {
			f.log.WithField("outage", f.config.Now().Sub(f.lostAt).Round(time.Second).String()).Info("NetBox can be read again")
		}
		f.lost = ""
		f.waits.Reset()
		return
	}
	kind := kindOf(err)
	if kind == "" {
		kind = "other"
	}
	if f.lost == "" {
		f.lostAt = f.config.Now()
	}
	if f.lost != kind {
		message := "NetBox cannot be read; its last picture stays in use"
		if f.picture == nil {
			message = "NetBox cannot be read; no client is served until it can"
		}
		f.quiet.Error(string(kind), message, logrus.Fields{logrus.ErrorKey: err})
	}
	f.lost = kind
}

// wait tells how long to rest after a cycle.
func (f *Follower) wait(err error) time.Duration {
	if err == nil {
		return f.config.Interval
	}
	wait := f.waits.NextBackOff()
	if e, ok := errors.AsType[*Error](err); ok {
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

// restore starts from the disk copy. It is caught up by the first poll and
// checked by a full read right after.
func (f *Follower) restore() {
	if f.config.DiskPath == "" {
		return
	}
	copy, err := ipam.ReadDiskFile(f.config.DiskPath)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return
	case err != nil:
		f.log.WithError(err).Warn("the disk copy of NetBox cannot be used")
		return
	case copy.URL != f.client.URL() || copy.Key != f.key():
		f.log.WithField("url", copy.URL).Warn("the disk copy is of another NetBox or other settings and is not used")
		return
	}
	next := restored(copy)
	next.changed = true
	f.adopt(next)
	f.unsaved = false
	f.confirmed = copy.Taken
	f.config.OnConfirm(copy.Taken, 0)
	f.log.WithField("taken", copy.Taken.UTC().Format(time.RFC3339)).Info("started from the disk copy of NetBox")
}

// restored makes a picture of a disk copy. Rows that could not be used are not
// in it and are found again by the next full read.
func restored(copy ipam.Disk) *picture {
	p := newPicture()
	p.objects = *copy.Objects
	clear(p.owned)
	for name, mark := range copy.Marks {
		p.marks[endpoint(name)] = mark
	}
	for id, a := range p.objects.Addresses {
		p.stamps[addresses][id] = a.LastUpdated
	}
	for id, m := range p.objects.MACs {
		p.stamps[macs][id] = m.LastUpdated
	}
	for id, i := range p.objects.Interfaces {
		p.stamps[interfacesOf(id.Kind)][id.ID] = i.LastUpdated
	}
	for id, m := range p.objects.Machines {
		p.stamps[machinesOf(id.Kind)][id.ID] = m.LastUpdated
	}
	return p
}

// key is a fingerprint of the settings that shape the tables.
func (f *Follower) key() string {
	key, err := json.Marshal([]any{f.client.fields, f.config.ContextKey, f.config.GateFields})
	if err != nil {
		panic(err) // strings can always be encoded
	}
	return string(key)
}

// save writes the disk copy if it is older than age and there is news.
func (f *Follower) save(age time.Duration) {
	now := f.config.Now()
	if f.config.DiskPath == "" || f.picture == nil || !f.unsaved || f.confirmed.IsZero() || now.Sub(f.lastSave) < age {
		return
	}
	objects := f.picture.objects
	copy := ipam.Disk{URL: f.client.URL(), Key: f.key(), Taken: f.confirmed, Objects: &objects, Marks: make(map[string]time.Time)}
	for e, mark := range f.picture.marks {
		copy.Marks[string(e)] = mark
	}
	f.lastSave = now
	if err := ipam.WriteDiskFile(f.config.DiskPath, copy); err != nil {
		f.quiet.Warn("disk", "the disk copy of NetBox cannot be written", logrus.Fields{logrus.ErrorKey: err})
		return
	}
	f.unsaved = false
}

// equal reports whether two pictures hold the same.
func (p *picture) equal(other *picture) bool {
	for _, e := range append(smallTables(), followedTables()...) {
		if !tableOf(e).same(&p.objects, &other.objects) {
			return false
		}
	}
	return reflect.DeepEqual(p.bad, other.bad)
}
