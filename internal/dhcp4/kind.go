package dhcp4

import "github.com/insomniacslk/dhcp/dhcpv4"

// TypeOf is m.MessageType() without the memory that it takes each time.
func TypeOf(m *dhcpv4.DHCPv4) dhcpv4.MessageType {
	if v := m.Options[dhcpv4.OptionDHCPMessageType.Code()]; len(v) == 1 {
		return dhcpv4.MessageType(v[0])
	}
	return dhcpv4.MessageTypeNone
}

// SetType sets option 53 of m, which has options.
func SetType(m *dhcpv4.DHCPv4, t dhcpv4.MessageType) {
	m.Options[dhcpv4.OptionDHCPMessageType.Code()] = []byte{byte(t)}
}
