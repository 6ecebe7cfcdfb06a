package decide

import (
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// hidden makes a server's relationships unreadable: a script that cannot read them
// names none with its scopes.
func (l *lab) hidden(host string) {
	m := l.w.server(host)
	m.failoversFail = true
	for _, s := range m.scopes {
		s.Failover = ""
	}
}

// Rule 3.8 point 1: not knowing who a scope belongs to changes nothing.
func TestRelationshipsThatCannotBeReadChangeNothing(t *testing.T) {
	off := func(l *lab) { l.p.Failovers = map[string]plan.Failover{"east": {Disabled: true}} }
	for _, c := range []struct {
		name   string
		change func(*lab)
		say    string
	}{
		{"3.8 point 1: the primary's list fails", func(l *lab) { l.hidden(dh1) }, "could not be read"},
		{"3.8 point 1: both lists fail", func(l *lab) { l.hidden(dh1); l.hidden(dh2) }, "could not be read"},
		{"3.8 point 1: the list fails and the relationship is switched off in the settings", func(l *lab) { off(l); l.hidden(dh1) }, "could not be read"},
		{"3.8 point 1: the list fails and the relationship is switched off in NetBox", func(l *lab) {
			l.context("windows-dhcp failover east").Active = false
			l.hidden(dh1)
		}, "could not be read"},
		{"3.8 point 1: an entry of the list cannot be understood", func(l *lab) {
			l.hidden(dh1)
			l.w.server(dh1).failoversFail, l.w.server(dh1).failovers, l.w.server(dh1).failoversMalformed = false, nil, true
		}, "could not be read"},
		{"3.8 point 1: the list is empty, and the partner still has the relationship", func(l *lab) {
			l.hidden(dh1)
			l.w.server(dh1).failoversFail, l.w.server(dh1).failovers = false, nil
		}, "its partner dh2.corp.example still does"},
		{"3.8 point 1: the list is empty, and the partner does not answer", func(l *lab) {
			l.hidden(dh1)
			l.w.server(dh1).failoversFail, l.w.server(dh1).failovers = false, nil
			l.w.server(dh2).down = true
		}, "could not be asked"},
	} {
		for _, imports := range []bool{false, true} {
			name := c.name
			if imports {
				name += ", with auto_import"
			}
			t.Run(name, func(t *testing.T) {
				l := paired(t)
				l.scope.lease("10.8.4.40", pc, "pc")
				l.twin().lease("10.8.4.40", pc, "pc")
				l.run()
				l.scope.leases, l.twin().leases = nil, nil
				l.p.AutoImport = imports
				c.change(l)
				p := l.run()
				wantSteps(t, p, anyStep)
				wantNote(t, p, plan.Failure, "3.8 point 1", c.say)
				if !p.Failed() {
					t.Error("not an error")
				}
			})
		}
	}
}

// Rule 3.8 point 1, for what is the server's own.
func TestWithoutItsRelationshipsAServerIsFollowedAndLosesNothing(t *testing.T) {
	l := paired(t)
	own := l.w.server(dh1).addScope("10.8.6.0/24", "10.8.6.20", "10.8.6.250")
	gone := l.w.server(dh1).addScope("10.8.7.0/24", "10.8.7.20", "10.8.7.250")
	own.lease("10.8.6.40", pc, "pc")
	l.importAll()
	l.run()
	l.hidden(dh1)
	own.leases = nil
	own.lease("10.8.6.41", cam, "cam")
	delete(l.w.server(dh1).scopes, gone.ID())
	p := l.run()
	wantSteps(t, p, anyStep, "create 10.8.6.41/24 [3.5 row 4]")
	wantNote(t, p, plan.Warning, "3.7", "could not be read")
	l.w.server(dh1).failoversFail = false
	l.scope.Failover = "east"
	deletes := func(s plan.Step) bool { return s.Action == state.Delete }
	wantSteps(t, l.run(), deletes, "delete 10.8.6.40/24 [3.7 delete]")
	wantSteps(t, l.after(2*time.Hour), deletes, "delete scope 10.8.7.0/24 of dh1.corp.example (net 10.8.7.0/24) [3.7 scope cleanup]")
}

// Rule 3.8 point 1, for scopes that NetBox does not know yet.
func TestWithoutItsRelationshipsNoScopeOfAPartnerIsRecorded(t *testing.T) {
	l := paired(t)
	l.w.server(dh1).addScope("10.8.6.0/24", "10.8.6.20", "10.8.6.250")
	l.hidden(dh1)
	p := l.importAll()
	wantSteps(t, p, anyStep)
	wantNote(t, p, plan.Failure, "3.8 point 1", "not recorded")
}

// Rule 1.3: the list of relationships tells it where the scope does not.
func TestTheListOfRelationshipsTellsWhoseAScopeIs(t *testing.T) {
	l := paired(t)
	l.scope.lease("10.8.4.33", pc, "pc")
	l.scope.Failover = ""
	wantSteps(t, l.run(), anyStep, "create 10.8.4.33/24 [3.5 row 4]")
	if r := l.w.nb.Ranges[0]; r.Failover != "east" {
		t.Errorf("relinked: %+v", r)
	}
}
