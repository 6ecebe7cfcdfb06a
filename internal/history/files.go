package history

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2/maybe"
)

// The folder has three kinds of files, of lines: the checksum of a record (CRC-32C, in
// hex), a blank, the record as JSON.
//
//	2026-11-29.jsonl  spans that ended, in the file of the day that saw it
//	running.jsonl     spans that ran at the checkpoint; the first record says when it was
//	begun.jsonl       spans that began since
const (
	daySuffix   = ".jsonl"
	dayForm     = "2006-01-02"
	runningFile = "running" + daySuffix
	begunFile   = "begun" + daySuffix
	maxLine     = 64 << 10 // bytes
	sumBytes    = 8        // in hex
)

// checkpoint is the first record of a checkpoint.
type checkpoint struct {
	At time.Time `json:"checkpoint"`
}

var errDamaged = errors.New("the line is damaged")

func sum(record []byte) uint32 { return crc32.Checksum(record, crc32.MakeTable(crc32.Castagnoli)) }

// appendLine adds a record as a line.
func appendLine(b []byte, record any) []byte {
	text, err := json.Marshal(record)
	if err != nil { // a year beyond 9999, which no clock and no lease has
		return b
	}
	return fmt.Appendf(b, "%08x %s\n", sum(text), text)
}

// recordOf is the text of the record in a line; false: the line is damaged.
func recordOf(line []byte) ([]byte, bool) {
	line = bytes.TrimSuffix(line, []byte("\n"))
	if len(line) <= sumBytes || line[sumBytes] != ' ' {
		return nil, false
	}
	var want [sumBytes / 2]byte
	if _, err := hex.Decode(want[:], line[:sumBytes]); err != nil {
		return nil, false
	}
	record, got := line[sumBytes+1:], sum(line[sumBytes+1:])
	return record, want == [...]byte{byte(got >> 24), byte(got >> 16), byte(got >> 8), byte(got)} //nolint:gosec // G115: its bytes
}

// parseSpan reads a line with a span.
func parseSpan(line []byte) (s Span, err error) {
	record, ok := recordOf(line)
	if !ok || json.Unmarshal(record, &s) != nil || !s.Addr.IsValid() || s.Client == "" || s.Begin.IsZero() {
		return Span{}, errDamaged
	}
	s.tidy()
	if s.Heard.Before(s.Begin) || !s.End.IsZero() && s.End.Before(s.Heard) {
		return Span{}, errDamaged
	}
	for _, t := range []time.Time{s.Begin, s.Heard, s.Until, s.End} {
		if !t.IsZero() && (t.Year() < 1 || t.Year() > 9998) { // else it cannot be written again
			return Span{}, errDamaged
		}
	}
	return s, nil
}

// eachLine calls fn with each line of a file, and with nil for one that is too long. A
// file that is not there has none. The line is valid until fn returns.
func eachLine(path string, fn func(line []byte) error) error {
	file, err := os.Open(path) //nolint:gosec // G304: a file of the folder
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // it was only read
	return eachLineOf(bufio.NewReaderSize(file, maxLine), fn)
}

func eachLineOf(r *bufio.Reader, fn func(line []byte) error) error {
	for long := false; ; {
		line, err := r.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			long = true
			continue
		case err != nil && !errors.Is(err, io.EOF):
			return err
		case long:
			line, long = nil, false
		}
		if len(line) > 1 || line == nil {
			if err := fn(line); err != nil {
				return err
			}
		}
		if err != nil {
			return nil
		}
	}
}

// Open reads what the folder holds. The Log works also where there is an error: what
// could not be read is missing then.
func Open(o Options, now time.Time) (*Log, error) {
	l := &Log{options: o, running: make(map[place]*tracked), ends: make(map[place]time.Time), started: seconds(now)}
	if o.Folder == "" {
		return l, nil
	}
	err := l.load()
	l.measure()
	return l, err
}

