package mirror_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror/mirrortest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
)

// inStep is a lab whose NetBox shows what its server has: two scopes, thirty
// leases in the first.
func inStep(t *testing.T, settings string) (*mirrortest.Lab, *mirror.Mirror) {
	t.Helper()
	l := mirrortest.New(t, mirrortest.StandIn(t, netboxtest.Config{}), netboxtest.World{})
	world := psutest.Example("dh1.corp.example")
	office := world.Scope("10.8.4.0")
	for n := range 30 {
		office.Leases = append(office.Leases, &psutest.Lease{IP: fmt.Sprintf("10.8.4.%d", 150+n), ClientID: fmt.Sprintf("3c-52-82-00-00-%02x", n), Hostname: fmt.Sprintf("desk-%d", n), Expiry: "2126-07-01T09:30:00Z"})
	}
	l.Add(world)
	m := l.Open(settings, nil)
	run(t, m, mirror.Options{Mode: plan.Import})
	run(t, m, mirror.Options{})
	l.Front.Forget()
	l.Servers[0].ForgetRequests()
	return l, m
}

// deletes counts addresses and ranges that requests delete.
func deletes(l *mirrortest.Lab) int {
	n := 0
	for _, r := range l.Front.Writes() {
		if r.Method == http.MethodDelete {
			n += strings.Count(r.Body, `"id"`)
			if r.Body == "" {
				n++
			}
		}
	}
	return n
}

// rules 3.8, 1.4 quirk 2, 1.4 quirk 3 and 1.5
func TestTroubleOfAServerNeverDeletes(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault psutest.Fault
		code  int
		say   string // in a note
	}{
		{"server closes every connection", psutest.Fault{Kind: psutest.Drop}, 1, "nothing of this server is changed"},
		{"401 with an empty body", psutest.Fault{Kind: psutest.Unauthorized}, 1, "token"},
		{"403", psutest.Fault{Kind: psutest.Forbidden}, 1, "role"},
		{"500 with a page", psutest.Fault{Kind: psutest.HTML500}, 1, "500"},
		{"500 of the script on the scope list", psutest.Fault{Path: "scopes", Kind: psutest.Error500}, 1, "scope"},
		{"a blank 200 on the scope list", psutest.Fault{Path: "scopes", Kind: psutest.Blank200}, 1, "nothing of this server is changed"},
		{"null on the scope list", psutest.Fault{Path: "scopes", Kind: psutest.Null200}, 1, "nothing of this server is changed"},
		{"a page instead of the scope list", psutest.Fault{Path: "scopes", Kind: psutest.HTML200}, 1, "nothing of this server is changed"},
		{"a blank 200 on the leases", psutest.Fault{Path: "leases", Kind: psutest.Blank200}, 1, "leases"},
		{"500 on the reservations", psutest.Fault{Path: "reservations", Kind: psutest.Error500}, 1, "reservations"},
		{"leases that end in the middle", psutest.Fault{Path: "leases", Kind: psutest.Truncated}, 1, "leases"},
		{"one lease without an address", psutest.Fault{Path: "leases", Kind: psutest.MalformedEntry, Entry: "10.8.4.0"}, 1, "cannot be used"},
		{"one lease that belongs nowhere", psutest.Fault{Path: "leases", Kind: psutest.StrayEntry}, 1, "cannot be used"},
		{"one relationship that is none", psutest.Fault{Path: "failover", Kind: psutest.MalformedEntry, Entry: "x"}, 1, "cannot be used"},
		{"no exclusions where there are some", psutest.Fault{Path: "exclusions", Kind: psutest.Error500}, 1, "exclusions"},
		{"500 on the options", psutest.Fault{Path: "options/*", Kind: psutest.Error500}, 1, "options"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l, m := inStep(t, "sync_ips_from_dhcp: true\npsu: {timeout: 5s}\n")
			want := content(l)
			l.Servers[0].Edit(func(w *psutest.World) { w.Scope("10.8.4.0").Leases = w.Scope("10.8.4.0").Leases[:35] })
			want = without(want, l, t)
			l.Servers[0].Fail(c.fault)
			r, err := m.Sync(t.Context(), mirror.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if r.Outcome.ExitCode() != c.code {
				t.Errorf("exit code %d, want %d: %s", r.Outcome.ExitCode(), c.code, r.Summary)
			}
			if !noted(r.Plan, c.say) {
				t.Errorf("nothing says %q: %+v", c.say, r.Plan.Notes)
			}
			switch c.name {
			case "no exclusions where there are some", "500 on the options":
				if deletes(l) == 0 {
					t.Error("the addresses of a scope that was read are not cleaned up")
				}
			default:
				if n := deletes(l); n > 0 {
					t.Errorf("%d deletes", n)
				}
				if diff := cmp.Diff(want, content(l)); diff != "" {
					t.Errorf("NetBox was changed (-before +after):\n%s", diff)
				}
			}
		})
	}
}

