package ipam

import (
	"fmt"
	"hash/fnv"
	"io"
	"slices"
)

// FarEnd returns the interface at the other end of the cable path of an interface;
// nil where there is none, or not exactly one at each end. All of it has to be seen: a
// row that vanished at either end connects nothing (CL-20, T-1).
func (s *Snapshot) FarEnd(id InterfaceID) *Interface { return s.farEnd(id, Present) }

// LastFarEnd is FarEnd with rows that are lost: what it says was true when they were
// seen last, which is enough for a lease that runs (T-1).
func (s *Snapshot) LastFarEnd(id InterfaceID) *Interface { return s.farEnd(id, Lost) }

// farEnd is FarEnd, where the loss of either end is at most the given one.
func (s *Snapshot) farEnd(id InterfaceID, most Loss) *Interface {
	near := s.Interface(id)
	if near == nil || near.FarEnd == (InterfaceID{}) {
		return nil
	}
	// Each end was read by itself: both have to say the same. An end of a breakout
	// cable names one interface, whose own end has several and names none.
	far := s.Interface(near.FarEnd)
	if far == nil || far.FarEnd != id || far == near || s.portLoss(near) > most || s.portLoss(far) > most {
		return nil
	}
	return far
}

// seen reports whether NetBox shows an interface and its machine.
func (s *Snapshot) seen(port *Interface) bool { return s.portLoss(port) == Present }

// portLoss is the loss of an interface or of its machine.
func (s *Snapshot) portLoss(port *Interface) Loss {
	m := s.Machine(port.Machine)
	if m == nil {
		return Ended
	}
	return max(port.Loss, m.Loss)
}

// PortsOf returns the interfaces of a device, by id, those that vanished among them:
// a name that two ports may have means neither (CL-21). It has none without
// Options.Circuits, and all of them for devices that a cable leads to from an
// interface with an address.
func (s *Snapshot) PortsOf(id MachineID) []*Interface { return s.portsOf[id] }

// indexPorts sorts the interfaces of devices by their device.
func (b *builder) indexPorts() {
	b.hiddenEnds()
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

// PortMark is the number by which a lease remembers a port of a device: its id, or one
// made of the names of device and port (Options.NamedPorts).
func (s *Snapshot) PortMark(port *Interface) int64 {
	m := s.Machine(port.Machine)
	if s.marked == nil || m == nil {
		return port.ID.ID
	}
	h := fnv.New64a()
	_, _ = io.WriteString(h, m.Name+"\x00"+port.Name) // never fails
	return int64(h.Sum64() >> 1)
}

// MarkedPort returns the port that has a mark; nil: none, or several.
func (s *Snapshot) MarkedPort(mark int64) *Interface {
	if s.marked == nil {
		return s.Interface(InterfaceID{Kind: Device, ID: mark})
	}
	return s.marked[mark]
}

// markPorts finds the ports with a cable by their marks, if those are made of names.
func (b *builder) markPorts(named bool) {
	if !named {
		return
	}
	b.s.marked = make(map[int64]*Interface)
	for _, port := range b.s.objects.Interfaces {
		if port.FarEnd == (InterfaceID{}) {
			continue
		}
		mark := b.s.PortMark(port)
		if _, double := b.s.marked[mark]; double {
			port = nil
		}
		b.s.marked[mark] = port
	}
}

// hiddenEnds tells of cables that lead to what the source does not show (CL-24).
func (b *builder) hiddenEnds() {
	var first *Interface
	hidden := 0
	for _, port := range b.s.objects.Interfaces {
		if port.FarEnd == (InterfaceID{}) || port.Loss != Present {
			continue
		}
		if far := b.s.Interface(port.FarEnd); far != nil && b.s.Machine(far.Machine) != nil {
			continue
		}
		if hidden++; first == nil || compareInterfaces(port, first) < 0 {
			first = port
		}
	}
	if first == nil {
		return
	}
	of := fmt.Sprintf("device id %d", first.Machine.ID)
	if m := b.s.Machine(first.Machine); m != nil {
		of = m.Name
	}
	b.problemf("cables", "%d lead to interfaces or devices that NetBox does not show, the first one from %s of %s: they are no places; give the token view on all interfaces and devices (rule CL-24)", hidden, first.Name, of)
}
