package strictyaml

import (
	"slices"
	"strings"
	"time"
)

// OneOf reports a word at path that is none of known.
func (r *Report) OneOf(path, word string, known ...string) {
	if !slices.Contains(known, word) {
		r.Addf(path, "want %s, not %.40q", strings.Join(known, " or "), word)
	}
}

// Within reports a duration at path that is below low or above high.
func (r *Report) Within(path string, value, low, high time.Duration) {
	if value < low || value > high {
		r.Addf(path, "want %s to %s, not %s", Duration(low), Duration(high), Duration(value))
	}
}

// Duration renders 12h0m0s as 12h.
func Duration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
