package decide

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// bothHave is a lab whose NetBox and server both have the reservation of 10.8.4.33,
// and whose mirror remembers the object; push.delete_removed is on.
func bothHave(t *testing.T) *lab {
	l := pushLab(t)
	l.p.DeleteRemoved = true
	l.run() // it is pushed
	l.run() // its object is seen
	return l
}

// removed is bothHave after an operator deleted the address.
func removed(t *testing.T) *lab {
	l := bothHave(t)
	l.w.remove(0)
	return l
}

const withdrawn = "delete reservation 10.8.4.33 [5.4]"

func TestRemovedReservations(t *testing.T) { // rule 5.4
	t.Run("5.4 a deletion in NetBox is carried out on the server by a run an hour later", func(t *testing.T) {
		l := removed(t)
		p := l.run()
		wantSteps(t, p, anyStep) // neither deleted, nor made anew in NetBox
		wantNote(t, p, plan.Info, "5.4", "1 reservation was deleted in NetBox")
		if p.Refused() || p.Failed() {
			t.Error("waiting is no trouble")
		}
		wantSteps(t, l.run(), anyStep)
		l.w.hoursLater(1)
		p = l.run()
		wantSteps(t, p, anyStep, withdrawn)
		if p.Steps[0].Record != l.w.log[0].Record {
			t.Errorf("the step names record %d, not %d", p.Steps[0].Record, l.w.log[0].Record)
		}
		// A Windows administrator makes it again: the mirror leaves it.
		l.scope.reserve("10.8.4.33", pc, "plc-1")
		wantSteps(t, l.run(), anyStep, "create 10.8.4.33/24 [3.5 row 3]")
	})
	t.Run("5.4 off: it comes back to NetBox", func(t *testing.T) {
		l := removed(t)
		l.p.DeleteRemoved = false
		wantSteps(t, l.run(), anyStep, "create 10.8.4.33/24 [3.5 row 3]")
	})
	t.Run("5.4 an operator who makes it again keeps it", func(t *testing.T) {
		l := removed(t)
		l.run()
		l.add(state.Address{Status: "reserved", ClientID: pc, DNSName: "plc-1", Description: "press"})
		l.w.hoursLater(2)
		wantSteps(t, l.run(), anyStep)
		l.w.hoursLater(2)
		wantSteps(t, l.run(), anyStep)
	})
	t.Run("5.4 while its client leases it, it waits like any other, and then is a lease", func(t *testing.T) {
		l := removed(t)
		l.scope.lease("10.8.4.33", pc, "plc-1")
		wantSteps(t, l.run(), anyStep)
		l.w.hoursLater(1)
		wantSteps(t, l.run(), anyStep, "create 10.8.4.33/24 [3.5 row 4]", withdrawn)
	})
	t.Run("5.4 what was removed on both sides is forgotten", func(t *testing.T) {
		l := removed(t)
		l.scope.reservations = nil
		l.run()
		l.scope.reserve("10.8.4.33", pc, "plc-1")
		l.w.hoursLater(1)
		wantSteps(t, l.run(), anyStep, "create 10.8.4.33/24 [3.5 row 3]")
	})
	t.Run("5.4 while the change log cannot be read it goes on waiting", func(t *testing.T) {
		l := removed(t)
		l.run()
		l.w.logFails = true
		l.w.hoursLater(1)
		wantSteps(t, l.run(), anyStep)
		l.w.logFails = false
		wantSteps(t, l.run(), anyStep, withdrawn)
	})
	t.Run("5.2 one the mirror never saw in NetBox stays", func(t *testing.T) {
		l := bothHave(t)
		l.scope.reserve("10.8.4.40", mfp, "x")
		wantSteps(t, l.run(), anyStep, "create 10.8.4.40/24 [3.5 row 3]")
	})
}

