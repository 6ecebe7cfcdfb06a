package ipam

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

// T-6: what a name in the settings leads to, from one look at NetBox to the next.
func TestNamesAreFollowedByTheirIDs(t *testing.T) {
	tag := func(id int64, name string, loss Loss) *Tag {
		return &Tag{ID: id, Name: name, Slug: strings.ToLower(name), Loss: loss}
	}
	type look struct {
		tags             []*Tag
		old, fresh       bool // whether addresses with tags 1 and 2 are dynamic
		oldNew, freshNew bool // whether they are given to new clients
		told             string
	}
	for name, looks := range map[string][]look{
		"never there": {{nil, false, false, false, false, "not in NetBox: create it"}},
		"made later":  {{nil, false, false, false, false, "create it"}, {[]*Tag{tag(1, "DHCP", Present)}, true, false, true, false, ""}},
		"renamed": {{[]*Tag{tag(1, "DHCP", Present)}, true, false, true, false, ""},
			{[]*Tag{tag(1, "Pool", Present)}, true, false, true, false, `now called "Pool" (id 1)`}},
		"deleted": {{[]*Tag{tag(1, "DHCP", Present)}, true, false, true, false, ""},
			{nil, true, false, true, false, "no longer in NetBox"}},
		"hidden": {{[]*Tag{tag(1, "DHCP", Present)}, true, false, true, false, ""},
			{[]*Tag{tag(1, "DHCP", Lost)}, true, false, false, false, ""}},
		"taken by another": {{[]*Tag{tag(1, "DHCP", Present)}, true, false, true, false, ""},
			{[]*Tag{tag(1, "Pool", Present), tag(2, "DHCP", Present)}, true, true, false, true, `under "Pool" (id 1) keeps its leases`},
			{[]*Tag{tag(1, "Pool", Present), tag(2, "DHCP", Present)}, true, true, false, true, `"Pool"`},
			{[]*Tag{tag(1, "DHCP", Present), tag(2, "Other", Present)}, true, true, true, false, `"Other"`}},
		"hidden, and another one has the name": {{[]*Tag{tag(2, "DHCP", Present)}, false, true, false, true, ""},
			{[]*Tag{tag(1, "DHCP", Present), tag(2, "DHCP", Lost)}, true, true, true, false, "id 2"}},
		"the slug is named": {{[]*Tag{{ID: 1, Name: "Addresses of the pool", Slug: "dhcp"}}, true, false, true, false, ""}},
	} {
		t.Run(name, func(t *testing.T) {
			var followed map[string]Followed
			for i, l := range looks {
				o := &Objects{Tags: make(map[int64]*Tag), Addresses: map[int64]*Address{
					1: {ID: 1, Address: netip.MustParsePrefix("10.0.0.1/24"), Status: "active", Tags: []int64{1}},
					2: {ID: 2, Address: netip.MustParsePrefix("10.0.0.2/24"), Status: "active", Tags: []int64{2}},
				}}
				for _, tag := range l.tags {
					o.Tags[tag.ID] = tag
				}
				s, problems := Build(o, Options{DynamicTag: "DHCP", Followed: followed})
				followed = s.Followed()
				given := make(map[int64]bool)
				for _, a := range s.Dynamic(0) {
					given[a.ID] = true
				}
				got := look{l.tags, s.IsDynamic(o.Addresses[1]), s.IsDynamic(o.Addresses[2]), given[1], given[2], ""}
				want := l
				want.told = ""
				if fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("look %d: %+v, want %+v", i+1, got, want)
				}
				if text := fmt.Sprint(problems); !strings.Contains(text, l.told) || l.told == "" && len(problems) > 0 {
					t.Errorf("look %d: told %s, want %q", i+1, text, l.told)
				}
			}
		})
	}
}

