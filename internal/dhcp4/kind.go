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

// SetType sets option 53 of m.
func SetType(m *Packet, t dhcpv4.MessageType) {
	if v := m.Options.Get(dhcpv4.OptionDHCPMessageType); len(v) != 1 || v[0] != byte(t) {
		m.words = append(m.words, byte(t))
		m.Options.Set(dhcpv4.OptionDHCPMessageType, m.lastWords(1))
	}
}

// SetAddrs sets an option of m to IPv4 addresses.
func SetAddrs(m *Packet, code dhcpv4.OptionCode, addrs ...netip.Addr) {
	for _, addr := range addrs {
		m.addr(addr)
	}
	m.Options.Set(code, m.lastWords(len(addrs)*wordLen))
}
