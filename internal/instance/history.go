package instance

import (
	"context"
	"net/netip"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/circuit"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/history"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

const (
	// historyRoom is how many messages wait to be noted at most.
	historyRoom = 8192
	// historyFlush is how often begins and ends are written, historySweep how often spans are
	// looked through whose time is over, and historyCheckpoint how often it is written when
	// clients were heard: so much of that a kill may lose (HI-4).
	historyFlush      = time.Second
	historySweep      = 15 * time.Second
	historyCheckpoint = 10 * time.Minute
)

// record is the history of an instance.
type record struct {
	log    atomic.Pointer[history.Log] // nil until the files were read
	watch  *Watch                      // nil: there is neither history nor events
	failed atomic.Bool                 // the last write failed
}

// HistoryFolder is where the history is; empty: none is kept.
func HistoryFolder(s settings.NetBox) string {
	if s.History.Keep == 0 {
		return ""
	}
	return filepath.Join(s.Store.Path, "history")
}

// startHistory begins to note who has which address, and to tell of it (HI-1, HI-9).
func (i *Instance) startHistory(ctx context.Context) {
	if i.pool.Rehearse || HistoryFolder(i.Settings) == "" && i.Settings.Events.Off() {
		return
	}
	i.record.watch = i.Watch(historyRoom, concernsLeases)
	i.startEvents(ctx)
	i.disks.Go(func() { i.keepHistory(ctx) })
}

// concernsLeases reports whether an address was given or given up. All of that was made
// durable, so a flood of packets is no flood of it (HI-11).
func concernsLeases(_ *lease.ClientMessage, d *lease.Decision) bool {
	switch d.Verdict {
	case lease.Ack, lease.BootReply:
		return d.Addr.IsValid()
	case lease.Taken:
		return true
	}
	return false
}

// keepHistory notes what it hears until ctx ends.
func (i *Instance) keepHistory(ctx context.Context) {
	l, err := history.Open(i.historyOptions(), timeOfDay())
	if err != nil {
		i.historyFailed(err)
	}
	i.record.log.Store(l)
	i.disks.Go(func() { i.writeHistory(ctx, l) })
	sweep := time.NewTicker(historySweep)
	defer sweep.Stop()
	for {
		select {
		case seen := <-i.record.watch.C:
			i.note(l, &seen)
		case <-sweep.C:
			i.tellEnded(l.Sweep(timeOfDay()))
		case <-ctx.Done():
			for len(i.record.watch.C) > 0 {
				seen := <-i.record.watch.C
				i.note(l, &seen)
			}
			i.record.watch.Close()
			i.wroteHistory(l.Checkpoint(timeOfDay()))
			return
		}
	}
}

// writeHistory writes what was noted. It is apart from keepHistory, since a disk may hang.
func (i *Instance) writeHistory(ctx context.Context, l *history.Log) {
	flush, checkpoint := time.NewTicker(historyFlush), time.NewTicker(historyCheckpoint)
	defer flush.Stop()
	defer checkpoint.Stop()
	i.wroteHistory(l.Checkpoint(timeOfDay()))
	for {
		select {
		case <-ctx.Done():
			return
		case <-flush.C:
			i.wroteHistory(l.Flush(timeOfDay()))
		case <-checkpoint.C:
			i.tellEnded(l.Reconcile(timeOfDay()))
			i.wroteHistory(l.Checkpoint(timeOfDay()))
		}
	}
}

func (i *Instance) wroteHistory(err error) {
	i.record.failed.Store(err != nil)
	if err != nil {
		i.historyFailed(err)
	}
}

// historyFailed says, at most once a minute, that the history cannot be kept. Clients are
// served all the same (HI-5). While there is no lease store, which is in the same folder,
// the line about that stands for both.
func (i *Instance) historyFailed(err error) {
	if i.storeFailed() {
		return
	}
	i.Quiet.Error("history", "the history of addresses cannot be read or written: it is tried again, clients are served all the same", logrus.Fields{logrus.ErrorKey: err})
}

func (i *Instance) historyOptions() history.Options {
	return history.Options{
		Folder: HistoryFolder(i.Settings), Keep: i.Settings.History.Keep, MaxBytes: i.Settings.History.MaxBytes, Unwritten: historyCheckpoint,
		Check:   i.storeSays,
		MayDrop: func() bool { return i.Engine.ReclaimPause() == 0 },
		Dropped: func(day string, room bool) {
			line := i.Log.WithField("day", day)
			if room {
				line.Warn("a day of the history was dropped before its time: netbox.history.max_bytes leaves no room")
				return
			}
			line.Info("a day of the history was dropped: it is older than netbox.history.keep")
		},
	}
}

// storeSays is what the lease store knows of a span: until when it runs, or that it was
// ended without a message (HI-4).
func (i *Instance) storeSays(s history.Span) (until time.Time, how history.How) {
	if s.Static {
		return time.Time{}, ""
	}
	l, ok := i.Engine.Lease(s.Addr)
	switch {
	case !ok || i.storeFailed():
		return time.Time{}, ""
	case l.Client == lease.ClientID(s.Client) && l.State == lease.Bound:
		return l.Expires, ""
	case l.Client == lease.ClientID(s.Client) && l.State == lease.Released, l.State == lease.Withdrawn:
		return time.Time{}, history.Operator
	case l.State == lease.Quarantined:
		return time.Time{}, history.Declined
	case l.State == lease.Bound && l.Expires.After(s.Until):
		return time.Time{}, history.Taken
	}
	return time.Time{}, ""
}

// EndedByOperator notes that an operator ended the lease of an address.
func (i *Instance) EndedByOperator(addr netip.Addr) {
	if l := i.record.log.Load(); l != nil {
		if s, ok := l.Ended(addr, 0, "", timeOfDay(), history.Operator); ok {
			i.tellEnded([]history.Span{s})
		}
	}
}

// note takes over one message.
func (i *Instance) note(l *history.Log, seen *Seen) {
	switch seen.Verdict {
	case lease.Taken:
		how := history.Released
		if seen.Reason == lease.ReasonDeclined {
			how = history.Declined
		}
		if s, ok := l.Ended(seen.Addr, 0, string(seen.Client), seen.At, how); ok {
			i.tellEnded([]history.Span{s})
		}
	default:
		s := spanOf(seen)
		began, ended := l.Saw(s)
		i.tellEnded(ended)
		i.tellSeen(&s, began)
	}
}

// spanOf is what a message says of the client that has an address.
func spanOf(seen *Seen) history.Span {
	s := history.Span{
		Addr: seen.Addr, Client: string(seen.Client), Hardware: string(seen.Hardware), Hostname: seen.Hostname, Machine: seen.Machine, Static: seen.Static,
		Network: seen.Network, Relay: seen.Relay, Interface: seen.Interface, Heard: seen.At,
	}
	if seen.Time > 0 { // BOOTP promises no end
		s.Until = seen.At.Add(seen.Time)
	}
	if seen.Circuit != "" {
		s.Circuit = circuit.Text([]byte(seen.Circuit))
	}
	if seen.Remote != "" {
		s.Remote = circuit.Text([]byte(seen.Remote))
	}
	return s
}

// Who answers who had which address.
func (i *Instance) Who(ctx context.Context, q history.Query) (history.Answer, error) {
	l := i.record.log.Load()
	if l == nil || HistoryFolder(i.Settings) == "" {
		return history.Answer{}, ErrNoHistory
	}
	return l.Find(ctx, q)
}

// historyMetrics tell how the history is doing.
func (i *Instance) historyMetrics() []prometheus.Collector {
	state := func() (s history.State) {
		if l := i.record.log.Load(); l != nil {
			s = l.State()
		}
		return s
	}
	return []prometheus.Collector{
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "coredhcp_netbox_history_running_spans", Help: "Addresses that clients have now, by the history.",
		}, func() float64 { return float64(state().Running) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "coredhcp_netbox_history_bytes", Help: "Bytes of the files of the history.",
		}, func() float64 { return float64(state().Bytes) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "coredhcp_netbox_history_failed", Help: "1 if the history could not be written last time, or has no room left.",
		}, func() float64 { return number(i.record.failed.Load() || state().Full) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "coredhcp_netbox_history_lost_total", Help: "Messages and ended spans that the history does not have, since there was no room for them.",
		}, func() float64 {
			lost := state().Lost
			if i.record.watch != nil {
				lost += i.record.watch.Lost()
			}
			return float64(lost)
		}),
	}
}
