package decide

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// rule 3.7, 9 row 13.
func TestCleanupOfOneAddress(t *testing.T) {
	reservation := func(m state.Managed) *state.Address {
		return &state.Address{Status: "reserved", DNSName: "mfp-2", ClientID: pc, Managed: m}
	}
	gone := "3.7 delete"
	former := func(p *plan.Policy) {
		p.PreviousLease, p.PreviousReservation = []string{"old-dhcp"}, []string{"old-reserved"}
	}
	leased := func(x state.Address) *state.Address {
		x.LeaseHostname, x.LeaseActive = "PC-17", yes()
		return &x
	}
	cases := []addressCase{
		{name: "3.7 cleanup: lease status, lease active: none", lease: pc,
			have: leased(state.Address{Status: "dhcp", DNSName: "pc-17", ClientID: pc}), want: leased(state.Address{Status: "dhcp", DNSName: "pc-17", ClientID: pc})},
		{name: "3.7 cleanup: lease status, a reservation only: it takes the reservation status", reserve: pc, rule: "3.5 row 8",
			have: &state.Address{Status: "dhcp", ClientID: pc}, want: &state.Address{Status: "reserved", DNSName: "mfp-2", ClientID: pc, Managed: state.Adopted}},
		{name: "3.7 cleanup: lease status, neither: deleted", rule: gone, have: &state.Address{Status: "dhcp", Managed: state.Created}},
		{name: "3.7 cleanup: lease status by hand inside the pool, neither: deleted", rule: gone, have: &state.Address{Status: "dhcp"}},
		{name: "3.7 cleanup: lease status of a prestaged record, neither: deleted", rule: gone, have: &state.Address{Status: "dhcp", Managed: state.Prestaged}},
		{name: "3.7 cleanup: reservation status without a client id: kept", have: &state.Address{Status: "reserved", Managed: state.Created}, want: &state.Address{Status: "reserved", Managed: state.Created}},
		{name: "3.7 cleanup: reservation made by hand: kept", have: reservation(""), want: reservation("")},
		{name: "3.7 cleanup: prestaged reservation: kept", have: reservation(state.Prestaged), want: reservation(state.Prestaged)},
		{name: "3.7 cleanup: managed reservation, reservation exists: none", reserve: pc, have: reservation(state.Created), want: reservation(state.Created)},
		{name: "3.7 cleanup: managed reservation, only a lease: downgraded with the lease's name", lease: mfp, rule: "3.7 downgrade",
			have: reservation(state.Created), want: leased(state.Address{Status: "dhcp", DNSName: "pc-17", ClientID: mfp, Managed: state.Created})},
		{name: "3.7 cleanup: created reservation, neither: deleted", rule: gone, have: reservation(state.Created)},
		{name: "3.7 cleanup: adopted reservation, neither: stays", have: reservation(state.Adopted), want: reservation(state.Adopted)},
		{name: "3.7 cleanup: adopted lease, neither: stays", have: &state.Address{Status: "dhcp", Managed: state.Adopted}, want: &state.Address{Status: "dhcp", Managed: state.Adopted}},
		{name: "3.7 cleanup: push_reservations on: kept, pushed instead", policy: pushing, have: reservation(state.Created), want: reservation(state.Created)},
		{name: "3.7 cleanup: push_reservations on, only a lease: not downgraded", policy: pushing, lease: pc, rule: "3.5 row 10",
			have: reservation(state.Created), want: leased(*reservation(state.Created))},
		{name: "3.7 cleanup: protected: kept", have: protect(state.Address{Status: "dhcp", Managed: state.Created}), want: protect(state.Address{Status: "dhcp", Managed: state.Created})},
		{name: "3.7 cleanup: former lease status, managed: deleted", policy: former, rule: gone, have: &state.Address{Status: "old-dhcp", Managed: state.Created}},
		{name: "3.7 cleanup: former lease status, not the mirror's: kept", policy: former, have: &state.Address{Status: "old-dhcp"}, want: &state.Address{Status: "old-dhcp"}},
		{name: "3.7 cleanup: former reservation status, managed: deleted", policy: former, rule: gone,
			have: &state.Address{Status: "old-reserved", ClientID: pc, Managed: state.Created}},
		{name: "3.7 cleanup: former reservation status, prestaged: kept", policy: former,
			have: &state.Address{Status: "old-reserved", ClientID: pc, Managed: state.Prestaged}, want: &state.Address{Status: "old-reserved", ClientID: pc, Managed: state.Prestaged}},
		{name: "3.7 cleanup: any other status: kept", have: &state.Address{Status: "active", Managed: state.Adopted}, want: &state.Address{Status: "active", Managed: state.Adopted}},
		{name: "3.7 status settings changed: an active lease moves to the new status", policy: former, lease: pc, rule: "3.5 row 11",
			have: leased(state.Address{Status: "old-dhcp", DNSName: "pc-17", ClientID: pc}), want: leased(state.Address{Status: "dhcp", DNSName: "pc-17", ClientID: pc, Managed: state.Adopted})},
		{name: "3.7 status settings changed: a managed reservation moves to the new status", policy: former, reserve: pc, rule: "3.5 row 8",
			have: &state.Address{Status: "old-reserved", DNSName: "mfp-2", ClientID: pc, Managed: state.Created}, want: reservation(state.Created)},
		{name: "3.7 status settings changed: it moves with push_reservations on too", reserve: pc, rule: "3.5 row 7",
			policy: func(p *plan.Policy) { former(p); pushing(p) },
			have:   &state.Address{Status: "old-reserved", DNSName: "mfp-2", ClientID: pc, Managed: state.Created}, want: reservation(state.Created)},
		{name: "3.7 status settings changed: and where the server has to be told first", rule: "3.7 status settings changed",
			policy: func(p *plan.Policy) { former(p); pushing(p) },
			have:   &state.Address{Status: "old-reserved", DNSName: "mfp-2", ClientID: pc, Managed: state.Created}, want: reservation(state.Created)},
		{name: "3.7 status settings changed: a lease does not overwrite a prestaged record of the old status", policy: former, lease: pc, rule: "3.5 row 10",
			have: &state.Address{Status: "old-reserved", ClientID: mfp, Managed: state.Prestaged},
			want: leased(state.Address{Status: "old-reserved", ClientID: mfp, Managed: state.Prestaged})},
	}
	for _, c := range cases {
		t.Run(c.name, c.run)
	}
}

