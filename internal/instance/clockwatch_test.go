package instance

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus/hooks/test"
)

// S-9: an error when the clocks begin to differ, a line when that ends, and
// nothing between.
func TestClocksThatDifferAreToldWhenItBeginsAndEnds(t *testing.T) {
	log, hook := test.NewNullLogger()
	w := clockWatch{log: log}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var got []string
	for _, skew := range []time.Duration{
		0, 2 * time.Minute, -2 * time.Minute, // agree
		121 * time.Second, time.Hour, -time.Hour, // differ
		time.Second, 0, // agree
		-121 * time.Second, // differ
	} {
		hook.Reset()
		w.compared(at, skew)
		at = at.Add(30 * time.Second)
		line := "nothing"
		for _, e := range hook.AllEntries() {
			line = fmt.Sprint(e.Level, " ahead ", e.Data["ahead"], " lasted ", e.Data["lasted"])
		}
		got = append(got, line)
	}
	want := []string{
		"nothing", "nothing", "nothing",
		"error ahead 2m1s lasted <nil>", "nothing", "nothing",
		"info ahead 1s lasted 1m30s", "nothing",
		"error ahead -2m1s lasted <nil>",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
