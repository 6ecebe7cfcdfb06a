package lease

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

const (
	idle   = 30 * 24 * time.Hour
	serial = "FOC2221A0BC"
	spare  = "\x00spare" // option 61 of the client that 10.0.0.60 is for
)

// says is the serial number of a message.
func says(serial string) field { return func(m *ClientMessage) { m.Serial = serial } }

// reservedID names a client identifier.
func reservedID(id string) edit {
	return func(a *ipam.Address) { a.Reserved = &ipam.Reservation{ClientID: id} }
}

// serialOf gives the machine a serial number.
func serialOf(serial string) component {
	return func(_ *world, m *ipam.Machine) { m.Serial = serial }
}

// claimOffice is the office with an address that names an identifier, a switch whose
// interface has a MAC, and one whose interface has none.
func claimOffice(more ...part) []part {
	return append(append(office(),
		address("10.0.0.60/24", reservedID(spare)),
		device("sw1", serialOf(serial), port("vlan10", string(carol), on("10.0.0.71/24"))),
		device("sw2", serialOf("JPE12221671"), port("vlan10", "", on("10.0.0.72/24"))),
	), more...)
}

// claimRig is a server where claims count in 10.0.0.0/24, and nothing answers an echo.
type claimRig struct {
	*rig
	answers map[string]bool // addresses where a host is
	fails   bool            // no echo request can be sent
	asked   int
}

func newClaimRig(t *testing.T, store *memStore, s *ipam.Snapshot, setups ...setup) *claimRig {
	r := &claimRig{answers: make(map[string]bool)}
	probe := func(c *Config) {
		c.ProbeWait = 0
		c.Policy.Claims = ClaimPolicy{Prefixes: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}, Serial: true, Idle: idle}
		c.Probe = func(_ context.Context, addr netip.Addr, _ time.Duration) (bool, error) {
			r.asked++
			if r.fails {
				return false, errors.New("no route")
			}
			return r.answers[addr.String()], nil
		}
	}
	r.rig = newRig(t, store, s, append([]setup{probe}, setups...)...)
	r.SetAuthority(Authoritative)
	return r
}

func claimSnapshot(t *testing.T, more ...part) *ipam.Snapshot {
	opt := worldOptions
	opt.Serials = true
	return snapshot(t, opt, claimOffice(more...)...)
}

// sends a message and checks the answer, also where a probe made the server decide anew.
func (r *claimRig) sends(m ClientMessage, want string) Decision {
	r.t.Helper()
	trace := new(Trace)
	d, err := r.Handle(r.t.Context(), m, trace)
	if err != nil {
		r.t.Fatalf("%s from %s: %v\n%s", m.Type, m.Client, err, trace)
	}
	if got := brief(d); got != want {
		r.t.Errorf("%s from %s: %s, want %s\n%s", m.Type, m.Client, got, want, trace)
	}
	return d
}

