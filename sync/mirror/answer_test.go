package mirror_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror/mirrortest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
)

// rule 3.8 point 25: what a server keeps otherwise is told once, and sent again when
// either side changes.
func TestWhatAServerKeepsOtherwiseIsToldOnce(t *testing.T) {
	const both = "sync_ips_from_dhcp: true\npush_reservations: true\npush_scope_info: true\n"
	l := mirrortest.New(t, mirrortest.StandIn(t, netboxtest.Config{}), netboxtest.World{})
	dh1 := l.Add(psutest.Example("dh1.corp.example"))
	m := l.Open(both, nil)
	run(t, m, mirror.Options{Mode: plan.Import})
	run(t, m, mirror.Options{})
	dh1.Fail(psutest.Fault{Method: "PUT", Kind: psutest.TextsAsTimes})
	printer := l.Address("10.8.4.60")
	office := l.Get("ipam/ip-ranges", "start_address=10.8.4.20")[0]
	reservation := func(w *psutest.World) *psutest.Reservation { return w.Scope("10.8.4.0").Reservations[0] }

	step := 0
	expect := func(what string, failed, puts int) {
		t.Helper()
		step++
		dh1.ForgetRequests()
		r, err := m.Sync(t.Context(), mirror.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if r.Report.Failed() != failed || len(dh1.Writes()) != puts {
			t.Errorf("%d, %s: %d failed, %d writes, want %d and %d: %s %+v", step, what, r.Report.Failed(), len(dh1.Writes()), failed, puts, r.Summary, r.Report.Results)
		}
		if failed == 0 && puts == 0 && (r.Outcome != mirror.Clean || !r.Plan.Empty()) {
			t.Errorf("%d, %s: %s", step, what, r.Summary)
		}
	}
	l.Patch("ipam/ip-addresses", printer["id"], map[string]any{"dns_name": "2026-11-28t10-00-00z"})
	l.Patch("ipam/ip-ranges", office["id"], map[string]any{"description": "2026-11-28T10:00:00Z"})
	expect("sent and rewritten", 2, 2)
	expect("told already", 0, 0)
	m = l.OpenUnprepared(both, nil)
	expect("told by another process", 0, 0)
	if p, err := m.Plan(t.Context(), mirror.Options{}); err != nil || !p.Empty() {
		t.Errorf("the plan shows a difference: %v, %+v", err, p)
	}
	l.Patch("ipam/ip-addresses", printer["id"], map[string]any{"dns_name": "2026-11-28t11-00-00z"})
	expect("NetBox changed", 1, 1)
	expect("told already", 0, 0)
	dh1.Edit(func(w *psutest.World) { reservation(w).Name = "another" })
	expect("the server changed", 1, 1)
	dh1.ClearFaults()
	expect("told already", 0, 0)
	dh1.Edit(func(w *psutest.World) { reservation(w).Name = "once more" })
	expect("the server takes it now", 0, 1)
	expect("nothing is left", 0, 0)
	dh1.Edit(func(w *psutest.World) {
		if name := fmt.Sprint(reservation(w).Name); name != "2026-11-28t11-00-00z" {
			t.Errorf("the server has %q", name)
		}
	})
}

// rule 3.8 point 25: a client id that the server keeps otherwise is no other client's,
// so nothing is told, replaced or made a second time because of it.
func TestAClientThatAServerKeepsOtherwiseIsToldOnce(t *testing.T) {
	for _, script := range []string{"1.0.2", psutest.Lists, psutest.Own} {
		for _, push := range []string{"", "push: {replace_client_id: true}\n", "push: {delete_removed: true}\n"} {
			t.Run(script+" "+push, func(t *testing.T) {
				l := mirrortest.New(t, mirrortest.StandIn(t, netboxtest.Config{}), netboxtest.World{})
				dh1 := l.Add(psutest.Example("dh1.corp.example"))
				dh1.Configure(func(c *psutest.Config) { c.Script = script })
				m := l.Open("sync_ips_from_dhcp: true\npush_reservations: true\n"+push, nil)
				run(t, m, mirror.Options{Mode: plan.Import})
				run(t, m, mirror.Options{})
				dh1.Fail(psutest.Fault{Method: "POST", Kind: psutest.OtherClients})
				door := func(host, client string) float64 {
					return float64(l.Create("ipam/ip-addresses", map[string]any{"address": host + "/24", "status": "reserved", "dns_name": "door", "custom_fields": map[string]any{"dhcp_client_id": client}}))
				}
				first := door("10.8.4.70", "3c-52-82-0a-30-00")
				door("10.8.4.71", "3c-52-82-0a-30-01")
				expect := func(what string, failed, writes int) {
					t.Helper()
					dh1.ForgetRequests()
					r, err := m.Sync(t.Context(), mirror.Options{})
					if err != nil {
						t.Fatal(err)
					}
					if r.Report.Failed() != failed || len(dh1.Writes()) != writes {
						t.Errorf("%s: %d failed, %d writes, want %d and %d: %s %+v", what, r.Report.Failed(), len(dh1.Writes()), failed, writes, r.Summary, r.Report.Results)
					}
					if writes == 0 && (r.Outcome != mirror.Clean || !r.Plan.Empty() || slices.ContainsFunc(r.Plan.Notes, func(n plan.Note) bool { return n.Level == plan.Conflict })) {
						t.Errorf("%s: %s %+v", what, r.Summary, r.Plan.Notes)
					}
				}
				made := 1
				if script == "1.0.2" {
					made = 2
				}
				expect("sent and rewritten", 2, made)
				expect("told already", 0, 0)
				expect("and again", 0, 0)
				l.Patch("ipam/ip-addresses", first, map[string]any{"dns_name": "gate"})
				expect("another name", 0, 1)
				dh1.Edit(func(w *psutest.World) {
					for _, r := range w.Scope("10.8.4.0").Reservations {
						if r.IP == "10.8.4.70" && (r.Name != "gate" || r.ClientID != "01-3c-52-82-0a-30-00") {
							t.Errorf("the server has %+v", *r)
						}
					}
				})
				expect("nothing is left", 0, 0)
			})
		}
	}
}
