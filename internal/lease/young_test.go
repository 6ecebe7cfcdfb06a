package lease

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// H-6: an empty store beside records of leases is no first start.
func TestAnEmptyStoreBesideRecordsRefusesNobodyForWantOfABinding(t *testing.T) {
	recordedWorld := append(office(), dynamic("10.0.0.30/24", record(carol, 20*time.Minute)), dynamic("10.0.0.31/24", record(carol, -time.Hour)))
	for _, c := range []struct {
		name        string
		parts       []part
		held        []Lease
		m           ClientMessage
		young, late string // within the longest lease, and after it
	}{
		{"renews where no other client is known", recordedWorld, nil, renewing(bob, "10.0.0.11"), "ACK D-12 10.0.0.11/24 new", "NAK D-13"},
		{"comes back to where no other client is known", recordedWorld, nil, request(bob, wants("10.0.0.11")), "ACK D-8 10.0.0.11/24 new", "NAK D-10"},
		{"renews what another runs", recordedWorld, nil, renewing(bob, "10.0.0.30"), "silent H-6", "NAK D-13"},
		{"renews what another had", recordedWorld, nil, renewing(bob, "10.0.0.31"), "silent H-6", "NAK D-13"},
		{"renews its record", recordedWorld, nil, renewing(carol, "10.0.0.30"), "ACK D-12 10.0.0.30/24 bound", ""},
		{"renews what is not dynamic", recordedWorld, nil, renewing(bob, "10.0.0.200"), "NAK D-13", "NAK D-13"},
		{"a known host asks for another address", recordedWorld, nil, request(web, wants("10.0.0.11")), "NAK D-9", "NAK D-9"},
		{"no record: a first start", office(), nil, renewing(bob, "10.0.0.11"), "NAK D-13", "NAK D-13"},
		{"a store with a lease", recordedWorld, []Lease{bound("10.0.0.12", alice, time.Hour)}, renewing(bob, "10.0.0.11"), "NAK D-13", "NAK D-13"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, late := range []bool{false, true} {
				want := c.young
				if late {
					want = c.late
				}
				if want == "" {
					continue
				}
				r := newRig(t, newMemStore(), snapshot(t, worldOptions, c.parts...), func(config *Config) { config.Store = nil })
				r.SetAuthority(Authoritative)
				store := newMemStore(c.held...)
				if err := r.Attach(t.Context(), store); err != nil {
					t.Fatal(err)
				}
				if late { // and after a restart in between
					again := newRig(t, store, snapshot(t, worldOptions, c.parts...), func(config *Config) { config.Store = nil })
					again.SetAuthority(Authoritative)
					again.now = start.Add(30 * time.Minute)
					if err := again.Attach(t.Context(), store); err != nil {
						t.Fatal(err)
					}
					r = again
					r.now = start.Add(r.LongestLease() + 31*time.Minute)
				}
				r.expect(c.m, want)
			}
		})
	}
}

// H-6: a client that has a lease is not refused another one either, which the store
// may have lost; the address may be on offer to another client by now.
func TestALostLeaseIsNotRefusedForTheSakeOfAnother(t *testing.T) {
	for name, m := range map[string]ClientMessage{
		"renews":     renewing(carol, "10.0.0.11"),
		"comes back": request(carol, wants("10.0.0.11")),
	} {
		store := newMemStore()
		s := snapshot(t, worldOptions, append(office(), dynamic("10.0.0.30/24", record(carol, 20*time.Minute)))...)
		r := newRig(t, store, s, func(config *Config) { config.Store = nil })
		r.SetAuthority(Authoritative)
		if err := r.Attach(t.Context(), store); err != nil {
			t.Fatal(err)
		}
		r.expect(discover(bob, wants("10.0.0.11")), "OFFER D-1 10.0.0.11/24")
		if got := brief(r.handle(m)); got != "silent H-6 store_failed" {
			t.Errorf("%s: %s", name, got)
		}
		r.expect(renewing(carol, "10.0.0.200"), "NAK D-13") // not dynamic
	}
}

