package bootfiles

import (
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/quiet"
)

// outcome says in a word how a request for a file ended; metrics and logs use
// it as a label.
type outcome string

const (
	complete  outcome = "complete"
	aborted   outcome = "aborted"     // the client said so, or closed the connection
	replaced  outcome = "replaced"    // the client asked anew from the same port
	timedOut  outcome = "timed_out"   // the client went silent
	unproved  outcome = "unproved"    // nothing was heard of the client after its request
	notFound  outcome = "not_found"   // also what is not a regular file
	badName   outcome = "bad_name"    // no file can have that name
	badQuery  outcome = "bad_request" // not understood, or not to be answered
	noWriting outcome = "write_refused"
	changed   outcome = "changed" // the file was written to meanwhile
	failed    outcome = "failed"  // trouble on this machine
	stopped   outcome = "stopped" // the server ends
	surplus   outcome = "too_many"
	tooSlow   outcome = "too_slow" // gave way to another client
)

// meter counts and logs transfers.
type meter struct {
	quiet      *quiet.Logger
	registerer prometheus.Registerer
	transfers  *prometheus.CounterVec
	bytes      *prometheus.CounterVec
	seconds    *prometheus.HistogramVec
	running    *prometheus.GaugeVec
}

func newMeter(reg prometheus.Registerer, log logrus.FieldLogger) (*meter, error) {
	m := &meter{
		quiet:      quiet.New(log, time.Minute, time.Now),
		registerer: reg,
		transfers: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "coredhcp_netbox_boot_transfers_total",
			Help: "Requests for boot files, by protocol and by how they ended.",
		}, []string{"protocol", "outcome"}),
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "coredhcp_netbox_boot_bytes_total",
			Help: "Bytes of boot files that clients took, by protocol.",
		}, []string{"protocol"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "coredhcp_netbox_boot_transfer_seconds",
			Help:    "Duration of complete transfers of boot files, by protocol.",
			Buckets: prometheus.ExponentialBuckets(1e-3, 4, 10), // 1 ms to 4 min
		}, []string{"protocol"}),
		running: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "coredhcp_netbox_boot_transfers_in_flight",
			Help: "Transfers of boot files under way now, by protocol.",
		}, []string{"protocol"}),
	}
	m.showZeros()
	if reg == nil {
		return m, nil
	}
	for _, c := range m.collectors() {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register the metrics of the boot file service: %w", err)
		}
	}
	return m, nil
}

// showZeros shows outcomes before the first of their kind, so that an increase is
// seen.
func (m *meter) showZeros() {
	for _, protocol := range []string{"tftp", "http"} {
		for _, o := range []outcome{
			complete, aborted, replaced, timedOut, unproved, notFound, badName, badQuery, noWriting, changed, failed, stopped, surplus, tooSlow,
		} {
			m.transfers.WithLabelValues(protocol, string(o))
		}
		m.bytes.WithLabelValues(protocol)
		m.seconds.WithLabelValues(protocol)
		m.running.WithLabelValues(protocol)
	}
}

func (m *meter) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.transfers, m.bytes, m.seconds, m.running}
}

// close lets another service use the same registry.
func (m *meter) close() {
	if m.registerer == nil {
		return
	}
	for _, c := range m.collectors() {
		m.registerer.Unregister(c)
	}
}

// request is one client's wish for a file.
type request struct {
	protocol string // tftp or http
	client   netip.Addr
	file     string // as the client wrote it
}

// ended counts and logs a transfer that took a slot. Those that got somewhere are
// a journal; how many there are is the client's choice, so a flood is cut short
// (B-2).
func (m *meter) ended(r request, o outcome, bytes int64, took time.Duration, err error) {
	m.transfers.WithLabelValues(r.protocol, string(o)).Inc()
	m.bytes.WithLabelValues(r.protocol).Add(float64(bytes))
	if o == complete {
		m.seconds.WithLabelValues(r.protocol).Observe(took.Seconds())
	}
	fields := r.fields(o, err)
	fields["bytes"], fields["duration"] = bytes, took.Round(time.Millisecond).String()
	switch o {
	case replaced: // as often as a client likes
		m.quiet.Info(string(o)+" "+r.client.String(), "boot file transfer", fields)
	case complete, aborted, stopped:
		m.quiet.Event(string(o), "boot file transfer", func() logrus.Fields { return fields })
	case timedOut:
		m.quiet.Warn(string(o)+" "+r.client.String(), "boot file transfer", fields)
	case unproved:
		m.quiet.Warn(string(o), "boot file transfer", fields)
	default:
		m.quiet.Error(string(o), "boot file transfer", fields)
	}
}

// refused counts and logs a request that got no transfer. Names that do not
// exist are told by client, since loaders try one after another.
func (m *meter) refused(r request, o outcome, err error) {
	m.transfers.WithLabelValues(r.protocol, string(o)).Inc()
	const msg = "boot file refused"
	switch o {
	case notFound:
		m.quiet.Info(string(o)+" "+r.client.String(), msg, r.fields(o, err))
	case failed:
		m.quiet.Error(string(o), msg, r.fields(o, err))
	default:
		m.quiet.Warn(string(o), msg, r.fields(o, err))
	}
}

// trouble logs an error that belongs to no request.
func (m *meter) trouble(protocol string, err error) {
	m.quiet.Error("trouble "+protocol, "boot file service in trouble", logrus.Fields{"protocol": protocol, logrus.ErrorKey: quoted(err.Error())})
}

func (r request) fields(o outcome, err error) logrus.Fields {
	f := logrus.Fields{"protocol": r.protocol, "client": r.client.String(), "file": quoted(r.file), "outcome": string(o)}
	if err != nil {
		f[logrus.ErrorKey] = quoted(err.Error())
	}
	return f
}

// quoted writes text that a sender or a file name can shape as one word of the
// log: what ends a value or a line, and what steers a terminal, is escaped (B-2).
func quoted(text string) string {
	q := strconv.Quote(text)
	return q[1 : len(q)-1]
}
