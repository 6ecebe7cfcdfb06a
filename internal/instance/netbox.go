package instance

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/follow"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/writeback"
)

// Client returns a client of the NetBox the settings name.
func Client(s settings.NetBox, log logrus.FieldLogger) (*netbox.Client, error) {
	return netbox.NewClient(netbox.Config{
		URL: s.URL,
		Token: func() (string, error) {
			token, err := s.Token()
			return token.Reveal(), err
		},
		Timeout: s.Timeout,
		CAFile:  s.CAFile,
	}, log)
}

// inClear says that what is sent to url can be read on a network.
func inClear(address string) bool {
	u, err := url.Parse(address)
	if err != nil || !strings.EqualFold(u.Scheme, "http") {
		return false
	}
	addr, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() != "localhost" && (err != nil || !addr.IsLoopback())
}

// recordFields are the custom fields that hold lease records and reservations.
func recordFields(s settings.NetBox) follow.Fields {
	f := s.Fields
	return follow.Fields{MAC: f.MAC, Expire: f.Expire, Hostname: f.Hostname, ReservationMAC: f.ReservationMAC, ReservationID: f.ReservationClientID}
}

// AboutObjects says how long NetBox takes to show leases in ranges; "": it does not
// show them (S-17).
func AboutObjects(s settings.NetBox) string {
	if s.Dynamic.WriteBack != "leased" || s.Inventory != "" {
		return ""
	}
	const burst = 1000
	return fmt.Sprintf("netbox.dynamic.write_back: leased: NetBox makes some %d IP addresses a second and deletes some %d: of %d new leases at once the last is shown after %d s, and its object is gone %d s after they end",
		writeback.MadeASecond, writeback.RemovedASecond, burst, burst/writeback.MadeASecond, burst/writeback.RemovedASecond)
}

// followNetBox starts to keep the snapshot fresh and to tell NetBox about
// leases.
func (i *Instance) followNetBox(ctx context.Context) error {
	client, err := Client(i.Settings, i.Log)
	if err != nil {
		return err
	}
	i.client = client
	i.readSwitches()
	if inClear(i.Settings.URL) {
		i.Log.WithField("url", i.Settings.URL).Warn("NetBox is asked by http: the token and all answers travel in clear, and can be changed on the way; use https")
	}
	i.Log.WithFields(logrus.Fields{"url": client.URL(), "every": i.Settings.Poll.Interval}).Info("facts come from NetBox")
	follower := follow.New(client, i.followConfig(diskCopy(i.Settings)))
	i.follower = follower
	i.running.Go(func() { _ = follower.Run(ctx) }) // returns only why ctx ended
	if i.Settings.Dynamic.WriteBack == "none" {
		return nil
	}
	writer := writeback.New(writeback.Config{
		Unsynced:  i.Engine.Unsynced,
		Synced:    i.Engine.Synced,
		UnsyncedC: i.Engine.UnsyncedC(),

		ReclaimPause: i.Engine.ReclaimPause,
		Running:      i.Engine.Running,
		Snapshot:     i.Snapshot,
		Write: func(ctx context.Context, changes []writeback.RecordChange) []writeback.RecordResult {
			results := writeback.WriteRecords(ctx, client, recordFields(i.Settings), changes)
			i.Metrics.recorded(results)
			return results
		},
		BindInterface: i.Settings.Clients.BindInterface,
		MakeObjects:   i.Settings.Dynamic.WriteBack == "leased",
		Lease:         i.Engine.Lease,
		Grace:         i.Settings.Lease.ReclaimGrace,
		Remove: func(ctx context.Context, removals []writeback.Removal) []writeback.RecordResult {
			return writeback.RemoveObjects(ctx, client, removals)
		},
		Log: i.Log,
	})
	i.running.Go(func() { writer.Run(ctx) })
	return nil
}

func (i *Instance) followConfig(disk string) follow.Config {
	s := i.Settings
	clocks := clockWatch{log: i.Log}
	c := readConfig(s, disk, i.Log)
	c.Interval, c.Doubt, c.Leased = s.Poll.Interval, s.Poll.Doubt, i.Engine.Leased
	c.DiskCopy, c.OnCopy, c.OnEdit = i.secondSnapshot(), i.Metrics.copied, i.Metrics.edited
	c.OnSnapshot = func(s *ipam.Snapshot, problems []ipam.Problem) { // the follower logs them
		i.problems.Store(&problems)
		i.publish(s)
	}
	c.OnConfirm = func(at time.Time, skew time.Duration) {
		i.confirm(at, skew)
		clocks.compared(at, skew)
	}
	return c
}

// readConfig says what is read of NetBox, and where the copy of it is kept.
func readConfig(s settings.NetBox, disk string, log logrus.FieldLogger) follow.Config {
	return follow.Config{
		Fields: recordFields(s), ContextKey: s.ContextKey, GateFields: []string{s.PXE.RedeployField, s.PXE.ConfirmField},
		Options: options(s), DiskPath: disk, Log: log,
	}
}

// confirm notes that the snapshot agreed with NetBox at the given time. Where it
// comes from the disk copy, no clock was read for it (S-15).
func (i *Instance) confirm(at time.Time, skew time.Duration) {
	i.Engine.Confirm(at, skew)
	if i.client.Dated() {
		i.Engine.ClockRead()
	}
}

// diskCopy is where the last snapshot of NetBox is kept.
func diskCopy(s settings.NetBox) string { return filepath.Join(s.Store.Path, "netbox.snapshot") }

// StoredSnapshot returns what is known without asking NetBox: the inventory, or
// the copy that a server with these settings would start from. The error wraps
// fs.ErrNotExist where no server has run yet, follow.ErrForeign where one ran for
// another NetBox or with other settings.
func StoredSnapshot(s settings.NetBox) (*ipam.Snapshot, error) {
	if s.Inventory != "" {
		snapshot, _, err := Inventory(s)
		return snapshot, err
	}
	copied, err := fromDisk(s)
	return copied.Snapshot, err
}

// fromDisk returns what a server with these settings would serve from its copies.
func fromDisk(s settings.NetBox) (follow.Copied, error) {
	url, err := netbox.BaseURL(s.URL)
	if err != nil {
		return follow.Copied{}, err
	}
	config := readConfig(s, diskCopy(s), nil)
	config.DiskCopy = secondCopy(s)
	return follow.Stored(url, config)
}

// loadOnce reads NetBox as it is now, for a rehearsal.
func (i *Instance) loadOnce(ctx context.Context) error {
	client, err := Client(i.Settings, i.Log)
	if err != nil {
		return err
	}
	i.client = client
	i.readSwitches()
	if _, err := client.Version(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, 10*time.Minute, errors.New("it takes longer than 10 minutes"))
	defer cancel()
	loaded := make(chan struct{})
	config := i.followConfig("")
	config.OnSnapshot = func(s *ipam.Snapshot, _ []ipam.Problem) {
		i.publish(s)
		close(loaded)
		cancel()
	}
	err = follow.New(client, config).Run(ctx)
	select {
	case <-loaded:
		return nil
	default:
		return fmt.Errorf("read NetBox: %w", err)
	}
}

// AcceptNetBox is the operator's word that NetBox shows what is true. It returns how
// many rows were held against it.
func (i *Instance) AcceptNetBox(ctx context.Context) (rows int, err error) {
	if i.follower == nil {
		return 0, errors.New("facts come from an inventory, not from a NetBox that could be doubted")
	}
	return i.follower.Accept(ctx)
}
