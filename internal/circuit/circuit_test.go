package circuit

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// Interfaces of switches, as the device types of NetBox name them.
var (
	catalyst = []string{"GigabitEthernet1/0/1", "GigabitEthernet1/0/5", "GigabitEthernet1/0/15", "GigabitEthernet2/0/5", "GigabitEthernet1/1/5", "Vlan10", "Port-channel5"}
	mixed    = []string{"GigabitEthernet1/0/1", "TenGigabitEthernet1/0/1", "GigabitEthernet1/0/2"}
	old      = []string{"FastEthernet0/1", "FastEthernet0/5", "GigabitEthernet0/1"}
	chassis  = []string{"GigabitEthernet1/10", "GigabitEthernet1/1", "GigabitEthernet10/1"}
	nexus    = []string{"Ethernet1/1", "Ethernet1/2", "Ethernet1/3", "Ethernet1/32", "Ethernet2/1", "mgmt0"}
	ex       = []string{"ge-0/0/1", "ge-0/0/12", "ge-0/0/123", "xe-0/0/1", "ge-1/0/1", "ae52", "irb"}
	units    = []string{"ge-0/0/1", "ge-0/0/1.0", "ge-0/0/1.100"}
	qfx      = []string{"xe-0/0/14", "xe-0/0/14:0", "xe-0/0/15:2", "et-0/0/0", "et-0/0/60"}
	eos      = []string{"Ethernet1", "Ethernet10", "Ethernet14", "Ethernet3/17/1", "Management1", "Port-Channel10"}
	cx       = []string{"1/1/1", "1/1/10", "1/1/11", "lag1"}
	procurve = []string{"1", "35", "A5"}
)

// CL-12: the forms that vendors publish lead to one interface, with its type and all
// of its numbers.
func TestACircuitLeadsToOneInterface(t *testing.T) {
	for _, c := range []struct {
		name  string
		id    string
		names []string
		want  string // empty: nothing
	}{
		{"IOS snooping, VLAN 10, switch 1, port 5", "\x00\x04\x00\x0a\x01\x05", catalyst, "GigabitEthernet1/0/5"},
		{"IOS snooping, the second switch of a stack", "\x00\x04\x00\x0a\x02\x05", catalyst, "GigabitEthernet2/0/5"},
		{"IOS snooping, a switch without stack", "\x00\x04\x00\x0a\x00\x05", old, "FastEthernet0/5"},
		{"IOS snooping, two types with these numbers", "\x00\x04\x00\x0a\x00\x01", old, ""},
		{"IOS snooping, two types in a stack", "\x00\x04\x00\x0a\x01\x01", mixed, ""},
		{"IOS snooping, no such port", "\x00\x04\x00\x0a\x01\x09", catalyst, ""},
		{"IOS snooping, no VLAN", "\x00\x04\x00\x00\x01\x05", catalyst, ""},
		{"IOS snooping, a byte too many", "\x00\x05\x00\x0a\x01\x05\x00", catalyst, ""},
		{"IOS, a string of its own", "\x01\x07Gi1/0/5", catalyst, "GigabitEthernet1/0/5"},
		{"IOS, VLAN behind the port", "Gi1/10:2020", chassis, "GigabitEthernet1/10"},
		{"IOS, in full", "GigabitEthernet1/0/15", catalyst, "GigabitEthernet1/0/15"},
		{"IOS, of another type", "TenGigabitEthernet1/0/5", catalyst, ""},
		{"NX-OS, string", "Ethernet1/3", nexus, "Ethernet1/3"},
		{"NX-OS, short", "Eth1/32", nexus, "Ethernet1/32"},
		{"NX-OS, ifindex of Ethernet1/1", "\x1a\x00\x00\x00", nexus, "Ethernet1/1"},
		{"NX-OS, ifindex of Ethernet1/2", "\x1a\x00\x10\x00", nexus, "Ethernet1/2"},
		{"NX-OS, ifindex of Ethernet2/1", "\x00\x04\x1a\x08\x00\x00", nexus, "Ethernet2/1"},
		{"Junos EX, VLAN name", "ge-0/0/12:default", ex, "ge-0/0/12"},
		{"Junos EX, unit and VLAN name", "ge-0/0/12.0:employees", ex, "ge-0/0/12"},
		{"Junos EX, three digits", "ge-0/0/123", ex, "ge-0/0/123"},
		{"Junos EX, three digits with a unit", "ge-0/0/123.0", ex, "ge-0/0/123"},
		{"Junos EX, type and member count", "xe-0/0/1.0", ex, "xe-0/0/1"},
		{"Junos MX, S-VLAN and VLAN", "ge-1/0/1:122-500", ex, "ge-1/0/1"},
		{"Junos, an aggregate", "ae52.0", ex, "ae52"},
		{"Junos, a unit that NetBox has", "ge-0/0/1.100", units, "ge-0/0/1.100"},
		{"Junos, a unit that NetBox lacks", "ge-0/0/1.200", units, "ge-0/0/1"},
		{"Junos QFX, a channel", "xe-0/0/15:2", qfx, "xe-0/0/15:2"},
		{"Junos QFX, a channel with a unit", "xe-0/0/15:2.0", qfx, "xe-0/0/15:2"},
		{"Junos QFX, VLAN or channel", "xe-0/0/14:0", qfx, ""},
		{"Junos QFX, no channels", "et-0/0/60", qfx, "et-0/0/60"},
		{"Junos, a prefix with the host name", "sw1:ge-0/0/12.0:default", ex, "ge-0/0/12"},
		{"EOS, VLAN", "Ethernet14:Vlan2001", eos, "Ethernet14"},
		{"EOS, VLAN number", "Ethernet10:2020", eos, "Ethernet10"},
		{"EOS, with type and length", "\x00\x0fEthernet14:2001", eos, "Ethernet14"},
		{"EOS, a chassis", "Ethernet3/17/1", eos, "Ethernet3/17/1"},
		{"EOS, an aggregate", "Port-Channel10", eos, "Port-Channel10"},
		{"CX", "1/1/10", cx, "1/1/10"},
		{"ProCurve, port 35", "\x00\x23", procurve, "35"},
		{"text inside a longer one", "xGi1/0/5", catalyst, ""},
		{"text before a longer one", "Gi1/0/5x", catalyst, ""},
		{"numbers alone have no type", "1/0/5", catalyst, ""},
		{"words", "uplink", catalyst, ""},
		{"nothing", "", catalyst, ""},
		{"control bytes", "Gi1/0/5\n", catalyst, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			readings := Formats{}.Read([]byte(c.id))
			i, ok := NewPorts(c.names).Match(readings)
			if ok != (c.want != "") || ok && c.names[i] != c.want {
				t.Errorf("%q: %v %v of %v, want %q", c.id, i, ok, readings, c.want)
			}
		})
	}
}

