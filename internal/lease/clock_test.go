package lease

import (
	"strings"
	"testing"
	"time"

	logtest "github.com/sirupsen/logrus/hooks/test"
)

// steps is a clock whose time of day is set apart from the time that runs.
type steps struct {
	wall   time.Time
	steady time.Duration
	synced bool
}

func (c *steps) run(d time.Duration)  { c.wall, c.steady = c.wall.Add(d), c.steady+d }
func (c *steps) set(by time.Duration) { c.wall = c.wall.Add(by) }

// on makes an engine use the clock.
func (c *steps) on(config *Config) {
	config.Now = func() time.Time { return c.wall }
	config.Clock = Clock{Steady: func(time.Time) time.Duration { return c.steady }, Synced: func() bool { return c.synced }}
}

func newSteps() *steps { return &steps{wall: start, synced: true} }

// oneAddress is a network in which alice has the only dynamic address, and web a
// static one.
func oneAddress() []part {
	return append(office()[:1:1], dynamic("10.0.0.10/24"), device("web1", port("eth0", string(web), on("10.0.0.5/24"))))
}

// shortLeases bounds leases to an hour.
func shortLeases(p *Policy) { p.MaxTime = time.Hour }

// S-14: after a step forward no lease counts as ended that may still run.
func TestAStepForwardTakesNothingFromAnybody(t *testing.T) {
	for _, step := range []time.Duration{11 * time.Second, 90 * time.Minute, 25 * time.Hour, 10 * 365 * 24 * time.Hour} {
		t.Run(step.String(), func(t *testing.T) {
			c := newSteps()
			r := newRig(t, newMemStore(), snapshot(t, worldOptions, append(oneAddress(), dynamic("10.0.0.11/24"))...), policy(shortLeases), c.on)
			r.SetAuthority(Authoritative)
			r.expect(selecting(alice, "10.0.0.10"), "ACK D-4")
			c.run(time.Hour - 11*time.Second)
			c.set(step)
			r.expect(discover(web), "OFFER D-1 10.0.0.5/24 static")
			r.invite(bob)
			r.expect(selecting(bob, "10.0.0.10"), "NAK D-5 taken") // it is alice's
			r.expect(discover(bob), "OFFER D-1 10.0.0.11/24 new")  // never used
			r.expect(selecting(bob, "10.0.0.11"), "ACK D-4")
			r.expect(discover(carol), "silent D-2")
			r.expect(renewing(alice, "10.0.0.10"), "ACK D-12")
			r.expect(request(bob, wants("10.0.0.11")), "ACK D-8")
			// The step only ends leases for the clock: they end after their time.
			c.run(time.Hour - time.Second)
			r.expect(discover(carol), "silent D-2")
			r.expect(renewing(bob, "10.0.0.11"), "ACK D-12")
			c.run(time.Hour + 11*time.Second)
			r.expect(discover(carol), "OFFER D-1 10.0.0.10/24 new")
		})
	}
}

// S-14: while a step is doubted an address of an ended lease is silence, never a
// NAK.
func TestWhatEndedBeforeAStepWaits(t *testing.T) {
	c := newSteps()
	r := newRig(t, newMemStore(bound("10.0.0.10", alice, -time.Hour)), snapshot(t, worldOptions, oneAddress()...), policy(shortLeases), c.on)
	r.SetAuthority(Authoritative)
	r.expect(discover(bob), "OFFER D-1 10.0.0.10/24 new")
	c.set(90 * time.Minute)
	r.expect(discover(carol), "silent D-2")
	r.expect(selecting(carol, "10.0.0.10"), "silent D-34") // it is offered to bob, and the offer lasts its time
	c.run(time.Minute)
	r.invite(carol)
	r.expect(selecting(carol, "10.0.0.10"), "silent D-16 clock_skew")
	r.expect(discover(carol), "silent D-2 clock_skew")
	r.expect(request(alice, wants("10.0.0.10")), "ACK D-8")
}

