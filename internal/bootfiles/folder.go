package bootfiles

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// Folder is the path of the folder whose regular files are served. It is opened
// anew for each file, so that it may be replaced as a whole at any time.
type Folder string

// Why a file is not served.
var (
	// ErrName is for names that no file of the folder can have: they contain
	// "..", NUL, control characters or a drive letter, or they are too long.
	ErrName = errors.New("not a name of a boot file")
	// ErrNotFound is for names of no file in the folder, of a link that leaves
	// it, and of what is not a regular file.
	ErrNotFound = errors.New("no such boot file")
	// errChanged is for a file that was written to while it was sent.
	errChanged = errors.New("the boot file changed while it was read")
)

const (
	maxName    = 1024 // bytes of a whole name
	maxElement = 255  // of a part of it, as file systems have it
)

// Check reports why files of the folder cannot be served.
func (d Folder) Check() error {
	root, err := os.OpenRoot(string(d))
	if err != nil {
		return fmt.Errorf("boot file folder: %w", err)
	}
	if err := root.Close(); err != nil {
		return fmt.Errorf("boot file folder: %w", err)
	}
	return nil
}

// Has reports whether a client that asks for name would get a file; if not, the
// error wraps ErrName or ErrNotFound, or says why the file cannot be read.
func (d Folder) Has(name string) error {
	f, err := d.open(name)
	if err != nil {
		return err
	}
	return f.Close()
}

// clean turns a name as clients send it into a path below the folder. Leading
// slashes count from the folder, and Windows boot loaders send backslashes.
func clean(name string) (string, error) {
	if len(name) > maxName || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return "", ErrName
	}
	var path []string
	for element := range strings.SplitSeq(strings.ReplaceAll(name, `\`, "/"), "/") {
		switch {
		case element == "" || element == ".":
			continue
		case element == ".." || len(element) > maxElement:
			return "", ErrName
		case len(path) == 0 && len(element) > 1 && element[1] == ':':
			return "", ErrName
		}
		path = append(path, element)
	}
	if len(path) == 0 {
		return "", ErrNotFound // the folder itself
	}
	return strings.Join(path, "/"), nil
}

// open opens a regular file in the folder. It follows links inside the folder.
// os.Root refuses to leave the folder, also by a link that is put there meanwhile.
func (d Folder) open(name string) (*content, error) {
	path, err := clean(name)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(string(d))
	if err != nil {
		return nil, fmt.Errorf("boot file folder: %w", err)
	}
	defer func() { _ = root.Close() }() // nothing was written
	// Opening a device may do something, so a look at it goes first.
	if info, err := root.Stat(path); err != nil || !info.Mode().IsRegular() {
		return nil, notServed(err)
	}
	// Without O_NONBLOCK a pipe that has taken the place would be waited for.
	f, err := root.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, notServed(err)
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(notServed(err), f.Close())
	}
	return &content{file: f, size: info.Size(), modified: info.ModTime()}, nil
}

// notServed makes ErrNotFound of everything but a lack of rights or resources,
// which an operator has to know of.
func notServed(err error) error {
	for _, known := range []error{fs.ErrPermission, unix.EMFILE, unix.ENFILE, unix.EIO, unix.ENOMEM} {
		if errors.Is(err, known) {
			return fmt.Errorf("open boot file: %w", err)
		}
	}
	return ErrNotFound
}

// content is a file as it was when it was opened. The read that would reach the
// end fails if the file was written to since: firmware must not run what is
// half old and half new.
type content struct {
	file     *os.File
	size     int64
	modified time.Time
	at       int64
}

// Read implements io.Reader. It never returns data together with io.EOF.
func (c *content) Read(p []byte) (int, error) {
	left := c.size - c.at
	if left <= 0 {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), left)]
	n, err := c.file.ReadAt(p, c.at)
	switch {
	case errors.Is(err, io.EOF) && n < len(p):
		return 0, errChanged // truncated
	case err != nil && !errors.Is(err, io.EOF):
		return 0, fmt.Errorf("read boot file: %w", err)
	}
	if int64(n) == left {
		if info, err := c.file.Stat(); err != nil || info.Size() != c.size || !info.ModTime().Equal(c.modified) {
			return 0, errChanged
		}
	}
	c.at += int64(n)
	return n, nil
}

// Seek implements io.Seeker.
func (c *content) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += c.at
	case io.SeekEnd:
		offset += c.size
	}
	if offset < 0 {
		return 0, errors.New("seek before the start of a boot file")
	}
	c.at = offset
	return offset, nil
}

// Close closes the file.
func (c *content) Close() error { return c.file.Close() }
