package page

import (
	"fmt"
	"time"
)

// Stamp writes a time to the second.
func Stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 MST") }

// ShortStamp writes a time to the minute.
func ShortStamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") }

// ISO writes a time for programs; empty: it is zero.
func ISO(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// Ago writes the distance of two times in the largest unit.
func Ago(now, t time.Time) string {
	d := now.Sub(t)
	form := "%s ago"
	if d < 0 {
		d, form = -d, "in %s"
	}
	text := ""
	switch {
	case d < time.Second:
		return "now"
	case d < time.Minute:
		text = fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		text = fmt.Sprintf("%d min", d/time.Minute)
	case d < 48*time.Hour:
		text = fmt.Sprintf("%d h", d/time.Hour)
	default:
		text = fmt.Sprintf("%d days", d/(24*time.Hour))
	}
	return fmt.Sprintf(form, text)
}
