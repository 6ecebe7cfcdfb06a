package follow

import (
	"context"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
)

// Seen is what a token sees of NetBox now.
type Seen struct {
	Problems []ipam.Problem   // with the data
	Losses   []ipam.LossCount // against the disk copy; nil: there is none
	Taken    time.Time        // when the disk copy was taken; zero: there is none
}

// Look reads NetBox once and compares it with the disk copy. What the change log
// has as deleted is not missing. Nothing is changed, and the callbacks of config are
// not used. With an error, Seen is what the disk copy tells.
func Look(ctx context.Context, client *netbox.Client, config Config) (seen Seen, err error) {
	config.OnSnapshot = func(s *ipam.Snapshot, problems []ipam.Problem) {
		seen.Losses, seen.Problems = s.Losses(), problems
	}
	config.OnConfirm = func(time.Time, time.Duration) {}
	f := New(client, config)
	f.restore()
	if f.tables == nil {
		err := f.full(ctx)
		seen.Losses = nil
		return seen, err
	}
	seen.Taken = f.confirmed
	if err := f.poll(ctx); err != nil {
		return seen, err
	}
	return seen, f.full(ctx)
}
