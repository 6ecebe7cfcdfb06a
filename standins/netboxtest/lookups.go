package netboxtest

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// columnValue is a column's value, the row's own id and times included.
func columnValue(r *row, name string) any {
	switch name {
	case "id":
		return r.id
	case "created":
		return r.created
	case "last_updated":
		return r.updated
	}
	return r.cols[name]
}

// valueFilter filters text, numbers and times with their lookups. Values are joined by OR, for "n" and other
// negations by AND.
func valueFilter(m *model, name, lookup string) filterFunc {
	sample := func(r *row) any { return columnValue(r, name) }
	numeric := name == "id" || name == "created" || name == "last_updated"
	for _, f := range m.fields {
		numeric = numeric || f.name == name && f.kind != text && f.kind != choice && f.kind != typeName
	}
	if !numeric {
		return textFilter(name, lookup)
	}
	return func(_ *txn, values []string) (test, string) {
		if lookup == "empty" {
			want := strings.EqualFold(values[0], "true")
			return func(r *row) bool { return (sample(r) == nil) == want }, ""
		}
		var tests []test
		for _, value := range values {
			if value == "null" {
				tests = append(tests, func(r *row) bool { return sample(r) == nil })
				continue
			}
			wanted, message := parseLike(name, value)
			if message != "" {
				return nil, message
			}
			tests = append(tests, func(r *row) bool { return compareBy(lookup, sample(r), wanted) })
		}
		return combine(tests, lookup == "n"), ""
	}
}

func combine(tests []test, and bool) test {
	return func(r *row) bool {
		if and {
			return !slices.ContainsFunc(tests, func(ok test) bool { return !ok(r) })
		}
		return slices.ContainsFunc(tests, func(ok test) bool { return ok(r) })
	}
}

// parseLike reads a filter value for a numeric or time column.
func parseLike(name, value string) (any, string) {
	if name == "created" || name == "last_updated" || strings.HasPrefix(name, "time") {
		at, ok := parseMoment(value)
		if !ok {
			return nil, "Enter a valid date/time."
		}
		return at, ""
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return nil, "Enter a whole number."
	}
	return n, ""
}

// compareBy applies a numeric lookup. A null passes only "n".
func compareBy(lookup string, have, want any) bool {
	if have == nil {
		return lookup == "n"
	}
	if at, ok := have.(time.Time); ok {
		have = at.UTC()
	}
	c := compareValues(have, want)
	switch lookup {
	case "n":
		return c != 0
	case "lt":
		return c < 0
	case "lte":
		return c <= 0
	case "gt":
		return c > 0
	case "gte":
		return c >= 0
	}
	return c == 0
}

// textLookups compare a text with a wanted one.
var textLookups = map[string]func(have, want string) bool{
	"": func(h, w string) bool { return h == w }, "n": func(h, w string) bool { return h != w },
	"ie":     strings.EqualFold,
	"nie":    func(h, w string) bool { return !strings.EqualFold(h, w) },
	"ic":     func(h, w string) bool { return strings.Contains(strings.ToLower(h), strings.ToLower(w)) },
	"nic":    func(h, w string) bool { return !strings.Contains(strings.ToLower(h), strings.ToLower(w)) },
	"isw":    func(h, w string) bool { return strings.HasPrefix(strings.ToLower(h), strings.ToLower(w)) },
	"nisw":   func(h, w string) bool { return !strings.HasPrefix(strings.ToLower(h), strings.ToLower(w)) },
	"iew":    func(h, w string) bool { return strings.HasSuffix(strings.ToLower(h), strings.ToLower(w)) },
	"niew":   func(h, w string) bool { return !strings.HasSuffix(strings.ToLower(h), strings.ToLower(w)) },
	"regex":  matches,
	"iregex": func(h, w string) bool { return matches(h, "(?i)"+w) },
	"empty":  func(h, w string) bool { return (h == "") == strings.EqualFold(w, "true") },
}

func matches(have, want string) bool {
	re, err := regexp.Compile(want)
	return err == nil && re.MatchString(have)
}

func textFilter(name, lookup string) filterFunc {
	compare := textLookups[lookup]
	if compare == nil {
		return nil
	}
	return func(_ *txn, values []string) (test, string) {
		var tests []test
		for _, v := range values {
			tests = append(tests, func(r *row) bool {
				have, ok := r.cols[name].(string)
				return compare(have, v) || v == "null" && lookup == "" && !ok
			})
		}
		return combine(tests, strings.HasPrefix(lookup, "n")), ""
	}
}

// macFilter compares MAC addresses in any notation. A malformed one is an error from 4.7 on; before, it makes the whole
// filter match nothing.
func macFilter(macs func(t *txn, r *row) []string) filterFunc {
	return func(t *txn, values []string) (test, string) {
		want := map[string]bool{}
		for _, v := range values {
			mac, ok := parseMAC(v)
			if !ok && t.s.config.Version.atLeast(7) {
				return nil, "Invalid MAC address format: " + v
			}
			if !ok {
				return func(*row) bool { return false }, ""
			}
			want[mac] = true
		}
		return func(r *row) bool {
			return slices.ContainsFunc(macs(t, r), func(mac string) bool { return want[mac] })
		}, ""
	}
}

// lastOf makes a filter take only the last of several values.
func lastOf(f filterFunc) filterFunc {
	return func(t *txn, values []string) (test, string) { return f(t, values[len(values)-1:]) }
}

// prefixFilter tests a network or address column against networks; a malformed value matches nothing.
func prefixFilter(column string, ok func(have, want netip.Prefix, masked bool) bool) filterFunc {
	return func(_ *txn, values []string) (test, string) {
		return func(r *row) bool {
			have, isPrefix := r.cols[column].(netip.Prefix)
			return isPrefix && slices.ContainsFunc(values, func(v string) bool {
				want, valid := parseAddress(strings.TrimSpace(v))
				return valid && ok(have, want, strings.Contains(v, "/"))
			})
		}, ""
	}
}
