package netbox

import (
	"testing"
	"time"
)

func TestTimesAreReadInEveryFormOfISO8601(t *testing.T) { // A-6, P-17
	want := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, text := range []string{
		"2026-01-02T03:04:05Z", "2026-01-02T03:04:05+00:00", "2026-01-02T03:04:05", "2026-01-02 03:04:05",
		"2026-01-02T03:04:05.000Z", "2026-01-02T03:04:05,000000+00:00", "2026-01-02t03:04:05z",
		"2026-01-02T05:04:05+02:00", "2026-01-02T05:04:05+0200", "2026-01-02T05:04:05+02", "2026-01-01T22:04:05-05:00",
		"20260102T030405Z", "20260102T030405", "20260102T050405+0200", " 2026-01-02T03:04:05Z\n",
	} {
		got, err := ParseTime(text)
		if err != nil || !got.Equal(want) || got.Location() != time.UTC {
			t.Errorf("%q is %v, %v; want %v", text, got, err, want)
		}
	}
	for text, want := range map[string]time.Time{
		"2026-01-02T03:04Z": time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC),
		"20260102T0304":     time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC),
		"2026-01-02":        time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC),
		"20260102":          time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC),
	} {
		if got, err := ParseTime(text); err != nil || !got.Equal(want) {
			t.Errorf("%q is %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "soon", "never", "1767323045", "2026-13-01T00:00:00Z", "02.01.2026", "2026-01-02T25:00:00Z"} {
		if got, err := ParseTime(text); err == nil {
			t.Errorf("%q was read as %v", text, got)
		}
	}
}

func TestAnExpiryIsWrittenInUTCWithWholeSeconds(t *testing.T) {
	at := time.Date(2026, 1, 2, 5, 4, 5, 999_999_999, time.FixedZone("", 2*3600))
	if got, want := FormatTime(at), "2026-01-02T03:04:05+00:00"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func FuzzTime(f *testing.F) {
	for _, seed := range []string{"2026-01-02T03:04:05Z", "20260102T0304+02", "2026-01-02 03:04:05.5", "2026-01-02"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		at, err := ParseTime(text)
		if err != nil || at.Year() < 0 || at.Year() > 9999 {
			return
		}
		again, err := ParseTime(FormatTime(at))
		if err != nil || !again.Equal(at.Truncate(time.Second)) {
			t.Errorf("%q is %s, which is written %s and read %s, %v", text, at, FormatTime(at), again, err)
		}
	})
}
