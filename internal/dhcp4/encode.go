package dhcp4

import (
	"encoding/binary"
	"net"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// Sizes of the fixed part, RFC 2131 section 2.
const (
	lenChaddr = 16
	lenSname  = 64
	lenFile   = 128
)

// AppendMessage appends m to dst as ToBytes of the library writes it, byte for
// byte, without the memory that ToBytes takes each time. Like ToBytes it panics
// where an address of the header is set and not IPv4.
func AppendMessage(dst []byte, m *Packet) []byte {
	start := len(dst)
	dst = append(dst, byte(m.OpCode), byte(m.HWType), byte(len(m.ClientHWAddr)), m.HopCount) //nolint:gosec // G115: cut as by the library
	dst = append(dst, m.TransactionID[:]...)
	dst = binary.BigEndian.AppendUint16(dst, m.NumSeconds)
	dst = binary.BigEndian.AppendUint16(dst, m.Flags)
	for _, ip := range [...]net.IP{m.ClientIPAddr, m.YourIPAddr, m.ServerIPAddr, m.GatewayIPAddr} {
		dst = appendAddr(dst, ip)
	}
	dst = appendField(dst, m.ClientHWAddr, lenChaddr, lenChaddr)
	dst = appendField(dst, m.ServerHostName, lenSname, lenSname-1) // each ends with a NUL
	dst = appendField(dst, m.BootFileName, lenFile, lenFile-1)
	dst = append(dst, 99, 130, 83, 99) // the cookie
	dst = append(appendOptions(dst, &m.Options), dhcpv4.OptionEnd.Code())
	if n := len(dst) - start; n < paddedLength {
		dst = append(dst, make([]byte, paddedLength-n)...)
	}
	return dst
}

func appendAddr(dst []byte, ip net.IP) []byte {
	if ip == nil {
		return append(dst, 0, 0, 0, 0)
	}
	addr := [net.IPv4len]byte(ip.To4())
	return append(dst, addr[:]...)
}

// appendField appends up to most bytes of value, and zeros up to length.
func appendField[T string | []byte | net.HardwareAddr](dst []byte, value T, length, most int) []byte {
	n := min(len(value), most)
	dst = append(dst, value[:n]...)
	return append(dst, make([]byte, length-n)...)
}

// appendOptions appends options in the order of their codes, but 82 as the last
// (RFC 3046 section 2.1). One that is too long is split (RFC 3396).
func appendOptions(dst []byte, options *Options) []byte {
	last := dhcpv4.OptionRelayAgentInformation
	for code, value := range options.All() {
		if code != dhcpv4.OptionPad.Code() && code != dhcpv4.OptionEnd.Code() && code != last.Code() { // the first two are never written
			dst = appendOption(dst, code, value)
		}
	}
	if info, sent := options.Sent(last); sent {
		dst = appendOption(dst, last.Code(), info)
	}
	return dst
}

func appendOption(dst []byte, code uint8, value []byte) []byte {
	for len(value) > optionLength {
		dst = append(append(dst, code, optionLength), value[:optionLength]...)
		value = value[optionLength:]
	}
	return append(append(dst, code, byte(len(value))), value...) //nolint:gosec // G115: at most 255
}
