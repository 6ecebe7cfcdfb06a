package decide

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// scopeGone is a lab with push.delete_scopes on, whose record of 10.8.4.0/24 an
// operator deleted. A second scope stays, so that no list is empty.
func scopeGone(t *testing.T) *lab {
	l := newLab(t)
	l.w.server(dh1).addScope("10.8.6.0/24", "10.8.6.20", "10.8.6.250")
	l.importAll()
	l.p.PushScopeInfo, l.p.DeleteScopes = true, true
	l.run()
	l.w.removeRange(0)
	return l
}

const (
	turned  = "update scope 10.8.4.0/24 of dh1.corp.example (net 10.8.4.0/24) [5.8]"
	dropped = "delete scope 10.8.4.0/24 of dh1.corp.example (net 10.8.4.0/24) [5.8]"
)

func TestAScopeDeletedInNetBoxLeavesItsServerInSteps(t *testing.T) { // rule 5.8
	l := scopeGone(t)
	p := l.run()
	wantSteps(t, p, onServers)
	wantNote(t, p, plan.Warning, "5.8", "is to be deactivated after")
	l.w.hoursLater(23)
	wantSteps(t, l.run(), onServers)
	l.w.hoursLater(1)
	p = l.run()
	wantSteps(t, p, onServers, turned)
	if l.scope.Active() {
		t.Error("the scope is active")
	}
	l.w.hoursLater(23)
	p = l.run()
	wantSteps(t, p, onServers)
	wantNote(t, p, plan.Warning, "5.8", "is to be deleted after")
	l.w.hoursLater(1)
	wantSteps(t, l.run(), onServers, dropped)
	l.run()
	if len(l.w.memory.Records) != 1 {
		t.Errorf("remembered: %v", l.w.memory.Records)
	}
}

// rule 5.8: what keeps a scope, however long it takes. Each is told.
func TestAScopeStaysOnItsServer(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*lab)
		level  plan.Level
		note   string
	}{
		{"the mode is off: a warning", func(l *lab) { l.p.DeleteScopes = false }, plan.Warning, "push.delete_scopes does it"},
		{"hidden or restored: no record", func(l *lab) { l.w.log = nil }, plan.Warning, "no record of its deletion"},
		{"a mirror deleted it", func(l *lab) { l.w.log[0].Message = "netbox-dhcp-sync 2c: gone" }, plan.Warning, "a mirror that deleted it"},
		{"another span", func(l *lab) { l.w.log[0].Range.Start = l.w.log[0].Range.Start.Next() }, plan.Warning, "another span or source"},
		{"another server's", func(l *lab) { l.w.log[0].Range.Server = dh2 }, plan.Warning, "another span or source"},
		{"another VRF", func(l *lab) { l.w.log[0].Range.VRF = 7 }, plan.Warning, "another span or source"},
		{"the log cannot be read", func(l *lab) { l.w.logFails = true }, plan.Warning, "cannot be read"},
		{"NetBox was restored", func(l *lab) { l.w.restored = true }, plan.Guard, "was restored"},
		{"another NetBox", func(l *lab) { l.w.homeContext().Data = Home{ID: "other", Keeper: here().Keeper}.Data() }, plan.Guard, "another one"},
		{"clients lease in it", func(l *lab) { l.scope.lease("10.8.4.33", pc, "pc") }, plan.Warning, "1 client leases"},
		{"its leases cannot be read", func(l *lab) { l.scope.leasesFail = true }, plan.Warning, "could not be read"},
		{"a script without the call", func(l *lab) { l.w.server(dh1).oldScript = true }, plan.Warning, "no call for it"},
		{"a brake", func(l *lab) { l.p.Servers[0].ReadOnly = true }, plan.Warning, "read_only"},
		{"another computer", func(l *lab) { l.w.server(dh1).computer, l.p.Servers[0].Computer = "OTHER", "DH1" }, plan.Guard, "answers under its name"},
		{"a server that wins", func(l *lab) { l.p.Servers[0].NoPush = true }, plan.Info, "not known to NetBox"},
		{"it joined a relationship", func(l *lab) { l.w.server(dh2); l.w.pair("east", dh1, dh2, "10.8.4.0") }, plan.Warning, "belongs to a relationship"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := scopeGone(t)
			c.change(l)
			told := false
			for range 4 {
				p := l.run()
				wantSteps(t, p, func(s plan.Step) bool { return onServers(s) && s.Scope == l.scope.Subnet })
				told = told || slices.ContainsFunc(p.Notes, func(n plan.Note) bool { return n.Level == c.level && strings.Contains(n.Text, c.note) })
				l.w.hoursLater(25)
			}
			if !told {
				t.Errorf("no %s ...%s...", c.level, c.note)
			}
			if !l.scope.Active() {
				t.Error("it was deactivated")
			}
		})
	}
}

