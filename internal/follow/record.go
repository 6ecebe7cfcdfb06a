package follow

import (
	"encoding/json"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
)

// Fields are names of custom fields on IP addresses. An empty name is neither
// read nor written.
type Fields struct {
	MAC, Expire, Hostname string
	// ReservationMAC and ReservationID name the client that an address without a
	// device is for (CL-1). Empty names leave the fingerprint of disk copies as it was.
	ReservationMAC string `json:",omitempty"`
	ReservationID  string `json:",omitempty"`
}

func (f Fields) names() []string {
	var names []string
	for _, name := range []string{f.MAC, f.Expire, f.Hostname, f.ReservationMAC, f.ReservationID} {
		if name != "" {
			names = append(names, name)
		}
	}
	return names
}

// Record reads a lease record from the custom fields of an address. The fields
// may have any type.
func (f Fields) Record(have map[string]json.RawMessage) ipam.Record {
	r := ipam.Record{Client: ClientKey(netbox.FieldText(have, f.MAC)), Hostname: netbox.FieldText(have, f.Hostname)}
	expire := strings.TrimSpace(netbox.FieldText(have, f.Expire))
	if expire == "" {
		return r
	}
	at, err := netbox.ParseTime(expire)
	if err != nil {
		// In use, never to be reclaimed: better one address lost than one
		// given out twice (P-17).
		r.Unreadable = true
		return r
	}
	r.Expires = at
	return r
}

// Reservation reads which client an address is for; nil: none is named.
func (f Fields) Reservation(have map[string]json.RawMessage) *ipam.Reservation {
	field := func(name string) ipam.ReservationField {
		return ipam.ReservationField{Name: name, Text: netbox.FieldText(have, name)}
	}
	return ipam.ParseReservation(field(f.ReservationMAC), field(f.ReservationID))
}

// ClientKey brings a MAC in any notation into the form of client keys (I-1)
// and leaves other text as it is.
func ClientKey(text string) string {
	text = strings.TrimSpace(text)
	if mac, err := ipam.ParseMAC(text); err == nil {
		return mac.String()
	}
	return text
}
