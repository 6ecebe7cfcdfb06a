package instance

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// Metrics are the instance's own counters. Names start with coredhcp_netbox_.
type Metrics struct {
	decisions *prometheus.CounterVec
	duration  prometheus.Histogram
	commits   *prometheus.HistogramVec
}

func newMetrics(i *Instance) *Metrics {
	m := &Metrics{
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "coredhcp_netbox_decisions_total",
			Help: "DHCP messages by kind, by what was answered and why.",
		}, []string{"message", "verdict", "reason"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "coredhcp_netbox_decision_seconds",
			Help:    "Time from parsed message to durable decision.",
			Buckets: []float64{10e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2e-3, 5e-3, 20e-3, 100e-3, 1},
		}),
		commits: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "coredhcp_netbox_store_commit_seconds",
			Help:    "Time to make one change of a lease durable, by how it ended: done, contested (another change came first) or failed.",
			Buckets: []float64{100e-6, 500e-6, 1e-3, 2e-3, 5e-3, 10e-3, 20e-3, 50e-3, 100e-3, 500e-3, 1, 5},
		}, []string{"outcome"}),
	}
	for _, outcome := range []string{"done", "contested", "failed"} { // shown as 0 before the first one
		m.commits.WithLabelValues(outcome)
	}
	i.Registry.MustRegister(m.decisions, m.duration, m.commits, newPoolMetrics(i),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "coredhcp_netbox_unsynced_leases",
			Help: "Leases NetBox has not been told of yet.",
		}, func() float64 {
			if i.Engine == nil {
				return 0
			}
			return float64(i.Engine.UnsyncedCount())
		}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "coredhcp_netbox_snapshot_addresses",
			Help: "IP addresses in the current snapshot of NetBox; 0 before the first one.",
		}, func() float64 {
			if s := i.Snapshot(); s != nil {
				return float64(len(s.Objects().Addresses))
			}
			return 0
		}),
	)
	i.Registry.MustRegister(i.healthMetrics()...)
	i.Registry.MustRegister(newLossMetrics(i))
	i.Registry.MustRegister(i.waitingMetrics()...)
	return m
}

// Decided counts one decision and the time it took.
func (m *Metrics) Decided(kind lease.MessageType, d lease.Decision, took time.Duration) {
	m.decisions.WithLabelValues(kind.String(), d.Verdict.String(), string(d.Reason)).Inc()
	m.duration.Observe(took.Seconds())
}

// committed measures one write to the lease store.
func (m *Metrics) committed(took time.Duration, err error) {
	outcome := "done"
	switch {
	case errors.Is(err, lease.ErrConflict):
		outcome = "contested"
	case err != nil:
		outcome = "failed"
	}
	m.commits.WithLabelValues(outcome).Observe(took.Seconds())
}
