package status

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metricsHandler serves the mirror's counters, the state that the first page
// shows, and the process's own.
func (s *site) metricsHandler() (http.Handler, error) {
	registry := prometheus.NewRegistry()
	for _, c := range []prometheus.Collector{
		s.m.Metrics(), newGauges(s), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4}), nil
}

// gauges tell what is known now.
type gauges struct {
	site *site

	up, expiry, scopes, leases, left, invalid, next *prometheus.Desc
}

func newGauges(s *site) *gauges {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("netbox_dhcp_sync_"+name, help, labels, nil)
	}
	return &gauges{
		site:    s,
		up:      desc("server_up", "1 if a Windows server answered the last run that asked it, else 0; absent while it is not asked.", "server"),
		expiry:  desc("certificate_expiry_timestamp_seconds", "When the trusted certificate of a Windows server ends, in seconds since 1970; absent if it never does, and of servers with transport ssh.", "server"),
		scopes:  desc("scopes", "Scopes as the last run left them: synced, or left alone.", "state"),
		leases:  desc("leases", "Leases that are remembered: active, or ended.", "state"),
		left:    desc("differences", "Steps that the last run did not carry out: after a dry run, all of them."),
		invalid: desc("status_violations", "Addresses with the lease status that no scope accepts."),
		next:    desc("next_run_timestamp_seconds", "When the next run is due, in seconds since 1970."),
	}
}

// Describe implements prometheus.Collector.
func (g *gauges) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{g.up, g.expiry, g.scopes, g.leases, g.left, g.invalid, g.next} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (g *gauges) Collect(ch chan<- prometheus.Metric) {
	o, err := g.site.overview()
	if err != nil {
		ch <- prometheus.NewInvalidMetric(g.leases, err)
		return
	}
	send := func(d *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	for _, s := range o.Servers {
		switch s.State {
		case answered:
			send(g.up, 1, s.Host)
		case noAnswer:
			send(g.up, 0, s.Host)
		}
		if s.Certificate != nil && !s.Certificate.NotAfter.IsZero() {
			send(g.expiry, float64(s.Certificate.NotAfter.Unix()), s.Host)
		}
	}
	send(g.leases, float64(o.Leases.Active), "active")
	send(g.leases, float64(o.Leases.Known-o.Leases.Active), "ended")
	if !o.Next.IsZero() {
		send(g.next, float64(o.Next.Unix()))
	}
	if o.Planned.IsZero() {
		return
	}
	synced := 0
	for i := range o.Scopes {
		if o.Scopes[i].Synced && !o.Scopes[i].Stale {
			synced++
		}
	}
	send(g.scopes, float64(synced), "synced")
	send(g.scopes, float64(len(o.Scopes)-synced), "left_alone")
	send(g.invalid, float64(len(o.Violations)))
	if run := g.site.m.Known().Run; run != nil {
		send(g.left, float64(len(left(run).Steps)))
	}
}
