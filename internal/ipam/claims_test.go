package ipam

import (
	"net/netip"
	"testing"
	"time"
)

// T-4: who counts on an address.
func TestClaims(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	vm := MachineID{Kind: Device, ID: 1}
	port := func(id, lag, bridge int64) *Interface {
		return &Interface{ID: InterfaceID{Device, id}, Machine: vm, LAG: lag, Bridge: bridge}
	}
	mac := func(id, on int64) *MACAddress {
		return &MACAddress{ID: id, MAC: MAC{0x52, 0x54, 0, 0, 0, byte(id)}, Interface: InterfaceID{Device, on}}
	}
	o := &Objects{
		Machines:   map[MachineID]*Machine{vm: {ID: vm}},
		Prefixes:   map[int64]*Prefix{1: {ID: 1, Prefix: netip.MustParsePrefix("10.0.0.0/24"), Status: "active"}},
		Tags:       map[int64]*Tag{1: {ID: 1, Name: "DHCP"}},
		MACs:       map[int64]*MACAddress{1: mac(1, 1), 2: mac(2, 3), 3: mac(3, 4)},
		Interfaces: map[InterfaceID]*Interface{},
		Addresses:  map[int64]*Address{},
	}
	// 1 is plain, 2 an aggregate of 3, 5 a bridge of 4, 6 has no MAC.
	for _, p := range []*Interface{port(1, 0, 0), port(2, 0, 0), port(3, 2, 0), port(4, 0, 5), port(5, 0, 0), port(6, 0, 0)} {
		o.Interfaces[p.ID] = p
	}
	add := func(addr, status string, on int64, change func(*Address)) {
		id := int64(len(o.Addresses) + 1)
		a := &Address{ID: id, Address: netip.MustParsePrefix(addr), Status: status}
		if on != 0 {
			a.Interface = InterfaceID{Device, on}
		}
		if change != nil {
			change(a)
		}
		o.Addresses[id] = a
	}
	leased := func(client string, left time.Duration) func(*Address) {
		return func(a *Address) { a.Tags, a.Record = []int64{1}, Record{Client: client, Expires: now.Add(left)} }
	}
	add("10.0.0.1/24", "active", 1, nil)
	add("10.0.0.2/24", "reserved", 2, nil)
	add("10.0.0.5/24", "active", 5, nil)
	add("10.0.0.6/24", "active", 6, nil)
	add("10.0.0.7/24", "deprecated", 1, nil)
	add("10.0.0.8/24", "active", 1, func(a *Address) { a.Role = "vip" })
	add("10.0.0.9/24", "active", 1, func(a *Address) { a.Loss = Ended })
	add("10.0.0.10/24", "active", 0, nil)
	add("192.0.2.1/24", "active", 1, nil)
	add("10.0.0.20/24", "active", 0, leased("52:54:00:00:00:99", time.Hour))
	add("10.0.0.21/24", "active", 0, leased("52:54:00:00:00:98", -time.Hour))
	add("10.0.0.22/24", "active", 0, leased("", time.Hour))
	add("10.0.0.23/24", "active", 0, func(a *Address) { a.Tags, a.Record = []int64{1}, Record{Client: "x", Unreadable: true} })
	add("10.0.0.24/24", "active", 0, leased("", 0))
	s, _ := Build(o, Options{DynamicTag: "DHCP"})
	claims := s.Claims(map[netip.Addr]bool{netip.MustParseAddr("10.0.0.24"): true}, now)
	want := map[string]int{"10.0.0.1": 1, "10.0.0.2": 1, "10.0.0.5": 1, "10.0.0.20": 0, "10.0.0.23": 0, "10.0.0.24": 0} // MACs of each
	for addr, macs := range want {
		c, ok := claims[Claim{Addr: netip.MustParseAddr(addr)}]
		if !ok || len(c.MACs) != macs || c.Prefix != netip.MustParsePrefix("10.0.0.0/24") {
			t.Errorf("%s: %v %+v, want %d MACs", addr, ok, c, macs)
		}
	}
	if len(claims) != len(want) {
		t.Errorf("%d claims, want %d: %v", len(claims), len(want), claims)
	}
	one, both := Claimants{MACs: []MAC{{1}}}, Claimants{MACs: []MAC{{1}, {2}}}
	one.Prefix, both.Prefix = netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("10.0.0.0/24")
	lease := Claimants{Prefix: one.Prefix}
	for _, c := range []struct {
		now, before Claimants
		want        bool
	}{{one, one, true}, {both, one, true}, {one, both, false}, {Claimants{}, one, false}, {Claimants{}, lease, false}, {lease, lease, true}, {one, lease, false}, {lease, one, false}} {
		if c.now.Meets(c.before) != c.want {
			t.Errorf("%+v after %+v: want %v", c.now, c.before, c.want)
		}
	}
}