// rule 5.8: a record that comes back in between ends it all, and wakes what the
// mirror deactivated, but nothing that people did.
func TestARecordThatComesBackKeepsItsScope(t *testing.T) {
	back := func(l *lab) {
		r := l.w.log[0].Range
		r.ID = l.w.id()
		l.w.nb.Ranges = append(l.w.nb.Ranges, r)
	}
	t.Run("before it was deactivated", func(t *testing.T) {
		l := scopeGone(t)
		l.run()
		back(l)
		for range 3 {
			l.w.hoursLater(25)
			wantSteps(t, l.run(), onServers)
		}
	})
	t.Run("after", func(t *testing.T) {
		l := scopeGone(t)
		l.run()
		l.w.hoursLater(25)
		wantSteps(t, l.run(), onServers, turned)
		back(l)
		wantSteps(t, l.run(), onServers, turned)
		if !l.scope.Active() {
			t.Error("still inactive")
		}
		l.w.hoursLater(50)
		wantSteps(t, l.run(), onServers)
	})
	t.Run("one that people deactivated is not woken", func(t *testing.T) {
		l := scopeGone(t)
		l.scope.State = "Inactive"
		l.run()
		back(l)
		wantSteps(t, l.run(), onServers)
		if l.scope.Active() {
			t.Error("the mirror activated what people had deactivated")
		}
	})
	t.Run("one that people activated again stays", func(t *testing.T) {
		l := scopeGone(t)
		l.run()
		l.w.hoursLater(25)
		l.run()
		l.scope.State = "Active"
		for range 3 {
			l.w.hoursLater(25)
			p := l.run()
			wantSteps(t, p, onServers)
			wantNote(t, p, plan.Warning, "5.8", "activated again on Windows")
		}
	})
}

// rule 5.8: the reservations of a scope are lost with it, within the limits only.
func TestAScopeWithManyReservationsIsHeldBack(t *testing.T) {
	l := scopeGone(t)
	l.p.MaxDeleteCount = 3
	for i, id := range []string{pc, mfp, cam, "00-00-5e-00-53-04"} {
		l.scope.reserve("10.8.4."+string(rune('3'+i))+"0", id, "x")
	}
	l.run()
	l.w.hoursLater(25)
	wantSteps(t, l.run(), onServers, turned)
	l.w.hoursLater(25)
	p := l.run()
	wantSteps(t, p, onServers)
	wantNote(t, p, plan.Guard, "5.8", "with its 4 reservations")
	l.p.AllowDeletes = true
	wantSteps(t, l.run(), onServers, dropped)
}

// scopesGone is a lab with scopes on servers, and reservations in each. Records of the
// first scopes are deleted, and the scopes are deactivated and due.
func scopesGone(t *testing.T, servers, each, reservations, gone int) *lab {
	l := &lab{T: t, w: newWorld()}
	var hosts []string
	for i := range servers {
		hosts = append(hosts, fmt.Sprintf("dh%d.corp.example", i+1))
	}
	l.p = defaults(hosts...)
	for i := range servers * each {
		scope := l.w.server(hosts[i%servers]).addScope(fmt.Sprintf("10.9.%d.0/24", i), fmt.Sprintf("10.9.%d.20", i), fmt.Sprintf("10.9.%d.250", i))
		for j := range reservations {
			scope.reserve(fmt.Sprintf("10.9.%d.%d", i, 30+j), fmt.Sprintf("00-00-5e-00-%02x-%02x", i, j), "x")
		}
	}
	l.importAll()
	l.p.PushScopeInfo, l.p.DeleteScopes, l.p.PushReservations, l.p.DeleteRemoved = true, true, true, true
	l.run()
	l.run()
	for range gone {
		l.w.removeRange(slices.IndexFunc(l.w.nb.Ranges, func(r state.Range) bool { return r.Role == state.RoleScope }))
	}
	l.run()
	l.w.hoursLater(25)
	l.run()
	return l
}

