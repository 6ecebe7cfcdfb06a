package lease

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// restoredStore is a store that was restored at start from a backup of an hour before.
func restoredStore(t *testing.T, held ...Lease) *memStore {
	t.Helper()
	store := newMemStore(held...)
	notes, err := RestoredNotes(map[string][]byte{youngNote: []byte("0001-01-01T00:00:00Z"), "owners": []byte("[]")}, start.Add(-time.Hour), start)
	if err != nil {
		t.Fatal(err)
	}
	store.notes = notes
	return store
}

// restoredRig is an engine on such a store, which has seen a snapshot of NetBox that
// NetBox confirmed. Hosts that answer an echo request are in use.
func restoredRig(t *testing.T, store *memStore, s *ipam.Snapshot, inUse map[string]bool, setups ...setup) (r *rig, probed *[]string) {
	t.Helper()
	probed = new([]string)
	r = newRig(t, store, nil, append(setups, func(config *Config) {
		config.Store, config.ProbeWait = nil, 0
		config.Probe = func(_ context.Context, addr netip.Addr, _ time.Duration) (bool, error) {
			*probed = append(*probed, addr.String())
			return inUse[addr.String()], nil
		}
	})...)
	r.SetAuthority(Authoritative)
	if err := r.Attach(t.Context(), store); err != nil {
		t.Fatal(err)
	}
	if s != nil {
		r.SetSnapshot(s)
		r.AwaitStore()
		r.Confirm(start.Add(time.Second), 0)
		r.AwaitStore()
	}
	return r, probed
}

// C-32: what was leased after the backup and is in NetBox goes to no other client,
// wherever the backup has it: nowhere, as ended, or as running for the one before.
func TestALeaseOfAfterTheBackupThatNetBoxShowsIsKept(t *testing.T) {
	const addr = "10.0.0.11"
	before := synced(bound(addr, alice, time.Hour), start.Add(-2*time.Hour))
	for name, held := range map[string][]Lease{
		"not in the backup":                    nil,
		"ended in the backup":                  {synced(bound(addr, alice, -30*time.Minute), start.Add(-2*time.Hour))},
		"released in the backup":               {synced(released(addr, alice, 30*time.Minute), start.Add(-2*time.Hour))},
		"another's in the backup":              {before},
		"another's, by an identifier":          {func() Lease { l := before; l.Client, l.Hardware = "id/00:01", alice; return l }()},
		"another's, NetBox was not told of it": {bound(addr, alice, time.Hour)},
	} {
		t.Run(name, func(t *testing.T) {
			s := snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic(addr+"/24", record(bob, time.Hour), seen(start.Add(-time.Minute))))
			store := restoredStore(t, append(held, bound("10.0.0.99", carol, time.Minute))...)
			r, _ := restoredRig(t, store, s, nil)
			r.expect(discover(carol, wants(addr)), "silent D-2")
			r.expect(discover(alice, wants(addr)), "silent D-2")
			r.expect(renewing(alice, addr), "silent H-6")
			r.expect(request(alice, wants(addr)), "silent H-6")
			r.expect(renewing(bob, addr), "ACK D-12 10.0.0.11/24 bound")
			if l := store.get(addr); l.Client != bob || l.State != Bound {
				t.Errorf("the store has %+v, want the lease of %s", l, bob)
			}
			if err := r.facts.Leases.verify(); err != nil {
				t.Error(err)
			}
		})
	}
}

// C-32, I-13: where clients are told by identifiers the record counts by itself.
func TestARecordOfAfterTheBackupCountsWhereIdentifiersDo(t *testing.T) {
	const addr = "10.0.0.11"
	s := snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic(addr+"/24", record(bob, time.Hour), seen(start.Add(-time.Minute))))
	store := restoredStore(t, synced(bound(addr, alice, time.Hour), start.Add(-2*time.Hour)))
	r, _ := restoredRig(t, store, s, nil, policy(func(p *Policy) { p.ByIdentifier = true }))
	r.expect(renewing(alice, addr), "silent H-6")
	r.expect(discover(carol, wants(addr)), "silent D-2")
	r.expect(renewing(bob, addr), "ACK D-12 10.0.0.11/24")
}