// Rule 3.7 status settings changed: without previous_lease and previous_reservation
// the memory knows the former statuses.
func TestStatusesThatAreChangedWithoutAWordMoveWhatIsTheMirrors(t *testing.T) {
	l := leased(t, 4)
	hand, planned := state.Address{Status: "reserved", ClientID: cam, DNSName: "by-hand"}, state.Address{Status: "reserved"}
	hand.Address, planned.Address = netip.MustParsePrefix("10.8.4.201/24"), netip.MustParsePrefix("10.8.4.202/24")
	lease := state.Address{Status: "dhcp", DNSName: "by-hand", Address: netip.MustParsePrefix("10.8.4.203/24")}
	l.scope.reserve("10.8.4.200", mfp, "mfp")
	l.scope.reserve("10.8.4.205", "00-00-5e-00-54-05", "stays")
	l.run()
	for _, x := range []state.Address{hand, planned, lease} {
		l.add(x)
	}
	l.p.LeaseStatus, l.p.ReservationStatus = "old-dhcp", "old-reserved"
	for i, addr := range []string{"10.8.4.201", "10.8.4.202", "10.8.4.203"} {
		l.scope.lease(addr, fmt.Sprintf("00-00-5e-00-55-%02x", i), "laptop").Expires = l.w.now.AddDate(0, 0, 1)
	}
	l.scope.leases = l.scope.leases[1:]
	p := l.run()
	wantNote(t, p, plan.Warning, "3.7 status settings changed", "left alone")
	for addr, want := range map[string]string{leaseAddr(1): "old-dhcp", "10.8.4.200": "old-reserved", "10.8.4.201": "reserved", "10.8.4.202": "reserved", "10.8.4.203": "dhcp"} {
		if x := l.w.address(addr); x == nil || x.Status != want {
			t.Errorf("%s: %+v, want %s", addr, x, want)
		}
	}
	if l.w.address(leaseAddr(0)) != nil {
		t.Error("an ended lease of the former status stays")
	}
	if x := l.w.address("10.8.4.201"); x.DNSName != "by-hand" || x.ClientID != cam || x.Managed != "" {
		t.Errorf("%+v", x)
	}
	l.scope.leases = l.scope.leases[:1]
	l.trust().runLater()
	for _, addr := range []string{"10.8.4.201", "10.8.4.202", "10.8.4.203"} {
		if l.w.address(addr) == nil {
			t.Errorf("%s is deleted", addr)
		}
	}
}