// S-14: an offer lasts its time, whatever the clock is set to.
func TestAnOfferOutlivesAStep(t *testing.T) {
	for _, by := range []time.Duration{-time.Hour, 90 * time.Minute} {
		c := newSteps()
		r := newRig(t, newMemStore(), snapshot(t, worldOptions, oneAddress()...), policy(shortLeases), c.on)
		r.SetAuthority(Authoritative)
		r.expect(discover(alice), "OFFER D-1 10.0.0.10/24 new")
		c.set(by)
		r.exhausted(discover(bob))
		r.expect(selecting(alice, "10.0.0.10"), "ACK D-4")
		r.expect(message(Release, alice, has("10.0.0.10")), "accepted, no reply D-19")
		r.expect(discover(bob, wants("10.0.0.10")), "silent D-2")
		c.run(2 * time.Hour)
		r.expect(discover(bob), "OFFER D-1 10.0.0.10/24 new")
	}
}

// S-14: what is no step stops nothing: time that passes, a clock that is set by
// less than the grace, again and again, and a clock that is set back.
func TestWhatIsNoStep(t *testing.T) {
	for _, test := range []struct {
		name   string
		happen func(*steps, func())
	}{
		{"time passes", func(c *steps, _ func()) { c.run(2 * time.Hour) }},
		{"a little", func(c *steps, _ func()) { c.set(10 * time.Second); c.run(2 * time.Hour) }},
		{"a little, every lease", func(c *steps, look func()) {
			for range 10 {
				c.set(6 * time.Second)
				c.run(time.Hour + time.Second)
				look()
			}
		}},
		{"back, and time passes", func(c *steps, look func()) { c.set(-time.Hour); look(); c.run(3 * time.Hour) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newSteps()
			r := newRig(t, newMemStore(), snapshot(t, worldOptions, oneAddress()...), policy(shortLeases), c.on)
			r.expect(selecting(alice, "10.0.0.10"), "ACK D-4")
			test.happen(c, func() { r.ReclaimPause() })
			r.expect(discover(bob), "OFFER D-1 10.0.0.10/24 new")
			if pause := r.ReclaimPause(); pause != 0 {
				t.Errorf("a pause of %s", pause)
			}
		})
	}
}

// S-14: many small steps while a lease runs are a step.
func TestSmallStepsAddUp(t *testing.T) {
	c := newSteps()
	r := newRig(t, newMemStore(), snapshot(t, worldOptions, oneAddress()...), policy(shortLeases), c.on)
	r.expect(selecting(alice, "10.0.0.10"), "ACK D-4")
	for range 10 {
		c.set(6 * time.Second)
		r.expect(discover(web), "OFFER D-1 10.0.0.5/24 static")
		c.run(time.Minute)
	}
	c.run(49*time.Minute + 30*time.Second)
	r.expect(discover(bob), "silent D-2")
	r.expect(renewing(alice, "10.0.0.10"), "ACK D-12")
}

// S-14: a clock that was behind gave leases that end too early once it is right.
func TestAClockThatIsSetBackAndForth(t *testing.T) {
	c := newSteps()
	r := newRig(t, newMemStore(), snapshot(t, worldOptions, oneAddress()...), policy(shortLeases), c.on)
	c.set(-time.Hour)
	r.expect(selecting(alice, "10.0.0.10"), "ACK D-4")
	c.run(time.Minute)
	c.set(time.Hour)
	r.expect(discover(bob), "silent D-2")
	c.run(58 * time.Minute)
	r.expect(discover(bob), "silent D-2")
	c.run(3 * time.Minute)
	r.expect(discover(bob), "OFFER D-1 10.0.0.10/24 new")
}

// S-14: a machine that slept cannot be told from one whose clock was set.
func TestAMachineThatSleptWaits(t *testing.T) {
	c := newSteps()
	r := newRig(t, newMemStore(), snapshot(t, worldOptions, oneAddress()...), policy(shortLeases), c.on)
	r.expect(selecting(alice, "10.0.0.10"), "ACK D-4")
	c.set(8 * time.Hour)
	r.expect(discover(bob), "silent D-2")
	r.expect(renewing(alice, "10.0.0.10"), "ACK D-12")
	c.run(time.Hour + 11*time.Second)
	r.expect(discover(bob), "OFFER D-1 10.0.0.10/24 new")
}

