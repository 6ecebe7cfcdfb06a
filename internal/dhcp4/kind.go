package dhcp4

import (
	"net/netip"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// TypeOf is m.MessageType() without the memory that it takes each time.
func TypeOf(m *Packet) dhcpv4.MessageType {
	if v := m.Options.Get(dhcpv4.OptionDHCPMessageType); len(v) == 1 {
		return dhcpv4.MessageType(v[0])
	}
	return dhcpv4.MessageTypeNone
}

// SetType sets option 53 of m, which has options.
func SetType(m *Packet, t dhcpv4.MessageType) {
	if v := m.Options.Get(dhcpv4.OptionDHCPMessageType); len(v) != 1 || v[0] != byte(t) {
		m.Options.Set(dhcpv4.OptionDHCPMessageType, []byte{byte(t)})
	}
}

// SetAddrs sets an option of m, which has options, to IPv4 addresses.
func SetAddrs(m *Packet, code dhcpv4.OptionCode, addrs ...netip.Addr) {
	value := make([]byte, 0, len(addrs)*wordLen)
	for _, addr := range addrs {
		octets := addr.As4()
		value = append(value, octets[:]...)
	}
	m.Options.Set(code, value)
}
