package lease

import (
	"context"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// small is a network with two dynamic addresses.
func small(t testing.TB) *ipam.Snapshot {
	return snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10-10.0.0.11/24"),
		device("web1", port("eth0", string(web), on("10.0.0.5/24"))))
}

// verdict handles a message that may cause trouble.
func (r *rig) verdict(m ClientMessage) (Verdict, error) {
	d, err := r.Handle(r.t.Context(), m, nil)
	return d.Verdict, err
}

// S-1, A-3: the ACK of a dynamic address comes after the commit.
func TestAckWaitsForTheStore(t *testing.T) {
	store := newMemStore()
	committing, commit := make(chan Lease), make(chan struct{})
	store.before = func(l Lease) error { committing <- l; <-commit; return nil }
	r := newRig(t, store, small(t))
	answers := make(chan Verdict, 1)
	go func() {
		verdict, _ := r.verdict(selecting(alice, "10.0.0.10"))
		answers <- verdict
	}()
	if l := <-committing; l.Client != alice || l.State != Bound {
		t.Errorf("commits %+v", l)
	}
	select {
	case verdict := <-answers:
		t.Fatalf("%s before the commit", verdict)
	default:
	}
	// D-28: a retransmission meanwhile is dropped; no lock is held, so
	// others are served (S-7).
	if d, err := r.Handle(t.Context(), selecting(alice, "10.0.0.10"), nil); brief(d) != "silent D-28 busy" || err != nil {
		t.Errorf("retransmission: %s, %v", brief(d), err)
	}
	r.expect(discover(bob), "OFFER D-1 10.0.0.11/24") // .10 is in work
	r.expect(selecting(carol, "10.0.0.10"), "silent D-16 busy")
	r.expect(selecting(web, "10.0.0.5"), "ACK D-4")
	r.SetSnapshot(small(t))
	r.exhausted(discover(carol))
	close(commit)
	if verdict := <-answers; verdict != Ack {
		t.Errorf("%s, want ACK", verdict)
	}
	store.before = nil
	r.expect(selecting(alice, "10.0.0.10"), "ACK D-4 10.0.0.10/24 bound") // the same answer afterwards
	if err := r.facts.Leases.verify(); err != nil {
		t.Error(err)
	}
}

// what answers an echo request is quarantined and the next one tried.
func TestProbeBeforeOffering(t *testing.T) {
	s := snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10-10.0.0.19/24"),
		device("web1", port("eth0", string(web), on("10.0.0.5/24"))))
	var probed, told []string
	used := make(map[string]bool)
	probing := func(c *Config) {
		c.ProbeWait = time.Second
		c.InUse = func(addr netip.Addr) { told = append(told, addr.String()) }
		c.Probe = func(_ context.Context, addr netip.Addr, wait time.Duration) (bool, error) {
			if wait != time.Second {
				t.Errorf("probe waits %s", wait)
			}
			probed = append(probed, addr.String())
			return used[addr.String()], nil
		}
	}
	for _, c := range []struct {
		name    string
		used    []string
		message ClientMessage
		want    string
		probed  []string
	}{
		{"no host answers", nil, discover(alice), "OFFER D-1 10.0.0.10/24", []string{"10.0.0.10"}},
		{"the first one answers", []string{"10.0.0.10"}, discover(alice), "OFFER D-1 10.0.0.11/24", []string{"10.0.0.10", "10.0.0.11"}},
		{"two answer", []string{"10.0.0.10", "10.0.0.11"}, discover(alice), "OFFER D-1 10.0.0.12/24", []string{"10.0.0.10", "10.0.0.11", "10.0.0.12"}},
		{"three answer", []string{"10.0.0.10", "10.0.0.11", "10.0.0.12"}, discover(alice), "silent D-16", []string{"10.0.0.10", "10.0.0.11", "10.0.0.12"}},
		{"the client's own binding is not probed", []string{"10.0.0.15"}, discover(bob), "OFFER D-1 10.0.0.15/24", nil},
		{"static addresses are not probed", []string{"10.0.0.5"}, discover(web), "OFFER D-1 10.0.0.5/24 static", nil},
		{"requests are not probed", []string{"10.0.0.10"}, selecting(alice, "10.0.0.10"), "ACK D-4", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			probed, told, used = nil, nil, make(map[string]bool)
			for _, a := range c.used {
				used[a] = true
			}
			store := newMemStore(bound("10.0.0.15", bob, time.Hour))
			r := newRig(t, store, s, probing)
			d, err := r.Handle(t.Context(), c.message, nil)
			if got := brief(d); err != nil || len(got) < len(c.want) || got[:len(c.want)] != c.want {
				t.Errorf("%s, %v; want %s", got, err, c.want)
			}
			if !slices.Equal(probed, c.probed) {
				t.Errorf("probed %v, want %v", probed, c.probed)
			}
			if answered := slices.DeleteFunc(slices.Clone(probed), func(a string) bool { return !used[a] }); !slices.Equal(told, answered) {
				t.Errorf("told of %v, want %v", told, answered)
			}
			for _, a := range probed {
				if l := store.get(a); used[a] != (l.State == Quarantined && l.Client == Declined && l.Unsynced) {
					t.Errorf("%s is in use: %v, stored %+v", a, used[a], l)
				}
			}
			for addr := range r.facts.Leases.holds.all() {
				if used[addr.String()] && addr.String() != "10.0.0.15" {
					t.Errorf("%s is still held", addr)
				}
			}
			if err := r.facts.Leases.verify(); err != nil {
				t.Error(err)
			}
		})
	}
}

