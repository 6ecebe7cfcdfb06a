package ipam

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// rangeOf is an active range with mask /24; tags by id.
func rangeOf(id int64, first, last string, tags ...int64) *Range {
	return &Range{ID: id, Start: netip.MustParseAddr(first), End: netip.MustParseAddr(last), Bits: 24, Status: "active", Tags: tags}
}

func changed(r *Range, change func(*Range)) *Range {
	change(r)
	return r
}

// poolText is the addresses that new clients of a VRF can be given.
func poolText(s *Snapshot, vrf int64) string {
	var parts []string
	p := s.Pool(vrf)
	for from := 0; from < p.Len(); {
		to := from
		for to+1 < p.Len() && p.Addr(to).Next() == p.Addr(to+1) {
			to++
		}
		if to == from {
			parts = append(parts, p.Addr(from).String())
		} else {
			parts = append(parts, p.Addr(from).String()+"-"+p.Addr(to).String())
		}
		from = to + 1
	}
	return strings.Join(parts, " ")
}

// N-14, N-15, N-16, N-17: which ranges are pools, and what of them is leased.
func TestRangesAsPools(t *testing.T) {
	scope := &Tag{ID: 3, Name: "Windows DHCP", Slug: "windows-dhcp"}
	phones := Role{ID: 5, Name: "Phones", Slug: "phones"}
	net := network(1, "10.0.0.0/24", 0)
	pool := func(change ...func(*Range)) *Range {
		r := rangeOf(1, "10.0.0.10", "10.0.0.19", 1)
		for _, fn := range change {
			fn(r)
		}
		return r
	}
	const never = ": a range of a Windows DHCP server is never a pool; take one of the marks from it (rule N-15)"
	const name = "IP range 10.0.0.10-10.0.0.19 (id 1): "
	for _, c := range []struct {
		name    string
		rows    []any
		want    string
		problem string
	}{
		{"with the dynamic tag", []any{net, pool()}, "10.0.0.10-10.0.0.19", ""},
		{"without it", []any{net, rangeOf(1, "10.0.0.10", "10.0.0.19", 2)}, "", ""},
		{"of a role of the settings", []any{net, pool(func(r *Range) { r.Tags, r.Role = nil, phones })}, "10.0.0.10-10.0.0.19", ""},
		{"reserved", []any{net, pool(func(r *Range) { r.Status = "reserved" })}, "", ""},
		{"deprecated", []any{net, pool(func(r *Range) { r.Status = "deprecated" })}, "", ""},
		{"with an untagged address", []any{net, pool(), host(1, "10.0.0.12/24")}, "10.0.0.10-10.0.0.11 10.0.0.13-10.0.0.19", ""},
		{"with a tagged address", []any{net, pool(), host(1, "10.0.0.12/24", 1)}, "10.0.0.10-10.0.0.19", ""},
		{"with a tagged address beside it", []any{net, pool(), host(1, "10.0.0.20/24", 1), host(2, "10.0.0.30/24", 1)}, "10.0.0.10-10.0.0.20 10.0.0.30", ""},
		{"with a gateway", []any{net, pool(), host(1, "10.0.0.10/24", 2)}, "10.0.0.11-10.0.0.19", ""},
		{"with an address that is vanishing", []any{net, pool(), with(host(1, "10.0.0.12/24", 1), func(a *Address) { a.Loss = Lost })}, "10.0.0.10-10.0.0.11 10.0.0.13-10.0.0.19", ""},
		{"with a smaller prefix", []any{net, pool(), network(2, "10.0.0.12/30", 0)}, "10.0.0.10-10.0.0.11 10.0.0.16-10.0.0.19", ""},
		{"with a smaller prefix that begins before it", []any{net, pool(), network(2, "10.0.0.0/28", 0)}, "10.0.0.16-10.0.0.19", ""},
		{"with smaller prefixes of any status", []any{net, pool(), &Prefix{ID: 2, Prefix: netip.MustParsePrefix("10.0.0.19/32"), Status: "deprecated"}}, "10.0.0.10-10.0.0.18", ""},
		{"with a smaller prefix of another VRF", []any{net, pool(), network(2, "10.0.0.12/30", 7)}, "10.0.0.10-10.0.0.19", ""},
		{"all in smaller prefixes", []any{net, pool(), network(2, "10.0.0.0/28", 0), network(3, "10.0.0.16/28", 0)}, "",
			name + "a pool of which smaller prefixes hold all addresses: nothing is leased from it; give each of them a range (rule N-16)"},
		{"in no prefix", []any{pool()}, "10.0.0.10-10.0.0.19",
			name + "a pool that no active or reserved prefix of its VRF holds whole: nothing is leased from it; make the prefix, or one range for each prefix (rule N-16)"},
		{"of another mask", []any{net, pool(func(r *Range) { r.Bits = 25 })}, "10.0.0.10-10.0.0.19",
			"prefix 10.0.0.0/24 (id 1): IP range 10.0.0.10-10.0.0.19 (id 1) has another mask, /25: clients are told the mask of the range; correct one of them (rule R-2)"},
		{"of lone hosts", []any{net, pool(func(r *Range) { r.Bits = 32 })}, "10.0.0.10-10.0.0.19", ""},
		{"with the tag of the mirror", []any{net, scope, pool(func(r *Range) { r.Tags = []int64{1, 3} })}, "",
			name + "marked as a pool, and it has the tag windows-dhcp" + never},
		{"of the role of the mirror", []any{net, pool(func(r *Range) { r.Role.Slug = "dhcp-scope" })}, "",
			name + "marked as a pool, and it has the role dhcp-scope" + never},
		{"with a server of the mirror", []any{net, pool(func(r *Range) { r.Managed = true })}, "",
			name + "marked as a pool, and the field dhcp_server or dhcp_failover has a value" + never},
		{"that is marked as populated", []any{net, pool(func(r *Range) { r.Populated = true })}, "10.0.0.10-10.0.0.19",
			name + "a pool that is marked as populated: NetBox takes no IP addresses in it, neither from people nor for write_back: leased; unmark it (rule N-17)"},
		{"two that touch", []any{net, pool(), rangeOf(2, "10.0.0.20", "10.0.0.25", 1)}, "10.0.0.10-10.0.0.25", ""},
		{"two that overlap", []any{net, pool(), rangeOf(2, "10.0.0.15", "10.0.0.25", 1)}, "10.0.0.10-10.0.0.25",
			"IP range 10.0.0.15-10.0.0.25 (id 2): overlaps IP range 10.0.0.10-10.0.0.19 (id 1), which counts where both hold an address; shrink one of them (rule N-14)"},
		{"that vanished", []any{net, pool(func(r *Range) { r.Loss = Lost }), rangeOf(2, "10.0.0.18", "10.0.0.25", 1)}, "10.0.0.18-10.0.0.25", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			options := usual
			roles := []any{rangeOf(90, "10.9.0.1", "10.9.0.2"), &Range{ID: 91, Role: phones}} // the role is known
			options.DynamicRoles = []string{"PHONES"}
			s, problems := Build(tables(append(roles, c.rows...)...), options)
			if got := poolText(s, 0); got != c.want {
				t.Errorf("leased %q, want %q", got, c.want)
			}
			var text []string
			for _, p := range problems {
				text = append(text, p.String())
			}
			if got := strings.Join(text, "\n"); got != c.problem {
				t.Errorf("problems %q, want %q", got, c.problem)
			}
		})
	}
}

