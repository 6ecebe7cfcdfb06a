package instance

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/follow"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease/pebblestore"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

// StoredLeases returns the leases and notes of the store of s, which is neither
// locked nor written to (C-2). The error wraps fs.ErrNotExist where no server has
// run yet.
func StoredLeases(ctx context.Context, s settings.NetBox) ([]lease.Lease, map[string][]byte, error) {
	return pebblestore.Read(ctx, leaseFolder(s))
}

// leaseFolder is where the lease store is.
func leaseFolder(s settings.NetBox) string { return filepath.Join(s.Store.Path, "leases") }

// Rehearsal opens what a server with the settings of a file would serve from, with
// NetBox as it is now, and without a lock or a write. Close it.
func Rehearsal(file *settings.File, log logrus.FieldLogger) (*Instance, error) {
	return (&Pool{Rehearse: true, Anew: true}).start(file, log)
}

// Foresee has a rehearsal serve from its snapshot with one address changed, or made where
// it has no id yet. Clients are answered from it from then on.
func (i *Instance) Foresee(changed *ipam.Address) {
	objects := *i.Snapshot().Objects()
	objects.Addresses = maps.Clone(objects.Addresses)
	objects.Addresses[changed.ID] = changed
	snapshot, _ := ipam.Build(&objects, options(i.Settings))
	i.publish(snapshot)
}

// RecordFields are the custom fields that hold lease records and reservations.
func (i *Instance) RecordFields() follow.Fields { return recordFields(i.Settings) }

// RestsOn says in words what a rehearsal knows, and from where.
func (i *Instance) RestsOn() []string { return i.restsOn }

func (i *Instance) rest(format string, args ...any) {
	i.restsOn = append(i.restsOn, fmt.Sprintf(format, args...))
}

// rehearsalStore returns a store in memory with what is on the disk now. A store
// that cannot be read is no trouble: its leases are then known from the second copy,
// if there is one, and from the records in NetBox.
func (i *Instance) rehearsalStore(ctx context.Context) (lease.Store, error) {
	if known := i.pool.Known; known != nil {
		i.rest("leases: %d were given to begin with", len(*known))
		return lease.NewMemoryStore(*known...), nil
	}
	leases, notes, err := StoredLeases(ctx, i.Settings)
	copied := ""
	if i.Settings.Store.Copy != "" {
		if path, text, _ := i.restoreCopy(); text != nil { // the log says what is wrong with it
			copied = "; those of the second copy, " + path + ", count"
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		i.rest("leases: none are stored in %s%s", leaseFolder(i.Settings), copied)
	case err != nil:
		i.rest("leases: as the records in NetBox have them, since the store cannot be read: %v%s", err, copied)
	case len(leases) == 0:
		i.rest("leases: none, as stored in %s%s", leaseFolder(i.Settings), copied)
	default:
		i.rest("leases: as stored in %s", leaseFolder(i.Settings))
	}
	store := lease.NewMemoryStore(leases...)
	for name, value := range notes {
		if err := store.SetNote(ctx, name, value); err != nil {
			return nil, err
		}
	}
	return store, nil
}

// rehearseNetBox takes the snapshot from the copies that a server keeps on disk.
// Where none can be used, and where the operator asks for it, NetBox is read now.
func (i *Instance) rehearseNetBox(ctx context.Context) error {
	var useless error
	if !i.pool.Anew {
		copied, err := fromDisk(i.Settings)
		if err == nil {
			i.publish(copied.Snapshot)
			i.rest("NetBox: as it was at %s, by the copy on disk, %s", copied.Taken.UTC().Format(time.RFC3339), copied.Path)
			if copied.Passed != nil {
				i.rest("the first copy, %s, is of no use: %v", diskCopy(i.Settings), copied.Passed)
			}
			return nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			useless = fmt.Errorf("the copy of NetBox on disk is of no use: %w", err)
			i.rest("%v", useless)
		}
	}
	i.rest("NetBox: as it is now")
	if err := i.loadOnce(ctx); err != nil {
		return errors.Join(err, useless)
	}
	return nil
}
