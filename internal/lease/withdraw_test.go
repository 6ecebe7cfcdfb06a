package lease

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// C-10: the address of a lease that the operator ends goes to nobody else before the
// time promised in its last ACK; its client is refused there and gets another one.
func TestAnEndedLeaseKeepsItsPromise(t *testing.T) {
	store := newMemStore()
	r := newRig(t, store, snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10-10.0.0.11/24")), policy(func(p *Policy) { p.LeaseTime = time.Hour }))
	r.SetAuthority(Authoritative)
	r.expect(discover(alice), "OFFER D-1 10.0.0.10/24")
	r.expect(selecting(alice, "10.0.0.10"), "ACK D-4")
	promised := store.get("10.0.0.10").Expires
	ended, err := r.End(t.Context(), netip.MustParseAddr("10.0.0.10"), false)
	if err != nil || ended.Client != alice || !ended.Until.Equal(promised) {
		t.Fatalf("%+v, %v, want until %s", ended, err, promised)
	}
	if l := store.get("10.0.0.10"); l.State != Withdrawn || l.Client != Declined || !l.Expires.Equal(promised) || !l.Unsynced {
		t.Errorf("stored %+v", l)
	}
	if again, err := r.End(t.Context(), netip.MustParseAddr("10.0.0.10"), false); err != nil || again.Client != "" || !again.Until.Equal(promised) {
		t.Errorf("a second time: %+v, %v", again, err)
	}
	r.expect(renewing(alice, "10.0.0.10"), "NAK D-13 no_binding")
	r.expect(message(Request, alice, wants("10.0.0.10")), "NAK D-10 no_binding")
	r.expect(discover(alice, func(m *ClientMessage) { m.RequestedAddr = netip.MustParseAddr("10.0.0.10") }), "OFFER D-1 10.0.0.11/24")
	r.expect(selecting(alice, "10.0.0.11"), "ACK D-4")
	r.expect(renewing(alice, "10.0.0.11"), "ACK D-12 10.0.0.11/24")
	r.now = promised.Add(-time.Second)
	r.expect(renewing(alice, "10.0.0.11"), "ACK D-12 10.0.0.11/24")
	r.expect(discover(bob), "silent D-2 pool_empty")
	r.now = promised.Add(11 * time.Second) // lease.reclaim_grace later
	r.expect(discover(bob), "OFFER D-1 10.0.0.10/24")
	r.expect(selecting(bob, "10.0.0.10"), "ACK D-4 10.0.0.10/24")
	if err := r.facts.Leases.verify(); err != nil {
		t.Error(err)
	}
}

// C-10: without a nak plugin nobody is refused, and a client that is silent about its
// lease keeps the address until the end that it was promised.
func TestAnEndedLeaseIsNotExtendedSilently(t *testing.T) {
	store := newMemStore(bound("10.0.0.10", alice, time.Hour))
	r := newRig(t, store, snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10/24")))
	if _, err := r.End(t.Context(), netip.MustParseAddr("10.0.0.10"), false); err != nil {
		t.Fatal(err)
	}
	r.expect(renewing(alice, "10.0.0.10"), "silent D-13 no_binding")
	r.expect(discover(bob), "silent D-2 pool_empty")
	r.expect(discover(alice), "silent D-2 pool_empty")
}

// C-10: with force the address is free at once, for its client like for all others.
func TestAnEndIsForced(t *testing.T) {
	addr := netip.MustParseAddr("10.0.0.10")
	for name, before := range map[string]bool{"a running lease": false, "a lease that was ended by command": true} {
		t.Run(name, func(t *testing.T) {
			store := newMemStore(bound("10.0.0.10", alice, time.Hour))
			r := newRig(t, store, snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10/24")))
			if before {
				if _, err := r.End(t.Context(), addr, false); err != nil {
					t.Fatal(err)
				}
			}
			if ended, err := r.End(t.Context(), addr, true); err != nil || !ended.Until.IsZero() {
				t.Fatalf("%+v, %v", ended, err)
			}
			if l := store.get("10.0.0.10"); l.State != Released || !l.Unsynced {
				t.Errorf("stored %+v", l)
			}
			r.expect(discover(bob), "OFFER D-1 10.0.0.10/24")
			r.expect(selecting(bob, "10.0.0.10"), "ACK D-4 10.0.0.10/24")
			if err := r.facts.Leases.verify(); err != nil {
				t.Error(err)
			}
		})
	}
}

// C-10: what cannot be ended says why, and changes nothing.
func TestWhatCannotBeEnded(t *testing.T) {
	world := []part{
		prefix("10.0.0.0/24"), dynamic("10.0.0.10-10.0.0.12/24"), device("printer", port("eth0", "02:00:00:00:00:99", on("10.0.0.50/24"))),
		dynamic("10.0.0.13/24", unreadable("02:00:00:00:00:77")),
	}
	store := newMemStore(quarantined("10.0.0.11", time.Hour), bound("10.0.0.12", bob, -time.Hour))
	r := newRig(t, store, snapshot(t, worldOptions, world...))
	for addr, want := range map[string]error{
		"10.0.0.10": ErrNoLease, "10.0.0.11": ErrQuarantined, "10.0.0.12": ErrNoLease, "10.0.0.13": ErrUnreadable,
		"10.0.0.50": ErrStatic, "10.0.0.60": ErrUnknown, "192.0.2.1": ErrUnknown,
	} {
		for _, force := range []bool{false, true} {
			if _, err := r.End(t.Context(), netip.MustParseAddr(addr), force); !errors.Is(err, want) {
				t.Errorf("%s, force %v: %v, want %v", addr, force, err, want)
			}
		}
	}
	if store.written() != 0 {
		t.Errorf("%d writes", store.written())
	}
	r.facts.Leases.inWork.set(netip.MustParseAddr("10.0.0.10"), alice)
	if _, err := r.End(t.Context(), netip.MustParseAddr("10.0.0.10"), false); !errors.Is(err, ErrInWork) {
		t.Errorf("an address in work: %v", err)
	}
}

// C-10, S-5: a record of the lease that NetBox shows, alone or written while the lease
// was ended, does not bring it back.
func TestARecordDoesNotBringAnEndedLeaseBack(t *testing.T) {
	shown := snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10/24", record(alice, time.Hour), seen(start.Add(time.Minute))))
	stored := synced(bound("10.0.0.10", alice, time.Hour), start.Add(-time.Hour))
	stored.ToldClient, stored.ToldExpires = alice, start.Add(-time.Minute)
	for name, store := range map[string]*memStore{"NetBox alone shows it": newMemStore(), "NetBox was being told": newMemStore(stored)} {
		t.Run(name, func(t *testing.T) {
			var s *ipam.Snapshot
			if name == "NetBox alone shows it" {
				s = shown
			} else {
				s = snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10/24", record(alice), seen(start.Add(-time.Hour))))
			}
			r := newRig(t, store, s)
			r.SetAuthority(Authoritative)
			if _, err := r.End(t.Context(), netip.MustParseAddr("10.0.0.10"), false); err != nil {
				t.Fatal(err)
			}
			r.SetSnapshot(shown)
			r.expect(renewing(alice, "10.0.0.10"), "NAK D-13 no_binding")
			r.expect(discover(bob), "silent D-2 pool_empty")
			a := shown.Address(0, netip.MustParseAddr("10.0.0.10"))
			if l := store.get("10.0.0.10"); l.Foreign(alice, a.Record.Expires, a.LastUpdated) {
				t.Errorf("the record counts as another program's: %+v", l)
			}
		})
	}
}

// C-10, S-11: who gets the address as a static one in NetBox waits, too.
func TestAStaticAddressWaitsForAnEndedLease(t *testing.T) {
	store := newMemStore(bound("10.0.0.10", alice, time.Hour))
	r := newRig(t, store, snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10/24")))
	if _, err := r.End(t.Context(), netip.MustParseAddr("10.0.0.10"), false); err != nil {
		t.Fatal(err)
	}
	r.SetSnapshot(snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.11/24"), device("pc", port("eth0", string(bob), on("10.0.0.10/24")))))
	r.expect(discover(bob), "OFFER D-1 10.0.0.11/24")
	r.now = start.Add(time.Hour + 11*time.Second)
	r.expect(discover(bob), "OFFER D-1 10.0.0.10/24 static")
}

// C-10: a lease that cannot be ended durably goes on.
func TestAnEndThatIsNotDurableEndsNothing(t *testing.T) {
	store := newMemStore(bound("10.0.0.10", alice, time.Hour))
	r := newRig(t, store, snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10/24")))
	broken := errors.New("disk is full")
	store.before = func(Lease) error { return broken }
	if _, err := r.End(t.Context(), netip.MustParseAddr("10.0.0.10"), false); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	store.before = nil
	r.expect(renewing(alice, "10.0.0.10"), "ACK D-12 10.0.0.10/24")
}
