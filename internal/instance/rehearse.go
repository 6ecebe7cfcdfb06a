package instance

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease/pebblestore"
)

// rehearsalStore returns a store in memory with what is stored now. A store
// that a running server has open cannot be read; its leases are then known from
// the records in NetBox only.
func (i *Instance) rehearsalStore(ctx context.Context, dir string) (lease.Store, error) {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return lease.NewMemoryStore(), nil
	}
	stored, err := pebblestore.Open(dir, i.Log)
	if err != nil {
		i.Log.WithError(err).Info("leases are taken from the records in NetBox")
		return lease.NewMemoryStore(), nil
	}
	var leases []lease.Lease
	err = stored.Each(ctx, func(l lease.Lease, _ lease.Revision) error {
		leases = append(leases, l)
		return nil
	})
	return lease.NewMemoryStore(leases...), errors.Join(err, stored.Close())
}