// CL-4, CL-6, CL-7: what leads to an address, and what does not.
func TestWhatAClaimLeadsTo(t *testing.T) {
	const pool, sparesOffer = "OFFER D-1 10.0.0.10/24 new", "OFFER CL-6 10.0.0.60/24 claimed"
	for _, c := range []struct {
		name string
		m    ClientMessage
		more []part
		want string
	}{
		{"nothing", discover(alice), nil, pool},
		{"an identifier", discover(alice, sends(spare)), nil, sparesOffer},
		{"a longer identifier", discover(alice, sends(spare+"x")), nil, pool},
		{"an identifier of two addresses (CL-7)", discover(alice, sends(spare)), []part{address("10.0.0.61/24", reservedID(spare))}, pool},
		{"an identifier of an address in another network", discover(alice, sends("\x00far")), []part{address("10.9.0.60/24", reservedID("\x00far"))}, pool},
		{"an identifier where claims do not count", discover(alice, sends("\x00far"), via("10.9.0.1")),
			[]part{address("10.9.0.60/24", reservedID("\x00far")), dynamic("10.9.0.10/24")}, "OFFER D-1 10.9.0.10/24 new"},
		{"an identifier of the mirror's address (CL-3)", discover(alice, sends("\x00win")), []part{address("10.0.0.62/24", reservedID("\x00win"), managed())}, pool},
		{"an identifier of a machine that NetBox knows", discover(web, sends(spare)), nil, "OFFER D-1 10.0.0.5/24 static"},
		{"an identifier of a known machine without an address here", discover(bob, sends(spare)), []part{machines(bob)}, pool},
		{"no Ethernet address", discover("20:00:00:00:00:00:00:0A", sends(spare)), nil, pool},
		{"a serial number of a place without a MAC", discover(alice, says("jpe12221671")), nil, "OFFER CL-6 10.0.0.72/24 claimed"},
		{"a serial number that is not there (CL-5)", discover(alice, says("JPE1222167")), nil, pool},
		{"a serial number of two devices (CL-5)", discover(alice, says("JPE12221671")), []part{device("sw3", serialOf("JPE12221671"))}, pool},
		{"a device with two addresses here (CL-7)", discover(alice, says("TWO00001")),
			[]part{device("sw4", serialOf("TWO00001"), port("a", "", on("10.0.0.73/24")), port("b", "", on("10.0.0.74/24")))}, pool},
		{"identifier and serial number of two addresses (CL-7)", discover(alice, sends(spare), says("JPE12221671")), nil, pool},
		{"a place whose owner may be there (CL-8)", discover(alice, says(serial)), nil, pool},
	} {
		t.Run(c.name, func(t *testing.T) {
			newClaimRig(t, newMemStore(), claimSnapshot(t, c.more...)).sends(c.m, c.want)
		})
	}
}

// CL-6: a claimed lease is in the store, NetBox is told nothing, and it is extended
// as long as the client makes its claim.
func TestAClaimedAddressIsLeased(t *testing.T) {
	store := newMemStore()
	r := newClaimRig(t, store, claimSnapshot(t))
	r.sends(discover(alice, sends(spare)), "OFFER CL-6 10.0.0.60/24 claimed")
	r.sends(selecting(alice, "10.0.0.60", sends(spare)), "ACK D-4 10.0.0.60/24 claimed")
	if l := store.get("10.0.0.60"); l.Client != alice || l.State != Bound || l.Unsynced {
		t.Errorf("stored: %+v", l)
	}
	if r.asked != 1 {
		t.Errorf("%d echo requests, want 1", r.asked)
	}
	renews := request(alice, has("10.0.0.60"), sends(spare), unicast())
	r.now = r.now.Add(30 * time.Minute)
	r.sends(renews, "ACK D-12 10.0.0.60/24 claimed")
	r.sends(request(alice, wants("10.0.0.60"), sends(spare)), "ACK D-8 10.0.0.60/24 claimed")
	r.sends(discover(alice, sends(spare)), "OFFER CL-6 10.0.0.60/24 claimed")
	r.sends(request(alice, has("10.0.0.60"), unicast()), "ACK D-12 10.0.0.60/24 claim_over") // without the claim (CL-9)
	r.sends(discover(bob, sends(spare)), "OFFER D-1 10.0.0.10/24 new")
	r.now = r.now.Add(2 * time.Hour)
	r.sends(discover(bob, sends(spare)), "OFFER CL-6 10.0.0.60/24 claimed")
}

// CL-9: also where the place is that of an interface, whose owner would get it at once.
func TestAClaimIsNotRefusedWhileItsLeaseRuns(t *testing.T) {
	r := newClaimRig(t, newMemStore(), claimSnapshot(t), policy(func(p *Policy) { p.StaticAtOnce = true }))
	r.sends(discover(alice, says("JPE12221671")), "OFFER CL-6 10.0.0.72/24 claimed")
	r.sends(selecting(alice, "10.0.0.72", says("JPE12221671")), "ACK D-4 10.0.0.72/24 claimed")
	r.sends(request(alice, has("10.0.0.72"), unicast()), "ACK D-12 10.0.0.72/24 claim_over")
}