func TestCleanupLooksAtTheWholeSubnetAndNoFurther(t *testing.T) { // rule 3.7
	l := newLab(t).trust()
	for _, a := range []string{"10.8.4.1/24", "10.8.4.254/32", "10.8.5.1/24", "10.8.3.254/16"} {
		l.add(state.Address{Address: netip.MustParsePrefix(a), Status: "dhcp", Managed: state.Created})
	}
	wantSteps(t, l.run(), func(s plan.Step) bool { return s.Action == state.Delete }, "delete 10.8.4.1/24 [3.7 delete]", "delete 10.8.4.254/32 [3.7 delete]")
}

// split is a lab in which dh2 has a scope for the same subnet, as a split scope.
func split(t *testing.T) (l *lab, second *wscope) {
	l = newLab(t)
	l.p.Servers = append(l.p.Servers, defaults(dh2).Servers...)
	second = l.w.server(dh2).addScope("10.8.4.0/24", "10.8.4.20", "10.8.4.250")
	l.importAll()
	return l, second
}

func TestNothingIsDeletedUnlessEverySourceWasRead(t *testing.T) { // rule 3.7 guard a
	for _, c := range []struct {
		name    string
		trouble func(l *lab, second *wscope)
		deleted bool
	}{
		{"3.7 guard a: both parts of a split scope were read", func(*lab, *wscope) {}, true},
		{"3.7 guard a: the other server did not answer", func(l *lab, _ *wscope) { l.w.server(dh2).down = true }, false},
		{"3.7 guard a: the leases of the other part failed", func(_ *lab, s *wscope) { s.leasesFail = true }, false},
		{"3.7 guard a: the reservations of the other part failed", func(_ *lab, s *wscope) { s.reservationsFail = true }, false},
		{"3.7 guard a: the run is for one server only (--server)", func(l *lab, _ *wscope) { l.p.Servers[1].Selected = false }, false},
		{"3.7 guard a: the other server is in maintenance", func(l *lab, _ *wscope) { l.p.Servers[1].Maintenance = true }, false},
		{"3.7 guard a: the other part is not active and passed over", func(l *lab, s *wscope) { l.p.ActiveScopesOnly = true; s.State = "Inactive" }, false},
		{"3.7 guard a: the other server is not configured any more", func(l *lab, _ *wscope) { l.p.Servers = l.p.Servers[:1] }, true},
		{"3.7 guard a: the other part was removed from its server, which says so in full", func(l *lab, s *wscope) {
			l.w.server(dh2).addScope("10.9.9.0/24", "10.9.9.1", "10.9.9.9")
			delete(l.w.server(dh2).scopes, s.ID())
		}, true},
		{"3.7 guard c: the other server suddenly lists no scope at all", func(l *lab, s *wscope) { delete(l.w.server(dh2).scopes, s.ID()) }, false},
		{"3.7 guard b: an entry of the other part was not understood", func(_ *lab, s *wscope) { s.malformed = true }, false},
		{"3.7 guard b: an entry of the other part is outside the subnet", func(_ *lab, s *wscope) { s.lease("10.8.9.9", pc, "x") }, false},
		{"3.7 split scope: the other part has a lease on it", func(_ *lab, s *wscope) { s.lease("10.8.4.33", pc, "x") }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, second := split(t)
			l.add(state.Address{Status: "dhcp", Managed: state.Created})
			l.add(state.Address{Address: netip.MustParsePrefix("10.8.4.34/24"), Status: "reserved", ClientID: mfp, Managed: state.Created})
			l.scope.lease("10.8.4.34", mfp, "x")
			c.trouble(l, second)
			l.p.AllowDeletes = !strings.HasPrefix(c.name, "3.7 guard c") // which lets guards a and b stand
			p := l.run()
			if gone := l.w.address("10.8.4.33") == nil; gone != c.deleted {
				t.Errorf("deleted: %t\n%s", gone, describe(p))
			}
			if s := l.w.address("10.8.4.34").Status; c.name != "3.7 split scope: the other part has a lease on it" && (s == "dhcp") != c.deleted {
				t.Errorf("the downgrade follows the same guard: %s", s)
			}
		})
	}
}

func TestTwoScopesOfDifferentSizeGuardEachOther(t *testing.T) { // rule 3.7 guard a
	l := newLab(t)
	l.p.Servers = append(l.p.Servers, defaults(dh2).Servers...)
	l.w.server(dh2).addScope("10.8.0.0/16", "10.8.9.1", "10.8.9.250")
	l.importAll()
	l.w.server(dh2).down = true
	l.add(state.Address{Status: "dhcp"})
	wantSteps(t, l.run(), onAddresses)
}

