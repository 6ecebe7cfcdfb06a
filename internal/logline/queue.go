package logline

import (
	"io"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// queued is how many lines wait for a slow writer.
	queued = 1024
	// lastWrite is how long the end waits for a writer that is stuck.
	lastWrite = time.Second
)

// Queue passes lines on to a writer that may be slow or stuck, such as a pipe that
// nothing reads. Its own Write never waits for it: a line that finds no room is lost
// and counted (B-15). It is safe for concurrent use.
type Queue struct {
	to    io.Writer
	note  func(lost uint64) []byte
	lines chan []byte
	ended chan struct{}
	lost  atomic.Uint64

	mu     sync.RWMutex
	closed bool
}

// NewQueue begins to write to the given writer. note is the line that tells how many
// were lost before the next one. The caller closes the queue.
func NewQueue(to io.Writer, note func(lost uint64) []byte) *Queue {
	q := &Queue{to: to, note: note, lines: make(chan []byte, queued), ended: make(chan struct{})}
	go q.write()
	return q
}

// Write takes one line. It returns no error: nothing is left that could log it.
func (q *Queue) Write(p []byte) (int, error) {
	q.mu.RLock()
	defer q.mu.RUnlock()
	if q.closed {
		return q.to.Write(p)
	}
	select {
	case q.lines <- append([]byte(nil), p...):
	default:
		q.lost.Add(1)
	}
	return len(p), nil
}

// Lost is how many lines found no room so far.
func (q *Queue) Lost() uint64 { return q.lost.Load() }

// Close writes what waits, for a second at most. Lines that come later are written
// at once.
func (q *Queue) Close() {
	q.mu.Lock()
	again := q.closed
	q.closed = true
	q.mu.Unlock()
	if again {
		return
	}
	close(q.lines)
	select {
	case <-q.ended:
	case <-time.After(lastWrite):
	}
}

// write passes the lines on. A failed write is not repeated: the terminal may be
// gone, and the disk under the log file full.
func (q *Queue) write() {
	defer close(q.ended)
	var told uint64
	for line := range q.lines {
		_, _ = q.to.Write(line)
		if lost := q.Lost(); lost != told {
			_, _ = q.to.Write(q.note(lost - told))
			told = lost
		}
	}
}
