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
		if got := len(hook.Entries); got != 2 {
			t.Fatalf("%d lines within the minute, want one per key", got)
		}
		if _, ok := hook.Entries[0].Data["skipped"]; ok {
			t.Error("the first line counts skipped ones")
		}

		<-time.After(time.Minute)
		l.Warn("no_subnet", "no prefix", fields)
		last := hook.LastEntry()
		if len(hook.Entries) != 3 || last.Level != logrus.WarnLevel || last.Message != "no prefix" {
			t.Fatalf("after a minute: %d lines, last %v", len(hook.Entries), last)
		}
		if last.Data["skipped"] != 4 || last.Data["addr"] != "10.0.0.1" {
			t.Errorf("fields %v, want skipped 4 and the caller's", last.Data)
		}
		if _, ok := fields["skipped"]; ok {
			t.Error("the caller's fields were changed")
		}

		<-time.After(time.Minute)
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
			l.Warn(fmt.Sprint("client ", i), "who are you", nil)
		}
		if got := len(l.lines); got > maxKeys {
			t.Fatalf("%d keys kept, want at most %d", got, maxKeys)
		}

		<-time.After(30 * time.Second)
		l.Warn("late", "kept", nil)
		for i := range maxKeys - len(l.lines) {
			l.lines[fmt.Sprint("old ", i)] = line{last: time.Now().Add(-time.Minute)}
		}
		l.Warn("one more", "makes room", nil)
		lines := len(hook.Entries)
		l.Warn("late", "kept", nil)
		if len(hook.Entries) != lines {
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
		l.Warn("busy", "dropped", nil)
		if got := hook.LastEntry().Data["skipped"]; got != 99 {
			t.Errorf("skipped %v, want 99", got)
		}
	})
}
