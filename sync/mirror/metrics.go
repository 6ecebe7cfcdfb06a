package mirror

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/endpoint"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
)

// Metrics are counters of runs and requests, for a registry.
type Metrics struct {
	runs     *prometheus.CounterVec
	lastEnd  prometheus.Gauge
	lastGood prometheus.Gauge
	seconds  prometheus.Gauge
	steps    *prometheus.CounterVec
	notes    *prometheus.GaugeVec
	requests *prometheus.CounterVec
	latency  *prometheus.HistogramVec
}

func newMetrics() *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "netbox_dhcp_sync", Name: name, Help: help}, labels)
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "netbox_dhcp_sync", Name: name, Help: help})
	}
	m := &Metrics{
		runs:     counter("runs_total", "Runs of this process, by exit code.", "code"),
		lastEnd:  gauge("last_run_timestamp_seconds", "When the last run ended, in seconds since 1970; 0 before the first one of this process."),
		lastGood: gauge("last_success_timestamp_seconds", "When the last run with exit code 0 ended, in seconds since 1970; 0 before the first one of this process."),
		seconds:  gauge("last_run_duration_seconds", "How long the last run took, in seconds."),
		steps:    counter("steps_total", "Steps by what they change and what became of them.", "kind", "action", "outcome"),
		notes: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "netbox_dhcp_sync", Name: "notes", Help: "Notes of the last plan by level.",
		}, []string{"level"}),
		requests: counter("psu_requests_total", "Requests to Windows servers by path and HTTP status; status 0 is no answer, other one that HTTP does not define.", "server", "method", "path", "status"),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "netbox_dhcp_sync", Name: "psu_request_duration_seconds", Help: "Time that Windows servers take to answer, in seconds.",
			Buckets: prometheus.ExponentialBuckets(0.05, 2, 12),
		}, []string{"server"}),
	}
	for _, o := range []Outcome{Clean, WithErrors, Locked, HeldBack, NotPrepared} {
		m.runs.WithLabelValues(strconv.Itoa(o.ExitCode())) // shown before the first one, so that an increase is seen
	}
	return m
}

func (m *Metrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.runs, m.lastEnd, m.lastGood, m.seconds, m.steps, m.notes, m.requests, m.latency}
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range m.collectors() {
		c.Describe(ch)
	}
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	for _, c := range m.collectors() {
		c.Collect(ch)
	}
}

func (m *Metrics) observer(host string, log logrus.FieldLogger) func(endpoint.Attempt) {
	return func(a endpoint.Attempt) {
		log.WithFields(logrus.Fields{"method": a.Method, "path": a.Path, "status": a.Status, "took": a.Took.Round(time.Millisecond)}).Debug("request")
		m.requests.WithLabelValues(host, a.Method, a.Path, statusLabel(a.Status)).Inc()
		m.latency.WithLabelValues(host).Observe(a.Took.Seconds())
	}
}

// statusLabel is an HTTP status as a label: a server must not be able to make up
// values (C-42).
func statusLabel(status int) string {
	if status != 0 && http.StatusText(status) == "" {
		return "other"
	}
	return strconv.Itoa(status)
}

func (m *Metrics) ran(run *Run) {
	end := float64(run.Started.Add(run.Took).UnixMilli()) / 1000
	m.runs.WithLabelValues(strconv.Itoa(run.Outcome.ExitCode())).Inc()
	m.lastEnd.Set(end)
	if run.Outcome == Clean {
		m.lastGood.Set(end)
	}
	m.seconds.Set(run.Took.Seconds())
	if run.Plan != nil {
		for _, level := range []plan.Level{plan.Info, plan.Skip, plan.Warning, plan.Conflict, plan.Failure, plan.Guard} {
			m.notes.WithLabelValues(string(level)).Set(0)
		}
		for _, n := range run.Plan.Notes {
			m.notes.WithLabelValues(string(n.Level)).Inc()
		}
	}
	if run.Report == nil {
		return
	}
	for i := range run.Report.Results {
		r := &run.Report.Results[i]
		m.steps.WithLabelValues(string(r.Step.Kind), string(r.Step.Action), string(r.Outcome)).Inc()
	}
}
