package writeback

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus/hooks/test"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// renumber gives an address object another id.
func renumber(from, to int64) func(*ipam.Objects) {
	return func(o *ipam.Objects) {
		a := *o.Addresses[from]
		a.ID = to
		delete(o.Addresses, from)
		o.Addresses[to] = &a
	}
}

func TestWhatTheRecordShows(t *testing.T) {
	at := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	for _, c := range []struct {
		name  string
		lease lease.Lease
		want  ipam.Record
	}{
		{"a bound lease with its name (A-3)",
			lease.Lease{Client: alice, State: lease.Bound, Expires: at, Hostname: "printer"},
			ipam.Record{Client: string(alice), Expires: at, Hostname: "printer"}},
		{"a bound lease without a name leaves the name alone (R-9)",
			lease.Lease{Client: alice, State: lease.Bound, Expires: at},
			ipam.Record{Client: string(alice), Expires: at}},
		{"a released lease keeps its key and ends (A-4)",
			lease.Lease{Client: alice, State: lease.Released, Expires: at.Add(-2 * time.Hour), Hostname: "printer"},
			ipam.Record{Client: string(alice), Expires: at.Add(-2 * time.Hour), Hostname: "printer"}},
		{"a declined address has the key that keeps all clients off (A-5)",
			lease.Lease{Client: lease.Declined, State: lease.Quarantined, Expires: at},
			ipam.Record{Client: "00:00:00:00:00:00", Expires: at}},
	} {
		t.Run(c.name, func(t *testing.T) {
			log, _ := test.NewNullLogger()
			c.lease.Addr = host(1)
			got, err := New(Config{Log: log}).change(oneNetwork(t, 2, nil), c.lease)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got.Record); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got.ID != 1001 || got.Addr != host(1) || got.Bind != (ipam.InterfaceID{}) || got.Unbind != (ipam.InterfaceID{}) {
				t.Errorf("%+v, want address 1001 and its assignment left alone", got)
			}
		})
	}
}

func TestTheObjectIsThatOfTheNetworksVRF(t *testing.T) {
	log, _ := test.NewNullLogger()
	twin := func(o *ipam.Objects) {
		a := *o.Addresses[1001]
		a.ID, a.VRF = 900, 7
		o.Addresses[900] = &a
	}
	for _, c := range []struct {
		name string
		edit func(*ipam.Objects)
		want int64
	}{
		{"global", twin, 1001},
		{"in a VRF", func(o *ipam.Objects) { twin(o); o.Prefixes[1].VRF = 7 }, 900},
		{"its network is gone", func(o *ipam.Objects) { delete(o.Prefixes, 1) }, 1001},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := New(Config{Log: log}).change(oneNetwork(t, 2, c.edit), bound(1))
			if err != nil || got.ID != c.want {
				t.Errorf("object %d, %v, want %d", got.ID, err, c.want)
			}
		})
	}
}

// T-1: what vanished, or was changed in a way that is doubted, is left alone.
func TestNothingIsWrittenToWhatVanished(t *testing.T) {
	log, _ := test.NewNullLogger()
	for _, loss := range []ipam.Loss{ipam.Lost, ipam.Ended} {
		s := oneNetwork(t, 2, func(o *ipam.Objects) {
			a := *o.Addresses[1001]
			a.Loss = loss
			o.Addresses[1001] = &a
		})
		if got, err := New(Config{Log: log}).change(s, bound(1)); !errors.Is(err, errVanished) {
			t.Errorf("%+v, %v, want nothing written", got, err)
		}
	}
}

