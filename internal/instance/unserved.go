package instance

import (
	"net/netip"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// Unserved is a client that lately got no answer, or a refusal, since it is not
// served where it is (N-21).
type Unserved struct {
	Client    lease.ClientID `json:"client"`
	Reason    lease.Reason   `json:"reason"`           // of its last message
	Network   netip.Prefix   `json:"network,omitzero"` // where that is known
	Relay     netip.Addr     `json:"relay,omitzero"`   // giaddr
	Interface string         `json:"interface,omitempty"`
	Messages  int            `json:"messages"`
	First     time.Time      `json:"first"`
	Last      time.Time      `json:"last"`
}

// unservedFor is for how long a client counts after its last message.
const unservedFor = time.Hour

// notServed reports whether a client with this reason is in the list: where it is, or
// who it is, has no lease. Trouble and protocol errors are no such reasons.
func notServed(r lease.Reason) bool { return slices.Contains(unservedReasons(), r) }

func unservedReasons() []lease.Reason {
	return []lease.Reason{
		lease.ReasonUnserved, lease.ReasonClientsUnserved, lease.ReasonRandomMAC, lease.ReasonUnknownClient, lease.ReasonNoSubnet, lease.ReasonAmbiguousVRF,
		lease.ReasonPoolEmpty, lease.ReasonConflict, lease.ReasonLAGMember, lease.ReasonRelayUnknown, lease.ReasonRelayUnlisted, lease.ReasonSenderUnlisted,
	}
}

// Answered notes what was decided about a message of a client, for those who watch and
// for the list of those that are not served. A lease that it gives is durable.
func (i *Instance) Answered(m *lease.ClientMessage, d *lease.Decision, now time.Time) {
	i.tellWatches(m, d, now)
	i.choseAnother(m, d, now)
	switch {
	case d.Verdict == lease.Offer, d.Verdict == lease.Ack:
		i.unserved.forget(m.Client)
	case (d.Verdict == lease.Silent || d.Verdict == lease.Nak) && notServed(d.Reason):
		u := Unserved{Client: m.Client, Reason: d.Reason, Relay: m.Relay, Interface: m.Interface}
		if d.Subnet != nil {
			u.Network = d.Subnet.Prefix.Prefix
		}
		i.unserved.note(m.Client, func(before *Unserved) {
			u.First, u.Last, u.Messages = before.First, now.UTC(), before.Messages+1
			if before.Messages == 0 {
				u.First = u.Last
			}
			*before = u
		})
	}
}

// Unserved returns the clients that were not served within the last hour, the one
// heard last first (N-21).
func (i *Instance) Unserved(now time.Time) []Unserved {
	return i.unserved.those(func(u *Unserved) bool { return u.Last.After(now.Add(-unservedFor)) })
}

// unservedMetrics count the clients of the list by reason.
type unservedMetrics struct {
	instance *Instance
	clients  *prometheus.Desc
}

func newUnservedMetrics(i *Instance) unservedMetrics {
	return unservedMetrics{i, prometheus.NewDesc("coredhcp_netbox_unserved_clients",
		"Clients that were not served within the last hour, by reason; at most 1024.", []string{"reason"}, nil)}
}

// Describe implements prometheus.Collector.
func (m unservedMetrics) Describe(c chan<- *prometheus.Desc) { c <- m.clients }

// Collect implements prometheus.Collector.
func (m unservedMetrics) Collect(c chan<- prometheus.Metric) {
	counts := make(map[lease.Reason]int)
	for _, u := range m.instance.Unserved(time.Now()) {
		counts[u.Reason]++
	}
	for _, r := range unservedReasons() {
		c <- prometheus.MustNewConstMetric(m.clients, prometheus.GaugeValue, float64(counts[r]), string(r))
	}
}
