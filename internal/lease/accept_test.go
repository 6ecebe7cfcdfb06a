package lease

import (
	"testing"
	"time"
)

// D-30: a client accepts an offer that was made, within two minutes, or an address
// of its own; a REQUEST alone leases nothing, and is refused nothing.
func TestOffersThatMayBeAccepted(t *testing.T) {
	leases := []Lease{bound("10.0.0.12", alice, 2*time.Hour), bound("10.0.0.13", alice, -time.Hour), bound("10.0.0.14", bob, 2*time.Hour)}
	for name, c := range map[string]struct {
		before  []ClientMessage
		later   time.Duration // after those
		message ClientMessage
		want    string
	}{
		"never offered":                         {nil, 0, selecting(carol, "10.0.0.15"), "silent D-30 not_offered"},
		"never offered, and taken":              {nil, 0, selecting(carol, "10.0.0.14"), "silent D-30 not_offered"},
		"never offered, and outside":            {nil, 0, selecting(carol, "10.9.0.10"), "silent D-30 not_offered"},
		"never offered, and no dynamic address": {nil, 0, selecting(carol, "10.0.0.200"), "silent D-30 not_offered"},
		"offered":                               {[]ClientMessage{discover(carol)}, time.Minute - 1, selecting(carol, "10.0.0.10"), "ACK D-4 10.0.0.10/24"},
		"the hold is over":                      {[]ClientMessage{discover(carol)}, 2*time.Minute - 1, selecting(carol, "10.0.0.10"), "ACK D-4 10.0.0.10/24"},
		"offered too long ago":                  {[]ClientMessage{discover(carol)}, 2 * time.Minute, selecting(carol, "10.0.0.10"), "silent D-30 not_offered"},
		"offered, then another one is chosen":   {[]ClientMessage{discover(carol)}, 0, selecting(carol, "10.0.0.15"), "ACK D-4 10.0.0.15/24"},
		"offered, and chose one that is taken":  {[]ClientMessage{discover(carol)}, 0, selecting(carol, "10.0.0.14"), "NAK D-5 taken"},
		"one offer is one lease":                {[]ClientMessage{discover(carol), selecting(carol, "10.0.0.10")}, 0, selecting(carol, "10.0.0.15"), "silent D-30 not_offered"},
		"it repeats what it accepted":           {[]ClientMessage{discover(carol), selecting(carol, "10.0.0.10")}, 0, selecting(carol, "10.0.0.10"), "ACK D-4 10.0.0.10/24 bound"},
		"a DECLINE in vain takes no offer":      {[]ClientMessage{discover(carol), message(Decline, carol, wants("10.0.0.10"), from("203.0.113.6"))}, 90 * time.Second, selecting(carol, "10.0.0.10"), "ACK D-4"},
		"offered to another client":             {[]ClientMessage{discover(bob)}, 0, selecting(carol, "10.0.0.15"), "silent D-30 not_offered"},
		"its running lease":                     {nil, 0, selecting(alice, "10.0.0.12"), "ACK D-4 10.0.0.12/24 bound"},
		"its ended lease":                       {nil, 0, selecting(alice, "10.0.0.13"), "ACK D-4 10.0.0.13/24 bound"},
		"beside its lease":                      {nil, 0, selecting(alice, "10.0.0.15"), "silent D-30 not_offered"},
		"its static address":                    {nil, 0, selecting(web, "10.0.0.5"), "ACK D-4 10.0.0.5/24 static"},
		"a lease for its static address":        {nil, 0, selecting(web, "10.0.0.10"), "silent D-30 not_offered"},
		"the same, after an offer":              {[]ClientMessage{discover(web)}, 0, selecting(web, "10.0.0.10"), "NAK D-5 wrong_address"},
		"INIT-REBOOT needs no offer":            {nil, 0, request(carol, wants("10.0.0.14")), "NAK D-10"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, newMemStore(leases...), snapshot(t, worldOptions, office()...))
			r.SetAuthority(Authoritative)
			r.now = start.Add(time.Minute)
			for _, m := range c.before {
				r.handle(m)
			}
			r.now = r.now.Add(c.later)
			r.expect(c.message, c.want)
		})
	}
}

// D-30: offers of before a start are good for the time of a hold.
func TestOffersOfBeforeAStart(t *testing.T) {
	for after, want := range map[time.Duration]string{0: "ACK D-4", time.Minute - 1: "ACK D-4", time.Minute: "silent D-30"} {
		r := newRig(t, newMemStore(), snapshot(t, worldOptions, office()...))
		r.now = start.Add(after)
		r.expect(selecting(carol, "10.0.0.15"), want)
	}
}

// D-3, D-30: a client that chooses another server answers the offer: its address is
// there for others.
func TestAnotherServersClientHoldsNothing(t *testing.T) {
	r := newRig(t, newMemStore(), snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10/24"), device("laptop", port("eth0", string(web)))))
	r.expect(discover(web), "OFFER D-1 10.0.0.10/24")
	r.expect(discover(alice), "silent D-2 pool_empty") // what a known machine is offered does not give way
	r.expect(request(web, to(otherAddr), wants("10.0.0.10")), "silent D-3 other_server")
	r.expect(discover(alice), "OFFER D-1 10.0.0.10/24")
}
