package lease

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// client is who sent a message, as far as NetBox knows.
type client struct {
	id      ClientID
	port    *ipam.Interface // nil: unknown, or several ports of one machine
	machine *ipam.Machine   // nil: unknown; also set where the client is refused
	statics []*ipam.Address // eligible static addresses in the client's networks, best first
	named   bool            // an address without a device names the MAC (CL-1)
	refused Reason          // not empty: no answer at all
	claim   *Claim          // what an unknown client claims (CL-6); nil: nothing
}

// known reports whether the MAC resolves to a device or virtual machine, or an
// address names it.
func (c *client) known() bool { return c.machine != nil || c.port != nil || c.named }

// identify finds the interface behind a MAC (I-4) and its static addresses on
// the wire (I-5, I-6).
func (d *decider) identify(w wire) *client {
	d.client = d.claim(d.reserved(d.find(w), w), w)
	if len(d.client.statics) > 0 && d.passed.Holder == "" {
		d.passed = PassedOver{} // the machine has an address that counts
	}
	return &d.client
}

func (d *decider) find(w wire) client {
	c := client{id: d.m.Client}
	if !d.m.HasMAC {
		d.trace.addf("I-4", "client %s has no Ethernet address: NetBox cannot know it", d.m.Client)
		return c
	}
	matches := d.s.InterfacesWithMAC(d.m.MAC)
	if len(matches) == 0 {
		if d.trace != nil {
			d.trace.addf("I-4", "no interface in NetBox has MAC %s", d.m.MAC)
		}
		return c
	}
	ports := d.collapseLAGs(matches)
	if len(ports) == 0 {
		c.refused, c.machine = ReasonLAGMember, d.machineOf(matches)
		return c
	}
	owner := d.chooseInterface(c, ports, w.ownPart())
	switch {
	case !w.shared() || owner.refused != "":
		return owner
	case len(owner.statics) == 0:
		d.trace.addf("N-8", "no static address in the client's own network: the rest of the wire is asked")
		return d.chooseInterface(c, ports, w.others())
	}
	return d.askedBeside(owner, ports, w)
}

// askedBeside adds the static address that the client asks for, where it lies
// in a prefix that shares the wire: a client may have addresses in several, and
// the one it uses is not taken from it (N-8).
func (d *decider) askedBeside(c client, ports []*ipam.Interface, w wire) client {
	for _, asked := range []netip.Addr{d.m.RequestedAddr, d.m.ClientAddr} {
		if !asked.IsValid() || d.networkOf(asked, w.all) == nil || static(&c, asked) != nil {
			continue
		}
		for _, port := range ports {
			for _, a := range d.candidates(port, w.others()) {
				if a.Address.Addr() == asked && len(d.free([]*ipam.Address{a}, port)) > 0 {
					c.port, c.machine = port, d.s.Machine(port.Machine)
					c.statics = append([]*ipam.Address{a}, c.statics...)
					return c
				}
			}
		}
	}
	return c
}

// collapseLAGs replaces aggregate members by their aggregate where they stand
// for it and drops the members that must stay silent (P-1).
func (d *decider) collapseLAGs(matches []*ipam.Interface) []*ipam.Interface {
	if !slices.ContainsFunc(matches, func(i *ipam.Interface) bool { return i.LAG != 0 }) {
		return matches
	}
	var ports []*ipam.Interface
	for _, port := range matches {
		if port.LAG != 0 {
			if port = d.aggregateOf(port); port == nil {
				continue
			}
		}
		if !slices.Contains(ports, port) {
			ports = append(ports, port)
		}
	}
	return ports
}

// aggregateOf returns the aggregate a member port stands for, or nil where the
// member gets no answer.
func (d *decider) aggregateOf(member *ipam.Interface) *ipam.Interface {
	lag := d.s.Interface(ipam.InterfaceID{Kind: member.ID.Kind, ID: member.LAG})
	if lag == nil {
		d.trace.addf("P-1", "%s is a member of an aggregate that is not loaded", d.port(member))
		return nil
	}
	macs := d.s.MACs(lag.ID)
	switch {
	case d.f.Policy.AnyLAGMember, slices.Contains(macs, d.m.MAC):
		if d.trace != nil {
			d.trace.addf("P-1", "%s stands for its aggregate %s", d.port(member), lag.Name)
		}
		return lag
	case len(macs) == 0 && d.s.Members(lag.ID)[0] == member:
		d.trace.addf("P-1", "aggregate %s has no MAC: its first member %s stands for it", lag.Name, d.port(member))
		return lag
	}
	d.trace.addf("P-1", "%s is a member of %s with another MAC: no answer", d.port(member), lag.Name)
	return nil
}

// chooseInterface picks the interface that owns an eligible address (I-4).
func (d *decider) chooseInterface(c client, ports []*ipam.Interface, networks []*ipam.Subnet) client {
	owners := 0
	for _, port := range ports {
		statics := d.eligible(port, d.s.Assigned(port.ID), networks)
		if len(statics) == 0 {
			continue
		}
		owners++
		if owners > 1 {
			d.trace.addf("I-4", "MAC %s is on %s and on %s, and both own an address here: no answer",
				d.m.MAC, d.port(c.port), d.port(port))
			return client{id: c.id, refused: ReasonConflict, machine: d.machineOf(ports)}
		}
		c.port, c.statics = port, statics
	}
	if owners == 0 {
		c.port, c.statics = d.linkedPort(ports, networks)
		if c.port == nil {
			return d.withoutStatic(c, ports)
		}
	}
	c.machine = d.s.Machine(c.port.Machine)
	if d.trace != nil {
		d.trace.addf("I-4", "MAC %s is %s", d.m.MAC, d.port(c.port))
	}
	c.statics = d.free(c.statics, c.port)
	return c
}

