package apply_test

import (
	"strings"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/netboxio"
)

// rule 5.6: a state goes to both servers of a relationship or to neither. What was
// done on one is taken back where the other does not follow.
func TestAStateIsTakenBackWhereThePartnerDoesNotFollow(t *testing.T) {
	put := psutest.Fault{Method: "PUT", Path: "scopes/10.8.4.0", Kind: psutest.Error500}
	for _, c := range []struct {
		name          string
		before        func(first, second *psutest.Server)
		first, second netboxio.Outcome
		say           string // of the first
		states        string // afterwards
	}{
		{"both follow", nil, netboxio.Done, netboxio.Done, "", "InActive InActive"},
		{"the second has it", func(_, second *psutest.Server) {
			second.Edit(func(w *psutest.World) { w.Scope("10.8.4.0").State = "InActive" })
		}, netboxio.Done, netboxio.Unchanged, "", "InActive InActive"},
		{"the second refuses", func(_, second *psutest.Server) { second.Fail(put) }, netboxio.Failed, netboxio.Refused, "taken back, since its partner dh2.corp.example did not follow", "Active Active"},
		{"the second keeps its own", func(_, second *psutest.Server) {
			second.Configure(func(c *psutest.Config) { c.Script = "1.0.2" })
		}, netboxio.Failed, netboxio.Refused, "taken back", "Active Active"},
		{"the second does not answer", func(_, second *psutest.Server) { second.Fail(psutest.Fault{Kind: psutest.Error500}) }, netboxio.Failed, netboxio.Failed, "its partner dh2.corp.example does not answer", "Active Active"},
		{"the second does not have it", func(_, second *psutest.Server) { second.Edit(func(w *psutest.World) { w.Scopes = w.Scopes[1:] }) }, netboxio.Changed, netboxio.Changed, "no such scope", "Active"},
		{"the first refuses", func(first, _ *psutest.Server) { first.Fail(put) }, netboxio.Refused, netboxio.Failed, "500", "Active Active"},
		{"the first refuses to take it back", func(first, second *psutest.Server) {
			second.Fail(put)
			first.Fail(psutest.Fault{Method: "PUT", Path: "scopes/10.8.4.0", Kind: psutest.Error500, After: 1})
		}, netboxio.Failed, netboxio.Refused, "could not be taken back: make both the same on Windows", "InActive Active"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			second := psutest.New(t, psutest.Config{World: psutest.Example(dh2)})
			l.targets.Servers[dh2] = l.client(second, false)
			for host, s := range map[string]*psutest.Server{dh1: l.dh1, dh2: second} {
				s.Configure(func(c *psutest.Config) { c.Script = psutest.Own })
				if _, err := l.targets.Servers[host].Health(t.Context()); err != nil { // tells whose script it is
					t.Fatal(err)
				}
			}
			if c.before != nil {
				c.before(l.dh1, second)
			}
			one := adjust(change("state", "Active", "Inactive"))
			other := one
			one.With, other.Target, other.With = dh2, dh2, dh1
			got := l.run(one, other).Results
			if got[0].Outcome != c.first || got[1].Outcome != c.second || !strings.Contains(got[0].Error, c.say) {
				t.Errorf("%s (%s) and %s (%s), want %s (...%s...) and %s", got[0].Outcome, got[0].Error, got[1].Outcome, got[1].Error, c.first, c.say, c.second)
			}
			var states []string
			for _, s := range []*psutest.Server{l.dh1, second} {
				s.Edit(func(w *psutest.World) {
					if scope := w.Scope("10.8.4.0"); scope != nil {
						states = append(states, stateOf(scope))
					}
				})
			}
			if have := strings.Join(states, " "); have != c.states {
				t.Errorf("the scope is %s, want %s", have, c.states)
			}
		})
	}
}

func stateOf(s *psutest.Scope) string {
	if s.State == "" {
		return "Active"
	}
	return s.State
}
