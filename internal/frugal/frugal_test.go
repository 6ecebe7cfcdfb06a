package frugal

import (
	"runtime/debug"
	"testing"
)

func gogc() int {
	now := debug.SetGCPercent(100)
	debug.SetGCPercent(now)
	return now
}

func TestTheSettingIsAsBeforeOnceAllHaveEnded(t *testing.T) {
	for _, c := range []struct{ before, within int }{{100, 50}, {400, 50}, {50, 50}, {20, 20}, {-1, -1}} {
		original := debug.SetGCPercent(c.before)
		first := Begin()
		second := Begin()
		if got := gogc(); got != c.within {
			t.Errorf("GOGC %d became %d, want %d", c.before, got, c.within)
		}
		first()
		if got := gogc(); got != c.within {
			t.Errorf("GOGC is %d while one still runs, want %d", got, c.within)
		}
		second()
		if got := gogc(); got != c.before {
			t.Errorf("GOGC is %d after the end, want %d", got, c.before)
		}
		debug.SetGCPercent(original)
	}
}