// candidates are the static addresses of port in the networks: its own, or,
// where it has none there, those that bridges and sub-interfaces give it (I-7).
func (d *decider) candidates(port *ipam.Interface, networks []*ipam.Subnet) []*ipam.Address {
	if own := d.eligible(port, d.s.Assigned(port.ID), networks); len(own) > 0 {
		return own
	}
	return d.eligible(port, d.s.Linked(port.ID), networks)
}

// linkedPort finds the port that bridges and sub-interfaces give an address in
// the networks. Links only add: where several ports have some, none counts (I-7).
func (d *decider) linkedPort(ports []*ipam.Interface, networks []*ipam.Subnet) (*ipam.Interface, []*ipam.Address) {
	var found *ipam.Interface
	var statics []*ipam.Address
	for _, port := range ports {
		list := d.eligible(port, d.s.Linked(port.ID), networks)
		switch {
		case len(list) == 0:
		case found != nil:
			d.trace.addf("I-7", "bridges or sub-interfaces give an address here to %s and to %s: none counts", d.port(found), d.port(port))
			return nil, nil
		default:
			found, statics = port, list
		}
	}
	if found != nil && d.trace != nil {
		at := d.s.Interface(statics[0].Interface)
		d.trace.addf("I-7", "%s leads to %s, which has %s", d.port(found), d.port(at), statics[0].Address)
	}
	return found, statics
}

// withoutStatic recognises the machine of ports that own no address here.
func (d *decider) withoutStatic(c client, ports []*ipam.Interface) client {
	if i := slices.IndexFunc(ports, func(p *ipam.Interface) bool { return p.Machine != ports[0].Machine }); i > 0 {
		d.trace.addf("I-4", "MAC %s is on %s and on %s, neither with an address here: unknown client",
			d.m.MAC, d.port(ports[0]), d.port(ports[i]))
		return c
	}
	if len(ports) == 1 {
		c.port = ports[0]
	}
	c.machine = d.s.Machine(ports[0].Machine)
	if d.trace != nil {
		d.trace.addf("I-4", "MAC %s is %s, without a static address here", d.m.MAC, d.port(ports[0]))
	}
	return c
}

// machineOf returns the machine that all ports are of; nil if there are several.
func (d *decider) machineOf(ports []*ipam.Interface) *ipam.Machine {
	if slices.ContainsFunc(ports, func(p *ipam.Interface) bool { return p.Machine != ports[0].Machine }) {
		return nil
	}
	return d.s.Machine(ports[0].Machine)
}

// eligible returns those of the addresses of port that are static in the
// networks, best first (I-5, I-6).
func (d *decider) eligible(port *ipam.Interface, of []*ipam.Address, networks []*ipam.Subnet) []*ipam.Address {
	var list []*ipam.Address
	for _, a := range of {
		in := d.networkOf(a.Address.Addr(), networks)
		if in == nil || d.s.IsDynamic(a) {
			continue
		}
		if why := d.unfit(a, in); why != "" {
			d.passOver(a, port, why)
			continue
		}
		if winner := d.lostTo(a); winner != nil {
			d.passOver(a, port, PassedOwner)
			if d.passed.Address == a {
				d.passed.Owner = d.s.Interface(winner.Interface)
			}
			if d.trace != nil {
				d.trace.addf("I-9", "%s is also assigned to %s, which is served", a.Address.Addr(), d.s.PortName(winner.Interface))
			}
			continue
		}
		list = append(list, a)
	}
	if len(list) > 1 {
		primary := int64(0)
		if machine := d.s.Machine(port.Machine); machine != nil {
			primary = machine.PrimaryIP4
		}
		slices.SortFunc(list, func(a, b *ipam.Address) int { return d.compareStatics(primary, a, b) })
	}
	return list
}

// compareStatics orders by I-6: asked for, primary, plain before secondary,
// lowest.
func (d *decider) compareStatics(primary int64, a, b *ipam.Address) int {
	rank := func(x *ipam.Address) int {
		switch host := x.Address.Addr(); {
		case host == d.m.RequestedAddr || host == d.m.ClientAddr:
			return 0
		case x.ID == primary:
			return 1
		case x.Role == "":
			return 2
		}
		return 3
	}
	return cmp.Or(cmp.Compare(rank(a), rank(b)), a.Address.Addr().Compare(b.Address.Addr()))
}

// networkOf returns the first of the networks that holds addr, or nil.
func (d *decider) networkOf(addr netip.Addr, networks []*ipam.Subnet) *ipam.Subnet {
	for _, n := range networks {
		if n.Contains(addr) {
			return n
		}
	}
	return nil
}

// port names machine and interface for a trace, as NetBox shows them; without a
// trace it does not take the trouble. nil is the place of a reservation.
func (d *decider) port(i *ipam.Interface) string {
	switch {
	case d.trace == nil:
		return ""
	case i == nil:
		return "no device"
	}
	return d.s.PortName(i.ID)
}
