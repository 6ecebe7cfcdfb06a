package decide

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

type addressCase struct {
	name    string
	policy  func(*plan.Policy)
	lease   string // client id of the lease on 10.8.4.33, whose host name is PC-17
	reserve string // client id of its reservation, whose name is mfp-2
	have    *state.Address
	want    *state.Address // nil: none
	rule    string         // of the step; empty: no step on the address
}

func (c *addressCase) run(t *testing.T) {
	l := newLab(t).trust()
	if c.policy != nil {
		c.policy(&l.p)
	}
	if c.lease != "" {
		l.scope.lease("10.8.4.33", c.lease, "PC-17")
	}
	if c.reserve != "" {
		l.scope.reserve("10.8.4.33", c.reserve, "mfp-2")
	}
	if c.have != nil {
		l.add(*c.have)
	}
	p := l.plan()
	found := ""
	for _, s := range p.Steps {
		if s.Kind == state.IPAddress {
			found += s.Rule
		}
	}
	if found != c.rule {
		t.Errorf("rule %q, want %q", found, c.rule)
	}
	l.run()
	l.wantAddress(c.want)
}

func pushing(p *plan.Policy)     { p.PushReservations = true }
func skipping(p *plan.Policy)    { p.Adopt = plan.LeaveAlone }
func reporting(p *plan.Policy)   { p.Adopt = plan.Report }
func followingID(p *plan.Policy) { p.UpdateClientID = true }

func protect(x state.Address) *state.Address { x.Tags = []string{"dhcp-protect"}; return &x }

