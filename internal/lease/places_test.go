package lease

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// crowd is a network with that many dynamic addresses from 10.1.0.10 on, and a
// known host.
func crowd(t *testing.T, n int) *ipam.Snapshot {
	t.Helper()
	first := netip.MustParseAddr("10.1.0.10")
	last := hostOf(10, 1, 10+n-1)
	return snapshot(t, worldOptions, prefix("10.1.0.0/16"), dynamic(fmt.Sprintf("%s-%s/16", first, last)),
		device("web1", port("eth0", string(web), on("10.1.255.5/16"))))
}

var onCrowd = via("10.1.255.254")

// knownHostIsServed asks all that a known host asks.
func knownHostIsServed(r *rig) {
	r.t.Helper()
	r.expect(discover(web, onCrowd), "OFFER D-1 10.1.255.5/16 static")
	r.expect(selecting(web, "10.1.255.5", onCrowd), "ACK D-4 10.1.255.5/16 static")
	r.expect(renewing(web, "10.1.255.5"), "ACK D-12 10.1.255.5/16 static")
	r.expect(message(Inform, web, has("10.1.255.5"), unicast()), "ACK (inform) D-21")
}

// B-9: a disk that hangs holds as many messages as there are places. What comes
// on top is answered at once as without a store; what needs no disk is served.
func TestAHungDiskHoldsABoundedNumberOfMessages(t *testing.T) {
	const clients = DiskPlaces + 100
	var leases []Lease
	for i := range clients {
		leases = append(leases, Lease{Addr: hostOf(10, 1, 10+i), Client: nth(i), State: Bound, Expires: start.Add(20 * time.Minute)})
	}
	store, hang := newMemStore(leases...), make(chan struct{})
	store.before = func(Lease) error { <-hang; return nil }
	r := newRig(t, store, crowd(t, clients+10))
	r.SetAuthority(Authoritative)
	var renewals sync.WaitGroup
	verdicts := make([]Verdict, DiskPlaces)
	for i := range DiskPlaces {
		renewals.Go(func() {
			d, _ := r.Handle(t.Context(), renewing(nth(i), hostOf(10, 1, 10+i).String()), nil)
			verdicts[i] = d.Verdict
		})
	}
	for r.Disk.Waiting() < DiskPlaces {
		time.Sleep(time.Millisecond)
	}
	knownHostIsServed(r)
	for _, c := range []struct {
		name string
		m    ClientMessage
		want string
	}{
		{"one more renews", renewing(nth(DiskPlaces), hostOf(10, 1, 10+DiskPlaces).String()), "ACK H-4 10.1.2.10/16 bound"},
		{"one more comes back", request(nth(DiskPlaces+1), wants(hostOf(10, 1, 11+DiskPlaces).String()), onCrowd), "silent B-9 crowded"},
		{"a stranger selects", selecting(alice, hostOf(10, 1, 10+clients).String(), onCrowd), "silent B-9 crowded"},
		{"one more declines", message(Decline, nth(DiskPlaces+2), wants(hostOf(10, 1, 12+DiskPlaces).String()), onCrowd), "silent B-9 crowded"},
		{"one more releases", message(Release, nth(DiskPlaces+3), has(hostOf(10, 1, 13+DiskPlaces).String()), unicast()), "silent B-9 crowded"},
	} {
		if c.m.Type == Decline {
			r.answered(c.m)
		}
		d, err := r.Handle(t.Context(), c.m, nil)
		if brief(d) != c.want || !errors.Is(err, ErrCrowded) {
			t.Errorf("%s: %s, %v; want %s", c.name, brief(d), err, c.want)
		}
	}
	if n := r.Disk.Refused(); n != 5 {
		t.Errorf("%d refused, want 5", n)
	}
	close(hang)
	renewals.Wait()
	for i, v := range verdicts {
		if v != Ack {
			t.Fatalf("client %d: %s", i, v)
		}
	}
	if n := r.Disk.Waiting(); n != 0 {
		t.Errorf("%d places are still taken", n)
	}
	r.expect(selecting(alice, hostOf(10, 1, 10+clients).String(), onCrowd), "ACK D-4") // nothing is left in work
	if err := r.facts.Leases.verify(); err != nil {
		t.Error(err)
	}
}

