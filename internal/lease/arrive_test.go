package lease

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// arrival is a lease that another server gave, which ends after a time.
func arrival(addr string, c ClientID, left time.Duration) Arrival {
	return Arrival{Lease: bound(addr, c, left)}
}

// C-14: a lease is imported where nothing here speaks against it, and each that is not
// says why. A second import changes nothing.
func TestWhatBecomesOfLeasesOfAnotherServer(t *testing.T) {
	world := []part{
		prefix("10.0.0.0/24"), dynamic("10.0.0.10-10.0.0.30/24"), address("10.0.0.1/24", gateway()), address("10.0.0.40/24"),
		device("web", port("eth0", string(web), on("10.0.0.50/24"))), device("printer", port("eth0", "52:54:00:00:00:99", on("10.0.0.51/24"))),
		dynamic("10.0.0.31/24", record(carol, time.Hour), seen(start)),
	}
	since := func(a Arrival, ago time.Duration) Arrival { a.Since = start.Add(-ago); return a }
	quarantine := Arrival{Lease: quarantined("10.0.0.11", time.Hour)}
	never := arrival("10.0.0.12", bob, 0)
	never.Expires = time.Time{}
	long := arrival("10.0.0.13", carol, 8*24*time.Hour)
	stored := []Lease{
		bound("10.0.0.20", alice, time.Hour), bound("10.0.0.21", bob, time.Hour), quarantined("10.0.0.22", time.Hour),
		released("10.0.0.23", carol, time.Minute), bound("10.0.0.24", carol, -time.Minute), released("10.0.0.25", carol, time.Second), bound("10.0.0.26", carol, -time.Hour),
	}
	cases := map[string]struct {
		a     Arrival
		want  Fate
		loses bool
		why   string
		again Fate // of a second import; empty: as before
	}{
		"a running lease":                                 {arrival("10.0.0.10", alice, time.Hour), FateImported, false, "", FateSame},
		"an address in quarantine":                        {quarantine, FateImported, false, "", FateSame},
		"a lease that never ends":                         {never, FateImported, true, "reserve the address", FateSame},
		"a longer lease than any here":                    {long, FateImported, false, "", FateSame},
		"an ended lease":                                  {arrival("10.0.0.14", alice, -time.Second), FateEnded, false, "", ""},
		"the same lease":                                  {arrival("10.0.0.20", alice, time.Hour), FateSame, false, "", ""},
		"an older version of a lease here":                {arrival("10.0.0.20", alice, time.Minute), FateNewer, false, "", ""},
		"a later version of a lease here":                 {arrival("10.0.0.21", bob, 2*time.Hour), FateImported, false, "", FateSame},
		"a lease of another client here":                  {arrival("10.0.0.20", bob, 2*time.Hour), FateHeld, true, string(alice), ""},
		"an address that rests here":                      {arrival("10.0.0.22", bob, time.Hour), FateHeld, true, "", ""},
		"a lease that another server shows in NetBox":     {arrival("10.0.0.31", bob, time.Hour), FateHeld, true, string(carol), ""},
		"a lease that its client gave back here":          {arrival("10.0.0.23", carol, time.Hour), FateNewer, true, "", ""},
		"a lease that ended here after it was given":      {since(arrival("10.0.0.24", alice, time.Hour), time.Hour), FateNewer, true, "", ""},
		"a lease that ended here before it was given":     {since(arrival("10.0.0.26", alice, time.Hour), time.Minute), FateImported, false, "", FateSame},
		"an address that another client gave back lately": {arrival("10.0.0.25", alice, time.Hour), FateHeld, true, "a moment ago", ""},
		"its own static address":                          {arrival("10.0.0.50", web, time.Hour), FateStatic, false, "the client's own", ""},
		"a static address of another machine":             {arrival("10.0.0.51", alice, time.Hour), FateStatic, true, "another machine", ""},
		"a client that has a static address":              {arrival("10.0.0.15", web, time.Hour), FateImported, true, "it has the static address 10.0.0.50", FateSame},
		"an address that is not dynamic":                  {arrival("10.0.0.40", alice, time.Hour), FateNotDynamic, true, "", ""},
		"a gateway":                                       {arrival("10.0.0.1", alice, time.Hour), FateNotDynamic, true, "", ""},
		"an address that NetBox lacks":                    {arrival("10.0.0.60", alice, time.Hour), FateNotDynamic, true, "no such IP address", ""},
		"another network":                                 {arrival("192.0.2.1", alice, time.Hour), FateUnserved, true, "", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			store := newMemStore(stored...)
			r := newRig(t, store, snapshot(t, worldOptions, world...))
			check := func(when string, want Fate, rehearsal bool) {
				t.Helper()
				before := store.written()
				got, err := r.Import(t.Context(), []Arrival{c.a}, rehearsal)
				if err != nil || len(got) != 1 || got[0].Fate != want || when != "again" && (got[0].Loses != c.loses || !strings.Contains(got[0].Why, c.why)) {
					t.Errorf("%s: %+v, %v, want %s %v %q", when, got, err, want, c.loses, c.why)
				}
				if writes := store.written() != before; writes != (want == FateImported && !rehearsal) {
					t.Errorf("%s: written: %v", when, writes)
				}
			}
			check("rehearsed", c.want, true)
			check("imported", c.want, false)
			if c.again == "" {
				c.again = c.want
			}
			check("again", c.again, false)
			if err := r.facts.Leases.verify(); err != nil {
				t.Error(err)
			}
			if c.want != FateImported {
				return
			}
			if l := store.get(c.a.Addr.String()); !l.Unsynced || l.State != c.a.State || l.Client != c.a.Client {
				t.Errorf("stored %+v", l)
			}
		})
	}
}

