package lease

import (
	"net/netip"
	"slices"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/circuit"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// CircuitPolicy is netbox.network.circuits: whose option 82 counts, and how it is read.
type CircuitPolicy struct {
	// Relays set or strip option 82 for each client, as the operator states; empty: no
	// circuit counts. The list turns no relay away.
	Relays  []netip.Prefix
	Formats circuit.Formats
}

// CircuitResult says in one word how far a circuit led; metrics use it as a label.
type CircuitResult string

// The closed list of results.
const (
	CircuitLeads    CircuitResult = "leads"
	CircuitAbsent   CircuitResult = "absent"
	CircuitUnread   CircuitResult = "unread"
	CircuitNoSwitch CircuitResult = "no_switch"
	CircuitNoPort   CircuitResult = "no_port"
	CircuitNoCable  CircuitResult = "no_cable"
)

// CircuitResults returns all results.
func CircuitResults() []CircuitResult {
	return []CircuitResult{CircuitLeads, CircuitAbsent, CircuitUnread, CircuitNoSwitch, CircuitNoPort, CircuitNoCable}
}

// Words is the result in words.
func (r CircuitResult) Words() string {
	switch r {
	case CircuitLeads:
		return "its cable leads to a far end"
	case CircuitAbsent:
		return "the relay sent none"
	case CircuitUnread:
		return "no format reads it"
	case CircuitNoSwitch:
		return "its switch is no device that the server knows, or several"
	case CircuitNoPort:
		return "it fits no interface of its switch that the server knows, or several"
	case CircuitNoCable:
		return "no cable leads from its interface to exactly one other"
	}
	return string(r)
}

// Circuit is how option 82 of a message was read whose relay is one of
// network.circuits.relays (CL-13 to CL-15).
type Circuit struct {
	Result   CircuitResult
	Readings []circuit.Reading // what the circuit-id may mean
	Switch   *ipam.Machine     // nil: unknown
	Port     *ipam.Interface   // of the switch; nil: unknown
	FarEnd   *ipam.Interface   // where the cable of Port leads; nil: unknown
}

// WrongCable reports whether a device that NetBox knows came by a cable that leads to
// another one in NetBox (CL-18). Virtual machines come by the cable of their host.
func (d *Decision) WrongCable() bool {
	return d.Circuit != nil && d.Circuit.FarEnd != nil && d.Machine != nil && d.Machine.ID.Kind == ipam.Device && d.Circuit.FarEnd.Machine != d.Machine.ID
}

// readCircuit reads option 82, if it counts: giaddr is listed, and the sender is the
// relay itself, another address of its device, or listed too (CL-13). The stock server
// does not tell the sender. nil: it does not count.
func (d *decider) readCircuit() *Circuit {
	p, m := &d.f.Policy.Circuits, d.m
	if len(p.Relays) == 0 {
		return nil
	}
	sent := len(m.Circuit) > 0
	if !m.Relay.IsValid() || !ipam.InAny(p.Relays, m.Relay) {
		if sent && d.trace != nil {
			d.trace.addf("CL-13", "option 82 does not count as a circuit: %s", unlisted(m.Relay))
		}
		return nil
	}
	if d.clientMayHave(m.Relay) || d.clientMayHave(m.Source) {
		d.trace.addf("CL-13", "option 82 does not count as a circuit: the sender's address, or the relay's, is in a pool or leased, so a client may have it")
		return nil
	}
	if !m.Source.IsValid() || m.Source != m.Relay && !ipam.InAny(p.Relays, m.Source) && !d.s.SameMachine(m.Relay, m.Source) {
		if d.trace != nil {
			d.trace.addf("CL-13", "option 82 does not count as a circuit: sender %s is neither relay %s, nor of its device, nor in network.circuits.relays", m.Source, m.Relay)
		}
		return nil
	}
	if !sent {
		if d.trace != nil {
			d.trace.addf("CL-13", "relay %s is in network.circuits.relays, and sent no circuit-id", m.Relay)
		}
		return &Circuit{Result: CircuitAbsent}
	}
	c := d.traced(&Circuit{Readings: p.Formats.Read(m.Circuit)})
	if d.trace != nil {
		d.trace.addf("CL-14", "circuit-id %s, remote-id %s of relay %s: %s", circuit.Text(m.Circuit), circuit.Text(m.Remote), m.Relay, c.Result.Words())
	}
	return c
}

// clientMayHave reports whether an address is one of a pool, or leased, as by a claim.
func (d *decider) clientMayHave(addr netip.Addr) bool {
	if d.s.InPool(addr) {
		return true
	}
	l, known := d.l.stored.find(addr)
	return known && l.State == Bound && (l.Expires.After(d.now) || d.f.Distrusted)
}

func unlisted(relay netip.Addr) string {
	if !relay.IsValid() {
		return "the message came through no relay"
	}
	return "relay " + relay.String() + " is not in network.circuits.relays"
}

// traced follows a circuit from its switch to the far end of its cable.
func (d *decider) traced(c *Circuit) *Circuit {
	c.Result = CircuitUnread
	if len(c.Readings) == 0 {
		return c
	}
	c.Result = CircuitNoSwitch
	if c.Switch = d.switchOf(); c.Switch == nil {
		return c
	}
	c.Result = CircuitNoPort
	usable := slices.DeleteFunc(slices.Clone(c.Readings), func(r circuit.Reading) bool { return r.Host != "" && !c.Switch.IsNamed(r.Host) })
	ports := d.s.PortsOf(c.Switch.ID)
	i, ok := d.l.portsOf(d.s, c.Switch.ID).Match(usable)
	if !ok || ports[i].Loss != ipam.Present {
		return c
	}
	c.Port, c.Result = ports[i], CircuitNoCable
	if c.FarEnd = d.s.FarEnd(c.Port.ID); c.FarEnd != nil {
		c.Result = CircuitLeads
		if d.trace != nil {
			d.trace.addf("CL-14", "the cable of %s leads to %s", d.port(c.Port), d.port(c.FarEnd))
		}
	}
	return c
}

// switchOf is the device that the circuit is of: the one that the remote-id names, or
// the one of giaddr where none is sent. All that a remote-id may mean has to lead to
// one device: a switch between client and relay may write it, and then the port is
// none of the relay's (CL-14).
func (d *decider) switchOf() *ipam.Machine {
	if len(d.m.Remote) == 0 {
		return d.s.SwitchAt(d.m.Relay)
	}
	var found *ipam.Machine
	for _, meant := range circuit.ReadRemote(d.m.Remote) {
		var m *ipam.Machine
		switch {
		case meant.Name != "":
			m = d.s.SwitchNamed(meant.Name)
		case meant.Addr.IsValid():
			m = d.s.SwitchAt(meant.Addr)
		default:
			m = d.s.SwitchWithMAC(meant.MAC)
		}
		if m != nil && found != nil && m != found {
			return nil
		}
		if m != nil {
			found = m
		}
	}
	return found
}

// switchPorts are the names of interfaces of the switches that circuits named, for
// one snapshot.
type switchPorts struct {
	snapshot *ipam.Snapshot
	of       map[ipam.MachineID]*circuit.Ports
}

// portsOf returns the names of a switch's interfaces, in the order of
// Snapshot.PortsOf. They are taken apart once for each snapshot.
func (l *Leases) portsOf(s *ipam.Snapshot, id ipam.MachineID) *circuit.Ports {
	if l.switches.snapshot != s {
		l.switches = switchPorts{s, make(map[ipam.MachineID]*circuit.Ports)}
	}
	if known := l.switches.of[id]; known != nil {
		return known
	}
	var names []string
	for _, port := range s.PortsOf(id) {
		names = append(names, port.Name)
	}
	l.switches.of[id] = circuit.NewPorts(names)
	return l.switches.of[id]
}

// claimedByPort adds the claim that rests on the circuit of the message, or, where a
// client renews from its own address, on the one that its lease was given by (CL-15,
// CL-16).
func (d *decider) claimedByPort(found []Claim, w wire) []Claim {
	if !d.f.Policy.Claims.Port || len(d.f.Policy.Circuits.Relays) == 0 {
		return found
	}
	var port *ipam.Interface
	switch {
	case d.circuit != nil:
		port = d.circuit.Port
	case !d.m.Relay.IsValid():
		port = d.portOfLease()
	}
	if port == nil {
		return found
	}
	claim := Claim{Kind: ClaimPort, Value: d.s.PortName(port.ID), Port: port}
	if far := d.s.FarEnd(port.ID); far != nil {
		return d.claimedBy(found, claim, d.place(far, w), w)
	}
	// A far end that is lost is where it was for the client that leases its address, and
	// no other client's (T-1).
	far := d.s.LastFarEnd(port.ID)
	if far == nil {
		return found
	}
	claim.lost = true
	with := d.claimedBy(found, claim, d.place(far, w), w)
	if len(with) > len(found) && !d.uses(with[len(found)].Address) {
		return found
	}
	return with
}

// portOfLease is the port that the running lease of a client was given by that renews
// it from its own address: such messages pass no relay (RFC 2131 section 4.3.6), so
// they have no option 82. nil: none.
func (d *decider) portOfLease() *ipam.Interface {
	if !d.m.SaysWhere(d.state) || d.m.Type != Request || !d.m.Source.IsValid() || !d.fromItsAddress() {
		return nil
	}
	l, known := d.l.stored.find(d.m.ClientAddr)
	if !known || !l.ByPort || l.State != Bound || d.l.clientOf(l.Lease) != d.m.Client {
		return nil
	}
	return d.s.MarkedPort(l.InterfaceID)
}

// place is the addresses of the far end of a cable on the wire: those of the interface
// and of its aggregate, else those that bridges and sub-interfaces give it (I-7).
func (d *decider) place(far *ipam.Interface, w wire) []*ipam.Address {
	own := d.s.Assigned(far.ID)
	at := far
	if lag := d.s.Interface(ipam.InterfaceID{Kind: far.ID.Kind, ID: far.LAG}); far.LAG != 0 && lag != nil {
		at = lag
		own = slices.Concat(own, d.s.Assigned(lag.ID))
	}
	if slices.ContainsFunc(own, func(a *ipam.Address) bool { return d.claimable(a, w) != nil }) {
		return own
	}
	return d.s.Linked(at.ID)
}
