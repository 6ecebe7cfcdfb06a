package follow

import (
	"context"
	"io"
	"time"

	"github.com/sirupsen/logrus"

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

// Copied is what a server would serve that starts from a disk copy.
type Copied struct {
	Snapshot *ipam.Snapshot
	Taken    time.Time // when the copy was true
	Path     string    // which of the two copies it is
	Passed   error     // why it is not the first one; nil: it is
}

// Stored returns what a server which starts now from the disk copies of config, of
// the NetBox at url, would serve: with the rows that vanished or whose change is
// doubted, and with names followed by their ids. NetBox is not asked, and nothing
// is logged. The error says why no copy can be used: it wraps fs.ErrNotExist where
// there is none, ErrForeign where it is of something else, and ipam.ErrDiskFormat
// where it is damaged (C-7, H-10).
func Stored(url string, config Config) (Copied, error) {
	config.Log = silent()
	if config.Now == nil {
		config.Now = time.Now
	}
	g, now := newGuard(config), config.Now()
	disk := copiesFor(url, config, g)
	t, taken := disk.restore()
	if t == nil {
		return Copied{}, disk.unusable
	}
	g.look(nil, t, nil, moment{now: now})
	s, _ := g.build(&t.objects, config.Options, now)
	return Copied{Snapshot: s, Taken: taken, Path: disk.used, Passed: disk.passed}, nil
}

// Copy is a copy of s as Saved reads it: with the rows that vanished or whose change
// is doubted, as they are served, and with what the names of the settings led to. url
// says where s comes from, taken when it was true there.
func Copy(s *ipam.Snapshot, url string, taken time.Time, config Config) ipam.Disk {
	return ipam.Disk{URL: url, Key: config.fingerprint(), Taken: taken, Objects: s.Objects(), Followed: s.Followed()}
}

// Saved is what a server with the settings of config would serve from a copy of any
// NetBox. The error is ErrForeign if the copy was made with other settings, which read
// other custom fields or another key of config contexts.
func Saved(disk ipam.Disk, config Config) (*ipam.Snapshot, error) {
	if disk.Key != config.fingerprint() {
		return nil, ErrForeign
	}
	config.Log = silent()
	g, t := newGuard(config), restored(disk)
	g.restore(disk)
	g.look(nil, t, nil, moment{now: disk.Taken})
	s, _ := g.build(&t.objects, config.Options, disk.Taken)
	return s, nil
}

// silent is a log for what is only looked at.
func silent() *logrus.Logger {
	log := logrus.New()
	log.SetOutput(io.Discard)
	return log
}
