package mirror_test

import (
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror/mirrortest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
)

// run makes a run that is expected to end well.
func run(t *testing.T, m *mirror.Mirror, o mirror.Options) *mirror.Run {
	t.Helper()
	r, err := m.Sync(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if r.Outcome != mirror.Clean {
		for _, n := range r.Plan.Notes {
			t.Logf("%s %s %s: %s", n.Level, n.Server, n.Scope, n.Text)
		}
		if r.Report != nil {
			for _, res := range r.Report.Results {
				if res.Error != "" {
					t.Logf("%s %s %s: %s %s", res.Step.Action, res.Step.Kind, res.Step.Name, res.Outcome, res.Error)
				}
			}
		}
		t.Fatalf("exit code %d: %s", r.Outcome.ExitCode(), r.Summary)
	}
	return r
}

func TestImportThenSyncThenNothing(t *testing.T) {
	target := mirrortest.StandIn(t, netboxtest.Config{})
	l := mirrortest.New(t, target, netboxtest.World{})
	dh1 := l.Add(psutest.Example("dh1.corp.example"))
	dh2 := l.Add(psutest.World{})
	psutest.Pair(dh1, dh2, psutest.Failover{Name: "east-pair", Mode: "HotStandby", Scopes: []string{"10.8.4.0"}, MaxClientLeadTime: 3600})
	m := l.Open("sync_ips_from_dhcp: true", nil)
	t.Log(run(t, m, mirror.Options{Mode: plan.Import}).Summary)
	t.Log(run(t, m, mirror.Options{}).Summary)
	l.Front.Forget()
	r := run(t, m, mirror.Options{})
	if writes := l.Front.Writes(); len(writes) > 0 || !r.Plan.Empty() {
		t.Errorf("the second run writes: %v\n%v", writes, r.Plan.Steps)
	}
	if len(dh1.Writes())+len(dh2.Writes()) > 0 {
		t.Error("a server was written to with both push modes off")
	}
	for _, x := range l.Get("ipam/ip-addresses", "") {
		t.Log(mirrortest.Field(x, "address"), mirrortest.Field(x, "status"), mirrortest.Field(x, "dns_name"), mirrortest.Field(x, "custom_fields"))
	}
	for _, x := range l.Get("ipam/ip-ranges", "") {
		t.Log(mirrortest.Field(x, "display"), mirrortest.Field(x, "custom_fields"))
	}
}
