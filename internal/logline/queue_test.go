package logline

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
)

func lostLines(n uint64) []byte { return fmt.Appendf(nil, "%d lost\n", n) }

// B-15: what writes to a log does not wait for a reader that stands still.
func TestAStuckLogCostsLinesAndNoTime(t *testing.T) {
	read, write := io.Pipe() // each write waits for its reader
	q := NewQueue(write, lostLines)
	const lines = queued + 500
	for i := range lines {
		if n, err := fmt.Fprintf(q, "line %d\n", i); n == 0 || err != nil {
			t.Fatal(n, err)
		}
	}
	lost := q.Lost()
	if lost < lines-queued-1 || lost > lines-queued { // one may be on its way out
		t.Errorf("%d lines of %d are lost, %d have room", lost, lines, queued)
	}
	got := make(chan string)
	go func() {
		var b bytes.Buffer
		_, _ = io.Copy(&b, read) // ends with the pipe
		got <- b.String()
	}()
	q.Close()
	if err := write.Close(); err != nil {
		t.Fatal(err)
	}
	text := <-got
	if want := fmt.Sprintf("line 0\n%d lost\nline 1\n", lost); !strings.HasPrefix(text, want) {
		t.Errorf("got %.60q, want %q", text, want)
	}
	if n := strings.Count(text, "line "); n != lines-int(lost) {
		t.Errorf("%d lines are written, %d were not lost", n, lines-int(lost))
	}
}

func TestTheQueueWritesAllLinesAtItsEndAndLaterOnesAtOnce(t *testing.T) {
	var b bytes.Buffer
	q := NewQueue(&b, lostLines)
	line := []byte("one\n")
	for range 100 {
		if _, err := q.Write(line); err != nil {
			t.Fatal(err)
		}
		copy(line, "two\n") // the caller's again
	}
	q.Close()
	q.Close()
	if _, err := io.WriteString(q, "late\n"); err != nil {
		t.Fatal(err)
	}
	if want := "one\n" + strings.Repeat("two\n", 99) + "late\n"; b.String() != want {
		t.Errorf("got %q", b.String())
	}
	if n := q.Lost(); n != 0 {
		t.Errorf("%d lines are lost", n)
	}
}

func TestTheEndDoesNotWaitForAStuckWriter(t *testing.T) {
	read, write := io.Pipe()
	q := NewQueue(write, lostLines)
	if _, err := io.WriteString(q, "never read\n"); err != nil {
		t.Fatal(err)
	}
	q.Close()
	_ = read.Close() // lets the writer end
	<-q.ended
}
