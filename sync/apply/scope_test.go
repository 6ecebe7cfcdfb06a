package apply_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/netboxio"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// rule 5.8: right before a scope is deactivated or deleted it is looked at again: a
// lease that came meanwhile keeps it, and so does anything that cannot be read.
func TestAScopeIsTakenOffItsServer(t *testing.T) {
	empty := func(w *psutest.World) { w.Scope("10.8.4.0").Leases = nil }
	idle := func(w *psutest.World) { empty(w); w.Scope("10.8.4.0").State = "Inactive" }
	turn := func(old, now string) plan.Step {
		s := adjust(change("state", old, now))
		s.Record = 7
		return s
	}
	drop := turn("Inactive", "")
	drop.Action, drop.Changes, drop.Observed = state.Delete, nil, []plan.Change{{Field: "state", Old: "Inactive"}}
	born := newScope("10.8.4.0/24", "10.8.4.20", "10.8.4.250", "", 3600)
	born.Changes = append(born.Changes, change("state", nil, "Inactive"))
	const put, del = "PUT scopes/10.8.4.0", "DELETE scopes/10.8.4.0"
	for _, c := range []struct {
		name    string
		before  func(*psutest.World)
		faults  []psutest.Fault
		step    plan.Step
		outcome netboxio.Outcome
		say     string
		writes  []string
		state   string // afterwards; empty: it is gone
	}{
		{name: "deactivated", before: empty, step: turn("Active", "Inactive"), outcome: netboxio.Done, writes: []string{put}, state: "Inactive"},
		{name: "made inactive", before: func(w *psutest.World) { w.Scopes = w.Scopes[1:] }, step: born, outcome: netboxio.Done, writes: []string{"POST scopes"}, state: "Inactive"},
		{name: "deactivated already", before: idle, step: turn("Active", "Inactive"), outcome: netboxio.Unchanged, state: "Inactive"},
		{name: "a lease came meanwhile", step: turn("Active", "Inactive"), outcome: netboxio.Changed, say: "is leased", state: "Active"},
		{name: "its leases cannot be read", before: empty, faults: []psutest.Fault{{Path: "leases", Method: "GET", Kind: psutest.HTML500}}, step: turn("Active", "Inactive"), outcome: netboxio.Failed, say: "500", state: "Active"},
		{name: "activated again", before: idle, step: turn("Inactive", "Active"), outcome: netboxio.Done, writes: []string{put}, state: "Active"},
		{name: "deleted", before: idle, step: drop, outcome: netboxio.Done, writes: []string{del}},
		{name: "deleted, and the answer is late", before: idle, faults: []psutest.Fault{{Method: "DELETE", Kind: psutest.Timeout504After, Times: 1}}, step: drop, outcome: netboxio.Done, writes: []string{del}},
		{name: "gone already", before: func(w *psutest.World) { w.Scopes = w.Scopes[1:] }, step: drop, outcome: netboxio.Unchanged},
		{name: "active again: not deleted", before: empty, step: drop, outcome: netboxio.Changed, say: "is active", state: "Active"},
		{name: "a lease in it: not deleted", before: func(w *psutest.World) { w.Scope("10.8.4.0").State = "Inactive" }, step: drop, outcome: netboxio.Changed, say: "is leased", state: "Inactive"},
		{name: "the list of leases is blank: not deleted", before: idle, faults: []psutest.Fault{{Path: "leases", Method: "GET", Kind: psutest.Blank200}}, step: drop, outcome: netboxio.Failed, say: "blank", state: "Inactive"},
		{name: "refused", before: idle, faults: []psutest.Fault{{Method: "DELETE", Kind: psutest.Error500}}, step: drop, outcome: netboxio.Refused, say: "500", writes: []string{del}, state: "Inactive"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			l.dh1.Configure(func(c *psutest.Config) { c.Script = psutest.Own })
			if _, err := l.targets.Servers[dh1].Health(t.Context()); err != nil { // tells whose script it is
				t.Fatal(err)
			}
			if c.before != nil {
				l.dh1.Edit(c.before)
			}
			for _, f := range c.faults {
				l.dh1.Fail(f)
			}
			l.one(c.step, c.outcome, c.say)
			l.wantWrites(c.writes...)
			l.dh1.Edit(func(w *psutest.World) {
				i := slices.IndexFunc(w.Scopes, func(s *psutest.Scope) bool { return s.ID == "10.8.4.0" })
				got := ""
				if i >= 0 {
					if got = w.Scopes[i].State; got == "" {
						got = "Active"
					}
				}
				if !strings.EqualFold(got, c.state) {
					t.Errorf("it is %q, want %q", got, c.state)
				}
			})
		})
	}
}
