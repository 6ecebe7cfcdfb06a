package lease

import (
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// S-12: what NetBox was told is in the store, and tells a foreign record from
// one that merely changed.
func TestForeignRecords(t *testing.T) {
	syncAt := start.Add(-10 * time.Minute)
	told := func(l Lease, client ClientID, left time.Duration) Lease {
		l = synced(l, syncAt)
		l.ToldClient, l.ToldExpires = client, start.Add(left).Truncate(time.Second)
		return l
	}
	newer := seen(syncAt.Add(time.Minute))
	for _, c := range []struct {
		name  string
		lease Lease
		edits []edit
		want  string
	}{
		{"what we told", told(bound("10.0.0.10", alice, time.Hour), alice, time.Hour), []edit{record(alice, time.Hour), newer}, "ACK D-12 10.0.0.10/24 bound"},
		{"the client before ours, as we told", told(bound("10.0.0.10", alice, time.Hour), bob, 2*time.Hour), []edit{record(bob, 2*time.Hour), newer}, "ACK D-12 10.0.0.10/24 bound"},
		{"the client before ours, for another time", told(bound("10.0.0.10", alice, time.Hour), bob, 2*time.Hour), []edit{record(bob, 3*time.Hour), newer}, "ACK D-12 10.0.0.10/24 foreign_record"},
		{"another client", told(bound("10.0.0.10", alice, time.Hour), alice, time.Hour), []edit{record(bob, time.Hour), newer}, "ACK D-12 10.0.0.10/24 foreign_record"},
		{"another client, before NetBox was told anything", bound("10.0.0.10", alice, time.Hour), []edit{record(bob, time.Hour)}, "ACK D-12 10.0.0.10/24 foreign_record"},
		{"another client, ended", told(bound("10.0.0.10", alice, time.Hour), alice, time.Hour), []edit{record(bob, -time.Hour), newer}, "ACK D-12 10.0.0.10/24 bound"},
		{"an old picture", told(bound("10.0.0.10", alice, time.Hour), alice, time.Hour), []edit{record(bob, time.Hour), seen(syncAt)}, "ACK D-12 10.0.0.10/24 bound"},
		{"our client, extended elsewhere", told(bound("10.0.0.10", alice, time.Hour), alice, time.Hour), []edit{record(alice, 2*time.Hour), newer}, "ACK D-12 10.0.0.10/24 bound"},
		{"another client in the last minute of ours", told(bound("10.0.0.10", alice, 50*time.Second), alice, time.Hour), []edit{record(bob, time.Hour), newer}, "silent D-12 foreign_record"},
		{"our lease has ended, and what we told still runs", told(bound("10.0.0.10", alice, -time.Minute), bob, time.Hour), []edit{record(bob, time.Hour), newer}, "ACK D-12 10.0.0.10/24 bound"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, newMemStore(c.lease), snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10/24", c.edits...)))
			r.SetAuthority(Authoritative)
			r.expect(renewing(alice, "10.0.0.10"), c.want)
		})
	}
}

// S-12: our client is confirmed for what is left, then the address is the other
// server's client's.
func TestAForeignRecordEndsOurLease(t *testing.T) {
	parts := func(edits ...edit) *ipam.Snapshot {
		return snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10-10.0.0.11/24", edits...))
	}
	r := newRig(t, newMemStore(), parts())
	r.SetAuthority(Authoritative)
	r.expect(discover(alice), "OFFER D-1 10.0.0.10/24")
	r.expect(selecting(alice, "10.0.0.10"), "ACK D-4 10.0.0.10/24 new")
	if err := r.Synced(t.Context(), r.Unsynced(1)[0], start); err != nil {
		t.Fatal(err)
	}
	if l := r.store.get("10.0.0.10"); l.ToldClient != alice || !l.ToldExpires.Equal(l.Expires) {
		t.Errorf("told %s until %s", l.ToldClient, l.ToldExpires)
	}
	r.SetSnapshot(parts(record(bob, 3*time.Hour), seen(start.Add(time.Minute))))
	r.now = start.Add(40 * time.Minute)
	if d := r.expect(renewing(alice, "10.0.0.10"), "ACK D-12 10.0.0.10/24 foreign_record"); d.Time != 20*time.Minute+500*time.Millisecond && d.Time != 20*time.Minute {
		t.Errorf("confirmed for %s", d.Time)
	}
	r.now = start.Add(time.Hour + time.Minute)
	r.expect(renewing(alice, "10.0.0.10"), "NAK D-13")
	r.expect(request(bob, wants("10.0.0.10")), "ACK D-8")
}

