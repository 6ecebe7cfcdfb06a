package instance

import (
	"net/netip"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// WEB-9: servers that clients chose instead are listed for a day, the one named last first.
func TestOtherServersThatClientsChooseAreListed(t *testing.T) {
	var i Instance
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	n := &ipam.Subnet{Prefix: &ipam.Prefix{Prefix: netip.MustParsePrefix("10.0.0.0/24")}}
	choose := func(server string, d lease.Decision, at time.Time) {
		m := &lease.ClientMessage{Type: lease.Request, Client: "A"}
		if server != "" {
			m.ServerID = netip.MustParseAddr(server)
		}
		i.Answered(m, &d, at)
	}
	choose("10.0.0.66", lease.Decision{Reason: lease.ReasonOtherServer}, now)
	choose("10.0.0.67", lease.Decision{Reason: lease.ReasonOtherServer, Subnet: n}, now.Add(time.Hour))
	choose("10.0.0.66", lease.Decision{Reason: lease.ReasonOtherServer, Subnet: n}, now.Add(2*time.Hour))
	choose("", lease.Decision{Reason: lease.ReasonOtherServer}, now)
	choose("10.0.0.2", lease.Decision{Verdict: lease.Ack, Reason: lease.ReasonNew}, now)
	list := i.OtherServers(now.Add(2 * time.Hour))
	if len(list) != 2 || list[0].Server.String() != "10.0.0.66" || list[0].Messages != 2 || !list[0].First.Equal(now) || list[0].Network != n.Prefix.Prefix || list[1].Client != "A" {
		t.Errorf("%+v", list)
	}
	if list := i.OtherServers(now.Add(26 * time.Hour)); len(list) != 0 {
		t.Errorf("after a day: %+v", list)
	}
}
