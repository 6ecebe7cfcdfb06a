package netbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// The types below read what NetBox 4.2 to 4.7 and its plugins may send in one
// place: unknown keys and values are kept or passed over, never refused.

// choice is a choice field: {"value","label"}, a bare string or null. The
// value is kept, whatever it is: lists of choices can be replaced (netbox-api.md 1.6).
type Choice string

func (c *Choice) UnmarshalJSON(b []byte) error {
	*c = ""
	var pair struct {
		Value *string `json:"value"`
	}
	if bytes.HasPrefix(b, []byte("{")) {
		if err := json.Unmarshal(b, &pair); err != nil {
			return fmt.Errorf("choice %.60s: want value and label", b)
		}
		if pair.Value != nil {
			*c = Choice(*pair.Value)
		}
		return nil
	}
	if err := json.Unmarshal(b, (*string)(c)); err != nil {
		return fmt.Errorf("choice %.60s: want a text", b)
	}
	return nil
}

// ref is a related object: nested, a bare id or null (0).
type Ref int64

func (r *Ref) UnmarshalJSON(b []byte) error {
	*r = 0
	if bytes.HasPrefix(b, []byte("{")) {
		var nested struct {
			ID int64 `json:"id"`
		}
		if err := json.Unmarshal(b, &nested); err != nil || nested.ID <= 0 {
			return fmt.Errorf("related object %.60s: want an id", b)
		}
		*r = Ref(nested.ID)
		return nil
	}
	if err := json.Unmarshal(b, (*int64)(r)); err != nil || *r < 0 {
		return fmt.Errorf("related object %.60s: want an id", b)
	}
	return nil
}

// ids gives the ids of related objects, nil for none.
func IDs(refs []Ref) []int64 {
	var list []int64
	for _, r := range refs {
		if r != 0 {
			list = append(list, int64(r))
		}
	}
	return list
}

// moment is a time stamp, zero for null.
type Moment struct{ time.Time }

func (m *Moment) UnmarshalJSON(b []byte) error {
	m.Time = time.Time{}
	var text *string
	if err := json.Unmarshal(b, &text); err != nil {
		return fmt.Errorf("time %.60s: want a text", b)
	}
	if text == nil || *text == "" {
		return nil
	}
	at, err := ParseTime(*text)
	m.Time = at
	return err
}

// parseTime reads the forms of ISO 8601 that people and programs write: with
// or without separators, seconds, fraction and zone. A time without zone is
// UTC. The result is in UTC.
func ParseTime(text string) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at.UTC(), nil // as NetBox writes it
	}
	t := strings.ToUpper(strings.TrimSpace(text))
	if date, clock, ok := strings.Cut(t, " "); ok {
		t = date + "T" + strings.TrimSpace(clock)
	}
	for _, layout := range timeLayouts() {
		if at, err := time.Parse(layout, t); err == nil {
			return at.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%.60q is no ISO 8601 time", text)
}

func timeLayouts() []string {
	var layouts []string
	for _, form := range []string{"2006-01-02T15:04:05", "2006-01-02T15:04", "20060102T150405", "20060102T1504"} {
		for _, zone := range []string{"Z07:00", "Z0700", "Z07", ""} {
			layouts = append(layouts, form+zone)
		}
	}
	return append(layouts, "2006-01-02", "20060102")
}

// formatTime is how an expiry is written: RFC 3339 in UTC with +00:00 and
// whole seconds, which text and date-time fields and PyDHCP read.
func FormatTime(t time.Time) string {
	return t.UTC().Truncate(time.Second).Format("2006-01-02T15:04:05-07:00")
}

// filterTime is a time as NetBox's filters take it.
func FilterTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

// rowHead is what every row has.
type RowHead struct {
	ID          int64  `json:"id"`
	LastUpdated Moment `json:"last_updated"`
}

func (h *RowHead) Head() *RowHead { return h }

// parseAddress reads an address with mask; NetBox always has one, an address
// without is a host.
func ParseAddress(s string) (netip.Prefix, error) {
	if !strings.Contains(s, "/") {
		addr, err := netip.ParseAddr(s)
		if err != nil || addr.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("%.60q is no IP address", s)
		}
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%.60q is no IP address with mask", s)
	}
	return p, nil
}

// fieldText gives a custom field as text: "" for null or an absent field, the
// value of a selection, the JSON itself of anything that is no text.
func FieldText(have map[string]json.RawMessage, name string) string {
	raw, ok := have[name]
	if !ok || name == "" || string(raw) == "null" {
		return ""
	}
	var text Choice
	if text.UnmarshalJSON(raw) == nil {
		return string(text)
	}
	return string(raw)
}
