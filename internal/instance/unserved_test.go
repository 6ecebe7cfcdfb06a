package instance

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// N-21: who is not served is listed with the last reason, until it is, or was not heard
// for an hour.
func TestClientsThatAreNotServedAreListed(t *testing.T) {
	var i Instance
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	message := func(c lease.ClientID) *lease.ClientMessage {
		return &lease.ClientMessage{Type: lease.Discover, Client: c, Relay: netip.MustParseAddr("10.9.0.1"), Interface: "eth0"}
	}
	n := &ipam.Subnet{Prefix: &ipam.Prefix{Prefix: netip.MustParsePrefix("10.0.0.0/24")}}
	i.Answered(message("A"), &lease.Decision{Reason: lease.ReasonUnserved}, now)
	i.Answered(message("B"), &lease.Decision{Reason: lease.ReasonRandomMAC, Subnet: n}, now.Add(time.Minute))
	i.Answered(message("A"), &lease.Decision{Verdict: lease.Nak, Reason: lease.ReasonUnknownClient}, now.Add(2*time.Minute))
	i.Answered(message("C"), &lease.Decision{Reason: lease.ReasonOtherServer}, now)
	i.Answered(message("D"), &lease.Decision{Verdict: lease.Nak, Reason: lease.ReasonWrongNetwork}, now)
	i.Answered(message("E"), &lease.Decision{Verdict: lease.Ack, Reason: lease.ReasonRandomMAC}, now)
	list := i.Unserved(now.Add(3 * time.Minute))
	if len(list) != 2 || list[0].Client != "A" || list[1].Client != "B" {
		t.Fatalf("%+v", list)
	}
	if a := list[0]; a.Reason != lease.ReasonUnknownClient || a.Messages != 2 || !a.First.Equal(now) || !a.Last.Equal(now.Add(2*time.Minute)) || a.Relay.String() != "10.9.0.1" || a.Network.IsValid() {
		t.Errorf("%+v", a)
	}
	if b := list[1]; b.Network != n.Prefix.Prefix || b.Messages != 1 {
		t.Errorf("%+v", b)
	}
	i.Answered(message("A"), &lease.Decision{Verdict: lease.Offer, Reason: lease.ReasonNew}, now.Add(3*time.Minute))
	if list := i.Unserved(now.Add(4 * time.Minute)); len(list) != 1 || list[0].Client != "B" {
		t.Errorf("after A is served: %+v", list)
	}
	if list := i.Unserved(now.Add(2 * time.Hour)); len(list) != 0 {
		t.Errorf("after two hours: %+v", list)
	}
}

// N-21: a flood of made-up clients takes bounded memory, and the list tells of the last.
func TestTheListOfUnservedClientsIsBounded(t *testing.T) {
	var i Instance
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for c := range 3 * mostRecent {
		i.Answered(&lease.ClientMessage{Client: lease.ClientID(fmt.Sprint(c))}, &lease.Decision{Reason: lease.ReasonUnserved}, now.Add(time.Duration(c)))
	}
	list := i.Unserved(now.Add(time.Minute))
	if len(list) != mostRecent || list[0].Client != lease.ClientID(fmt.Sprint(3*mostRecent-1)) || len(i.unserved.known) != mostRecent || i.unserved.size.Load() != mostRecent {
		t.Errorf("%d clients, the last is %s", len(list), list[0].Client)
	}
	for _, u := range list {
		i.Answered(&lease.ClientMessage{Client: u.Client}, &lease.Decision{Verdict: lease.Ack}, now)
	}
	if i.unserved.size.Load() != 0 || len(i.Unserved(now)) != 0 {
		t.Error("the list is not empty once all are served")
	}
}
