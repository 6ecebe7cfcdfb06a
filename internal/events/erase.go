package events

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/google/renameio/v2/maybe"
)

// Erase removes the events that match from what waits and from the files, and returns how
// many lines of files those were. Without do it only counts. What was sent to webhooks is
// beyond reach.
func (f *Feed) Erase(matches func(*Event) bool, do bool) (lines int, err error) {
	if do {
		for _, s := range f.sinks {
			s.erase(matches)
		}
	}
	if f.file == nil {
		return 0, nil
	}
	f.file.mu.Lock()
	defer f.file.mu.Unlock()
	return f.file.Erase(matches, do)
}

// erase takes events that match off the queue.
func (s *sink) erase(matches func(*Event) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := make([]item, 0, len(s.waiting))
	for _, i := range s.waiting {
		var e Event
		if json.Unmarshal(i.text, &e) != nil || !matches(&e) {
			kept = append(kept, i)
		}
	}
	s.waiting = kept
	s.recount()
}

// Erase removes the events that match from the files, which no server writes to
// meanwhile, and returns how many lines those were. Without do it only counts.
func (f *File) Erase(matches func(*Event) bool, do bool) (lines int, err error) {
	if f.Path == "" {
		return 0, nil
	}
	for _, path := range f.All() {
		n, err := eraseFrom(path, matches, do)
		if err != nil {
			return lines, err
		}
		lines += n
	}
	return lines, nil
}

// eraseFrom does Erase for one file. Lines that are no events stay.
func eraseFrom(path string, matches func(*Event) bool, do bool) (lines int, err error) {
	file, err := os.Open(path) //nolint:gosec // G304: the operator names the file
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer func() { _ = file.Close() }() // it was only read
	var kept bytes.Buffer
	for r := bufio.NewReader(file); ; {
		line, err := r.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		var e Event
		if json.Unmarshal(line, &e) == nil && matches(&e) {
			lines++
		} else {
			kept.Write(line)
		}
		if err != nil {
			break
		}
	}
	if lines == 0 || !do {
		return lines, nil
	}
	return lines, maybe.WriteFile(path, kept.Bytes(), 0o600)
}