// rule 3.5, 9 rows 12, 30, 31, 39 and 43.
func TestWhatOneServerRecordDoesToOneAddress(t *testing.T) {
	leased := func(x state.Address) *state.Address {
		x.LeaseHostname, x.LeaseActive = "PC-17", yes()
		return &x
	}
	manual := state.Address{Status: "reserved", ClientID: cam, DNSName: "kept"}
	cases := []addressCase{
		{name: "3.5 row 1: a lease leaves a protected address alone but for its metadata", lease: pc, rule: "3.5 row 1",
			have: protect(state.Address{Status: "active", DNSName: "kept", ClientID: cam}), want: leased(state.Address{Status: "active", DNSName: "kept", ClientID: cam})},
		{name: "3.5 row 1: a reservation leaves a protected address alone", reserve: pc,
			have: protect(state.Address{Status: "active", ClientID: cam}), want: &state.Address{Status: "active", ClientID: cam}},
		{name: "3.5 row 1: with protect.update_client_id a lease brings its client id", lease: pc, policy: followingID, rule: "3.5 row 1",
			have: protect(state.Address{Status: "reserved", DNSName: "kept", ClientID: cam}), want: leased(state.Address{Status: "reserved", DNSName: "kept", ClientID: pc})},
		{name: "3.5 row 1: with protect.update_client_id a reservation brings nothing", reserve: pc, policy: followingID,
			have: protect(state.Address{Status: "reserved", ClientID: cam}), want: &state.Address{Status: "reserved", ClientID: cam}},
		{name: "3.5 row 3: a reservation NetBox lacks is created", reserve: pc, rule: "3.5 row 3",
			want: &state.Address{Status: "reserved", DNSName: "mfp-2", ClientID: pc, Managed: state.Created}},
		{name: "3.5 row 3: an address in both lists is its reservation, with the metadata of the lease", reserve: pc, lease: pc, rule: "3.5 row 3",
			want: leased(state.Address{Status: "reserved", DNSName: "mfp-2", ClientID: pc, Managed: state.Created})},
		{name: "3.5 row 4: a lease NetBox lacks is created", lease: pc, rule: "3.5 row 4",
			want: leased(state.Address{Status: "dhcp", DNSName: "pc-17", ClientID: pc, Managed: state.Created})},
		{name: "3.5 row 5: a reservation fills in the client id of a record made ahead and keeps its name", reserve: pc, rule: "3.5 row 5",
			have: &state.Address{Status: "reserved", DNSName: "kept"}, want: &state.Address{Status: "reserved", DNSName: "kept", ClientID: pc, Managed: state.Prestaged}},
		{name: "3.5 row 5: a reservation fills in client id and name where both are blank", reserve: pc, rule: "3.5 row 5",
			have: &state.Address{Status: "reserved"}, want: &state.Address{Status: "reserved", DNSName: "mfp-2", ClientID: pc, Managed: state.Prestaged}},
		{name: "3.5 row 5 holds with push_reservations on", reserve: pc, policy: pushing, rule: "3.5 row 5",
			have: &state.Address{Status: "reserved", DNSName: "mfp-2"}, want: &state.Address{Status: "reserved", DNSName: "mfp-2", ClientID: pc, Managed: state.Prestaged}},
		{name: "3.5 row 6: a prestaged record keeps name and client id", reserve: pc,
			have: &state.Address{Status: "reserved", DNSName: "kept", ClientID: cam, Managed: state.Prestaged},
			want: &state.Address{Status: "reserved", DNSName: "kept", ClientID: cam, Managed: state.Prestaged}},
		{name: "3.5 row 7: with push_reservations on NetBox is the truth", reserve: pc, policy: pushing,
			have: &state.Address{Status: "reserved", DNSName: "mfp-2", ClientID: pc, Managed: state.Created},
			want: &state.Address{Status: "reserved", DNSName: "mfp-2", ClientID: pc, Managed: state.Created}},
		{name: "3.5 row 8: without it the server's reservation wins", reserve: pc, rule: "3.5 row 8",
			have: &manual, want: &state.Address{Status: "reserved", DNSName: "mfp-2", ClientID: pc, Managed: state.Adopted}},
		{name: "3.5 row 8: a lease that became a reservation moves", reserve: pc, rule: "3.5 row 8",
			have: &state.Address{Status: "dhcp", DNSName: "pc-17", ClientID: pc, Managed: state.Created},
			want: &state.Address{Status: "reserved", DNSName: "mfp-2", ClientID: pc, Managed: state.Created}},
		{name: "3.5 row 8: an active address becomes a reservation", reserve: pc, rule: "3.5 row 8",
			have: &state.Address{Status: "active"}, want: &state.Address{Status: "reserved", DNSName: "mfp-2", ClientID: pc, Managed: state.Adopted}},
		{name: "3.5 row 8 is not applied to an active address with adopt: skip", reserve: pc, policy: skipping,
			have: &state.Address{Status: "active"}, want: &state.Address{Status: "active"}},
		{name: "3.5 row 8: a reservation that agrees stays without provenance", reserve: pc,
			have: &state.Address{Status: "reserved", DNSName: "mfp-2", ClientID: pc}, want: &state.Address{Status: "reserved", DNSName: "mfp-2", ClientID: pc}},
		{name: "3.5 row 9: a lease tells the client id of a record made ahead", lease: pc, rule: "3.5 row 9",
			have: &state.Address{Status: "reserved", DNSName: "kept"}, want: leased(state.Address{Status: "reserved", DNSName: "kept", ClientID: pc, Managed: state.Prestaged})},
		{name: "3.5 row 10: a lease leaves a reservation of people alone", lease: pc, rule: "3.5 row 10",
			have: &manual, want: leased(manual)},
		{name: "3.5 row 11: an active address becomes a lease", lease: pc, rule: "3.5 row 11",
			have: &state.Address{Status: "active", DNSName: "old"}, want: leased(state.Address{Status: "dhcp", DNSName: "pc-17", ClientID: pc, Managed: state.Adopted})},
		{name: "3.5 row 11: an edited lease is set right and stays created", lease: pc, rule: "3.5 row 11",
			have: &state.Address{Status: "dhcp", DNSName: "edited", ClientID: cam, Managed: state.Created}, want: leased(state.Address{Status: "dhcp", DNSName: "pc-17", ClientID: pc, Managed: state.Created})},
		{name: "3.5 row 11 is not applied to a deprecated address with adopt: report", lease: pc, policy: reporting,
			have: &state.Address{Status: "deprecated"}, want: &state.Address{Status: "deprecated"}},
		{name: "3.5 row 11: adopt: skip does not spare statuses of the mirror", lease: pc, policy: skipping, rule: "3.5 row 11",
			have: &state.Address{Status: "dhcp"}, want: leased(state.Address{Status: "dhcp", DNSName: "pc-17", ClientID: pc, Managed: state.Adopted})},
		{name: "3.5 row 11: a lease that agrees stays without provenance", lease: pc, rule: "3.5 row 11",
			have: &state.Address{Status: "dhcp", DNSName: "pc-17", ClientID: pc}, want: leased(state.Address{Status: "dhcp", DNSName: "pc-17", ClientID: pc})},
	}
	for _, c := range cases {
		t.Run(c.name, c.run)
	}
}