// S-12, S-14, S-15: a record that our own later lease has followed is no news. It
// does not stand against that lease once the clock is not trusted, as one does that
// was written since.
func TestARecordThatWasSupersededIsNoNews(t *testing.T) {
	old := seen(start.Add(-2 * time.Minute))
	for _, c := range []struct {
		name   string
		held   []Lease
		before []edit // the row when alice gets the address
		after  []edit // the row at the restart
		alice  string
		bob    string
	}{
		{"of another server", nil, []edit{record(bob, -time.Minute), old}, []edit{record(bob, -time.Minute), old},
			"ACK D-12 10.0.0.10/24 bound", "silent D-16 clock_skew"},
		{"the row changed since, the record did not", nil, []edit{record(bob, -time.Minute), old}, []edit{record(bob, -time.Minute), seen(start.Add(time.Minute))},
			"ACK D-12 10.0.0.10/24 bound", "silent D-16 clock_skew"},
		{"after a lease of ours that NetBox was told", []Lease{synced(released("10.0.0.10", carol, time.Hour), start.Add(-time.Hour))},
			[]edit{record(bob, -time.Minute), old}, []edit{record(bob, -time.Minute), old}, "ACK D-12 10.0.0.10/24 bound", "silent D-16 clock_skew"},
		{"written since", nil, []edit{record(bob, -time.Minute), old}, []edit{record(bob, 30*time.Minute), seen(start.Add(time.Minute))},
			"silent D-16 clock_skew", "ACK D-8 10.0.0.10/24 bound"},
		{"written since, and there was none", nil, nil, []edit{record(bob, 30*time.Minute), seen(start.Add(time.Minute))},
			"silent D-16 clock_skew", "ACK D-8 10.0.0.10/24 bound"},
	} {
		t.Run(c.name, func(t *testing.T) {
			clock, parts := newSteps(), func(edits []edit) []part { return append(office()[:1:1], dynamic("10.0.0.10/24", edits...)) }
			r := newRig(t, newMemStore(c.held...), snapshot(t, worldOptions, parts(c.before)...), policy(shortLeases), clock.on)
			r.expect(selecting(alice, "10.0.0.10"), "ACK D-4 10.0.0.10/24 new")
			clock.run(90 * time.Minute)
			clock.synced = false
			r = restarted(t, r, clock, parts(c.after))
			r.expect(renewing(alice, "10.0.0.10"), c.alice)
			r.expect(request(bob, wants("10.0.0.10")), c.bob)
		})
	}
}

// I-14, S-12: that holds for a static address that an identifier has, too.
func TestAnEndedRecordIsNoNewsForAStaticAddress(t *testing.T) {
	clock := newSteps()
	parts := append(office()[:1:1], device("web1", port("eth0", string(web), on("10.0.0.5/24", record(bob, -time.Minute), seen(start.Add(-time.Minute))))))
	r := newRig(t, newMemStore(), snapshot(t, worldOptions, parts...), policy(shortLeases), policy(byIdentifier), clock.on)
	r.expect(selecting(web, "10.0.0.5", sends(duid)), "ACK D-4 10.0.0.5/24 static")
	clock.run(90 * time.Minute)
	clock.synced = false
	r = restarted(t, r, clock, parts)
	r.expect(message(Release, bob, has("10.0.0.5")), "silent D-20")
	r.expect(request(bob, wants("10.0.0.5")), "silent")
}
