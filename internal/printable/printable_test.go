package printable

import "testing"

func TestNounsFitTheirNumber(t *testing.T) {
	for n, want := range map[int]string{0: "0 entries", 1: "1 entry", 2: "2 entries"} {
		if got := Count(n, "entry", "entries"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestTextIsSafeToLookAt(t *testing.T) {
	for in, want := range map[string]string{
		"pc-17":          "pc-17",
		"Müller 北京 🎧":    "Müller 北京 🎧",
		`C:\dhcp "x"`:    `C:\dhcp "x"`,
		"it's":           "it's",
		"a\x1b[31mb":     `a\x1b[31mb`,
		"a\u009b31mb":    `a\u009b31mb`,
		"a\r\nb\tc":      `a\r\nb\tc`,
		"a\u202eb":       `a\u202eb`,
		"a\u2066b":       `a\u2066b`,
		"a\u200bb":       `a\u200bb`,
		"a\u2028b":       `a\u2028b`,
		"a\xffb":         `a\xffb`,
		"a\U000e0001b":   `a\U000e0001b`,
		"a\x00b\x7fc":    `a\x00b\x7fc`,
		"a\u00a0b\ufffd": "a\\u00a0b\ufffd",
	} {
		if got := Text(in); got != want {
			t.Errorf("Text(%q) = %s, want %s", in, got, want)
		}
	}
}
