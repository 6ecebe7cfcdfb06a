package endpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/rest"
)

// record is one entry of a list. Its keys are compared without case and
// underscores, which makes scope_id and ScopeId one; of two such keys the
// snake_case one wins (rule 1.4 quirk 1). Readers take the names a
// value goes by, in order of preference, and note what they cannot read.
type record struct {
	fields map[string]json.RawMessage
	wrong  []error
}

func newRecord(fields map[string]json.RawMessage) *record {
	out := &record{fields: make(map[string]json.RawMessage, len(fields))}
	for key, value := range fields {
		lower := strings.ToLower(key)
		plain := strings.ReplaceAll(lower, "_", "")
		if _, taken := out.fields[plain]; !taken || key == lower {
			out.fields[plain] = value
		}
	}
	return out
}

func readRecord(raw json.RawMessage) (*record, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil || fields == nil {
		return nil, fmt.Errorf("no object: %s", quote(string(raw)))
	}
	return newRecord(fields), nil
}

// err tells everything that was wrong with the entry.
func (r *record) err() error { return errors.Join(r.wrong...) }

func (r *record) fail(format string, args ...any) {
	r.wrong = append(r.wrong, fmt.Errorf(format, args...))
}

// raw returns the first of the named values that is there and not null.
func (r *record) raw(names ...string) json.RawMessage {
	for _, name := range names {
		if value, ok := r.fields[strings.ReplaceAll(name, "_", "")]; ok && string(value) != "null" {
			return value
		}
	}
	return nil
}

func (r *record) has(names ...string) bool { return r.raw(names...) != nil }

// text reads a string, or a number or truth value as text; missing is "".
func (r *record) text(names ...string) string {
	raw := r.raw(names...)
	if raw == nil {
		return ""
	}
	text, err := scalar(raw)
	if err != nil {
		r.fail("%s is %w", names[0], err)
	}
	return text
}

// texts reads a list of strings, or a single one; nulls are left out.
func (r *record) texts(names ...string) []string {
	raw := r.raw(names...)
	if raw == nil {
		return nil
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		list = []json.RawMessage{raw}
	}
	out := make([]string, 0, len(list))
	for _, one := range list {
		if string(one) == "null" {
			continue
		}
		text, err := scalar(one)
		if err != nil {
			r.fail("%s holds %w", names[0], err)
			continue
		}
		out = append(out, text)
	}
	return out
}

// scalar reads a value as text. An address that PowerShell took apart is put
// together again.
func scalar(raw json.RawMessage) (string, error) {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text, nil
	}
	var address struct{ IPAddressToString *string }
	if json.Unmarshal(raw, &address) == nil && address.IPAddressToString != nil {
		return *address.IPAddressToString, nil
	}
	if raw[0] == '{' || raw[0] == '[' {
		return "", fmt.Errorf("no text: %s", quote(string(raw)))
	}
	return string(raw), nil
}

// addr reads an IPv4 address; the zero Addr if it is missing or empty.
func (r *record) addr(names ...string) netip.Addr {
	text := strings.TrimSpace(r.text(names...))
	if text == "" {
		return netip.Addr{}
	}
	addr, err := parseIPv4(text)
	if err != nil {
		r.fail("%s is %w", names[0], err)
	}
	return addr
}

// needAddr reads an IPv4 address without which the entry cannot be used.
func (r *record) needAddr(names ...string) netip.Addr {
	addr := r.addr(names...)
	if !addr.IsValid() && len(r.wrong) == 0 {
		r.fail("no %s", names[0])
	}
	return addr
}

func parseIPv4(text string) (netip.Addr, error) {
	addr, err := netip.ParseAddr(text)
	if err != nil || !addr.Is4() {
		return netip.Addr{}, fmt.Errorf("no IPv4 address: %s", quote(text))
	}
	return addr, nil
}

// number reads a whole number, as such or as text; missing is 0.
func (r *record) number(names ...string) int64 {
	text := strings.TrimSpace(r.text(names...))
	if text == "" {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		r.fail("%s is no whole number: %s", names[0], quote(text))
	}
	return n
}