// CL-6, I-11: where identifiers are clients, too.
func TestAClaimOfAnIdentifierThatIsAClient(t *testing.T) {
	r := newClaimRig(t, newMemStore(), claimSnapshot(t), policy(byIdentifier))
	r.sends(discover(alice, sends(spare)), "OFFER CL-6 10.0.0.60/24 claimed")
	r.sends(selecting(alice, "10.0.0.60", sends(spare)), "ACK D-4 10.0.0.60/24 claimed")
	r.sends(request(alice, has("10.0.0.60"), sends(spare), unicast()), "ACK D-12 10.0.0.60/24 claimed")
	r.sends(discover(alice), "OFFER D-1 10.0.0.10/24 new") // another client, behind the same MAC
}

// CL-8, I-7: the owner of an address on a bridge is the port with the MAC.
func TestTheOwnerOfABridgeIsHeardByItsPort(t *testing.T) {
	bridge := func(w *world, m *ipam.Machine) {
		var vmbr0 int64
		for _, i := range w.o.Interfaces {
			if i.Machine == m.ID && i.Name == "vmbr0" {
				vmbr0 = i.ID.ID
			}
		}
		for _, i := range w.o.Interfaces {
			if i.Machine == m.ID && i.Name == "eno1" {
				i.Bridge = vmbr0
			}
		}
	}
	r := newClaimRig(t, newMemStore(), claimSnapshot(t, device("hv1", serialOf("HV000001"), port("vmbr0", "", on("10.0.0.75/24")), port("eno1", string(bob)), bridge)))
	d := r.sends(discover(alice, says("HV000001")), "OFFER D-1 10.0.0.10/24 new")
	if d.Claim.Held != HeldOwner || d.Claim.Owner.String() != string(bob) {
		t.Errorf("claim %+v", d.Claim)
	}
}

// CL-8: what is not offered is not accepted, whatever the client claims.
func TestAClaimIsAcceptedOnlyAfterItsOffer(t *testing.T) {
	r := newClaimRig(t, newMemStore(), claimSnapshot(t))
	r.sends(selecting(alice, "10.0.0.60", sends(spare)), "silent CL-8 not_offered")
	r.sends(request(alice, wants("10.0.0.60"), sends(spare)), "NAK D-10 not_dynamic")
	r.sends(discover(bob, sends(spare)), "OFFER CL-6 10.0.0.60/24 claimed")
	r.now = r.now.Add(30 * time.Second)
	r.sends(selecting(alice, "10.0.0.60", sends(spare)), "NAK D-5 not_dynamic")
	r.sends(discover(alice, sends(spare)), "OFFER D-1 10.0.0.10/24 new")
	if r.asked != 1 {
		t.Errorf("%d echo requests, want 1", r.asked)
	}
}

// CL-8: an address where a host answers, or that cannot be asked, is given to no
// claimant, and rests for none but claimants.
func TestAClaimedAddressIsAlwaysProbed(t *testing.T) {
	r := newClaimRig(t, newMemStore(), claimSnapshot(t))
	r.answers["10.0.0.60"] = true
	d := r.sends(discover(alice, sends(spare)), "OFFER D-1 10.0.0.10/24 new")
	if d.Claim.Held != HeldUsed || r.asked != 1 {
		t.Errorf("claim %+v, %d echo requests", d.Claim, r.asked)
	}
	if l := r.store.get("10.0.0.60"); l.Addr.IsValid() {
		t.Errorf("stored: %+v, want no quarantine of a static address", l)
	}
	r.answers["10.0.0.60"] = false
	r.sends(discover(bob, sends(spare)), "OFFER D-1 10.0.0.11/24 new")
	r.now = r.now.Add(usedPause + time.Second)
	r.fails = true
	r.sends(discover(bob, sends(spare)), "OFFER D-1 10.0.0.10/24 new")
	r.fails, r.now = false, r.now.Add(unprobedPause+time.Second)
	r.sends(discover(bob, sends(spare)), "OFFER CL-6 10.0.0.60/24 claimed")
	none := newClaimRig(t, newMemStore(), claimSnapshot(t), func(c *Config) { c.Probe = nil })
	none.sends(discover(alice, sends(spare)), "OFFER D-1 10.0.0.10/24 new")
}

