package netbox

import (
	"encoding/json"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// record reads the mirror of a binding from the custom fields of an address,
// whatever their declared types.
func (f Fields) record(have map[string]json.RawMessage) ipam.Record {
	r := ipam.Record{Client: clientKey(fieldText(have, f.MAC)), Hostname: fieldText(have, f.Hostname)}
	expire := strings.TrimSpace(fieldText(have, f.Expire))
	if expire == "" {
		return r
	}
	at, err := parseTime(expire)
	if err != nil {
		// In use, never to be reclaimed: better one address lost than one
		// given out twice (P-17).
		r.Unreadable = true
		return r
	}
	r.Expires = at
	return r
}

// fieldText gives a custom field as text: "" for null or an absent field, the
// value of a selection, the JSON itself of anything that is no text.
func fieldText(have map[string]json.RawMessage, name string) string {
	raw, ok := have[name]
	if !ok || name == "" || string(raw) == "null" {
		return ""
	}
	var text choice
	if text.UnmarshalJSON(raw) == nil {
		return string(text)
	}
	return string(raw)
}

// clientKey brings a MAC in any notation into the form of client keys (I-1)
// and leaves other text as it is.
func clientKey(text string) string {
	text = strings.TrimSpace(text)
	if mac, err := ipam.ParseMAC(text); err == nil {
		return mac.String()
	}
	return text
}