// C-32: what NetBox shows but did not confirm since the restore ends no lease of the
// backup: the copy of NetBox on disk may be older than that.
func TestAnOldCopyOfNetBoxEndsNoLeaseOfABackup(t *testing.T) {
	const addr = "10.0.0.11"
	s := snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic(addr+"/24", record(bob, time.Hour), seen(start.Add(-time.Minute))))
	store := restoredStore(t, synced(bound(addr, alice, time.Hour), start.Add(-2*time.Hour)))
	r, _ := restoredRig(t, store, nil, nil)
	r.SetSnapshot(s)
	r.AwaitStore()
	r.Confirm(start.Add(-time.Second), 0) // as a server that starts from the copy
	r.AwaitStore()
	r.expect(renewing(alice, addr), "ACK D-12 10.0.0.11/24")
	if store.get(addr).Client != alice {
		t.Error("the lease of the backup has ended")
	}
}

// C-32: what was leased after the backup and is not in NetBox is given to no other
// client unprobed within one longest lease: not as an offer, and not as what a client
// asks for. Its client renews it.
func TestALeaseOfAfterTheBackupThatNobodyKnowsIsProbed(t *testing.T) {
	const addr = "10.0.0.11"
	for name, held := range map[string][]Lease{
		"not in the backup":                nil,
		"another's, ended in the backup":   {bound(addr, alice, -2*time.Hour)},
		"the asking client's, and ended":   {bound(addr, carol, -2*time.Hour)},
		"its own in the backup, and ended": {bound(addr, bob, -2*time.Hour)},
	} {
		t.Run(name, func(t *testing.T) {
			s := snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic(addr+"/24"))
			all := append(held, bound("10.0.0.99", alice, time.Minute))
			r, probed := restoredRig(t, restoredStore(t, all...), s, map[string]bool{addr: true})
			r.expect(request(carol, wants(addr)), "silent H-6")
			r.expect(selecting(carol, addr), "silent")
			if d, err := r.Handle(t.Context(), discover(carol, wants(addr)), nil); d.Verdict != Silent || err != nil {
				t.Errorf("%s, %v: an address in use was offered", brief(d), err)
			}
			if len(*probed) != 1 {
				t.Errorf("probed %v, want %s once", *probed, addr)
			}

			r, probed = restoredRig(t, restoredStore(t, all...), s, nil)
			r.expect(discover(carol, wants(addr)), "OFFER D-1 10.0.0.11/24")
			r.expect(selecting(carol, addr), "ACK D-4 10.0.0.11/24")
			if len(*probed) != 1 {
				t.Errorf("probed %v, want %s once", *probed, addr)
			}

			r, probed = restoredRig(t, restoredStore(t, all...), s, nil)
			if len(held) == 0 || held[0].Client == bob {
				r.expect(renewing(bob, addr), "ACK D-12 10.0.0.11/24")
				r.expect(discover(bob), "OFFER D-1 10.0.0.11/24 bound")
			} else {
				r.expect(renewing(bob, addr), "silent H-6") // another is known there, as in H-6
			}
			if len(*probed) != 0 {
				t.Errorf("probed %v for a client that uses its address", *probed)
			}

			late := start.Add(r.LongestLease() + time.Minute)
			r, probed = restoredRig(t, restoredStore(t, all...), s, nil)
			r.now = late
			r.expect(discover(carol, wants(addr)), "OFFER D-1 10.0.0.11/24")
			if len(*probed) != 0 {
				t.Errorf("probed %v after the longest lease has passed", *probed)
			}
		})
	}
}

// C-32: where no echo request can be sent, only what the backup or NetBox shows is
// served.
func TestWithoutAWayToProbeARestoredStoreGivesNothingNew(t *testing.T) {
	store := restoredStore(t, bound("10.0.0.12", alice, time.Hour))
	r, _ := restoredRig(t, store, snapshot(t, worldOptions, office()...), nil)
	r.config.Probe = nil
	if d, err := r.Handle(t.Context(), discover(bob), nil); brief(d) != "silent D-2 pool_empty" || err != nil {
		t.Errorf("%s, %v", brief(d), err)
	}
	r.expect(discover(alice), "OFFER D-1 10.0.0.12/24 bound")
}