// recordMore records scopes of dh1 that the server gets, with three reservations each.
func (l *lab) recordMore(n int) {
	l.Helper()
	for i := range n {
		l.w.addPrefix(fmt.Sprintf("10.10.%d.0/24", i), 0)
		l.w.nb.Ranges = append(l.w.nb.Ranges, state.Range{ID: l.w.id(), Start: netip.AddrFrom4([4]byte{10, 10, byte(i), 20}), End: netip.AddrFrom4([4]byte{10, 10, byte(i), 99}),
			Bits: 24, Role: state.RoleScope, Server: dh1, ScopeName: "more", ScopeState: "Active", LeaseSeconds: 3600})
	}
	if err := l.w.apply(l.plan()); err != nil {
		l.Fatal(err)
	}
	for id, scope := range l.w.server(dh1).scopes {
		for j := range 3 {
			if a := id.As4(); a[1] == 10 {
				scope.reserve(netip.AddrFrom4([4]byte{10, 10, a[2], byte(30 + j)}).String(), fmt.Sprintf("00-00-5e-01-%02x-%02x", a[2], j), "y")
			}
		}
	}
	l.run()
}

// dropsScopes counts the scopes that a plan deletes on servers.
func dropsScopes(p *plan.Plan) (n int) {
	for _, s := range p.Steps {
		if s.Kind == plan.WindowsScope && s.Action == state.Delete {
			n++
		}
	}
	return n
}

// rules 5.8 and 3.7 guard c: scopes, and the reservations that are lost with them, count
// for their server and the run too. What was held back once stays so.
func TestManyScopesAreHeldBack(t *testing.T) {
	for _, c := range []struct {
		name                              string
		servers, each, reservations, gone int
		held                              bool
		note                              string
	}{
		{"three of six", 1, 6, 0, 3, false, ""},
		{"four of eight: no more than half", 1, 8, 0, 4, false, ""},
		{"four of six on a server", 1, 6, 0, 4, true, "4 of 6 on dh1.corp.example"},
		{"forty of three reservations", 1, 41, 3, 40, true, "120 of 123 on dh1.corp.example"},
		{"three, with six of eight reservations of a server", 1, 4, 2, 3, true, "6 of 8 on dh1.corp.example"},
		{"one on each of four servers", 4, 1, 0, 4, true, "4 of 4 in this run"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := scopesGone(t, c.servers, c.each, c.reservations, c.gone)
			l.w.hoursLater(25)
			p := l.run()
			if !c.held {
				if dropsScopes(p) != c.gone {
					t.Errorf("not deleted\n%s", describe(p))
				}
				return
			}
			wantNote(t, p, plan.Guard, "5.8", c.note)
			l.recordMore(60) // what is made meanwhile makes the loss look small
			for _, p := range []*plan.Plan{p, l.run(), l.run()} {
				if !p.Refused() || dropsScopes(p) > 0 {
					t.Errorf("not held back\n%s", describe(p))
				}
			}
			l.p.AllowDeletes = true
			if p := l.run(); dropsScopes(p) != c.gone {
				t.Errorf("not deleted after --allow-deletes\n%s", describe(p))
			}
		})
	}
}