// S-14, H-4: without the store a running lease is extended by the time that is
// left of it, not by what the clock says.
func TestWithoutTheStoreAStepTakesNoTime(t *testing.T) {
	c := newSteps()
	store := newMemStore()
	r := newRig(t, store, snapshot(t, worldOptions, oneAddress()...), policy(shortLeases), c.on)
	r.expect(selecting(alice, "10.0.0.10"), "ACK D-4")
	c.run(30 * time.Minute)
	c.set(90 * time.Minute)
	store.before = func(Lease) error { return errDisk }
	got, err := r.Handle(t.Context(), renewing(alice, "10.0.0.10"), nil)
	if err == nil || got.Verdict != Ack || got.Time != 30*time.Minute {
		t.Errorf("%s for %s, %v", brief(got), got.Time, err)
	}
}

// restarted is the engine of a new process on the same store, with a clock of its
// own beginning.
func restarted(t *testing.T, r *rig, c *steps, parts []part) *rig {
	t.Helper()
	c.steady = 0
	next := newRig(t, r.store, snapshot(t, worldOptions, parts...), policy(shortLeases), c.on)
	next.SetAuthority(Authoritative)
	return next
}

// S-14: a pause goes on after a restart, as long as was left of it.
func TestAPauseOutlivesARestart(t *testing.T) {
	c := newSteps()
	r := newRig(t, newMemStore(), snapshot(t, worldOptions, oneAddress()...), policy(shortLeases), c.on)
	r.expect(selecting(alice, "10.0.0.10"), "ACK D-4")
	c.set(90 * time.Minute)
	r.noteClock(t.Context())
	c.run(20 * time.Minute)
	r.noteClock(t.Context())
	r = restarted(t, r, c, oneAddress())
	r.Confirm(c.wall, 0)
	r.ClockRead() // the clock is right now, the leases were given by another
	r.expect(discover(bob), "silent D-2 clock_skew")
	r.expect(selecting(bob, "10.0.0.10"), "silent D-16 clock_skew")
	r.expect(renewing(alice, "10.0.0.10"), "ACK D-12")
	if left := r.ReclaimPause(); left != 40*time.Minute {
		t.Errorf("%s are left", left)
	}
	c.run(40 * time.Minute)
	c.run(31 * time.Minute) // the lease of the renewal
	r.noteClock(t.Context())
	r.expect(discover(bob), "OFFER D-1 10.0.0.10/24 new")
	if note := r.Note(clockNote); note != nil {
		t.Errorf("the note is still %s", note)
	}
}

// S-15: a start counts as a step until something confirms the clock.
func TestAStartWithAWrongClock(t *testing.T) {
	for _, test := range []struct {
		name    string
		wrong   time.Duration
		confirm func(*rig, *steps)
		ends    bool // the lease of alice, once that has happened
	}{
		{"nothing confirms it", 90 * time.Minute, func(*rig, *steps) {}, false},
		{"NetBox shows another time", 90 * time.Minute, func(r *rig, _ *steps) { r.Confirm(start, -90*time.Minute); r.ClockRead() }, false},
		{"the disk copy says nothing of the time", 90 * time.Minute, func(r *rig, _ *steps) { r.Confirm(start, 0) }, false},
		{"NetBox shows the same time", 90 * time.Minute, func(r *rig, c *steps) { r.Confirm(c.wall, time.Minute); r.ClockRead() }, true},
		{"the kernel vouches for it", 90 * time.Minute, func(r *rig, c *steps) { c.synced = true; r.checkClock(r.t.Context()) }, true},
		{"the kernel does not", 90 * time.Minute, func(r *rig, _ *steps) { r.checkClock(r.t.Context()) }, false},
		{"one longest lease passes", 90 * time.Minute, func(_ *rig, c *steps) { c.run(time.Hour) }, true},
		{"ten years", 10 * 365 * 24 * time.Hour, func(*rig, *steps) {}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newSteps()
			c.synced = false
			c.set(test.wrong)
			r := newRig(t, newMemStore(bound("10.0.0.10", alice, time.Hour)), snapshot(t, worldOptions, oneAddress()...), policy(shortLeases), c.on)
			r.SetAuthority(Authoritative)
			r.expect(discover(bob), "silent D-2 clock_skew")
			r.expect(selecting(bob, "10.0.0.10"), "silent D-16 clock_skew")
			test.confirm(r, c)
			if test.ends {
				r.expect(discover(bob), "OFFER D-1 10.0.0.10/24 new")
				return
			}
			r.expect(discover(bob), "silent D-2 clock_skew")
			r.expect(request(alice, wants("10.0.0.10")), "ACK D-8")
		})
	}
}