// H-6: at a start the snapshot comes after the store. It tells whether the empty
// store has lost leases; those of NetBox are in it before a dynamic client is
// answered, and the longest of them counts.
func TestAnEmptyStoreIsJudgedByTheFirstSnapshot(t *testing.T) {
	long := append(office(), dynamic("10.0.0.30/24", record(carol, 100*time.Hour)), dynamic("10.0.0.31/24", record(alice, -time.Hour)))
	store := newMemStore()
	r := newRig(t, store, nil, func(config *Config) { config.Store = nil })
	r.SetAuthority(Authoritative)
	if err := r.Attach(t.Context(), store); err != nil {
		t.Fatal(err)
	}
	slow := make(chan struct{})
	store.before = func(Lease) error { <-slow; return nil }
	r.SetSnapshot(snapshot(t, worldOptions, long...))
	r.expect(discover(bob), "silent H-5 store_failed")
	r.expect(renewing(bob, "10.0.0.11"), "silent H-5 store_failed")
	r.expect(discover(web), "OFFER D-1 10.0.0.5/24 static")
	close(slow)
	r.AwaitStore()
	for addr, want := range map[string]ClientID{"10.0.0.30": carol, "10.0.0.31": alice} {
		if l := store.get(addr); l.Client != want || l.Unsynced || l.ToldClient != want {
			t.Errorf("the store holds %+v for %s, want the lease of %s", l, addr, want)
		}
	}
	r.expect(renewing(carol, "10.0.0.30"), "ACK D-12 10.0.0.30/24 bound")
	r.now = start.Add(99 * time.Hour)
	r.expect(renewing(bob, "10.0.0.11"), "ACK D-12 10.0.0.11/24 new")
	r.now = start.Add(101 * time.Hour)
	r.expect(renewing("52:54:00:00:00:0D", "10.0.0.12"), "NAK D-13")
}

// H-6: a first start stays one when its own leases appear in NetBox.
func TestTheLeasesOfAFirstStartDoNotMakeItsStoreYoung(t *testing.T) {
	store := newMemStore()
	r := newRig(t, store, nil, func(config *Config) { config.Store = nil })
	r.SetAuthority(Authoritative)
	if err := r.Attach(t.Context(), store); err != nil {
		t.Fatal(err)
	}
	r.SetSnapshot(snapshot(t, worldOptions, office()...))
	r.expect(selecting(carol, "10.0.0.10"), "ACK D-4")
	r.SetSnapshot(snapshot(t, worldOptions, append(office(), dynamic("10.0.0.30/24", record(alice, time.Hour)))...))
	r.expect(renewing(bob, "10.0.0.11"), "NAK D-13")
}

// H-6: while the store may lack leases, an address with an ended one goes to
// another client only after an unanswered probe, whatever the settings say.
func TestAnEndedLeaseIsProbedWhileTheStoreIsYoung(t *testing.T) {
	parts := []part{prefix("10.0.0.0/24"), dynamic("10.0.0.31/24", record(carol, -time.Hour))}
	for _, c := range []struct {
		name     string
		young    bool
		m        ClientMessage
		answered bool
		err      error
		want     string
		probed   int
	}{
		{"silent host", true, discover(bob), false, nil, "OFFER D-1 10.0.0.31/24", 1},
		{"asked for", true, discover(bob, wants("10.0.0.31")), false, nil, "OFFER D-1 10.0.0.31/24", 1},
		{"a host answers", true, discover(bob), true, nil, "silent D-2", 1},
		{"the probe cannot be sent", true, discover(bob), false, errDisk, "silent D-2", 1},
		{"its own", true, discover(carol), true, nil, "OFFER D-1 10.0.0.31/24 bound", 0},
		{"selected without a probe", true, selecting(bob, "10.0.0.31"), false, nil, "silent H-6", 0},
		{"a store that is not young", false, discover(bob), true, nil, "OFFER D-1 10.0.0.31/24", 0},
		{"selected, not young", false, selecting(bob, "10.0.0.31"), true, nil, "ACK D-4", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			probed := 0
			store := newMemStore()
			r := newRig(t, store, snapshot(t, worldOptions, parts...), func(config *Config) {
				if c.young {
					config.Store = nil
				}
				config.ProbeWait = 0
				config.Probe = func(context.Context, netip.Addr, time.Duration) (bool, error) {
					probed++
					return c.answered, c.err
				}
			})
			r.SetAuthority(Authoritative)
			if c.young {
				if err := r.Attach(t.Context(), store); err != nil {
					t.Fatal(err)
				}
			}
			d, err := r.Handle(t.Context(), c.m, nil)
			if got := brief(d); !strings.HasPrefix(got, c.want) || err != nil {
				t.Errorf("%s, %v; want %s", got, err, c.want)
			}
			if probed != c.probed {
				t.Errorf("probed %d times, want %d", probed, c.probed)
			}
			if d.Verdict == Offer && c.m.Client == bob && c.young {
				r.expect(selecting(bob, "10.0.0.31"), "ACK D-4 10.0.0.31/24")
			}
		})
	}
}

