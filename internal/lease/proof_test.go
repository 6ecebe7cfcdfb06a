package lease

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// D-31: a RELEASE counts from the address itself, or by a vouched-for relay of the
// lease's wire.
func TestAReleaseNeedsProof(t *testing.T) {
	parts := append(campus(), prefix("10.9.0.0/24"), address("10.9.0.1/24", gateway()))
	s := snapshot(t, worldOptions, parts...)
	release := func(fields ...field) ClientMessage {
		return message(Release, alice, append([]field{has("10.0.0.12")}, fields...)...)
	}
	for name, c := range map[string]struct {
		message ClientMessage
		counts  bool
	}{
		"from the address":                        {release(unicast()), true},
		"from the address, to the server by name": {release(unicast(), to(serverAddr)), true},
		"from another address":                    {release(unicast(), from("203.0.113.6")), false},
		"from the neighbour's address":            {release(unicast(), from("10.0.0.13")), false},
		"from no address, by broadcast":           {release(at("eth0", "10.0.0.2")), false},
		"by the relay of the wire":                {release(), true},
		"by its device":                           {release(via("10.0.0.254"), from("172.20.0.9")), true},
		"by a link selection of the wire":         {release(via("10.8.0.254"), linkSelection("10.0.0.0")), true},
		"by a relay of another wire":              {release(via("10.9.0.1")), false},
		"by a forged relay":                       {release(from("203.0.113.6")), false},
		"by a forged relay and link selection":    {release(via("10.8.0.254"), linkSelection("10.0.0.0"), from("203.0.113.6")), false},
		"on a stock server":                       {release(stockServer()), true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, newMemStore(bound("10.0.0.12", alice, time.Hour)), s)
			r.SetAuthority(Authoritative)
			if c.counts {
				r.expect(c.message, "accepted, no reply D-19")
				return
			}
			r.expect(c.message, "silent D-31 unproved")
			r.now = r.now.Add(11 * time.Second) // past the grace
			r.expect(discover(bob, wants("10.0.0.12")), "OFFER D-1 10.0.0.10/24")
			r.expect(renewing(alice, "10.0.0.12"), "ACK D-12 10.0.0.12/24")
		})
	}
}

// D-32: a DECLINE counts where the answer went, and shortly after it. Otherwise it
// takes nothing; the client is only offered another address next.
func TestADeclineNeedsProof(t *testing.T) {
	local := at("eth0", "10.0.0.2")
	first, got := discover(alice, local), selecting(alice, "10.0.0.10", local)
	decline := func(fields ...field) ClientMessage {
		return message(Decline, alice, append([]field{wants("10.0.0.10"), local}, fields...)...)
	}
	relayed := []ClientMessage{discover(alice), selecting(alice, "10.0.0.10")}
	elsewhere := []ClientMessage{discover(alice, from("203.0.113.9")), selecting(alice, "10.0.0.10", from("203.0.113.9"))}
	for name, c := range map[string]struct {
		before []ClientMessage
		after  time.Duration
		m      ClientMessage
		counts bool
	}{
		"after the OFFER":                     {[]ClientMessage{first}, 0, decline(), true},
		"after the ACK":                       {[]ClientMessage{first, got}, time.Second, decline(), true},
		"a minute after it":                   {[]ClientMessage{first, got}, time.Minute, decline(), true},
		"later":                               {[]ClientMessage{first, got}, time.Minute + time.Second, decline(), false},
		"by another interface":                {[]ClientMessage{first, got}, 0, decline(at("eth1", "10.8.0.2")), false},
		"by a relay":                          {[]ClientMessage{first, got}, 0, decline(via("10.0.0.1")), false},
		"after an INIT-REBOOT":                {[]ClientMessage{first, got, request(alice, wants("10.0.0.10"), local)}, 0, decline(), true},
		"after a renewal":                     {[]ClientMessage{first, got, renewing(alice, "10.0.0.10")}, 0, decline(), false},
		"after a renewal by broadcast":        {[]ClientMessage{first, got, request(alice, has("10.0.0.10"), local)}, 0, decline(), false},
		"after an OFFER of what it has":       {[]ClientMessage{first, got, first}, 0, decline(), false},
		"by the relay":                        {relayed, 0, decline(via("10.0.0.1")), true},
		"by another relay of the wire":        {relayed, 0, decline(via("10.0.0.3")), false},
		"by that relay's address, forged":     {relayed, 0, decline(via("10.0.0.1"), from("203.0.113.6")), false},
		"by a relay that nothing vouched for": {elsewhere, 0, decline(via("10.0.0.1"), from("203.0.113.9")), false},
		"by an interface after a relay":       {relayed, 0, decline(), false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, newMemStore(), snapshot(t, worldOptions, campus()...))
			for _, m := range c.before {
				r.handle(m)
			}
			r.now = r.now.Add(c.after)
			if c.counts {
				r.expect(c.m, "accepted, no reply D-17 10.0.0.10/24 declined")
				return
			}
			r.expect(c.m, "silent D-32 unproved")
			if l := r.store.get("10.0.0.10"); l.State == Quarantined {
				t.Errorf("stored %+v", l)
			}
			r.expect(discover(bob, wants("10.0.0.10")), "OFFER D-1 10.0.0.11/24") // still alice's
			r.expect(discover(alice), "OFFER D-1 10.0.0.12/24 new")               // another one next
		})
	}
}