func TestADeleteSaysWhatItRestsOn(t *testing.T) { // rule 3.7 guard d
	l := newLab(t).trust()
	l.add(state.Address{Status: "dhcp", ClientID: pc, DNSName: "pc", Managed: state.Created})
	p := l.plan()
	l.w.address("10.8.4.33").DNSName = "renamed meanwhile"
	if err := l.w.apply(p); err == nil {
		t.Error("deleted although it was changed since the plan")
	}
	l.w.address("10.8.4.33").DNSName = "pc"
	l.w.address("10.8.4.33").InUse = "assigned to an interface"
	if err := l.w.apply(p); err == nil {
		t.Error("deleted although it was assigned since the plan")
	}
}

func TestAnAddressInUseIsReportedInsteadOfDeleted(t *testing.T) { // rule 3.7 guard e
	l := newLab(t).trust()
	l.add(state.Address{Status: "dhcp", Managed: state.Created, InUse: "assigned to an interface"})
	p := l.run()
	wantSteps(t, p, onAddresses)
	wantNote(t, p, plan.Conflict, "3.7 guard e", "assigned to an interface")
	l.p.KeepAssigned = false
	p = l.plan()
	wantSteps(t, p, onAddresses, "delete 10.8.4.33/24 [3.7 delete]")
}

// rule 3.7, 9 row 45.
func TestScopeCleanup(t *testing.T) {
	two := func(t *testing.T) *lab {
		l := newLab(t)
		l.w.server(dh1).addScope("10.8.6.0/24", "10.8.6.20", "10.8.6.250")
		l.importAll()
		return l
	}
	drop := func(l *lab) { delete(l.w.server(dh1).scopes, l.scope.ID()) }
	gone := "delete scope 10.8.4.0/24 of dh1.corp.example (net 10.8.4.0/24) [3.7 scope cleanup]"
	t.Run("3.7 scope cleanup: the record goes, prefix and addresses stay", func(t *testing.T) {
		l := two(t)
		l.add(state.Address{Status: "dhcp", Managed: state.Created})
		drop(l)
		p := l.runLater()
		wantSteps(t, p, onRanges, gone)
		wantNote(t, p, plan.Warning, "3.7", "NetBox keeps 1 address with its statuses as orphans")
		if len(l.w.nb.Prefixes) != 2 || l.w.address("10.8.4.33") == nil || l.w.nb.Prefixes[0].Scopes != "" {
			t.Errorf("left: %+v", l.w.nb.Prefixes)
		}
	})
	for name, change := range map[string]func(*lab){
		"3.7 scope cleanup: not in maintenance":                                     func(l *lab) { l.p.MaintenanceScopes = []netip.Prefix{l.scope.Subnet} },
		"3.7 scope cleanup: not of a server whose standalone scopes are not synced": func(l *lab) { l.p.Servers[0].Standalone = false },
		"3.7 scope cleanup: not in a run for other scopes": func(l *lab) {
			l.p.OnlyScopes = []netip.Prefix{netip.MustParsePrefix("10.8.6.0/24")}
		},
		"3.7 scope cleanup: not from a list with an entry that cannot be understood": func(l *lab) { l.w.server(dh1).malformed = true },
		"3.8 scope list fails: nothing of the server is changed":                     func(l *lab) { l.w.server(dh1).down = true },
		"3.7 scope cleanup: not of a server that is not part of this run":            func(l *lab) { l.p.Servers[0].Selected = false },
		"3.7 scope cleanup: not of a server an override switched off":                func(l *lab) { l.p.Servers[0].Disabled = true },
		"3.7 scope cleanup: not of a server that is not configured any more":         func(l *lab) { l.p.Servers = defaults(dh2).Servers },
	} {
		t.Run(name, func(t *testing.T) {
			l := two(t)
			drop(l)
			change(l)
			wantSteps(t, l.runLater(), anyStep)
		})
	}
	t.Run("3.7 guard c: an empty list of scopes is not believed", func(t *testing.T) {
		l := newLab(t)
		drop(l)
		p := l.run()
		wantSteps(t, p, anyStep)
		if !p.Refused() {
			t.Error("not refused")
		}
		l.p.AllowDeletes = true
		wantSteps(t, l.run(), onRanges, gone)
	})
	t.Run("3.2 active_scopes_only: an inactive scope does not count as missing", func(t *testing.T) {
		l := two(t)
		l.p.ActiveScopesOnly = true
		l.scope.State = "Inactive"
		l.add(state.Address{Status: "dhcp"})
		wantSteps(t, l.runLater(), anyStep)
	})
}

