package instance

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/events"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/history"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease/pebblestore"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

// Erased is what an erasure covers (HI-8).
type Erased struct {
	History history.Erased `json:"history"`
	Events  int            `json:"events"`  // lines of event files
	Leases  int            `json:"leases"`  // that ended
	Running int            `json:"running"` // leases that stay
}

// Erase removes what is known of the clients and addresses of q, whatever the time:
// spans that ended, lines of event files, records of ended leases. Without do it only
// counts. Running leases stay.
func (i *Instance) Erase(ctx context.Context, q history.Query, do bool) (e Erased, err error) {
	if l := i.record.log.Load(); l != nil && HistoryFolder(i.Settings) != "" {
		if e.History, err = l.Erase(q, timeOfDay(), do); err != nil {
			return e, err
		}
	}
	if e.Events, err = i.feed.Erase(eventsOf(q), do); err != nil {
		return e, fmt.Errorf("event file: %w", err)
	}
	e.Leases, e.Running, err = i.Engine.EraseEnded(ctx, leasesOf(q), do)
	return e, err
}

// EraseOffline is Erase without a server. It takes the lock of the lease store, and fails
// with EAGAIN while a server has it.
func EraseOffline(ctx context.Context, s settings.NetBox, q history.Query, do bool) (e Erased, err error) {
	erase := func() error {
		e, err = eraseFiles(ctx, s, q, do)
		return err
	}
	if _, missing := os.Stat(s.Store.Path); errors.Is(missing, fs.ErrNotExist) { // no server has run yet
		err = erase()
	} else {
		err = asOwner(s.Store.Path, erase)
	}
	return e, err
}

// eraseFiles does EraseOffline with the rights that are needed.
func eraseFiles(ctx context.Context, s settings.NetBox, q history.Query, do bool) (e Erased, err error) {
	if _, err := os.Stat(leaseFolder(s)); err == nil {
		if e.Leases, e.Running, err = eraseStored(ctx, s, q, do); err != nil {
			return e, err
		}
	}
	if folder := HistoryFolder(s); folder != "" {
		l, err := history.Open(history.Options{Folder: folder}, timeOfDay())
		if err == nil {
			e.History, err = l.Erase(q, timeOfDay(), do)
		}
		if err != nil {
			return e, err
		}
	}
	file := EventFile(s)
	if e.Events, err = file.Erase(eventsOf(q), do); err != nil {
		return e, fmt.Errorf("event file: %w", err)
	}
	return e, nil
}

// eraseStored does EraseOffline for the lease store.
func eraseStored(ctx context.Context, s settings.NetBox, q history.Query, do bool) (leases, running int, err error) {
	log := logrus.New()
	log.SetLevel(logrus.ErrorLevel)
	store, err := pebblestore.Open(leaseFolder(s), log)
	if err != nil {
		return 0, 0, &StoreError{err}
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	engine, err := lease.NewEngine(ctx, lease.Config{Policy: policy(s), Now: timeOfDay, Log: log, Store: store, WriteBack: s.Inventory == "" && s.Dynamic.WriteBack != "none", MakeObjects: true})
	if err != nil {
		return 0, 0, err
	}
	return engine.EraseEnded(ctx, leasesOf(q), do)
}

// eventsOf tells the events that an erasure is about.
func eventsOf(q history.Query) func(*events.Event) bool {
	return func(e *events.Event) bool {
		return q.About(&history.Span{Addr: e.Address, Client: e.Client, Hardware: e.Hardware, Hostname: e.Hostname, Machine: e.Machine, Circuit: e.Circuit, Remote: e.Remote})
	}
}

// leasesOf tells the leases that an erasure is about.
func leasesOf(q history.Query) func(lease.Lease) bool {
	return func(l lease.Lease) bool {
		return q.About(&history.Span{Addr: l.Addr, Client: string(l.Client), Hardware: string(l.Hardware), Hostname: l.Hostname})
	}
}

// Unreached names what an erasure cannot reach (HI-8).
func Unreached(s settings.NetBox) (list []string) {
	list = append(list,
		"log files, and what other machines have of them",
		"NetBox: its change log, journal entries, and its record of a lease until the next write",
		"backups of any of this, and tables that were printed or saved",
		"what a running server has in memory: the last messages of its status page, and clients that were not served within the hour")
	if len(s.Events.Webhooks) > 0 {
		list = append(list, "events that were delivered to webhooks")
	}
	if s.Events.File != "" {
		list = append(list, "event files that other programs moved or copied")
	}
	if len(s.Claims.Prefixes) > 0 {
		list = append(list, "when interfaces of NetBox were heard last (netbox.claims)")
	}
	return list
}
