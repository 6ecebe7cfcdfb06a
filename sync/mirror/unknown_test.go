package mirror_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror/mirrortest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
)

// pairedLab is a mirrored failover pair, and what its settings say below sync:.
func pairedLab(t *testing.T, settings string) (*mirrortest.Lab, *mirror.Mirror) {
	t.Helper()
	l := mirrortest.New(t, mirrortest.StandIn(t, netboxtest.Config{}), netboxtest.World{})
	dh1, dh2 := l.Add(psutest.Example("dh1.corp.example")), l.Add(psutest.World{})
	psutest.Pair(dh1, dh2, psutest.Failover{Name: "east-pair", Mode: "HotStandby", Scopes: []string{"10.8.4.0"}, MaxClientLeadTime: 1800})
	dh2.Edit(func(w *psutest.World) {
		office := *psutest.Example("x").Scopes[0]
		w.Scopes = append(w.Scopes, &office)
	})
	m := l.Open(settings, nil)
	run(t, m, mirror.Options{Mode: plan.Import})
	run(t, m, mirror.Options{})
	settled(t, l, m)
	return l, m
}

// rule 3.8 point 1, over HTTP: a server that cannot tell its relationships names none
// with its scopes. Nothing of a scope of a relationship changes on either side then.
func TestAServerThatCannotTellItsRelationshipsChangesNothing(t *testing.T) {
	const syncs = "sync_ips_from_dhcp: true\nguards: {confirm_after: 0s}\n"
	off := func(l *mirrortest.Lab) {
		context := l.Get("extras/config-contexts", "name=windows-dhcp+failover+east-pair")[0]
		l.Patch("extras/config-contexts", context["id"], map[string]any{"is_active": false})
	}
	for _, c := range []struct {
		name  string
		kind  psutest.FaultKind
		entry string
		both  bool // servers
	}{
		{name: "500", kind: psutest.Error500},
		{name: "a page with 500", kind: psutest.HTML500},
		{name: "401", kind: psutest.Unauthorized},
		{name: "a page with 200", kind: psutest.HTML200},
		{name: "an empty body", kind: psutest.Blank200},
		{name: "null", kind: psutest.Null200},
		{name: "another object", kind: psutest.OtherObject},
		{name: "no answer", kind: psutest.Drop},
		{name: "an entry that is none", kind: psutest.MalformedEntry, entry: "x"},
		{name: "an empty list, while the partner has it", kind: psutest.EmptyList},
		{name: "500 of both", kind: psutest.Error500, both: true},
	} {
		for _, switched := range []struct {
			name, settings string
			in             func(*mirrortest.Lab)
		}{
			{"on", syncs, nil},
			{"off in the settings", syncs + "failover: {east-pair: {sync_enabled: false}}\n", nil},
			{"off in NetBox", syncs, off},
			{"on, with both push modes", syncs + "push_reservations: true\npush_scope_info: true\npush: {delete_removed: true, push_to_partner: true}\n", nil},
		} {
			t.Run(c.name+", switched "+switched.name, func(t *testing.T) {
				t.Parallel()
				l, m := pairedLab(t, syncs)
				if switched.settings != syncs {
					m = l.OpenUnprepared(switched.settings, nil)
					run(t, m, mirror.Options{})
				}
				if switched.in != nil {
					switched.in(l)
				}
				for i, s := range l.Servers {
					s.Edit(func(w *psutest.World) {
						w.Scope("10.8.4.0").Leases = nil
						if i == 0 || c.both {
							w.Failovers = nil // so the scopes name none
						}
					})
					if i == 0 || c.both {
						s.Fail(psutest.Fault{Path: "failover", Kind: c.kind, Entry: c.entry})
					}
					s.ForgetRequests()
				}
				before := content(l)
				l.Front.Forget()
				for range 2 { // once seen is not enough, and twice is no proof either
					r, err := m.Sync(t.Context(), mirror.Options{})
					if err != nil {
						t.Fatal(err)
					}
					if !slices.ContainsFunc(r.Plan.Notes, func(n plan.Note) bool { return n.Level == plan.Failure && n.Rule == "3.8 point 1" }) || r.Outcome == mirror.Clean {
						t.Errorf("not an error: %s %+v", r.Summary, r.Plan.Notes)
					}
				}
				if writes := l.Front.Writes(); len(writes) > 0 {
					t.Errorf("written to NetBox: %v", writes)
				}
				for _, s := range l.Servers {
					if writes := s.Writes(); len(writes) > 0 {
						t.Errorf("written to %s: %v", s.Host(), writes)
					}
				}
				if diff := cmp.Diff(before, content(l)); diff != "" {
					t.Errorf("changed (-before +after):\n%s", diff)
				}
			})
		}
	}
}
