package follow

import (
	"context"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
)

// Missing reads NetBox once and compares it with the disk copy, which was taken
// at a time; zero: there is none. What the change log has as deleted is not
// missing. Nothing is changed, and the callbacks of config are not used.
func Missing(ctx context.Context, client *netbox.Client, config Config) (losses []ipam.LossCount, taken time.Time, err error) {
	config.OnSnapshot = func(s *ipam.Snapshot, _ []ipam.Problem) { losses = s.Losses() }
	config.OnConfirm = func(time.Time, time.Duration) {}
	f := New(client, config)
	f.restore()
	if f.tables == nil {
		return nil, time.Time{}, nil
	}
	taken = f.confirmed
	if err := f.poll(ctx); err != nil {
		return nil, taken, err
	}
	if err := f.full(ctx); err != nil {
		return nil, taken, err
	}
	return losses, taken, nil
}