func TestOnlyTheActingPrimaryRemovesAScopeOfARelationship(t *testing.T) { // rule 3.7 scope cleanup
	l := paired(t)
	delete(l.w.server(dh2).scopes, l.scope.ID())
	l.w.server(dh2).addScope("10.9.9.0/24", "10.9.9.1", "10.9.9.9")
	wantSteps(t, l.runLater(), onRanges)
	l = paired(t)
	l.w.server(dh1).addScope("10.9.9.0/24", "10.9.9.1", "10.9.9.9")
	delete(l.w.server(dh1).scopes, l.scope.ID())
	delete(l.w.server(dh2).scopes, l.scope.ID())
	wantSteps(t, l.runLater(), onRanges, "delete scope 10.8.4.0/24 of failover east (net 10.8.4.0/24) [3.7 scope cleanup]")
}

// rule 3.8, as far as a plan can show it (rule 9 row 46).
func TestFailures(t *testing.T) {
	prepared := func(t *testing.T) *lab {
		l := newLab(t)
		l.scope.exclusions = []windhcp.Exclusion{span("10.8.4.30", "10.8.4.39")}
		l.scope.options = []windhcp.Option{{Code: 6, Values: []string{"10.1.1.1"}}}
		l.run()
		l.scope.lease("10.8.4.50", pc, "pc")
		l.scope.reserve("10.8.4.51", mfp, "mfp")
		l.add(state.Address{Status: "dhcp"})
		l.add(state.Address{Address: netip.MustParsePrefix("10.8.4.52/24"), Status: "reserved", ClientID: cam})
		l.scope.Name, l.scope.exclusions, l.scope.options = "renamed", []windhcp.Exclusion{span("10.8.4.70", "10.8.4.79")}, nil
		return l
	}
	for name, fail := range map[string]func(*wscope){
		"3.8 leases fail: no address is touched, attributes and exclusions are":       func(s *wscope) { s.leasesFail = true },
		"3.8 reservations fail: no address is touched, attributes and exclusions are": func(s *wscope) { s.reservationsFail = true },
	} {
		t.Run(name, func(t *testing.T) {
			l := prepared(t)
			fail(l.scope)
			p := l.run()
			wantSteps(t, p, onAddresses)
			if r := l.w.nb.Ranges[0]; !p.Failed() || r.ScopeName != "renamed" || string(r.Exclusions) != `[{"start":"10.8.4.70","end":"10.8.4.79"}]` {
				t.Errorf("failed %t, %+v", p.Failed(), r)
			}
		})
	}
	t.Run("3.8 reservations fail: none is pushed from a missing list", func(t *testing.T) {
		l := prepared(t)
		l.p.PushReservations, l.scope.reservationsFail = true, true
		wantSteps(t, l.run(), onServers)
	})
	t.Run("3.8 exclusions and options fail: the recorded ones are kept", func(t *testing.T) {
		l := prepared(t)
		l.scope.exclusionsFail, l.scope.optionsFail = true, true
		p := l.run()
		if r := l.w.nb.Ranges[0]; !p.Failed() || string(r.Exclusions) != `[{"start":"10.8.4.30","end":"10.8.4.39"}]` || r.Options == nil || r.ScopeName != "renamed" {
			t.Errorf("failed %t, %+v", p.Failed(), r)
		}
	})
	t.Run("3.8 exclusions fail: none is pushed", func(t *testing.T) {
		l := prepared(t)
		l.p.PushScopeInfo, l.scope.exclusionsFail = true, true
		for _, s := range l.plan().Steps {
			if s.Kind == plan.WindowsExclusion {
				t.Errorf("%s %s", s.Action, s.Name)
			}
		}
	})
	t.Run("3.8 scope list fails: other servers continue", func(t *testing.T) {
		l := prepared(t)
		l.p.Servers = append(l.p.Servers, defaults(dh2).Servers...)
		l.w.server(dh2).addScope("10.9.9.0/24", "10.9.9.1", "10.9.9.99")
		l.importAll()
		l.w.server(dh2).scopes[netip.MustParseAddr("10.9.9.0")].lease("10.9.9.9", pc, "pc")
		l.w.server(dh1).down = true
		p := l.run()
		wantSteps(t, p, func(s plan.Step) bool { return s.Rule != "8" }, "create 10.9.9.9/24 [3.5 row 4]")
		wantNote(t, p, plan.Failure, "3.8", "nothing of this server is changed")
	})
}
