package lease

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"time"

	"github.com/sirupsen/logrus"
)

// Clock is what an Engine asks beside the time of day, which can be set.
type Clock struct {
	// Steady is how long time had run at now, a time of day just read, whatever the
	// clock was set to before. nil: the time of day is never set.
	Steady func(now time.Time) time.Duration
	// Synced reports whether the machine keeps its clock in step with a source
	// of time. nil: nothing tells.
	Synced func() bool
}

const (
	// clockNoise is what is no step even if lease.reclaim_grace is less: the two
	// times are not read at the same moment.
	clockNoise = 500 * time.Millisecond
	// clockNote is the name of the note that keeps a pause over restarts.
	clockNote = "clock"
	// clockLook is how often the clock is looked at without a packet.
	clockLook = 5 * time.Second
	// noteEvery is how much of a pause passes before it is noted again; after a
	// restart it may last that much longer.
	noteEvery = 10 * time.Minute
)

// pausedNote is the text of the note.
type pausedNote struct {
	Left time.Duration `json:"left"` // ns; a start waits so long before it reclaims
}

// clockWatch compares the time of day with time that runs steadily. The
// difference between them is the offset: it grows when the clock is set forward.
type clockWatch struct {
	Clock
	origin   time.Time     // a moment of the time of day
	from     time.Duration // the same moment of Steady
	low      time.Duration // smallest offset of leases that may still run
	lowSince time.Duration // when low was taken, by Steady
	high     time.Duration // offset at which the last pause began

	paused      bool
	until       time.Duration // by Steady
	starting    bool          // the pause is that of a start: it ends when the clock is confirmed
	unconfirmed bool          // nothing has confirmed the clock since the start
	promised    bool          // leases were given meanwhile
	attached    bool          // a store was there

	noted time.Duration // what the store was told is left of the pause
	said  bool          // the log knows of the pause
	set   time.Duration // how far the clock was set forward, for the log
	kick  chan struct{} // holds one: there is news to note
}

func newClockWatch(c Clock, now time.Time) *clockWatch {
	w := &clockWatch{Clock: c, origin: now.Round(0), kick: make(chan struct{}, 1)}
	if c.Steady != nil {
		w.from = c.Steady(now)
	}
	return w
}

// ran is how long the watch had run at now.
func (w *clockWatch) ran(now time.Time) time.Duration {
	if w.Steady == nil {
		return 0
	}
	return w.Steady(now) - w.from
}

func (w *clockWatch) wake() {
	select {
	case w.kick <- struct{}{}:
	default:
	}
}

// lookAtClock notes what happened to the clock and returns the moment by steady
// time, which holds and back-offs are measured with: they last as long as they
// should, whatever the clock is set to (S-14).
func (e *Engine) lookAtClock(now time.Time) time.Time {
	w := e.clock
	if w.Steady == nil {
		e.facts.Steady = now
		return now
	}
	ran := w.ran(now)
	offset := now.Round(0).Sub(w.origin) - ran
	grace := max(e.config.Policy.ReclaimGrace, clockNoise)
	if by := offset - w.high; by.Abs() > grace {
		e.facts.Leases.heard.shift(by)
	}
	switch {
	case offset < w.low: // set back: what is leased from now on is right after the way forward
		w.low, w.lowSince, w.high = offset, ran, offset
	case offset-w.high > grace:
		e.pause(ran, e.longestPromise(now.Add(w.high-offset)))
		w.set, w.high, w.starting = offset-w.low, offset, false
		w.wake()
	case w.paused && ran >= w.until:
		w.paused, w.starting = false, false
		w.low, w.lowSince, w.high = offset, ran, offset
		w.wake()
	// What the settings promise is asked first: the note is not read for each packet.
	case !w.paused && offset > w.low && ran-w.lowSince > e.config.Policy.longest() && ran-w.lowSince > e.longestPromise(now):
		w.low, w.lowSince, w.high = offset, ran, offset // small steps, of which none counts any more
	}
	e.tellPause()
	e.facts.Jump = 0
	if e.facts.Stepped {
		e.facts.Jump = offset - w.low
	}
	e.facts.Steady = w.origin.Add(ran)
	return e.facts.Steady
}

// judged is the time that leases are judged by at now: the time of day without a
// step (S-14). The lock must be held.
func (e *Engine) judged(now time.Time) time.Time {
	e.lookAtClock(now)
	return now.Add(-e.facts.Jump)
}

// Running reports whether something that ends at the given time by the clock of
// leases runs still. A lease that the clock alone has ended by a step does (S-14).
func (e *Engine) Running(until time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return until.After(e.judged(e.config.Now()))
}

// pause begins a pause of reclaiming, or makes it last longer.
func (e *Engine) pause(ran, lasts time.Duration) {
	w := e.clock
	w.until = max(w.until, ran+lasts)
	w.paused, w.said = true, false
}