func TestNothingIsMadeInAProtectedPrefix(t *testing.T) { // rules 3.5 row 2 and 3.4
	l := newLab(t)
	l.scope.lease("10.8.4.33", pc, "PC-17")
	l.scope.lease("10.8.4.40", mfp, "mfp")
	l.w.addPrefix("10.8.4.32/29", 0).Tags = []string{"dhcp-protect"}
	l.w.addPrefix("10.8.4.40/29", 7).Tags = []string{"dhcp-protect"} // another VRF does not count
	p := l.run()
	wantSteps(t, p, onAddresses, "create 10.8.4.40/24 [3.5 row 4]")
	wantNote(t, p, plan.Skip, "3.5 row 2", "protected")
}

func TestAnOverwrittenForeignStatusIsAWarningOnce(t *testing.T) { // rule 3.5 row 11
	l := newLab(t)
	l.scope.lease("10.8.4.33", pc, "PC-17")
	l.add(state.Address{Status: "active"})
	wantNote(t, l.run(), plan.Warning, "3.5 row 11", `NetBox has it as "active"`)
	l.w.address("10.8.4.33").Status = "active"
	wantNote(t, l.run(), plan.Info, "3.5 row 11", `NetBox has it as "active"`)
}

func TestAnAddressIsMadeWithMaskVRFAndTenantOfThePrefix(t *testing.T) { // rule 3.6 address, 3.6 vrf, 9 row 44
	l := &lab{T: t, w: newWorld(), p: defaults(dh1)}
	s := l.w.server(dh1).addScope("10.8.4.0/23", "10.8.4.20", "10.8.5.250")
	l.w.addPrefix("10.8.4.0/23", 7).Tenant = 12
	l.importAll()
	s.lease("10.8.5.33", pc, "PC-17")
	l.run()
	x := l.w.addressIn(7, "10.8.5.33")
	if x == nil || x.Address.Bits() != 23 || x.Tenant != 12 {
		t.Fatalf("got %+v", x)
	}
	s.lease("10.8.5.34", mfp, "mfp")
	l.p.InheritTenant = false
	l.run()
	if x := l.w.addressIn(7, "10.8.5.34"); x.Tenant != 0 {
		t.Errorf("tenant %d with inherit_tenant off", x.Tenant)
	}
}

