package instance

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/follow"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

// Look reads what the token sees now, and compares it with the copy of NetBox that
// a server with these settings keeps on disk. It changes nothing (T-1).
func Look(ctx context.Context, client *netbox.Client, s settings.NetBox, log logrus.FieldLogger) (follow.Seen, error) {
	return follow.Look(ctx, client, readConfig(s, diskCopy(s), log))
}

// lossMetrics count the rows that vanished from NetBox.
type lossMetrics struct {
	instance *Instance
	lost     *prometheus.Desc
}

func newLossMetrics(i *Instance) lossMetrics {
	return lossMetrics{i, prometheus.NewDesc("coredhcp_netbox_rows_lost",
		"Rows that NetBox no longer shows although they were not deleted, or whose change is doubted.", []string{"table"}, nil)}
}

// Describe implements prometheus.Collector.
func (m lossMetrics) Describe(c chan<- *prometheus.Desc) { c <- m.lost }

// Collect implements prometheus.Collector.
func (m lossMetrics) Collect(c chan<- prometheus.Metric) {
	s := m.instance.Snapshot()
	if s == nil {
		return
	}
	for _, l := range s.Losses() {
		c <- prometheus.MustNewConstMetric(m.lost, prometheus.GaugeValue, float64(l.Lost), l.Table)
	}
}