// S-14, S-15: what another server gave away since is not taken back by the client
// of before, while the clock cannot tell which of the two leases ended later.
func TestADoubtedClockTakesNothingFromAnotherServer(t *testing.T) {
	told := start.Add(-2 * time.Hour)
	for name, record := range map[string]struct {
		edits []edit
		want  string
	}{
		"given away since":          {[]edit{record(bob, -90*time.Minute), seen(start)}, "silent D-16 clock_skew"},
		"given away and given back": {[]edit{record(bob), seen(start)}, "ACK D-4"},
		"a record of before":        {[]edit{record(bob, -90*time.Minute), seen(told)}, "ACK D-4"},
		"nothing newer":             {[]edit{record(alice, -time.Hour), seen(start)}, "ACK D-4"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newSteps()
			c.synced = false
			r := newRig(t, newMemStore(synced(released("10.0.0.10", alice, time.Hour), told)),
				snapshot(t, worldOptions, append(office()[:1:1], dynamic("10.0.0.10/24", record.edits...))...), policy(shortLeases), c.on)
			r.expect(selecting(alice, "10.0.0.10"), record.want)
		})
	}
}

// S-15: a machine that keeps its clock in step, and a store without leases, have
// nothing to wait for.
func TestAStartWithAClockInStep(t *testing.T) {
	c := newSteps()
	r := newRig(t, newMemStore(bound("10.0.0.10", alice, -time.Hour)), snapshot(t, worldOptions, oneAddress()...), c.on)
	r.expect(discover(bob), "OFFER D-1 10.0.0.10/24 new")
	c.synced = false
	r = newRig(t, newMemStore(), snapshot(t, worldOptions, oneAddress()...), c.on)
	if pause := r.ReclaimPause(); pause != 0 {
		t.Errorf("a first start waits for %s", pause)
	}
}

// S-15: leases of a start whose clock nothing confirmed may end too early by the
// clock of the next start, even if that one is right.
func TestLeasesOfAnUnconfirmedStart(t *testing.T) {
	held := bound("10.0.0.11", carol, -100*time.Minute)
	for _, test := range []struct {
		name      string
		held      []Lease
		confirmed bool
		serves    time.Duration // before alice comes
	}{
		{"never confirmed", []Lease{held}, false, 0},
		{"never confirmed, and the pause is over", []Lease{held}, false, 2 * time.Hour},
		{"never confirmed, a first start", nil, false, 0},
		{"confirmed in time", []Lease{held}, true, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newSteps()
			c.set(-90 * time.Minute) // behind
			c.synced = false
			r := newRig(t, newMemStore(test.held...), snapshot(t, worldOptions, oneAddress()...), policy(shortLeases), c.on)
			c.run(test.serves)
			r.noteClock(t.Context())
			r.invite(alice)
			r.expect(selecting(alice, "10.0.0.10"), "ACK D-4")
			if test.confirmed {
				r.ClockRead()
			}
			r.noteClock(t.Context())
			c.set(150*time.Minute + 11*time.Second) // the lease seems to be over
			c.synced = true
			r = restarted(t, r, c, oneAddress())
			if test.confirmed {
				r.expect(discover(bob), "OFFER D-1 10.0.0.10/24 new")
				return
			}
			r.expect(discover(bob), "silent D-2 clock_skew")
			c.run(time.Hour)
			r.expect(discover(bob), "OFFER D-1 10.0.0.10/24 new")
		})
	}
}

