package ipam

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// Reservation names the client that an address without a device is for, as custom
// fields of the address do (CL-1).
type Reservation struct {
	MAC MAC // the zero MAC: none
	// ClientID are the bytes of option 61, the type byte included; empty: none.
	// It is empty where the address names a MAC, too.
	ClientID string
	// Trouble says in words why the fields name no client; empty: they name one.
	// The address is kept out of the pools all the same.
	Trouble string
}

// Lengths of a client identifier in bytes (RFC 2132 section 9.14).
const (
	minClientID = 2
	maxClientID = 255
)

// ReservationField is a custom field of an address: its name and its text.
type ReservationField struct{ Name, Text string }

// ParseReservation reads the fields of one address; nil where both are empty.
func ParseReservation(mac, id ReservationField) *Reservation {
	mac.Text, id.Text = strings.TrimSpace(mac.Text), strings.TrimSpace(id.Text)
	switch {
	case mac.Text != "":
		m, err := ParseMAC(mac.Text)
		if err != nil || !m.Unicast() {
			return &Reservation{Trouble: fmt.Sprintf("field %s: want the MAC of one machine such as 52:54:00:00:00:01, not %.60q", mac.Name, mac.Text)}
		}
		return &Reservation{MAC: m}
	case id.Text != "":
		bytes, ok := parseClientID(id.Text)
		if !ok {
			return &Reservation{Trouble: fmt.Sprintf("field %s: want the %d to %d bytes of option 61 in hexadecimal such as 01:52:54:00:00:00:01, or as text in double quotes, not %.60q",
				id.Name, minClientID, maxClientID, id.Text)}
		}
		return &Reservation{ClientID: bytes}
	}
	return nil
}

// parseClientID reads hexadecimal bytes with colons, hyphens, dots or nothing
// between them, or text in double quotes, which stands for its own bytes.
func parseClientID(text string) (string, bool) {
	if quoted, ok := strings.CutPrefix(text, `"`); ok {
		inner, closed := strings.CutSuffix(quoted, `"`)
		return inner, closed && !strings.Contains(inner, `"`) && len(inner) >= minClientID && len(inner) <= maxClientID
	}
	digits := strings.NewReplacer(":", "", "-", "", ".", "").Replace(strings.TrimPrefix(text, "0x"))
	bytes, err := hex.DecodeString(digits)
	return string(bytes), err == nil && len(bytes) >= minClientID && len(bytes) <= maxClientID
}

// names reports whether the fields of a, an address without a device, say
// something of a client: then it is no address of a pool (CL-2).
func (a *Address) names() bool { return a.Reserved != nil && a.Interface == (InterfaceID{}) }

// ReservedFor returns the addresses without a device whose custom fields name a MAC,
// by address (CL-1).
func (s *Snapshot) ReservedFor(m MAC) []*Address { return s.reservedMAC[m] }

// ReservedForID returns those that name a client identifier, given as the bytes of
// option 61.
func (s *Snapshot) ReservedForID(id []byte) []*Address { return s.reservedID[string(id)] }

// IsReserved reports whether a is one of those of ReservedFor.
func (s *Snapshot) IsReserved(a *Address) bool {
	return a.names() && slices.Contains(s.reservedMAC[a.Reserved.MAC], a)
}

// indexReservations finds the addresses that name a client, and tells of those
// whose fields reserve nothing (CL-3). others are the addresses whose host has an
// object with a lower id.
func (b *builder) indexReservations(others []*Address) {
	s := b.s
	s.reservedMAC, s.reservedID = make(map[MAC][]*Address), make(map[string][]*Address)
	double := make(map[hostKey]bool, len(others))
	for _, a := range others {
		double[hostKey{a.VRF, a.Address.Addr()}] = true
	}
	for _, a := range s.objects.Addresses {
		if a.Reserved == nil || !a.Address.Addr().Is4() || a.Loss == Ended {
			continue
		}
		switch why := b.reservesNothing(a, double[hostKey{a.VRF, a.Address.Addr()}]); {
		case why != "":
			b.problemf(describeAddress(a), "%s: the fields of its reservation reserve nothing (rule CL-3)", why)
		case a.Reserved.ClientID != "":
			s.reservedID[a.Reserved.ClientID] = append(s.reservedID[a.Reserved.ClientID], a)
		default:
			s.reservedMAC[a.Reserved.MAC] = append(s.reservedMAC[a.Reserved.MAC], a)
		}
	}
	for _, list := range s.reservedMAC {
		slices.SortFunc(list, compareHosts)
	}
	for _, list := range s.reservedID {
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