// C-14: a client renews an imported lease as one that was given here, and nobody else
// gets its address.
func TestAnImportedLeaseIsExtended(t *testing.T) {
	store := newMemStore()
	r := newRig(t, store, snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10-10.0.0.11/24")))
	r.SetAuthority(Authoritative)
	r.expect(discover(bob), "OFFER D-1 10.0.0.10/24") // an unanswered offer gives way
	a := arrival("10.0.0.10", alice, time.Hour)
	a.Hostname = "pc"
	if got, err := r.Import(t.Context(), []Arrival{a}, false); err != nil || got[0].Fate != FateImported {
		t.Fatalf("%+v, %v", got, err)
	}
	r.expect(selecting(bob, "10.0.0.10"), "NAK D-5 taken")
	r.expect(renewing(alice, "10.0.0.10"), "ACK D-12 10.0.0.10/24 bound")
	r.expect(discover(bob), "OFFER D-1 10.0.0.11/24")
	if l := store.get("10.0.0.10"); l.Hostname != "pc" {
		t.Errorf("%+v", l)
	}
}

// C-14, I-11: where clients are told by their identifiers, an imported lease is that of
// its identifier.
func TestAnImportedLeaseOfAnIdentifier(t *testing.T) {
	store := newMemStore()
	r := newRig(t, store, snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10/24")), policy(func(p *Policy) { p.ByIdentifier = true }))
	a := arrival("10.0.0.10", alice, time.Hour)
	a.Identifier = []byte("\xff\x01\x02")
	if got, err := r.Import(t.Context(), []Arrival{a}, false); err != nil || got[0].Fate != FateImported {
		t.Fatalf("%+v, %v", got, err)
	}
	if l := store.get("10.0.0.10"); l.Client != "id/FF:01:02" || l.Hardware != alice {
		t.Errorf("stored %+v", l)
	}
}

// C-14, S-14: how long imported leases may run is remembered, so that a clock is not
// doubted because of them, and a step of it ends none.
func TestImportedLeasesMayRunLongerThanOnesGivenHere(t *testing.T) {
	store := newMemStore()
	r := newRig(t, store, snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10/24")))
	const long = 8 * 24 * time.Hour
	if _, err := r.Import(t.Context(), []Arrival{arrival("10.0.0.10", alice, long)}, false); err != nil {
		t.Fatal(err)
	}
	again := newRig(t, store, nil)
	for name, e := range map[string]*rig{"at once": r, "after a restart": again} {
		if got := e.longestPromise(start.Add(time.Hour)); got < long-time.Second {
			t.Errorf("%s: the longest promise is %s", name, got)
		}
		if got := e.longestPromise(start.Add(long + time.Hour)); got > 12*time.Hour {
			t.Errorf("%s: the longest promise after its end is %s", name, got)
		}
	}
}

// C-14: what cannot be judged or stored is an error, and leaves every address as it was.
func TestAnImportInTrouble(t *testing.T) {
	store := newMemStore()
	r := newRig(t, store, nil)
	list := []Arrival{arrival("10.0.0.10", alice, time.Hour)}
	if _, err := r.Import(t.Context(), list, true); !errors.Is(err, ErrNoSnapshot) {
		t.Errorf("without a snapshot: %v", err)
	}
	r.SetSnapshot(snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10/24")))
	r.Confirm(start.Add(-25*time.Hour), 0)
	if _, err := r.Import(t.Context(), list, true); !errors.Is(err, ErrOld) {
		t.Errorf("with an old snapshot: %v", err)
	}
	r.Confirm(start, 0)
	broken := errors.New("disk is full")
	store.before = func(Lease) error { return broken }
	if _, err := r.Import(t.Context(), list, false); !errors.Is(err, broken) {
		t.Errorf("with a broken disk: %v", err)
	}
	store.before = nil
	r.expect(discover(bob), "OFFER D-1 10.0.0.10/24")
	if err := r.facts.Leases.verify(); err != nil {
		t.Error(err)
	}
}

// C-14, S-2: packets are served while leases are imported: no lock is held while the
// store writes, and a client that comes first keeps the address.
func TestPacketsAreServedWhileLeasesAreImported(t *testing.T) {
	store := newMemStore()
	r := newRig(t, store, snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10-10.0.0.200/24")))
	served := false
	store.before = func(l Lease) error {
		if !served && l.Client != bob {
			served = true
			store.before = nil
			r.expect(discover(bob), "OFFER D-1 10.0.0.110/24")
			r.expect(selecting(bob, "10.0.0.110"), "ACK D-4 10.0.0.110/24")
		}
		return nil
	}
	var list []Arrival
	for n := range 100 {
		list = append(list, arrival(fmt.Sprintf("10.0.0.%d", 10+n), ClientID(fmt.Sprintf("52:54:00:00:01:%02X", n)), time.Hour))
	}
	fates, err := r.Import(t.Context(), list, false)
	if err != nil || !served {
		t.Fatalf("%v, a client was served: %v", err, served)
	}
	for i, fate := range fates {
		if fate.Fate != FateImported || store.get(list[i].Addr.String()).Client != list[i].Client {
			t.Errorf("%s: %+v", list[i].Addr, fate)
		}
	}
	if l := store.get(netip.MustParseAddr("10.0.0.110").String()); l.Client != bob {
		t.Errorf("%+v", l)
	}
}
