package lease

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// slash16 is a dynamic /16.
func slash16(b *testing.B) *ipam.Snapshot {
	return snapshot(b, worldOptions, prefix("10.1.0.0/16"), dynamic("10.1.0.0-10.1.255.255/16"))
}

// hundredThousand addresses: half of them dynamic, half on devices of their
// own.
func hundredThousand(b *testing.B) *ipam.Snapshot {
	parts := []part{prefix("10.1.0.0/16"), dynamic("10.1.0.0-10.1.195.79/16"), prefix("10.2.0.0/16")}
	for i := range 50_000 {
		parts = append(parts, device(fmt.Sprintf("host%d", i), port("eth0", string(nth(i)), on(hostOf(10, 2, i+2).String()+"/16"))))
	}
	return snapshot(b, worldOptions, parts...)
}

func hostOf(a, b byte, n int) netip.Addr {
	return netip.AddrFrom4([4]byte{a, b, byte(n >> 8), byte(n)})
}

// stranger is a client NetBox does not know.
func stranger(n int) ClientID {
	return ClientID(fmt.Sprintf("52:54:02:%02X:%02X:%02X", n>>16&0xff, n>>8&0xff, n&0xff))
}

func decides(b *testing.B, r *rig, m ClientMessage, want Verdict) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		if d := Decide(&r.facts, &m, r.now, nil); d.Verdict != want {
			b.Fatalf("%s", brief(d))
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	var leases []Lease
	for i := range 40_000 {
		leases = append(leases, Lease{Addr: hostOf(10, 1, i+1), Client: stranger(i), State: Bound, Expires: start.Add(time.Hour)})
	}
	r := newRig(b, newMemStore(leases...), hundredThousand(b))
	dynamicRelay, staticRelay := via("10.1.255.254"), via("10.2.255.254")
	static := hostOf(10, 2, 30_002).String()
	for _, c := range []struct {
		name    string
		message ClientMessage
		want    Verdict
	}{
		{"DISCOVER of a new client", discover(alice, dynamicRelay), Offer},
		{"DISCOVER of a bound client", discover(stranger(20_000), dynamicRelay), Offer},
		{"REQUEST of a bound client", selecting(stranger(20_000), hostOf(10, 1, 20_001).String(), dynamicRelay), Ack},
		{"renewal of a bound client", renewing(stranger(20_000), hostOf(10, 1, 20_001).String()), Ack},
		{"DISCOVER of a known host", discover(nth(30_000), staticRelay), Offer},
		{"REQUEST of a known host", selecting(nth(30_000), static, staticRelay), Ack},
	} {
		b.Run(c.name, func(b *testing.B) { decides(b, r, c.message, c.want) })
	}
}

// The pool of a whole /16: never used, one address left, all expired.
func BenchmarkPool(b *testing.B) {
	s := slash16(b)
	fill := func(n int, left func(i int) time.Duration) *rig {
		var leases []Lease
		for i := 1; i <= n; i++ {
			leases = append(leases, Lease{Addr: hostOf(10, 1, i), Client: stranger(i), State: Bound, Expires: start.Add(left(i))})
		}
		return newRig(b, newMemStore(leases...), s)
	}
	running := func(int) time.Duration { return time.Hour }
	m := discover(alice, via("10.1.255.254"))
	b.Run("empty", func(b *testing.B) { decides(b, fill(0, running), m, Offer) })
	b.Run("full but one", func(b *testing.B) { decides(b, fill(65532, running), m, Offer) })
	b.Run("all expired", func(b *testing.B) {
		decides(b, fill(65534, func(i int) time.Duration { return -time.Hour - time.Duration(i*7919%65537)*time.Second }), m, Offer)
	})
	b.Run("full", func(b *testing.B) { decides(b, fill(65534, running), m, Silent) })
}

// A full /16 of leases, offers, and offers that ended: all there is to choose from.
func BenchmarkEndedOffers(b *testing.B) {
	s := slash16(b)
	relay := via("10.1.255.254")
	for _, ends := range []int{1, 1000, 16000} {
		var leases []Lease
		for i := 1; i <= 65533-ends; i++ {
			leases = append(leases, Lease{Addr: hostOf(10, 1, i), Client: stranger(i), State: Bound, Expires: start.Add(time.Hour)})
		}
		r := newRig(b, newMemStore(leases...), s)
		for i := range ends {
			if d, err := r.Handle(b.Context(), discover(stranger(70_000+i), relay), nil); err != nil || d.Verdict != Offer {
				b.Fatal(brief(d), err)
			}
		}
		r.now = r.now.Add(r.config.Policy.OfferHold)
		r.handle(discover(alice, relay)) // takes the last that was never offered
		b.Run(fmt.Sprint(ends), func(b *testing.B) { decides(b, r, discover(bob, relay), Offer) })
		r.Confirm(r.now, time.Hour)
		b.Run(fmt.Sprint(ends, ", the clock is off"), func(b *testing.B) { decides(b, r, discover(bob, relay), Offer) })
	}
}

// A whole exchange through the engine with a store that costs nothing.
func BenchmarkEngine(b *testing.B) {
	r := newRig(b, newMemStore(), slash16(b))
	relay := via("10.1.255.254")
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		c := stranger(n % 50_000)
		n++
		offer, err := r.Handle(b.Context(), discover(c, relay), nil)
		if err != nil || offer.Verdict != Offer {
			b.Fatal(brief(offer), err)
		}
		m := request(c, relay, to(serverAddr))
		m.RequestedAddr = offer.Addr.Addr()
		if ack, err := r.Handle(b.Context(), m, nil); err != nil || ack.Verdict != Ack {
			b.Fatal(brief(ack), err)
		}
		r.store.writes = r.store.writes[:0]
	}
}

func BenchmarkSetSnapshot(b *testing.B) {
	s := hundredThousand(b)
	r := newRig(b, newMemStore(), nil)
	b.ReportAllocs()
	for b.Loop() {
		r.SetSnapshot(s)
	}
}