// C-32: leases in the backup are served on: renewed, taken up again, offered.
func TestLeasesInABackupAreServedOn(t *testing.T) {
	store := restoredStore(t, bound("10.0.0.12", alice, time.Hour), synced(bound("10.0.0.13", carol, 2*time.Hour), start.Add(-2*time.Hour)))
	parts := append(office()[:5], dynamic("10.0.0.12/24"), dynamic("10.0.0.13/24", record(carol, 2*time.Hour), seen(start.Add(-2*time.Hour))))
	r, probed := restoredRig(t, store, snapshot(t, worldOptions, parts...), nil)
	r.expect(request(carol, wants("10.0.0.13")), "ACK D-8 10.0.0.13/24 bound")
	r.expect(discover(alice), "OFFER D-1 10.0.0.12/24 bound")
	r.expect(selecting(alice, "10.0.0.12"), "ACK D-4 10.0.0.12/24 bound")
	r.expect(renewing(alice, "10.0.0.12"), "ACK D-12 10.0.0.12/24 bound")
	r.expect(discover(bob, wants("10.0.0.12")), "silent D-2")
	if len(*probed) != 0 {
		t.Errorf("probed %v for clients whose leases are known", *probed)
	}
}

// C-32: a restored store serves no dynamic client until a snapshot says what it lacks;
// the time lasts over a restart, and is not begun anew by one.
func TestARestoredStoreIsJudgedOnce(t *testing.T) {
	s := snapshot(t, worldOptions, office()...)
	store := restoredStore(t, bound("10.0.0.12", alice, 100*time.Hour))
	if age := AgeOf(store.notes, true); !age.Unjudged || !age.Restored.Equal(start) || !age.Taken.Equal(start.Add(-time.Hour)) || !age.YoungUntil.IsZero() {
		t.Errorf("before a start: %+v", age)
	}
	r, _ := restoredRig(t, store, nil, nil)
	r.SetSnapshot(s)
	r.AwaitStore()
	r.expect(discover(bob), "OFFER D-1")
	age := AgeOf(store.notes, true)
	if want := start.Add(100 * time.Hour); age.Unjudged || age.YoungUntil.Sub(want).Abs() > time.Second {
		t.Errorf("after a start: %+v, want until %s", age, want)
	}
	again, _ := restoredRig(t, store, nil, nil, func(config *Config) { config.Now = func() time.Time { return start.Add(50 * time.Hour) } })
	again.expect(request(carol, wants("10.0.0.15")), "silent") // no snapshot yet
	again.SetSnapshot(s)
	again.expect(request(carol, wants("10.0.0.15")), "silent H-6")
	if later := AgeOf(store.notes, true); !later.YoungUntil.Equal(age.YoungUntil) {
		t.Errorf("after a restart it is new until %s, and was until %s", later.YoungUntil, age.YoungUntil)
	}
}

// C-32: notes that cannot be read make a store as new as a restored one.
func TestANoteOfARestoreThatCannotBeReadCounts(t *testing.T) {
	store := restoredStore(t, bound("10.0.0.12", alice, time.Hour))
	store.notes[backupNote] = []byte("nonsense")
	r, _ := restoredRig(t, store, snapshot(t, worldOptions, office()...), nil)
	r.expect(request(bob, wants("10.0.0.11")), "silent H-6")
}

// C-32, H-10: a second copy is often newer than a backup. Its leases count where the
// backup knows none that runs.
func TestASecondCopyFillsARestoredStore(t *testing.T) {
	s := snapshot(t, worldOptions, office()...)
	old := newRig(t, newMemStore(bound("10.0.0.12", bob, time.Hour), bound("10.0.0.13", bob, time.Hour), bound("10.0.0.14", carol, time.Hour)), s)
	kept, _ := old.Keep()
	store := restoredStore(t, bound("10.0.0.12", alice, -time.Hour), bound("10.0.0.13", alice, 2*time.Hour))
	r := newRig(t, store, s, func(config *Config) { config.Store = nil })
	r.SetAuthority(Authoritative)
	r.Restore(kept)
	if err := r.Attach(t.Context(), store); err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]ClientID{"10.0.0.12": bob, "10.0.0.13": alice, "10.0.0.14": carol} {
		if got := store.get(addr).Client; got != want {
			t.Errorf("%s is of %s, want %s", addr, got, want)
		}
	}
	r.expect(renewing(carol, "10.0.0.14"), "ACK D-12 10.0.0.14/24 bound")
	if err := r.facts.Leases.verify(); err != nil {
		t.Error(err)
	}
}
