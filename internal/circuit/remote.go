package circuit

import (
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"
)

// Switch is one meaning that a remote-id may have: a MAC, an address or a name of
// the switch. The other fields are zero.
type Switch struct {
	MAC  [6]byte
	Addr netip.Addr
	Name string
}

// ReadRemote returns all that a remote-id may mean; none where no format fits. It is
// the MAC of the switch in most (Cisco, Nexus and ProCurve in binary, others as text),
// else its address or its name.
func ReadRemote(id []byte) []Switch {
	var list []Switch
	value, framed := inner(id)
	if !framed {
		value = id
	}
	switch {
	case len(value) == 6 && (framed && id[0] == 0 || !framed && !printable(value)):
		list = append(list, Switch{MAC: [6]byte(value)})
	case !framed && len(value) == 4 && !printable(value):
		list = append(list, Switch{Addr: netip.AddrFrom4([4]byte(value))})
	}
	for _, text := range texts(id) {
		text = strings.TrimSpace(text)
		if addr, err := netip.ParseAddr(text); err == nil {
			list = append(list, Switch{Addr: addr})
		} else if mac, ok := textMAC(text); ok {
			list = append(list, Switch{MAC: mac})
		} else if text != "" {
			list = append(list, Switch{Name: text})
		}
	}
	return slices.DeleteFunc(list, func(s Switch) bool { return s == Switch{} })
}

func textMAC(text string) (mac [6]byte, ok bool) {
	if len(text) > len("00:00:00:00:00:00") {
		return mac, false
	}
	digits := strings.Map(func(r rune) rune {
		if strings.ContainsRune(":-.", r) {
			return -1
		}
		return r
	}, text)
	b, err := hex.DecodeString(digits)
	if err != nil || len(b) != len(mac) {
		return mac, false
	}
	return [6]byte(b), true
}