// D-32: with nothing else to offer, the client is offered the same again.
func TestADeclineInVainDoesNotSilenceTheClient(t *testing.T) {
	r := newRig(t, newMemStore(bound("10.0.0.10", alice, time.Hour)), snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10/24")))
	r.expect(message(Decline, alice, wants("10.0.0.10")), "silent D-32 unproved")
	r.expect(discover(alice), "OFFER D-1 10.0.0.10/24 bound")
}

// A-5, D-32: a forged DECLINE of a known host's address changes nothing for it.
func TestForgedDeclinesOfAStaticAddressAreIgnored(t *testing.T) {
	r := newRig(t, newMemStore(), snapshot(t, worldOptions, office()...))
	for range 3 {
		r.expect(message(Decline, web, wants("10.0.0.5"), unicast(), from("127.66.6.6")), "silent D-32 unproved")
		r.expect(discover(web), "OFFER D-1 10.0.0.5/24 static")
		r.expect(selecting(web, "10.0.0.5"), "ACK D-4 10.0.0.5/24 static")
	}
}

// three DECLINEs of one client count in an hour.
func TestAClientThatDeclinesAllIsBounded(t *testing.T) {
	r := newRig(t, newMemStore(), snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10-10.0.0.99/24")))
	for i := range 6 {
		d := r.expect(discover(alice), "OFFER D-1")
		r.expect(selecting(alice, d.Addr.Addr().String()), "ACK D-4")
		want := "accepted, no reply D-17"
		if i >= declinesAnHour {
			want = "silent A-9 too_many"
		}
		r.expect(message(Decline, alice, wants(d.Addr.Addr().String())), want)
	}
	r.now = r.now.Add(time.Hour)
	d := r.expect(discover(alice), "OFFER D-1")
	r.expect(selecting(alice, d.Addr.Addr().String()), "ACK D-4")
	r.expect(message(Decline, alice, wants(d.Addr.Addr().String())), "accepted, no reply D-17")
}

// a quarter of a pool rests at most, but at least one address; others are
// still served. A pool beside it is another account.
func TestDeclinesLeaveAPoolToOthers(t *testing.T) {
	for size, most := range map[int]int{1: 1, 3: 1, 5: 1, 8: 2, 100: 25} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			r := newRig(t, newMemStore(), snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic(fmt.Sprintf("10.0.0.100-10.0.0.%d/24", 99+size)),
				prefix("10.8.0.0/24"), dynamic("10.8.0.10-10.8.0.11/24")))
			taken := 0
			for i := range size + 5 {
				d := r.handle(discover(nth(i)))
				if d.Verdict != Offer {
					break
				}
				if r.handle(message(Decline, nth(i), wants(d.Addr.Addr().String()))).Verdict == Taken {
					taken++
				}
				r.now = r.now.Add(r.config.Policy.OfferHold + time.Second)
			}
			if taken != most {
				t.Errorf("%d of %d rest, want %d", taken, size, most)
			}
			if size > 1 {
				r.expect(discover(bob), "OFFER D-1")
			}
			r.expect(discover(carol, via("10.8.0.1")), "OFFER D-1 10.8.0.10/24")
			r.expect(message(Decline, carol, wants("10.8.0.10"), via("10.8.0.1")), "accepted, no reply D-17")
		})
	}
}