// T-6: the VRF of the settings, and the addresses in the former one.
func TestTheVRFOfTheSettingsIsFollowed(t *testing.T) {
	world := func(vrfs ...*VRF) *Objects {
		o := &Objects{VRFs: make(map[int64]*VRF), Prefixes: map[int64]*Prefix{
			1: {ID: 1, Prefix: netip.MustParsePrefix("10.0.1.0/24"), VRF: 1, Status: "active"},
		}, Addresses: map[int64]*Address{1: {ID: 1, Address: netip.MustParsePrefix("10.0.1.5/24"), VRF: 1, Status: "active"}}}
		for _, v := range vrfs {
			o.VRFs[v.ID] = v
		}
		return o
	}
	addr := netip.MustParseAddr("10.0.1.5")
	first, _ := Build(world(&VRF{ID: 1, Name: "blue"}), Options{VRF: "blue"})
	for name, c := range map[string]struct {
		o        *Objects
		vanished bool
	}{
		"renamed": {world(&VRF{ID: 1, Name: "navy"}), false},
		"deleted": {world(), false},
		"hidden":  {world(&VRF{ID: 1, Name: "blue", Loss: Lost}), true},
		"taken":   {world(&VRF{ID: 1, Name: "navy"}, &VRF{ID: 2, Name: "blue"}), true},
	} {
		s, _ := Build(c.o, Options{VRF: "blue", Followed: first.Followed()})
		n, err := s.Subnet(addr)
		if err != nil || n.Vanished() != c.vanished {
			t.Errorf("%s: %v, %v", name, n, err)
			continue
		}
		if a := s.Address(n.VRF, addr); a == nil || !s.Serves(a, n) {
			t.Errorf("%s: the address in it is %v", name, a)
		}
		if s.VanishedAt(n.VRF, addr) != c.vanished {
			t.Errorf("%s: vanished %v, want %v", name, !c.vanished, c.vanished)
		}
	}
	if _, err := first.Subnet(netip.MustParseAddr("192.0.2.1")); err == nil {
		t.Error("an address in no prefix has a network")
	}
}

// T-1: a row that is shown goes before one that vanished.
func TestShownRowsGoFirst(t *testing.T) {
	o := &Objects{
		Prefixes: map[int64]*Prefix{
			1: {ID: 1, Prefix: netip.MustParsePrefix("10.0.0.0/24"), Status: "active", Loss: Lost},
			2: {ID: 2, Prefix: netip.MustParsePrefix("10.0.0.0/24"), Status: "active"},
		},
		Addresses: map[int64]*Address{
			1: {ID: 1, Address: netip.MustParsePrefix("10.0.0.5/24"), Status: "active", Loss: Ended},
			2: {ID: 2, Address: netip.MustParsePrefix("10.0.0.5/24"), Status: "active", Loss: Lost},
			3: {ID: 3, Address: netip.MustParsePrefix("10.0.0.5/24"), Status: "active"},
		},
	}
	s, problems := Build(o, Options{})
	if a := s.Address(0, netip.MustParseAddr("10.0.0.5")); a.ID != 3 {
		t.Errorf("address %d, want 3", a.ID)
	}
	if n, err := s.Subnet(netip.MustParseAddr("10.0.0.5")); err != nil || n.ID != 2 || n.Vanished() {
		t.Errorf("%v, %v, want prefix 2", n, err)
	}
	if len(problems) > 0 {
		t.Errorf("problems: %v", problems)
	}
}

// T-3: how much may be lost before no client is refused, in small sites too.
func TestMoreThanAFifthLostIsAnAlarm(t *testing.T) {
	for _, c := range []struct {
		rows, lost int
		want       bool
	}{{1, 0, false}, {1, 1, true}, {3, 1, true}, {5, 1, false}, {4, 1, true}, {100, 20, false}, {100, 21, true}} {
		o := &Objects{MACs: make(map[int64]*MACAddress)}
		for id := range int64(c.rows) {
			o.MACs[id+1] = &MACAddress{ID: id + 1, MAC: MAC{0x52, 0x54, 0, 0, 0, byte(id)}}
			if int(id) < c.lost {
				o.MACs[id+1].Loss = Lost
			}
		}
		s, _ := Build(o, Options{})
		if s.Doubtful() != c.want {
			t.Errorf("%d of %d lost: doubtful %v, want %v", c.lost, c.rows, s.Doubtful(), c.want)
		}
		if l := s.Losses()[1]; l.Lost != c.lost || l.Rows != c.rows {
			t.Errorf("counted %+v, want %d of %d", l, c.lost, c.rows)
		}
	}
}