// clients.bind_interface: an address is assigned while it is leased, and only
// assignments of our own making are taken back.
func TestAssignment(t *testing.T) {
	now := time.Now()
	running, ended := now.Add(time.Hour), now.Add(-time.Hour)
	none, foreign := ipam.InterfaceID{}, ipam.InterfaceID{Kind: ipam.Device, ID: 99}
	for _, c := range []struct {
		name         string
		lease        lease.Lease
		port         ipam.InterfaceID // of the lease
		assigned     ipam.InterfaceID // in NetBox
		record       lease.ClientID   // in NetBox
		bind, unbind ipam.InterfaceID
	}{
		{"bound, unassigned", lease.Lease{Client: alice, State: lease.Bound, Expires: running},
			portOfAlice, none, "", portOfAlice, none},
		{"bound, assigned already", lease.Lease{Client: alice, State: lease.Bound, Expires: running},
			portOfAlice, portOfAlice, alice, portOfAlice, none},
		{"bound, still assigned to the last client", lease.Lease{Client: alice, State: lease.Bound, Expires: running},
			portOfAlice, portOfBob, bob, portOfAlice, none},
		{"bound, assigned by an operator", lease.Lease{Client: alice, State: lease.Bound, Expires: running},
			portOfAlice, foreign, bob, none, none},
		{"bound, interface deleted", lease.Lease{Client: alice, State: lease.Bound, Expires: running},
			foreign, none, "", none, none},
		{"bound to an unknown client, still assigned to the last", lease.Lease{Client: alice, State: lease.Bound, Expires: running},
			none, portOfBob, bob, none, portOfBob},
		{"bound to an unknown client, assigned by an operator", lease.Lease{Client: alice, State: lease.Bound, Expires: running},
			none, foreign, bob, none, none},
		{"bound to a known client on an interface with another MAC", lease.Lease{Client: alice, State: lease.Bound, Expires: running},
			none, portOfAlice, alice, none, none},
		{"bound, over before NetBox could be told", lease.Lease{Client: alice, State: lease.Bound, Expires: ended},
			portOfAlice, portOfAlice, alice, none, portOfAlice},
		{"released", lease.Lease{Client: alice, State: lease.Released, Expires: ended},
			portOfAlice, portOfAlice, alice, none, portOfAlice},
		{"released, assigned by an operator", lease.Lease{Client: alice, State: lease.Released, Expires: ended},
			none, foreign, alice, none, none},
		{"declined, assigned to the last client", lease.Lease{Client: lease.Declined, State: lease.Quarantined, Expires: running},
			none, portOfAlice, alice, none, portOfAlice},
	} {
		t.Run(c.name, func(t *testing.T) {
			log, _ := test.NewNullLogger()
			s := oneNetwork(t, 2, func(o *ipam.Objects) {
				o.Addresses[1001].Interface = c.assigned
				o.Addresses[1001].Record = ipam.Record{Client: string(c.record), Expires: ended}
			})
			c.lease.Addr = host(1)
			c.lease.InterfaceKind, c.lease.InterfaceID = uint8(c.port.Kind), c.port.ID
			got, err := New(Config{Log: log, BindInterface: true}).change(s, c.lease)
			if err != nil {
				t.Fatal(err)
			}
			if got.Bind != c.bind || got.Unbind != c.unbind {
				t.Errorf("bind %v, unbind %v, want %v and %v", got.Bind, got.Unbind, c.bind, c.unbind)
			}
			off, err := New(Config{Log: log}).change(s, c.lease)
			if err != nil || off.Bind != none || off.Unbind != none {
				t.Errorf("without the setting: bind %v, unbind %v, %v", off.Bind, off.Unbind, err)
			}
		})
	}
}

// S-12: a running record of another client is kept if another program wrote it,
// and written over if it is what we told or an old picture.
func TestWhichRecordsAreKept(t *testing.T) {
	now := time.Now()
	hour := now.Add(time.Hour)
	for _, c := range []struct {
		name    string
		client  lease.ClientID
		expires time.Time
		updated time.Time
		want    bool
	}{
		{"another client's lease runs", bob, hour, now, true},
		{"it is over", bob, now.Add(-time.Hour), now, false},
		{"the row is as we left it", bob, hour, now.Add(-time.Hour), false},
		{"the row changed, the record is what we told", carol, hour, now, false},
		{"the client that we told, for another time", carol, hour.Add(time.Minute), now, true},
		{"it is the same client's", alice, hour, now, false},
		{"it is the same client's, and ends later", alice, hour.Add(time.Hour), now, true},
		{"it is the same client's, ends later, and is an old picture", alice, hour.Add(time.Hour), now.Add(-time.Hour), false},
		{"the record is empty", "", time.Time{}, now, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			log, _ := test.NewNullLogger()
			l := bound(1)
			l.SyncedAt, l.ToldClient, l.ToldExpires = now.Add(-time.Hour), carol, hour
			got, err := New(Config{Log: log}).change(oneNetwork(t, 2, nil), l)
			if err != nil || got.Record.Client != string(alice) {
				t.Fatalf("record of %q, %v, want the store's client", got.Record.Client, err)
			}
			if keep := got.Keep(ipam.Record{Client: string(c.client), Expires: c.expires}, c.updated); keep != c.want {
				t.Errorf("kept: %v, want %v", keep, c.want)
			}
		})
	}
}

const carol lease.ClientID = "52:54:00:00:00:0C"

