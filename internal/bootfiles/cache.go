package bootfiles

import (
	"errors"
	"io"
	"os"
	"time"
)

const (
	// freshLooks is how many files are looked at anew in a second. Beyond it, a look
	// up to cacheAge old will do.
	freshLooks = 500
	cacheAge   = time.Second
	maxCached  = 1024
)

// fileState is what a file was when a request for it was answered.
type fileState struct {
	info os.FileInfo
	head []byte // the first block, shorter only if the file is
	err  error  // why it is not served
	at   time.Time
}

// same reports whether f is still that file, unchanged.
func (s fileState) same(f *content) bool {
	info, err := f.file.Stat()
	return err == nil && os.SameFile(info, s.info) && f.size == s.info.Size() && f.modified.Equal(s.info.ModTime())
}

// fileCache looks at files and remembers some, for a flood that asks for one file
// without end. It is for one goroutine.
type fileCache struct {
	folder Folder
	second int64
	looks  int // in this second
	known  map[string]fileState
}

// look says what the named file is, or was a moment ago.
func (c *fileCache) look(name string, now time.Time) fileState {
	if second := now.Unix(); second != c.second {
		c.second, c.looks = second, 0
	}
	if known, ok := c.known[name]; ok && c.looks >= freshLooks && now.Sub(known.at) < cacheAge {
		return known
	}
	c.looks++
	state := c.folder.look(name)
	state.at = now
	if c.known == nil {
		c.known = make(map[string]fileState)
	}
	for other := range c.known {
		if len(c.known) < maxCached {
			break
		}
		delete(c.known, other)
	}
	c.known[name] = state
	return state
}

// look says what the named file is.
func (d Folder) look(name string) fileState {
	f, err := d.open(name)
	if err != nil {
		return fileState{err: err}
	}
	defer func() { _ = f.Close() }() // nothing was written
	info, err := f.file.Stat()
	if err != nil {
		return fileState{err: err}
	}
	head := make([]byte, defaultBlock)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return fileState{err: err}
	}
	return fileState{info: info, head: head[:n]}
}