func TestFieldRules(t *testing.T) {
	t.Run("3.6 address: another mask is matched by host and kept", func(t *testing.T) {
		l := newLab(t)
		l.scope.lease("10.8.4.33", pc, "PC-17")
		l.add(state.Address{Address: netip.MustParsePrefix("10.8.4.33/32"), Status: "dhcp"})
		l.run()
		if x := l.w.address("10.8.4.33"); len(l.w.nb.Addresses) != 1 || x.Address.Bits() != 32 || x.ClientID != pc {
			t.Errorf("got %+v", l.w.nb.Addresses)
		}
	})
	t.Run("3.6 address: of several objects the managed one is kept up to date, then one with a status of the mirror, then the oldest", func(t *testing.T) {
		for _, c := range []struct{ first, second state.Address }{
			{state.Address{Status: "active"}, state.Address{Status: "active", Managed: state.Adopted}},
			{state.Address{Status: "active"}, state.Address{Status: "dhcp"}},
			{state.Address{Status: "dhcp"}, state.Address{Status: "reserved", ClientID: pc, Managed: state.Created}},
		} {
			l := newLab(t)
			l.scope.lease("10.8.4.33", pc, "PC-17")
			l.add(c.first)
			second := l.add(c.second)
			p := l.run()
			wantNote(t, p, plan.Warning, "3.6", "2 address objects for this host")
			for _, s := range p.Steps {
				if s.Kind == state.IPAddress && s.ID != second {
					t.Errorf("changed %d, not %d", s.ID, second)
				}
			}
		}
	})
	t.Run("3.6 vrf: an address of another VRF is neither changed nor deleted, but hinted at", func(t *testing.T) {
		l := newLab(t)
		l.scope.lease("10.8.4.33", pc, "PC-17")
		l.add(state.Address{Status: "dhcp", VRF: 7, Managed: state.Created})
		l.add(state.Address{Address: netip.MustParsePrefix("10.8.4.99/24"), Status: "dhcp", VRF: 7, Managed: state.Created})
		p := l.run()
		wantSteps(t, p, func(s plan.Step) bool { return onAddresses(s) && s.Phase != plan.Reflection }, "create 10.8.4.33/24 [3.5 row 4]")
		wantNote(t, p, plan.Info, "3.9", "NetBox has 1 address of it in VRF red too")
	})
	t.Run("3.6 status: statuses that are equal or unknown stop the sync of addresses", func(t *testing.T) { // rule 9 row 26
		for _, change := range []func(*plan.Policy){func(p *plan.Policy) { p.LeaseStatus = "reserved" }, func(p *plan.Policy) { p.LeaseStatus = "nosuch" }} {
			l := newLab(t)
			l.scope.lease("10.8.4.33", pc, "PC-17")
			change(&l.p)
			p := l.run()
			wantSteps(t, p, onAddresses)
			wantNote(t, p, plan.Failure, "3.6", "no address is touched")
		}
	})
	t.Run("3.6 status: custom statuses are used", func(t *testing.T) { // rule 9 row 26
		l := newLab(t)
		l.p.LeaseStatus, l.p.ReservationStatus = "old-dhcp", "old-reserved"
		l.scope.lease("10.8.4.33", pc, "PC-17")
		l.scope.reserve("10.8.4.34", mfp, "mfp")
		l.run()
		if a, b := l.w.address("10.8.4.33").Status, l.w.address("10.8.4.34").Status; a != "old-dhcp" || b != "old-reserved" {
			t.Errorf("got %s, %s", a, b)
		}
	})
	t.Run("3.6 dns_name: an empty name leaves the one there is", func(t *testing.T) {
		for _, name := range []string{"", "*", "$"} {
			l := newLab(t)
			l.scope.lease("10.8.4.33", pc, name)
			l.add(state.Address{Status: "dhcp", DNSName: "kept", ClientID: pc})
			l.run()
			if got := l.w.address("10.8.4.33").DNSName; got != "kept" {
				t.Errorf("%q left %q", name, got)
			}
		}
	})
	t.Run("3.6 dns_name: a new client without a name does not inherit that of another client", func(t *testing.T) {
		l := newLab(t)
		lease := l.scope.lease("10.8.4.33", pc, "PC-17")
		l.run()
		lease.ClientID, lease.Hostname = mfp, ""
		l.run()
		if x := l.w.address("10.8.4.33"); x.DNSName != "" || x.ClientID != mfp {
			t.Errorf("got %q %q", x.DNSName, x.ClientID)
		}
	})
	t.Run("3.6 dhcp_client_id: an empty one never clears", func(t *testing.T) {
		l := newLab(t)
		l.scope.lease("10.8.4.33", "", "PC-17")
		l.add(state.Address{Status: "dhcp", ClientID: pc})
		l.run()
		if x := l.w.address("10.8.4.33"); x.ClientID != pc {
			t.Errorf("got %q", x.ClientID)
		}
	})
	t.Run("3.6 description, role, assignment and tags are not touched", func(t *testing.T) {
		l := newLab(t)
		l.scope.lease("10.8.4.33", pc, "PC-17")
		l.add(state.Address{Status: "dhcp", Description: "by hand", Tags: []string{"red"}, InUse: "assigned to an interface", Tenant: 3})
		l.run()
		if x := l.w.address("10.8.4.33"); x.Description != "by hand" || x.Tags[0] != "red" || x.Tenant != 3 {
			t.Errorf("got %+v", x)
		}
	})
	t.Run("3.6 metadata: a kept address whose lease is over is not active", func(t *testing.T) {
		l := newLab(t)
		l.scope.lease("10.8.4.33", pc, "PC-17")
		l.add(state.Address{Status: "reserved", ClientID: pc})
		l.run()
		l.scope.leases = nil
		wantSteps(t, l.run(), onAddresses, "update 10.8.4.33/24 [3.6]")
		l.wantAddress(&state.Address{Status: "reserved", ClientID: pc, LeaseHostname: "PC-17", LeaseActive: no()})
	})
}