// S-15: a clock before what the store has seen is not trusted, whatever vouches
// for it.
func TestAClockBeforeTheNewestLease(t *testing.T) {
	for name, newest := range map[string]Lease{
		"given":            bound("10.0.0.11", carol, 2*time.Hour),
		"given back":       released("10.0.0.11", carol, -time.Hour),
		"shown by NetBox":  synced(bound("10.0.0.11", carol, 0), start.Add(time.Hour)),
		"of a little ago":  synced(bound("10.0.0.11", carol, 0), start.Add(time.Minute)),
		"running its time": bound("10.0.0.11", carol, time.Hour),
	} {
		t.Run(name, func(t *testing.T) {
			c := newSteps()
			r := newRig(t, newMemStore(bound("10.0.0.10", alice, -time.Hour), newest), snapshot(t, worldOptions, oneAddress()...), policy(shortLeases), c.on)
			r.Confirm(start, 0)
			r.ClockRead()
			if name == "of a little ago" || name == "running its time" {
				r.expect(discover(bob), "OFFER D-1 10.0.0.10/24 new")
				return
			}
			r.expect(discover(bob), "silent D-2 clock_skew")
			c.run(time.Hour)
			r.expect(discover(bob), "OFFER D-1 10.0.0.10/24 new")
		})
	}
}

// S-14: a lease that only the clock ended is not refused because NetBox shows
// another client since.
func TestAClockRefusesNobody(t *testing.T) {
	c := newSteps()
	c.synced = false
	c.set(90 * time.Minute)
	shown := dynamic("10.0.0.10/24", record(carol, 80*time.Minute), seen(start.Add(time.Second)))
	r := newRig(t, newMemStore(synced(bound("10.0.0.10", alice, time.Hour), start)), snapshot(t, worldOptions, append(office()[:1:1], shown)...), policy(shortLeases), c.on)
	r.SetAuthority(Authoritative)
	r.expect(renewing(alice, "10.0.0.10"), "silent D-16 clock_skew")
	r.expect(request(alice, wants("10.0.0.10")), "silent D-16 clock_skew")
	r.expect(selecting(alice, "10.0.0.10"), "silent D-16 clock_skew")
	r.expect(selecting(bob, "10.0.0.10"), "silent D-16 clock_skew")
}

// S-14: the log says when a pause begins and when it ends.
func TestAPauseIsInTheLog(t *testing.T) {
	log, hook := logtest.NewNullLogger()
	c := newSteps()
	r := newRig(t, newMemStore(), snapshot(t, worldOptions, oneAddress()...), policy(shortLeases), c.on, func(config *Config) { config.Log = log })
	said := func(want string) {
		t.Helper()
		var lines []string
		for _, entry := range hook.AllEntries() {
			lines = append(lines, entry.Message+" "+entry.Data["set_by"].(string)) //nolint:forcetypeassert // the test fails
		}
		hook.Reset()
		if got := strings.Join(lines, "\n"); !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	r.noteClock(t.Context())
	said("")
	c.set(90 * time.Minute)
	r.noteClock(t.Context())
	said("the clock was set forward: ended leases go to no other client until all that may run have ended 1h30m0s")
	r.noteClock(t.Context())
	said("")
	c.run(time.Hour)
	r.noteClock(t.Context())
	if entry := hook.LastEntry(); entry == nil || !strings.Contains(entry.Message, "trusted again") {
		t.Errorf("the end is not said: %v", entry)
	}
}

// S-14: an engine notes a step that it sees with a packet without waiting for
// its timer.
func TestAStepIsNotedAtOnce(t *testing.T) {
	c := newSteps()
	r := newRig(t, newMemStore(), snapshot(t, worldOptions, oneAddress()...), policy(shortLeases), c.on)
	c.set(90 * time.Minute)
	r.expect(discover(web), "OFFER D-1 10.0.0.5/24 static")
	select {
	case <-r.clock.kick:
	default:
		t.Error("nothing asks for the note")
	}
}
