package decide

import (
	"strings"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// rule 5.6: the state of a scope, three ways. Each side changes after both agreed;
// then one run, and another hours later, which tells nothing again.
func TestTheStateIsComparedThreeWays(t *testing.T) {
	for _, c := range []struct {
		name                   string
		base, netbox, server   string
		edit                   func(*lab)
		wantNetBox, wantServer string
		note                   string
	}{
		{"nothing changed", "Active", "Active", "Active", nil, "Active", "Active", ""},
		{"deactivated in NetBox", "Active", "Inactive", "Active", nil, "Inactive", "Inactive", ""},
		{"deactivated in NetBox, spelt as Windows does", "Active", "InActive", "Active", nil, "InActive", "Inactive", ""},
		{"deactivated on Windows", "Active", "Active", "InActive", nil, "InActive", "InActive", ""},
		{"deactivated on both", "Active", "Inactive", "InActive", nil, "Inactive", "InActive", ""},
		{"activated in NetBox: only with the setting", "Inactive", "Active", "Inactive", nil, "Active", "Inactive", "push.activate_scopes is off"},
		{"activated in NetBox, with the setting", "Inactive", "Active", "Inactive", func(l *lab) { l.p.ActivateScopes = true }, "Active", "Active", ""},
		{"activated on Windows", "Inactive", "Inactive", "Active", nil, "Active", "Active", ""},
		{"blanked in NetBox: a blank says nothing", "Active", "", "Active", nil, "Active", "Active", ""},
		{"a word that is no state", "Active", "Off", "Active", nil, "Off", "Active", "neither Active nor Inactive"},
		{"changed on both sides", "Active", "Off", "Inactive", nil, "Off", "Inactive", "changed on both sides"},
		{"a script without the call", "Active", "Inactive", "Active", func(l *lab) { l.w.server(dh1).oldScript = true }, "Inactive", "Active", "no call for it"},
		{"the relationships are not read", "Active", "Inactive", "Active", func(l *lab) { l.w.server(dh1).failoversFail = true }, "Inactive", "Active", "could not be read"},
		{"the server wins", "Active", "Inactive", "Active", func(l *lab) { l.p.Servers[0].NoPush = true }, "Active", "Active", ""},
		{"a brake", "Active", "Inactive", "Active", func(l *lab) { l.p.Servers[0].ReadOnly = true }, "Inactive", "Active", "1 change"},
		{"the memory is lost: the server's counts, and NetBox's is named", "Active", "Inactive", "Active", func(l *lab) { l.w.memory = plan.Memory{} }, "Active", "Active", "becomes Active, as the server has it, instead of Inactive"},
		{"the memory is lost, and both agree", "Active", "InActive", "InActive", func(l *lab) { l.w.memory = plan.Memory{} }, "InActive", "InActive", ""},
		{"the scope is not fit to be pushed", "Active", "Inactive", "Active", func(l *lab) { l.w.nb.Ranges[0].Router = "none" }, "Inactive", "Active", "is no IPv4 address"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			l.scope.State = c.base
			l.run()
			l.p.PushScopeInfo = true
			l.run()
			r := &l.w.nb.Ranges[0]
			r.ScopeState, l.scope.State = c.netbox, c.server
			if c.edit != nil {
				c.edit(l)
			}
			p := l.run()
			if r.ScopeState != c.wantNetBox || l.scope.State != c.wantServer {
				t.Errorf("NetBox has %s, want %s; the server has %s, want %s\n%s", r.ScopeState, c.wantNetBox, l.scope.State, c.wantServer, describe(p))
			}
			if c.note != "" && !strings.Contains(describe(p), c.note) {
				t.Errorf("not told: %s\n%s", c.note, describe(p))
			}
			l.w.hoursLater(3)
			p = l.run()
			wantSteps(t, p, onServers)
			if hasNote(p, plan.Warning, "5.6", "") || hasNote(p, plan.Conflict, "5.6", "") {
				t.Errorf("told again\n%s", describe(p))
			}
		})
	}
}

// rule 5.6: a scope that is woken and moved is woken first, since Windows takes another
// range for an active scope only; else it is woken last, with all it needs.
func TestAScopeIsWokenWhenItsRangeAndExclusionsAreRight(t *testing.T) {
	for _, c := range []struct {
		name string
		move bool
		want []string
	}{
		{"another exclusion", false, []string{"create exclusion 10.8.4.30-10.8.4.39 [5.3]", "update scope 10.8.4.0/24 of dh1.corp.example (net 10.8.4.0/24) [5.6]"}},
		{"another range too", true, []string{"update scope 10.8.4.0/24 of dh1.corp.example (net 10.8.4.0/24) [5.6]", "update scope 10.8.4.0/24 of dh1.corp.example (net 10.8.4.0/24) [5.3]", "create exclusion 10.8.4.30-10.8.4.39 [5.3]"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			l.scope.State = "Inactive"
			l.run()
			l.p.PushScopeInfo, l.p.ActivateScopes = true, true
			l.run()
			r := &l.w.nb.Ranges[0]
			r.ScopeState, r.Exclusions = "Active", exclusionsField(spansOf(t, "30-39"))
			if c.move {
				r.End = r.End.Prev()
			}
			wantSteps(t, l.run(), onServers, c.want...)
		})
	}
}

