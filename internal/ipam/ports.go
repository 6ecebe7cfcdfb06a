package ipam

import "slices"

// FarEnd returns the interface at the other end of the cable path of an interface;
// nil where there is none, or not exactly one at each end. All of it has to be seen: a
// row that vanished at either end connects nothing (CL-20, T-1).
func (s *Snapshot) FarEnd(id InterfaceID) *Interface {
	near := s.Interface(id)
	if near == nil || near.FarEnd == (InterfaceID{}) {
		return nil
	}
	// Each end was read by itself: both have to say the same. An end of a breakout
	// cable names one interface, whose own end has several and names none.
	far := s.Interface(near.FarEnd)
	if far == nil || far.FarEnd != id || far == near || !s.seen(near) || !s.seen(far) {
		return nil
	}
	return far
}

// seen reports whether NetBox shows an interface and its machine.
func (s *Snapshot) seen(port *Interface) bool {
	m := s.Machine(port.Machine)
	return port.Loss == Present && m != nil && m.Loss == Present
}

// PortsOf returns the interfaces of a device, by id, those that vanished among them:
// a name that two ports may have means neither (CL-21). It has none without
// Options.Circuits, and all of them for devices that a cable leads to from an
// interface with an address.
func (s *Snapshot) PortsOf(id MachineID) []*Interface { return s.portsOf[id] }

// indexPorts sorts the interfaces of devices by their device.
func (b *builder) indexPorts() {
	ports := make(map[MachineID][]*Interface)
	for _, port := range b.s.objects.Interfaces {
		if port.ID.Kind == Device && port.Loss != Ended {
			ports[port.Machine] = append(ports[port.Machine], port)
		}
	}
	for _, list := range ports {
		slices.SortFunc(list, compareInterfaces)
	}
	b.s.portsOf = ports
}
