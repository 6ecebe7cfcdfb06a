package lease

import (
	"fmt"
	"net/netip"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// filled is a server whose pool, of n addresses and a few more, has n running leases.
// A host of its own asks from 10.200.0.0/16.
func filled(b *testing.B, n, left int) *rig {
	b.Helper()
	o := newWorld(prefix("10.0.0.0/9"), prefix("10.200.0.0/16"),
		device("web", port("eth0", string(alice), on("10.200.0.10/16"))))
	leases := make([]Lease, 0, n)
	for i := range n + left {
		id := int64(1000 + i)
		o.Addresses[id] = &ipam.Address{ID: id, Address: netip.PrefixFrom(leasedAddr(i), 9), Status: "active", Tags: []int64{tagDynamic}}
		if i < n {
			leases = append(leases, Lease{Addr: leasedAddr(i), Client: stranger(i), State: Bound, Expires: start.Add(time.Hour).Truncate(time.Second)})
		}
	}
	s, _ := ipam.Build(o, worldOptions)
	return newRig(b, newMemStore(leases...), s)
}

func leasedAddr(i int) netip.Addr {
	i += 0x100
	return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
}

// costs runs fn as a benchmark, and tells what processor time it takes: on a busy
// machine the time that passes says little.
func costs(b *testing.B, name string, fn func(b *testing.B, n int)) {
	b.Run(name, func(b *testing.B) {
		b.ReportAllocs()
		began := processorTime(b)
		n := 0
		for b.Loop() {
			fn(b, n)
			n++
		}
		b.ReportMetric(float64(processorTime(b)-began)/float64(b.N), "cpu-ns/op")
	})
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// must carries a message out, and fails unless the answer is as wanted.
func (r *rig) must(b *testing.B, want Verdict, m ClientMessage) Decision {
	b.Helper()
	d, err := r.Handle(b.Context(), m, nil)
	if err != nil || d.Verdict != want {
		b.Fatal(brief(d), err)
	}
	r.store.writes = r.store.writes[:0]
	return d
}

// BenchmarkLeases decides, and carries out, with few leases and with many: what one
// message costs may not grow with their number.
func BenchmarkLeases(b *testing.B) {
	for _, n := range []int{1_000, 65_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r := filled(b, n, 1)
			relay, from := via("10.127.255.254"), via("10.200.255.254")
			spread := func(i int) int { return i * 7919 % n } // as clients come, not one after the other
			costs(b, "known host", func(b *testing.B, _ int) { r.must(b, Ack, selecting(alice, "10.200.0.10", from)) })
			costs(b, "renewal", func(b *testing.B, i int) {
				r.must(b, Ack, renewing(stranger(spread(i)), leasedAddr(spread(i)).String()))
			})
			costs(b, "lease and release of the last free address", func(b *testing.B, _ int) {
				addr := r.must(b, Offer, discover(bob, relay)).Addr.Addr().String()
				r.must(b, Ack, selecting(bob, addr, relay))
				r.must(b, Taken, message(Release, bob, has(addr), unicast()))
			})
			r = filled(b, n, 0)
			costs(b, "DISCOVER in a full pool", func(b *testing.B, _ int) { r.must(b, Silent, discover(bob, relay)) })
		})
	}
}

// BenchmarkStoredLeases compares the memory of a million leases, packed and in a map.
func BenchmarkStoredLeases(b *testing.B) {
	const n = 1_000_000
	fill := func(b *testing.B, set func(storedLease)) {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for i := range n {
			set(storedLease{Lease{Addr: leasedAddr(i), Client: alice, State: Bound, Expires: time.Unix(1, 0), ToldClient: alice}, 1})
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "B/lease")
	}
	b.Run("packed", func(b *testing.B) {
		for range b.N {
			var leases storedLeases
			fill(b, leases.set)
			runtime.KeepAlive(&leases)
		}
	})
	b.Run("map", func(b *testing.B) {
		for range b.N {
			leases := make(map[netip.Addr]storedLease)
			fill(b, func(l storedLease) { leases[l.Addr] = l })
			runtime.KeepAlive(leases)
		}
	})
}