// CL-8: the owner's MAC counts as heard whatever it was told, on any network.
func TestAnOwnerThatWasHeardKeepsItsPlace(t *testing.T) {
	r := newClaimRig(t, newMemStore(), claimSnapshot(t))
	claims := discover(alice, says(serial))
	d := r.sends(claims, "OFFER D-1 10.0.0.10/24 new")
	if d.Claim.Held != HeldOwner || d.Claim.Owner.String() != string(carol) {
		t.Errorf("claim %+v", d.Claim)
	}
	r.now = r.now.Add(idle - time.Hour)
	r.sends(discover(carol, via("172.16.0.1")), "silent D-2 no_subnet")
	r.now = r.now.Add(2 * time.Hour)
	r.sends(claims, "OFFER D-1 10.0.0.10/24 new")
	r.now = r.now.Add(idle)
	r.sends(claims, "OFFER CL-6 10.0.0.71/24 claimed")
	o := newWorld(claimOffice()...)
	for id, mac := range o.MACs {
		if mac.MAC.String() == string(carol) {
			delete(o.MACs, id)
		}
	}
	opt := worldOptions
	opt.Serials = true
	without, _ := ipam.Build(o, opt)
	newClaimRig(t, newMemStore(), without).sends(claims, "OFFER CL-6 10.0.0.71/24 claimed")
}

// CL-9, S-11: once the owner is heard the claim is not renewed, and the owner gets its
// address when the lease has ended.
func TestAnOwnerThatComesBackGetsItsPlace(t *testing.T) {
	r := newClaimRig(t, newMemStore(), claimSnapshot(t))
	r.now = r.now.Add(idle)
	r.sends(discover(alice, says(serial)), "OFFER CL-6 10.0.0.71/24 claimed")
	r.sends(selecting(alice, "10.0.0.71", says(serial)), "ACK D-4 10.0.0.71/24 claimed")
	renews := request(alice, has("10.0.0.71"), says(serial), unicast())
	r.now = r.now.Add(10 * time.Minute)
	r.sends(renews, "ACK D-12 10.0.0.71/24 claimed")
	r.sends(discover(carol), "OFFER D-1 10.0.0.10/24 new")
	r.now = r.now.Add(30 * time.Minute)
	if d := r.sends(renews, "ACK D-12 10.0.0.71/24 claim_over"); d.Time > 30*time.Minute {
		t.Errorf("confirmed for %s, want what is left", d.Time)
	}
	r.now = r.now.Add(31 * time.Minute)
	r.sends(discover(carol), "OFFER D-1 10.0.0.71/24 static")
	r.sends(discover(alice, says(serial)), "OFFER D-1 10.0.0.10/24 new")
}

