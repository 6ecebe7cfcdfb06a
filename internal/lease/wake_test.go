package lease

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"
)

// neighbours answers ARP and echo requests of the tests, and counts them.
type neighbours struct {
	arp, echo map[string]bool // who answers
	near      bool            // the addresses are on a connected interface
	unsent    bool            // no echo request can be sent
	asked     int
}

var errFar = errors.New("on no connected interface")

func (n *neighbours) on(config *Config) {
	config.ARP = func(_ context.Context, addr netip.Addr) (bool, error) {
		if !n.near {
			return false, errFar
		}
		n.asked++
		return n.arp[addr.String()], nil
	}
	config.Probe = func(_ context.Context, addr netip.Addr, _ time.Duration) (bool, error) {
		if n.unsent {
			return false, errFar
		}
		n.asked++
		return n.echo[addr.String()], nil
	}
}

// looks lets the time pass that a quarantine is looked at.
func (r *rig) looks(d time.Duration, step func(time.Duration)) {
	for ; d > 0; d -= restLook {
		step(restLook)
		r.lookAtQuarantine(r.t.Context())
	}
}

func (r *rig) resting(addr string) bool { return r.store.get(addr).State == Quarantined }

// what does not answer ARP on a connected interface wakes after ten minutes
// at the earliest; elsewhere an echo tells only of a host that answered one before.
func TestAQuarantineEndsByProof(t *testing.T) {
	answers := map[string]bool{"10.0.0.10": true}
	for name, c := range map[string]struct {
		n     neighbours
		heard bool          // it answered an echo request before
		goes  bool          // the host goes away after an hour
		wakes time.Duration // the latest; 0: not within three hours
	}{
		"ARP stays unanswered":                    {n: neighbours{near: true}, wakes: 10*time.Minute + 2*restLook},
		"ARP is answered, an echo is not":         {n: neighbours{near: true, arp: answers}},
		"ARP is answered for an hour":             {n: neighbours{near: true, arp: answers}, goes: true, wakes: time.Hour + lookAgain + 2*restLook},
		"far, an echo stays unanswered":           {n: neighbours{}},
		"far, it answered an echo before":         {n: neighbours{}, heard: true, wakes: 10*time.Minute + 2*restLook},
		"far, it answers":                         {n: neighbours{echo: answers}, heard: true},
		"far, it answers for an hour":             {n: neighbours{echo: answers}, goes: true, wakes: time.Hour + lookAgain + 2*restLook},
		"far, no request can be sent":             {n: neighbours{unsent: true}, heard: true},
		"near, it answered an echo, ARP still is": {n: neighbours{near: true, arp: answers}, heard: true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, newMemStore(), snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10-10.0.0.11/24")), c.n.on,
				func(config *Config) { config.ProbeWait = 0 })
			r.expect(discover(alice), "OFFER D-1 10.0.0.10/24")
			r.expect(message(Decline, alice, wants("10.0.0.10")), "accepted, no reply D-17")
			if c.heard {
				r.heard(optionalAddr("10.0.0.10"))
			}
			pass := func(d time.Duration) { r.now = r.now.Add(d) }
			r.looks(10*time.Minute-restLook, pass)
			if !r.resting("10.0.0.10") || c.n.asked != 0 {
				t.Fatalf("within ten minutes: resting %v, asked %d times", r.resting("10.0.0.10"), c.n.asked)
			}
			began := r.now
			for r.resting("10.0.0.10") && r.now.Sub(start) < 3*time.Hour {
				if c.goes && r.now.Sub(began) > time.Hour {
					c.n.arp, c.n.echo = nil, nil
				}
				r.looks(restLook, pass)
			}
			if woke := !r.resting("10.0.0.10"); woke != (c.wakes > 0) || woke && r.now.Sub(start) > c.wakes+10*time.Minute {
				t.Errorf("woke %v after %s, want %s", woke, r.now.Sub(start), c.wakes)
			}
			if err := r.facts.Leases.verify(); err != nil {
				t.Error(err)
			}
			if !r.resting("10.0.0.10") {
				r.expect(discover(bob, wants("10.0.0.10")), "OFFER D-1 10.0.0.10/24 new")
			}
		})
	}
}

