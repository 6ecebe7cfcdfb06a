package instance

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// WaitingPlaces is how many messages wait for slow things at most, in all. A
// receive loop has as many workers more (B-9).
const WaitingPlaces = lease.DiskPlaces + lease.EchoPlaces + SwitchPlaces

// waitingMetrics tell how many messages wait for each slow thing.
func (i *Instance) waitingMetrics() []prometheus.Collector {
	var list []prometheus.Collector
	for kind, places := range map[string]func() *lease.Places{
		"disk": func() *lease.Places { return i.Engine.Disk },
		"echo": func() *lease.Places { return i.Engine.Echo },
		"switch": func() *lease.Places {
			if i.switches == nil {
				return lease.NewPlaces(0)
			}
			return i.switches.places
		},
	} {
		labels := prometheus.Labels{"for": kind}
		read := func(value func(*lease.Places) float64) func() float64 {
			return func() float64 {
				if i.Engine == nil {
					return 0
				}
				return value(places())
			}
		}
		list = append(list,
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{
				Name: "coredhcp_netbox_waiting", Help: "Messages that wait for the disk, for an echo or for the redeploy switch now.", ConstLabels: labels,
			}, read(func(p *lease.Places) float64 { return float64(p.Waiting()) })),
			prometheus.NewCounterFunc(prometheus.CounterOpts{
				Name: "coredhcp_netbox_crowded_total", Help: "Messages that were not answered since too many waited for the same slow thing.", ConstLabels: labels,
			}, read(func(p *lease.Places) float64 { return float64(p.Refused()) })))
	}
	return list
}
