package launch

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance/instancetest"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

// CL-17, CL-18: check names what is wrong with circuits; a port without a cable in
// NetBox is no fault. Text from clients cannot forge a line.
func TestWhatCheckSaysOfCircuits(t *testing.T) {
	last, relay := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC), netip.MustParseAddr("10.0.0.1")
	seen := instance.Circuits{
		Relays:      []instance.SilentRelay{{Relay: relay, Without: 7, With: 1, Last: last}},
		WrongCables: []instance.WrongCable{{Machine: "web1\x1b", Port: "device sw1 interface Gi1/0/5", LeadsTo: "device printer interface eth0", Messages: 2, Last: last}},
		Circuits: []instance.LostCircuit{
			{Relay: relay, Circuit: "hex:ff", Result: lease.CircuitUnread, Messages: 1, Last: last},
			{Relay: relay, Circuit: "Gi1/0/9", Remote: "sw1", Result: lease.CircuitNoCable, Switch: "sw1", Port: "Gi1/0/9", Messages: 3, Last: last},
		},
	}
	lines := warnings(seen)
	for i, want := range []string{"relay 10.0.0.1 passed 7 messages on without option 82", "at the port of another one, device sw1 interface Gi1/0/5", "circuit-id hex:ff"} {
		if len(lines) != 3 || !strings.Contains(lines[i], want) {
			t.Errorf("%q, want %q in line %d", lines, want, i)
		}
	}
	var out strings.Builder
	if err := printCircuits(&out, seen); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"1 wrong cable, 1 relay without option 82, 2 circuits that lead nowhere", "10.0.0.1                 7         1     2026-11-29T12:00:00Z", "Gi1/0/9", "no_cable"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if text := out.String() + strings.Join(lines, ""); strings.Contains(text, "\x1b") {
		t.Errorf("%q", text)
	}
	out.Reset()
	listCircuits(t.Context(), &out, &settings.File{NetBox: settings.NetBox{Store: settings.Store{Path: t.TempDir()}, Control: settings.Control{Folder: t.TempDir()},
		Network: settings.Network{Circuits: settings.Circuits{Relays: []settings.Relays{{Prefix: netip.MustParsePrefix("10.0.0.1/32")}}}}}})
	if !strings.Contains(out.String(), "the server does not run") {
		t.Errorf("%q", out.String())
	}
	out.Reset()
	listCircuits(t.Context(), &out, new(settings.File))
	if out.Len() != 0 {
		t.Errorf("without the setting: %q", out.String())
	}
}

// CL-13, CL-14: explain shows how a circuit was read.
func TestExplainShowsHowACircuitWasRead(t *testing.T) {
	i := instancetest.Open(t, "network: {circuits: {relays: [10.0.0.1]}}", "prefixes: [{prefix: 10.0.0.0/24}]\n").Instance
	sw, printer := &ipam.Machine{ID: ipam.MachineID{Kind: ipam.Device, ID: 1}, Name: "sw1"}, &ipam.Machine{ID: ipam.MachineID{Kind: ipam.Device, ID: 2}, Name: "printer"}
	port := &ipam.Interface{ID: ipam.InterfaceID{Kind: ipam.Device, ID: 3}, Name: "Gi1/0/5", Machine: sw.ID}
	far := &ipam.Interface{ID: ipam.InterfaceID{Kind: ipam.Device, ID: 4}, Name: "eth0", Machine: printer.ID}
	for name, c := range map[string]struct {
		circuit, remote string
		decision        lease.Decision
		want            []string
	}{
		"none":            {"", "", lease.Decision{}, nil},
		"not counted":     {"Gi1/0/5", "", lease.Decision{}, []string{"circuit", "Gi1/0/5", "means", "gigabitethernet1/0/5", "counts", "no (rule CL-13)"}},
		"of two meanings": {"xe-0/0/1:2", "sw1", lease.Decision{Circuit: &lease.Circuit{Result: lease.CircuitNoSwitch}}, []string{"remote", "sw1", "xe-0/0/1:2, or xe-0/0/1", "its switch is no device that the server knows"}},
		"unread":          {"\x00", "", lease.Decision{Circuit: &lease.Circuit{Result: lease.CircuitUnread}}, []string{"hex:00", "nothing: no format reads it"}},
		"a far end":       {"\x00\x04\x00\x0a\x01\x05", "", lease.Decision{Circuit: &lease.Circuit{Result: lease.CircuitLeads, Switch: sw, Port: port, FarEnd: far}}, []string{"hex:0004000a0105", "port 1/5", "switch", "sw1", "port", "Gi1/0/5", "leads to"}},
		"a wrong cable":   {"Gi1/0/5", "", lease.Decision{Machine: sw, Circuit: &lease.Circuit{Result: lease.CircuitLeads, Switch: sw, Port: port, FarEnd: far}}, []string{"wrong cable", "(rule CL-18)"}},
	} {
		t.Run(name, func(t *testing.T) {
			x := &dhcp4.Exchange{Decision: c.decision}
			x.Message.Circuit, x.Message.Remote = []byte(c.circuit), []byte(c.remote)
			e := explainCircuit(x, i)
			var out strings.Builder
			e.print(&out)
			for _, want := range c.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("no %q in %q", want, out.String())
				}
			}
			if (e == nil) != (c.want == nil) || e != nil && e.Counts != (c.decision.Circuit != nil) {
				t.Errorf("%+v", e)
			}
		})
	}
}

// CL-14, B-7: what explain shows of a circuit, and of names in NetBox, steers no terminal.
func TestExplainShowsCircuitsSafely(t *testing.T) {
	var out strings.Builder
	(&explainedCircuit{Circuit: "a", Remote: "b", Counts: true, Means: []string{"c"}, Result: lease.CircuitLeads, Switch: "sw\x1b[2J", Port: "Gi1\x1b]0;x", LeadsTo: "device a\nb"}).print(&out)
	for _, bad := range []string{"\x1b", "a\nb"} {
		if strings.Contains(out.String(), bad) {
			t.Errorf("%q has %q", out.String(), bad)
		}
	}
}

// A circuit-id and a remote-id are asked about as text or bytes.
func TestAQuestionNamesACircuit(t *testing.T) {
	q := question{mac: "52:54:00:00:00:01", message: "discover", relay: "10.10.0.1", arch: -1, circuit: "hex:0004000a0105", remote: "sw1"}
	what, err := q.asked(settings.Chain{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := []byte("\x01\x06\x00\x04\x00\x0a\x01\x05\x02\x03sw1"); !strings.Contains(string(what.Packet), string(want)) {
		t.Errorf("no %x in %x", want, what.Packet)
	}
	for _, bad := range []question{{circuit: "hex:0"}, {circuit: "a", subOptions: []string{"1=b"}}, {remote: strings.Repeat("x", 256)}} {
		bad.mac, bad.message, bad.relay, bad.arch = q.mac, q.message, q.relay, -1
		if _, err := bad.asked(settings.Chain{}, nil); err == nil {
			t.Errorf("%+v was accepted", bad)
		}
	}
}