// N-14, N-18: an address of a range is looked up like an object, with the mask of
// the range; one of a range that vanished serves as any row does that vanished.
func TestAddressesOfRanges(t *testing.T) {
	vanished := changed(rangeOf(2, "10.0.0.30", "10.0.0.39", 1), func(r *Range) { r.Loss = Lost })
	s, _ := Build(tables(network(1, "10.0.0.0/24", 0), rangeOf(1, "10.0.0.10", "10.0.0.19", 1), vanished, host(1, "10.0.0.12/25")), usual)
	at := func(text string) *Address { return s.Address(0, netip.MustParseAddr(text)) }
	if a := at("10.0.0.11"); a == nil || a.ID != 0 || a.Address.String() != "10.0.0.11/24" || !s.Leasable(a) || s.Loss(a) != Present || a.Range.ID != 1 {
		t.Errorf("an address of a range is %+v", a)
	}
	if a := at("10.0.0.12"); a == nil || a.ID != 1 || s.Leasable(a) {
		t.Errorf("an object in a range is %+v", a)
	}
	if a := at("10.0.0.30"); a == nil || s.Loss(a) != Lost || !s.VanishedAt(0, netip.MustParseAddr("10.0.0.30")) {
		t.Errorf("an address of a range that vanished is %+v", a)
	}
	if at("10.0.0.20") != nil || s.Address(7, netip.MustParseAddr("10.0.0.11")) != nil {
		t.Error("addresses beside the range, or in another VRF, are of it")
	}
	if list := s.RangePools(0); len(list) != 1 || list[0].ID != 1 || list[0].Free != 9 || list[0].Subnet == nil || list[0].Subnet.ID != 1 {
		t.Errorf("pools %+v", list)
	}
}