// without gives content again after the server alone was edited.
func without(want []string, l *mirrortest.Lab, t *testing.T) []string {
	t.Helper()
	if diff := cmp.Diff(want, content(l)); diff != "" {
		t.Fatalf("leases are not part of what is compared:\n%s", diff)
	}
	return want
}

func noted(p *plan.Plan, text string) bool {
	for _, n := range p.Notes {
		if strings.Contains(n.Text, text) {
			return true
		}
	}
	return false
}

// rules 3.7 guard c and 1.4 quirk 3: an empty list is no proof.
func TestAnEmptyReadOfAFullScopeIsRefusedUntilAllowed(t *testing.T) {
	l, m := inStep(t, "sync_ips_from_dhcp: true\n")
	l.Servers[0].Edit(func(w *psutest.World) { w.Scope("10.8.4.0").Silent = true })
	r, err := m.Sync(t.Context(), mirror.Options{})
	if err != nil || r.Outcome != mirror.HeldBack || deletes(l) > 0 || !noted(r.Plan, "--allow-deletes") {
		t.Fatalf("code %d, %d deletes, %v: %+v", r.Outcome.ExitCode(), deletes(l), err, r.Plan.Notes)
	}
	r, err = m.Sync(t.Context(), mirror.Options{AllowDeletes: true})
	if err != nil || r.Outcome != mirror.Clean || deletes(l) < 30 {
		t.Fatalf("allowed: code %d, %d deletes, %v", r.Outcome.ExitCode(), deletes(l), err)
	}
}

func TestAnEmptyScopeListIsRefusedUntilAllowed(t *testing.T) {
	l, m := inStep(t, "")
	l.Servers[0].Edit(func(w *psutest.World) { w.Scopes = nil })
	r, err := m.Sync(t.Context(), mirror.Options{})
	if err != nil || r.Outcome != mirror.HeldBack || len(l.Front.Writes()) > 0 {
		t.Fatalf("code %d, writes %v, %v", r.Outcome.ExitCode(), l.Front.Writes(), err)
	}
	before := len(l.Get("ipam/prefixes", ""))
	r, err = m.Sync(t.Context(), mirror.Options{AllowDeletes: true})
	if err != nil || r.Outcome != mirror.Clean || len(l.Get("ipam/ip-ranges", "")) > 0 || len(l.Get("ipam/prefixes", "")) != before {
		t.Fatalf("allowed: code %d, %v, ranges %v", r.Outcome.ExitCode(), err, l.Get("ipam/ip-ranges", ""))
	}
}