// S-5: a lease that has ended never replaces the record of a client that is
// using the address now.
func TestAnEndedLeaseDoesNotReplaceARunningOneOfAnotherClient(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		expires time.Time // of the lease
		updated time.Time // of the record
		want    error
	}{
		"ended, the record is news":   {now.Add(-time.Minute), now, errSuperseded},
		"ended, the record is old":    {now.Add(-time.Minute), now.Add(-time.Hour), nil},
		"running, the record is news": {now.Add(time.Hour), now, nil},
	} {
		t.Run(name, func(t *testing.T) {
			log, _ := test.NewNullLogger()
			s := oneNetwork(t, 2, func(o *ipam.Objects) {
				a := o.Addresses[1001]
				a.Record, a.LastUpdated = ipam.Record{Client: string(bob), Expires: now.Add(time.Hour)}, c.updated
			})
			l := bound(1)
			l.Expires, l.SyncedAt = c.expires, now.Add(-time.Hour)
			if _, err := New(Config{Log: log}).change(s, l); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

// S-14: a clock that is not trusted does not tell that the record of another
// client has ended.
func TestAClockThatIsNotTrustedEndsNoRecord(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		name  string
		ended time.Time // of the record; zero: given back
		pause time.Duration
		want  error
	}{
		{"trusted", now.Add(-time.Minute), 0, nil},
		{"set forward", now.Add(-time.Minute), time.Hour, errSuperseded},
		{"set forward, the record is that of a release", time.Time{}, time.Hour, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			log, _ := test.NewNullLogger()
			s := oneNetwork(t, 2, func(o *ipam.Objects) {
				a := o.Addresses[1001]
				a.Record, a.LastUpdated = ipam.Record{Client: string(bob), Expires: c.ended}, now
			})
			l := bound(1)
			l.Expires, l.SyncedAt = now.Add(-time.Hour), now.Add(-2*time.Hour)
			w := New(Config{Log: log, ReclaimPause: func() time.Duration { return c.pause }})
			if _, err := w.change(s, l); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

// S-16: a lease that runs by the clock of leases keeps its assignment and its place
// in NetBox, although the time of day was set behind its end.
func TestAStepOfTheClockUnbindsNothing(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		name   string
		runs   bool
		record lease.ClientID // a running one of another program, or our own
		bind   ipam.InterfaceID
		unbind ipam.InterfaceID
		want   error
	}{
		{"set forward", true, alice, portOfAlice, ipam.InterfaceID{}, nil},
		{"ended", false, alice, ipam.InterfaceID{}, portOfAlice, nil},
		{"set forward, beside another server's record", true, bob, ipam.InterfaceID{}, ipam.InterfaceID{}, nil},
		{"ended, beside another server's record", false, bob, ipam.InterfaceID{}, ipam.InterfaceID{}, errSuperseded},
	} {
		t.Run(c.name, func(t *testing.T) {
			log, _ := test.NewNullLogger()
			s := oneNetwork(t, 2, func(o *ipam.Objects) {
				a := o.Addresses[1001]
				a.Record, a.LastUpdated = ipam.Record{Client: string(c.record), Expires: now.Add(48 * time.Hour)}, now
				if a.Interface = portOfAlice; c.record == bob {
					a.Interface = ipam.InterfaceID{Kind: ipam.Device, ID: 99}
				} else {
					a.Record.Expires = now.Add(-time.Hour) // as we told
				}
			})
			l := bound(1)
			l.Client, l.Expires, l.SyncedAt = alice, now.Add(-time.Hour), now.Add(-2*time.Hour)
			l.InterfaceKind, l.InterfaceID = uint8(portOfAlice.Kind), portOfAlice.ID
			step := func(until time.Time) bool { return until.After(now) || c.runs }
			got, err := New(Config{Log: log, BindInterface: true, Running: step}).change(s, l)
			if !errors.Is(err, c.want) || c.want == nil && c.record == alice && (got.Bind != c.bind || got.Unbind != c.unbind) {
				t.Errorf("bind %+v, unbind %+v, %v; want %+v, %+v, %v", got.Bind, got.Unbind, err, c.bind, c.unbind, c.want)
			}
		})
	}
}

// I-13: NetBox shows the MAC of a client that is told by its identifier, and that
// MAC is no other client.
func TestTheRecordOfAnIdentifierIsItsMAC(t *testing.T) {
	log, _ := test.NewNullLogger()
	now := time.Now()
	s := oneNetwork(t, 2, func(o *ipam.Objects) {
		a := o.Addresses[1001]
		a.Record, a.LastUpdated = ipam.Record{Client: string(alice), Expires: now.Add(time.Hour)}, now
	})
	l := bound(1)
	l.Client, l.Hardware, l.Expires = "id/00:63:2D:61", alice, now.Add(2*time.Hour)
	got, err := New(Config{Log: log}).change(s, l)
	if err != nil || got.Record.Client != string(alice) || got.Keep(s.Objects().Addresses[1001].Record, now) {
		t.Errorf("record of %q, %v, and that of the MAC is not written over", got.Record.Client, err)
	}
}
