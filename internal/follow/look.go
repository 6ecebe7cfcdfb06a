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
	// Unusable is why the disk copy was not compared with; it wraps fs.ErrNotExist
	// where there is none.
	Unusable error
}

// Look reads NetBox once and compares it with the disk copy. What the change log
// has as deleted is not missing. Nothing is changed, and the callbacks of config are
// not used. With an error, Seen is what the disk copy tells.
func Look(ctx context.Context, client *netbox.Client, config Config) (Seen, error) {
	var now Seen
	config.OnSnapshot = func(s *ipam.Snapshot, problems []ipam.Problem) {
		now.Losses, now.Problems = s.Losses(), problems
	}
	config.OnConfirm = func(time.Time, time.Duration) {}
	f := New(client, config)
	f.restore()
	if now.Unusable = f.disk.unusable; f.tables == nil {
		err := f.full(ctx)
		now.Losses = nil
		return now, err
	}
	now.Taken = f.confirmed
	stored := now
	if err := f.poll(ctx); err != nil {
		return stored, err
	}
	if err := f.full(ctx); err != nil {
		return stored, err
	}
	return now, nil
}

// Stored returns the snapshot that a server which starts from the disk copy at
// config.DiskPath would serve: with the rows that vanished or whose change is
// doubted, and with names followed by their ids. NetBox is not asked, and nothing
// is logged. taken is when the copy was true. The error wraps fs.ErrNotExist where
// there is no copy, ipam.ErrDiskFormat where it cannot be used (C-7).
func Stored(config Config) (s *ipam.Snapshot, taken time.Time, err error) {
	disk, err := ipam.ReadDiskFile(config.DiskPath)
	if err != nil {
		return nil, time.Time{}, err
	}
	now := time.Now()
	if config.Now != nil {
		now = config.Now()
	}
	g, t := newGuard(config), restored(disk)
	g.restore(disk)
	g.look(nil, t, nil, moment{now: now})
	s, _ = g.build(&t.objects, config.Options, now)
	return s, disk.Taken, nil
}