func TestTheExpiryIsWrittenOnlyWhenItMoves(t *testing.T) { // rule 9 row 33
	l := newLab(t)
	l.p.ExpiryInNetBox = true
	lease := l.scope.lease("10.8.4.33", pc, "PC-17")
	first := lease.Expires
	l.run()
	lease.Expires = first.Add(47 * time.Hour) // a quarter of 8 days is 48 hours
	wantSteps(t, l.run(), anyStep)
	lease.Expires = first.Add(49 * time.Hour)
	wantSteps(t, l.run(), anyStep, "update 10.8.4.33/24 [3.5 row 11]")
	l.p.ExpiryInNetBox = false
	lease.Expires = first.Add(490 * time.Hour)
	p := l.run()
	wantSteps(t, p, anyStep)
	if got := p.Memory.Leases[plan.Place{VRF: 0, Addr: netip.MustParseAddr("10.8.4.33")}].Expires; !got.Equal(lease.Expires) {
		t.Errorf("remembered %s", got)
	}
}

// rules 3.5 row 1 and 3.4: of a protected address, or one in a protected prefix, the
// fields of its lease are written and no others, from its beginning to its end.
func TestAProtectedAddressShowsItsLeaseAlone(t *testing.T) {
	name, active, expires := plan.CustomField(state.FieldLeaseHostname), plan.CustomField(state.FieldLeaseActive), plan.CustomField(state.FieldLeaseExpires)
	client := plan.CustomField(state.FieldClientID)
	for _, c := range []struct {
		name                 string
		change               func(*lab)
		starts, moves, ended []string // fields written when a lease begins, when another client has it, and when it ends
	}{
		{"a protected address", func(l *lab) { l.w.nb.Addresses[0].Tags = []string{"dhcp-protect"} }, []string{active, name}, []string{name}, []string{active}},
		{"a protected prefix", func(l *lab) { l.w.nb.Prefixes[0].Tags = []string{"dhcp-protect"} }, []string{active, name}, []string{name}, []string{active}},
		{"with expiry_in_netbox", func(l *lab) {
			l.w.nb.Addresses[0].Tags, l.p.ExpiryInNetBox = []string{"dhcp-protect"}, true
		}, []string{active, expires, name}, []string{expires, name}, []string{active, expires}},
		{"with protect.update_client_id", func(l *lab) {
			l.w.nb.Addresses[0].Tags, l.p.UpdateClientID = []string{"dhcp-protect"}, true
		}, []string{active, name}, []string{client, name}, []string{active}},
		{"without protect.show_lease", func(l *lab) { l.w.nb.Addresses[0].Tags, l.p.HidesLease = []string{"dhcp-protect"}, true }, nil, nil, nil},
		{"without it in a protected prefix, with expiry_in_netbox and protect.update_client_id", func(l *lab) {
			l.w.nb.Prefixes[0].Tags, l.p.HidesLease, l.p.ExpiryInNetBox, l.p.UpdateClientID = []string{"dhcp-protect"}, true, true, true
		}, nil, []string{client}, nil},
		{"without it, and not protected", func(l *lab) {
			l.w.nb.Addresses[0].Status, l.w.nb.Addresses[0].Shared, l.p.HidesLease = "active", true, true
		},
			[]string{active, name}, []string{name}, []string{active}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t).trust()
			l.add(state.Address{Status: "active", DNSName: "kept", ClientID: pc})
			c.change(l)
			written := func(when string, want []string) {
				t.Helper()
				var fields []string
				for _, s := range l.run().Steps {
					if onAddresses(s) {
						for _, change := range s.Changes {
							fields = append(fields, change.Field)
						}
					}
				}
				slices.Sort(fields)
				if diff := cmp.Diff(want, fields); diff != "" {
					t.Errorf("%s (-want +have):\n%s", when, diff)
				}
			}
			lease := l.scope.lease("10.8.4.33", pc, "PC-17")
			written("a lease", c.starts)
			lease.ClientID, lease.Hostname, lease.Expires = mfp, "MFP-2", lease.Expires.Add(490*time.Hour)
			written("another client's", c.moves)
			l.scope.leases = nil
			written("none", c.ended)
		})
	}
}