// attachClock begins with the leases of a store, which were given by a clock that
// was not seen: a start counts as a step, unless the machine vouches for its
// clock (S-15). e.notes and held are those of the store.
func (e *Engine) attachClock(now time.Time, held map[netip.Addr]storedLease) {
	w := e.clock
	if w.Steady == nil || w.attached {
		return
	}
	w.attached = true
	w.unconfirmed = w.Synced == nil || !w.Synced()
	ran, longest := w.ran(now), e.longestPromise(now)
	if note := e.notes[clockNote]; note != nil {
		before := pausedNote{Left: longest}
		if json.Unmarshal(note, &before) != nil || before.Left < 0 {
			before.Left = longest
		}
		e.pause(ran, before.Left)
		w.wake()
	}
	switch {
	case now.Add(maxSkew).Before(newest(held, longest)):
		e.pause(ran, longest)
		w.wake()
	case !w.paused && len(held) > 0 && w.unconfirmed:
		e.pause(ran, longest)
		w.starting = true
	}
	e.tellPause()
}

// tellPause makes a pause known to decisions.
func (e *Engine) tellPause() {
	w := e.clock
	e.facts.Distrusted, e.facts.Stepped = w.paused, w.paused && !w.starting
}

// newest is a time that had come when the last of the leases was stored.
func newest(held map[netip.Addr]storedLease, longest time.Duration) time.Time {
	var last time.Time
	for _, l := range held {
		had := l.SyncedAt
		switch {
		case l.State == Bound && l.Expires.Add(-longest).After(had):
			had = l.Expires.Add(-longest)
		case l.State == Released && l.Expires.After(had):
			had = l.Expires
		}
		if had.After(last) {
			last = had
		}
	}
	return last
}

// leased notes that a lease is given by a clock that nothing confirms: should it
// be behind, the next start has to wait for the end of that lease.
func (w *clockWatch) leased(l Lease) {
	if w.unconfirmed && !w.promised && l.State == Bound {
		w.promised = true
		w.wake()
	}
}

// ClockRead says that the skew last given to Confirm is that of a clock that was
// read since the start. It confirms our clock if the two agree (S-15).
func (e *Engine) ClockRead() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !Skewed(e.facts.Skew) {
		e.trustClock()
	}
}

// trustClock ends the pause of a start: the clock has been right all the time.
func (e *Engine) trustClock() {
	w := e.clock
	if !w.unconfirmed {
		return
	}
	w.unconfirmed, w.promised = false, false
	if w.starting {
		w.paused, w.starting, w.until = false, false, 0
		e.tellPause()
	}
	w.wake()
}

// ReclaimPause is how long ended leases are still kept from other clients since
// the clock was set forward or is not confirmed (S-14, S-15); 0: not at all.
func (e *Engine) ReclaimPause() time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.config.Now()
	e.lookAtClock(now)
	if !e.clock.paused {
		return 0
	}
	return e.clock.until - e.clock.ran(now)
}

// WatchClock looks at the clock between packets, keeps pauses over restarts and
// logs them, until ctx ends.
func (e *Engine) WatchClock(ctx context.Context) {
	tick := time.NewTicker(clockLook)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			e.checkClock(ctx)
		case <-e.clock.kick:
			e.noteClock(ctx)
		}
	}
}

// checkClock asks the machine whether its clock can be trusted by now.
func (e *Engine) checkClock(ctx context.Context) {
	e.mu.Lock()
	if w := e.clock; w.unconfirmed && w.Synced != nil && w.Synced() {
		e.trustClock()
	}
	e.mu.Unlock()
	e.noteClock(ctx)
}

// noteClock makes the log and the store say what is true of the clock now.
func (e *Engine) noteClock(ctx context.Context) {
	e.mu.Lock()
	now := e.config.Now()
	e.lookAtClock(now)
	w := e.clock
	left := time.Duration(0)
	if w.paused && !w.starting {
		left = w.until - w.ran(now)
	}
	if w.unconfirmed && w.promised { // what is given now may run as long as any lease
		left = max(left, e.longestPromise(now))
	}
	keep := left > w.noted || left == 0 && e.notes[clockNote] != nil || w.noted-left >= noteEvery
	paused, said := w.paused, w.said
	fields := logrus.Fields{"set_by": w.set.String(), "lasts": (w.until - w.ran(now)).Round(time.Second).String()}
	starting := w.starting
	w.said = paused
	if keep {
		w.noted = left
	}
	e.mu.Unlock()
	switch {
	case paused && !said && starting:
		delete(fields, "set_by")
		e.config.Log.WithFields(fields).Warn("nothing confirms this machine's clock yet: ended leases go to no other client; start time synchronisation, or wait for NetBox")
	case paused && !said:
		e.config.Log.WithFields(fields).Warn("the clock was set forward: ended leases go to no other client until all that may run have ended")
	case !paused && said:
		e.config.Log.Info("the clock is trusted again: ended leases go to other clients")
	}
	if !keep {
		return
	}
	if err := e.SetNote(ctx, clockNote, noteOf(left)); err != nil && !errors.Is(err, ErrNoStore) && ctx.Err() == nil {
		e.config.Log.WithError(err).Warn("that the clock was set is not in the lease store: a restart would forget it")
	}
}

// noteOf is the note of a pause; nil for none.
func noteOf(left time.Duration) []byte {
	if left <= 0 {
		return nil
	}
	value, _ := json.Marshal(pausedNote{left}) // a number: never fails
	return value
}
