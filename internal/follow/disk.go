package follow

import (
	"encoding/json"
	"errors"
	"io/fs"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
)

// restore starts from the disk copy. It is caught up by the first poll and
// checked by a full read right after.
func (f *Follower) restore() {
	if f.config.DiskPath == "" {
		return
	}
	disk, err := ipam.ReadDiskFile(f.config.DiskPath)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return
	case err != nil:
		f.log.WithError(err).Warn("the disk copy of NetBox cannot be used")
		return
	case disk.URL != f.client.URL() || disk.Key != f.key():
		f.log.WithField("url", disk.URL).Warn("the disk copy is of another NetBox or other settings and is not used")
		return
	}
	next := restored(disk)
	next.changed = true
	f.adopt(next)
	f.unsaved = false
	f.confirmed, f.saved = disk.Taken, disk.Taken
	f.config.OnConfirm(disk.Taken, 0)
	f.log.WithField("taken", disk.Taken.UTC().Format(time.RFC3339)).Info("started from the disk copy of NetBox")
}

// restored makes a picture of a disk copy. Rows that could not be used are not
// in it and are found again by the next full read.
func restored(disk ipam.Disk) *tables {
	p := newTables()
	p.objects = *disk.Objects
	clear(p.owned)
	for name, mark := range disk.Marks {
		p.marks[netbox.Table(name)] = mark
	}
	for id, a := range p.objects.Addresses {
		p.stamps[netbox.Addresses][id] = a.LastUpdated
	}
	for id, m := range p.objects.MACs {
		p.stamps[netbox.MACs][id] = m.LastUpdated
	}
	for id, i := range p.objects.Interfaces {
		p.stamps[InterfacesOf(id.Kind)][id.ID] = i.LastUpdated
	}
	for id, m := range p.objects.Machines {
		p.stamps[machinesOf(id.Kind)][id.ID] = m.LastUpdated
	}
	return p
}

// key is a fingerprint of the settings that shape the tables.
func (f *Follower) key() string {
	key, err := json.Marshal([]any{f.config.Fields, f.config.ContextKey, f.config.GateFields})
	if err != nil {
		panic(err) // strings can always be encoded
	}
	return string(key)
}

// save writes the disk copy when it is due: news after some minutes, and
// unchanged tables once an hour, since their age says how long they may be
// served from.
func (f *Follower) save(now time.Time) {
	since := now.Sub(f.lastSave)
	if f.confirmed.After(f.saved) && (f.unsaved && since >= saveEvery || since >= time.Hour) {
		f.saveNow(now)
	}
}

func (f *Follower) saveNow(now time.Time) {
	if f.config.DiskPath == "" || f.tables == nil || !f.confirmed.After(f.saved) {
		return
	}
	f.lastSave = now
	objects := f.tables.objects
	disk := ipam.Disk{URL: f.client.URL(), Key: f.key(), Taken: f.confirmed, Objects: &objects, Marks: make(map[string]time.Time)}
	for e, mark := range f.tables.marks {
		disk.Marks[string(e)] = mark
	}
	if err := ipam.WriteDiskFile(f.config.DiskPath, disk); err != nil {
		f.quiet.Warn("disk", "the disk copy of NetBox cannot be written", logrus.Fields{logrus.ErrorKey: err})
		return
	}
	f.saved, f.unsaved = f.confirmed, false
}