// CL-8: a client that finds a host at the address is given another one.
func TestADeclinedClaimIsNotMadeAgain(t *testing.T) {
	r := newClaimRig(t, newMemStore(), claimSnapshot(t))
	r.sends(discover(alice, sends(spare)), "OFFER CL-6 10.0.0.60/24 claimed")
	r.sends(selecting(alice, "10.0.0.60", sends(spare)), "ACK D-4 10.0.0.60/24 claimed")
	r.sends(message(Decline, alice, wants("10.0.0.60"), sends(spare), to(serverAddr)), "silent CL-8 declined")
	r.sends(discover(alice, sends(spare)), "OFFER D-1 10.0.0.10/24 new")

	claims := says("JPE12221671")
	for _, accepts := range []bool{true, false} {
		r := newClaimRig(t, newMemStore(), claimSnapshot(t))
		r.sends(discover(alice, claims), "OFFER CL-6 10.0.0.72/24 claimed")
		if accepts {
			r.sends(selecting(alice, "10.0.0.72", claims), "ACK D-4 10.0.0.72/24 claimed")
		}
		r.sends(message(Decline, bob, wants("10.0.0.72"), to(serverAddr)), "silent D-18 nothing_to_do")
		r.sends(message(Decline, alice, wants("10.0.0.72"), to(serverAddr)), "silent CL-8 declined") // without its vendor class
		r.sends(discover(alice, claims), "OFFER D-1 10.0.0.10/24 new")
	}
}

// CL-6, CL-8: where leases may run that are not known, and where NetBox was not heard,
// nothing is given by a claim.
func TestNoClaimInTrouble(t *testing.T) {
	young := newClaimRig(t, newMemStore(), claimSnapshot(t))
	young.facts.YoungUntil = young.now.Add(time.Hour)
	young.sends(discover(alice, sends(spare)), "OFFER D-1 10.0.0.10/24 new")
	distrusted := newClaimRig(t, newMemStore(), claimSnapshot(t))
	distrusted.Confirm(distrusted.now, 5*time.Minute)
	distrusted.sends(discover(alice, sends(spare)), "OFFER D-1 10.0.0.10/24 new")
	storeless := newClaimRig(t, newMemStore(), claimSnapshot(t))
	storeless.Detach()
	storeless.sends(discover(alice, sends(spare)), "silent H-5 store_failed")
	stale := newClaimRig(t, newMemStore(), claimSnapshot(t))
	stale.Confirm(stale.now.Add(-48*time.Hour), 0)
	stale.sends(discover(alice, sends(spare)), "silent H-4 stale")
}

// CL-10: forged serial numbers and identifiers get what a stranger gets: in each
// state, the very answer of a client that claims nothing.
func TestForgedClaimsGetNothingThatAStrangerWouldNotGet(t *testing.T) {
	forged := map[string][]field{
		"a serial number whose owner is there":   {says(serial)},
		"a serial number of no device":           {says("FORGED01")},
		"an identifier of no address":            {sends("\x00forged")},
		"the identifier of a place with a lease": {sends(spare)},
		"a relay that is not vouched for":        {sends(spare), func(m *ClientMessage) { m.Source, m.LinkSelection = otherAddr, relayAddr }},
	}
	for name, claim := range forged {
		t.Run(name, func(t *testing.T) {
			for state, m := range map[string]func(...field) ClientMessage{
				"DISCOVER":    func(f ...field) ClientMessage { return discover(alice, f...) },
				"SELECTING":   func(f ...field) ClientMessage { return selecting(alice, "10.0.0.71", f...) },
				"INIT-REBOOT": func(f ...field) ClientMessage { return request(alice, append(f, wants("10.0.0.71"))...) },
				"RENEWING":    func(f ...field) ClientMessage { return request(alice, append(f, has("10.0.0.60"))...) },
			} {
				var got [2]string
				for i, fields := range [][]field{claim, claim[len(claim):]} {
					r := newClaimRig(t, newMemStore(bound("10.0.0.60", bob, time.Hour)), claimSnapshot(t))
					sent := m(fields...)
					if len(claim) == 2 && i == 1 {
						sent = m(claim[1])
					}
					trace := new(Trace)
					d, err := r.Handle(t.Context(), sent, trace)
					if err != nil {
						t.Fatal(err)
					}
					got[i] = brief(d)
				}
				if got[0] != got[1] {
					t.Errorf("%s: %s, and a stranger gets %s", state, got[0], got[1])
				}
			}
		})
	}
}

