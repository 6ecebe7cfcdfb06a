package bootfiles

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/sirupsen/logrus/hooks/test"
)

// fewLines fails if the log has more lines of one outcome than B-2 allows since the
// given time, of which a busy machine makes more than one minute.
func (r running) fewLines(t testing.TB, since time.Time) {
	t.Helper()
	lines := make(map[any]int)
	for _, e := range r.logs.AllEntries() {
		if o := e.Data["outcome"]; o != nil && o != string(complete) && o != string(aborted) && o != string(stopped) {
			lines[o]++
		}
	}
	for o, n := range lines {
		if most := 20 * (2 + int(time.Since(since).Minutes())); n > most {
			t.Errorf("%d lines of %v, want %d at most", n, o, most)
		}
	}
}

// B-2: clients choose how often they ask, for what and from where, but not the
// number of lines.
func TestTransfersLeaveFewLines(t *testing.T) {
	const requests = 3000
	one, many := func(int) netip.Addr { return netip4(1) }, func(i int) netip.Addr { return netip4(byte(i>>8), byte(i)) }
	trouble := errors.New("made up")
	for name, c := range map[string]struct {
		outcome outcome
		refused bool
		client  func(i int) netip.Addr
		lines   int
	}{
		"one client takes a file in a loop":    {complete, false, one, 600},
		"many clients take a file each":        {complete, false, many, 600},
		"one client breaks off in a loop":      {aborted, false, one, 600},
		"the end stops many":                   {stopped, false, many, 600},
		"one client goes silent in a loop":     {timedOut, false, one, 1},
		"many clients go silent":               {timedOut, false, many, 20},
		"one asks for two names in turn":       {replaced, false, one, 1},
		"many ask for two names in turn":       {replaced, false, many, 20},
		"many that are not heard of again":     {unproved, false, many, 1},
		"one client looks for names in a loop": {notFound, true, one, 1},
		"many clients look for names":          {notFound, true, many, 20},
		"many are too many":                    {surplus, true, many, 1},
		"trouble here, for many":               {failed, true, many, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log, hook := test.NewNullLogger()
				m, err := newMeter(nil, log)
				if err != nil {
					t.Fatal(err)
				}
				for i := range requests {
					r := request{protocol: "tftp", client: c.client(i), file: fmt.Sprint("boot", i%2)}
					if c.refused {
						m.refused(r, c.outcome, trouble)
					} else {
						m.ended(r, c.outcome, 10, time.Second, nil)
					}
				}
				if n := len(hook.AllEntries()); n != c.lines {
					t.Errorf("%d lines, want %d", n, c.lines)
				}
				if first := hook.AllEntries()[0]; c.outcome == timedOut && first.Level != logrus.WarnLevel {
					t.Errorf("a client that goes silent is a line of level %s", first.Level)
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				if last := hook.LastEntry(); c.lines > 1 && last.Data["more"] != requests-c.lines {
					t.Errorf("the rest is not told of: %v", last.Data)
				}
				if n := int(value(m.transfers.WithLabelValues("tftp", string(c.outcome)))); n != requests {
					t.Errorf("%d counted", n)
				}
			})
		})
	}
}