// rules 5.4, 5.8 and 3.7 guard c: reservations that are deleted by themselves and those
// that go with a scope are one loss of their server.
func TestReservationsOfScopesCountWithThoseDeletedAlone(t *testing.T) {
	l := scopesGone(t, 1, 2, 2, 1)
	for i := len(l.w.nb.Addresses) - 1; i >= 0; i-- {
		if l.w.nb.Addresses[i].Address.Addr().As4()[2] == 1 {
			l.w.remove(i)
		}
	}
	l.run()
	l.w.hoursLater(25)
	p := l.run()
	wantSteps(t, p, func(s plan.Step) bool { return onServers(s) && s.Action == state.Delete })
	wantNote(t, p, plan.Guard, "5.8", "4 of 4 on dh1.corp.example")
	wantNote(t, p, plan.Guard, "5.2", "4 of 4 on dh1.corp.example")
	l.p.AllowDeletes = true
	if p := l.run(); p.Count(dh1, state.Delete) != 3 {
		t.Errorf("not deleted after --allow-deletes\n%s", describe(p))
	}
}

// rule 5.8: an entry of another record has no record of its own in the change log.
func TestAnEntryOfAnotherRangeIsNoProof(t *testing.T) {
	l := newLab(t)
	l.p.Servers = append(l.p.Servers, defaults(dh2).Servers...)
	twin := l.w.server(dh2).addScope("10.8.4.0/24", "10.8.4.20", "10.8.4.250")
	l.importAll()
	l.p.PushScopeInfo, l.p.DeleteScopes = true, true
	l.run()
	i := slices.IndexFunc(l.w.nb.Ranges, func(r state.Range) bool { return len(r.OtherSources) > 0 })
	l.w.nb.Ranges[i].OtherSources = nil
	for range 4 {
		l.w.hoursLater(25)
		wantSteps(t, l.run(), onServers)
	}
	if !twin.Active() {
		t.Error("a scope was deactivated because an entry is gone")
	}
}

// rule 5.3: a scope that NetBox has as inactive hands nothing out when it is made.
func TestAnInactiveScopeIsMadeInactive(t *testing.T) {
	for _, old := range []bool{false, true} {
		l := scopeGone(t)
		r := l.w.log[0].Range
		r.ID, r.ScopeState = l.w.id(), "inactive"
		l.w.nb.Ranges = append(l.w.nb.Ranges, r)
		delete(l.w.server(dh1).scopes, l.scope.ID())
		l.w.server(dh1).oldScript = old
		p := Build(l.w.read(l.p))
		mustBeAllowed(l, &l.p, p)
		if err := l.w.apply(p); err != nil {
			t.Fatal(err)
		}
		made := l.w.server(dh1).scopes[l.scope.ID()]
		switch {
		case old:
			wantNote(t, p, plan.Conflict, "5.3", "not created")
			if made != nil {
				t.Error("made by a script that can make active scopes only")
			}
		case made == nil || made.Active():
			t.Errorf("made %+v", made)
		}
	}
}

// rule 5.8: both waits count by the mirror's clock and by NetBox's. One that jumps
// takes no step, and the next comes when both clocks say so.
func TestOneWrongClockTakesNoScopeOffItsServer(t *testing.T) {
	for _, jump := range []time.Duration{400 * 24 * time.Hour, -50 * time.Hour} {
		l := scopeGone(t)
		wantSteps(t, l.run(), onServers)
		for _, step := range []string{turned, dropped} {
			l.w.fast = jump
			for range 2 {
				l.w.hoursLater(1)
				wantSteps(t, l.run(), onServers)
			}
			l.w.fast = 0
			l.w.hoursLater(25)
			wantSteps(t, l.run(), onServers, step)
		}
	}
}

// rule 5.8: a scope that people activate and deactivate meanwhile is idle anew.
func TestAScopeIsDeletedOnlyAfterItWasInactiveAllTheTime(t *testing.T) {
	l := scopeGone(t)
	l.scope.State = "Inactive"
	l.run()
	l.w.hoursLater(12)
	l.scope.State = "Active"
	l.run()
	l.w.hoursLater(11)
	l.scope.State = "Inactive"
	for range 2 {
		l.run()
		l.w.hoursLater(12)
	}
	wantSteps(t, l.run(), onServers, dropped)
}
