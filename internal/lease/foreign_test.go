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
