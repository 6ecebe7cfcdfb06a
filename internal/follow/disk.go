package follow

import (
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/quiet"
)

// The disk copy is written some minutes after news, and once an hour without:
// its age says how long a start may serve from it.
const (
	saveEvery  = 5 * time.Minute
	renewEvery = time.Hour
	// lastWait is how long the end waits for the last copy.
	lastWait = 5 * time.Second
)

// diskCopy keeps the tables on disk for the next start.
type diskCopy struct {
	guard  *guard
	path   string // empty: nowhere
	second string // another place; empty: none
	url    string // of the NetBox
	key    string // fingerprint of the settings that shape the tables
	log    logrus.FieldLogger
	once   *quiet.Logger

	changed  bool                                 // the tables changed since they were handed over to be written
	lastSave time.Time                            // when it was last tried
	saved    time.Time                            // when the tables on disk were known to be true
	write    func(path string, d ipam.Disk) error // ipam.WriteDiskFile
	writing  chan error                           // the outcome of the write under way; nil: none
	told     func(error)                          // hears how each write ended; may be nil
	written  time.Time                            // of what is being written
	unusable error                                // why a start could use none of the copies; fs.ErrNotExist: there is none
	used     string                               // the path that a start used
	passed   error                                // why it did not use the first one; nil: it did
}

// copiesFor are the copies that config names, of the NetBox at url.
func copiesFor(url string, config Config, g *guard) diskCopy {
	return diskCopy{
		guard: g, path: config.DiskPath, second: config.DiskCopy, url: url, key: config.fingerprint(), log: config.Log,
		once: quiet.New(config.Log, time.Minute, config.Now), write: ipam.WriteDiskFile, told: config.OnCopy,
	}
}

// fingerprint is a text that differs if settings differ that shape the tables.
func (c Config) fingerprint() string {
	key, err := json.Marshal([]any{c.Fields, c.ContextKey, c.GateFields})
	if err != nil {
		panic(err) // strings can always be encoded
	}
	return string(key)
}

// ErrForeign says that a copy is of no use here.
var ErrForeign = errors.New("the copy is of another NetBox or of other settings")

// restore reads the copy, or the second one where the first cannot be used, and
// tells when it was true; nil: there is none that can be used, and unusable says why.
func (d *diskCopy) restore() (*tables, time.Time) {
	for _, path := range []string{d.path, d.second} {
		t, taken, err := d.restoreFrom(path)
		if err == nil {
			d.used, d.passed, d.unusable = path, d.unusable, nil
			return t, taken
		}
		if d.unusable == nil || errors.Is(d.unusable, fs.ErrNotExist) {
			d.unusable = err
		}
	}
	return nil, time.Time{}
}

func (d *diskCopy) restoreFrom(path string) (*tables, time.Time, error) {
	if path == "" {
		return nil, time.Time{}, fs.ErrNotExist
	}
	disk, err := ipam.ReadDiskFile(path)
	if err == nil && (disk.URL != d.url || disk.Key != d.key) {
		d.log.WithField("url", disk.URL).Warn("the disk copy is of another NetBox or other settings and is not used")
		return nil, time.Time{}, ErrForeign
	}
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			d.log.WithError(err).Warn("the disk copy of NetBox cannot be used")
		}
		return nil, time.Time{}, err
	}
	d.saved = disk.Taken
	d.guard.restore(disk)
	d.log.WithField("taken", disk.Taken.UTC().Format(time.RFC3339)).Info("started from the disk copy of NetBox")
	return restored(disk), disk.Taken, nil
}

// restored makes tables of a disk copy. Rows that could not be used are not in
// it; the next full read finds them again.
func restored(disk ipam.Disk) *tables {
	t := newTables()
	t.changed = true
	t.objects = *disk.Objects
	clear(t.owned)
	for name, mark := range disk.Marks {
		t.marks[netbox.Table(name)] = mark
	}
	for _, table := range followedTables() {
		t.stamps[table] = stampsOf(table, &t.objects)
	}
	return t
}

// stampsOf are the stamps of the rows of one list.
func stampsOf(table netbox.Table, o *ipam.Objects) map[int64]stamp {
	rows := rowsOf(table)
	stamps := make(map[int64]stamp, rows.size(o))
	rows.each(o, func(id int64, value any) { stamps[id] = stampOf(updated(value)) })
	return stamps
}

// updated is last_updated of a row of a followed list.
func updated(value any) time.Time {
	switch v := value.(type) {
	case *ipam.Address:
		return v.LastUpdated
	case *ipam.MACAddress:
		return v.LastUpdated
	case *ipam.Interface:
		return v.LastUpdated
	case *ipam.Machine:
		return v.LastUpdated
	}
	return time.Time{}
}

// saveIfDue begins to write the copy if it is time to. It does not wait: a disk
// that hangs must not stop the polls (H-9).
func (d *diskCopy) saveIfDue(now time.Time, t *tables, confirmed time.Time) {
	d.settle()
	since := now.Sub(d.lastSave)
	if d.changed && since >= saveEvery || since >= renewEvery {
		d.begin(now, t, confirmed)
	}
}

// save writes the copy, unless NetBox was not read since the last one, and waits
// for the disk up to the given time.
func (d *diskCopy) save(now time.Time, t *tables, confirmed time.Time, wait time.Duration) {
	late := time.After(wait)
	if !d.await(late) {
		return
	}
	d.begin(now, t, confirmed)
	d.await(late)
}

// await waits for the write under way; false: it took too long.
func (d *diskCopy) await(late <-chan time.Time) bool {
	if d.writing == nil {
		return true
	}
	select {
	case err := <-d.writing:
		d.ended(err)
		return true
	case <-late:
		return false
	}
}

// settle takes note of a write that has ended.
func (d *diskCopy) settle() {
	select {
	case err := <-d.writing: // never for nil
		d.ended(err)
	default:
	}
}

func (d *diskCopy) ended(err error) {
	d.writing = nil
	if d.told != nil {
		d.told(err)
	}
	if err != nil {
		d.changed = true
		d.once.Warn("disk", "the disk copy of NetBox cannot be written", logrus.Fields{logrus.ErrorKey: err})
		return
	}
	d.saved = d.written
}

// begin hands the tables over to be written, unless NetBox was not read since the
// last copy or one is being written: a later call then takes what is newest.
func (d *diskCopy) begin(now time.Time, t *tables, confirmed time.Time) {
	if d.path == "" || t == nil || d.writing != nil || !confirmed.After(d.saved) {
		return
	}
	d.lastSave, d.written, d.changed = now, confirmed, false
	disk, ended := d.copyOf(t, confirmed), make(chan error, 1)
	d.writing = ended
	go func() {
		err := d.write(d.path, disk)
		if d.second != "" {
			err = errors.Join(err, d.write(d.second, disk))
		}
		ended <- err
	}()
}

// copyOf is t as it is written. Tables that are in use never change, so it can be
// encoded beside the polls.
func (d *diskCopy) copyOf(t *tables, confirmed time.Time) ipam.Disk {
	objects := t.objects
	disk := ipam.Disk{
		URL: d.url, Key: d.key, Taken: confirmed, Objects: &objects, Marks: make(map[string]time.Time),
		Lost: d.guard.lost.toDisk(), Held: d.guard.held.toDisk(), Followed: maps.Clone(d.guard.followed),
	}
	for table, mark := range t.marks {
		disk.Marks[string(table)] = mark
	}
	return disk
}