func TestWithoutSyncOfAddressesNoneIsWritten(t *testing.T) { // rule 9 row 27
	l := newLab(t)
	l.p.SyncIPs = false
	l.scope.lease("10.8.4.33", pc, "PC-17")
	l.scope.Name = "renamed"
	l.add(state.Address{Address: netip.MustParsePrefix("10.8.4.99/24"), Status: "dhcp", Managed: state.Created})
	wantSteps(t, l.run(), func(s plan.Step) bool { return s.Phase != plan.Reflection }, "update scope 10.8.4.0/24 of dh1.corp.example (renamed) [5.1]")
}

func TestAPrestagedReservationSurvivesTheWholeStory(t *testing.T) { // rules 9 row 43 and 3.4
	l := newLab(t)
	l.add(state.Address{Status: "reserved", DNSName: "plc-1"})
	l.scope.lease("10.8.4.33", pc, "unknown")
	l.run()
	l.scope.leases = nil
	l.scope.reserve("10.8.4.33", pc, "other")
	l.run()
	l.scope.reservations = nil
	l.run()
	l.wantAddress(&state.Address{Status: "reserved", DNSName: "plc-1", ClientID: pc, Managed: state.Prestaged, LeaseHostname: "unknown", LeaseActive: no()})
}

func TestEdgeCases(t *testing.T) {
	leaseInState := func(l *lab, leaseState, hostname string) {
		x := l.scope.lease("10.8.4.33", pc, hostname)
		x.State = leaseState
	}
	for _, c := range []struct{ name, leaseState, hostname, want string }{
		{"3.9 lease active: ActiveReservation is one", "ActiveReservation", "pc", "create 10.8.4.33/24 [3.5 row 4]"},
		{"3.9 lease active: a missing state is one", "", "pc", "create 10.8.4.33/24 [3.5 row 4]"},
		{"3.9 BAD_ADDRESS is no lease", "Active", "BAD_ADDRESS", ""},
		{"3.9 Declined is no lease", "Declined", "pc", ""},
		{"3.9 InactiveReservation is no lease", "InactiveReservation", "pc", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			leaseInState(l, c.leaseState, c.hostname)
			var want []string
			if c.want != "" {
				want = []string{c.want}
			}
			wantSteps(t, l.run(), onAddresses, want...)
		})
	}
	t.Run("3.9 an address held back by the server is not deletable", func(t *testing.T) {
		for _, leaseState := range []string{"Declined", "Offered", "Expired", "Unheard-of"} {
			l := newLab(t)
			leaseInState(l, leaseState, "pc")
			l.add(state.Address{Status: "dhcp", Managed: state.Created})
			p := l.run()
			wantSteps(t, p, anyStep)
			wantNote(t, p, plan.Skip, "3.9", "kept")
			if told := hasNote(p, plan.Warning, "3.9", `state that this program does not know (the first is "Unheard-of")`); told != (leaseState == "Unheard-of") {
				t.Errorf("%s: told %v\n%s", leaseState, told, describe(p))
			}
		}
	})
	t.Run("3.9 an inactive reservation that the list of reservations lacks keeps its address", func(t *testing.T) {
		l := newLab(t)
		l.add(state.Address{Status: "reserved", ClientID: pc, Managed: state.Created})
		l.add(state.Address{Address: netip.MustParsePrefix("10.8.4.34/24"), Status: "dhcp", ClientID: mfp, Managed: state.Created})
		leaseInState(l, "InactiveReservation", "pc")
		l.scope.lease("10.8.4.34", mfp, "mfp").State = "inactivereservation"
		l.scope.lease("10.8.4.50", cam, "cam")
		l.scope.reserve("10.8.4.51", "00-00-5e-00-53-51", "lamp")
		l.run()
		for range 3 { // as where the list of reservations failed without a word
			p := l.run()
			wantSteps(t, p, anyStep)
			wantNote(t, p, plan.Skip, "3.9", "kept")
			l.w.hoursLater(1)
		}
		l.scope.leases = nil // it has to be missing twice from now on
		wantSteps(t, l.run(), anyStep)
	})
	t.Run("3.9 of an inactive reservation the list of reservations decides", func(t *testing.T) {
		l := newLab(t)
		l.scope.lease("10.8.4.33", pc, "pc")
		l.scope.reserve("10.8.4.33", pc, "pc")
		l.run()
		l.scope.leases[0].State = "InactiveReservation"
		l.run()
		if x := l.w.address("10.8.4.33"); x == nil || x.Status != "reserved" || *x.LeaseActive {
			t.Errorf("left: %+v", x)
		}
	})
	t.Run("3.9 an expiry in the past does not end a lease", func(t *testing.T) {
		l := newLab(t)
		l.scope.lease("10.8.4.33", pc, "pc").Expires = time.Unix(0, 0)
		wantSteps(t, l.run(), onAddresses, "create 10.8.4.33/24 [3.5 row 4]")
	})
	t.Run("3.9 of an address listed twice the lease that ends later counts", func(t *testing.T) {
		l := newLab(t)
		later := l.scope.lease("10.8.4.33", mfp, "later").Expires
		l.scope.lease("10.8.4.33", pc, "sooner").Expires = later.Add(-time.Hour)
		p := l.run()
		wantNote(t, p, plan.Warning, "3.9", "leased twice")
		if got := l.w.address("10.8.4.33").ClientID; got != mfp {
			t.Errorf("got %s", got)
		}
	})
	t.Run("3.9 a client id on several addresses is allowed", func(t *testing.T) {
		l := newLab(t)
		l.scope.lease("10.8.4.33", pc, "a")
		l.scope.lease("10.8.4.34", pc, "b")
		wantSteps(t, l.run(), onAddresses, "create 10.8.4.33/24 [3.5 row 4]", "create 10.8.4.34/24 [3.5 row 4]")
	})
	t.Run("3.9 a reservation outside the pool and in an exclusion is normal", func(t *testing.T) {
		l := newLab(t)
		l.scope.exclusions = []windhcp.Exclusion{span("10.8.4.30", "10.8.4.39")}
		l.scope.reserve("10.8.4.33", pc, "a")
		l.scope.reserve("10.8.4.5", mfp, "b")
		p := l.run()
		wantSteps(t, p, onAddresses, "create 10.8.4.5/24 [3.5 row 3]", "create 10.8.4.33/24 [3.5 row 3]")
		if len(p.Violations) > 0 {
			t.Errorf("violations: %v", p.Violations)
		}
	})
	t.Run("3.9 a record outside the subnet is ignored", func(t *testing.T) {
		l := newLab(t)
		l.scope.lease("10.8.5.33", pc, "a")
		p := l.run()
		wantSteps(t, p, onAddresses)
		wantNote(t, p, plan.Failure, "3.9", "outside the subnet")
	})
	t.Run("3.9 a populated range is reported once", func(t *testing.T) {
		l := &lab{T: t, w: newWorld(), p: defaults(dh1)}
		l.scope = l.w.server(dh1).addScope("10.8.4.0/24", "10.8.4.20", "10.8.4.250")
		l.importAll()
		l.w.nb.Ranges[0].Populated = true
		l.scope.lease("10.8.4.33", pc, "a")
		l.scope.lease("10.8.4.34", mfp, "b")
		p := l.run()
		wantSteps(t, p, onAddresses)
		wantNote(t, p, plan.Conflict, "3.9", "2 new addresses")
	})
	t.Run("3.9 skip_ras leaves the leases of remote access servers alone", func(t *testing.T) {
		const ras = "52-41-53-20-00-00-00-00-00-00-00-00-00-00-00-01"
		l := newLab(t)
		l.scope.lease("10.8.4.33", ras, "a")
		wantSteps(t, l.plan(), onAddresses, "create 10.8.4.33/24 [3.5 row 4]")
		l.p.SkipRAS = true
		l.add(state.Address{Status: "dhcp"})
		wantSteps(t, l.run(), onAddresses)
	})
	t.Run("3.9 a client id that is not hex is stored as it came", func(t *testing.T) {
		l := newLab(t)
		l.scope.lease("10.8.4.33", "abc", "a")
		l.run()
		if got := l.w.address("10.8.4.33").ClientID; got != "abc" {
			t.Errorf("got %q", got)
		}
	})
	t.Run("3.9 a name longer than 255 is cut", func(t *testing.T) {
		l := newLab(t)
		l.scope.lease("10.8.4.33", pc, strings.Repeat("n", 300))
		l.run()
		if x := l.w.address("10.8.4.33"); len(x.DNSName) != 255 || len(x.LeaseHostname) != 255 {
			t.Errorf("got %d and %d characters", len(x.DNSName), len(x.LeaseHostname))
		}
	})
	t.Run("3.9 an unlimited lease time is a word", func(t *testing.T) {
		l := newLab(t)
		l.scope.LeaseSeconds = windhcp.Unlimited
		l.run()
		if r := l.w.nb.Ranges[0]; r.LeaseSeconds != windhcp.Unlimited || r.LeaseDisplay != "Unlimited" {
			t.Errorf("got %d, %s", r.LeaseSeconds, r.LeaseDisplay)
		}
		if p := l.run(); !p.Empty() {
			t.Errorf("a second run: %+v", p.Steps)
		}
	})
	t.Run("3.9 a scope without a lease time keeps its recorded one, a new one gets a day", func(t *testing.T) {
		l := newLab(t)
		l.scope.LeaseSeconds = 0
		wantSteps(t, l.run(), anyStep)
		l.w.server(dh1).addScope("10.8.6.0/24", "10.8.6.20", "10.8.6.30").LeaseSeconds = 0
		wantNote(t, l.importAll(), plan.Info, "3.9", "recorded as 1 Day")
		if r := l.w.nb.Ranges[1]; r.LeaseSeconds != 86400 {
			t.Errorf("got %d", r.LeaseSeconds)
		}
	})
	t.Run("3.9 prefixes with the same base address are told apart by their mask", func(t *testing.T) {
		l := &lab{T: t, w: newWorld(), p: defaults(dh1)}
		l.w.addPrefix("10.8.0.0/16", 0).Tenant = 1
		l.w.addPrefix("10.8.0.0/24", 0).Tenant = 2
		s := l.w.server(dh1).addScope("10.8.0.0/24", "10.8.0.20", "10.8.0.250")
		l.importAll()
		s.lease("10.8.0.33", pc, "a")
		l.run()
		if x := l.w.address("10.8.0.33"); x.Tenant != 2 || x.Address.Bits() != 24 {
			t.Errorf("got %+v", x)
		}
	})
}
