package mirror

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/netboxio"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/owned"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
)

// ErrLocked says that another process works on the same state folder.
var ErrLocked = errors.New("another run is under way")

// keptRuns is how many runs the state folder remembers.
const keptRuns = 50

// stateDir is the folder of what is remembered between runs. Losing it loses
// lease details and the history, never an address.
type stateDir string

func (d stateDir) file(name string) string { return filepath.Join(string(d), name) }

// lock takes the run lock; the function returned gives it back.
func (d stateDir) lock() (func(), error) {
	if err := owned.Folder(string(d), 0o750); err != nil {
		return nil, fmt.Errorf("state folder: %w", err)
	}
	l := flock.New(d.file("lock"))
	ok, err := l.TryLock()
	if err == nil && ok {
		err = owned.Give(l.Path())
	}
	if err != nil {
		_ = l.Unlock()
		return nil, fmt.Errorf("lock %s: %w", l.Path(), err)
	}
	if !ok {
		return nil, fmt.Errorf("%w: %s is locked", ErrLocked, l.Path())
	}
	return func() { _ = l.Unlock() }, nil
}

// memory reads what the last run remembered; empty if there was none. A file
// that cannot be read is an error: without it less would be deleted, and the
// operator would not know why.
func (d stateDir) memory() (plan.Memory, error) {
	var memory plan.Memory
	err := d.read("memory.json", &memory)
	return memory, err
}

func (d stateDir) keepMemory(m plan.Memory) error { return d.write("memory.json", m) }

// making reads the request that a run was killed at; nil: none was.
func (d stateDir) making() (*netboxio.Making, error) {
	var m *netboxio.Making
	err := d.read("making.json", &m)
	return m, err
}

// keepMaking notes a request under way; nil: there is none any more.
func (d stateDir) keepMaking(m *netboxio.Making) error {
	if m != nil {
		return d.write("making.json", m)
	}
	if err := os.Remove(d.file("making.json")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("state: %w", err)
	}
	return nil
}

func (d stateDir) runs() ([]Run, error) {
	var runs []Run
	err := d.read("runs.json", &runs)
	return runs, err
}

// keepRun puts a run in front of the others, without its plan.
func (d stateDir) keepRun(run Run) error {
	runs, err := d.runs()
	if err != nil {
		runs = nil // the history is not worth failing for
	}
	run.Plan, run.Report = nil, nil
	runs = append([]Run{run}, runs...)
	return d.write("runs.json", runs[:min(len(runs), keptRuns)])
}

func (d stateDir) read(name string, out any) error {
	data, err := os.ReadFile(d.file(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("state: %w", err)
	}
	if err := json.Unmarshal(data, out); err != nil {
		return fmt.Errorf("state: %s is damaged (%w): move it away to start without it", d.file(name), err)
	}
	return nil
}

// write replaces a file as a whole.
func (d stateDir) write(name string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if err := owned.Folder(string(d), 0o750); err != nil {
		return fmt.Errorf("state folder: %w", err)
	}
	if err := owned.WriteFile(d.file(name), data, 0o640); err != nil {
		return fmt.Errorf("state: %w", err)
	}
	return nil
}