// rule 5.4: absence, and a record that proves too little, delete nothing on a server,
// not in the run that notices it and not later.
func TestAbsenceIsNoDeletion(t *testing.T) {
	hide := func(l *lab) { l.w.nb.Addresses = slices.Delete(l.w.nb.Addresses, 0, 1) }
	record := func(change func(*state.Deletion)) func(*lab) {
		return func(l *lab) {
			l.w.remove(0)
			change(&l.w.log[0])
		}
	}
	for _, c := range []struct {
		name   string
		change func(*lab)
		level  plan.Level
		note   string
	}{
		{"hidden, restored, or aged out of the log: no record", hide, plan.Warning, "no record of its deletion"},
		{"the token may not read the log", func(l *lab) { l.w.remove(0); l.w.logFails = true }, plan.Warning, "cannot be read"},
		{"the mirror deleted it", record(func(d *state.Deletion) { d.Message = "netbox-dhcp-sync 5kq2: the lease is over (3.7 delete)" }), plan.Warning, "a mirror that deleted it"},
		{"a record from before the mirror saw it last", record(func(d *state.Deletion) { d.Record = 1 }), plan.Warning, "no record of its deletion"},
		{"another address had the id", record(func(d *state.Deletion) { d.Address.Address = netip.MustParsePrefix("10.8.4.34/24") }), plan.Warning, "was another"},
		{"another VRF", record(func(d *state.Deletion) { d.Address.VRF = 7 }), plan.Warning, "was another"},
		{"another client id", record(func(d *state.Deletion) { d.Address.ClientID = mfp }), plan.Warning, "was another"},
		{"no client id", record(func(d *state.Deletion) { d.Address.ClientID = "" }), plan.Warning, "was another"},
		{"moved to another VRF", func(l *lab) { l.w.nb.Addresses[0].VRF = 7 }, plan.Conflict, "a move is no deletion"},
		{"moved to another address", func(l *lab) { l.w.nb.Addresses[0].Address = netip.MustParsePrefix("10.8.4.34/24") }, plan.Conflict, "a move is no deletion"},
		{"the status was renamed", func(l *lab) { l.w.nb.Addresses[0].Status = "deprecated" }, "", ""},
		{"another client on the server meanwhile", func(l *lab) { l.w.remove(0); l.scope.reservations[0].ClientID = mfp }, "", ""},
		{"a memory of a version before, without objects", func(l *lab) {
			l.w.remove(0)
			var old plan.Memory
			if err := json.Unmarshal([]byte(fmt.Sprintf(`{"pushed":{"10.8.4.33 %s":%q}}`, dh1, pc)), &old); err != nil || old.Pushed[plan.PushedKey{Server: dh1, Addr: netip.MustParseAddr("10.8.4.33")}].ClientID != pc {
				l.Fatalf("read %+v, %v", old.Pushed, err)
			}
			l.w.memory.Pushed = old.Pushed
		}, "", ""},
		{"no memory", func(l *lab) { l.w.remove(0); l.w.memory = plan.Memory{} }, "", ""},
		{"deleted while the mode was off", func(l *lab) {
			l.p.DeleteRemoved, l.p.PushReservations, l.p.SyncIPs = false, false, false
			l.run()
			l.w.remove(0)
			l.run()
			l.p.DeleteRemoved, l.p.PushReservations, l.p.SyncIPs = true, true, true
		}, plan.Warning, "switched on"},
		{"NetBox was restored", func(l *lab) { l.w.remove(0); l.w.restored = true }, plan.Guard, "NetBox was restored"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := bothHave(t)
			c.change(l)
			p := l.run()
			if c.note != "" && !slices.ContainsFunc(p.Notes, func(n plan.Note) bool { return n.Level == c.level && strings.Contains(n.Text, c.note) }) {
				t.Errorf("no %s ...%s...\n%s", c.level, c.note, describe(p))
			}
			for range 3 {
				for _, s := range p.Steps {
					if s.Target != plan.NetBox && s.Action == state.Delete {
						t.Fatalf("deleted on the server\n%s", describe(p))
					}
				}
				l.w.hoursLater(2)
				p = l.run()
			}
			if len(l.scope.reservations) == 0 {
				t.Error("the reservation is gone from the server")
			}
		})
	}
}

// rules 5.4 and 3.7 guard l: after the operator's word deletes go on, but none of
// what was missing then.
func TestARestoreHoldsDeletesBackUntilTheOperatorsWord(t *testing.T) {
	l := bothHave(t)
	l.w.restored = true
	p := l.run()
	if !p.Refused() {
		t.Errorf("a restore is no reason to act?\n%s", describe(p))
	}
	wantNote(t, p, plan.Guard, "3.7 guard l", "bootstrap --same-netbox")
	l.w.restored = false // the word: the newest record of now is remembered
	l.w.remove(0)
	l.run()
	l.w.hoursLater(1)
	wantSteps(t, l.run(), anyStep, withdrawn)
}

// rules 5.4 and 3.7 guard l: an import knows nothing of deletes on servers, so it
// neither ends a wait nor hides that NetBox was restored.
func TestAnImportInBetweenChangesNoDeleteOnAServer(t *testing.T) {
	t.Run("5.4 a deletion that waits goes on waiting", func(t *testing.T) {
		l := removed(t)
		l.run()
		l.importAll()
		l.w.hoursLater(1)
		wantSteps(t, l.run(), anyStep, withdrawn)
	})
	t.Run("5.4 one that was seen by nothing yet counts too", func(t *testing.T) {
		l := removed(t)
		l.importAll()
		wantSteps(t, l.run(), anyStep)
		l.w.hoursLater(1)
		wantSteps(t, l.run(), anyStep, withdrawn)
	})
	t.Run("3.7 guard l a restore before it holds all deletes back", func(t *testing.T) {
		l := bothHave(t)
		l.w.restored = true
		l.importAll()
		p := l.run()
		wantNote(t, p, plan.Guard, "3.7 guard l", "NetBox was restored")
		if !p.Refused() {
			t.Error("a restore is no reason to act")
		}
	})
}

