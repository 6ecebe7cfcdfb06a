package instance

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

// reachable is how many poll intervals may pass without an answer of NetBox
// before it counts as out of reach.
const reachable = 3

// NotReady says why clients, or some of them, are not served as NetBox has
// them now; none: all is well (B-8).
func (i *Instance) NotReady() (reasons []string) {
	fresh, _ := i.Engine.Freshness()
	switch follows := i.client != nil; {
	case i.Snapshot() == nil:
		reasons = append(reasons, "nothing is known of NetBox yet: no client is served")
	case follows && i.Engine.Stale():
		reasons = append(reasons, fmt.Sprintf("the snapshot of NetBox is from %s, older than poll.stale_after", fresh.UTC().Format(time.RFC3339)))
	case follows && !i.netBoxReachable():
		reasons = append(reasons, "NetBox does not answer; clients are served from the last snapshot")
	}
	if i.storeFailed() {
		reasons = append(reasons, "there is no lease store: no new lease is granted")
	}
	return reasons
}

// Health is what NotReady says in words.
type Health struct {
	Known   bool      // there is a snapshot of NetBox
	Follows bool      // facts come from NetBox, and not from a file
	Fresh   time.Time // when NetBox last answered; zero: never
	Answers bool      // lately
	Stale   bool      // the snapshot is older than poll.stale_after
	Store   bool      // there is a lease store
}

// Health tells how it is now.
func (i *Instance) Health() Health {
	h := Health{Known: i.Snapshot() != nil, Follows: i.client != nil, Store: !i.storeFailed()}
	h.Fresh, _ = i.Engine.Freshness()
	h.Answers, h.Stale = !h.Follows || i.netBoxReachable(), h.Follows && i.Engine.Stale()
	return h
}

func (i *Instance) netBoxReachable() bool {
	fresh, _ := i.Engine.Freshness()
	return !fresh.IsZero() && time.Since(fresh) <= confirmedWithin(i.Settings)
}

// confirmedWithin is how old the last answer of NetBox may be while it counts as
// in reach, and while clients are refused by it (H-4).
func confirmedWithin(s settings.NetBox) time.Duration {
	return reachable*s.Poll.Interval + s.Timeout
}

// storeFailed reports whether there is no lease store now (H-5). A rehearsal has
// one of its own.
func (i *Instance) storeFailed() bool { return i.store == nil && i.storeOpen.Load() == nil }

// healthMetrics are what an operator raises alarms on.
func (i *Instance) healthMetrics() []prometheus.Collector {
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "coredhcp_netbox_" + name, Help: help}, func() float64 {
			if i.Engine == nil {
				return 0
			}
			return value()
		})
	}
	return []prometheus.Collector{
		gauge("snapshot_age_seconds", "Time since the snapshot was last known to agree with NetBox; 0 with an inventory or before the first answer.", func() float64 {
			if fresh, _ := i.Engine.Freshness(); !fresh.IsZero() {
				return time.Since(fresh).Seconds()
			}
			return 0
		}),
		gauge("netbox_reachable", "1 if NetBox answered within the last three polls, or an inventory is used.", func() float64 {
			return number(i.client == nil || i.netBoxReachable())
		}),
		gauge("netbox_clock_skew_seconds", "How far NetBox's clock was ahead of this machine's in its last answer.", func() float64 {
			_, skew := i.Engine.Freshness()
			return skew.Seconds()
		}),
		gauge("reclaim_pause_seconds", "How long ended leases are still kept from other clients, since the clock was set forward or nothing confirms it; 0 if it is trusted.", func() float64 {
			return i.Engine.ReclaimPause().Seconds()
		}),
		gauge("store_failed", "1 if the lease store can no longer write.", func() float64 { return number(i.storeFailed()) }),
		gauge("store_free_bytes", "Free space of the disk under the lease store; -1 if it cannot be told.", func() float64 {
			return float64(freeBytes(i.Settings.Store.Path))
		}),
		gauge("ready", "1 if clients are served as NetBox has them now; /readyz has the reasons.", func() float64 { return number(len(i.NotReady()) == 0) }),
	}
}

func number(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
