package windhcp

import (
	"fmt"
	"strconv"
	"strings"
)

// DefaultLifetime is the lease lifetime of a new scope whose own is not
// known, in seconds: 1 Day.
const DefaultLifetime = 86400

// Unlimited is the lease lifetime that never ends, in seconds, as Windows has it.
const Unlimited = 1<<32 - 1

const unlimited = "Unlimited"

type unit struct {
	seconds int64
	name    string
	letter  string
}

func units() []unit {
	return []unit{{86400, "Day", "d"}, {3600, "Hour", "h"}, {60, "Minute", "m"}, {1, "Second", "s"}}
}

// FormatLifetime writes a lease lifetime in the largest unit that fits without
// a remainder: 262800 is "73 Hours" (rule 9 row 4). Unlimited is a word.
func FormatLifetime(seconds int64) string {
	if seconds >= Unlimited {
		return unlimited
	}
	for _, u := range units() {
		if seconds > 0 && seconds%u.seconds == 0 {
			n := seconds / u.seconds
			if n == 1 {
				return "1 " + u.name
			}
			return fmt.Sprintf("%d %ss", n, u.name)
		}
	}
	return fmt.Sprintf("%d Seconds", seconds)
}

// ParseLifetime reads a lease lifetime in seconds: what FormatLifetime writes,
// short forms such as "8d", "73h", "30m", or plain seconds
// (rule 9 row 5).
func ParseLifetime(text string) (int64, error) {
	s := strings.ToLower(strings.TrimSpace(text))
	if s == strings.ToLower(unlimited) {
		return Unlimited, nil
	}
	digits := strings.TrimLeft(s, "0123456789")
	n, err := strconv.ParseInt(s[:len(s)-len(digits)], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("want a lifetime such as 8d, 73h, 30m or 3 Days, not %q", text)
	}
	word := strings.TrimSuffix(strings.TrimSpace(digits), "s")
	for _, u := range units() {
		if word == strings.ToLower(u.name) || word == strings.TrimSuffix(u.letter, "s") {
			if n > Unlimited/u.seconds {
				return 0, fmt.Errorf("%q is too long for a lifetime", text)
			}
			return n * u.seconds, nil
		}
	}
	return 0, fmt.Errorf("want a lifetime such as 8d, 73h, 30m or 3 Days, not %q", text)
}