// rule 3.7 guard c holds for reservations on servers too: for a scope, a server and a
// run, however small the scopes are. What is held back is not made anew in NetBox.
func TestManyRemovedReservationsAreHeldBack(t *testing.T) {
	for _, c := range []struct{ scopes, each, servers int }{{1, 30, 1}, {10, 20, 1}, {40, 2, 2}, {4, 10, 4}} {
		t.Run(fmt.Sprintf("%d scopes of %d on %d servers", c.scopes, c.each, c.servers), func(t *testing.T) {
			l := &lab{T: t, w: newWorld()}
			var hosts []string
			for i := range c.servers {
				hosts = append(hosts, fmt.Sprintf("dh%d.corp.example", i+1))
			}
			l.p = defaults(hosts...)
			l.p.PushReservations, l.p.DeleteRemoved = true, true
			for i := range c.scopes {
				net := func(last int) string { return fmt.Sprintf("10.9.%d.%d", i, last) }
				scope := l.w.server(hosts[i%c.servers]).addScope(net(0)+"/24", net(20), net(250))
				for j := range c.each {
					scope.reserve(net(30+j), fmt.Sprintf("00-00-5e-00-%02x-%02x", i, j), "x")
				}
			}
			l.importAll()
			l.run()
			l.run()
			for len(l.w.nb.Addresses) > 0 {
				l.w.remove(0)
			}
			l.run()
			l.w.hoursLater(1)
			p := l.run()
			wantSteps(t, p, anyStep)
			wantNote(t, p, plan.Guard, "5.2", "nothing is deleted here")
			for i := range 20 { // what is made meanwhile makes the loss look small
				for j := range 2 * c.each {
					net := func(last int) string { return fmt.Sprintf("10.10.%d.%d", i, last) }
					scope := l.w.server(hosts[i%c.servers]).scopes[netip.MustParseAddr(net(0))]
					if scope == nil {
						scope = l.w.server(hosts[i%c.servers]).addScope(net(0)+"/24", net(20), net(250))
					}
					scope.reserve(net(30+j), fmt.Sprintf("00-00-5e-01-%02x-%02x", i, j), "y")
				}
			}
			for id, scope := range l.w.server(hosts[0]).scopes {
				if id.As4()[1] == 9 {
					for j := range 2 * c.each {
						scope.reserve(netip.AddrFrom4([4]byte{10, 9, id.As4()[2], byte(130 + j)}).String(), fmt.Sprintf("00-00-5e-02-%02x-%02x", id.As4()[2], j), "z")
					}
				}
			}
			l.p.AutoImport = true
			for range 2 {
				p = l.run()
				wantSteps(t, p, func(s plan.Step) bool { return onServers(s) && s.Action == state.Delete })
				if !p.Refused() {
					t.Error("what was held back is told no more")
				}
			}
			l.p.AllowDeletes = true
			if n := l.run().Count(hosts[0], state.Delete); n != c.scopes*c.each/c.servers {
				t.Errorf("%d deleted on %s after --allow-deletes", n, hosts[0])
			}
		})
	}
}

// rule 5.4: the hour counts by the mirror's clock and by NetBox's. One that jumps, or
// was wrong when the deletion was seen, ends no wait, and a memory without NetBox's
// time waits anew.
func TestOneWrongClockDeletesNothingOnAServer(t *testing.T) {
	known := plan.PushedKey{Server: dh1, Addr: netip.MustParseAddr("10.8.4.33")}
	for _, c := range []struct {
		name   string
		before time.Duration // how far the mirror's clock is ahead when it sees the deletion
		after  time.Duration // and later
		hours  int           // that pass by the other clocks
		forget func(*plan.Pushed)
		goes   bool
	}{
		{"both right", 0, 0, 1, nil, true},
		{"it jumps ahead", 0, 400 * 24 * time.Hour, 0, nil, false},
		{"it jumps back", 0, -2 * time.Hour, 2, nil, false},
		{"it was ahead and is right again", 400 * 24 * time.Hour, 0, 2, nil, false},
		{"ahead all the time", 400 * 24 * time.Hour, 400 * 24 * time.Hour, 1, nil, true},
		{"a memory of before, without NetBox's time", 0, 0, 2, func(p *plan.Pushed) { p.Dated = time.Time{} }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := removed(t)
			l.w.fast = c.before
			wantSteps(t, l.run(), anyStep)
			if remembered := l.w.memory.Pushed[known]; c.forget != nil {
				c.forget(&remembered)
				l.w.memory.Pushed[known] = remembered
			}
			l.w.fast = c.after
			l.w.hoursLater(c.hours)
			if c.goes {
				wantSteps(t, l.run(), anyStep, withdrawn)
				return
			}
			wantSteps(t, l.run(), anyStep)
			l.w.hoursLater(3) // by both clocks
			wantSteps(t, l.run(), anyStep, withdrawn)
		})
	}
}

// rule 5.4: where NetBox does not tell the time nothing is deleted on a server.
func TestWithoutTheTimeOfNetBoxNothingIsDeletedOnAServer(t *testing.T) {
	l := removed(t)
	for range 3 {
		in := l.w.read(l.p)
		in.NetBox.Date = time.Time{}
		p := Build(in)
		wantSteps(t, p, anyStep)
		l.w.memory = p.Memory
		l.w.hoursLater(2)
	}
}
