package ipam

import (
	"net/netip"
	"strings"
)

// SwitchAt returns the device that has an address, in any VRF; nil where none has it,
// or several, as with the gateway address that all switches of a fabric share. One that
// vanished may still have it (T-1).
func (s *Snapshot) SwitchAt(addr netip.Addr) *Machine {
	var found *Machine
	for _, vrf := range s.addressVRFs {
		one := [1]*Address{s.object(vrf, addr)}
		list := one[:]
		if shared := s.sharedHosts[hostKey{vrf, addr}]; shared != nil {
			list = shared
		}
		for _, a := range list {
			if a == nil || a.Interface.Kind != Device {
				continue
			}
			m := s.switchOf(s.Interface(a.Interface))
			if m == nil || a.Loss != Present || found != nil && m != found {
				return nil
			}
			found = m
		}
	}
	return found
}

// InPool reports whether an address is one of a pool, in any VRF: it may be a client's.
func (s *Snapshot) InPool(addr netip.Addr) bool {
	for vrf := range s.pools {
		if a := s.Address(vrf, addr); a != nil && s.IsDynamic(a) {
			return true
		}
	}
	return false
}

// SwitchWithMAC returns the device that has a MAC on an interface; nil where none has
// it, or several.
func (s *Snapshot) SwitchWithMAC(mac MAC) *Machine {
	var found *Machine
	for _, port := range s.byMAC[mac] {
		m := s.switchOf(port)
		if m == nil || found != nil && m != found {
			return nil
		}
		found = m
	}
	return found
}

// SwitchNamed returns the device with a name, whatever its case; a name with a domain
// is also the one without. nil where none has it, or several. Without
// Options.Circuits there are none.
func (s *Snapshot) SwitchNamed(name string) *Machine {
	m, known := s.byName[nameKey(name)]
	if _, host := s.byHostName[nameKey(name)]; known && host {
		return nil // sw1, and sw1.example.org
	}
	if known {
		return m
	}
	if host, _, full := strings.Cut(name, "."); full {
		return s.byName[nameKey(host)]
	}
	return s.byHostName[nameKey(name)]
}

// IsNamed reports whether name is that of a device, as SwitchNamed takes names.
func (m *Machine) IsNamed(name string) bool {
	own, said := nameKey(m.Name), nameKey(name)
	ownHost, _, ownFull := strings.Cut(own, ".")
	saidHost, _, saidFull := strings.Cut(said, ".")
	return said != "" && (own == said || ownFull != saidFull && ownHost == saidHost)
}

func nameKey(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

// switchOf is the device of a port, as far as NetBox shows both.
func (s *Snapshot) switchOf(port *Interface) *Machine {
	if port == nil || port.ID.Kind != Device || !s.seen(port) {
		return nil
	}
	return s.Machine(port.Machine)
}

// indexSwitchNames finds devices by name. NetBox has names that are unique in a site
// only: one that several have leads to none of them, also where one of them vanished.
func (b *builder) indexSwitchNames() {
	s := b.s
	s.byName, s.byHostName = make(map[string]*Machine), make(map[string]*Machine)
	add := func(index map[string]*Machine, key string, m *Machine) {
		if _, double := index[key]; double || m.Loss != Present {
			m = nil
		}
		if key != "" {
			index[key] = m
		}
	}
	for id, m := range s.objects.Machines {
		if id.Kind != Device {
			continue
		}
		key := nameKey(m.Name)
		add(s.byName, key, m)
		if host, _, full := strings.Cut(key, "."); full {
			add(s.byHostName, host, m)
		}
	}
}