// B-9: messages that wait for an echo hold no others, and an offer that is not
// made holds no address.
func TestAFloodOfProbesHoldsABoundedNumberOfMessages(t *testing.T) {
	wait := make(chan struct{})
	store := newMemStore(Lease{Addr: hostOf(10, 1, 10), Client: bob, State: Bound, Expires: start.Add(time.Hour)})
	r := newRig(t, store, crowd(t, EchoPlaces+10), func(c *Config) {
		c.Probe = func(context.Context, netip.Addr, time.Duration) (bool, error) { <-wait; return false, nil }
	})
	var flood sync.WaitGroup
	for i := range EchoPlaces {
		flood.Go(func() { _, _ = r.Handle(t.Context(), discover(nth(i), onCrowd), nil) })
	}
	for r.Echo.Waiting() < EchoPlaces {
		time.Sleep(time.Millisecond)
	}
	knownHostIsServed(r)
	r.expect(discover(bob, onCrowd), "OFFER D-1 10.1.0.10/16 bound")
	r.expect(renewing(bob, "10.1.0.10"), "ACK D-12")
	for i := range 50 { // more than there are addresses left
		d, err := r.Handle(t.Context(), discover(stranger(i), onCrowd), nil)
		if brief(d) != "silent B-9 crowded" || !errors.Is(err, ErrCrowded) {
			t.Fatalf("%s, %v; want silence", brief(d), err)
		}
	}
	if n := r.Echo.Refused(); n != 50 {
		t.Errorf("%d refused, want 50", n)
	}
	close(wait)
	flood.Wait()
	r.expect(discover(stranger(0), onCrowd), "OFFER D-1")
	if err := r.facts.Leases.verify(); err != nil {
		t.Error(err)
	}
}

// B-10: an address that did not answer is not asked again while an offer of it
// is held, for any client that discovers.
func TestAProbeIsRememberedForTheTimeOfTheHold(t *testing.T) {
	probed := make(map[string]int)
	r := newRig(t, newMemStore(), snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10-10.0.0.11/24"), machines(alice, bob, carol)), func(c *Config) {
		c.Probe = func(_ context.Context, addr netip.Addr, _ time.Duration) (bool, error) {
			probed[addr.String()]++
			return false, nil
		}
	})
	expect := func(when string, first, second int) {
		t.Helper()
		if probed["10.0.0.10"] != first || probed["10.0.0.11"] != second {
			t.Errorf("%s: probed %v, want %d and %d", when, probed, first, second)
		}
	}
	r.expect(discover(alice), "OFFER D-1 10.0.0.10/24")
	r.expect(discover(alice), "OFFER D-1 10.0.0.10/24")
	expect("repeated at once", 1, 0)
	r.now = start.Add(59 * time.Second)
	r.expect(discover(alice), "OFFER D-1 10.0.0.10/24")
	expect("repeated within the hold", 1, 0)
	r.expect(discover(bob), "OFFER D-1 10.0.0.11/24")
	expect("another client", 1, 1)
	r.now = start.Add(61 * time.Second)
	r.expect(discover(alice), "OFFER D-1 10.0.0.10/24") // the hold was renewed, the probe is old
	expect("later", 2, 1)
	r.expect(selecting(alice, "10.0.0.10"), "ACK D-4")
	r.expect(message(Release, alice, has("10.0.0.10")), "accepted, no reply D-19")
	r.now = r.now.Add(15 * time.Second) // the grace is over
	r.expect(discover(carol), "OFFER D-1 10.0.0.10/24")
	expect("leased meanwhile", 3, 1)
	r.now = r.now.Add(time.Hour)
	r.expect(discover(nth(1)), "OFFER D-1")
	if n := len(r.echoes.silent); n != 1 || len(r.echoes.queue) > 2 {
		t.Errorf("%d addresses are remembered, queue of %d", n, len(r.echoes.queue))
	}
}
