package logline

import (
	"errors"
	"io"
	"os"
	"sync"
)

// File is a log file that is appended to. It is safe for concurrent use. A
// failed write is not repeated.
type File struct {
	path string

	mu   sync.Mutex
	file *os.File
}

// OpenFile opens the file at path, which it makes with mode 0640 if there is
// none: log lines name clients, which are not for every account.
func OpenFile(path string) (*File, error) {
	f := &File{path: path}
	return f, f.Reopen()
}

// Reopen opens the file anew, for a program that has moved the old one away.
// On an error lines go on into the old one.
func (f *File) Reopen() error {
	file, err := os.OpenFile(f.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640) //nolint:gosec // the operator names the file
	if err != nil {
		return err
	}
	f.mu.Lock()
	old := f.file
	f.file = file
	f.mu.Unlock()
	if old != nil {
		return old.Close()
	}
	return nil
}

// Write appends p.
func (f *File) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.file.Write(p)
}

// Close closes the file; what is written afterwards is lost.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.file.Close()
}

// Both writes each line to all of its writers, also if one of them fails: a
// full disk under the file does not silence the terminal.
type Both []io.Writer

// Write returns the errors of all writers.
func (b Both) Write(p []byte) (int, error) {
	var failures []error
	for _, w := range b {
		_, err := w.Write(p)
		failures = append(failures, err)
	}
	return len(p), errors.Join(failures...)
}
