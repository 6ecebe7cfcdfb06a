package lease

import (
	"slices"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// S-5: what store and record together say of an address. syncAt is the time of
// the row when the store last saw its record agree.
func TestStoreAndRecordTogether(t *testing.T) {
	syncAt := start.Add(-10 * time.Minute)
	older, newer := seen(syncAt), seen(syncAt.Add(time.Minute))
	empty := func() edit { return record("") }
	for _, c := range []struct {
		name    string
		stored  []Lease
		edits   []edit
		client  ClientID
		running bool
		ends    time.Duration
		rival   ClientID
	}{
		{"neither knows anything", nil, nil, "", false, 0, ""},
		// First start after PyDHCP, a lost store, another server.
		{"only a running record", nil, []edit{record(bob, time.Hour)}, bob, true, time.Hour, ""},
		{"only an ended record", nil, []edit{record(bob, -time.Hour)}, bob, false, -time.Hour, ""},
		{"only a record without expiry (P-5)", nil, []edit{record(bob)}, bob, false, 0, ""},
		{"only a quarantining record (A-5)", nil, []edit{record(Declined, time.Hour)}, Declined, true, time.Hour, ""},
		{"only a record that quarantined once", nil, []edit{record(Declined, -time.Hour)}, Declined, false, -time.Hour, ""},
		// Only the store.
		{"only the store, not written back", []Lease{bound("10.0.0.10", alice, time.Hour)}, nil, alice, true, time.Hour, ""},
		{"only the store, ended", []Lease{bound("10.0.0.10", alice, -time.Hour)}, nil, alice, false, -time.Hour, ""},
		// The same client in both: the later expiry counts.
		{"same client, record later", []Lease{bound("10.0.0.10", alice, time.Hour)}, []edit{record(alice, 2*time.Hour)}, alice, true, 2 * time.Hour, ""},
		{"same client, store later", []Lease{bound("10.0.0.10", alice, 2*time.Hour)}, []edit{record(alice, time.Hour)}, alice, true, 2 * time.Hour, ""},
		{"same client, store ended, record running", []Lease{bound("10.0.0.10", alice, -time.Hour)}, []edit{record(alice, time.Hour)}, alice, true, time.Hour, ""},
		{"same client, released, not written back", []Lease{released("10.0.0.10", alice, time.Minute)}, []edit{record(alice, time.Hour)}, alice, false, -time.Minute, ""},
		{"same client, released and written back, renewed elsewhere", []Lease{synced(released("10.0.0.10", alice, time.Minute), syncAt)}, []edit{record(alice, time.Hour), newer}, alice, true, time.Hour, ""},
		{"same client, synced, then the row was edited", []Lease{synced(bound("10.0.0.10", alice, time.Hour), syncAt)}, []edit{record(alice, time.Hour), newer}, alice, true, time.Hour, ""},
		{"same client, unreadable expiry", []Lease{bound("10.0.0.10", alice, -time.Hour)}, []edit{unreadable(string(alice))}, alice, true, forever().Sub(start), ""},
		// Different clients.
		{"both running: the store's keeps it", []Lease{bound("10.0.0.10", alice, time.Hour)}, []edit{record(bob, time.Hour)}, alice, true, time.Hour, bob},
		{"both running, once synced", []Lease{synced(bound("10.0.0.10", alice, time.Hour), syncAt)}, []edit{record(bob, time.Hour), newer}, alice, true, time.Hour, bob},
		{"store running, record ended", []Lease{bound("10.0.0.10", alice, time.Hour)}, []edit{record(bob, -time.Hour)}, alice, true, time.Hour, ""},
		{"store running, record without expiry", []Lease{bound("10.0.0.10", alice, time.Hour)}, []edit{record(bob)}, alice, true, time.Hour, ""},
		{"store ended, record running", []Lease{synced(bound("10.0.0.10", alice, -time.Hour), syncAt)}, []edit{record(bob, time.Hour), newer}, bob, true, time.Hour, ""},
		{"both ended, the record later", []Lease{bound("10.0.0.10", alice, -2*time.Hour)}, []edit{record(bob, -time.Hour)}, bob, false, -time.Hour, ""},
		{"both ended, the store later", []Lease{bound("10.0.0.10", alice, -time.Hour)}, []edit{record(bob, -2*time.Hour)}, alice, false, -time.Hour, ""},
		{"quarantined here, running in the record", []Lease{quarantined("10.0.0.10", time.Hour)}, []edit{record(alice, time.Hour)}, Declined, true, time.Hour, alice},
		{"running here, quarantined in the record", []Lease{bound("10.0.0.10", alice, time.Hour)}, []edit{record(Declined, time.Hour)}, alice, true, time.Hour, Declined},
		// A snapshot from before our own write says nothing.
		{"stale row: another client running", []Lease{synced(bound("10.0.0.10", alice, time.Hour), syncAt)}, []edit{record(bob, time.Hour), older}, alice, true, time.Hour, ""},
		{"stale row: the same client later", []Lease{synced(released("10.0.0.10", alice, time.Minute), syncAt)}, []edit{record(alice, time.Hour), older}, alice, false, -time.Minute, ""},
		{"stale row: still empty", []Lease{synced(bound("10.0.0.10", alice, time.Hour), syncAt)}, []edit{empty(), older}, alice, true, time.Hour, ""},
		{"stale row: the next client is not written back yet", []Lease{func() Lease {
			l := synced(bound("10.0.0.10", alice, time.Hour), syncAt)
			l.Unsynced = true
			return l
		}()}, []edit{record(bob, time.Hour), older}, alice, true, time.Hour, ""},
		// An operator emptied the record.
		{"emptied after it was written", []Lease{synced(bound("10.0.0.10", alice, time.Hour), syncAt)}, []edit{empty(), newer}, "", false, 0, ""},
		{"emptied quarantine", []Lease{synced(quarantined("10.0.0.10", time.Hour), syncAt)}, []edit{empty(), newer}, "", false, 0, ""},
		{"empty because it was never written", []Lease{bound("10.0.0.10", alice, time.Hour)}, []edit{empty(), newer}, alice, true, time.Hour, ""},
		{"emptied while a change waits to be written", []Lease{func() Lease {
			l := synced(bound("10.0.0.10", alice, time.Hour), syncAt)
			l.Unsynced = true
			return l
		}()}, []edit{empty(), newer}, alice, true, time.Hour, ""},
		// Without write-back nothing is ever marked.
		{"no write-back: a release beats the record it ended", []Lease{func() Lease {
			l := released("10.0.0.10", alice, time.Minute)
			l.Unsynced = false
			return l
		}()}, []edit{record(alice, time.Hour)}, alice, false, -time.Minute, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, newMemStore(c.stored...), snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10/24", c.edits...)))
			a := r.facts.Snapshot.Address(0, optionalAddr("10.0.0.10"))
			b := r.facts.Leases.binding(a, r.now)
			if b.Client != c.client || b.running(r.now) != c.running || b.Rival != c.rival {
				t.Errorf("binding of %q, running %v, beside %q; want %q, %v, %q", b.Client, b.running(r.now), b.Rival, c.client, c.running, c.rival)
			}
			if want := start.Add(c.ends).Truncate(time.Second); c.ends != 0 && !b.Expires.Equal(want) && b.Expires != forever() {
				t.Errorf("ends %s, want %s", b.Expires, want)
			}
			answersFit(t, r, c.client, c.running, c.rival)
		})
	}
}

