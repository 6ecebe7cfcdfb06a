package history

import (
	"bytes"
	"fmt"
	"os"
	"time"
)

// Erased is what an erasure covers.
type Erased struct {
	Spans   int `json:"spans"`   // that ended
	Running int `json:"running"` // spans that stay, since their leases run
	Damaged int `json:"damaged"` // lines that cannot be read any more and name what is erased
}

// Erase removes the spans that ended and match q, whatever their time, from all files.
// Without do it only counts them. Running spans stay.
func (l *Log) Erase(q Query, now time.Time, do bool) (e Erased, err error) {
	l.disk.Lock()
	defer l.disk.Unlock()
	if do { // also what began and ended since the last checkpoint is in no other file then
		if err := l.flush(now); err != nil {
			return e, err
		}
		if err := l.writeCheckpoint(now); err != nil {
			return e, err
		}
	}
	l.mu.Lock()
	for _, t := range l.running {
		if q.About(&t.Span) {
			e.Running++
		}
	}
	for i := range l.ended {
		if !do && q.About(&l.ended[i]) {
			e.Spans++
		}
	}
	l.mu.Unlock()
	days, err := l.days()
	if err != nil {
		return e, fmt.Errorf("history: %w", err)
	}
	for _, day := range days {
		if err := l.eraseFrom(day+daySuffix, &q, &e, do); err != nil {
			return e, fmt.Errorf("history: %w", err)
		}
	}
	if do {
		l.measure()
	}
	return e, nil
}

// eraseFrom writes one file anew without what matches.
func (l *Log) eraseFrom(name string, q *Query, e *Erased, do bool) error {
	var kept bytes.Buffer
	needle, _ := q.needle()
	before := *e
	err := eachLine(l.path(name), func(line []byte) error {
		s, bad := parseSpan(line)
		switch {
		case bad != nil && len(needle) > 0 && bytes.Contains(bytes.ToLower(line), bytes.ToLower(needle)):
			e.Damaged++
		case bad == nil && q.About(&s):
			e.Spans++
		case do:
			kept.Write(line)
			if !bytes.HasSuffix(line, []byte("\n")) {
				kept.WriteByte('\n')
			}
		}
		return nil
	})
	if err != nil || !do || before == *e {
		return err
	}
	if kept.Len() == 0 {
		return os.Remove(l.path(name))
	}
	return l.replace(name, kept.Bytes())
}
