package instance

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// shownPools bounds the series of poolMetrics: five for each prefix.
const shownPools = 400

// poolMetrics counts the dynamic addresses of each prefix by their use when it
// is asked. Of more than shownPools prefixes those with the fewest free
// addresses are shown (B-13).
type poolMetrics struct {
	instance         *Instance
	addresses, pools *prometheus.Desc
}

func newPoolMetrics(i *Instance) poolMetrics {
	return poolMetrics{
		instance: i,
		addresses: prometheus.NewDesc("coredhcp_netbox_pool_addresses",
			"Dynamic addresses of a prefix by what they are used for now; at most 400 prefixes, those with the fewest free ones.", []string{"prefix", "vrf", "state"}, nil),
		pools: prometheus.NewDesc("coredhcp_netbox_pools", "Prefixes that have dynamic addresses.", nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (m poolMetrics) Describe(c chan<- *prometheus.Desc) {
	c <- m.addresses
	c <- m.pools
}

// Collect implements prometheus.Collector.
func (m poolMetrics) Collect(c chan<- prometheus.Metric) {
	s := m.instance.Snapshot()
	if s == nil {
		return
	}
	list := m.instance.Engine.Usage()
	c <- prometheus.MustNewConstMetric(m.pools, prometheus.GaugeValue, float64(len(list)))
	if len(list) > shownPools {
		slices.SortFunc(list, func(a, b lease.Usage) int {
			return cmp.Or(cmp.Compare(a.Free, b.Free), cmp.Compare(a.VRF, b.VRF), a.Prefix.Addr().Compare(b.Prefix.Addr()), cmp.Compare(a.Prefix.Bits(), b.Prefix.Bits()))
		})
		list = list[:shownPools]
	}
	for _, u := range list {
		for _, one := range []struct {
			state string
			count int
		}{
			{"free", u.Free}, {"leased", u.Leased}, {"offered", u.Offered}, {"quarantined", u.Quarantined}, {"withheld", u.Withheld},
		} {
			c <- prometheus.MustNewConstMetric(m.addresses, prometheus.GaugeValue, float64(one.count), u.Prefix.String(), vrfLabel(s, u.VRF), one.state)
		}
	}
}

// vrfLabel is empty for the global table. Names of VRFs may repeat in NetBox,
// and series may not, so the id goes with the name.
func vrfLabel(s *ipam.Snapshot, id int64) string {
	if id == 0 {
		return ""
	}
	return fmt.Sprintf("%s (id %d)", s.VRFName(id), id)
}
