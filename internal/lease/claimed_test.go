package lease

import (
	"testing"
	"time"
)

// I-14: the host itself comes before other identifiers of its MAC: one that has the
// static address keeps it to the end of its lease, and then it goes over, and back
// only after the host has left it.
func TestTheHostItselfComesFirst(t *testing.T) {
	for name, host := range map[string]string{"none is sent": "", "type 1": "\x01\x52\x54\x00\x00\x00\xeb"} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, newMemStore(), snapshot(t, worldOptions, oneStatic()...), policy(byIdentifier))
			r.SetAuthority(Authoritative)
			box, self := sends(boxA), sends(host)
			r.expect(selecting(web, "10.0.0.5", box), "ACK D-4 10.0.0.5/24 static")
			r.expect(discover(web, self), "OFFER D-1 10.0.0.10/24 new")
			r.expect(selecting(web, "10.0.0.10", self), "ACK D-4 10.0.0.10/24 new")
			r.now = start.Add(10 * time.Minute) // firmware would be gone
			r.expect(renewing(web, "10.0.0.5", box), "ACK D-12 10.0.0.5/24 static")
			r.now = start.Add(30 * time.Minute)
			r.expect(renewing(web, "10.0.0.10", self), "ACK D-12 10.0.0.10/24 bound")
			for _, minutes := range []time.Duration{40, 55} {
				r.now = start.Add(minutes * time.Minute)
				if d := r.expect(renewing(web, "10.0.0.5", box), "ACK D-12 10.0.0.5/24 taken_away"); d.Time > (70-minutes)*time.Minute {
					t.Errorf("after %d minutes: given for %s", minutes, d.Time)
				}
			}
			r.expect(request(web, wants("10.0.0.5"), box), "ACK D-8 10.0.0.5/24 taken_away")
			r.expect(discover(web, box), "OFFER D-1 10.0.0.11/24 new")
			r.expect(renewing(web, "10.0.0.10", self), "ACK D-12 10.0.0.10/24 bound")
			r.now = start.Add(70*time.Minute - 20*time.Second)
			r.expect(renewing(web, "10.0.0.5", box), "silent D-12 taken_away")
			r.now = start.Add(70*time.Minute + 15*time.Second)
			r.expect(request(web, wants("10.0.0.5"), box), "NAK D-10 taken")
			r.expect(renewing(web, "10.0.0.10", self), "NAK D-13 wrong_address") // it moves (D-27)
			r.expect(discover(web, self), "OFFER D-1 10.0.0.5/24 static")
			r.expect(selecting(web, "10.0.0.5", self), "ACK D-4 10.0.0.5/24 static")
			r.now = r.now.Add(30 * time.Minute)
			r.expect(renewing(web, "10.0.0.5", self), "ACK D-12 10.0.0.5/24 static")
			r.expect(discover(web, box, wants("10.0.0.5")), "OFFER D-1 10.0.0.11/24 new")
			r.expect(request(web, wants("10.0.0.5"), box), "NAK D-10 taken")
			r.now = r.now.Add(time.Hour + 11*time.Second) // the host has left it
			r.expect(discover(web, box), "OFFER D-1 10.0.0.5/24 static")
			if err := r.facts.Leases.verify(); err != nil {
				t.Error(err)
			}
		})
	}
}

// I-12, I-14: firmware selects and never comes back, so the system of the machine
// keeps its address over a restart, and takes it over from firmware at once.
func TestFirmwareTakesNoAddressFromItsSystem(t *testing.T) {
	r := newRig(t, newMemStore(), snapshot(t, worldOptions, oneStatic()...), policy(byIdentifier))
	r.SetAuthority(Authoritative)
	for range 3 {
		r.handle(discover(web)) // firmware, .5 and later .10
		r.handle(selecting(web, r.handle(discover(web)).Addr.Addr().String()))
		r.now = r.now.Add(time.Minute)
		r.expect(discover(web, sends(duid), wants("10.0.0.5")), "OFFER D-1 10.0.0.5/24 static")
		r.expect(selecting(web, "10.0.0.5", sends(duid)), "ACK D-4 10.0.0.5/24 static")
		r.now = r.now.Add(30 * time.Minute)
		if d := r.expect(renewing(web, "10.0.0.5", sends(duid)), "ACK D-12 10.0.0.5/24 static"); d.Time != time.Hour {
			t.Errorf("extended by %s", d.Time)
		}
	}
}

// I-14: a host that asks no more gives way again.
func TestAHostThatAsksNoMoreGivesWay(t *testing.T) {
	r := newRig(t, newMemStore(), snapshot(t, worldOptions, oneStatic()...), policy(byIdentifier))
	r.SetAuthority(Authoritative)
	r.expect(selecting(web, "10.0.0.5", sends(boxA), asking(6*time.Hour)), "ACK D-4 10.0.0.5/24 static")
	r.expect(request(web, wants("10.0.0.5")), "NAK D-10 taken") // it had the address before
	r.now = start.Add(30 * time.Minute)
	r.expect(renewing(web, "10.0.0.5", sends(boxA)), "ACK D-12 10.0.0.5/24 taken_away")
	r.now = start.Add(61 * time.Minute)
	r.expect(renewing(web, "10.0.0.5", sends(boxA)), "ACK D-12 10.0.0.5/24 static")
}