// rule 3.8: NetBox in trouble, in the middle of a run.
func TestTroubleOfNetBoxEndsTheRunBeforeAServerIsWrittenTo(t *testing.T) {
	for _, c := range []struct {
		name string
		way  mirrortest.Break
	}{{"502", mirrortest.Down}, {"500", mirrortest.Error}, {"no answer", mirrortest.Lost}, {"answer lost", mirrortest.Unsaid}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l, m := changedLab(t)
			broken := false
			l.Front.Before(func(r mirrortest.Request) mirrortest.Break {
				if broken = broken || r.Write(); broken {
					return c.way
				}
				return mirrortest.None
			})
			ctx := t.Context()
			r, err := m.Sync(ctx, mirror.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if r.Outcome != mirror.WithErrors || len(l.Servers[0].Writes()) > 0 {
				t.Errorf("exit code %d, %d writes to the server: %s", r.Outcome.ExitCode(), len(l.Servers[0].Writes()), r.Summary)
			}
			l.Front.Before(nil)
			if r := run(t, m, mirror.Options{}); r.Plan.Empty() {
				t.Error("nothing was left to do")
			}
		})
	}
}

func TestNetBoxThatIsBusyForAWhileIsWaitedFor(t *testing.T) {
	l, m := changedLab(t)
	n := 0
	l.Front.Before(func(r mirrortest.Request) mirrortest.Break {
		if r.Write() {
			if n++; n%2 == 1 {
				return mirrortest.Busy
			}
		}
		return mirrortest.None
	})
	run(t, m, mirror.Options{})
	if n < 4 {
		t.Errorf("%d writes were tried", n)
	}
}

func TestATokenThatMayNotDeleteStillCreates(t *testing.T) {
	l, m := changedLab(t)
	l.Front.Before(func(r mirrortest.Request) mirrortest.Break {
		if r.Method == http.MethodDelete {
			return mirrortest.Denied
		}
		return mirrortest.None
	})
	r, err := m.Sync(t.Context(), mirror.Options{})
	if err != nil || r.Outcome != mirror.WithErrors {
		t.Fatalf("code %d, %v", r.Outcome.ExitCode(), err)
	}
	if l.Address("10.8.4.200") == nil {
		t.Error("the new lease was not recorded")
	}
}

func TestNetBoxDownAtTheStartIsAnErrorAndAsksNobody(t *testing.T) {
	l, m := inStep(t, "sync_ips_from_dhcp: true\n")
	l.Front.Before(func(mirrortest.Request) mirrortest.Break { return mirrortest.Down })
	r, err := m.Sync(t.Context(), mirror.Options{})
	if err == nil || r.Outcome != mirror.WithErrors || len(l.Servers[0].Requests()) > 0 {
		t.Errorf("code %d, %v, requests to the server %v", r.Outcome.ExitCode(), err, l.Servers[0].Requests())
	}
}

// rule 5: with both modes off nothing but GET is sent; 9 row 28.
func TestWithBothPushModesOffServersSeeNothingButReads(t *testing.T) {
	l, m := inStep(t, "sync_ips_from_dhcp: true\n")
	l.Patch("ipam/ip-addresses", l.Address("10.8.4.61")["id"], map[string]any{"dns_name": "cam-9"})
	office := l.Get("ipam/ip-ranges", "start_address=10.8.4.20")[0]
	l.Patch("ipam/ip-ranges", office["id"], map[string]any{"custom_fields": map[string]any{"dhcp_router": "10.8.4.254"}})
	run(t, m, mirror.Options{})
	if w := l.Servers[0].Writes(); len(w) > 0 {
		t.Errorf("written to the server: %v", w)
	}
	// rule 9 row 36: the edit is reverted
	if got := mirrortest.Field(l.Get("ipam/ip-ranges", "start_address=10.8.4.20")[0], "custom_fields.dhcp_router"); got != "10.8.4.1" {
		t.Errorf("router %v", got)
	}
}

// rule 3.2, pre-flight; 9 row 41.
func TestAServerThatIsNotNeededIsNotConnectedTo(t *testing.T) {
	l := mirrortest.New(t, mirrortest.StandIn(t, netboxtest.Config{}), netboxtest.World{})
	l.Add(psutest.Example("dh1.corp.example"))
	l.Add(psutest.Example("dh2.corp.example"))
	m := l.Open("", map[string]string{l.Host(1): "sync_standalone_scopes: false\n"})
	run(t, m, mirror.Options{})
	if l.Servers[0].Connections() == 0 || l.Servers[1].Connections() != 0 {
		t.Errorf("connections: %d and %d", l.Servers[0].Connections(), l.Servers[1].Connections())
	}
}

