package decide

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// rule 8, 9 row 38.
func TestLeaseStatusesNoScopeAccepts(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*lab, *state.Address)
		want   string // of the violation; empty: none
	}{
		{"8 a scope contains it", func(*lab, *state.Address) {}, ""},
		{"8 no scope contains it", func(_ *lab, x *state.Address) { x.Address = netip.MustParsePrefix("10.9.0.1/24") }, `status "dhcp" on 10.9.0.1: no DHCP scope contains it`},
		{"8 the scope is in another VRF", func(_ *lab, x *state.Address) { x.VRF = 7 }, "no DHCP scope contains it"},
		{"8 the first address of an exclusion", func(l *lab, _ *state.Address) {
			l.scope.exclusions = []windhcp.Exclusion{span("10.8.4.33", "10.8.4.39")}
		}, "it is in exclusion 10.8.4.33-10.8.4.39 of scope 10.8.4.0/24 of dh1.corp.example"},
		{"8 the last address of an exclusion", func(l *lab, _ *state.Address) {
			l.scope.exclusions = []windhcp.Exclusion{span("10.8.4.30", "10.8.4.33")}
		}, "it is in exclusion"},
		{"8 another scope of the prefix accepts it", func(l *lab, _ *state.Address) {
			l.scope.exclusions = []windhcp.Exclusion{span("10.8.4.30", "10.8.4.33")}
			l.w.nb.Ranges[0].OtherSources = json.RawMessage(`[{"server":"dh9","name":"x","start":"10.8.4.20","end":"10.8.4.250"}]`)
		}, ""},
		{"8 the reservation status is not looked at", func(_ *lab, x *state.Address) { x.VRF, x.Status = 7, "reserved" }, ""},
		{"8 the mirror's own are exempt", func(l *lab, x *state.Address) {
			l.scope.exclusions, x.Managed = []windhcp.Exclusion{span("10.8.4.30", "10.8.4.39")}, state.Created
		}, ""},
		{"8 but not where their scope is gone", func(_ *lab, x *state.Address) {
			x.Address, x.Managed = netip.MustParsePrefix("10.9.0.1/24"), state.Created
		}, "no DHCP scope contains it"},
		{"8 also if it was the last one", func(l *lab, x *state.Address) {
			x.Managed, l.w.nb.Ranges = state.Created, nil
			delete(l.w.server(dh1).scopes, l.scope.ID())
		}, "no DHCP scope contains it"},
		{"8 those of another DHCP server are passed over", func(l *lab, x *state.Address) {
			x.VRF, x.Tags, l.p.ExemptTags = 7, []string{"other"}, []string{"other"}
		}, ""},
		{"8 nothing is said before anything was imported", func(l *lab, x *state.Address) { x.VRF, l.w.nb.Ranges = 7, nil }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			l.p.SyncIPs = false
			l.add(state.Address{Status: "dhcp"})
			c.change(l, &l.w.nb.Addresses[0])
			p := l.run()
			got := ""
			if len(p.Violations) > 0 {
				got = p.Violations[0].Text
			}
			tagged := slices.Contains(l.w.nb.Addresses[0].Tags, state.TagInvalid)
			if !strings.Contains(got, c.want) || (got != "") != (c.want != "") || tagged != (c.want != "") || p.Failed() {
				t.Errorf("violation %q, tagged %t, failed %t", got, tagged, p.Failed())
			}
			place := plan.Place{VRF: l.w.nb.Addresses[0].VRF, Addr: l.w.nb.Addresses[0].Address.Addr()}
			in := l.w.read(l.p)
			if problem := NewRoster(&in).StatusProblem(place); l.w.nb.Addresses[0].Status == "dhcp" && (problem != "") != (c.want != "") || !strings.Contains(problem, c.want) {
				t.Errorf("validate says %q", problem)
			}
		})
	}
}

func TestAViolationIsToldOnceAndCured(t *testing.T) { // 8
	l := newLab(t)
	l.add(state.Address{Address: netip.MustParsePrefix("10.9.0.1/24"), Status: "dhcp", Tags: []string{"mine"}})
	journal := func(p *plan.Plan) (texts []string) {
		for _, s := range p.Steps {
			texts = append(texts, s.Journal)
		}
		return texts
	}
	if got := journal(l.run()); len(got) != 1 || got[0] == "" {
		t.Errorf("first: %q", got)
	}
	l.w.nb.Addresses[0].Tags = []string{"mine"}
	if got := journal(l.run()); len(got) != 1 || got[0] != "" {
		t.Errorf("again, after an operator took the tag off: %q", got)
	}
	l.w.nb.Addresses[0].Status = "active"
	p := l.run()
	wantSteps(t, p, anyStep, "update 10.9.0.1/24 [8]")
	if got := l.w.nb.Addresses[0].Tags; !slices.Equal(got, []string{"mine"}) {
		t.Errorf("tags %v", got)
	}
}
