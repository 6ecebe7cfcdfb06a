// Package quiet logs what the network can make happen without end: one line a
// minute for each cause, with the number of lines it stands for (B-2). It is
// for packets and their senders; what an operator or a program of ours causes
// is logged directly.
package quiet

import (
	"maps"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
)

// maxKeys bounds the memory that invented keys (addresses, names) can take.
const maxKeys = 4096

// Logger writes at most one line per key and interval. It is safe for
// concurrent use.
type Logger struct {
	log   logrus.FieldLogger
	every time.Duration
	now   func() time.Time

	mu    sync.Mutex
	lines map[string]line
}

// line is what is known of one key.
type line struct {
	last    time.Time // when a line was written
	skipped int       // since then
}

// New returns a Logger that writes to log once per key and every. The clock now
// is time.Now outside of tests.
func New(log logrus.FieldLogger, every time.Duration, now func() time.Time) *Logger {
	return &Logger{log: log, every: every, now: now, lines: make(map[string]line)}
}

// Info logs msg at info level unless a line with the same key was written less
// than an interval ago. A line written after others were left out says how many
// in the field "skipped". Keys are the caller's: a reason, or a reason and the
// object it is about. fields is not changed.
func (l *Logger) Info(key, msg string, fields logrus.Fields) {
	if entry := l.entry(key, fields); entry != nil {
		entry.Info(msg)
	}
}

// Warn is Info at warning level.
func (l *Logger) Warn(key, msg string, fields logrus.Fields) {
	if entry := l.entry(key, fields); entry != nil {
		entry.Warn(msg)
	}
}

// Error is Info at error level.
func (l *Logger) Error(key, msg string, fields logrus.Fields) {
	if entry := l.entry(key, fields); entry != nil {
		entry.Error(msg)
	}
}

// entry returns where to log the line, or nil if it is to be left out.
func (l *Logger) entry(key string, fields logrus.Fields) logrus.FieldLogger {
	skipped, due := l.due(key)
	if !due {
		return nil
	}
	if skipped > 0 {
		counted := make(logrus.Fields, len(fields)+1)
		maps.Copy(counted, fields)
		counted["skipped"] = skipped
		fields = counted
	}
	return l.log.WithFields(fields)
}

// due counts one line for key and reports whether it is to be written, and how
// many were left out since the last one.
func (l *Logger) due(key string) (skipped int, due bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	known, ok := l.lines[key]
	if ok && now.Sub(known.last) < l.every {
		known.skipped++
		l.lines[key] = known
		return 0, false
	}
	if !ok && len(l.lines) >= maxKeys {
		l.forget(now)
	}
	l.lines[key] = line{last: now}
	return known.skipped, true
}

// forget makes room: keys whose interval is over go, and if there are none all
// go, so that a flood of new keys costs a few extra lines but never memory.
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