// rule 9 row 19: a run over one server asks only that one.
func TestARunOverOneServerAsksOnlyThatOne(t *testing.T) {
	l := mirrortest.New(t, mirrortest.StandIn(t, netboxtest.Config{}), netboxtest.World{})
	l.Add(psutest.Example("dh1.corp.example"))
	l.Add(psutest.World{})
	m := l.Open("", nil)
	run(t, m, mirror.Options{Servers: []string{"DH2.corp.example."}})
	if len(l.Servers[0].Requests()) != 0 || len(l.Servers[1].Requests()) == 0 {
		t.Error("the wrong server was asked")
	}
	if _, err := m.Sync(t.Context(), mirror.Options{Servers: []string{"dh7"}}); err == nil || !strings.Contains(err.Error(), "dh7") {
		t.Errorf("a server that is not configured: %v", err)
	}
}

func TestADryRunWritesNothing(t *testing.T) {
	l, _ := changedLab(t)
	m := l.OpenUnprepared(everything+"dry_run: true\n", nil)
	r, err := m.Sync(t.Context(), mirror.Options{})
	if err != nil || r.Plan.Empty() || r.Report != nil || len(l.Front.Writes()) > 0 || len(l.Servers[0].Writes()) > 0 {
		t.Errorf("%v, report %v, writes %v %v", err, r.Report, l.Front.Writes(), l.Servers[0].Writes())
	}
}

func TestASecondRunAtTheSameTimeIsRefused(t *testing.T) {
	l, m := inStep(t, "sync_ips_from_dhcp: true\n")
	until := make(chan struct{})
	l.Servers[0].Fail(psutest.Fault{Path: "leases", Kind: psutest.Slow, Until: until})
	first := make(chan int)
	go func() {
		r, _ := m.Sync(t.Context(), mirror.Options{})
		first <- r.Outcome.ExitCode()
	}()
	l.Servers[0].AwaitRequests(3)
	other := l.OpenUnprepared("sync_ips_from_dhcp: true\n", nil)
	r, err := other.Sync(t.Context(), mirror.Options{})
	if r.Outcome != mirror.Locked || err == nil {
		t.Errorf("code %d, %v", r.Outcome.ExitCode(), err)
	}
	close(until)
	if code := <-first; code != 0 {
		t.Errorf("the first run ended with %d", code)
	}
}

func TestASavedPlanIsRefusedWhenTheGroundMoved(t *testing.T) {
	l, m := changedLab(t)
	saved, err := m.Plan(t.Context(), mirror.Options{})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := saved.JSON()
	if err != nil {
		t.Fatal(err)
	}
	saved, err = plan.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	digest, err := saved.Digest()
	if err != nil {
		t.Fatal(err)
	}
	before := ""
	l.Servers[0].Edit(func(w *psutest.World) {
		lease := w.Scope("10.8.4.0").Leases[2]
		before, lease.Hostname = lease.Hostname, "moved"
	})
	if r, err := m.Sync(t.Context(), mirror.Options{Digest: digest}); !errors.Is(err, mirror.ErrChanged) || r.Outcome != mirror.WithErrors || len(l.Front.Writes()) > 0 {
		t.Errorf("code %d, %v", r.Outcome.ExitCode(), err)
	}
	l.Servers[0].Edit(func(w *psutest.World) { w.Scope("10.8.4.0").Leases[2].Hostname = before })
	if r, err := m.Sync(t.Context(), mirror.Options{Digest: digest}); err != nil || r.Outcome != mirror.Clean {
		t.Errorf("code %d, %v", r.Outcome.ExitCode(), err)
	}
}

