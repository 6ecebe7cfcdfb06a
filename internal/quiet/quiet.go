// Package quiet logs what the network can make happen without end: one line a
// minute for each key, and a bounded number for all keys of a cause, with the
// number of lines that were left out (B-2). It is for packets and their senders;
// what an operator or a program of ours causes is logged directly.
package quiet

import (
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
)

const (
	// maxKeys bounds the memory that invented keys (addresses, names) can take.
	maxKeys = 4096
	// perCause is how many lines all keys of one cause get in an interval.
	perCause = 20
	// eventsPerCause is the same for Event: a journal of many clients that come
	// at once after a power cut stays whole, a flood does not fill the disk.
	eventsPerCause = 600
)

// Logger writes at most one line per key, and a bounded number per cause, in an
// interval. It is safe for concurrent use.
type Logger struct {
	log   logrus.FieldLogger
	every time.Duration
	now   func() time.Time

	mu     sync.Mutex
	lines  map[string]line
	causes map[string]*cause
}

// line is what is known of one key.
type line struct {
	last    time.Time // when a line was written
	skipped int       // since then
}

// cause is what is known of all keys with one first word.
type cause struct {
	since   time.Time // begin of its interval
	written int       // lines since then
	left    int       // lines left out since then for being too many
}

// New returns a Logger that writes to log once per key and every. The clock now
// is time.Now outside of tests.
func New(log logrus.FieldLogger, every time.Duration, now func() time.Time) *Logger {
	return &Logger{log: log, every: every, now: now, lines: make(map[string]line), causes: make(map[string]*cause)}
}

// Info logs msg at info level unless a line with the same key was written less
// than an interval ago, or too many of the same cause were. A line written after
// others of its key were left out says how many in the field "skipped"; what a
// cause had too much is told in a line at the end of the interval.
//
// A key is "CAUSE" or "CAUSE OBJECT". The cause ends at the first blank and is a
// word of ours; the object may be what a stranger chose. fields is not changed.
func (l *Logger) Info(key, msg string, fields logrus.Fields) {
	l.Func(logrus.InfoLevel, key, msg, func() logrus.Fields { return fields })
}

// Warn is Info at warning level.
func (l *Logger) Warn(key, msg string, fields logrus.Fields) {
	l.Func(logrus.WarnLevel, key, msg, func() logrus.Fields { return fields })
}

// Error is Info at error level.
func (l *Logger) Error(key, msg string, fields logrus.Fields) {
	l.Func(logrus.ErrorLevel, key, msg, func() logrus.Fields { return fields })
}

// Func is Info at the given level, for fields that are costly to find out: they
// are asked for only if the line is written.
func (l *Logger) Func(level logrus.Level, key, msg string, fields func() logrus.Fields) {
	if skipped, due := l.due(level, key, msg); due {
		write(l.log.WithFields(counted(fields(), "skipped", skipped)), level, msg)
	}
}

// Event logs msg at info level. It is for a journal in which each line counts,
// such as of leases: a key is a cause alone, and only a flood is cut short. The
// fields are asked for only if the line is written.
func (l *Logger) Event(key, msg string, fields func() logrus.Fields) {
	l.mu.Lock()
	due := l.admit(logrus.InfoLevel, key, msg, l.now(), eventsPerCause)
	l.mu.Unlock()
	if due {
		l.log.WithFields(fields()).Info(msg)
	}
}

func counted(fields logrus.Fields, name string, n int) logrus.Fields {
	if n == 0 {
		return fields
	}
	all := make(logrus.Fields, len(fields)+1)
	maps.Copy(all, fields)
	all[name] = n
	return all
}

func write(log logrus.FieldLogger, level logrus.Level, msg string) {
	switch level {
	case logrus.ErrorLevel:
		log.Error(msg)
	case logrus.WarnLevel:
		log.Warn(msg)
	default:
		log.Info(msg)
	}
}

// due counts one line for key and reports whether it is to be written, and how
// many were left out since the last one.
func (l *Logger) due(level logrus.Level, key, msg string) (skipped int, due bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	known, ok := l.lines[key]
	if ok && now.Sub(known.last) < l.every {
		known.skipped++
		l.lines[key] = known
		return 0, false
	}
	word, _, _ := strings.Cut(key, " ")
	if !l.admit(level, word, msg, now, perCause) {
		return 0, false
	}
	if !ok && len(l.lines) >= maxKeys {
		l.forget(now)
	}
	l.lines[key] = line{last: now}
	return known.skipped, true
}

// admit counts one more line of a cause and reports whether it is within limit.
// The first that is not sees to it that the others are told of.
func (l *Logger) admit(level logrus.Level, word, msg string, now time.Time, limit int) bool {
	c := l.causes[word]
	if c == nil || now.Sub(c.since) >= l.every && c.left == 0 {
		if c == nil && len(l.causes) >= maxKeys { // a cause that is no word of ours
			maps.DeleteFunc(l.causes, func(_ string, c *cause) bool { return c.left == 0 })
		}
		c = &cause{since: now}
		l.causes[word] = c
	}
	if c.written < limit {
		c.written++
		return true
	}
	if c.left++; c.left == 1 {
		time.AfterFunc(max(l.every-now.Sub(c.since), 0), func() { l.more(level, word, msg) })
	}
	return false
}

// more ends the interval of a cause that had too many lines.
func (l *Logger) more(level logrus.Level, word, msg string) {
	l.mu.Lock()
	left := l.causes[word].left
	delete(l.causes, word)
	l.mu.Unlock()
	write(l.log.WithFields(logrus.Fields{"cause": word, "more": left}), level, fmt.Sprintf("%s: and %d more", msg, left))
}

// forget makes room: keys whose interval is over go, and if there are none all
// go, so that a flood of new keys never costs memory.
func (l *Logger) forget(now time.Time) {
	maps.DeleteFunc(l.lines, func(_ string, known line) bool { return now.Sub(known.last) >= l.every })
	if len(l.lines) >= maxKeys {
		clear(l.lines)
	}
}

// Debugging reports whether log writes debug lines, so that what only they need
// is not made for nothing. It is true for a kind of logger it does not know.
func Debugging(log logrus.FieldLogger) bool {
	switch l := log.(type) {
	case *logrus.Logger:
		return l.IsLevelEnabled(logrus.DebugLevel)
	case *logrus.Entry:
		return l.Logger.IsLevelEnabled(logrus.DebugLevel)
	}
	return true
}
