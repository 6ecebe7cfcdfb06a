package instance

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease/backup"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease/pebblestore"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

// BackupHeader says what a backup of a store with these settings is of.
func BackupHeader(s settings.NetBox, program string, taken time.Time) backup.Header {
	h := backup.Header{Taken: taken, Program: program, Inventory: s.Inventory}
	h.Machine, _ = os.Hostname() // not known: not said
	h.Store = s.Store.Path
	if path, err := filepath.Abs(s.Store.Path); err == nil {
		h.Store = path
	}
	if s.Inventory == "" {
		h.NetBox = netBoxOf(s)
	}
	return h
}

// netBoxOf is the URL of NetBox in one form.
func netBoxOf(s settings.NetBox) string {
	if url, err := netbox.BaseURL(s.URL); err == nil {
		return url
	}
	return s.URL
}

// OtherNetBox reports whether a backup is of another NetBox than that of s, as far as
// both are known. An inventory is another one than any NetBox.
func OtherNetBox(s settings.NetBox, h backup.Header) bool {
	now := BackupHeader(s, "", time.Time{})
	return h.NetBox != now.NetBox && (h.NetBox != "" || h.Inventory != "")
}

// errStoreless says that the running server cannot back up what it has not.
var errStoreless = errors.New("the server runs without its lease store; the log and coredhcp-netbox store check say why")

// BackupStore writes a backup of the open store, as it is at one moment (C-30).
func (i *Instance) BackupStore(ctx context.Context, to io.Writer, h backup.Header) error {
	store := i.storeOpen.Load()
	if store == nil {
		return errStoreless
	}
	w, err := backup.NewWriter(to, h)
	if err != nil {
		return err
	}
	if err := store.Moment(ctx, w.Lease, w.Note); err != nil {
		return err
	}
	return w.Close()
}

// BackupStored writes a backup of a store that no server has open, which is neither
// locked nor written to (C-2). The error wraps fs.ErrNotExist where there is none.
func BackupStored(ctx context.Context, s settings.NetBox, to io.Writer, h backup.Header) error {
	leases, notes, err := StoredLeases(ctx, s)
	if err != nil {
		return err
	}
	return backup.Write(to, backup.File{Header: h, Leases: leases, Notes: notes})
}

// RestoreStore makes a backup the store of s, and returns where the store before is
// now; empty: there was none (C-31, C-32).
func RestoreStore(ctx context.Context, s settings.NetBox, f backup.File, now time.Time) (aside string, err error) {
	notes, err := lease.RestoredNotes(f.Notes, f.Taken, now)
	if err != nil {
		return "", err
	}
	return pebblestore.Replace(ctx, leaseFolder(s), f.Leases, notes, now)
}

// SetStoreAside moves the store of s away, and returns where it is now (C-33).
func SetStoreAside(s settings.NetBox, now time.Time) (aside string, err error) {
	return pebblestore.SetAside(leaseFolder(s), now)
}

// Counts are leases by state, at one time.
type Counts struct {
	Leases      int `json:"leases"`
	Running     int `json:"running"`
	Ended       int `json:"ended"`
	Quarantined int `json:"quarantined"`
	Withdrawn   int `json:"withdrawn"`     // ended by command, and kept for their clients
	Untold      int `json:"not_in_netbox"` // NetBox was not told yet
}

// Count counts leases as they are at a time.
func Count(leases []lease.Lease, now time.Time) (c Counts) {
	for _, l := range leases {
		c.add(l, now)
	}
	return c
}

func (c *Counts) add(l lease.Lease, now time.Time) {
	c.Leases++
	switch l.Phase(now) {
	case lease.PhaseRunning:
		c.Running++
	case lease.PhaseEnded:
		c.Ended++
	case lease.PhaseQuarantined:
		c.Quarantined++
	case lease.PhaseWithdrawn:
		c.Withdrawn++
	}
	if l.Unsynced {
		c.Untold++
	}
}