// H-6, S-14, S-15: a clock that was set forward, or that nothing confirms, does not
// make a store that may lack leases complete, after a restart as little as before.
func TestAClockDoesNotMakeAStoreComplete(t *testing.T) {
	parts := append(office(), dynamic("10.0.0.30/24", record(carol, 20*time.Minute)))
	for name, doubt := range map[string]func(*rig, *steps){
		"it was set forward":                  func(r *rig, c *steps) { c.set(25 * time.Hour); r.noteClock(t.Context()) },
		"nothing confirms it after the start": func(_ *rig, c *steps) { c.set(25 * time.Hour); c.synced = false },
	} {
		t.Run(name, func(t *testing.T) {
			c, store := newSteps(), newMemStore()
			begin := func() *rig {
				r := newRig(t, store, snapshot(t, worldOptions, parts...), policy(shortLeases), c.on, func(config *Config) { config.Store = nil })
				r.SetAuthority(Authoritative)
				if err := r.Attach(t.Context(), store); err != nil {
					t.Fatal(err)
				}
				return r
			}
			doubt(begin(), c)
			r := begin()
			r.expect(renewing(carol, "10.0.0.30"), "ACK D-12 10.0.0.30/24 bound")
			r.expect(renewing(bob, "10.0.0.30"), "silent H-6")
			r.expect(renewing(bob, "10.0.0.11"), "ACK D-12 10.0.0.11/24 new")
			c.run(time.Hour)
			r.expect(renewing(alice, "10.0.0.12"), "NAK D-13")
		})
	}
}

// A-7, H-6: an address at which a host answered is held for nobody, although its
// quarantine could not be stored.
func TestAnAddressWhoseHostAnsweredIsNotHeld(t *testing.T) {
	for name, young := range map[string]bool{"an empty store": true, "lease.probe is set": false} {
		t.Run(name, func(t *testing.T) {
			store := newMemStore()
			r := newRig(t, store, snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.31/24", record(carol, -time.Hour))), func(config *Config) {
				if young {
					config.Store, config.ProbeWait = nil, 0
				}
				config.Probe = func(context.Context, netip.Addr, time.Duration) (bool, error) { return true, nil }
			})
			if young {
				if err := r.Attach(t.Context(), store); err != nil {
					t.Fatal(err)
				}
			}
			store.before = func(Lease) error { return errDisk }
			if d, err := r.Handle(t.Context(), discover(bob), nil); d.Verdict != Silent || err == nil {
				t.Errorf("%s, %v", brief(d), err)
			}
			if holder := r.facts.Leases.holds.at(netip.MustParseAddr("10.0.0.31")).client; holder != "" {
				t.Errorf("it is held for %s", holder)
			}
		})
	}
}

// H-10, S-4: what a copy knows is given to an empty store, and to no other, and
// NetBox is told what it does not know of it.
func TestACopyFillsAnEmptyStoreOnly(t *testing.T) {
	old := newRig(t, newMemStore(bound("10.0.0.12", alice, time.Hour), bound("10.0.0.13", bob, -time.Hour)), snapshot(t, worldOptions, office()...))
	kept, ok := old.Keep()
	if !ok || len(kept.Leases) != 1 || kept.Leases[0].Client != alice {
		t.Fatalf("kept %+v, %v; want the running lease", kept, ok)
	}
	for _, c := range []struct {
		name string
		held []Lease
		want string // a renewal of the lease in the copy
		late string // a renewal of an unknown lease
	}{
		{"an empty store", nil, "ACK D-12 10.0.0.12/24 bound", "ACK D-12 10.0.0.15/24 new"},
		{"a store with leases", []Lease{bound("10.0.0.14", bob, time.Hour)}, "NAK D-13", "NAK D-13"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, newMemStore(), snapshot(t, worldOptions, office()...), func(config *Config) { config.Store = nil })
			r.SetAuthority(Authoritative)
			r.Restore(kept)
			if _, ok := r.Keep(); ok {
				t.Error("a copy would be made without a store")
			}
			store := newMemStore(c.held...)
			if err := r.Attach(t.Context(), store); err != nil {
				t.Fatal(err)
			}
			if held := store.get("10.0.0.12").Client == alice; held != (c.held == nil) {
				t.Errorf("the lease of the copy is in the store: %v", held)
			}
			if queued := len(r.Unsynced(-1)); queued != 1 {
				t.Errorf("NetBox is to be told of %d leases, want the one in the store", queued)
			}
			r.expect(renewing(alice, "10.0.0.12"), c.want)
			r.expect(renewing(carol, "10.0.0.15"), c.late)
			if err := r.facts.Leases.verify(); err != nil {
				t.Error(err)
			}
		})
	}
}