// ten addresses a minute are asked at most, each in its turn and not again
// within ten minutes.
func TestQuarantinesAreAskedInTurn(t *testing.T) {
	n := &neighbours{arp: map[string]bool{}}
	var leases []Lease
	for i := range 150 {
		addr := hostOf(10, 0, 10+i).String()
		leases = append(leases, quarantined(addr, 24*time.Hour))
		n.arp[addr] = true
	}
	asked := make(map[string]time.Time)
	r := newRig(t, newMemStore(leases...), snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10-10.0.0.200/24")))
	r.config.ARP = func(_ context.Context, addr netip.Addr) (bool, error) {
		if before, twice := asked[addr.String()]; twice && (r.now.Sub(before) < lookAgain || len(asked) < 150) {
			t.Errorf("%s is asked again after %s, while %d were", addr, r.now.Sub(before), len(asked))
		}
		asked[addr.String()], n.asked = r.now, n.asked+1
		return true, nil
	}
	r.looks(10*time.Minute, func(d time.Duration) { r.now = r.now.Add(d) })
	n.asked = 0
	r.looks(10*time.Minute, func(d time.Duration) { r.now = r.now.Add(d) })
	if n.asked > 100 || n.asked < 99 {
		t.Errorf("%d were asked in ten minutes", n.asked)
	}
	r.looks(10*time.Minute, func(d time.Duration) { r.now = r.now.Add(d) })
	if len(asked) != 150 {
		t.Errorf("%d of 150 were asked", len(asked))
	}
}

// A-14, S-16: ten minutes are those that run, whatever the clock is set to; a clock
// that was set back would keep the address for as long.
func TestAQuarantineEndsByProofAcrossAStep(t *testing.T) {
	for _, by := range []time.Duration{-10 * 365 * 24 * time.Hour, -time.Hour, 20 * time.Minute, 25 * time.Hour} {
		t.Run(by.String(), func(t *testing.T) {
			c, n := newSteps(), &neighbours{near: true}
			r := newRig(t, newMemStore(), snapshot(t, worldOptions, oneAddress()...), policy(shortLeases), n.on, c.on)
			r.expect(discover(alice), "OFFER D-1 10.0.0.10/24")
			r.expect(message(Decline, alice, wants("10.0.0.10")), "accepted, no reply D-17")
			r.looks(time.Minute, c.run)
			c.set(by)
			r.looks(9*time.Minute-restLook, c.run)
			if !r.resting("10.0.0.10") {
				t.Fatal("it woke within ten minutes")
			}
			r.looks(3*restLook, c.run)
			if r.resting("10.0.0.10") {
				t.Error("it still rests")
			}
		})
	}
}

// what was declined anew rests anew, and what cannot be stored rests on.
func TestAQuarantineThatBeganAnewRestsAnew(t *testing.T) {
	n := &neighbours{near: true}
	store := newMemStore()
	r := newRig(t, store, snapshot(t, worldOptions, oneAddress()...), n.on, func(config *Config) { config.ProbeWait = 0 })
	pass := func(d time.Duration) { r.now = r.now.Add(d) }
	decline := func() {
		t.Helper()
		r.expect(discover(alice), "OFFER D-1 10.0.0.10/24")
		r.expect(message(Decline, alice, wants("10.0.0.10")), "accepted, no reply D-17")
	}
	decline()
	r.looks(9*time.Minute, pass)
	if err := r.EndQuarantine(t.Context(), optionalAddr("10.0.0.10")); err != nil {
		t.Fatal(err)
	}
	decline() // before it is looked at again
	r.looks(9*time.Minute, pass)
	if !r.resting("10.0.0.10") {
		t.Fatal("it woke within ten minutes")
	}
	store.before = func(Lease) error { return errDisk }
	r.looks(2*time.Minute, pass)
	if !r.resting("10.0.0.10") || n.asked != 1 {
		t.Fatalf("resting %v, asked %d times", r.resting("10.0.0.10"), n.asked)
	}
	store.before = nil
	r.Detach()
	r.looks(2*lookAgain, pass)
	if n.asked != 1 {
		t.Error("it was asked while there was no store to keep the answer")
	}
	if err := r.Attach(t.Context(), store); err != nil {
		t.Fatal(err)
	}
	r.looks(lookAgain, pass)
	if r.resting("10.0.0.10") {
		t.Error("it still rests")
	}
}

// an address that answered the echo request before an offer may end its
// quarantine by silence.
func TestAnAnswerBeforeAnOfferIsRemembered(t *testing.T) {
	n := &neighbours{echo: map[string]bool{"10.0.0.10": true}}
	r := newRig(t, newMemStore(), snapshot(t, worldOptions, oneAddress()...), n.on)
	if d, err := r.Handle(t.Context(), discover(alice), nil); d.Verdict != Silent || err != nil {
		t.Fatalf("%s, %v", brief(d), err)
	}
	if !r.resting("10.0.0.10") {
		t.Fatal("it does not rest")
	}
	n.echo = nil
	r.looks(11*time.Minute, func(d time.Duration) { r.now = r.now.Add(d) })
	if r.resting("10.0.0.10") {
		t.Error("it still rests")
	}
}
