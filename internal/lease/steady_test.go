package lease

import (
	"testing"
	"time"
)

// S-16: what is remembered of an answer lasts its time, whatever the clock is set
// to.
func TestAnAnswerIsRememberedAcrossAStep(t *testing.T) {
	for _, by := range []time.Duration{-10 * 365 * 24 * time.Hour, -time.Hour, -3 * time.Minute, -time.Minute, time.Minute, 3 * time.Minute, 25 * time.Hour} {
		t.Run(by.String(), func(t *testing.T) {
			c := newSteps()
			r := newRig(t, newMemStore(), snapshot(t, worldOptions, office()...), policy(shortLeases), c.on)
			r.SetAuthority(Authoritative)
			c.run(3 * time.Hour) // offers of before the start count no more
			r.expect(discover(nth(1)), "OFFER D-1 10.0.0.10/24")
			c.set(by)
			c.run(time.Second)
			r.expect(selecting(nth(1), "10.0.0.10"), "ACK D-4 10.0.0.10/24")
			r.expect(discover(nth(2)), "OFFER D-1 10.0.0.11/24")
			r.expect(selecting(nth(2), "10.0.0.11"), "ACK D-4 10.0.0.11/24")
			r.expect(discover(nth(3)), "OFFER D-1 10.0.0.12/24")
			c.run(2 * time.Minute)
			r.expect(selecting(nth(3), "10.0.0.12"), "silent D-30 not_offered")
			r.expect(discover(nth(4)), "OFFER D-1")
			c.set(-by)
			c.run(2 * time.Minute)
			r.expect(selecting(nth(4), "10.0.0.12"), "silent D-30 not_offered")
		})
	}
}

// S-16: so does the time in which a DECLINE counts.
func TestADeclineAcrossAStep(t *testing.T) {
	for _, by := range []time.Duration{-time.Hour, time.Hour} {
		c := newSteps()
		r := newRig(t, newMemStore(), snapshot(t, worldOptions, office()...), policy(shortLeases), c.on)
		r.expect(discover(nth(1)), "OFFER D-1 10.0.0.10/24")
		c.set(by)
		c.run(59 * time.Second)
		r.expect(message(Decline, nth(1), wants("10.0.0.10")), "accepted, no reply D-17")
		r.expect(discover(nth(2)), "OFFER D-1 10.0.0.11/24")
		c.set(-by)
		c.run(61 * time.Second)
		r.expect(message(Decline, nth(2), wants("10.0.0.11")), "silent")
	}
}

// S-16: a quarantine is ended by the operator, and counted, as packets find it.
func TestAQuarantineAcrossAStep(t *testing.T) {
	c := newSteps()
	store := newMemStore(quarantined("10.0.0.10", 24*time.Hour), bound("10.0.0.11", alice, time.Hour))
	r := newRig(t, store, snapshot(t, worldOptions, office()[0], dynamic("10.0.0.10-10.0.0.12/24")), policy(shortLeases), c.on)
	r.expect(discover(nth(1)), "OFFER D-1 10.0.0.12/24")
	c.set(48 * time.Hour)
	if u := r.Usage()[0]; u.Quarantined != 1 || u.Leased != 1 || u.Offered != 1 {
		t.Errorf("after a step: %+v", u)
	}
	if n := len(r.Leased()); n != 1 {
		t.Errorf("%d running leases, want alice's", n)
	}
	if kept, _ := r.Keep(); len(kept.Leases) != 2 {
		t.Errorf("the copy has %+v", kept.Leases)
	}
	if err := r.EndQuarantine(t.Context(), optionalAddr("10.0.0.10")); err != nil {
		t.Error(err)
	}
	if u := r.Usage()[0]; u.Quarantined != 0 {
		t.Errorf("after its end: %+v", u)
	}
	c.run(time.Minute)
	if u := r.Usage()[0]; u.Offered != 0 {
		t.Errorf("after the offer: %+v", u)
	}
	if err := r.facts.Leases.verify(); err != nil {
		t.Error(err)
	}
}
