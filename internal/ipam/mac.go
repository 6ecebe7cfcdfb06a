package ipam

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// MAC is a 48-bit Ethernet address, the only kind NetBox stores (I-4).
type MAC [6]byte

// ParseMAC reads any notation NetBox and network gear use: colons, hyphens,
// Cisco dots or none, in either case.
func ParseMAC(s string) (MAC, error) {
	var m MAC
	digits := strings.Map(func(r rune) rune {
		switch r {
		case ':', '-', '.':
			return -1
		}
		return r
	}, s)
	if len(digits) != 2*len(m) {
		return MAC{}, fmt.Errorf("MAC address %q: want 12 hexadecimal digits", s)
	}
	if _, err := hex.Decode(m[:], []byte(digits)); err != nil {
		return MAC{}, fmt.Errorf("MAC address %q: want 12 hexadecimal digits", s)
	}
	return m, nil
}

// String renders upper case with colons, as NetBox does.
func (m MAC) String() string {
	const digits = "0123456789ABCDEF"
	b := make([]byte, 0, 17)
	for i, octet := range m {
		if i > 0 {
			b = append(b, ':')
		}
		b = append(b, digits[octet>>4], digits[octet&15])
	}
	return string(b)
}

// Unicast reports whether m can name one machine: neither all zero nor with
// the group bit set, which all ones has too (I-2).
func (m MAC) Unicast() bool { return m != MAC{} && m[0]&1 == 0 }

// MarshalText and UnmarshalText keep the disk copy and inventories readable.
func (m MAC) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText accepts what ParseMAC accepts.
func (m *MAC) UnmarshalText(b []byte) (err error) {
	*m, err = ParseMAC(string(b))
	return err
}
