package lease

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"
)

// where a pool is otherwise empty, the address that rests longest is offered, not
// within ten minutes, and only after an echo request that was sent and not answered,
// whatever lease.probe is.
func TestQuarantineGivesWay(t *testing.T) {
	rests := func(addr string, since time.Duration) Lease { return quarantined(addr, 24*time.Hour-since) }
	older, newer, young := rests("10.0.0.11", 2*time.Hour), rests("10.0.0.10", time.Hour), rests("10.0.0.10", 10*time.Minute-2*time.Second)
	unsent := errors.New("no route")
	for name, c := range map[string]struct {
		leases  []Lease
		used    string
		failure error
		wait    time.Duration // lease.probe; 0: as it is by default
		noProbe bool          // there is no way to send one
		message ClientMessage
		want    string
	}{
		"the oldest":                   {leases: []Lease{newer, older}, message: discover(alice), want: "OFFER D-1 10.0.0.11/24 new"},
		"the oldest answers":           {leases: []Lease{newer, older}, used: "10.0.0.11", message: discover(alice), want: "OFFER D-1 10.0.0.10/24 new"},
		"within ten minutes":           {leases: []Lease{young, bound("10.0.0.11", bob, time.Hour)}, message: discover(alice), want: "silent D-2 pool_empty"},
		"another is free":              {leases: []Lease{older}, message: discover(alice), want: "OFFER D-1 10.0.0.10/24 new"},
		"the only one answers":         {leases: []Lease{newer, bound("10.0.0.11", bob, time.Hour)}, used: "10.0.0.10", message: discover(alice), want: "silent D-2 pool_empty"},
		"no request can be sent":       {leases: []Lease{newer, older}, failure: unsent, message: discover(alice), want: "silent D-2 pool_empty"},
		"no request can be sent, free": {leases: []Lease{older}, failure: unsent, message: discover(alice), want: "OFFER D-1 10.0.0.10/24 new"},
		"with lease.probe":             {leases: []Lease{newer, older}, wait: 300 * time.Millisecond, message: discover(alice), want: "OFFER D-1 10.0.0.11/24 new"},
		"with it, the oldest answers":  {leases: []Lease{newer, older}, wait: 300 * time.Millisecond, used: "10.0.0.11", message: discover(alice), want: "OFFER D-1 10.0.0.10/24 new"},
		"there is no way to ask":       {leases: []Lease{newer, older}, noProbe: true, message: discover(alice), want: "silent D-2 pool_empty"},
		"no way to ask, free":          {leases: []Lease{older}, noProbe: true, message: discover(alice), want: "OFFER D-1 10.0.0.10/24 new"},
		"asked for in option 50":       {leases: []Lease{newer, older}, message: discover(alice, wants("10.0.0.10")), want: "OFFER D-1 10.0.0.11/24 new"},
		"a REQUEST takes nothing":      {leases: []Lease{newer, older}, message: selecting(alice, "10.0.0.11"), want: "silent D-5 taken"},
		"the pool of another network":  {leases: []Lease{newer, older}, message: discover(alice, via("10.9.0.1")), want: "silent D-2 pool_empty"},
	} {
		t.Run(name, func(t *testing.T) {
			store := newMemStore(c.leases...)
			s := snapshot(t, worldOptions, prefix("10.0.0.0/24"), prefix("10.9.0.0/24"), dynamic("10.0.0.10-10.0.0.11/24"))
			r := newRig(t, store, s, func(config *Config) {
				config.ProbeWait = c.wait
				if !c.noProbe {
					config.Probe = func(_ context.Context, addr netip.Addr, wait time.Duration) (bool, error) {
						if wait != cmp.Or(c.wait, 500*time.Millisecond) {
							t.Errorf("it is waited %s", wait)
						}
						return addr.String() == c.used, c.failure
					}
				}
			})
			d, err := r.Handle(t.Context(), c.message, nil)
			if got := brief(d); got != c.want || err != nil {
				t.Fatalf("%s, %v; want %s", got, err, c.want)
			}
			if d.Verdict == Offer {
				r.expect(selecting(alice, d.Addr.Addr().String()), "ACK D-4 "+d.Addr.String()+" new")
			}
			if c.used != "" {
				if again := store.get(c.used); again.State != Quarantined || again.Expires.Before(start.Add(24*time.Hour-time.Second)) {
					t.Errorf("what answered is %+v", again)
				}
			}
			if len(r.facts.Leases.inWork) != 0 {
				t.Error("marks are left")
			}
			if err := r.facts.Leases.verify(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A-8, H-3: what cannot be stored is not offered, and goes on resting.
func TestQuarantineDoesNotGiveWayWithoutTheStore(t *testing.T) {
	store := newMemStore(quarantined("10.0.0.10", time.Hour))
	r := newRig(t, store, snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10/24")), func(config *Config) {
		config.Probe = func(context.Context, netip.Addr, time.Duration) (bool, error) { return false, nil }
	})
	store.before = func(Lease) error { return errDisk }
	if d, err := r.Handle(t.Context(), discover(alice), nil); d.Verdict != Silent || err == nil {
		t.Errorf("%s, %v", brief(d), err)
	}
	if l := r.facts.Leases; len(l.holds)+len(l.inWork) != 0 {
		t.Errorf("holds %v, in work %v", l.holds, l.inWork)
	}
	store.before = nil
	r.handle(discover(alice))
}