// load finds out which spans run: those of the checkpoint and those that began since,
// without those that ended since.
func (l *Log) load() error {
	var at time.Time
	err := eachLine(l.path(runningFile), func(line []byte) error {
		if at.IsZero() {
			var c checkpoint
			if record, ok := recordOf(line); ok && json.Unmarshal(record, &c) == nil && !c.At.IsZero() {
				at = c.At
				return nil
			}
		}
		l.resume(line)
		return nil
	})
	err = errors.Join(err, eachLine(l.path(begunFile), func(line []byte) error {
		l.resume(line)
		return nil
	}))
	days, listing := l.days()
	err = errors.Join(err, listing)
	for _, day := range days {
		l.day = day
		if day < at.Format(dayForm) {
			continue
		}
		err = errors.Join(err, eachLine(l.path(day+daySuffix), func(line []byte) error {
			if s, bad := parseSpan(line); bad == nil {
				if t := l.running[s.place()]; t != nil && t.id() == s.id() {
					delete(l.running, s.place())
				}
			}
			return nil
		}))
	}
	return err
}

// resume takes over a span that another process saw last. Of two at one place the one
// that began later runs, and of two records of one the one that heard more.
func (l *Log) resume(line []byte) {
	s, err := parseSpan(line)
	if err != nil {
		return
	}
	old := l.running[s.place()]
	if old == nil || old.Begin.Before(s.Begin) || old.id() == s.id() && old.Heard.Before(s.Heard) {
		l.running[s.place()] = &tracked{Span: s, unsure: true}
	}
}

func (l *Log) path(name string) string { return filepath.Join(l.options.Folder, name) }

