package quiet

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/sirupsen/logrus/hooks/test"
)

// B-2
func TestOneLineAMinutePerKeyWithACount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, hook := test.NewNullLogger()
		l := New(log, time.Minute, time.Now)
		fields := logrus.Fields{"addr": "10.0.0.1"}

		for range 5 {
			l.Warn("no_subnet", "no prefix", fields)
		}
		l.Error("pool_empty", "nothing to give", nil)
		if got := len(hook.AllEntries()); got != 2 {
			t.Fatalf("%d lines within the minute, want one per key", got)
		}
		if _, ok := hook.AllEntries()[0].Data["skipped"]; ok {
			t.Error("the first line counts skipped ones")
		}

		<-time.After(time.Minute)
		synctest.Wait() // for the line that a timer writes
		l.Warn("no_subnet", "no prefix", fields)
		last := hook.LastEntry()
		if len(hook.AllEntries()) != 3 || last.Level != logrus.WarnLevel || last.Message != "no prefix" {
			t.Fatalf("after a minute: %d lines, last %v", len(hook.AllEntries()), last)
		}
		if last.Data["skipped"] != 4 || last.Data["addr"] != "10.0.0.1" {
			t.Errorf("fields %v, want skipped 4 and the caller's", last.Data)
		}
		if _, ok := fields["skipped"]; ok {
			t.Error("the caller's fields were changed")
		}

		<-time.After(time.Minute)
		synctest.Wait() // for the line that a timer writes
		l.Info("no_subnet", "no prefix", nil)
		if last := hook.LastEntry(); last.Level != logrus.InfoLevel || last.Data["skipped"] != nil {
			t.Errorf("a line with nothing skipped before it: %v", last.Data)
		}
	})
}

func TestInventedKeysDoNotGrowTheTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, hook := test.NewNullLogger()
		l := New(log, time.Minute, time.Now)
		for i := range maxKeys + 1 {
			l.Warn(fmt.Sprint("client", i), "who are you", nil)
		}
		if got := len(l.lines); got > maxKeys {
			t.Fatalf("%d keys kept, want at most %d", got, maxKeys)
		}

		<-time.After(30 * time.Second)
		synctest.Wait() // for the line that a timer writes
		l.Warn("late", "kept", nil)
		for i := range maxKeys - len(l.lines) {
			l.lines[fmt.Sprint("old ", i)] = line{last: time.Now().Add(-time.Minute)}
		}
		l.Warn("one more", "makes room", nil)
		lines := len(hook.AllEntries())
		l.Warn("late", "kept", nil)
		if len(hook.AllEntries()) != lines {
			t.Error("making room forgot a key whose interval is still running")
		}
	})
}

func TestConcurrentUseLosesNoCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, hook := test.NewNullLogger()
		l := New(log, time.Minute, time.Now)
		var senders sync.WaitGroup
		for range 100 {
			senders.Go(func() { l.Warn("busy", "dropped", nil) })
		}
		senders.Wait()
		<-time.After(time.Minute)
		synctest.Wait() // for the line that a timer writes
		l.Warn("busy", "dropped", nil)
		if got := hook.LastEntry().Data["skipped"]; got != 99 {
			t.Errorf("skipped %v, want 99", got)
		}
	})
}

// B-2
func TestAllKeysOfACauseTogetherAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, hook := test.NewNullLogger()
		l := New(log, time.Minute, time.Now)
		flood := func(n int) {
			for i := range n {
				l.Warn(fmt.Sprint("no_subnet 10.0.", i/256, ".", i%256), "no answer", nil)
			}
		}
		flood(5000)
		l.Error("pool_empty 10.0.0.0/24", "no answer", nil) // another cause has a bound of its own
		if got := len(hook.AllEntries()); got != perCause+1 {
			t.Fatalf("%d lines for 5000 networks and a pool", got)
		}
		<-time.After(30 * time.Second)
		synctest.Wait() // for the line that a timer writes
		flood(10)       // keys that had their line already
		if got := len(hook.AllEntries()); got != perCause+1 {
			t.Fatalf("%d lines half a minute later", got)
		}
		<-time.After(31 * time.Second)
		synctest.Wait() // for the line that a timer writes
		last := hook.LastEntry()
		if len(hook.AllEntries()) != perCause+2 || last.Message != "no answer: and 4980 more" || last.Level != logrus.WarnLevel || last.Data["cause"] != "no_subnet" {
			t.Fatalf("after a minute: %d lines, last %q at %s, %v", len(hook.AllEntries()), last.Message, last.Level, last.Data)
		}
		for range 60 { // an hour of it
			flood(500)
			<-time.After(time.Minute)
			synctest.Wait() // for the line that a timer writes
		}
		if got := len(hook.AllEntries()); got > perCause+2+60*(perCause+1) {
			t.Errorf("%d lines after an hour", got)
		}
		if len(l.lines) > maxKeys || len(l.causes) > 2 {
			t.Errorf("%d keys and %d causes kept", len(l.lines), len(l.causes))
		}
	})
}

func TestEventsAreAllWrittenButInAFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, hook := test.NewNullLogger()
		l := New(log, time.Minute, time.Now)
		for range eventsPerCause {
			l.Event("lease", "lease made", func() logrus.Fields { return nil })
		}
		if got := len(hook.AllEntries()); got != eventsPerCause {
			t.Fatalf("%d of %d events written", got, eventsPerCause)
		}
		for range 9000 {
			l.Event("lease", "lease made", func() logrus.Fields { return nil })
		}
		<-time.After(time.Minute + time.Second)
		synctest.Wait() // for the line that a timer writes
		if got := len(hook.AllEntries()); got != eventsPerCause+1 || hook.LastEntry().Message != "lease made: and 9000 more" {
			t.Errorf("%d lines, the last %q", got, hook.LastEntry().Message)
		}
	})
}

func TestFieldsThatAreNotWrittenAreNotAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, _ := test.NewNullLogger()
		l := New(log, time.Minute, time.Now)
		asked := 0
		for range 5 {
			l.Func(logrus.WarnLevel, "no_subnet", "no answer", func() logrus.Fields { asked++; return nil })
		}
		if asked != 1 {
			t.Errorf("asked %d times", asked)
		}
	})
}

func BenchmarkFloodOfNewKeys(b *testing.B) {
	log, _ := test.NewNullLogger()
	l := New(log, time.Minute, time.Now)
	keys := make([]string, 8192)
	for i := range keys {
		keys[i] = fmt.Sprint("nak ", i)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		l.Info(keys[i%len(keys)], "request refused", nil)
	}
}
