package netboxtest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// problems are validation errors by field, as the body of a 400 has them.
type problems map[string]any

func (p problems) add(field, format string, args ...any) {
	list, _ := p[field].([]any)
	p[field] = append(list, fmt.Sprintf(format, args...))
}

// compareValues orders two values of one column; nil comes last, as in PostgreSQL.
func compareValues(a, b any) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return 1
	case b == nil:
		return -1
	}
	switch x := a.(type) {
	case string:
		y, _ := b.(string)
		return cmp.Compare(x, y)
	case int64:
		y, _ := b.(int64)
		return cmp.Compare(x, y)
	case float64:
		y, _ := b.(float64)
		return cmp.Compare(x, y)
	case time.Time:
		y, _ := b.(time.Time)
		return x.Compare(y)
	case netip.Prefix:
		y, _ := b.(netip.Prefix)
		return comparePrefixes(x, y)
	}
	return 0
}

// comparePrefixes orders as PostgreSQL orders inet: family, then the bits both masks cover, then the mask length,
// then the whole address.
func comparePrefixes(a, b netip.Prefix) int {
	if c := cmp.Compare(a.Addr().BitLen(), b.Addr().BitLen()); c != 0 {
		return c
	}
	bits := min(a.Bits(), b.Bits())
	if c := netip.PrefixFrom(a.Addr(), bits).Masked().Addr().Compare(netip.PrefixFrom(b.Addr(), bits).Masked().Addr()); c != 0 {
		return c
	}
	if c := cmp.Compare(a.Bits(), b.Bits()); c != 0 {
		return c
	}
	return a.Addr().Compare(b.Addr())
}

// isoTime writes a time as Django's REST framework does: microseconds unless zero, Z for UTC.
func isoTime(at time.Time) string {
	layout := "2006-01-02T15:04:05.000000Z07:00"
	if at.Nanosecond()/1000 == 0 {
		layout = "2006-01-02T15:04:05Z07:00"
	}
	return at.Format(layout)
}

func (t *txn) showTime(at time.Time) any {
	if at.IsZero() {
		return nil
	}
	zone := t.s.config.TimeZone
	if zone == nil {
		zone = time.UTC
	}
	return isoTime(at.In(zone))
}

// parseMoment reads an ISO 8601 time with or without zone.
func parseMoment(s string) (time.Time, bool) {
	s = strings.Replace(strings.TrimSpace(s), " ", "T", 1)
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04", "2006-01-02"} {
		if at, err := time.Parse(layout, s); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}

// parseMAC reads any common notation and writes NetBox's.
func parseMAC(s string) (string, bool) {
	plain := strings.NewReplacer(":", "", "-", "", ".", "").Replace(strings.TrimSpace(s))
	if len(plain) != 12 {
		return "", false
	}
	var parts []string
	for i := 0; i < 12; i += 2 {
		parts = append(parts, plain[i:i+2])
	}
	hw, err := net.ParseMAC(strings.Join(parts, ":"))
	if err != nil {
		return "", false
	}
	return strings.ToUpper(hw.String()), true
}

// parseAddress reads an address with or without mask; without one it becomes a host address.
func parseAddress(s string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(s); err == nil {
		return p, true
	}
	if host, mask, ok := strings.Cut(s, "/"); ok {
		return parseDotted(host, mask)
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a, a.BitLen()), true
}

// parseDotted reads an IPv4 address with a dotted mask.
func parseDotted(host, mask string) (netip.Prefix, bool) {
	a, errA := netip.ParseAddr(host)
	m, errM := netip.ParseAddr(mask)
	if errA != nil || errM != nil || !a.Is4() || !m.Is4() {
		return netip.Prefix{}, false
	}
	bits, size := net.IPMask(m.AsSlice()).Size()
	return netip.PrefixFrom(a, bits), size == 32
}

// plainJSON turns decoded numbers into int64 or float64, all the way down.
func plainJSON(v any) any {
	switch x := v.(type) {
	case json.Number:
		if n, err := x.Int64(); err == nil {
			return n
		}
		f, err := x.Float64()
		if err != nil {
			return x.String()
		}
		return f
	case []any:
		out := make([]any, len(x))
		for i := range x {
			out[i] = plainJSON(x[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(x))
		for k := range x {
			out[k] = plainJSON(x[k])
		}
		return out
	}
	return v
}

// undecoded turns stored numbers back into what a request's body has.
func undecoded(v any) any {
	switch x := v.(type) {
	case int64:
		return json.Number(strconv.FormatInt(x, 10))
	case float64:
		return json.Number(strconv.FormatFloat(x, 'g', -1, 64))
	}
	return v
}

// same compares two stored values.
func same(a, b any) bool { return reflect.DeepEqual(a, b) }

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func spaced(s string) string { return strings.ReplaceAll(s, "_", " ") }