// N-14, G-2: the gateway of the settings is no address of a range, also without an
// object of its own.
func TestTheFallbackGatewayIsInNoPool(t *testing.T) {
	options := usual
	options.Fallback = netip.MustParseAddr("10.0.0.11")
	s, problems := Build(tables(network(1, "10.0.0.0/24", 0), rangeOf(1, "10.0.0.10", "10.0.0.19", 1)), options)
	if got := poolText(s, 0); got != "10.0.0.10 10.0.0.12-10.0.0.19" || len(problems) > 0 || s.Address(0, options.Fallback) != nil {
		t.Errorf("leased %q, problems %v", got, problems)
	}
}

// N-18, T-6: ranges of a role that was renamed stay pools, and those of a role that
// lost its name give no new lease.
func TestRolesAreFollowed(t *testing.T) {
	of := func(id int64, role Role, first, last string) *Range {
		return changed(rangeOf(id, first, last), func(r *Range) { r.Role = role })
	}
	net, options := network(1, "10.0.0.0/24", 0), usual
	options.DynamicRoles = []string{"Pool"}
	s, _ := Build(tables(net, of(1, Role{5, "Pool", "pool"}, "10.0.0.10", "10.0.0.19")), options)
	options.Followed = s.Followed()
	s, problems := Build(tables(net, of(1, Role{5, "Leases", "leases"}, "10.0.0.10", "10.0.0.19")), options)
	if got := poolText(s, 0); got != "10.0.0.10-10.0.0.19" || len(problems) != 1 {
		t.Errorf("renamed: leased %q, problems %v", got, problems)
	}
	s, _ = Build(tables(net, of(1, Role{5, "Leases", "leases"}, "10.0.0.10", "10.0.0.19"), of(2, Role{6, "pool", "pool-2"}, "10.0.0.30", "10.0.0.39")), options)
	if got := poolText(s, 0); got != "10.0.0.30-10.0.0.39" {
		t.Errorf("taken: leased %q", got)
	}
	if a := s.Address(0, netip.MustParseAddr("10.0.0.11")); a == nil || s.Loss(a) != Lost {
		t.Errorf("the address of the former role is %+v", a)
	}
	s, problems = Build(tables(net), options)
	if f := s.Followed()["dynamic.roles pool"]; f.ID != 5 || len(problems) != 1 {
		t.Errorf("no range has the role: followed %+v, problems %v", f, problems)
	}
}

// N-14: a pool is what ranges, prefixes and objects leave of every address.
func TestPoolsAgainstLookingAtEveryAddress(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		addr := func(n int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, byte(n)}) }
		o, id := tables(network(1, "10.0.0.0/24", 0)), int64(2)
		var ranges []*Range
		for range rapid.IntRange(0, 4).Draw(t, "ranges") {
			first := rapid.IntRange(0, 255).Draw(t, "first")
			r := rangeOf(id, addr(first).String(), addr(rapid.IntRange(first, 255).Draw(t, "last")).String(), 1)
			o.Ranges[id], ranges, id = r, append(ranges, r), id+1
		}
		for range rapid.IntRange(0, 4).Draw(t, "prefixes") {
			p := netip.PrefixFrom(addr(rapid.IntRange(0, 255).Draw(t, "in")), rapid.IntRange(25, 32).Draw(t, "bits")).Masked()
			o.Prefixes[id], id = &Prefix{ID: id, Prefix: p, Status: "container"}, id+1
		}
		for range rapid.IntRange(0, 20).Draw(t, "objects") {
			a := host(id, fmt.Sprintf("%s/24", addr(rapid.IntRange(0, 255).Draw(t, "host"))))
			if rapid.Bool().Draw(t, "tagged") {
				a.Tags = []int64{1}
			}
			o.Addresses[id], id = a, id+1
		}
		s, _ := Build(o, usual)
		var want []netip.Addr
		for n := range 256 {
			object := s.object(0, addr(n))
			free := slices.ContainsFunc(ranges, func(r *Range) bool {
				return span{number(r.Start), number(r.End)}.has(number(addr(n))) && !smaller(o, r, addr(n))
			})
			if object != nil && s.Leasable(object) || object == nil && free {
				want = append(want, addr(n))
			}
		}
		var got []netip.Addr
		for i := range s.Pool(0).Len() {
			got = append(got, s.Pool(0).Addr(i))
			if a := s.Address(0, got[i]); a == nil || !s.Leasable(a) {
				t.Fatalf("%s is in the pool, and is %+v", got[i], a)
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("the pool is %v, want %v", got, want)
		}
	})
}

// smaller reports whether a prefix has the address and not the whole range.
func smaller(o *Objects, r *Range, addr netip.Addr) bool {
	for _, p := range o.Prefixes {
		if p.Prefix.Contains(addr) && (!p.Prefix.Contains(r.Start) || !p.Prefix.Contains(r.End)) {
			return true
		}
	}
	return false
}
