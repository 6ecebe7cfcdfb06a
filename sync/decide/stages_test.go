package decide

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// Stages are functions: these tests call one at a time.

// Rule 3.5, row by row: which row fits, and which rows before it do not.
func TestTheFirstRowThatFitsDecides(t *testing.T) {
	in := newWorld().read(defaults(dh1))
	place := plan.Place{Addr: netip.MustParseAddr("10.8.4.33")}
	u := &unit{sighting: &sighting{scope: windhcp.Scope{Subnet: netip.MustParsePrefix("10.8.4.0/24")}}}
	r, l := &windhcp.Reservation{Addr: place.Addr, ClientID: pc}, &windhcp.Lease{Addr: place.Addr, ClientID: pc}
	reservation, lease, both := &facts{reservation: r, unit: u}, &facts{lease: l, unit: u}, &facts{reservation: r, lease: l, unit: u}
	protected := &state.Address{Status: "reserved", Tags: []string{"dhcp-protect"}}
	blank, held := &state.Address{Status: "reserved"}, &state.Address{Status: "reserved", ClientID: mfp}
	prestaged := &state.Address{Status: "reserved", ClientID: mfp, Managed: state.Prestaged}
	adopted := &state.Address{Status: "reserved", ClientID: mfp, Managed: state.Adopted}
	foreign := &state.Address{Status: "active"}
	for _, c := range []struct {
		name   string
		facts  *facts
		x      *state.Address
		push   bool
		unsure bool
		want   plan.Cause
	}{
		{name: "a protected address", facts: both, x: protected, want: plan.CauseProtected},
		{name: "a new reservation", facts: both, want: plan.CauseNewReserved},
		{name: "a new lease", facts: lease, want: plan.CauseNewLeased},
		{name: "a reservation completes", facts: both, x: blank, want: plan.CauseCompleted},
		{name: "a reservation meets one made ahead", facts: reservation, x: prestaged, push: true, want: plan.CausePrestaged},
		{name: "a reservation, with push", facts: reservation, x: held, push: true, want: plan.CauseNetBoxRules},
		{name: "a reservation, without", facts: reservation, x: held, want: plan.CauseReserved},
		{name: "a reservation over a foreign status", facts: reservation, x: foreign, push: true, want: plan.CauseReserved},
		{name: "a lease completes", facts: lease, x: blank, want: plan.CauseLeaseFills},
		{name: "a lease in place of a reservation", facts: lease, x: adopted, want: plan.CauseDowngrade},
		{name: "the same, if not every server was read", facts: lease, x: adopted, unsure: true, want: plan.CauseKept},
		{name: "the same, with push", facts: lease, x: adopted, push: true, want: plan.CauseKept},
		{name: "a lease on a reservation of NetBox's own", facts: lease, x: held, want: plan.CauseKept},
		{name: "a lease over a foreign status", facts: lease, x: foreign, want: plan.CauseLeased},
	} {
		t.Run(c.name, func(t *testing.T) {
			in.Policy.PushReservations = c.push
			if got := newView(&in).outcomeOf(&situation{place: place, x: c.x, facts: c.facts, stays: c.unsure || c.push}).cause; got != c.want {
				t.Errorf("rule %s, want %s", got.Rule(), c.want.Rule())
			}
		})
	}
}

// Rule 3.7 guard a and guard b: a network with a scope that was not read, or not
// understood, is not sure, and neither is what overlaps it.
func TestDoubtAboutOneScopeReachesTheNetworksAroundIt(t *testing.T) {
	in := newWorld().read(defaults(dh1, dh2))
	of := func(server int, subnet string, part windhcp.Part) *unit {
		return &unit{sighting: &sighting{server: server, scope: windhcp.Scope{Subnet: netip.MustParsePrefix(subnet)}, part: part}}
	}
	failed := windhcp.Part{Leases: windhcp.List[windhcp.Lease]{Err: errors.New("500")}}
	scopes := &recorded{surveyed: &surveyed{view: newView(&in)}, units: []*unit{
		of(0, "10.8.4.0/24", windhcp.Part{}), of(1, "10.8.4.0/25", failed), of(0, "10.8.6.0/24", windhcp.Part{}),
	}}
	known, _ := mergeFacts(scopes, new(withdrawal))
	for subnet, unsure := range map[string]bool{"10.8.4.0/24": true, "10.8.4.0/25": true, "10.8.6.0/24": false} {
		if n := known.networks[subnetKey{subnet: netip.MustParsePrefix(subnet)}]; (n.unsure != "") != unsure {
			t.Errorf("%s: %q", subnet, n.unsure)
		}
	}
}

// Rule 3.9: of two leases of one address the one
// that ends later counts, and a reservation that is about to be deleted does not.
func TestFactsOfOneAddressAreMerged(t *testing.T) {
	in := newWorld().read(defaults(dh1, dh2))
	addr := netip.MustParseAddr("10.8.4.33")
	of := func(server int, client windhcp.ClientID, days int) *unit {
		return &unit{sighting: &sighting{server: server, scope: windhcp.Scope{Subnet: netip.MustParsePrefix("10.8.4.0/24")}, part: windhcp.Part{
			Leases:       windhcp.List[windhcp.Lease]{Items: []windhcp.Lease{{Addr: addr, ClientID: client, State: "Active", Expires: in.Now.AddDate(0, 0, days)}}},
			Reservations: windhcp.List[windhcp.Reservation]{Items: []windhcp.Reservation{{Addr: addr, ClientID: client}}},
		}}}
	}
	scopes := &recorded{surveyed: &surveyed{view: newView(&in)}, units: []*unit{of(0, pc, 1), of(1, mfp, 2)}}
	known, w := mergeFacts(scopes, &withdrawal{deletes: map[plan.PushedKey]int64{{Server: dh1, Addr: addr}: 7}})
	f := known.facts[plan.Place{Addr: addr}]
	if f.lease.ClientID != mfp || f.reservation.ClientID != mfp || f.unit.server != 1 {
		t.Errorf("lease %+v, reservation %+v", f.lease, f.reservation)
	}
	if len(w.notes) != 1 || w.notes[0].Cause != plan.CauseTwice {
		t.Errorf("notes %+v", w.notes)
	}
}