// rule 5.6: a state goes to both servers of a relationship or to neither.
func TestAStateGoesToBothPartnersOrToNeither(t *testing.T) {
	const one, two = "update scope 10.8.4.0/24 of failover east (net 10.8.4.0/24) [5.6]", "Inactive"
	for _, c := range []struct {
		name   string
		edit   func(l *lab, twin *wscope)
		steps  int
		note   string
		server string // state on both afterwards
	}{
		{"both can", nil, 2, "", two},
		{"the partner has it already", func(_ *lab, twin *wscope) { twin.State = "InActive" }, 1, "", two},
		{"the partner is not written to", func(l *lab, _ *wscope) { l.p.PushToPartner = false }, 0, "push.push_to_partner is off", "Active"},
		{"the partner does not answer", func(l *lab, _ *wscope) { l.w.server(dh2).down = true }, 0, "the partner did not show the scope", "Active"},
		{"the partner does not have the scope", func(l *lab, _ *wscope) { clear(l.w.server(dh2).scopes) }, 0, "the partner did not show the scope", "Active"},
		{"the partner has an old script", func(l *lab, _ *wscope) { l.w.server(dh2).oldScript = true }, 0, "the script of the partner", "Active"},
		{"the server has an old script", func(l *lab, _ *wscope) { l.w.server(dh1).oldScript = true }, 0, "no call for it", "Active"},
		{"the partner wins for itself", func(l *lab, _ *wscope) { l.p.Servers[1].NoPush = true }, 0, "is not pushed to", "Active"},
		{"a brake at the partner", func(l *lab, _ *wscope) { l.p.Servers[1].ReadOnly = true }, 0, "is not written to, since", "Active"},
		{"a brake at the server", func(l *lab, _ *wscope) { l.p.Servers[0].ReadOnly = true }, 0, "1 change", "Active"},
		{"a partner that may only read", func(l *lab, _ *wscope) { l.w.server(dh2).readsOnly = true }, 0, "may only read", "Active"},
		{"the partner is not part of the run", func(l *lab, _ *wscope) { l.p.Servers[1].Selected = false }, 0, "the partner did not show the scope", "Active"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			l.p = defaults(dh1, dh2)
			l.w.pair("east", dh1, dh2, "10.8.4.0")
			l.importAll()
			l.run()
			l.p.PushScopeInfo, l.p.PushToPartner = true, true
			l.run()
			twin := l.w.server(dh2).scopes[l.scope.ID()]
			l.w.nb.Ranges[0].ScopeState = "Inactive"
			if c.edit != nil {
				c.edit(l, twin)
			}
			p := l.run()
			want := make([]string, c.steps)
			for i := range want {
				want[i] = one
			}
			wantSteps(t, p, onServers, want...)
			for _, s := range p.Steps {
				if onServers(s) && (s.With != "") != (c.steps == 2) {
					t.Errorf("the step on %s goes together with %q", s.Target, s.With)
				}
			}
			if c.note != "" && !strings.Contains(describe(p), c.note) {
				t.Errorf("not told: %s\n%s", c.note, describe(p))
			}
			if l.scope.State != c.server || stateWord(twin.State) != c.server {
				t.Errorf("%s on the server and %s on the partner, want %s", l.scope.State, twin.State, c.server)
			}
			if l.w.nb.Ranges[0].ScopeState != "Inactive" {
				t.Errorf("NetBox's edit is %s now", l.w.nb.Ranges[0].ScopeState)
			}
		})
	}
}

// rules 5.6 and 3.8 point 25: a state that one partner once kept otherwise does not go to
// the other alone.
func TestAStateThatAPartnerKeptOtherwiseGoesToBoth(t *testing.T) {
	l := newLab(t)
	l.p = defaults(dh1, dh2)
	l.w.pair("east", dh1, dh2, "10.8.4.0")
	l.importAll()
	l.p.PushScopeInfo, l.p.PushToPartner = true, true
	l.run()
	l.w.nb.Ranges[0].ScopeState = "Inactive"
	l.w.memory.Answers = map[plan.AnswerKey]plan.Answer{
		{Server: dh2, Kind: plan.WindowsScope, Addr: l.scope.ID(), Field: "state"}: {Sent: "Inactive", Came: "Active"},
	}
	p := l.plan()
	if p.Count(dh1, state.Update) != 1 || p.Count(dh2, state.Update) != 1 {
		t.Errorf("the state goes to one partner alone\n%s", describe(p))
	}
}

// rule 5.6: partners that differ by themselves are told, and nothing is done.
func TestPartnersInDifferentStatesAreTold(t *testing.T) {
	l := newLab(t)
	l.p = defaults(dh1, dh2)
	l.w.pair("east", dh1, dh2, "10.8.4.0")
	l.importAll()
	l.p.PushScopeInfo, l.p.PushToPartner = true, true
	l.run()
	l.w.server(dh2).scopes[l.scope.ID()].State = "Inactive"
	p := l.run()
	wantSteps(t, p, onServers)
	wantNote(t, p, plan.Warning, "5.6", "make them the same on Windows")
	if p = l.run(); hasNote(p, plan.Warning, "5.6", "make them") {
		t.Errorf("told again\n%s", describe(p))
	}
}
