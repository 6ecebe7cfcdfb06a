package decide

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// lab is a world with one standalone scope, 10.8.4.0/24 of dh1, which NetBox
// knows.
type lab struct {
	*testing.T
	w     *world
	p     plan.Policy
	scope *wscope
}

const (
	pc  = "00-00-5e-00-53-01" // client identifiers
	mfp = "00-00-5e-00-53-02"
	cam = "00-00-5e-00-53-03"
)

func newLab(t *testing.T) *lab {
	l := &lab{T: t, w: newWorld(), p: defaults(dh1)}
	l.scope = l.w.server(dh1).addScope("10.8.4.0/24", "10.8.4.20", "10.8.4.250")
	l.w.addPrefix("10.8.4.0/24", 0).Tenant = 12
	l.importAll()
	return l
}

func (l *lab) importAll() *plan.Plan {
	l.Helper()
	p := l.p
	p.Mode = plan.Import
	return l.runWith(p)
}

// run plans, applies, and makes sure that a second run changes nothing.
func (l *lab) run() *plan.Plan { l.Helper(); return l.runWith(l.p) }

func (l *lab) runWith(p plan.Policy) *plan.Plan {
	l.Helper()
	p.Recall(l.w.memory)
	made := Build(l.w.read(p))
	mustBeAllowed(l, &p, made)
	if err := l.w.apply(made); err != nil {
		l.Fatalf("%v\n%s", err, describe(made))
	}
	if again := Build(l.w.read(p)); !again.Empty() {
		l.Fatalf("a second run changes something\nfirst:\n%s\nsecond:\n%s", describe(made), describe(again))
	}
	return made
}

// trust makes losses need no proof, for tests of which losses there are.
func (l *lab) trust() *lab { l.p.AllowDeletes = true; return l }

// runLater is a run, and another one as soon as a loss without an end may go.
func (l *lab) runLater() *plan.Plan {
	l.Helper()
	l.run()
	l.w.now = l.w.now.Add(l.p.ConfirmAfter)
	return l.run()
}

func (l *lab) plan() *plan.Plan { l.Helper(); return Build(l.w.read(l.p)) }

// add puts an address on 10.8.4.33 unless it has another.
func (l *lab) add(x state.Address) int64 {
	if !x.Address.IsValid() {
		x.Address = netip.MustParsePrefix("10.8.4.33/24")
	}
	return l.w.addAddress(x)
}

// wantAddress compares what the mirror may write of 10.8.4.33.
func (l *lab) wantAddress(want *state.Address) {
	l.Helper()
	got := l.w.address("10.8.4.33")
	ignore := cmpopts.IgnoreFields(state.Address{}, "ID", "Address", "LeaseExpires", "Tenant", "Description", "Tags", "InUse", "VRF")
	if diff := cmp.Diff(want, got, ignore); diff != "" {
		l.Errorf("-want +got:\n%s", diff)
	}
}

func wantNote(t *testing.T, p *plan.Plan, level plan.Level, rule, text string) {
	t.Helper()
	if !hasNote(p, level, rule, text) {
		t.Errorf("no note %q [%s] ...%s...; the plan is\n%s", level, rule, text, describe(p))
	}
}

func hasNote(p *plan.Plan, level plan.Level, rule, text string) bool {
	return slices.ContainsFunc(p.Notes, func(n plan.Note) bool { return n.Level == level && n.Rule == rule && strings.Contains(n.Text, text) })
}

// wantSteps compares what the steps of some kinds do, one line each:
// "create 10.8.4.33/24 [3.5 row 4]".
func wantSteps(t *testing.T, p *plan.Plan, pick func(plan.Step) bool, want ...string) {
	t.Helper()
	var got []string
	for _, s := range p.Steps {
		if pick(s) {
			got = append(got, string(s.Action)+" "+s.Name+" ["+s.Rule+"]")
		}
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("-want +got:\n%s\nthe plan is\n%s", diff, describe(p))
	}
}

func onAddresses(s plan.Step) bool { return s.Kind == state.IPAddress }
func onRanges(s plan.Step) bool    { return s.Kind == state.IPRange }
func onServers(s plan.Step) bool   { return s.Target != plan.NetBox }
func anyStep(plan.Step) bool       { return true }

func yes() *bool { b := true; return &b }
func no() *bool  { b := false; return &b }

func span(start, end string) windhcp.Exclusion {
	return windhcp.Exclusion{Start: netip.MustParseAddr(start), End: netip.MustParseAddr(end)}
}

// mustBeAllowed makes sure that the check before a step lets through what is
// planned.
func mustBeAllowed(t interface {
	Helper()
	Fatalf(format string, args ...any)
}, p *plan.Policy, made *plan.Plan) {
	t.Helper()
	for i := range made.Steps {
		if err := p.Allowed(&made.Steps[i]); err != nil {
			t.Fatalf("a planned step is not allowed: %v\n%+v", err, made.Steps[i])
		}
	}
}
