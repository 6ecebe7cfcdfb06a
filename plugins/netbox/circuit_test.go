package netbox

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4/dhcp4test"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance/instancetest"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// access is a network with a switch, which is the relay, and two machines.
const access = `
prefixes: [{prefix: 10.0.0.0/24}]
ip_addresses: [{address: 10.0.0.100/24, tags: [DHCP]}]
devices:
  - {name: access1, interfaces: [{name: Vlan10, mac_address: "02:ab:00:00:00:71", ip_addresses: [{address: 10.0.0.254/24}]},
     {name: GigabitEthernet1/0/1, connected_endpoint: {device: printer, name: eth0}}, {name: GigabitEthernet1/0/2, connected_endpoint: {device: web1, name: eth0}}, {name: GigabitEthernet1/0/3}]}
  - {name: printer, interfaces: [{name: eth0, mac_address: "02:ab:00:00:00:77", ip_addresses: [{address: 10.0.0.10/24}]}]}
  - {name: web1, interfaces: [{name: eth0, mac_address: "02:ab:00:00:00:01", ip_addresses: [{address: 10.0.0.11/24}]}]}
`

const readCircuits = "claims: {prefixes: [10.0.0.0/24], port: true}\nnetwork: {circuits: {relays: [10.0.0.254]}}"

// relayed sends a DISCOVER of the client by the relay access1, with the circuit-id
// unless it is empty, from the address given.
func relayed(t *testing.T, o instancetest.Opened, h func(req, resp *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool), circuit, from string, mods ...dhcpv4.Modifier) *dhcpv4.DHCPv4 {
	t.Helper()
	mods = append(mods, func(p *dhcpv4.DHCPv4) { p.GatewayIPAddr = []byte{10, 0, 0, 254} })
	if circuit != "" {
		mods = append(mods, dhcp4test.Raw(82, append([]byte{1, byte(len(circuit))}, circuit...)...))
	}
	req := dhcp4test.Request(t, dhcpv4.MessageTypeDiscover, mods...)
	o.Pool.Exchanges.Open(req, dhcp4.Ingress{Interface: "eth0", Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.2")}, Source: netip.AddrPortFrom(netip.MustParseAddr(from), 67)})
	defer o.Pool.Exchanges.Close(req)
	resp, _ := h(req, dhcp4test.Prepared(t, req))
	return resp
}

// CL-18, B-2: a known device at the port of another one is one line, and served.
func TestAWrongCableIsOneLine(t *testing.T) {
	o, h := newHandlerOn(t, readCircuits, access)
	for range 3 {
		if resp := relayed(t, o, h, "Gi1/0/1", "10.0.0.254"); resp == nil || resp.YourIPAddr.String() != "10.0.0.11" {
			t.Fatalf("answer %v, want the static address", resp)
		}
		relayed(t, o, h, "Gi1/0/2", "10.0.0.254")
		relayed(t, o, h, "Gi1/0/1", "10.0.0.99")
	}
	lines := messagesOf(o, "a device is at the port of another one: correct the cable, or the cable in NetBox")
	if len(lines) != 1 || lines[0].Level != logrus.WarnLevel {
		t.Fatalf("%d lines, want 1", len(lines))
	}
	for field, want := range map[string]string{"machine": "web1", "client_id": "02:AB:00:00:00:01", "port": "device access1 interface GigabitEthernet1/0/1",
		"leads_to": "device printer interface eth0", "own_cable": "device access1 interface GigabitEthernet1/0/2", "giaddr": "10.0.0.254"} {
		if got := fmt.Sprint(lines[0].Data[field]); got != want {
			t.Errorf("%s is %s, want %s", field, got, want)
		}
	}
	wrong := o.Circuits(lines[0].Time).WrongCables
	if len(wrong) != 1 || wrong[0].Machine != "web1" || wrong[0].Messages != 3 || wrong[0].LeadsTo != "device printer interface eth0" {
		t.Errorf("listed: %+v", wrong)
	}
}

// CL-15: a machine that NetBox does not know gets the address of its place.
func TestAMachineGetsTheAddressOfItsPort(t *testing.T) {
	const place = `
prefixes: [{prefix: 10.0.0.0/24}]
ip_addresses: [{address: 10.0.0.100/24, tags: [DHCP]}]
devices:
  - {name: access1, interfaces: [{name: Vlan10, mac_address: "02:ab:00:00:00:71", ip_addresses: [{address: 10.0.0.254/24}]}, {name: GigabitEthernet1/0/1}]}
  - {name: printer, interfaces: [{name: eth0, connected_endpoint: {device: access1, name: GigabitEthernet1/0/1}, ip_addresses: [{address: 10.0.0.10/24}]}]}
`
	o, h := newHandlerOn(t, readCircuits, place)
	for from, want := range map[string]string{"10.0.0.254": "printer", "10.0.0.99": ""} {
		x, c := &dhcp4.Exchange{}, ""
		h := func(req, resp *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) {
			x = o.Pool.Exchanges.Find(req)
			x.Rehearsal = true
			return h(req, resp)
		}
		relayed(t, o, h, "\x00\x04\x00\x0a\x01\x01", from, stranger(1))
		if a := x.Decision.Claim.Address; a != nil && a.Address.String() == "10.0.0.10/24" && x.Decision.Claim.Kind == lease.ClaimPort {
			c = "printer"
		}
		if c != want {
			t.Errorf("from %s: claim %+v, want %q", from, x.Decision.Claim, want)
		}
	}
}

// CL-17, B-2: a relay of the list without option 82, and circuits that lead nowhere,
// are a line a day each, listed and counted.
func TestWhatCircuitsDoNotTellIsListed(t *testing.T) {
	o, h := newHandlerOn(t, readCircuits, access)
	for range 3 {
		relayed(t, o, h, "", "10.0.0.254")
		relayed(t, o, h, "\xff\x01\x02", "10.0.0.254")
		relayed(t, o, h, "Gi1/0/9", "10.0.0.254")
		relayed(t, o, h, "Gi1/0/3", "10.0.0.254")
		relayed(t, o, h, "", "10.0.0.99")
	}
	for message, want := range map[string]int{
		"a relay of network.circuits.relays passes messages on without option 82: let it set the option for each client, or take it off the list": 1,
		"a circuit leads nowhere: coredhcp-netbox circuits lists them":                                                                            2,
	} {
		if lines := messagesOf(o, message); len(lines) != want {
			t.Errorf("%q: %d lines, want %d", message, len(lines), want)
		}
	}
	seen := o.Circuits(o.Logs.LastEntry().Time)
	if len(seen.Relays) != 1 || seen.Relays[0].Without != 3 || seen.Relays[0].With != 9 || seen.Relays[0].Relay.String() != "10.0.0.254" {
		t.Errorf("relays: %+v", seen.Relays)
	}
	results := make(map[string]lease.CircuitResult)
	for _, c := range seen.Circuits {
		results[c.Circuit] = c.Result
	}
	for text, want := range map[string]lease.CircuitResult{"hex:ff0102": lease.CircuitUnread, "Gi1/0/9": lease.CircuitNoPort, "Gi1/0/3": lease.CircuitNoCable} {
		if results[text] != want {
			t.Errorf("%s: %q, want %q of %+v", text, results[text], want, seen.Circuits)
		}
	}
	if later := o.Circuits(o.Logs.LastEntry().Time.AddDate(0, 0, 2)); len(later.Relays)+len(later.Circuits) != 0 {
		t.Errorf("two days later: %+v", later)
	}
}
