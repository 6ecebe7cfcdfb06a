package windhcp

import "testing"

// rules 9 row 4 and 9 row 5.
func TestLifetimesAreReadableBothWays(t *testing.T) {
	for _, c := range []struct {
		seconds int64
		text    string
	}{
		{86400, "1 Day"},
		{259200, "3 Days"},
		{691200, "8 Days"},
		{262800, "73 Hours"},
		{3600, "1 Hour"},
		{60, "1 Minute"},
		{1800, "30 Minutes"},
		{45, "45 Seconds"},
		{1, "1 Second"},
		{86401, "86401 Seconds"},
	} {
		if have := FormatLifetime(c.seconds); have != c.text {
			t.Errorf("%d seconds: %q, want %q", c.seconds, have, c.text)
		}
		if have, err := ParseLifetime(c.text); err != nil || have != c.seconds {
			t.Errorf("%q: %d, %v, want %d", c.text, have, err, c.seconds)
		}
	}
}

// rule 9 row 4: nothing that counts as a time has a unit.
func TestALifetimeOfNothingIsShownInSeconds(t *testing.T) {
	for seconds, want := range map[int64]string{0: "0 Seconds", -1: "-1 Seconds", -86400: "-86400 Seconds"} {
		if have := FormatLifetime(seconds); have != want {
			t.Errorf("%d: %q, want %q", seconds, have, want)
		}
	}
}

// rule 9 row 5.
func TestLifetimesAreReadInShortForms(t *testing.T) {
	for text, want := range map[string]int64{
		"8d": 691200, "73h": 262800, "30m": 1800, "45s": 45, " 1 day ": 86400, "2 DAYS": 172800, "90 Minutes": 5400, "5 second": 5,
	} {
		if have, err := ParseLifetime(text); err != nil || have != want {
			t.Errorf("%q: %d, %v, want %d", text, have, err, want)
		}
	}
	if have, err := ParseLifetime("3600"); err != nil || have != 3600 {
		t.Errorf("plain seconds: %d, %v, want 3600", have, err)
	}
	for _, text := range []string{"", "d", "8x", "-1d", "1.5h", "8 weeks", "1d2h", "99999999999999999999", "9999999999999d"} {
		if have, err := ParseLifetime(text); err == nil {
			t.Errorf("%q was read as %d", text, have)
		}
	}
}

// rule 9 row 5: what is read is shown so that it is read
// as the same.
func FuzzLifetime(f *testing.F) {
	for _, seed := range []string{"8d", "73 Hours", "1 Day", "45", "0", "1099511627776s", "1dd", "5ss"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		seconds, err := ParseLifetime(text)
		if err != nil {
			return
		}
		if seconds < 0 {
			t.Fatalf("%q: %d seconds", text, seconds)
		}
		if again, err := ParseLifetime(FormatLifetime(seconds)); err != nil || again != seconds {
			t.Fatalf("%q: %d seconds are shown as %q, which is read as %d, %v", text, seconds, FormatLifetime(seconds), again, err)
		}
	})
}
