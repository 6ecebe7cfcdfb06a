package lease

import (
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// pools are 50 000 running leases in a /12 that is one range, and in a /16 of tagged
// addresses, side by side.
var pools = []struct {
	name  string
	parts func() *ipam.Objects
}{
	{"range of a 12", func() *ipam.Objects {
		return newWorld(prefix("10.0.0.0/12"), asRanges(), dynamic("10.0.0.10-10.15.255.250/12"))
	}},
	{"tagged addresses of a 16", func() *ipam.Objects {
		return newWorld(prefix("10.0.0.0/16"), dynamic("10.0.0.10-10.0.255.250/16"))
	}},
}

const leasedOfPools = 50_000

// spread are the leases, over the whole pool as with lease.pick: hash, or the lowest.
func spread(p *ipam.Pool, hash bool) []Lease {
	step := 1
	if hash {
		step = p.Len() / leasedOfPools
	}
	var leases []Lease
	for i := range leasedOfPools {
		leases = append(leases, Lease{Addr: p.Addr(i * step), Client: stranger(i), State: Bound, Expires: start.Add(time.Hour).Truncate(time.Second)})
	}
	return leases
}

// BenchmarkPoolStart builds the snapshot and its index. index-bytes is the memory of
// the trees over the pool, snapshot-bytes that of the snapshot without the rows.
func BenchmarkPoolStart(b *testing.B) {
	for _, c := range pools {
		for _, hash := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/hash %v", c.name, hash), func(b *testing.B) {
				o := c.parts()
				s, _ := ipam.Build(o, worldOptions)
				leases := spread(s.Pool(0), hash)
				r := newRig(b, newMemStore(leases...), s)
				before := heap()
				s, _ = ipam.Build(o, worldOptions)
				built := heap()
				r.SetSnapshot(s)
				b.ReportAllocs()
				for b.Loop() {
					s, _ = ipam.Build(o, worldOptions)
					r.SetSnapshot(s)
				}
				b.ReportMetric(float64(built)-float64(before), "snapshot-bytes")
				b.ReportMetric(float64(treeBytes(r.facts.Leases.pools[0])), "index-bytes")
			})
		}
	}
}

// treeBytes is the memory of the trees of a pool.
func treeBytes(p *pool) (bytes int) {
	for _, t := range []*tournament{p.free, p.unused, p.used} {
		bytes += cap(t.nodes)*16 + cap(t.free)*4
	}
	return bytes
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkPoolDORA lets a new client get an address, renew and release it, beside the
// running leases.
func BenchmarkPoolDORA(b *testing.B) {
	for _, c := range pools {
		for pick, name := range map[Pick]string{Lowest: "lowest", Hash: "hash"} {
			b.Run(c.name+"/"+name, func(b *testing.B) {
				s, _ := ipam.Build(c.parts(), worldOptions)
				r := newRig(b, newMemStore(spread(s.Pool(0), pick == Hash)...), s, policy(func(p *Policy) { p.Pick = pick }))
				var addr netip.Addr
				costs(b, "DISCOVER to RELEASE", func(b *testing.B, i int) {
					client := stranger(leasedOfPools + i)
					addr = r.must(b, Offer, discover(client)).Addr.Addr()
					r.must(b, Ack, selecting(client, addr.String()))
					r.must(b, Ack, renewing(client, addr.String()))
					r.must(b, Taken, message(Release, client, has(addr.String())))
					r.now = r.now.Add(time.Millisecond)
				})
			})
		}
	}
}