// S-1: everything acknowledged is there after a crash; holds are not.
func TestRestart(t *testing.T) {
	store := newMemStore()
	r := newRig(t, store, small(t))
	r.expect(selecting(alice, "10.0.0.10"), "ACK D-4")
	r.expect(discover(bob), "OFFER D-1 10.0.0.11/24")
	r = newRig(t, store, small(t))
	r.expect(discover(carol), "OFFER D-1 10.0.0.11/24")
	r.expect(request(alice, wants("10.0.0.10")), "ACK D-8 10.0.0.10/24 bound")
	r.expect(selecting(bob, "10.0.0.10"), "silent D-5 taken")
	if got := r.Unsynced(10); len(got) != 1 || got[0].Client != alice {
		t.Errorf("to be written back: %v", got)
	}
}

// Explain has no effect, for any message.
func TestExplainHasNoEffect(t *testing.T) {
	r := newRig(t, newMemStore(bound("10.0.0.11", bob, time.Hour)), small(t))
	before := r.store.written()
	for _, m := range []ClientMessage{
		discover(alice), selecting(alice, "10.0.0.10"), message(Release, bob, has("10.0.0.11")), message(Decline, bob, wants("10.0.0.11")),
		message(Decline, web, wants("10.0.0.5")), discover(alice, identified("10.0.0.10")), discover(alice, at("eth0", "10.0.0.10")),
	} {
		r.Explain(m)
	}
	l := r.facts.Leases
	if r.store.written() != before || len(l.holds)+len(l.answers)+len(l.infrastructure)+len(l.inWork) != 0 {
		t.Errorf("written %d, leases %+v", r.store.written(), l)
	}
	r.expect(discover(alice), "OFFER D-1 10.0.0.10/24")
	r.expect(renewing(bob, "10.0.0.11"), "ACK")
	r.expect(discover(web), "OFFER D-1")
}

// A change of the snapshot keeps holds and leases; addresses come and go.
func TestSnapshotChanges(t *testing.T) {
	r := newRig(t, newMemStore(bound("10.0.0.11", bob, time.Hour)), small(t))
	r.expect(discover(alice), "OFFER D-1 10.0.0.10/24")
	r.SetSnapshot(snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.9-10.0.0.11/24"), machines(carol, nth(1))))
	r.expect(discover(alice), "OFFER D-1 10.0.0.10/24")
	r.expect(discover(carol), "OFFER D-1 10.0.0.9/24")
	r.exhausted(discover(nth(1)))
	r.SetSnapshot(snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.11/24")))
	r.expect(selecting(alice, "10.0.0.10"), "silent D-5 not_dynamic")
	r.expect(discover(alice), "silent D-2 pool_empty")
	r.SetSnapshot(snapshot(t, worldOptions, prefixWith("container", "10.0.0.0/16")))
	r.expect(discover(alice), "silent D-2 no_subnet")
	r.SetSnapshot(snapshot(t, worldOptions))
	r.expect(discover(alice), "silent N-10 relay_unknown")
}

// Leases returns what the store holds.
func TestLeasesListsTheStore(t *testing.T) {
	want := []Lease{bound("10.0.0.10", alice, time.Hour), quarantined("10.0.0.11", time.Hour)}
	r := newRig(t, newMemStore(want...), nil)
	got := r.Leases()
	slices.SortFunc(got, func(a, b Lease) int { return a.Addr.Compare(b.Addr) })
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
