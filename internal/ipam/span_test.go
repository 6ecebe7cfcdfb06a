package ipam

import (
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// within, Pool, LastAddr and HostIn against looking at every address.
func TestAddressArithmetic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bits := rapid.IntRange(20, 32).Draw(t, "bits")
		base := rapid.Uint32().Draw(t, "base") &^ 0xfff
		at := func(offset int) netip.Addr {
			n := base + uint32(offset)
			return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
		}
		p := netip.PrefixFrom(at(rapid.IntRange(0, 4095).Draw(t, "inside")), bits)
		offsets := rapid.SliceOfDistinct(rapid.IntRange(0, 4095), rapid.ID[int]).Draw(t, "hosts")
		slices.Sort(offsets)
		var list []*Address
		var in []*Address
		for i, offset := range offsets {
			a := &Address{ID: int64(i), Address: netip.PrefixFrom(at(offset), 20)}
			list = append(list, a)
			if p.Contains(at(offset)) {
				in = append(in, a)
			}
		}
		if got := within(list, p); !slices.Equal(got, in) {
			t.Fatalf("within %s: %s, want %s", p, hosts(got), hosts(in))
		}
		var spans []span
		for _, a := range list {
			spans = append(spans, span{number(a.Address.Addr()), number(a.Address.Addr())})
		}
		pool := newPool(spans)
		if low, high := pool.Span(p); !slices.Equal(list[low:high], in) {
			t.Fatalf("span of %s in a pool: %s, want %s", p, hosts(list[low:high]), hosts(in))
		}
		for i, a := range list {
			if position, ok := pool.Find(a.Address.Addr()); !ok || position != i || pool.Addr(i) != a.Address.Addr() {
				t.Fatalf("%s is at %d, %v; at %d is %s", a.Address, position, ok, i, pool.Addr(i))
			}
		}
		if pool.Len() != len(list) {
			t.Fatalf("%d addresses, want %d", pool.Len(), len(list))
		}
		last := LastAddr(p)
		if !p.Contains(last) || last.Next().IsValid() && p.Contains(last.Next()) {
			t.Fatalf("last of %s: %s", p, last)
		}
		for _, offset := range offsets {
			edge := at(offset) == p.Masked().Addr() || at(offset) == last
			if got, want := HostIn(p, at(offset)), p.Contains(at(offset)) && (bits >= 31 || !edge); got != want {
				t.Fatalf("%s in %s: %v, want %v", at(offset), p, got, want)
			}
		}
	})
}

func BenchmarkBuild(b *testing.B) {
	o := largeObjects(100_000)
	b.ReportAllocs()
	for b.Loop() {
		Build(o, usual)
	}
}

func BenchmarkSubnet(b *testing.B) {
	s, _ := Build(largeObjects(100_000), usual)
	addr := netip.MustParseAddr("10.0.200.7")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Subnet(addr); err != nil {
			b.Fatal(err)
		}
	}
}
