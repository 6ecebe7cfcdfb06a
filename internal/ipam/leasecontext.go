package ipam

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/nearest"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/option"
)

// LeaseContext is what config contexts say of leases (CTX-4).
type LeaseContext struct {
	LeaseTimes
	AllowUnknown Said[bool] // allow_unknown
	ServeClients Said[bool] // serve_clients
	KeepForKnown Said[int]  // keep_for_known, in percent of the pool, 0 to 90
	// RandomTimes are the times of clients that NetBox does not know and whose MAC is
	// locally administered, RandomAllowed whether they get leases at all (random_macs).
	RandomTimes   LeaseTimes
	RandomAllowed Said[bool]
}

// LeaseTimes are lease times of a context, each from ShortestLease to 10 years.
type LeaseTimes struct {
	Time, Min, Max Said[time.Duration] // lease_time, lease_min, lease_max
}

// Said is a value with the config context that says it.
type Said[T any] struct {
	Value  T
	Source string // empty: nothing is said
}

// IsSaid reports whether a context says something.
func (s Said[T]) IsSaid() bool { return s.Source != "" }

// The limits of a lease time of a context. A shorter one would make all clients of a
// network renew every second (CTX-4).
const (
	ShortestLease = time.Minute
	longestLease  = 10 * 365 * 24 * time.Hour
)

// leaseKeys are the keys that LeaseContext is read from.
func leaseKeys() []string {
	return []string{"allow_unknown", "keep_for_known", "lease_max", "lease_min", "lease_time", "random_macs", "serve_clients"}
}

// strangerKeys are those that say nothing about machines that NetBox knows.
func strangerKeys() []string {
	return []string{"allow_unknown", "keep_for_known", "random_macs", "serve_clients"}
}

// lay lays one layer over what lower ones say. Null takes away what they say; a
// value that cannot be used says nothing and is a finding (G-9).
func (l *LeaseContext) lay(layer option.Layer) []option.Finding {
	r := leaseReader{source: layer.Source, data: layer.Data}
	r.times(&l.LeaseTimes)
	read(&r, "allow_unknown", &l.AllowUnknown, yesOrNo)
	read(&r, "serve_clients", &l.ServeClients, yesOrNo)
	read(&r, "keep_for_known", &l.KeepForKnown, percent)
	switch random := layer.Data["random_macs"].(type) {
	case nil:
		if _, cleared := layer.Data["random_macs"]; cleared {
			l.RandomTimes, l.RandomAllowed = LeaseTimes{}, Said[bool]{}
		}
	case map[string]any:
		r.data, r.below = random, "random_macs."
		r.times(&l.RandomTimes)
		read(&r, "allow", &l.RandomAllowed, yesOrNo)
		r.unread("allow", "lease_max", "lease_min", "lease_time")
	default:
		r.findf("random_macs", "want an object with allow, lease_time, lease_min or lease_max, not %s", shown(random))
	}
	return r.findings
}

// leaseReader reads one layer.
type leaseReader struct {
	source   string
	data     map[string]any
	below    string // path of data inside the layer
	findings []option.Finding
}

func (r *leaseReader) findf(key, format string, args ...any) {
	r.findings = append(r.findings, option.Finding{Source: r.source, Field: r.below + key, Problem: fmt.Sprintf(format, args...)})
}

func (r *leaseReader) times(t *LeaseTimes) {
	read(r, "lease_time", &t.Time, leaseTime)
	read(r, "lease_min", &t.Min, leaseTime)
	read(r, "lease_max", &t.Max, leaseTime)
}

// unread names keys that nothing reads.
func (r *leaseReader) unread(known ...string) {
	for _, key := range slices.Sorted(maps.Keys(r.data)) {
		if !slices.Contains(known, key) {
			r.findf(key, "no such key; %s", nearest.Suggest(key, known))
		}
	}
}

// read reads one key. parse returns what is wrong with a value, and whether it
// counts all the same.
func read[T any](r *leaseReader, key string, into *Said[T], parse func(any) (value T, wrong string, usable bool)) {
	raw, there := r.data[key]
	if !there {
		return
	}
	if raw == nil {
		*into = Said[T]{}
		return
	}
	value, wrong, usable := parse(raw)
	if wrong != "" {
		r.findf(key, "%s", wrong)
	}
	if usable {
		*into = Said[T]{Value: value, Source: r.source}
	}
}

func yesOrNo(raw any) (value bool, wrong string, usable bool) {
	value, ok := raw.(bool)
	if !ok {
		return false, "want true or false, not " + shown(raw), false
	}
	return value, "", true
}

func percent(raw any) (value int, wrong string, usable bool) {
	if number, ok := raw.(json.Number); ok {
		if n, err := strconv.Atoi(string(number)); err == nil && n >= 0 && n <= 90 {
			return n, "", true
		}
	}
	return 0, "want a whole number from 0 to 90, in percent of the pool, not " + shown(raw), false
}

// leaseTime reads whole seconds, or a text of a number and a unit: 45s, 90m, 8h, 1d.
func leaseTime(raw any) (value time.Duration, wrong string, usable bool) {
	text, unit := "", time.Second
	switch v := raw.(type) {
	case json.Number:
		text = string(v)
	case string:
		if last := len(v) - 1; last > 0 {
			text, unit = v[:last], units()[v[last]]
		}
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err == nil && unit > 0 {
		value, usable = time.Duration(n)*unit, n <= uint64(longestLease/unit) //nolint:gosec // G115: it has 32 bits
	}
	switch {
	case !usable:
		return 0, "want whole seconds, or a time such as 8h, of 60 s to 10 years, not " + shown(raw), false
	case value < ShortestLease:
		return ShortestLease, "60 s count, the shortest time of a context, instead of " + shown(raw), true
	}
	return value, "", true
}

func units() map[byte]time.Duration {
	return map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour}
}

// shown writes a value as it stands in the context, or its beginning.
func shown(value any) string {
	raw, err := json.Marshal(value)
	if err != nil {
		return "what is there"
	}
	return fmt.Sprintf("%.60s", raw)
}