// CL-12: the switch that a circuit names is told.
func TestACircuitMayNameItsSwitch(t *testing.T) {
	readings := Formats{}.Read([]byte("sw1:ge-0/0/12.0:default"))
	if !slices.ContainsFunc(readings, func(r Reading) bool { return r.Host == "sw1" && r.String() == "ge-0/0/12.0" }) {
		t.Errorf("%+v", readings)
	}
}

// CL-12: a format of the settings is anchored, and goes before those that are known.
func TestAFormatOfTheSettings(t *testing.T) {
	for _, c := range []struct{ format, id, host, port string }{
		{"{host} eth {port}:{vlan}", "sw1 eth 0/5:10", "sw1", "0/5"},
		{"{host} eth {port}:{vlan}", "sw1 eth 0/5", "", ""},
		{"{host} eth {port}:{vlan}", "x sw1 eth 0/5:10", "", ""},
		{"{port}", "Gi1/0/5", "", "gigabitethernet1/0/5"},
		{"{port}[{any}]", "Gi1/0/5[room 3]", "", "gigabitethernet1/0/5"},
		{"p{port}", "p02", "", "2"},
	} {
		f, err := ParseFormat(c.format)
		if err != nil {
			t.Fatal(err)
		}
		r, ok := f.read(c.id)
		if ok != (c.port != "") || ok && (r.Host != c.host || r.port.String() != c.port) {
			t.Errorf("%s of %q: %+v %v", c.format, c.id, r, ok)
		}
	}
	for _, bad := range []string{"", "{vlan}", "{port}{port}", "{port", "{name}", "{port}{host}{host}", strings.Repeat("x", 200) + "{port}"} {
		if _, err := ParseFormat(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

// CL-12: what is not listed is not read.
func TestOnlyListedFormatsAreRead(t *testing.T) {
	const ios, ifindex, number, text, template = "\x00\x04\x00\x0a\x01\x05", "\x1a\x00\x10\x00", "\x00\x23", "Gi1/0/5", "port=5 vlan=10"
	all := []string{ios, ifindex, number, text, template}
	for _, c := range []struct{ list, read []string }{
		{nil, []string{ios, ifindex, number, text}},
		{[]string{"cisco"}, []string{ios}},
		{[]string{"nexus", "procurve"}, []string{ifindex, number}},
		{[]string{"port={port} vlan={vlan}"}, []string{template}},
		{[]string{"port={port} vlan={vlan}", "text"}, []string{text, template}},
	} {
		f, err := ParseFormats(c.list)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range all {
			if got := len(f.Read([]byte(id))) > 0; got != slices.Contains(c.read, id) {
				t.Errorf("%q with %v: read %v", id, c.list, got)
			}
		}
	}
	for _, bad := range []string{"", "Cisco", "junos", "{vlan}"} {
		if _, err := ParseFormats([]string{bad}); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

// CL-12: the forms of remote-ids.
func TestWhatARemoteIDNames(t *testing.T) {
	mac := [6]byte{0, 0x1b, 0x54, 1, 2, 3}
	for _, c := range []struct {
		name, id string
		want     Switch // zero: nothing
	}{
		{"IOS, MAC", "\x00\x06\x00\x1b\x54\x01\x02\x03", Switch{MAC: mac}},
		{"IOS, string", "\x01\x03sw1", Switch{Name: "sw1"}},
		{"NX-OS and ProCurve, MAC", "\x00\x1b\x54\x01\x02\x03", Switch{MAC: mac}},
		{"ProCurve, address", "\x0a\x00\x00\x01", Switch{Addr: netip.MustParseAddr("10.0.0.1")}},
		{"EOS, MAC as text", "00:1b:54:01:02:03", Switch{MAC: mac}},
		{"dotted MAC", "001b.5401.0203", Switch{MAC: mac}},
		{"host name", "access-sw.example.org", Switch{Name: "access-sw.example.org"}},
		{"address as text", "10.0.0.1", Switch{Addr: netip.MustParseAddr("10.0.0.1")}},
		{"nothing", "", Switch{}},
		{"other bytes", "\x01\x02\x03", Switch{}},
	} {
		var want []Switch
		if c.want != (Switch{}) {
			want = []Switch{c.want}
		}
		if got := ReadRemote([]byte(c.id)); !slices.Equal(got, want) {
			t.Errorf("%s: %+v, want %+v", c.name, got, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, id := range []string{"", "\x00\x04\x00\x0a\x01\x05", "sw1:ge-0/0/12.0:default", "Ethernet14:Vlan2001", "\x1a\x00\x10\x00", "\x00\x23"} {
		f.Add([]byte(id))
	}
	listed, err := ParseFormats([]string{"{host} eth {port}:{vlan}", ParserCisco})
	if err != nil {
		f.Fatal(err)
	}
	names := slices.Concat(catalyst, old, nexus, ex, qfx, eos, cx, procurve)
	f.Fuzz(func(t *testing.T, id []byte) {
		for _, formats := range []Formats{{}, listed} {
			readings := formats.Read(id)
			if i, ok := NewPorts(names).Match(readings); ok && (i < 0 || i >= len(names)) {
				t.Errorf("position %d", i)
			}
			for _, r := range readings { // a reading is read the same when it is written
				if again, ok := parsePort(r.port.String()); !r.anyType && (!ok || again != r.port) {
					t.Errorf("%q read as %q, again as %q", id, r.port, again)
				}
			}
		}
	})
}

func FuzzReadRemote(f *testing.F) {
	f.Add([]byte("\x00\x06\x00\x1b\x54\x01\x02\x03"))
	f.Add([]byte("sw1"))
	f.Fuzz(func(t *testing.T, id []byte) {
		for _, s := range ReadRemote(id) {
			if s == (Switch{}) {
				t.Errorf("%q names nothing, and is listed", id)
			}
		}
	})
}

func FuzzParseFormat(f *testing.F) {
	f.Add("{host} eth {port}:{vlan}", "sw1 eth 0/5:10")
	f.Fuzz(func(_ *testing.T, format, id string) {
		if parsed, err := ParseFormat(format); err == nil {
			_, _ = parsed.read(id)
		}
	})
}
