package ipam

import (
	"fmt"
	"slices"
	"strings"
)

// Reservation names the client that an address without a device is for, as custom
// fields of the address do (CL-1).
type Reservation struct {
	MAC MAC // the zero MAC: none
	// Trouble says in words why the fields name no client; empty: they name one.
	// The address is kept out of the pools all the same.
	Trouble string
}

// ReservationField is a custom field of an address: its name and its text.
type ReservationField struct{ Name, Text string }

// ParseReservation reads the field of one address; nil where it is empty.
func ParseReservation(mac ReservationField) *Reservation {
	mac.Text = strings.TrimSpace(mac.Text)
	if mac.Text == "" {
		return nil
	}
	m, err := ParseMAC(mac.Text)
	if err != nil || !m.Unicast() {
		return &Reservation{Trouble: fmt.Sprintf("field %s: want the MAC of one machine such as 52:54:00:00:00:01, not %.60q", mac.Name, mac.Text)}
	}
	return &Reservation{MAC: m}
}

// names reports whether the fields of a, an address without a device, say
// something of a client: then it is no address of a pool (CL-2).
func (a *Address) names() bool { return a.Reserved != nil && a.Interface == (InterfaceID{}) }

// ReservedFor returns the addresses without a device whose custom fields name a MAC,
// by address (CL-1).
func (s *Snapshot) ReservedFor(m MAC) []*Address { return s.reservedMAC[m] }

// IsReserved reports whether a is one of those of ReservedFor.
func (s *Snapshot) IsReserved(a *Address) bool {
	return a.names() && slices.Contains(s.reservedMAC[a.Reserved.MAC], a)
}

// indexReservations finds the addresses that name a client, and tells of those
// whose fields reserve nothing (CL-3). others are the addresses whose host has an
// object with a lower id.
func (b *builder) indexReservations(others []*Address) {
	s := b.s
	s.reservedMAC = make(map[MAC][]*Address)
	double := make(map[hostKey]bool, len(others))
	for _, a := range others {
		double[hostKey{a.VRF, a.Address.Addr()}] = true
	}
	for _, a := range s.objects.Addresses {
		if a.Reserved == nil || !a.Address.Addr().Is4() || a.Loss == Ended {
			continue
		}
		if why := b.reservesNothing(a, double[hostKey{a.VRF, a.Address.Addr()}]); why != "" {
			b.problemf(describeAddress(a), "%s: the field of its reservation reserves nothing (rule CL-3)", why)
			continue
		}
		s.reservedMAC[a.Reserved.MAC] = append(s.reservedMAC[a.Reserved.MAC], a)
	}
	for _, list := range s.reservedMAC {
		slices.SortFunc(list, compareHosts)
	}
}

// reservesNothing says why the fields of a do not count, and what to do; "" if they
// do. double says that another object has the same address.
func (b *builder) reservesNothing(a *Address, double bool) string {
	switch {
	case a.Interface != (InterfaceID{}):
		return "it is assigned to " + b.s.PortName(a.Interface) + ", whose MAC counts; empty the fields, or take the assignment away"
	case a.Managed:
		return "the mirror of Windows servers manages it; reserve it there"
	case a.Reserved.Trouble != "":
		return a.Reserved.Trouble
	case double:
		return "another object has the same address; delete one of them"
	case !PlainRole(a.Role):
		return "its role is " + a.Role + "; take the role away"
	case !StaticStatus(a):
		return "its status is " + a.Status + "; want active, reserved or dhcp"
	}
	return ""
}