// flag reads a truth value, as such or as text; missing is false.
func (r *record) flag(names ...string) bool {
	text := strings.TrimSpace(r.text(names...))
	if text == "" {
		return false
	}
	yes, err := strconv.ParseBool(strings.ToLower(text))
	if err != nil {
		r.fail("%s is neither true nor false: %s", names[0], quote(text))
	}
	return yes
}

// seconds reads a duration: whole seconds, a timespan such as "8.00:00:00", or
// a timespan that PowerShell took apart. ok is false if it is missing or says
// nothing that can be understood: an unknown duration never spoils an entry.
func (r *record) seconds(names ...string) (secs int64, ok bool) {
	raw := r.raw(names...)
	if raw == nil {
		return 0, false
	}
	var span struct{ TotalSeconds *float64 }
	if raw[0] == '{' && json.Unmarshal(raw, &span) == nil && span.TotalSeconds != nil {
		raw = []byte(strconv.FormatFloat(*span.TotalSeconds, 'f', -1, 64))
	}
	text, err := scalar(raw)
	if err != nil {
		return 0, false
	}
	return parseSeconds(strings.TrimSpace(text))
}

func parseSeconds(text string) (int64, bool) {
	if f, err := strconv.ParseFloat(text, 64); err == nil {
		if math.IsNaN(f) || math.Abs(f) > 1<<53 {
			return 0, false
		}
		return int64(f), true
	}
	return parseTimespan(text)
}

// parseTimespan reads .NET's [-][d.]hh:mm:ss[.fffffff]; the fraction is cut
// off.
func parseTimespan(text string) (int64, bool) {
	body, negative := strings.CutPrefix(text, "-")
	parts := strings.Split(body, ":")
	if len(parts) != 3 {
		return 0, false
	}
	days, hours, dotted := strings.Cut(parts[0], ".")
	if !dotted {
		days, hours = "0", parts[0]
	}
	whole, _, _ := strings.Cut(parts[2], ".")
	var total int64
	for _, part := range []struct {
		text       string
		unit, most uint64
	}{{days, 86400, 10_675_199}, {hours, 3600, 23}, {parts[1], 60, 59}, {whole, 1, 59}} {
		n, err := strconv.ParseUint(part.text, 10, 32)
		if err != nil || n > part.most {
			return 0, false
		}
		total += int64(n * part.unit) //nolint:gosec // n is at most most
	}
	if negative {
		total = -total
	}
	return total, true
}

// moment reads a time in UTC; text that is none gives the zero time
// (rule 3.9).
func (r *record) moment(names ...string) time.Time {
	at := r.point(names)
	if at.Unix() <= 0 { // .NET's first moment, or the zero of Windows' file times
		return time.Time{}
	}
	return End(at)
}

// End is when something ends; zero: never. The year of .NET's last moment means that,
// and so it does in a certificate (RFC 5280 section 4.1.2.5).
func End(at time.Time) time.Time {
	if at.UTC().Year() >= 9999 {
		return time.Time{}
	}
	return at
}

func (r *record) point(names []string) time.Time {
	raw := r.orEmpty(names)
	var noted struct{ Value json.RawMessage } // a time with notes of PowerShell beside it, such as DisplayHint
	if json.Unmarshal(raw, &noted) == nil && len(noted.Value) > 0 {
		raw = noted.Value
	}
	text, err := scalar(raw)
	if err != nil {
		return time.Time{}
	}
	text = strings.TrimSpace(text)
	if ms, ok := strings.CutPrefix(text, "/Date("); ok { // Windows PowerShell 5.1
		n, err := strconv.ParseInt(strings.TrimSuffix(ms, ")/"), 10, 64)
		if err != nil {
			return time.Time{}
		}
		return time.UnixMilli(n).UTC()
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC()
		}
	}
	return time.Time{}
}

func (r *record) orEmpty(names []string) json.RawMessage {
	if raw := r.raw(names...); raw != nil {
		return raw
	}
	return json.RawMessage(`""`)
}

// quote makes foreign text fit for a message.
func quote(text string) string { return strconv.Quote(rest.Clean(text, 80)) }