// D-33: a client that renews an address declined in its name keeps it, and the
// quarantine ends.
func TestARenewalEndsAQuarantineInItsName(t *testing.T) {
	setUp := func(t *testing.T) *rig {
		r := newRig(t, newMemStore(), snapshot(t, worldOptions, campus()...))
		r.SetAuthority(Authoritative)
		r.expect(discover(alice), "OFFER D-1 10.0.0.10/24")
		r.expect(selecting(alice, "10.0.0.10", asking(2*time.Hour)), "ACK D-4")
		r.expect(message(Decline, alice, wants("10.0.0.10")), "accepted, no reply D-17")
		r.now = r.now.Add(time.Hour)
		return r
	}
	r := setUp(t)
	r.expect(renewing(bob, "10.0.0.10"), "NAK D-13")
	r.expect(renewing(alice, "10.0.0.10", from("203.0.113.6")), "NAK D-13")
	d := r.expect(renewing(alice, "10.0.0.10", asking(5*time.Minute)), "ACK D-12 10.0.0.10/24 bound")
	// It was promised two hours before.
	if l := r.store.get("10.0.0.10"); l.Client != alice || l.State != Bound || l.Expires.Before(start.Add(2*time.Hour)) || d.Time != 5*time.Minute {
		t.Errorf("stored %+v, granted %s", l, d.Time)
	}
	r.expect(discover(bob, wants("10.0.0.10")), "OFFER D-1 10.0.0.11/24")
	r.expect(renewing(alice, "10.0.0.10"), "ACK D-12")

	r = setUp(t)
	r.now = start.Add(2*time.Hour + time.Second) // its lease is over
	r.expect(renewing(alice, "10.0.0.10"), "NAK D-13")

	// After a restart it is not known whose address rests.
	again := newRig(t, setUp(t).store, snapshot(t, worldOptions, campus()...))
	again.SetAuthority(Authoritative)
	again.expect(renewing(alice, "10.0.0.10"), "silent D-33 taken")
	again.expect(request(alice, wants("10.0.0.10")), "NAK D-10")
}

// an operator ends a quarantine; the address serves at once, also after a
// restart, and where only NetBox shows it.
func TestAnOperatorEndsAQuarantine(t *testing.T) {
	s := snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10/24"), dynamic("10.0.0.11/24", record(Declined, time.Hour)))
	store := newMemStore(quarantined("10.0.0.10", time.Hour))
	r := newRig(t, store, s)
	r.expect(discover(alice), "silent D-2 pool_empty")
	for _, addr := range []string{"10.0.0.10", "10.0.0.11"} {
		if err := r.EndQuarantine(t.Context(), optionalAddr(addr)); err != nil {
			t.Fatal(err)
		}
		if err := r.EndQuarantine(t.Context(), optionalAddr(addr)); !errors.Is(err, ErrNotQuarantined) {
			t.Errorf("a second time: %v", err)
		}
	}
	if err := r.EndQuarantine(t.Context(), optionalAddr("10.0.0.77")); !errors.Is(err, ErrNotQuarantined) {
		t.Errorf("an address that is none of ours: %v", err)
	}
	if d, _ := newRig(t, store, s).Explain(discover(alice)); d.Verdict != Offer {
		t.Errorf("after a restart: %s", brief(d))
	}
	r.expect(selecting(alice, "10.0.0.10"), "ACK D-4 10.0.0.10/24")
	r.expect(selecting(bob, "10.0.0.11"), "ACK D-4 10.0.0.11/24")
	store.before = func(Lease) error { return errDisk }
	r.facts.Leases.put(quarantined("10.0.0.10", time.Hour), 99)
	if err := r.EndQuarantine(t.Context(), optionalAddr("10.0.0.10")); !errors.Is(err, errDisk) {
		t.Errorf("without a disk: %v", err)
	}
}

// D-32: what strangers cause to be remembered is bounded, and forgotten.
func TestAnswersAreForgotten(t *testing.T) {
	l := NewLeases(&Policy{})
	now := time.Unix(1_000_000, 0)
	for i := range 3 * maxAnswers {
		l.answered(nth(i), answer{at: now})
		l.answered(alice, answer{at: now})
		now = now.Add(time.Millisecond)
		l.forgetAnswers(now)
	}
	if len(l.answers) > maxAnswers || len(l.answerQueue) > maxAnswers {
		t.Errorf("%d answers, %d entries", len(l.answers), len(l.answerQueue))
	}
	l.answered(bob, answer{at: now})
	for i := range declinesAnHour {
		l.declinedBy(hostOf(10, 0, i), declined{client: bob}, now)
	}
	l.forgetAnswers(now.Add(time.Hour))
	if len(l.answers)+len(l.answerQueue)+len(l.declines)+len(l.declineQueue) != 0 {
		t.Errorf("left: %d, %d, %d, %d", len(l.answers), len(l.answerQueue), len(l.declines), len(l.declineQueue))
	}
}
