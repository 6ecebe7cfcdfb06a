package ipam

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// DeviceWithSerial returns the device that has a serial number, whatever its case;
// nil where none has it, or several (CL-5).
func (s *Snapshot) DeviceWithSerial(serial string) *Machine {
	return s.bySerial[serialKey(serial)]
}

// AddressesOf returns the addresses that are assigned to interfaces of a device with
// a serial number, by address; none where serial numbers do not count.
func (s *Snapshot) AddressesOf(device MachineID) []*Address { return s.ofDevice[device] }

func serialKey(serial string) string { return strings.ToUpper(strings.TrimSpace(serial)) }

// indexSerials finds devices by serial number. One that several have leads to none
// of them. A device that vanished gives no client anything new (T-1).
func (b *builder) indexSerials() {
	b.s.bySerial = make(map[string]*Machine)
	first := make(map[string]*Machine)
	ids := slices.SortedFunc(maps.Keys(b.s.objects.Machines), compareMachines)
	for _, id := range ids {
		m := b.s.objects.Machines[id]
		key := serialKey(m.Serial)
		if id.Kind != Device || key == "" {
			continue
		}
		if other := first[key]; other != nil {
			b.problemf(fmt.Sprintf("device %s (id %d)", m.Name, m.ID.ID), "device %s (id %d) has the same serial number %.60q: it leads to neither; correct one of them (rule CL-5)",
				other.Name, other.ID.ID, m.Serial)
			b.s.bySerial[key] = nil
			continue
		}
		first[key] = m
		if m.Loss == Present {
			b.s.bySerial[key] = m
		}
	}
	b.s.ofDevice = make(map[MachineID][]*Address)
	for port, list := range b.s.assigned {
		if at := b.s.Interface(port); at != nil && at.Machine.Kind == Device {
			b.s.ofDevice[at.Machine] = append(b.s.ofDevice[at.Machine], list...)
		}
	}
	for _, list := range b.s.ofDevice {
		slices.SortFunc(list, compareHosts)
	}
}
