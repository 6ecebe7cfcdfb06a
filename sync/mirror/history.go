package mirror

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/history"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/owned"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/settings"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// HistoryFolder is where runs note which leases they saw; empty: nowhere (rule 12).
func HistoryFolder(f *settings.File) string {
	if f.Sync.History.Keep == 0 {
		return ""
	}
	return filepath.Join(f.Sync.StateDir, "history")
}

func historyOptions(f *settings.File) history.Options {
	return history.Options{Folder: HistoryFolder(f), Keep: f.Sync.History.Keep, MaxBytes: f.Sync.History.MaxBytes, Polled: true, Own: owned.Give}
}

// noteHistory notes which leases a run saw. Trouble with it costs the run nothing.
func (m *Mirror) noteHistory(leases map[plan.Place]plan.LeaseInfo, now time.Time) {
	if HistoryFolder(m.File) == "" {
		return
	}
	o := historyOptions(m.File)
	o.Dropped = func(day string, room bool) {
		if room {
			m.log.WithField("day", day).Warn("a day of the history was dropped before its time: sync.history.max_bytes leaves no room")
		}
	}
	l, err := history.Open(o, now)
	if err != nil {
		m.log.WithError(err).Warn("the history of leases cannot be read")
	}
	noteLeases(l, leases)
	if err := l.Checkpoint(now); err != nil {
		m.log.WithError(err).Warn("which leases were seen could not be noted: who does not know of this run")
	}
}

// noteLeases tells l what is remembered of leases after a run: a lease that a server does
// not list any more ended after it was seen last.
func noteLeases(l *history.Log, leases map[plan.Place]plan.LeaseInfo) {
	var over []history.Span
	l.Running(func(s history.Span) {
		info, listed := leases[plan.Place{VRF: s.VRF, Addr: s.Addr}]
		if !listed || !info.Active { // another client ends it by its own lease
			over = append(over, s)
		}
	})
	for _, s := range over {
		at, how := s.Heard, history.Gone
		if info := leases[plan.Place{VRF: s.VRF, Addr: s.Addr}]; clientOf(info.ClientID) == s.Client && info.Expires.After(at) && !info.Expires.After(info.Seen) {
			at, how = info.Expires, history.Expired
		}
		l.Ended(s.Addr, s.VRF, s.Client, at, how)
	}
	for place, info := range leases {
		if !info.Active || info.Seen.IsZero() || info.ClientID == "" {
			continue
		}
		l.Saw(history.Span{
			Addr: place.Addr, VRF: place.VRF, Client: clientOf(info.ClientID), Hostname: info.Hostname, Network: info.Scope, Server: info.Server,
			Heard: info.Seen, Until: info.Expires,
		})
	}
}

// clientOf is a client as a history names it: a hardware address as it is shown by the
// other program.
func clientOf(id windhcp.ClientID) string {
	if raw := id.Bytes(); len(raw) == 6 {
		return strings.ToUpper(net.HardwareAddr(raw).String())
	}
	return string(id)
}

// EraseHistory removes from the history what ended and q is about; without do it only
// counts. It is ErrLocked while a run is under way.
func EraseHistory(f *settings.File, q history.Query, now time.Time, do bool) (history.Erased, error) {
	unlock, err := stateDir(f.Sync.StateDir).lock()
	if err != nil {
		return history.Erased{}, err
	}
	defer unlock()
	l, err := history.Open(historyOptions(f), now)
	if err != nil {
		return history.Erased{}, fmt.Errorf("history: %w", err)
	}
	return l.Erase(q, now, do)
}
