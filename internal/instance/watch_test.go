package instance

import (
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// watched is an instance with an engine, as far as watches need one.
func watched(t *testing.T, p lease.Policy) *Instance {
	t.Helper()
	engine, err := lease.NewEngine(t.Context(), lease.Config{Policy: p})
	if err != nil {
		t.Fatal(err)
	}
	return &Instance{Engine: engine}
}

func everything(*lease.ClientMessage, *lease.Decision) bool { return true }

// B-18: a watcher gets a copy of what was decided.
func TestWatchersSeeWhatWasDecided(t *testing.T) {
	i := watched(t, lease.Policy{ByIdentifier: true})
	all := i.Watch(4, everything)
	acks := i.Watch(4, func(_ *lease.ClientMessage, d *lease.Decision) bool { return d.Verdict == lease.Ack })
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.FixedZone("", 7200))
	circuit := []byte("Gi1/0/5")
	m := &lease.ClientMessage{
		Type: lease.Request, Client: "02:00:00:00:00:01", ClientIdentifier: []byte{0xff, 1, 2, 3}, RequestedAddr: netip.MustParseAddr("10.0.0.9"), Hostname: "pc",
		Relay: netip.MustParseAddr("10.0.0.1"), Interface: "eth0", Circuit: circuit, Remote: []byte("sw1"),
	}
	i.Answered(m, &lease.Decision{
		Verdict: lease.Ack, Reason: lease.ReasonNew, Rule: "D-4", Addr: netip.MustParsePrefix("10.0.0.7/24"), Time: time.Hour,
		Subnet: &ipam.Subnet{Prefix: &ipam.Prefix{Prefix: netip.MustParsePrefix("10.0.0.0/24")}}, Machine: &ipam.Machine{Name: "web1"},
	}, now)
	i.Answered(m, &lease.Decision{Verdict: lease.Nak, Reason: lease.ReasonWrongNetwork}, now)
	copy(circuit, "xxxxxxx") // the next packet takes over the memory

	want := Seen{
		At: now.UTC(), Type: lease.Request, Client: "id/FF:01:02:03", Hardware: "02:00:00:00:00:01", Verdict: lease.Ack, Reason: lease.ReasonNew, Rule: "D-4",
		Addr: netip.MustParseAddr("10.0.0.7"), Time: time.Hour, Network: netip.MustParsePrefix("10.0.0.0/24"), Machine: "web1", Hostname: "pc",
		Relay: netip.MustParseAddr("10.0.0.1"), Interface: "eth0", Circuit: "Gi1/0/5", Remote: "sw1",
	}
	for _, w := range []*Watch{all, acks} {
		if got := <-w.C; got != want {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	}
	if got := <-all.C; got.Verdict != lease.Nak || got.Addr.String() != "10.0.0.9" {
		t.Errorf("a refusal names the address that was asked for: %+v", got)
	}
	if len(acks.C) != 0 {
		t.Error("a watcher got what it does not want")
	}
}

// B-18: what finds no room is lost to that watcher alone, and counted.
func TestAWatcherThatDoesNotReadLosesOnlyItsOwn(t *testing.T) {
	i := watched(t, lease.Policy{})
	slow, quick := i.Watch(2, everything), i.Watch(5, everything)
	for range 5 {
		i.Answered(&lease.ClientMessage{Client: "A"}, &lease.Decision{}, time.Now())
	}
	if len(slow.C) != 2 || slow.Lost() != 3 || len(quick.C) != 5 || quick.Lost() != 0 {
		t.Errorf("slow: %d wait, %d lost; quick: %d wait, %d lost", len(slow.C), slow.Lost(), len(quick.C), quick.Lost())
	}
	slow.Close()
	i.Answered(&lease.ClientMessage{Client: "A"}, &lease.Decision{}, time.Now())
	if slow.Lost() != 3 || quick.Lost() != 1 {
		t.Errorf("after the slow one left: %d and %d lost", slow.Lost(), quick.Lost())
	}
}

// B-18: watchers come and go while packets are answered.
func TestWatchersComeAndGo(t *testing.T) {
	i := watched(t, lease.Policy{})
	var both sync.WaitGroup
	both.Go(func() {
		for range 2000 {
			i.Answered(&lease.ClientMessage{Client: "A"}, &lease.Decision{}, time.Now())
		}
	})
	both.Go(func() {
		for range 200 {
			w := i.Watch(1, everything)
			select {
			case <-w.C:
			default:
			}
			w.Close()
		}
	})
	both.Wait()
	if left := len(*i.watches.Load()); left != 0 {
		t.Errorf("%d watches are left", left)
	}
}
