package ipam

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// small are tables with one of each that matters in a comparison. from is the first id.
func small(from int64) *Objects {
	tag, gateway, port, mac := from, from+1, InterfaceID{Device, from}, MAC{0x52, 0x54, 0, 0, 0, 1}
	machine := MachineID{Device, from}
	return &Objects{
		VRFs:     map[int64]*VRF{from: {ID: from, Name: "lab"}},
		Tags:     map[int64]*Tag{tag: {ID: tag, Name: "DHCP", Slug: "dhcp"}, gateway: {ID: gateway, Name: "Gateway", Slug: "gateway"}},
		Sites:    map[int64]*Site{from: {ID: from, Name: "HQ"}},
		Prefixes: map[int64]*Prefix{from: {ID: from, Prefix: netip.MustParsePrefix("10.0.0.0/24"), VRF: from, Status: "active", Scope: Scope{ScopeSite, from}}},
		Ranges:   map[int64]*Range{from: {ID: from, Start: netip.MustParseAddr("10.0.0.50"), End: netip.MustParseAddr("10.0.0.60"), VRF: from, Status: "active"}},
		Addresses: map[int64]*Address{
			from:     {ID: from, Address: netip.MustParsePrefix("10.0.0.5/24"), VRF: from, Status: "active", Interface: port},
			from + 1: {ID: from + 1, Address: netip.MustParsePrefix("10.0.0.100/24"), VRF: from, Status: "active", Tags: []int64{tag}},
		},
		MACs:       map[int64]*MACAddress{from: {ID: from, MAC: mac, Interface: port}},
		Interfaces: map[InterfaceID]*Interface{port: {ID: port, Name: "eth0", Machine: machine}},
		Machines:   map[MachineID]*Machine{machine: {ID: machine, Name: "web1", PrimaryIP4: from, Context: json.RawMessage(`{"dns":["10.0.0.2"],"options":{"66":"a"}}`)}},
		Contexts:   []*ConfigContext{{ID: from, Name: "site", Weight: 1000, Sites: []int64{from}, Data: json.RawMessage(`{"mtu":1500}`)}},
	}
}

// C-21: each edit that people make in NetBox is told by its object and field.
func TestWhatDiffersIsToldByKindAndName(t *testing.T) {
	address := func(o *Objects, last string) *Address {
		for _, a := range o.Addresses {
			if strings.HasSuffix(a.Address.Addr().String(), "."+last) {
				return a
			}
		}
		return nil
	}
	for name, c := range map[string]struct {
		edit func(o *Objects)
		want []string // kind, object, how, fields
	}{
		"nothing":               {func(*Objects) {}, nil},
		"only the time":         {func(o *Objects) { address(o, "5").LastUpdated = time.Now() }, nil},
		"a lease":               {func(o *Objects) { address(o, "100").Record = Record{Client: "52:54:00:00:00:09"} }, nil},
		"an address is tagged":  {func(o *Objects) { address(o, "5").Tags = []int64{900} }, []string{"IP address 10.0.0.5, VRF lab changed tags: -> DHCP"}},
		"an address is moved":   {func(o *Objects) { address(o, "5").Interface = InterfaceID{} }, []string{"IP address 10.0.0.5, VRF lab changed assigned: web1 eth0 ->"}},
		"its mask":              {func(o *Objects) { address(o, "5").Address = netip.MustParsePrefix("10.0.0.5/25") }, []string{"IP address 10.0.0.5, VRF lab changed mask: 24 -> 25"}},
		"an address is deleted": {func(o *Objects) { delete(o.Addresses, address(o, "100").ID) }, []string{"IP address 10.0.0.100, VRF lab removed mask: 24 ->, status: active ->, tags: DHCP ->"}},
		"a prefix is made": {func(o *Objects) {
			o.Prefixes[999] = &Prefix{ID: 999, Prefix: netip.MustParsePrefix("10.9.0.0/24"), Status: "active"}
		}, []string{"prefix 10.9.0.0/24 added status: -> active"}},
		"a context of a machine": {func(o *Objects) {
			for _, m := range o.Machines {
				m.Context = json.RawMessage(`{"options":{"66":"b"},"dns":["10.0.0.2"]}`)
			}
		}, []string{`machine device web1 changed context.options.66: "a" -> "b"`}},
		"the same context, written otherwise": {func(o *Objects) {
			for _, m := range o.Machines {
				m.Context = json.RawMessage(`{"options": {"66":"a"}, "dns":["10.0.0.2"]}`)
			}
		}, nil},
		"a config context": {func(o *Objects) { o.Contexts[0].Weight = 2000 }, []string{"config context site changed weight: 1000 -> 2000"}},
		"a machine is renamed": {func(o *Objects) {
			for _, m := range o.Machines {
				m.Name = "web2"
			}
		}, []string{
			"IP address 10.0.0.5, VRF lab changed assigned: web1 eth0 -> web2 eth0",
			"MAC address 52:54:00:00:00:01 changed interface: web1 eth0 -> web2 eth0",
			"interface web1 eth0 removed", "interface web2 eth0 added",
			`machine device web1 removed context.dns: ["10.0.0.2"] ->, context.options.66: "a" ->, primary: 10.0.0.5 ->`,
			`machine device web2 added context.dns: -> ["10.0.0.2"], context.options.66: -> "a", primary: -> 10.0.0.5`,
		}},
		"a row vanishes": {func(o *Objects) { address(o, "5").Loss = Lost }, []string{"IP address 10.0.0.5, VRF lab changed state: -> vanished, or its change is doubted"}},
	} {
		t.Run(name, func(t *testing.T) {
			after := small(900) // other ids
			c.edit(after)
			var got []string
			for _, change := range Diff(small(1), after, false) {
				var fields []string
				for _, f := range change.Fields {
					fields = append(fields, strings.TrimSpace(f.Name+": "+strings.TrimSpace(f.Old+" -> "+f.New)))
				}
				got = append(got, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", change.Kind, change.Object, change.How, strings.Join(fields, ", "))))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

func TestRecordsOfLeasesAreComparedOnRequest(t *testing.T) {
	after := small(1)
	after.Addresses[2].Record = Record{Client: "52:54:00:00:00:09", Expires: time.Unix(1e9, 0)}
	got := Diff(small(1), after, true)
	if len(got) != 1 || len(got[0].Fields) != 2 || got[0].Fields[0].Name != "leased to" || got[0].Fields[1].New != "2001-09-09T01:46:40Z" {
		t.Errorf("%+v", got)
	}
}

// Objects of one name, such as a MAC on two interfaces, are told apart.
func TestObjectsOfOneNameAreCompared(t *testing.T) {
	twice := func(second string) *Objects {
		o := small(1)
		other := InterfaceID{Device, 7}
		o.Interfaces[other] = &Interface{ID: other, Name: second, Machine: MachineID{Device, 1}}
		o.MACs[7] = &MACAddress{ID: 7, MAC: o.MACs[1].MAC, Interface: other}
		return o
	}
	if got := Diff(twice("eth1"), twice("eth1"), false); len(got) != 0 {
		t.Errorf("the same: %+v", got)
	}
	got := Diff(twice("eth1"), twice("eth2"), false)
	kinds := make(map[string]int)
	for _, c := range got {
		kinds[c.Kind+" "+string(c.How)]++
	}
	if want := map[string]int{"MAC address changed": 1, "interface added": 1, "interface removed": 1}; !maps.Equal(kinds, want) {
		t.Errorf("got %v: %+v", kinds, got)
	}
}