// days are the days that there are files of, oldest first.
func (l *Log) days() ([]string, error) {
	entries, err := os.ReadDir(l.options.Folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var days []string
	for _, e := range entries {
		day, ok := strings.CutSuffix(e.Name(), daySuffix)
		if _, err := time.Parse(dayForm, day); ok && err == nil && e.Type().IsRegular() {
			days = append(days, day)
		}
	}
	slices.Sort(days)
	return days, err
}

// Flush writes what began and ended to the files, and waits until it is on the disk. What
// could not be written is tried again by the next call.
func (l *Log) Flush(now time.Time) error {
	if l.options.Folder == "" {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.begun, l.ended = nil, nil
		return nil
	}
	l.disk.Lock()
	defer l.disk.Unlock()
	return l.flush(now)
}

func (l *Log) flush(now time.Time) error {
	l.mu.Lock()
	begun, ended := l.begun, l.ended
	l.begun, l.ended = nil, nil
	l.mu.Unlock()
	if len(begun)+len(ended) == 0 {
		return nil
	}
	l.day = max(l.day, now.UTC().Format(dayForm))
	err := l.appendSpans(l.day+daySuffix, ended)
	if err == nil {
		ended = nil
		err = l.appendSpans(begunFile, begun)
	}
	if err == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.begun, l.ended = append(begun, l.begun...), append(ended, l.ended...)
	return fmt.Errorf("history: %w", err)
}

// appendSpans adds spans to a file. The rest of a line that was torn before gets a line
// of its own.
func (l *Log) appendSpans(name string, spans []Span) (err error) {
	if len(spans) == 0 {
		return nil
	}
	if err := l.makeFolder(); err != nil {
		return err
	}
	_, missing := os.Lstat(l.path(name))
	file, err := os.OpenFile(l.path(name), os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if missing != nil {
		if err := l.own(l.path(name)); err != nil {
			return err
		}
	}
	var text []byte
	if size, err := file.Seek(0, io.SeekEnd); err == nil && size > 0 {
		last := make([]byte, 1)
		if _, err := file.ReadAt(last, size-1); err == nil && last[0] != '\n' {
			text = append(text, '\n')
		}
	}
	for i := range spans {
		text = appendLine(text, &spans[i])
	}
	n, err := file.Write(text)
	l.mu.Lock()
	l.bytes += int64(n)
	l.mu.Unlock()
	if err != nil {
		return err
	}
	return file.Sync()
}

func (l *Log) makeFolder() error {
	if _, err := os.Stat(l.options.Folder); err == nil {
		return nil
	}
	if err := os.MkdirAll(l.options.Folder, 0o700); err != nil {
		return err
	}
	return l.own(l.options.Folder)
}

func (l *Log) own(path string) error {
	if l.options.Own == nil {
		return nil
	}
	return l.options.Own(path)
}

// replace writes a file anew as a whole.
func (l *Log) replace(name string, text []byte) error {
	if err := maybe.WriteFile(l.path(name), text, 0o600); err != nil {
		return err
	}
	return l.own(l.path(name))
}

// copyAtOnce is how many spans are copied under the lock together.
const copyAtOnce = 1024

// Checkpoint writes all spans that run, with when they were heard last, and drops the
// files that are too old or too much.
func (l *Log) Checkpoint(now time.Time) error {
	if l.options.Folder == "" {
		return nil
	}
	l.disk.Lock()
	defer l.disk.Unlock()
	err := l.flush(now)
	if err == nil {
		err = l.writeCheckpoint(now)
	}
	return errors.Join(err, l.trim(now))
}

// writeCheckpoint writes what runs. What begins meanwhile waits for the next flush, so
// that it comes after.
func (l *Log) writeCheckpoint(now time.Time) error {
	if err := l.makeFolder(); err != nil {
		return fmt.Errorf("history: %w", err)
	}
	l.mu.Lock()
	places := make([]place, 0, len(l.running))
	for p := range l.running {
		places = append(places, p)
	}
	l.mu.Unlock()
	text := appendLine(nil, checkpoint{seconds(now)})
	spans := make([]Span, 0, copyAtOnce)
	for some := range slices.Chunk(places, copyAtOnce) {
		spans = spans[:0]
		l.mu.Lock()
		for _, p := range some {
			if t := l.running[p]; t != nil {
				spans = append(spans, t.Span)
			}
		}
		l.mu.Unlock()
		for i := range spans {
			text = appendLine(text, &spans[i])
		}
	}
	if err := l.replace(runningFile, text); err != nil {
		return fmt.Errorf("history: %w", err)
	}
	if err := os.Remove(l.path(begunFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("history: %w", err)
	}
	return nil
}

// trim drops days that are older than Keep, and the oldest ones while there are too many
// bytes (HI-5).
func (l *Log) trim(now time.Time) error {
	days, err := l.days()
	if err != nil {
		return fmt.Errorf("history: %w", err)
	}
	total := l.measure()
	oldest := now.Add(-l.options.Keep).UTC().Format(dayForm)
	for i, day := range days {
		old := l.options.Keep > 0 && day < oldest && (l.options.MayDrop == nil || l.options.MayDrop())
		room := l.options.MaxBytes > 0 && total > l.options.MaxBytes && i < len(days)-1
		if !old && !room {
			continue
		}
		info, err := os.Stat(l.path(day + daySuffix))
		if err == nil {
			err = os.Remove(l.path(day + daySuffix))
		}
		if err != nil {
			return fmt.Errorf("history: %w", err)
		}
		total -= info.Size()
		if l.options.Dropped != nil {
			l.options.Dropped(day, !old)
		}
	}
	full := l.options.MaxBytes > 0 && total > l.options.MaxBytes
	l.mu.Lock()
	l.bytes, l.full = total, full
	l.mu.Unlock()
	if full {
		return fmt.Errorf("history: what runs and the last day alone have %d bytes, and may have %d: what ends is not kept", total, l.options.MaxBytes)
	}
	return nil
}

// measure counts the bytes of all files.
func (l *Log) measure() (total int64) {
	entries, _ := os.ReadDir(l.options.Folder) // what cannot be listed counts nothing
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			total += info.Size()
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bytes = total
	return total
}
