package events

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
)

// File is a file of events, one as JSON a line.
type File struct {
	Path     string // empty: none
	MaxBytes int64  // it is renamed to Path.1 before it would have more
	Files    int    // how many there are at most, with those that were renamed
}

// fileSink writes events to a file. It opens the file for each batch, so that one that was
// moved away is made anew.
type fileSink struct {
	File
	mu sync.Mutex // held while files change
}

func (f *fileSink) deliver(_ context.Context, batch []item) (err error) {
	var text []byte
	for _, i := range batch {
		text = append(append(text, i.text...), '\n')
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if info, err := os.Stat(f.Path); err == nil && info.Size() > 0 && info.Size()+int64(len(text)) > f.MaxBytes {
		if err := f.rotate(); err != nil {
			return err
		}
	}
	file, err := os.OpenFile(f.Path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if size, err := file.Seek(0, io.SeekEnd); err == nil && size > 0 {
		last := make([]byte, 1)
		if _, err := file.ReadAt(last, size-1); err == nil && last[0] != '\n' { // the disk was full
			text = append([]byte("\n"), text...)
		}
	}
	_, err = file.Write(text)
	return err
}

// older is the name of the file that was renamed n times.
func (f *File) older(n int) string {
	if n == 0 {
		return f.Path
	}
	return fmt.Sprintf("%s.%d", f.Path, n)
}

// rotate makes room for a new file.
func (f *File) rotate() error {
	for n := f.Files - 1; n > 0; n-- {
		if err := os.Rename(f.older(n-1), f.older(n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if f.Files > 1 {
		return nil
	}
	return os.Remove(f.Path)
}

// All are the files that there may be.
func (f *File) All() (paths []string) {
	for n := range f.Files {
		paths = append(paths, f.older(n))
	}
	return paths
}