// rule 9 row 18: runs are counted from the start.
func TestTheLoopRunsAtOnceAndWhenAskedTo(t *testing.T) {
	_, m := inStep(t, "")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ran := make(chan *mirror.Run)
	done := make(chan struct{})
	go func() {
		defer close(done)
		m.Loop(ctx, time.Hour, mirror.Options{}, func(r *mirror.Run, _ error) { ran <- r })
	}()
	<-ran
	if !m.SyncNow([]string{"dh1.corp.example"}) {
		t.Error("a run on demand was refused")
	}
	if r := <-ran; len(r.Servers) != 1 {
		t.Errorf("servers of the run on demand: %v", r.Servers)
	}
	cancel()
	<-done
}

func TestThePluginBesideUsIsRefused(t *testing.T) {
	l := mirrortest.New(t, mirrortest.StandIn(t, netboxtest.Config{Plugins: []string{"netbox_windows_dhcp"}}), netboxtest.World{})
	l.Add(psutest.Example("dh1.corp.example"))
	m := l.Open("", nil)
	if r, err := m.Sync(t.Context(), mirror.Options{}); err == nil || r.Outcome != mirror.NotPrepared || len(l.Servers[0].Requests()) > 0 {
		t.Errorf("code %d, %v", r.Outcome.ExitCode(), err)
	}
	run(t, m, mirror.Options{AlongsidePlugin: true})
}

func TestANetBoxThatIsNotPreparedIsRefusedWithTheFix(t *testing.T) {
	l := mirrortest.New(t, mirrortest.StandIn(t, netboxtest.Config{}), netboxtest.World{})
	l.Add(psutest.Example("dh1.corp.example"))
	m := l.OpenUnprepared("", nil)
	r, err := m.Sync(t.Context(), mirror.Options{})
	if err == nil || r.Outcome != mirror.NotPrepared || !strings.Contains(err.Error(), "bootstrap") || !strings.Contains(err.Error(), "dhcp_client_id") {
		t.Errorf("code %d, %v", r.Outcome.ExitCode(), err)
	}
}

func TestLogsHoldNoToken(t *testing.T) {
	l, m := inStep(t, "sync_ips_from_dhcp: true\n")
	for _, kind := range []psutest.FaultKind{psutest.EchoToken, psutest.EchoToken500, psutest.Forbidden} {
		l.Servers[0].ClearFaults()
		l.Servers[0].Fail(psutest.Fault{Kind: kind})
		r, err := m.Sync(t.Context(), mirror.Options{})
		if err != nil {
			t.Fatal(err)
		}
		raw, err := r.Plan.JSON()
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{l.Servers[0].Writer(), l.Token()} {
			if strings.Contains(string(raw)+l.Log.String()+r.Summary+r.Error, secret) {
				t.Error("a token is shown")
			}
		}
	}
}

// Rules 3.7 guard c and 3.7 guard g: many small scopes that fall silent at once.
func TestAServerThatFallsSilentLosesNothing(t *testing.T) {
	l := mirrortest.New(t, mirrortest.StandIn(t, netboxtest.Config{}), netboxtest.World{})
	l.Add(psutest.Campus("dh1.corp.example", 10, 20, time.Now()))
	m := l.Open("sync_ips_from_dhcp: true\nguards: {confirm_after: 0s}\n", nil)
	run(t, m, mirror.Options{Mode: plan.Import})
	run(t, m, mirror.Options{})
	l.Servers[0].Edit(func(w *psutest.World) {
		for _, s := range w.Scopes {
			s.Silent = true
		}
	})
	for range 3 {
		r, err := m.Sync(t.Context(), mirror.Options{})
		if err != nil || r.Outcome != mirror.HeldBack || !noted(r.Plan, "lists no lease and no reservation at all") {
			t.Errorf("code %d, %v: %s", r.Outcome.ExitCode(), err, r.Summary)
		}
	}
	if n := deletes(l); n > 0 {
		t.Errorf("%d deletes", n)
	}
}