// CL-8: when owners were heard outlives a restart; where nobody listened for a day, all
// of them count as heard.
func TestWhenOwnersWereHeardOutlivesARestart(t *testing.T) {
	for _, c := range []struct {
		name string
		down time.Duration
		want string
	}{
		{"a short stop", time.Hour, "OFFER CL-6 10.0.0.71/24 claimed"},
		{"a day without the server", 25 * time.Hour, "OFFER D-1 10.0.0.10/24 new"},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := newMemStore()
			r := newClaimRig(t, store, claimSnapshot(t))
			r.sends(discover(carol), "OFFER D-1 10.0.0.71/24 static")
			if err := r.KeepHeard(t.Context()); err != nil {
				t.Fatal(err)
			}
			r.now = r.now.Add(idle + 26*time.Hour) // a day, since notes are that late
			if err := r.KeepHeard(t.Context()); err != nil {
				t.Fatal(err)
			}
			later := r.now.Add(c.down)
			again := newClaimRig(t, store, claimSnapshot(t), func(config *Config) { config.Now = func() time.Time { return later } })
			again.now = later
			again.sends(discover(alice, says(serial)), c.want)
		})
	}
	store := newMemStore()
	r := newClaimRig(t, store, claimSnapshot(t))
	r.now = r.now.Add(idle)
	r.sends(discover(carol), "OFFER D-1 10.0.0.71/24 static")
	if err := r.KeepHeard(t.Context()); err != nil {
		t.Fatal(err)
	}
	later := r.now.Add(time.Hour)
	again := newClaimRig(t, store, claimSnapshot(t), func(config *Config) { config.Now = func() time.Time { return later } })
	again.sends(discover(alice, says(serial)), "OFFER D-1 10.0.0.10/24 new")
}

// CL-8, S-14: a clock that is set forward makes no owner look absent, also if the start
// had a wrong one.
func TestAStepForwardMakesNoOwnerAbsent(t *testing.T) {
	for name, restart := range map[string]bool{"a server that runs": false, "a start with a clock that is behind": true} {
		t.Run(name, func(t *testing.T) {
			c, store := newSteps(), newMemStore()
			r := newClaimRig(t, store, claimSnapshot(t), policy(shortLeases), c.on)
			c.run(idle)
			r.sends(discover(carol), "OFFER D-1 10.0.0.71/24 static")
			if restart {
				if err := r.KeepHeard(t.Context()); err != nil {
					t.Fatal(err)
				}
				c.set(-20 * 365 * 24 * time.Hour)
				c.steady = 0
				r = newClaimRig(t, store, claimSnapshot(t), policy(shortLeases), c.on)
				c.run(time.Minute)
				c.set(20 * 365 * 24 * time.Hour)
			} else {
				c.set(2 * idle)
			}
			r.sends(discover(alice, says(serial)), "OFFER D-1 10.0.0.10/24 new")
			c.run(2 * time.Hour) // the clock is trusted again
			if d := r.sends(discover(alice, says(serial)), "OFFER D-1 10.0.0.10/24 new"); d.Claim.Held != HeldOwner {
				t.Errorf("claim %+v", d.Claim)
			}
			c.run(idle)
			r.sends(discover(bob, says(serial)), "OFFER CL-6 10.0.0.71/24 claimed")
		})
	}
}

func FuzzHeard(f *testing.F) {
	f.Add([]byte("\x52\x54\x00\x00\x00\x0a\x00\x07\x00\x00"))
	f.Add([]byte("x"))
	f.Fuzz(func(t *testing.T, value []byte) {
		h := heard{at: make(map[ipam.MAC]sighting)}
		h.learn(value, start)
		for mac := range h.at {
			if h.last(mac).After(start) {
				t.Errorf("%s was heard in the future", mac)
			}
		}
	})
}