// StoreReport is what there is to say of a lease store (C-34).
type StoreReport struct {
	Path    string `json:"path"`
	Sound   bool   `json:"sound"`
	Trouble string `json:"trouble,omitempty"` // why it is not sound
	// Open says that a server has the store open and answered itself.
	Open   bool   `json:"open"`
	Format uint64 `json:"format,omitempty"`
	Newest uint64 `json:"newest_format"` // that this version knows
	Counts
	Notes   int       `json:"notes"`
	Bytes   int64     `json:"bytes"`            // of all its files
	Written time.Time `json:"written,omitzero"` // when a file of it was written last
	// BackupTaken and Restored are of a store that was restored; it, or one that was
	// found empty, may lack leases until YoungUntil. Unjudged: a server has to tell yet.
	BackupTaken time.Time   `json:"backup_taken,omitzero"`
	Restored    time.Time   `json:"restored,omitzero"`
	Unjudged    bool        `json:"unjudged,omitempty"`
	YoungUntil  time.Time   `json:"young_until,omitzero"`
	Copy        *CopyReport `json:"second_copy,omitempty"` // nil: store.copy is not set
}

// CopyReport is what there is to say of the second copy (H-10).
type CopyReport struct {
	Path    string    `json:"path"`
	Sound   bool      `json:"sound"`
	Trouble string    `json:"trouble,omitempty"`
	Running int       `json:"running"`
	Written time.Time `json:"written,omitzero"`
	// Snapshot is when the second copy of NetBox was written; zero: there is none.
	Snapshot time.Time `json:"snapshot_written,omitzero"`
}

// CheckStored reads the store of s whole, without a lock or a write (C-2, C-34).
func CheckStored(ctx context.Context, s settings.NetBox, now time.Time) StoreReport {
	r := newReport(s, now)
	format, leases, notes, err := pebblestore.Inspect(ctx, leaseFolder(s))
	r.Format, r.Sound = format, err == nil
	switch {
	case errors.Is(err, fs.ErrNotExist) && !r.there():
		r.Trouble = "there is no store: no server has run with these settings yet, or the disk is not mounted"
	case err != nil:
		r.Trouble = err.Error()
	}
	r.Counts, r.Notes = Count(leases, now), len(notes)
	r.tellAge(notes)
	return r
}

// CheckStore reads the open store whole, or the files of one that could not be opened.
func (i *Instance) CheckStore(ctx context.Context, now time.Time) StoreReport {
	store := i.storeOpen.Load()
	if store == nil {
		return CheckStored(ctx, i.Settings, now)
	}
	r := newReport(i.Settings, now)
	r.Open, r.Format = true, pebblestore.Format
	notes := make(map[string][]byte)
	err := store.Moment(ctx, func(l lease.Lease) error {
		r.add(l, now)
		return nil
	}, func(name string, value []byte) error {
		notes[name] = value
		return nil
	})
	if r.Sound = err == nil; !r.Sound {
		r.Trouble = err.Error()
	}
	r.Notes = len(notes)
	r.tellAge(notes)
	return r
}

// newReport begins with what is known without reading the store.
func newReport(s settings.NetBox, now time.Time) StoreReport {
	r := StoreReport{Path: leaseFolder(s), Newest: pebblestore.Format, Copy: checkCopy(s, now)}
	entries, _ := os.ReadDir(r.Path) // what is wrong with the folder is told by reading the store
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			r.Bytes += info.Size()
			if info.ModTime().After(r.Written) {
				r.Written = info.ModTime().UTC()
			}
		}
	}
	return r
}

// there reports whether the folder of the store holds a file.
func (r *StoreReport) there() bool { return !r.Written.IsZero() }

func (r *StoreReport) tellAge(notes map[string][]byte) {
	if !r.Sound {
		return
	}
	age := lease.AgeOf(notes, r.Leases > 0)
	r.BackupTaken, r.Restored, r.Unjudged, r.YoungUntil = age.Taken, age.Restored, age.Unjudged, age.YoungUntil
}

func checkCopy(s settings.NetBox, now time.Time) *CopyReport {
	if s.Store.Copy == "" {
		return nil
	}
	r := &CopyReport{Path: copyOfLeases(s)}
	kept, _, err := readCopy(r.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.Trouble = "there is none yet"
	case err != nil:
		r.Trouble = err.Error()
	}
	r.Sound, r.Running = err == nil, Count(kept.Leases, now).Running
	r.Written, r.Snapshot = writtenAt(r.Path), writtenAt(secondCopy(s))
	return r
}

// writtenAt is when a file was written; zero: it is not there.
func writtenAt(path string) time.Time {
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime().UTC()
}
