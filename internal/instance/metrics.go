package instance

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/counted"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/writeback"
)

// Metrics are the instance's own counters. Names start with coredhcp_netbox_.
type Metrics struct {
	decisions *counted.Vec[decided]
	duration  prometheus.Histogram
	commits   *prometheus.HistogramVec
	records   *prometheus.CounterVec
	copies    *prometheus.CounterVec
	circuits  *counted.Vec[lease.CircuitResult]
	edits     prometheus.Histogram
	shown     prometheus.Histogram

	dnsUpdates *prometheus.CounterVec // registered where names are
}

// untilSeen are buckets for what polls and write-back take, in seconds.
func untilSeen() []float64 {
	return []float64{0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600}
}

// decided is what a decision is counted by.
type decided struct {
	kind    lease.MessageType
	verdict lease.Verdict
	reason  lease.Reason
}

func newMetrics(i *Instance) *Metrics {
	m := &Metrics{
		dnsUpdates: newDNSUpdates(),
		decisions: counted.New(prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "coredhcp_netbox_decisions_total",
			Help: "DHCP messages by kind, by what was answered and why.",
		}, []string{"message", "verdict", "reason"}), func(d decided) []string {
			return []string{d.kind.String(), d.verdict.String(), string(d.reason)}
		}),
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
		records: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "coredhcp_netbox_records_total",
			Help: "Writes of lease records to NetBox, by how they ended.",
		}, []string{"outcome"}),
		copies: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "coredhcp_netbox_snapshot_copies_total",
			Help: "Writes of the disk copy of NetBox, by how they ended: done or failed.",
		}, []string{"outcome"}),
	}
	m.edits = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "coredhcp_netbox_edit_to_answer_seconds",
		Help:    "Time from an edit of an address, MAC address, interface or machine in NetBox until clients are answered by it; lease records and edits from before the start are left out.",
		Buckets: untilSeen(),
	})
	m.shown = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "coredhcp_netbox_lease_to_netbox_seconds",
		Help:    "Time from the first durable change of a lease that NetBox was not told of until NetBox shows the lease; changes from before the start are left out.",
		Buckets: untilSeen(),
	})
	m.circuits = counted.New(prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "coredhcp_netbox_circuits_total",
		Help: "Messages of the relays in network.circuits.relays, by how far their circuit led.",
	}, []string{"result"}), func(r lease.CircuitResult) []string { return []string{string(r)} })
	m.showZeros()
	i.Registry.MustRegister(m.decisions, m.duration, m.commits, m.records, m.copies, m.circuits, m.edits, m.shown, i.wrongCableMetric(), newPoolMetrics(i),
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
	i.Registry.MustRegister(newLossMetrics(i), newUnservedMetrics(i))
	i.Registry.MustRegister(i.waitingMetrics()...)
	i.Registry.MustRegister(i.historyMetrics()...)
	i.Registry.MustRegister(i.feed)
	return m
}

// Decided counts one decision and the time it took.
func (m *Metrics) Decided(kind lease.MessageType, d *lease.Decision, took time.Duration) {
	m.decisions.Of(decided{kind, d.Verdict, d.Reason}).Inc()
	m.duration.Observe(took.Seconds())
}

// showZeros shows outcomes before the first of their kind, so that an increase is
// seen.
func (m *Metrics) showZeros() {
	for _, outcome := range []string{"done", "contested", "failed"} {
		m.commits.WithLabelValues(outcome)
	}
	for _, outcome := range []netbox.Outcome{netbox.Done, netbox.Unchanged, netbox.Changed, netbox.Gone, netbox.Refused, netbox.Failed} {
		m.records.WithLabelValues(string(outcome))
	}
	for _, r := range lease.CircuitResults() {
		m.circuits.Of(r)
	}
	for _, outcome := range []string{"done", "failed"} {
		m.copies.WithLabelValues(outcome)
	}
}

// recorded counts what NetBox was told of leases.
func (m *Metrics) recorded(results []writeback.RecordResult) {
	for _, r := range results {
		m.records.WithLabelValues(string(r.Outcome)).Inc()
	}
}

// edited measures how long an edit in NetBox took to answer clients (C-40).
func (m *Metrics) edited(took time.Duration) { m.edits.Observe(took.Seconds()) }

// leaseShown measures how long a lease took to be shown in NetBox (C-41).
func (m *Metrics) leaseShown(took time.Duration) { m.shown.Observe(took.Seconds()) }

// copied counts one write of the disk copy of NetBox.
func (m *Metrics) copied(err error) {
	outcome := "done"
	if err != nil {
		outcome = "failed"
	}
	m.copies.WithLabelValues(outcome).Inc()
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
