package lease

import (
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
		{"renews what nobody else is known at", recordedWorld, nil, renewing(bob, "10.0.0.11"), "ACK D-12 10.0.0.11/24 new", "NAK D-13"},
		{"comes back to what nobody else is known at", recordedWorld, nil, request(bob, wants("10.0.0.11")), "ACK D-8 10.0.0.11/24 new", "NAK D-10"},
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