// answersFit checks that packets are answered as the binding of 10.0.0.10 says.
func answersFit(t *testing.T, r *rig, client ClientID, running bool, rival ClientID) {
	t.Helper()
	for _, who := range []ClientID{alice, bob, carol} {
		reboot, _ := r.Explain(request(who, wants("10.0.0.10")))
		if want := who == client; (reboot.Verdict == Ack) != want {
			t.Errorf("INIT-REBOOT of %s: %s, the binding is %s's", who, brief(reboot), client)
		}
		offer, _ := r.Explain(discover(who))
		accept, _ := r.Explain(selecting(who, "10.0.0.10"))
		want := who == client || !running
		if (offer.Verdict == Offer) != want || (accept.Verdict == Ack) != want {
			t.Errorf("%s: %s and %s, the binding is %s's, running %v, beside %q", who, brief(offer), brief(accept), client, running, rival)
		}
	}
}

// S-5: when the store's client is done, the rival of the record counts.
func TestRivalInTheRecordKeepsTheAddressFromOthers(t *testing.T) {
	r := newRig(t, newMemStore(bound("10.0.0.10", alice, time.Hour)),
		snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10/24", record(bob, 3*time.Hour))))
	r.expect(renewing(alice, "10.0.0.10"), "ACK D-12")
	r.expect(discover(bob), "silent D-2")
	r.expect(discover(carol), "silent D-2")
	r.now = start.Add(2 * time.Hour)
	r.expect(discover(carol), "silent D-2") // bob may still be there
	r.now = start.Add(3*time.Hour + 11*time.Second)
	r.expect(discover(carol), "OFFER D-1 10.0.0.10/24")
}

// S-5: PyDHCP's running leases are respected on the first start, and taken
// over by their clients.
func TestTakingOverFromPyDHCP(t *testing.T) {
	r := newRig(t, newMemStore(), snapshot(t, worldOptions, prefix("10.0.0.0/24"),
		dynamic("10.0.0.10/24", record(alice, time.Hour)), dynamic("10.0.0.11/24", record(bob, -time.Hour))))
	r.expect(discover(carol), "OFFER D-1 10.0.0.11/24")
	r.expect(renewing(alice, "10.0.0.10"), "ACK D-12 10.0.0.10/24 bound")
	if got := r.store.get("10.0.0.10"); got.Client != alice || got.State != Bound {
		t.Errorf("stored %+v", got)
	}
	r.exhausted(discover(nth(1)))
}

// D-17: a DECLINE of an offer says nothing new about an address that NetBox
// shows in use by then; its client keeps it.
func TestDeclineOfWhatAnotherServerGaveAway(t *testing.T) {
	parts := func(edits ...edit) *ipam.Snapshot {
		return snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10/24", edits...))
	}
	r := newRig(t, newMemStore(), parts())
	r.expect(discover(bob), "OFFER D-1 10.0.0.10/24")
	r.SetSnapshot(parts(record(alice, time.Hour)))
	r.expect(message(Decline, bob, wants("10.0.0.10")), "silent D-18")
	r.expect(renewing(alice, "10.0.0.10"), "ACK D-12")
}

// What other programs write need not be in whole seconds: what is offered must
// still be what is acknowledged.
func TestRecordThatEndsWithinASecond(t *testing.T) {
	ends := func(a *ipam.Address) {
		a.Record = ipam.Record{Client: string(bob), Expires: start.Add(time.Hour)} // half past a second
	}
	r := newRig(t, newMemStore(), snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10/24", ends)),
		policy(func(p *Policy) { p.ReclaimGrace = 0 }))
	r.now = start.Add(time.Hour - 100*time.Millisecond)
	r.invite(alice)
	r.expect(selecting(alice, "10.0.0.10"), "silent D-5 taken")
	r.expect(discover(alice), "silent D-2 pool_empty")
	r.now = start.Add(time.Hour + time.Second)
	r.expect(discover(alice), "OFFER D-1")
	r.expect(selecting(alice, "10.0.0.10"), "ACK D-4")
}

// Holds that are made, renewed and dropped all day must not pile up.
func TestHoldsDoNotPileUp(t *testing.T) {
	p := testPolicy()
	l := NewLeases(&p)
	addr := optionalAddr("10.0.0.10")
	for i := range 100_000 {
		l.hold(addr, hold{client: nth(i % 50), until: start.Add(time.Minute)})
		if i%3 == 0 {
			l.dropHold(nth(i % 50))
		}
	}
	if n := len(l.holdQueue); n > 5_000 {
		t.Errorf("%d entries wait for one address", n)
	}
	l.sweep(start.Add(time.Minute), start.Add(time.Minute))
	if len(l.holds) != 0 || len(l.heldBy) != 0 || len(l.holdQueue) != 0 {
		t.Errorf("%d holds, %d holders, %d entries are left", len(l.holds), len(l.heldBy), len(l.holdQueue))
	}
}

// A client whose running lease NetBox shows takes an address over from the client that
// it was offered to; the loser's hold is gone, the winner's stays.
func TestHoldsChangeHands(t *testing.T) {
	p := testPolicy()
	l := NewLeases(&p)
	first, second := optionalAddr("10.0.0.10"), optionalAddr("10.0.0.11")
	l.hold(first, hold{client: alice, until: start.Add(time.Minute)})
	l.hold(first, hold{client: bob, until: start.Add(time.Minute)})
	l.hold(second, hold{client: alice, until: start.Add(time.Minute)})
	if l.holds.at(first).client != bob || l.holds.at(second).client != alice {
		t.Errorf("holds %v", l.holds)
	}
	l.dropHold(alice)
	if l.holds.at(first).client != bob || len(l.holds) != 1 || len(l.heldBy) != 1 {
		t.Errorf("holds %v, holders %v", l.holds, l.heldBy)
	}
}

// An older revision that is learned late changes nothing.
func TestOlderRevisionsAreIgnored(t *testing.T) {
	p := testPolicy()
	l := NewLeases(&p)
	l.put(bound("10.0.0.10", alice, time.Hour), 2)
	l.put(released("10.0.0.10", alice, 0), 3)
	l.put(bound("10.0.0.10", alice, time.Hour), 2)
	if got := l.stored.at(optionalAddr("10.0.0.10")); got.State != Released || got.revision != 3 {
		t.Errorf("%+v", got)
	}
	l.put(bound("10.0.0.10", bob, time.Hour), 4)
	if slices.Contains(l.byClient[alice], optionalAddr("10.0.0.10")) {
		t.Error("still listed under the last client")
	}
}
