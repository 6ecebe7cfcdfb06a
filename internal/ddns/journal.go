package ddns

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/google/renameio/v2"
)

// heading is the first line of the file: another version would write another number.
const heading = `{"names_in_dns":1}`

// journal is a file of lines, of which the last about an address counts. A line is
// there as a whole or not at all: what a crash left of one is no line.
type journal struct {
	path  string
	file  *os.File // nil: the next write makes the file anew
	lines int
}

// slack is how many lines that do not count any more a file has at least before it is
// written anew.
const slack = 1024

// ReadFile reads what is registered without a lock and without a write (C-2). damaged
// is how many lines could not be read. A file that is not there is an empty one.
func ReadFile(path string) (bindings map[netip.Addr]*Binding, damaged int, err error) {
	text, err := os.ReadFile(path) //nolint:gosec // G304: the path follows from a setting
	if errors.Is(err, fs.ErrNotExist) {
		return make(map[netip.Addr]*Binding), 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	bindings, damaged, err = parse(text)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", path, err)
	}
	return bindings, damaged, nil
}

// parse reads the lines of a file.
func parse(text []byte) (bindings map[netip.Addr]*Binding, damaged int, err error) {
	bindings = make(map[netip.Addr]*Binding)
	if len(text) == 0 {
		return bindings, 0, nil
	}
	first, rest, _ := bytes.Cut(text, []byte("\n"))
	if string(first) != heading {
		return nil, 0, errors.New("not a file of this version: move it away, and names are registered anew; those of clients that are gone then stay in DNS")
	}
	for len(rest) > 0 {
		var one []byte
		var whole bool
		one, rest, whole = bytes.Cut(rest, []byte("\n"))
		l, err := parseLine(one)
		switch {
		case err != nil && !whole: // a crash cut it off before it counted
		case err != nil:
			damaged++
		case l.Gone || l.empty():
			delete(bindings, l.Addr)
		default:
			bindings[l.Addr] = &l.Binding
		}
	}
	return bindings, damaged, nil
}

// write makes lines durable. After an error the next write makes the whole file anew, of
// what all returns.
func (j *journal) write(lines []line, all func() []line) error {
	if j.file == nil || j.lines > slack && j.lines > 2*len(all()) {
		return j.renew(all())
	}
	_, err := j.file.Write(encode(lines))
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		return errors.Join(err, j.close())
	}
	j.lines += len(lines)
	return nil
}

// renew replaces the file by one of the given lines.
func (j *journal) renew(lines []line) error {
	if err := j.close(); err != nil {
		return err
	}
	if err := replace(j.path, append([]byte(heading+"\n"), encode(lines)...)); err != nil {
		return err
	}
	file, err := os.OpenFile(j.path, os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	if err := syncFolder(filepath.Dir(j.path)); err != nil {
		return errors.Join(err, file.Close())
	}
	j.file, j.lines = file, len(lines)
	return nil
}

// replace writes the file anew in one step, for the owner it has, or else that of its
// folder: root may write what the server's own user has to read.
func replace(path string, text []byte) error {
	next, err := renameio.NewPendingFile(path, renameio.WithPermissions(0o600))
	if err != nil {
		return err
	}
	defer func() { _ = next.Cleanup() }() // nothing is left to clean after the replacement
	if _, err := next.Write(text); err != nil {
		return err
	}
	if os.Geteuid() == 0 {
		like, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			like, err = os.Stat(filepath.Dir(path))
		}
		if err != nil {
			return err
		}
		if owner, is := like.Sys().(*syscall.Stat_t); is {
			if err := next.Chown(int(owner.Uid), int(owner.Gid)); err != nil {
				return err
			}
		}
	}
	return next.CloseAtomicallyReplace()
}

// syncFolder makes a new name in a folder durable.
func syncFolder(path string) error {
	folder, err := os.Open(path) //nolint:gosec // G304: the path follows from a setting
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

func (j *journal) close() error {
	if j.file == nil {
		return nil
	}
	err := j.file.Close()
	j.file = nil
	return err
}

func encode(lines []line) []byte {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	for _, l := range lines {
		_ = encoder.Encode(l) // text, numbers and times: never fails
	}
	return text.Bytes()
}

// sorted are the addresses of bindings, in order.
func sorted(bindings map[netip.Addr]*Binding) []netip.Addr {
	return slices.SortedFunc(maps.Keys(bindings), netip.Addr.Compare)
}
